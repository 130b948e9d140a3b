"""The two depths of a bone: poses built joint by joint on the rays of a picture.

A bone of known length whose end lies on a known ray through the camera leaves two depths for that end, towards the
camera or away from it (Taylor 2000; KITRO, Yang et al. 2024). Chosen bones are laid on their other side here, what
hangs on them follows on its own rays, and rotations are found that bring the body there, with the twist that suits
elbows and knees best. The result is a start for a solver: near, and in the right valley.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from cliff_core.fitting.editing import LIMBS, between
from cliff_core.fitting.kinematics import FIRST_JOINT, Skeleton
from cliff_core.fitting.least_squares import State
from cliff_core.fitting.limits import wall_cost
from cliff_core.fitting.manifold import rotvec_and_slope
from cliff_core.fitting.plausibility import PosePrior
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.skeletons import SMPL24, SMPL_PARENTS

WALL = 1 / np.radians(3) ** 2
"""Weight of broken limits against the pose prior's nats."""

Flip = tuple[str, tuple[int, ...]]
"""What to lay on its other side: a name, and the joints at the far ends of its bones."""

_TWISTS = np.linspace(-np.pi, np.pi, 16, endpoint=False)
_J = {name: joint for joint, name in enumerate(SMPL24.names)}
_BONES = {"elbow": "upper arm", "wrist": "forearm", "knee": "thigh", "ankle": "shin"}
_TRUNK = {
    "trunk": ("spine1", "spine2", "spine3", "neck", "head"),
    "shoulders": ("left_collar", "right_collar", "left_shoulder", "right_shoulder"),
    "hips": ("left_hip", "right_hip"),
}


def limb_flips(limb: str) -> list[tuple[Flip, ...]]:
    """Sets of bones of a limb to lay on their other side: each bone, and both.

    Args:
        limb: a name of `LIMBS`.
    """
    bones = _bones(limb)
    return [flips for count in (1, 2) for flips in combinations(bones, count)]


def trunk_flips() -> list[tuple[Flip, ...]]:
    """The same for trunk, shoulders and hips, in all combinations."""
    trunk = [(name, tuple(_J[joint] for joint in joints)) for name, joints in _TRUNK.items()]
    return [flips for count in (1, 2, 3) for flips in combinations(trunk, count)]


def whole_flips() -> list[tuple[Flip, ...]]:
    """The same for a whole body: everything, the trunk, single bones, single limbs, both arms, both legs."""
    limbs = [_bones(name) for name in LIMBS]
    trunk = trunk_flips()
    singles = [(bone,) for bones in limbs for bone in bones]
    arms, legs = (tuple(limbs[side] + limbs[side + 1]) for side in (0, 2))
    everything: tuple[Flip, ...] = (("everything", tuple(range(1, 24))),)
    return [everything, trunk[0], trunk[-1], *singles, *(tuple(bones) for bones in limbs), arms, legs]


def _bones(limb: str) -> list[Flip]:
    side, _, _ = limb.partition("_")
    return [
        (f"{side} {_BONES[part]}", (joint,))
        for joint in LIMBS[limb]
        if (part := SMPL24.names[joint].partition("_")[2]) in _BONES
    ]


def turned_round(state: State) -> list[State]:
    """The same pose seen from another side, as a network may have mistaken it.

    Front for back along the ray to the body, by which its outline hardly changes (Necker's cube); half round its own
    axis; and both.
    """
    ray = state.transl / np.linalg.norm(state.transl)
    reversed_in_depth = (np.eye(3) - 2 * np.outer(ray, ray)) @ state.rotmat[0] @ np.diag([1.0, 1.0, -1.0])
    half_round = np.diag([-1.0, 1.0, -1.0])
    found = []
    for root in (reversed_in_depth, reversed_in_depth @ half_round, state.rotmat[0] @ half_round):
        rotmat = state.rotmat.copy()
        rotmat[0] = root
        found.append(replace(state, rotmat=rotmat))
    return found


