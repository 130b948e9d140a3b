"""Joint sets of the field: names, edges, left/right flips, and maps between sets by name.

The order within a set is the order of its files and networks (`docs/formats.md` names the traps): COCO lists left
before right, BODY_25 and MPII right before left, and SPIN's H36M regressor order has the left leg first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True, slots=True)
class JointSet:
    """A named, ordered set of body points.

    Attributes:
        name: key in `JOINT_SETS`.
        names: point names, `left_`/`right_` as seen by the person.
        edges: pairs of indices to draw as limbs.
    """

    name: str
    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Index of a point by name."""
        return self.names.index(name)

    @property
    def flip(self) -> np.ndarray:
        """(K,) index of each point's mirror image."""
        swap = {"left": "right", "right": "left"}
        mirrored = ["_".join(swap.get(word, word) for word in name.split("_")) for name in self.names]
        return np.array([self.names.index(name) for name in mirrored])


def _joint_set(name: str, names: str, edges: str) -> JointSet:
    ordered = tuple(names.split())
    pairs = (edge.split("-") for edge in edges.split())
    return JointSet(name, ordered, tuple((ordered.index(a), ordered.index(b)) for a, b in pairs))


_FACE = "nose left_eye right_eye left_ear right_ear"
_COCO_LIMBS = (
    "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
_FEET = "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
_LIMB_EDGES = (
    "left_shoulder-left_elbow left_elbow-left_wrist right_shoulder-right_elbow right_elbow-right_wrist "
    "left_hip-left_knee left_knee-left_ankle right_hip-right_knee right_knee-right_ankle"
)
_TORSO_EDGES = "left_shoulder-right_shoulder left_shoulder-left_hip right_shoulder-right_hip left_hip-right_hip"
_FACE_EDGES = "nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear"
_FOOT_EDGES = (
    "left_ankle-left_heel left_ankle-left_big_toe left_big_toe-left_small_toe "
    "right_ankle-right_heel right_ankle-right_big_toe right_big_toe-right_small_toe"
)
_SPIN_PART = (
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
    "left_shoulder left_elbow left_wrist neck head_top"
)

SMPL24 = _joint_set(
    "smpl24",
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot right_foot "
    "neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_hand right_hand",
    "pelvis-left_hip pelvis-right_hip pelvis-spine1 left_hip-left_knee right_hip-right_knee spine1-spine2 "
    "left_knee-left_ankle right_knee-right_ankle spine2-spine3 left_ankle-left_foot right_ankle-right_foot "
    "spine3-neck spine3-left_collar spine3-right_collar neck-head left_collar-left_shoulder "
    "right_collar-right_shoulder left_shoulder-left_elbow right_shoulder-right_elbow left_elbow-left_wrist "
    "right_elbow-right_wrist left_wrist-left_hand right_wrist-right_hand",
)
SMPL_PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])

