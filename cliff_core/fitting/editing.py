"""Edits of a body as pure functions on `SmplParams`: mirror, copy, turn, level, another camera, another height.

Nothing here knows of undo, of windows or of what a person may have locked; callers keep what must stay. What an edit
does not concern is the same array as before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cliff_core.body.body import Body
from cliff_core.errors import GeometryError
from cliff_core.fitting import shape_axes
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import Camera, SmplParams
from cliff_core.skeletons import SMPL24

_MIRROR = np.array([1.0, -1.0, -1.0])  # of an axis-angle, across the plane between left and right
_PARTS = {"arm": ("collar", "shoulder", "elbow", "wrist", "hand"), "leg": ("hip", "knee", "ankle", "foot")}

LIMBS: dict[str, tuple[int, ...]] = {
    f"{side}_{limb}": tuple(SMPL24.index(f"{side}_{part}") for part in parts)
    for limb, parts in _PARTS.items()
    for side in ("left", "right")
}
"""SMPL joints of each limb, from the trunk outwards: "left_arm", "right_arm", "left_leg", "right_leg"."""

# Of the left side and the middle, in the joint's own frame: twist about the bone, bend (flexion, forwards), side (away
# from the body, or to the left). Positive is inwards, flexed, away. The right side is the mirror image.
_ARM_AXES = ((1, 0, 0), (0, -1, 0), (0, 0, 1))
_HAND_AXES = ((1, 0, 0), (0, 0, -1), (0, -1, 0))
_LEG_AXES = ((0, -1, 0), (-1, 0, 0), (0, 0, 1))
_KNEE_AXES = ((0, -1, 0), (1, 0, 0), (0, 0, 1))
_FOOT_AXES = ((0, 0, 1), (-1, 0, 0), (0, -1, 0))
_MIDDLE_AXES = ((0, 1, 0), (1, 0, 0), (0, 0, -1))
_AXES = {"collar": _ARM_AXES, "shoulder": _ARM_AXES, "elbow": _ARM_AXES, "wrist": _HAND_AXES, "hand": _HAND_AXES}
_AXES |= {"hip": _LEG_AXES, "knee": _KNEE_AXES, "ankle": _FOOT_AXES, "foot": _FOOT_AXES}
MOVES = ("twist", "bend", "side")


def mirror_pose(params: SmplParams) -> SmplParams:
    """Left and right exchanged across the person's own middle; they stay where they are and face the same way."""
    pose_rotvec = np.array(params.pose_rotvec, dtype=np.float64)
    pose_rotvec[1:] = (pose_rotvec[SMPL24.flip] * _MIRROR)[1:]
    return replace(params, pose_rotvec=pose_rotvec)


def mirror_limb(params: SmplParams, limb: str) -> SmplParams:
    """A limb and its counterpart exchange their poses, mirrored: "left_arm" and "right_arm" do the same.

    Raises:
        GeometryError: no such limb.
    """
    pose_rotvec = np.array(params.pose_rotvec, dtype=np.float64)
    rows = [*_limb(limb), *_limb(_other(limb))]
    pose_rotvec[rows] = (pose_rotvec[SMPL24.flip] * _MIRROR)[rows]
    return replace(params, pose_rotvec=pose_rotvec)


def copy_limb(source: SmplParams, target: SmplParams, limb: str, onto: str | None = None) -> SmplParams:
    """A limb's pose from one body onto another, or onto the other side of the same.

    Args:
        source: whose limb to copy.
        target: who gets it; may be the same.
        limb: a name of `LIMBS`.
        onto: a limb of the target, mirrored where sides differ; the same one by default.

    Raises:
        GeometryError: no such limb, or an arm onto a leg.
    """
    onto = limb if onto is None else onto
    rows, destination = _limb(limb), _limb(onto)
    if len(rows) != len(destination):
        raise GeometryError(f"{limb} cannot be copied onto {onto}; arms go onto arms, legs onto legs")
    pose_rotvec = np.array(target.pose_rotvec, dtype=np.float64)
    copied = np.asarray(source.pose_rotvec, dtype=np.float64)[list(rows)]
    pose_rotvec[list(destination)] = copied if limb == onto else copied * _MIRROR
    return replace(target, pose_rotvec=pose_rotvec)


def swing_twist(rotvec: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, float]:
    """A rotation as a twist about an axis, then a swing about an axis at right angles to it: R = swing R_twist.

    Args:
        rotvec: (3,) axis-angle.
        axis: (3,) unit vector.

    Returns:
        The swing, (3,) axis-angle with no part along `axis`, and the twist's angle in -pi..pi.
    """
    half = 0.5 * np.linalg.norm(rotvec)
    quaternion_xyz = 0.5 * np.sinc(half / np.pi) * np.asarray(rotvec, dtype=np.float64)
    twist = 2 * np.arctan2(quaternion_xyz @ axis, np.cos(half))
    twist = (twist + np.pi) % (2 * np.pi) - np.pi
    back = rotvec_to_rotmat(-twist * np.asarray(axis, dtype=np.float64))
    swing = rotmat_to_rotvec(rotvec_to_rotmat(rotvec) @ back)
    return swing - (swing @ axis) * np.asarray(axis, dtype=np.float64), float(twist)


