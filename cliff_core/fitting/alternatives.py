"""Depth alternatives: the other poses of a limb with the same picture.

A bone of known length whose end lies on a known ray through the camera leaves two depths for that end: towards the
camera or away from it (Taylor 2000; KITRO, Yang et al. 2024). So a limb of two bones has four poses with the same 2D
joints, and a person hundreds. Here each is built joint by joint on the rays, given the twist that suits elbows and
knees best, solved briefly under limits and pose prior with the joints held on their pixels, and ranked by plausibility.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from cliff_core.errors import GeometryError
from cliff_core.fitting.editing import LIMBS, between
from cliff_core.fitting.interactive import ROTATION_WEIGHT, state_of
from cliff_core.fitting.kinematics import FIRST_JOINT, Skeleton
from cliff_core.fitting.least_squares import Anchor, PhotoPoints, Problem, SpacePoints, State, minimise
from cliff_core.fitting.limits import wall_cost
from cliff_core.fitting.manifold import rotvec_and_slope
from cliff_core.fitting.plausibility import PosePrior
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import Camera, SmplParams
from cliff_core.skeletons import SMPL24, SMPL_PARENTS

LARGEST_ERROR_PX = 1.0
"""An alternative whose joints leave their pixels by more is none."""

_SAME_M = 0.04  # alternatives whose joints differ by less everywhere are one
_TWISTS = np.linspace(-np.pi, np.pi, 16, endpoint=False)
_WALL = 1 / np.radians(3) ** 2
_J = {name: joint for joint, name in enumerate(SMPL24.names)}
_BONES = {"elbow": "upper arm", "wrist": "forearm", "knee": "thigh", "ankle": "shin"}
_TRUNK = {
    "trunk": ("spine1", "spine2", "spine3", "neck", "head"),
    "shoulders": ("left_collar", "right_collar", "left_shoulder", "right_shoulder"),
    "hips": ("left_hip", "right_hip"),
}


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
    finder = _Finder(skeleton, camera, start, joints, limb)
    found = [Alternative(params, (), _score(start), "as it is")]
    places = [joints]
    for flips in _candidates(limb):
        solved = finder.solve([joint for _, group in flips for joint in group])
        if solved is None:
            continue
        state, there = solved
        if any(np.linalg.norm(there - other, axis=1)[finder.near].max() < _SAME_M for other in places):
            continue
        places.append(there)
        pose_rotvec = np.array(params.pose_rotvec, dtype=np.float64)
        pose_rotvec[finder.turning] = rotmat_to_rotvec(state.rotmat[finder.turning])
        moved = replace(params, pose_rotvec=pose_rotvec, transl=state.transl if finder.is_whole else params.transl)
        words = ", ".join(_words(name, group, there) for name, group in flips)
        found.append(Alternative(moved, tuple(name for name, _ in flips), _score(state), words))
    return [found[0], *sorted(found[1:], key=lambda one: one.score)][:limit]


def _candidates(limb: str) -> Iterable[tuple[tuple[str, tuple[int, ...]], ...]]:
    """Sets of bones to turn to the other side: (name, joints at the far ends) each."""
    if limb in LIMBS:
        bones = _bones(limb)
        return [flips for count in (1, 2) for flips in combinations(bones, count)]
    trunk = [(name, tuple(_J[joint] for joint in joints)) for name, joints in _TRUNK.items()]
    parts = [flips for count in (1, 2, 3) for flips in combinations(trunk, count)]
    if limb == "torso":
        return parts
    if limb != "whole":
        raise GeometryError(f"no limb {limb!r}; take one of {', '.join(LIMBS)}, torso, whole")
    limbs = [bones for name in LIMBS if (bones := _bones(name))]
    everything = (("everything", tuple(range(1, 24))),)
    singles = [(bone,) for bones in limbs for bone in bones]
    arms, legs = (tuple(limbs[side] + limbs[side + 1]) for side in (0, 2))
    return [everything, parts[0], parts[-1], *singles, *(tuple(bones) for bones in limbs), arms, legs]


def _bones(limb: str) -> list[tuple[str, tuple[int, ...]]]:
    side, _, _ = limb.partition("_")
    return [
        (f"{side} {_BONES[part]}", (joint,))
        for joint in LIMBS[limb]
        if (part := SMPL24.names[joint].partition("_")[2]) in _BONES
    ]


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
    return float(prior.relative(prior.nats(rotvec[None]) + _WALL * wall_cost(rotvec))[0])


class _Finder:
    """Builds and solves alternatives of one pose."""

    def __init__(self, skeleton: Skeleton, camera: Camera, start: State, joints: np.ndarray, limb: str):
        self.skeleton, self.camera, self.start, self.joints = skeleton, camera, start, joints
        self.is_whole = limb not in LIMBS
        self.rest = skeleton.shaped(start.betas).rest_joints
        self.pixels = joints[:, :2] / joints[:, 2:] * camera.focal_length_px + camera.centre_px
        self.prior = PosePrior(weight=0.1)
        _, self.rotations = skeleton.body.forward_kinematics(start.rotmat, start.betas)
        if self.is_whole:
            self.turning = list(range(24))
            self.seen = np.arange(24)
        else:
            # collars stay: the limb hangs on its first movable joint
            chain = [joint for joint in LIMBS[limb] if "collar" not in SMPL24.names[joint]]
            self.turning, self.seen = chain[:-1], np.array(chain[1:])
        self.near = self.seen if self.is_whole else self.seen[:-1]  # hands and feet go where it suits the limb
        free = [3 * joint + axis for joint in self.turning for axis in range(3)]
        self.free = np.array(free + ([82, 83, 84] if self.is_whole else []))

    def solve(self, flipped: list[int]) -> tuple[State, np.ndarray] | None:
        """The pose with these joints on the other side of their parents; `None` where there is none."""
        places = self._places(flipped)
        state = self._posed(places)
        limbs = LIMBS if self.is_whole else [limb for limb, joints in LIMBS.items() if self.turning[0] in joints]
        for limb in limbs:
            chain = [joint for joint in LIMBS[limb] if "collar" not in SMPL24.names[joint]]
            if np.abs(places - self.joints)[chain[1:]].max() > 1e-6:
                state = self._with_best_twist(state, chain, places)
        state = self._settled(state, places)
        there = self.skeleton.points(state.rotmat, state.betas, state.transl)[FIRST_JOINT:]
        pixels = there[:, :2] / there[:, 2:] * self.camera.focal_length_px + self.camera.centre_px
        error = np.linalg.norm(pixels - self.pixels, axis=1)[self.seen].max()
        if error > LARGEST_ERROR_PX or not (there[:, 2] > 0).all():
            return None
        slid = np.linalg.norm(there - places, axis=1)[self.near].max() > _SAME_M
        return None if slid and not self.is_whole else (state, there)

    def _places(self, flipped: list[int]) -> np.ndarray:
        """(24, 3) joints on their rays with their bones' lengths, some on the other side of their parent."""
        places = self.joints.copy()
        for joint in range(1, 24):
            parent = SMPL_PARENTS[joint]
            if joint not in flipped and np.array_equal(places[parent], self.joints[parent]):
                continue
            ray = self.joints[joint] / np.linalg.norm(self.joints[joint])
            length = np.linalg.norm(self.joints[joint] - self.joints[parent])
            side = np.sign(ray @ (self.joints[joint] - self.joints[parent])) or 1.0
            if joint in flipped:
                side = -side
            middle = ray @ places[parent]  # the ray's point nearest to the parent
            half = np.sqrt(max(middle**2 - places[parent] @ places[parent] + length**2, 0.0))
            places[joint] = (middle + side * half) * ray
        return places

    def _posed(self, places: np.ndarray) -> State:
        """Rotations that bring bones to these places by the shortest turns, parent by parent."""
        rotations = self.rotations.copy()
        for joint in self.turning:
            children = np.flatnonzero(joint == SMPL_PARENTS)
            if len(children):
                old = self.joints[children] - self.joints[joint]
                new = places[children] - places[joint]
                rotations[joint] = _turn(old, new) @ self.rotations[joint]
        return self._local(rotations, places)

    def _local(self, rotations: np.ndarray, places: np.ndarray) -> State:
        rotmat = self.start.rotmat.copy()
        for joint in self.turning:
            parent = SMPL_PARENTS[joint]
            rotmat[joint] = rotations[joint] if parent < 0 else rotations[parent].T @ rotations[joint]
        transl = places[0] - self.rest[0] if self.is_whole else self.start.transl
        return State(rotmat, self.start.betas, transl)

    def _with_best_twist(self, state: State, chain: list[int], places: np.ndarray) -> State:
        """Of the twists of the first bone, and the sides of the hand or foot, those that limits and prior like best."""
        first, second, third, tip = chain
        _, rotations = self.skeleton.body.forward_kinematics(state.rotmat, state.betas)
        along = self.rest[second] - self.rest[first]
        twists = rotvec_to_rotmat(_TWISTS[:, None] * along / np.linalg.norm(along))
        tries = []
        for end in {tuple(self._places_of_tip(places, third, tip, side)) for side in (-1.0, 1.0)}:
            for twist in twists:
                upper = rotations[first] @ twist
                middle = _aimed(upper, self.rest[third] - self.rest[second], places[third] - places[second])
                lower = _aimed(middle, self.rest[tip] - self.rest[third], np.array(end) - places[third])
                rotmat = state.rotmat.copy()
                rotmat[first] = rotations[SMPL_PARENTS[first]].T @ upper
                rotmat[second], rotmat[third] = upper.T @ middle, middle.T @ lower
                tries.append(rotmat)
        rotvecs = rotvec_and_slope(np.concatenate(tries))[0].reshape(-1, 24, 3)
        costs = self.prior.nats(rotvecs) + [_WALL * wall_cost(rotvec) for rotvec in rotvecs]
        return State(tries[int(np.argmin(costs))], state.betas, state.transl)

    def _places_of_tip(self, places, third, tip, side):
        """Where hand or foot may be on its ray."""
        ray = self.joints[tip] / np.linalg.norm(self.joints[tip])
        length = np.linalg.norm(self.joints[tip] - self.joints[third])
        middle = ray @ places[third]
        half = np.sqrt(max(middle**2 - places[third] @ places[third] + length**2, 0.0))
        return (middle + side * half) * ray

    def _settled(self, state: State, places: np.ndarray) -> State:
        """A short solve: near these places first, then with the joints on their pixels."""
        anchor = (Anchor(state, 0.02 * ROTATION_WEIGHT, np.zeros(10), np.full(3, 1.0)),)
        depth = float(self.joints[0, 2])
        rows = FIRST_JOINT + self.seen
        pixels = PhotoPoints(rows, self.pixels[self.seen], np.full(len(rows), 1 / 0.001**2), self.camera, depth)
        if self.is_whole:
            held = SpacePoints(rows, places, np.full(len(rows), 1 / 0.01**2))
            state = minimise(Problem(self.skeleton, self.free, (held,), anchor, _WALL, self.prior), state, 12)[0]
        problem = Problem(self.skeleton, self.free, (pixels,), anchor, _WALL, self.prior)
        state = minimise(problem, state, 20)[0]
        exact = replace(pixels, weight=pixels.weight * 100)
        return minimise(replace(problem, points=(exact,)), state, 10)[0]


def _aimed(parent: np.ndarray, rest_bone: np.ndarray, bone: np.ndarray) -> np.ndarray:
    """(3, 3) global rotation that swings a rest bone from its parent's frame into a direction, without twist."""
    wanted = parent.T @ bone
    return parent @ between(rest_bone / np.linalg.norm(rest_bone), wanted / np.linalg.norm(wanted))


def _turn(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of bones (N, 3) to where they should be: the shortest for one, the best fit for several."""
    if len(old) == 1:
        return between(old[0] / np.linalg.norm(old[0]), new[0] / np.linalg.norm(new[0]))
    u, _, v = np.linalg.svd(new.T @ old)
    u[:, 2] *= np.sign(np.linalg.det(u @ v))
    return u @ v
