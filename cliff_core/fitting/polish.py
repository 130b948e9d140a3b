"""The polish after fine-tuning: each body a last step nearer to its points, held by what is already known of it.

Robust least squares per person, from the refined prediction: its points, a pull towards that prediction, the pose
prior, joint limits, and a mild wish for the mean shape. Points cannot tell on which side of the picture plane a bone
lies, and a solver stays on the side where it starts; so bodies turned round and the two depths of every limb bone are
tried as well (KITRO, Yang et al. 2024), and the sum of all costs decides, prior included. What a person has set is
fixed, to the digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cliff_core.fitting.depth_flips import DepthFlips, limb_flips, turned_round
from cliff_core.fitting.editing import LIMBS
from cliff_core.fitting.interactive import ROTATION_WEIGHT, state_of
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.fitting.least_squares import Anchor, PhotoPoints, Problem, State, minimise
from cliff_core.fitting.plausibility import PosePrior
from cliff_core.geometry.rotations import rotmat_to_rotvec
from cliff_core.records import Camera, SmplParams

_WALL = 0.2 / np.radians(3) ** 2  # of broken limits, per square radian
_FLAT_M = 0.04  # bones whose two depths differ by less have only one
_TRY_ITERATIONS, _HOPE = 5, 5.0  # of a bone's other side; nats above the present cost that more steps may still gain
_TURN_HOPE, _TURN_MARGIN = 20.0, 5.0  # the same of bodies turned round: they start far off, and few need it
_COARSE_M = 0.005  # exact points are followed in two steps: at once, they hold a body where it stands
_SIDES_NOISE_M = 0.01  # noisier points say too little about depths: trying both gained nothing for ten times the time
_NOISE_START_M, _NOISE_RANGE_M = 0.01, (0.001, 0.15)
_NOISE_PEOPLE, _NOISE_ROUNDS, _NOISE_ITERATIONS = 40, 5, 8


LeftOver = tuple[State, float, float]


@dataclass(frozen=True, slots=True)
class PolishCase:
    """One person to polish.

    Attributes:
        params: where to start.
        camera: of the photo.
        keypoints: (47, 3) x, y in pixels and precision (1 / variance, 1 a usual point's, 0 missing), in the order
            of `Skeleton`'s points.
        prior: the prediction to stay near; often the same as `params`.
        fixed_joints: joints whose rotation a person has set.
        fixed_betas, fixed_transl: whether a person has set shape or place.
    """

    params: SmplParams
    camera: Camera
    keypoints: np.ndarray
    prior: SmplParams
    fixed_joints: frozenset[int] = frozenset()
    fixed_betas: bool = False
    fixed_transl: bool = False


@dataclass(frozen=True, slots=True)
class PolishSettings:
    """How much each thing counts.

    Attributes:
        noise_m: error of a point of precision 1, metres at the person's depth; `None` to estimate it from the people
            themselves (`estimate_noise`).
        robust: errors beyond so many times the noise count less and less.
        prior: weight of the pull towards the prediction.
        tail: nats from which a joint's pull grows slowly (`Anchor`): predictions may be on the wrong side.
        pose: weight of the pose prior.
        shape: weight of the mean shape against the prediction's.
        depth_sides: try bodies turned round, and both depths of every limb bone where points are exact enough to tell.
        margin: a bone changes its side only where this lowers the cost by so many nats.
        iterations: of the solver.
    """

    noise_m: float | None = None
    robust: float = 8.0
    prior: float = 1.0
    tail: float = 2.0
    pose: float = 1.0
    shape: float = 0.2
    depth_sides: bool = True
    margin: float = 1.0
    iterations: int = 20


@dataclass(frozen=True, slots=True)
class Polished:
    """A polished body.

    Attributes:
        params: the body.
        before, after: costs; lower is better agreement of everything.
        flipped: limb bones that changed their side in depth.
    """

    params: SmplParams
    before: float
    after: float
    flipped: tuple[str, ...]


def polish(
    skeleton: Skeleton,
    people: Sequence[PolishCase],
    settings: PolishSettings | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Polished]:
    """Polish people, one by one.

    Args:
        skeleton: of the body they share.
        people: what is known of them; without points, or far from the camera's front, they come back as they are.
        settings: weights.
        progress: told (done, total, what).

    Returns:
        One body per person; what was fixed is the same to the digit.
    """
    settings = settings or PolishSettings()
    if settings.noise_m is None:
        settings = replace(settings, noise_m=estimate_noise(skeleton, people, settings))
    polished = []
    for number, case in enumerate(people, start=1):
        polished.append(_polish_one(skeleton, case, settings))
        if progress is not None:
            progress(number, len(people), "polishing bodies")
    return polished


def estimate_noise(
    skeleton: Skeleton,
    people: Sequence[PolishCase],
    settings: PolishSettings | None = None,
    over: Callable[..., Iterable[LeftOver]] | None = None,
) -> float:
    """How far off points usually are: fit, look at what is left over, and again (MacKay's evidence scheme).

    What is left over is smaller than the noise, because a body that follows points follows their noise too; the fit's
    own number of effective parameters, trace((A + B)^-1 A) with A from the points and B from the rest, makes up for it.

    Args:
        skeleton: of the body.
        people: up to a few dozen of them are looked at.
        settings: weights.
        over: does `left_over` for each of some pieces, as `map` would; `Processes.map` shares them, to the same bits.

    Returns:
        Metres at the people's depth, standard deviation along x and y of a point of precision 1.
    """
    settings = settings or PolishSettings()
    some = list(people)[:: max(1, len(people) // _NOISE_PEOPLE)]
    noise, states = _NOISE_START_M, [state_of(case.params) for case in some]
    for _ in range(_NOISE_ROUNDS):
        now = replace(settings, noise_m=noise)
        pieces = ((case, state, now) for case, state in zip(some, states, strict=True))
        fits = list((left_over(skeleton, piece) for piece in pieces) if over is None else over(left_over, pieces))
        states = [fit[0] for fit in fits]
        left, spare = sum(fit[1] for fit in fits), sum(fit[2] for fit in fits)
        if spare <= 0:
            break
        noise = float(np.clip(np.sqrt(left / spare), *_NOISE_RANGE_M))
    return noise


def left_over(skeleton: Skeleton, piece: tuple[PolishCase, State, PolishSettings]) -> LeftOver:
    """Somebody fitted from a state on under a known noise, the squares that are left over, and how many were spare."""
    case, state, settings = piece
    problem, noise_m = _problem(skeleton, case, settings), settings.noise_m
    points = problem.points[0]
    assert isinstance(points, PhotoPoints)
    assert noise_m is not None
    if not len(points.rows) or not len(problem.free) or not np.isfinite(problem.cost(state)):
        return state, 0.0, 0.0
    state, _, _ = minimise(problem, state, _NOISE_ITERATIONS, 1e-3)
    data = replace(problem, anchors=(), wall=0.0, prior=None)
    cost, _, curvature = data.normal(state)
    followed = np.trace(np.linalg.solve(problem.normal(state)[2], curvature))
    return state, 2 * cost * noise_m**2, 2 * len(points.rows) - followed


def _polish_one(skeleton: Skeleton, case: PolishCase, settings: PolishSettings) -> Polished:
    start, problem = state_of(case.params), _problem(skeleton, case, settings)
    before = problem.cost(start)
    if not len(problem.points[0].rows) or not len(problem.free) or not np.isfinite(before):
        return Polished(case.params, before, before, ())
    assert settings.noise_m is not None
    coarse = _problem(skeleton, case, replace(settings, noise_m=max(settings.noise_m, _COARSE_M)))
    state, cost, _ = minimise(coarse, start, settings.iterations, 1e-4)
    if settings.depth_sides and 0 not in case.fixed_joints:
        state, cost = _best_facing(coarse, start, state, cost, settings)
    flipped: tuple[str, ...] = ()
    if settings.depth_sides and settings.noise_m <= _SIDES_NOISE_M:
        state, cost, flipped = _best_sides(coarse, case, state, cost, settings)
    if settings.noise_m < _COARSE_M:
        state, cost, _ = minimise(problem, state, settings.iterations, 1e-4)
    if not cost <= before:
        return Polished(case.params, before, before, ())
    return Polished(_params(case, state), before, cost, flipped)


def _problem(skeleton: Skeleton, case: PolishCase, settings: PolishSettings) -> Problem:
    assert settings.noise_m is not None
    rows = np.flatnonzero((case.keypoints[:, 2] > 0) & skeleton.known & np.isfinite(case.keypoints).all(1))
    free = [3 * joint + axis for joint in _turning(case) for axis in range(3)]
    free += [] if case.fixed_betas else list(range(72, 82))
    free += [] if case.fixed_transl else [82, 83, 84]
    prior = state_of(case.prior)
    depth = max(float(prior.transl[2]), 0.3)
    weight = case.keypoints[rows, 2] / settings.noise_m**2
    robust_m = settings.robust * settings.noise_m
    points = PhotoPoints(rows, case.keypoints[rows, :2], weight, case.camera, depth, robust_m)
    place = settings.prior / np.array([0.1, 0.1, 0.07 * depth]) ** 2
    anchors = (
        Anchor(prior, settings.prior * ROTATION_WEIGHT, np.full(10, settings.prior), place, settings.tail),
        Anchor(replace(prior, betas=np.zeros(10)), np.zeros(24), np.full(10, settings.shape), np.zeros(3)),
    )
    return Problem(skeleton, np.array(free, dtype=np.int64), (points,), anchors, _WALL, PosePrior(settings.pose))


def _turning(case: PolishCase) -> list[int]:
    return sorted(set(range(24)) - case.fixed_joints)


def _best_facing(problem: Problem, start: State, state: State, cost: float, settings: PolishSettings):
    """The cheapest of a polished body and of those that begin turned round."""
    for turned in turned_round(start):
        trial, trial_cost, _ = minimise(problem, turned, _TRY_ITERATIONS, 1e-3)
        if trial_cost < cost + _TURN_HOPE:
            trial, trial_cost, _ = minimise(problem, trial, settings.iterations, 1e-4)
            if trial_cost < cost - _TURN_MARGIN:
                state, cost = trial, trial_cost
    return state, cost


def _best_sides(problem: Problem, case: PolishCase, state: State, cost: float, settings: PolishSettings):
    """Limb by limb, the depth sides of its bones with the lowest cost of everything."""
    flipped: list[str] = []
    for limb, joints in LIMBS.items():
        sides = DepthFlips(problem.skeleton, state, limb)
        if case.fixed_joints.intersection(joints) or not (sides.joints[:, 2] > 0).all():
            continue
        tries = []
        for flips in limb_flips(limb):
            start, places = sides.state(flips)
            if np.linalg.norm(places - sides.joints, axis=1)[sides.near].max() < _FLAT_M:
                continue
            trial, trial_cost, _ = minimise(problem, start, _TRY_ITERATIONS, 1e-3)
            tries.append((trial_cost, [name for name, _ in flips], trial))
        if not tries:
            continue
        trial_cost, names, trial = min(tries, key=lambda each: each[0])
        if trial_cost > cost + _HOPE:
            continue
        trial, trial_cost, _ = minimise(problem, trial, settings.iterations, 1e-3)
        if trial_cost < cost - settings.margin:
            state, cost = trial, trial_cost
            flipped += names
    return state, cost, tuple(flipped)


def _params(case: PolishCase, state: State) -> SmplParams:
    pose_rotvec, turning = np.array(case.params.pose_rotvec, dtype=np.float64), _turning(case)
    pose_rotvec[turning] = rotmat_to_rotvec(state.rotmat[turning])
    betas = case.params.betas if case.fixed_betas else state.betas
    transl = case.params.transl if case.fixed_transl else state.transl
    return replace(case.params, pose_rotvec=pose_rotvec, betas=betas, transl=transl)