def compose(swing_rotvec: np.ndarray, axis: np.ndarray, twist: float) -> np.ndarray:
    """(3,) axis-angle of a twist about `axis` followed by a swing: the inverse of `swing_twist`."""
    return rotmat_to_rotvec(rotvec_to_rotmat(swing_rotvec) @ rotvec_to_rotmat(twist * np.asarray(axis, dtype=float)))


def joint_axes(joint: int) -> np.ndarray:
    """(3, 3) rows twist, bend and side: unit axes of an SMPL joint in its own frame, for rings and typed angles."""
    side, _, part = SMPL24.names[joint].rpartition("_")
    axes = np.array(_AXES.get(part, _MIDDLE_AXES), dtype=np.float64)
    return axes * _MIRROR if side == "right" else axes


def joint_angles(params: SmplParams, joint: int) -> np.ndarray:
    """(3,) twist, bend and side of a joint in radians: what a person reads and types."""
    axes = joint_axes(joint)
    swing, twist = swing_twist(params.pose_rotvec[joint], axes[0])
    return np.array([twist, swing @ axes[1], swing @ axes[2]])


def with_joint_angles(params: SmplParams, joint: int, angles: np.ndarray) -> SmplParams:
    """The body with typed angles (3,) twist, bend, side in radians: the inverse of `joint_angles`."""
    axes = joint_axes(joint)
    return _with_rotation(params, joint, compose(angles[1] * axes[1] + angles[2] * axes[2], axes[0], angles[0]))


def level(
    params: SmplParams, body: Body, joint: int = 0, up: tuple[float, float, float] = (0.0, -1.0, 0.0)
) -> SmplParams:
    """Turn a joint the shortest way until its own vertical axis points up: a trunk upright, a foot flat.

    Args:
        params: the body.
        body: its model.
        joint: 0 for the whole body, an ankle for its foot, the head, ...
        up: direction in the camera frame; the top of the photo by default.
    """
    rotmat = rotvec_to_rotmat(params.pose_rotvec)
    _, rotations = body.forward_kinematics(rotmat, params.betas)
    target = np.asarray(up, dtype=np.float64) / np.linalg.norm(up)
    wanted = between(rotations[joint][:, 1], target) @ rotations[joint]
    parent = body.parents[joint]
    local = wanted if joint == 0 else rotations[parent].T @ wanted
    return _with_rotation(params, joint, rotmat_to_rotvec(local))


def refocus(
    params: SmplParams, body: Body, old_camera: Camera, new_camera: Camera, keep_orientation: bool = False
) -> SmplParams:
    """The body under another camera: its pelvis stays on its pixel and the person keeps its size in the photo.

    The distance grows with the focal length. The ray through the pelvis changes its direction, and the body turns with
    it, so that the camera sees it from the same side.

    Args:
        params: the body under the old camera.
        body: its model.
        old_camera, new_camera: of the same photo.
        keep_orientation: do not turn the body (a person may have set its orientation).

    Raises:
        GeometryError: a pelvis that is not in front of the camera.
    """
    rest = body.rest_joints(params.betas)[0]
    pelvis = rest + params.transl
    if not pelvis[2] > 0:
        raise GeometryError(f"the pelvis is {pelvis[2]:g} m in front of the camera; move the body forward first")
    place_px = pelvis[:2] / pelvis[2] * old_camera.focal_length_px + old_camera.centre_px
    depth = pelvis[2] * new_camera.focal_length_px / old_camera.focal_length_px
    ray = np.append((place_px - new_camera.centre_px) / new_camera.focal_length_px, 1.0)
    moved = replace(params, transl=ray * depth - rest)
    if keep_orientation:
        return moved
    turn = between(pelvis / np.linalg.norm(pelvis), ray / np.linalg.norm(ray))
    return _with_rotation(moved, 0, rotmat_to_rotvec(turn @ rotvec_to_rotmat(params.pose_rotvec[0])))


def height_m(body: Body, betas: np.ndarray) -> float:
    """Standing height of a shape in metres, from sole to crown."""
    return shape_axes.value_of(body, betas, "height")


def between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(3, 3) shortest rotation from one unit vector (3,) to another; half a turn about any axis for opposite ones."""
    (a, b, c), (d, e, f) = start, end
    x, y, z = b * f - c * e, c * d - a * f, a * e - b * d
    cosine = a * d + b * e + c * f
    if cosine > -0.99:
        cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        return np.eye(3) + cross + cross @ cross / (1 + cosine)
    axis = np.array([x, y, z])
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        axis = np.cross(start, np.eye(3)[np.argmin(np.abs(start))])
    return rotvec_to_rotmat(axis / np.linalg.norm(axis) * np.arctan2(sine, cosine))


def _with_rotation(params: SmplParams, joint: int, rotvec: np.ndarray) -> SmplParams:
    pose_rotvec = np.array(params.pose_rotvec, dtype=np.float64)
    pose_rotvec[joint] = rotvec
    return replace(params, pose_rotvec=pose_rotvec)


def _limb(name: str) -> tuple[int, ...]:
    if name not in LIMBS:
        raise GeometryError(f"no limb {name!r}; take one of {', '.join(LIMBS)}")
    return LIMBS[name]


def _other(limb: str) -> str:
    side, _, part = limb.partition("_")
    return f"{'right' if side == 'left' else 'left'}_{part}"