class DepthFlips:
    """Builds poses of a body with bones on their other side in depth.

    Args:
        skeleton: of the body.
        start: the body; its joints stand before the camera.
        limb: the limb that may move (a name of `LIMBS`), or anything else for the whole body.

    Attributes:
        joints: (24, 3) joints of the body as it is.
        is_whole: whether the whole body may move.
        turning: joints that may turn.
        seen: joints that keep their place in the picture.
        near: those of them whose depth a flip decides; hands and feet go where it suits the limb.
    """

    def __init__(self, skeleton: Skeleton, start: State, limb: str):
        self.start, self.is_whole = start, limb not in LIMBS
        self.joints = skeleton.points(start.rotmat, start.betas, start.transl)[FIRST_JOINT:]
        self._body, self._prior = skeleton.body, PosePrior()
        self._rest = skeleton.shaped(start.betas).rest_joints
        _, self._rotations = skeleton.body.forward_kinematics(start.rotmat, start.betas)
        # collars stay: a limb hangs on its first movable joint
        self._chains = [
            [joint for joint in LIMBS[name] if "collar" not in SMPL24.names[joint]]
            for name in LIMBS
            if self.is_whole or name == limb
        ]
        self.turning = list(range(24)) if self.is_whole else self._chains[0][:-1]
        self.seen = np.arange(24) if self.is_whole else np.array(self._chains[0][1:])
        self.near = self.seen if self.is_whole else self.seen[:-1]

    def state(self, flips: tuple[Flip, ...]) -> tuple[State, np.ndarray]:
        """The body with these bones on their other side, and where its joints should be (24, 3)."""
        places = self._places([joint for _, group in flips for joint in group])
        state = self._posed(places)
        for chain in self._chains:
            if np.abs(places - self.joints)[chain[1:]].max() > 1e-6:
                state = self._with_best_twist(state, chain, places)
        return state, places

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
        rotations = self._rotations.copy()
        for joint in self.turning:
            children = np.flatnonzero(joint == SMPL_PARENTS)
            if len(children):
                old = self.joints[children] - self.joints[joint]
                new = places[children] - places[joint]
                rotations[joint] = _turn(old, new) @ self._rotations[joint]
        return self._local(rotations, places)

    def _local(self, rotations: np.ndarray, places: np.ndarray) -> State:
        rotmat = self.start.rotmat.copy()
        for joint in self.turning:
            parent = SMPL_PARENTS[joint]
            rotmat[joint] = rotations[joint] if parent < 0 else rotations[parent].T @ rotations[joint]
        transl = places[0] - self._rest[0] if self.is_whole else self.start.transl
        return State(rotmat, self.start.betas, transl)

    def _with_best_twist(self, state: State, chain: list[int], places: np.ndarray) -> State:
        """Of the twists of the first bone, and the sides of the hand or foot, those that limits and prior like best."""
        first, second, third, tip = chain
        _, rotations = self._body.forward_kinematics(state.rotmat, state.betas)
        along = self._rest[second] - self._rest[first]
        twists = rotvec_to_rotmat(_TWISTS[:, None] * along / np.linalg.norm(along))
        tries = []
        for end in {tuple(self._places_of_tip(places, third, tip, side)) for side in (-1.0, 1.0)}:
            for twist in twists:
                upper = rotations[first] @ twist
                middle = _aimed(upper, self._rest[third] - self._rest[second], places[third] - places[second])
                lower = _aimed(middle, self._rest[tip] - self._rest[third], np.array(end) - places[third])
                rotmat = state.rotmat.copy()
                rotmat[first] = rotations[SMPL_PARENTS[first]].T @ upper
                rotmat[second], rotmat[third] = upper.T @ middle, middle.T @ lower
                tries.append(rotmat)
        rotvecs = rotvec_and_slope(np.concatenate(tries))[0].reshape(-1, 24, 3)
        costs = self._prior.nats(rotvecs) + [WALL * wall_cost(rotvec) for rotvec in rotvecs]
        return State(tries[int(np.argmin(costs))], state.betas, state.transl)

    def _places_of_tip(self, places, third, tip, side):
        """Where hand or foot may be on its ray."""
        ray = self.joints[tip] / np.linalg.norm(self.joints[tip])
        length = np.linalg.norm(self.joints[tip] - self.joints[third])
        middle = ray @ places[third]
        half = np.sqrt(max(middle**2 - places[third] @ places[third] + length**2, 0.0))
        return (middle + side * half) * ray


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
