"""Solvers that move a body until it agrees with points, and what they hold true while they do it.

Lives here: 47 points of a body with an analytic Jacobian (`kinematics`), the damped least squares that all solvers
share (`least_squares`), the solver under the annotator's hand (`interactive`), joint limits (`limits`), how plausible a
pose is (`plausibility`), where a body is inside itself (`self_contact`), the two depths of bones (`depth_flips`) and
the other poses with the same picture (`alternatives`), the polish after fine-tuning (`polish`), edits of poses, cameras
and shapes as pure functions (`editing`, `shape_axes`). Does not live here: networks and their training, the window, the
store. May import `records`, `skeletons`, `geometry`, `body`, `resources`, `errors`, NumPy, SciPy and numba; never
torch, because the window solves while the hand moves.
"""
