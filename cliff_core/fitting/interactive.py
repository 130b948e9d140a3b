"""The solver under the annotator's hand: aims in the photo or in space in, a body that follows out.

Two ways of use. *Dragging a keypoint*: all marked points are aims, the dragged one a hard one, and the whole body may
move; CLIFF's prediction pulls with a strength that `trust` says. *Dragging a joint*: only a limb moves (`chain_of`),
pins are hard aims, and a small pull towards the start keeps what the aims leave open at rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cliff_core.fitting.kinematics import Skeleton
from cliff_core.fitting.least_squares import Anchor, PhotoPoints, Problem, SpacePoints, State, minimise
from cliff_core.fitting.limits import BOXES, limited_joints
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import Camera, SmplParams
from cliff_core.skeletons import SMPL24, SMPL_PARENTS

HARD = 1000.0
"""Weight of an aim that must be reached: the point under the hand, a pin. Anything above ten counts as this."""

REACHED_PX = 1.0
REACHED_MM = 1.0

_HARD_FROM, _HARD_WEIGHT = 10.0, 1e4
_POINT_SIGMA_M = 0.015  # how exactly a person places a point
_TRUST_RANGE = 3.0  # the slider's ends weigh the prior a thousand times more, or less
_START_SHARE = 1e-3  # pull towards the start of a step, relative to the prior's
_LIMB_START_SHARE = 1e-2
_WALL = 1 / np.radians(3) ** 2
_EXTRA_ITERATIONS = 16
_ENOUGH = 1e-4  # share of the cost that a step must gain
_NUDGE = 0.25  # radians by which a straight limb is bent before another try

# How far the open CLIFF's predictions are off, radians about each axis: root mean square over people of the benchmark
# without pixels, from COCO-17 points with two pixels of noise.
_SIGMA = {
    "pelvis": 0.14, "hip": 0.19, "knee": 0.16, "ankle": 0.2, "foot": 0.05, "spine1": 0.1, "spine2": 0.07,
    "spine3": 0.08, "neck": 0.13, "head": 0.15, "collar": 0.07, "shoulder": 0.38, "elbow": 0.24, "wrist": 0.35,
    "hand": 0.05,
}  # fmt: skip
ROTATION_WEIGHT = np.array([_SIGMA[name.removeprefix("left_").removeprefix("right_")] ** -2 for name in SMPL24.names])
"""(24,) weights of a turn away from a prediction, per square radian."""
_TRANSL_SIGMA_M, _DEPTH_SIGMA = 0.05, 0.1  # sideways in metres, in depth as a share of it
_HINGES = (4, 5, 18, 19)


@dataclass(frozen=True, slots=True)
class Aim:
    """What the hand and the photo want of one of the 47 points; one of the two places is given.

    Attributes:
        point: row among the 47 points of `Skeleton`.
        xy_px: where it should be in the photo.
        xyz_m: or where in the camera frame (a joint dragged in the side view, a pin).
        weight: 1 for a person's point, its confidence for a detection, `HARD` for what must be reached.
    """

    point: int
    xy_px: tuple[float, float] | None
    xyz_m: tuple[float, float, float] | None
    weight: float


@dataclass(frozen=True, slots=True)
class Solved:
    """A body after a solve, and how well it does.

    Attributes:
        params: the body.
        residual_px: (47,) distance from the wanted place in the photo, NaN where none was wanted.
        residual_mm: (47,) the same in space.
        stretched: a hard aim could not be reached.
        limited: joints that lean against their limits.
        iterations: linear systems solved.
    """

    params: SmplParams
    residual_px: np.ndarray
    residual_mm: np.ndarray
    stretched: bool
    limited: tuple[int, ...]
    iterations: int


_ARM = ("collar", "shoulder", "elbow", "wrist")
_LEG = ("hip", "knee", "ankle")
_MIDDLE_CHAINS = {
    "pelvis": ("pelvis",),
    "hip": ("pelvis",),
    "spine1": ("pelvis",),
    "spine2": ("spine1",),
    "spine3": ("spine1", "spine2"),
    "neck": ("spine1", "spine2", "spine3"),
    "collar": ("spine1", "spine2", "spine3"),
    "head": ("spine2", "spine3", "neck"),
}


def chain_of(joint: int) -> frozenset[int]:
    """The joints that turn when a joint is dragged: a wrist moves collar, shoulder and elbow, an ankle hip and knee.

    Args:
        joint: SMPL joint 0 to 23.
    """
    side, _, part = SMPL24.names[joint].rpartition("_")
    prefix = f"{side}_" if side else ""
    limb = _ARM if part in (*_ARM, "hand") else _LEG
    if part in _MIDDLE_CHAINS:
        names: Iterable[str] = _MIDDLE_CHAINS[part]
    elif part in ("hand", "foot"):
        names = [prefix + name for name in limb]
    else:
        names = [prefix + name for name in limb[: limb.index(part)]]
    return frozenset(SMPL24.index(name) for name in names)


class InteractiveSolver:
    """Moves one body while a hand drags; made once per drag, asked once per mouse event.

    Args:
        skeleton: of the body.
        camera: of the photo.
        prior: CLIFF's prediction.
        trust: 0 = the prior counts, 1 = only the points.
        locked: joints that keep their rotation, to the digit.
        fix_betas: keep the shape, to the digit.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        camera: Camera,
        prior: SmplParams,
        *,
        trust: float = 0.5,
        locked: frozenset[int] = frozenset(),
        fix_betas: bool = True,
    ):
        self.skeleton, self.camera, self.prior = skeleton, camera, prior
        self.trust, self.locked, self.fix_betas = trust, locked, fix_betas
        self._prior = state_of(prior)

    def solve(
        self,
        start: SmplParams,
        aims: Sequence[Aim],
        *,
        movable: frozenset[int] | None = None,
        iterations: int = 6,
        move_transl: bool | None = None,
    ) -> Solved:
        """Let the body follow.

        Args:
            start: the body now; the last answer while a drag goes on.
            aims: what is wanted; points that the body does not know are passed over.
            movable: joints that may turn (`chain_of`), or `None` for all of them and the pull of the prior.
            iterations: usual number of steps; a few more are taken while a hard aim is not reached.
            move_transl: let the body travel; by default when it may turn as a whole.

        Returns:
            The body with the lowest cost found; never an error, however impossible the aims.
        """
        aims = [aim for aim in aims if self.skeleton.known[aim.point] and aim.weight > 0]
        if move_transl is None:
            move_transl = movable is None or 0 in movable
        turning = (frozenset(range(24)) if movable is None else movable) - self.locked
        state = state_of(start)
        free = [3 * joint + axis for joint in sorted(turning) for axis in range(3)]
        free += [] if self.fix_betas else list(range(72, 82))
        free += [82, 83, 84] if move_transl else []
        problem = self._problem(state, aims, np.array(free, dtype=np.int64), movable is not None)
        hard = [aim for aim in aims if aim.weight > _HARD_FROM]
        found, used = state, 0
        if aims and free:
            found, cost, used = minimise(problem, state, iterations)
            if hard and not self._reached(found, hard):
                found, more = self._try_on(problem, found, cost, hard, turning)
                used += more
        params = self._params(start, found, turning, move_transl)
        return self._judge(params, aims, turning, used)

    def _problem(self, start: State, aims, free, is_limb: bool) -> Problem:
        depth = max(float(start.transl[2]), 0.3)
        pull = 10 ** (_TRUST_RANGE * (1 - 2 * min(max(self.trust, 0.0), 1.0)))
        hard = _HARD_WEIGHT * max(pull, 1.0)  # met against the stiffest prior too
        weights = np.array([hard if aim.weight > _HARD_FROM else aim.weight for aim in aims]) / _POINT_SIGMA_M**2
        terms: list[PhotoPoints | SpacePoints] = []
        flat = [index for index, aim in enumerate(aims) if aim.xy_px is not None]
        if flat:
            rows, where = [aims[i].point for i in flat], [aims[i].xy_px for i in flat]
            terms.append(PhotoPoints(np.array(rows), np.array(where, dtype=float), weights[flat], self.camera, depth))
        deep = [index for index, aim in enumerate(aims) if aim.xy_px is None and aim.xyz_m is not None]
        if deep:
            rows, place = [aims[i].point for i in deep], [aims[i].xyz_m for i in deep]
            terms.append(SpacePoints(np.array(rows), np.array(place, dtype=float), weights[deep]))
        travel = np.array([_TRANSL_SIGMA_M, _TRANSL_SIGMA_M, _DEPTH_SIGMA * depth]) ** -2.0
        if is_limb:
            turn = ROTATION_WEIGHT * _LIMB_START_SHARE
            turn[0] *= 100  # a drag of a limb turns the whole body last
            anchors = [Anchor(start, turn, np.full(10, _LIMB_START_SHARE), travel * _LIMB_START_SHARE)]
        else:
            anchors = [
                Anchor(self._prior, pull * ROTATION_WEIGHT, np.full(10, pull), pull * travel),
                Anchor(start, _START_SHARE * ROTATION_WEIGHT, np.full(10, _START_SHARE), _START_SHARE * travel),
            ]
        return Problem(self.skeleton, free, tuple(terms), tuple(anchors), _WALL)

    def _try_on(self, problem: Problem, found: State, cost: float, hard, turning) -> tuple[State, int]:
        """More steps where the first were not enough; then from bent limbs, since a straight one cannot shorten."""

        def reached(state):
            return self._reached(state, hard)

        found, cost, used = minimise(problem, found, _EXTRA_ITERATIONS, _ENOUGH, reached)
        hinges = [joint for joint in _HINGES if joint in turning]
        if reached(found) or not hinges:
            return found, used
        step = np.zeros((24, 3))
        for joint in hinges:
            middle = BOXES[joint].mean(axis=1)
            step[joint] = _NUDGE * middle / np.linalg.norm(middle)
        bent = found.moved(np.concatenate([step.reshape(-1), np.zeros(13)]))
        bent, bent_cost, more = minimise(problem, bent, _EXTRA_ITERATIONS, _ENOUGH, reached)
        return (bent if bent_cost < cost else found), used + more

    def _reached(self, state: State, hard) -> bool:
        points = self.skeleton.points(state.rotmat, state.betas, state.transl)
        return all(
            (px if aim.xy_px is not None else mm) <= 0.5 * (REACHED_PX if aim.xy_px is not None else REACHED_MM)
            for aim, (px, mm) in zip(hard, self._residuals(points, hard), strict=True)
        )

    def _residuals(self, points, aims) -> list[tuple[float, float]]:
        """Distance in pixels and in millimetres of each aim; NaN for the one it does not ask for."""
        results = []
        for aim in aims:
            x, y, z = points[aim.point]
            if aim.xy_px is not None:
                gain, centre = self.camera.focal_length_px / max(z, 1e-3), self.camera.centre_px
                px = float(np.hypot(x * gain + centre[0] - aim.xy_px[0], y * gain + centre[1] - aim.xy_px[1]))
                results.append((px, np.nan))
            elif aim.xyz_m is not None:
                results.append((np.nan, 1000 * float(np.linalg.norm(points[aim.point] - aim.xyz_m))))
            else:
                results.append((np.nan, np.nan))
        return results

    def _params(self, start: SmplParams, found: State, turning, move_transl) -> SmplParams:
        """The solution as a record; what was not free is the start's, to the digit."""
        pose_rotvec = np.array(start.pose_rotvec, dtype=np.float64)
        rows = sorted(turning)
        if rows:
            pose_rotvec[rows] = rotmat_to_rotvec(found.rotmat[rows])
        betas = start.betas if self.fix_betas else found.betas
        return replace(
            start, pose_rotvec=pose_rotvec, betas=betas, transl=found.transl if move_transl else start.transl
        )

    def _judge(self, params: SmplParams, aims, turning, used: int) -> Solved:
        points = self.skeleton.points(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl)
        residual_px, residual_mm = np.full(Skeleton.POINTS, np.nan), np.full(Skeleton.POINTS, np.nan)
        stretched = False
        for aim, (px, mm) in zip(aims, self._residuals(points, aims), strict=True):
            residual_px[aim.point] = px if aim.xy_px is not None else residual_px[aim.point]
            residual_mm[aim.point] = mm if aim.xy_px is None else residual_mm[aim.point]
            if aim.weight > _HARD_FROM:
                stretched |= px > REACHED_PX or mm > REACHED_MM
        limited = tuple(joint for joint in limited_joints(params.pose_rotvec) if joint in turning)
        return Solved(params, residual_px, residual_mm, stretched, limited, used)


def state_of(params: SmplParams) -> State:
    """A record as a solver moves it; arrays are copied."""
    return State(
        rotvec_to_rotmat(params.pose_rotvec),
        np.array(params.betas, dtype=np.float64),
        np.array(params.transl, dtype=np.float64),
    )


def descendants(joint: int) -> frozenset[int]:
    """A joint and all that hang on it."""
    found = {joint}
    for child in range(joint + 1, 24):
        if SMPL_PARENTS[child] in found:
            found.add(child)
    return frozenset(found)
