"""Depth alternatives: the other poses of a limb with the same picture.

A limb of two bones has four poses with the same 2D joints, since each bone may point towards the camera or away from
it, and a person has hundreds. Here each is built from the two depths of its bones (`depth_flips`), solved briefly under
limits and pose prior with the joints held on their pixels, and ranked by plausibility.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cliff_core.errors import GeometryError
from cliff_core.fitting.depth_flips import WALL, DepthFlips, Flip, limb_flips, trunk_flips, whole_flips
from cliff_core.fitting.editing import LIMBS
from cliff_core.fitting.interactive import ROTATION_WEIGHT, state_of
from cliff_core.fitting.kinematics import FIRST_JOINT, Skeleton
from cliff_core.fitting.least_squares import Anchor, PhotoPoints, Problem, SpacePoints, State, minimise
from cliff_core.fitting.limits import wall_cost
from cliff_core.fitting.manifold import rotvec_and_slope
from cliff_core.fitting.plausibility import PosePrior
from cliff_core.geometry.rotations import rotmat_to_rotvec
from cliff_core.records import Camera, SmplParams
from cliff_core.skeletons import SMPL24, SMPL_PARENTS

LARGEST_ERROR_PX = 1.0
"""An alternative whose joints leave their pixels by more is none."""

_SAME_M = 0.04  # alternatives whose joints differ by less everywhere are one
_J = {name: joint for joint, name in enumerate(SMPL24.names)}


@dataclass(frozen=True, slots=True)
class Alternative:
    """A pose with the same picture.

    Attributes:
        params: the body.
        flipped: what lies on the other side in depth ("left forearm", "trunk", ...); empty for the pose as it was.
        score: plausibility on the scale of `plausibility.score`, broken limits included; lower is better.
        words: what a person reads under the small picture.
    """

    params: SmplParams
    flipped: tuple[str, ...]
    score: float
    words: str


def depth_alternatives(
    skeleton: Skeleton, camera: Camera, params: SmplParams, limb: str, limit: int = 8
) -> list[Alternative]:
    """The poses of a limb, or of the trunk or the whole body, that look the same in the photo.

    Args:
        skeleton: of the body.
        camera: of the photo.
        params: the pose now.
        limb: "left_arm", "right_arm", "left_leg", "right_leg", "torso" or "whole".
        limit: at most so many, the present one included.

    Returns:
        The present pose first, unchanged, then the others, the most plausible first. Joints of the limb stay within a
        pixel of where they are; joints outside the limb do not move (for "torso" and "whole" all stay on their pixels).

    Raises:
        GeometryError: no such limb, or joints at or behind the camera.
    """
    start = state_of(params)
    joints = skeleton.points(start.rotmat, start.betas, start.transl)[FIRST_JOINT:]
    if not (joints[:, 2] > 0).all():
        raise GeometryError(f"depth {joints[:, 2].min():g} m is not in front of the camera; move the body forward")
    candidates = _candidates(limb)
    finder = _Finder(skeleton, camera, start, limb)
    found = [Alternative(params, (), _score(start), "as it is")]
    places = [joints]
    for flips in candidates:
        solved = finder.solve(flips)
        if solved is None:
            continue
        state, there = solved
        if any(np.linalg.norm(there - other, axis=1)[finder.flips.near].max() < _SAME_M for other in places):
            continue
        places.append(there)
        pose_rotvec = np.array(params.pose_rotvec, dtype=np.float64)
        pose_rotvec[finder.flips.turning] = rotmat_to_rotvec(state.rotmat[finder.flips.turning])
        moved = replace(
            params, pose_rotvec=pose_rotvec, transl=state.transl if finder.flips.is_whole else params.transl
        )
        words = ", ".join(_words(name, group, there) for name, group in flips)
        found.append(Alternative(moved, tuple(name for name, _ in flips), _score(state), words))
    return [found[0], *sorted(found[1:], key=lambda one: one.score)][:limit]


def _candidates(limb: str) -> list[tuple[Flip, ...]]:
    if limb in LIMBS:
        return limb_flips(limb)
    if limb == "torso":
        return trunk_flips()
    if limb == "whole":
        return whole_flips()
    raise GeometryError(f"no limb {limb!r}; take one of {', '.join(LIMBS)}, torso, whole")


def _words(name: str, group: tuple[int, ...], joints: np.ndarray) -> str:
    """Which way a bone points now, as an annotator would say it."""
    if name == "everything":
        return "everything the other way round in depth"
    if name in ("shoulders", "hips"):
        left, right = (joints[_J[f"{side}_{name.removesuffix('s')}"]] for side in ("left", "right"))
        return f"{'left' if left[2] < right[2] else 'right'} {name.removesuffix('s')} nearer to you"
    if name == "trunk":
        end, start = joints[_J["neck"]], joints[0]
    else:
        end, start = joints[group[0]], joints[SMPL_PARENTS[group[0]]]
    return f"{name} {'towards' if (end - start) @ (end + start) < 0 else 'away from'} you"


def _score(state: State) -> float:
    rotvec, _ = rotvec_and_slope(state.rotmat)
    prior = PosePrior()
    return float(prior.relative(prior.nats(rotvec[None]) + WALL * wall_cost(rotvec))[0])


class _Finder:
    """Builds alternatives of one pose and settles them on the picture."""

    def __init__(self, skeleton: Skeleton, camera: Camera, start: State, limb: str):
        self.skeleton, self.camera, self.flips = skeleton, camera, DepthFlips(skeleton, start, limb)
        self.pixels = self._pixels(self.flips.joints)
        free = [3 * joint + axis for joint in self.flips.turning for axis in range(3)]
        self.free = np.array(free + ([82, 83, 84] if self.flips.is_whole else []))

    def solve(self, flips: tuple[Flip, ...]) -> tuple[State, np.ndarray] | None:
        """The pose with these bones on their other side and its joints; `None` where there is none."""
        state, places = self.flips.state(flips)
        state = self._settled(state, places)
        there = self.skeleton.points(state.rotmat, state.betas, state.transl)[FIRST_JOINT:]
        error = np.linalg.norm(self._pixels(there) - self.pixels, axis=1)[self.flips.seen].max()
        if error > LARGEST_ERROR_PX or not (there[:, 2] > 0).all():
            return None
        slid = np.linalg.norm(there - places, axis=1)[self.flips.near].max() > _SAME_M
        return None if slid and not self.flips.is_whole else (state, there)

    def _pixels(self, joints: np.ndarray) -> np.ndarray:
        return joints[:, :2] / joints[:, 2:] * self.camera.focal_length_px + self.camera.centre_px

    def _settled(self, state: State, places: np.ndarray) -> State:
        """A short solve: near these places first, then with the joints on their pixels."""
        seen, prior = self.flips.seen, PosePrior(weight=0.1)
        anchor = (Anchor(state, 0.02 * ROTATION_WEIGHT, np.zeros(10), np.full(3, 1.0)),)
        rows, depth = FIRST_JOINT + seen, float(places[0, 2])
        pixels = PhotoPoints(rows, self.pixels[seen], np.full(len(rows), 1 / 0.001**2), self.camera, depth)
        if self.flips.is_whole:
            held = SpacePoints(rows, places, np.full(len(rows), 1 / 0.01**2))
            state = minimise(Problem(self.skeleton, self.free, (held,), anchor, WALL, prior), state, 12)[0]
        problem = Problem(self.skeleton, self.free, (pixels,), anchor, WALL, prior)
        state = minimise(problem, state, 20)[0]
        exact = replace(pixels, weight=pixels.weight * 100)
        return minimise(replace(problem, points=(exact,)), state, 10)[0]
