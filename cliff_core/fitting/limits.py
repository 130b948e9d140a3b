"""How far joints turn: boxes on rotation vectors, with a soft wall for solvers.

Ranges of motion of healthy adults (American Academy of Orthopaedic Surgeons) carried over to SMPL's joints, whose axes
in the T-pose are x to the body's left, y up, z forward; widened where the open poses that ship with the program, or
motion capture retargeted to SMPL, go further (collars and spines share what anatomy gives to one joint, and retargeted
elbows bend about an axis between y and z). They are meant to be wide: inside them nothing is said, and a pose outside
them is wrong rather than rare. A body may look in any direction, so the pelvis has no limits.
"""

from __future__ import annotations

import numpy as np

from cliff_core.fitting.manifold import rotvec_and_slope
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.skeletons import SMPL24

# Left and middle joints, degrees: smallest and largest about x, y, z. The right side mirrors the left.
_DEGREES = {
    "hip": ((-140, 40), (-50, 65), (-40, 75)),  # flexion is negative x
    "knee": ((-5, 155), (-25, 30), (-15, 15)),
    "ankle": ((-60, 50), (-45, 50), (-45, 40)),
    "foot": ((-45, 60), (-15, 15), (-15, 15)),
    "spine1": ((-30, 45), (-35, 35), (-30, 30)),
    "spine2": ((-30, 35), (-30, 30), (-25, 25)),
    "spine3": ((-30, 30), (-30, 30), (-30, 30)),
    "neck": ((-40, 45), (-45, 45), (-35, 35)),
    "head": ((-45, 45), (-50, 50), (-40, 40)),
    "collar": ((-35, 25), (-30, 20), (-35, 45)),
    "shoulder": ((-100, 90), (-140, 90), (-110, 90)),  # arm down is z = -75, forward is negative y
    "elbow": ((-80, 80), (-150, 8), (-20, 65)),  # flexion is negative y
    "wrist": ((-80, 80), (-65, 65), (-75, 75)),
    "hand": ((-20, 20), (-30, 30), (-60, 60)),
}
_AT_LIMIT = 0.01  # radians beyond


def _boxes() -> np.ndarray:
    boxes = np.full((24, 3, 2), (-np.inf, np.inf))
    for joint, name in enumerate(SMPL24.names):
        part = name.removeprefix("left_").removeprefix("right_")
        if part in _DEGREES:
            box = np.radians(np.array(_DEGREES[part], dtype=np.float64))
            boxes[joint] = np.stack([box[0], -box[1, ::-1], -box[2, ::-1]]) if name.startswith("right_") else box
    boxes.setflags(write=False)
    return boxes


BOXES = _boxes()
"""(24, 3, 2) smallest and largest rotation about x, y, z in radians; infinite for the pelvis."""


def violations(pose_rotvec: np.ndarray) -> np.ndarray:
    """How far each joint is outside its limits.

    Args:
        pose_rotvec: (24, 3) axis-angle.

    Returns:
        (24,) radians, 0 inside.
    """
    rotvec, _ = rotvec_and_slope(rotvec_to_rotmat(pose_rotvec))
    return np.linalg.norm(_beyond(rotvec), axis=1)


def limited_joints(pose_rotvec: np.ndarray) -> tuple[int, ...]:
    """Joints that lean against their limits or are beyond them."""
    return tuple(np.flatnonzero(violations(pose_rotvec) > _AT_LIMIT).tolist())


def wall(rotvec: np.ndarray, slope: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Half the squared excess over the limits, for a solver.

    Args:
        rotvec, slope: (24, 3) and (24, 3, 3) of `rotvec_and_slope`.

    Returns:
        Cost in square radians, its gradient (24, 3) and its Gauss-Newton curvature (24, 3, 3) by rotation steps.
    """
    beyond = _beyond(rotvec)
    outside = (beyond != 0.0)[:, :, None] * slope
    gradient = np.einsum("ja,jab->jb", beyond, slope)
    return 0.5 * float((beyond * beyond).sum()), gradient, outside.transpose(0, 2, 1) @ outside


def wall_cost(rotvec: np.ndarray) -> float:
    """The cost alone."""
    beyond = _beyond(rotvec)
    return 0.5 * float((beyond * beyond).sum())


def _beyond(rotvec):
    return rotvec - np.minimum(np.maximum(rotvec, BOXES[:, :, 0]), BOXES[:, :, 1])
