"""Damped least squares on bodies: the one loop behind dragging, depth alternatives and polish.

A problem is a sum of squares in 85 variables (24 rotation steps, ten betas, translation), of which some are free:
points that should be somewhere, anchors that hold the body near another one, joint limits, a pose prior. The loop is
Levenberg and Marquardt's with damping that follows the success of the steps: without it, or with a fixed one, a drag
does not converge. Rotations are moved by small right-multiplied turns, so no representation has a seam in its way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.linalg.lapack import dposv

from cliff_core.fitting import limits
from cliff_core.fitting.kinematics import BETAS, ROTATIONS, TRANSL, VARIABLES, Skeleton
from cliff_core.fitting.manifold import rotvec_and_slope, turned
from cliff_core.records import Camera

_NEAR_M = 0.05  # nearer points are projected as if they stood here: a step may pass the camera, an error may not
_LONGEST_TURN = 0.4  # radians of one joint in one step: beyond, the Jacobian tells little
_DAMPING_START, _DAMPING_MIN, _DAMPING_MAX, _DAMPING_CHANGE = 1e-2, 1e-5, 1e8, 8.0
_LOOSE, _STIFF = 0.03, 1e5  # damping takes no variable for looser (against the stiffest) or stiffer than this


@dataclass(frozen=True, slots=True)
class State:
    """A body on its way: rotations (24, 3, 3), betas (10,), transl (3,)."""

    rotmat: np.ndarray
    betas: np.ndarray
    transl: np.ndarray

    def moved(self, step: np.ndarray) -> State:
        """The state after a step (85,)."""
        return State(turned(self.rotmat, step[ROTATIONS].reshape(24, 3)), self.betas + step[BETAS],
                     self.transl + step[TRANSL])  # fmt: skip


@dataclass(frozen=True, slots=True)
class PhotoPoints:
    """Points that should appear somewhere in the photo.

    Attributes:
        rows: (N,) rows among the 47 points.
        xy_px: (N, 2) where.
        weight: (N,) of the squared error, per square metre at `depth_m`.
        camera: the photo's camera.
        depth_m: pixels count as metres at this distance, so that near and far people are solved alike.
        robust_m: errors beyond this many metres count less and less (Geman and McClure); `None` for plain squares.
    """

    rows: np.ndarray
    xy_px: np.ndarray
    weight: np.ndarray
    camera: Camera
    depth_m: float
    robust_m: float | None = None

    def errors_px(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) projected minus wanted."""
        return self._project(points)[0] - self.xy_px

    def cost(self, points: np.ndarray) -> float:
        """Half the weighted sum of squares."""
        error = self.errors_px(points) * (self.depth_m / self.camera.focal_length_px)
        square = (error * error).sum(1)
        if self.robust_m is not None:
            square = square / (1 + square / self.robust_m**2)
        return 0.5 * float(self.weight @ square)

    def rows_of(self, points: np.ndarray, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted errors (2N,) and their derivatives (2N, n) from those of the points (47, 3, n)."""
        pixels, depth, near = self._project(points)
        scale = self.depth_m / self.camera.focal_length_px
        error = (pixels - self.xy_px) * scale
        weight = self.weight
        if self.robust_m is not None:
            weight = weight / (1 + (error * error).sum(1) / self.robust_m**2) ** 2
        root = np.sqrt(weight)
        gain = (root * (self.depth_m / depth))[:, None]
        moved = jacobian[self.rows]
        across = (pixels - self.camera.centre_px) / self.camera.focal_length_px * ~near[:, None]
        slope = gain[:, :, None] * (moved[:, :2] - across[:, :, None] * moved[:, 2:])
        return (root[:, None] * error).reshape(-1), slope.reshape(-1, jacobian.shape[-1])

    def _project(self, points):
        chosen = points[self.rows]
        near = chosen[:, 2] < _NEAR_M
        depth = np.where(near, _NEAR_M, chosen[:, 2])
        return chosen[:, :2] * (self.camera.focal_length_px / depth)[:, None] + self.camera.centre_px, depth, near


@dataclass(frozen=True, slots=True)
class SpacePoints:
    """Points that should stand somewhere in the camera frame: rows (N,), xyz_m (N, 3), weight (N,) per square metre."""

    rows: np.ndarray
    xyz_m: np.ndarray
    weight: np.ndarray

    def cost(self, points: np.ndarray) -> float:
        """Half the weighted sum of squares."""
        error = points[self.rows] - self.xyz_m
        return 0.5 * float(self.weight @ (error * error).sum(1))

    def rows_of(self, points: np.ndarray, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted errors (3N,) and their derivatives (3N, n)."""
        root = np.sqrt(self.weight)
        error = root[:, None] * (points[self.rows] - self.xyz_m)
        return error.reshape(-1), (root[:, None, None] * jacobian[self.rows]).reshape(-1, jacobian.shape[-1])


@dataclass(frozen=True, slots=True)
class Anchor:
    """Another body to stay near.

    A turn by t costs weight (1 - cos t): weight t^2 / 2 for small turns, and no seam at half a turn.

    Attributes:
        state: that body.
        rotations: (24,) weights per square radian.
        betas: (10,) and transl: (3,) weights per unit and per square metre.
        tail: a joint's cost c counts as tail log(1 + c / tail), so that one that is far off anyway costs little more
            (Student's t: a prediction is mostly near, and sometimes on the wrong side); infinite for plain squares.
    """

    state: State
    rotations: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    tail: float = np.inf

    def cost(self, state: State) -> float:
        """The cost at a state."""
        turns = self._turns(state)
        if np.isfinite(self.tail):
            turns = self.tail * np.log1p(turns / self.tail)
        shape, place = state.betas - self.state.betas, state.transl - self.state.transl
        return float(turns.sum()) + 0.5 * float(self.betas @ shape**2 + self.transl @ place**2)

    def _turns(self, state: State) -> np.ndarray:
        return 0.5 * self.rotations * (3 - np.einsum("jab,jab->j", self.state.rotmat, state.rotmat))

    def add_to(self, state: State, gradient: np.ndarray, curvature: np.ndarray) -> float:
        """Add gradient (85,) and the diagonal of the curvature (85,) in place; returns the cost."""
        between = np.swapaxes(state.rotmat, 1, 2) @ self.state.rotmat
        skew = between - np.swapaxes(between, 1, 2)
        vee = np.stack([skew[:, 1, 2], skew[:, 2, 0], skew[:, 0, 1]], axis=1)
        weights = self.rotations / (1 + self._turns(state) / self.tail)
        gradient[ROTATIONS] += (0.5 * weights[:, None] * vee).reshape(-1)
        gradient[BETAS] += self.betas * (state.betas - self.state.betas)
        gradient[TRANSL] += self.transl * (state.transl - self.state.transl)
        curvature[ROTATIONS] += np.repeat(weights, 3)
        curvature[BETAS] += self.betas
        curvature[TRANSL] += self.transl
        return self.cost(state)


class PosePrior(Protocol):
    """A cost on rotation vectors (24, 3), such as `plausibility.PosePrior`."""

    def cost(self, rotvec: np.ndarray) -> float:
        """The cost."""

    def normal(self, rotvec: np.ndarray, slope: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Cost, gradient (72,) and curvature (72, 72) by rotation steps."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a body should agree with, and which of its variables may move for it.

    Attributes:
        skeleton: of the body.
        free: (n,) indices of the free ones among the 85 variables.
        points: points wanted in the photo or in space.
        anchors: bodies to stay near.
        wall: weight of the joint limits per square radian.
        prior: a pose prior, its weight included.
    """

    skeleton: Skeleton
    free: np.ndarray
    points: tuple[PhotoPoints | SpacePoints, ...]
    anchors: tuple[Anchor, ...] = ()
    wall: float = 0.0
    prior: PosePrior | None = field(default=None)

    def cost(self, state: State) -> float:
        """Half the sum of squares at a state."""
        points = self.skeleton.points(state.rotmat, state.betas, state.transl)
        cost = sum(term.cost(points) for term in self.points) + sum(anchor.cost(state) for anchor in self.anchors)
        if self.wall or self.prior is not None:
            rotvec, _ = rotvec_and_slope(state.rotmat)
            cost += self.wall * limits.wall_cost(rotvec)
            cost += self.prior.cost(rotvec) if self.prior is not None else 0.0
        return cost

    def normal(self, state: State) -> tuple[float, np.ndarray, np.ndarray]:
        """Cost, gradient (n,) and Gauss-Newton matrix (n, n) in the free variables."""
        points, jacobian = self.skeleton.points_and_jacobian(state.rotmat, state.betas, state.transl)
        jacobian = jacobian[:, :, self.free]
        gradient, diagonal, matrix = np.zeros(VARIABLES), np.zeros(VARIABLES), np.zeros((VARIABLES, VARIABLES))
        cost = sum(anchor.add_to(state, gradient, diagonal) for anchor in self.anchors)
        if self.wall or self.prior is not None:
            rotvec, slope = rotvec_and_slope(state.rotmat)
            excess, slopes, blocks = limits.wall(rotvec, slope)
            cost += self.wall * excess
            gradient[ROTATIONS] += self.wall * slopes.reshape(-1)
            matrix[_BLOCK_ROWS, _BLOCK_COLUMNS] += self.wall * blocks
            if self.prior is not None:
                more, slopes, curvature = self.prior.normal(rotvec, slope)
                cost += more
                gradient[ROTATIONS] += slopes
                matrix[ROTATIONS, ROTATIONS] += curvature
        gradient, matrix = gradient[self.free], matrix[self.free[:, None], self.free]
        matrix[np.diag_indices(len(matrix))] += diagonal[self.free]
        for term in self.points:
            error, slope = term.rows_of(points, jacobian)
            cost += term.cost(points)
            gradient = gradient + error @ slope
            matrix = matrix + slope.T @ slope
        return cost, gradient, matrix


_BLOCK_ROWS = (3 * np.arange(24)[:, None, None] + np.arange(3)[:, None]) * np.ones((1, 1, 3), dtype=int)
_BLOCK_COLUMNS = (3 * np.arange(24)[:, None, None] + np.arange(3)[None, :]) * np.ones((1, 3, 1), dtype=int)


def minimise(
    problem: Problem, start: State, iterations: int, enough: float = 1e-5, stop: Callable[[State], bool] | None = None
) -> tuple[State, float, int]:
    """Move the free variables until the cost falls no more.

    Args:
        problem: what to agree with.
        start: where to begin; warm starts are what makes dragging quick.
        iterations: at most so many linear systems.
        enough: stop when a step lowers the cost by less than this share of it.
        stop: asked after every accepted step; true ends the search.

    Returns:
        The best state, its cost, and how many linear systems were solved.
    """
    state, damping, used = start, _DAMPING_START, 0
    if not len(problem.free):
        return state, problem.cost(state), used
    cost, gradient, matrix = problem.normal(state)
    while used < iterations:
        used += 1
        step, damping = _step(problem, gradient, matrix, damping)
        trial = state.moved(step)
        trial_cost = problem.cost(trial)
        if not trial_cost < cost:  # worse, or not a number
            damping *= _DAMPING_CHANGE
            if damping > _DAMPING_MAX or np.abs(step).max() < 1e-9:
                break
            continue
        fallen = cost - trial_cost
        state, damping = trial, max(damping / _DAMPING_CHANGE, _DAMPING_MIN)
        if fallen <= enough * cost or (stop is not None and stop(state)):
            return state, trial_cost, used
        if used < iterations:
            cost, gradient, matrix = problem.normal(state)
        else:
            cost = trial_cost
    return state, cost, used


def _step(problem: Problem, gradient: np.ndarray, matrix: np.ndarray, damping: float) -> tuple[np.ndarray, float]:
    """A step in all 85 variables that turns no joint too far, and the damping that this took.

    Damping is relative to each variable's own curvature, within bounds: what nothing holds would turn without end, and
    a hard aim must not brake the motions that leave it where it is. A step that is too long is damped, not shortened,
    because what holds the aims is then kept and what is loose gives way. Zero where nothing can be solved.
    """
    diagonal, scale = np.minimum(np.diag(matrix), _STIFF), np.empty(len(matrix))
    turning = problem.free < BETAS.start
    for kind in (turning, ~turning):
        scale[kind] = np.maximum(diagonal[kind], _LOOSE * diagonal[kind].max(initial=0.0) + 1e-12)
    step = np.zeros(VARIABLES)
    while damping <= _DAMPING_MAX:
        damped = matrix.copy()
        damped[np.diag_indices(len(damped))] += damping * scale
        _, solution, failed = dposv(damped, -gradient)
        if failed == 0 and np.abs(solution[turning]).max(initial=0.0) <= _LONGEST_TURN and np.isfinite(solution).all():
            step[problem.free] = solution
            break
        damping *= _DAMPING_CHANGE / 2
    return step, damping