COCO17 = _joint_set("coco17", f"{_FACE} {_COCO_LIMBS}", f"{_FACE_EDGES} {_TORSO_EDGES} {_LIMB_EDGES}")
COCO23 = _joint_set(  # COCO-WholeBody's body and feet
    "coco23", f"{_FACE} {_COCO_LIMBS} {_FEET}", f"{_FACE_EDGES} {_TORSO_EDGES} {_LIMB_EDGES} {_FOOT_EDGES}"
)
LSP14 = _joint_set(
    "lsp14", _SPIN_PART, f"{_LIMB_EDGES} neck-head_top left_shoulder-neck right_shoulder-neck left_hip-right_hip"
)
H36M17 = _joint_set(  # the order of J_regressor_h36m.npy: left leg first
    "h36m17",
    "pelvis left_hip left_knee left_ankle right_hip right_knee right_ankle spine neck head head_top left_shoulder "
    "left_elbow left_wrist right_shoulder right_elbow right_wrist",
    f"{_LIMB_EDGES} pelvis-left_hip pelvis-right_hip pelvis-spine spine-neck neck-head head-head_top "
    "neck-left_shoulder neck-right_shoulder",
)
MPII16 = _joint_set(
    "mpii16",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top right_wrist "
    "right_elbow right_shoulder left_shoulder left_elbow left_wrist",
    f"{_LIMB_EDGES} pelvis-left_hip pelvis-right_hip pelvis-thorax thorax-upper_neck upper_neck-head_top "
    "thorax-left_shoulder thorax-right_shoulder",
)
SPIN24 = _joint_set(  # `part` and `S` of CLIFF-GT and SPIN files
    "spin24",
    f"{_SPIN_PART} pelvis thorax spine jaw head nose left_eye right_eye left_ear right_ear",
    f"{_LIMB_EDGES} {_FACE_EDGES} pelvis-left_hip pelvis-right_hip pelvis-spine spine-thorax thorax-neck "
    "neck-head_top neck-left_shoulder neck-right_shoulder",
)
BODY25 = _joint_set(
    "body25",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe "
    "left_small_toe left_heel right_big_toe right_small_toe right_heel",
    f"{_LIMB_EDGES} {_FACE_EDGES} {_FOOT_EDGES} nose-neck neck-left_shoulder neck-right_shoulder neck-mid_hip "
    "mid_hip-left_hip mid_hip-right_hip",
)
HALPE26 = _joint_set(
    "halpe26",
    f"{_FACE} {_COCO_LIMBS} head_top neck mid_hip left_big_toe right_big_toe left_small_toe right_small_toe "
    "left_heel right_heel",
    f"{_LIMB_EDGES} {_FACE_EDGES} {_FOOT_EDGES} head_top-neck neck-left_shoulder neck-right_shoulder neck-mid_hip "
    "mid_hip-left_hip mid_hip-right_hip",
)
BLAZEPOSE33 = _joint_set(
    "blazepose33",
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_foot_index right_foot_index",
    f"{_LIMB_EDGES} {_FACE_EDGES} {_TORSO_EDGES} left_ankle-left_heel left_heel-left_foot_index "
    "right_ankle-right_heel right_heel-right_foot_index left_wrist-left_index right_wrist-right_index",
)

JOINT_SETS: dict[str, JointSet] = {
    joint_set.name: joint_set
    for joint_set in (SMPL24, COCO17, COCO23, LSP14, H36M17, MPII16, SPIN24, BODY25, HALPE26, BLAZEPOSE33)
}

# Points of two sets that are the same place on the body under different names. Hips, necks and heads are left out on
# purpose: sets mean different places by the same word (`SAME_PLACE` is about names, a body's regressors about places).
_ALIASES = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe", "upper_neck": "neck"}
_DETECTOR_LIMBS = frozenset(_COCO_LIMBS.split()) | frozenset(_FACE.split()) | frozenset(_FEET.split())
_DETECTED = frozenset({"coco17", "coco23", "body25", "halpe26", "blazepose33"})
_SPIN_FAMILY = frozenset({"lsp14", "spin24"})


@cache
def shared_points(source: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices (in source, in target) of the points that mean the same place in both sets.

    Detection sets (COCO, BODY_25, Halpe, BlazePose) share face, limbs and feet; LSP and SPIN share their fourteen;
    every other pair shares knees, ankles, elbows, wrists and shoulders only, because "hip", "neck" and "head" name
    different places there.
    """
    if source == target:
        identity = np.arange(len(JOINT_SETS[source]))
        return identity, identity
    if {source, target} <= _DETECTED:
        common = _DETECTOR_LIMBS
    elif {source, target} <= _SPIN_FAMILY:
        common = frozenset(_SPIN_PART.split())
    else:
        common = frozenset(name for name in _COCO_LIMBS.split() if "hip" not in name)
    first = [_ALIASES.get(name, name) for name in JOINT_SETS[source].names]
    second = [_ALIASES.get(name, name) for name in JOINT_SETS[target].names]
    pairs = [(first.index(name), second.index(name)) for name in second if name in common and name in first]
    return np.array([a for a, _ in pairs], dtype=int), np.array([b for _, b in pairs], dtype=int)
