"""Linear blend skinning and poses for measuring and fitting."""

from __future__ import annotations

import numpy as np

from .tpose import JOINTS, PARENTS

# Largest angle (degrees) of a random pose about x, y, z of each joint, low and high; right joints mirror the left.
# Knees and elbows are hinges: in the T-pose a knee bends about +x, a left elbow about -y.
_LIMITS_DEG = {
    "hip": ((-115, 40), (-40, 40), (-15, 45)),
    "knee": ((0, 140), (-8, 8), (-4, 4)),
    "ankle": ((-30, 40), (-20, 20), (-15, 15)),
    "foot": ((-35, 15), (0, 0), (0, 0)),
    "spine1": ((-10, 30), (-15, 15), (-12, 12)),
    "spine2": ((-10, 25), (-15, 15), (-12, 12)),
    "spine3": ((-10, 15), (-12, 12), (-8, 8)),
    "neck": ((-20, 25), (-30, 30), (-15, 15)),
    "head": ((-20, 25), (-30, 30), (-15, 15)),
    "collar": ((-5, 5), (-15, 10), (-8, 25)),
    "shoulder": ((-60, 60), (-95, 25), (-85, 75)),
    "elbow": ((-70, 20), (-140, 0), (-8, 8)),
    "wrist": ((-15, 15), (-20, 20), (-60, 60)),
    "hand": ((0, 0), (0, 0), (-10, 40)),
}
_MIRROR_AXES = np.array([1.0, -1.0, -1.0])


def rotvec_to_rotmat(rotvec: np.ndarray) -> np.ndarray:
    """(..., 3) axis-angle to (..., 3, 3), Rodrigues' formula."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    x, y, z = np.moveaxis(rotvec / np.maximum(angle, 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    angle = angle[..., None]
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def random_poses(count: int, seed: int) -> np.ndarray:
    """(count, 24, 3) axis-angle poses within joint limits, root unturned; half of the joints near rest."""
    rng = np.random.default_rng(seed)
    poses = np.zeros((count, 24, 3))
    for j, name in enumerate(JOINTS):
        part = name.split("_")[-1]
        if part not in _LIMITS_DEG:
            continue
        low, high = np.deg2rad(np.array(_LIMITS_DEG[part], float)).T
        reach = rng.beta(0.8, 1.2, (count, 3)) * (rng.random((count, 1)) < 0.75)
        poses[:, j] = np.where(rng.random((count, 3)) < -low / np.maximum(high - low, 1e-9), low, high) * reach
        if name.startswith("right"):
            poses[:, j] *= _MIRROR_AXES
    return poses


def pose_feature(pose_rotmat: np.ndarray) -> np.ndarray:
    """(N, 207) SMPL's pose feature: rotation minus identity of the 23 joints below the root."""
    return (pose_rotmat[:, 1:] - np.eye(3)).reshape(len(pose_rotmat), 207)


def joint_transforms(pose_rotmat: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Global rotation (N, 24, 3, 3) and shift (N, 24, 3) of each joint: posed = rotation @ rest + shift."""
    turn = np.empty_like(pose_rotmat)
    place = np.empty((*pose_rotmat.shape[:2], 3))
    turn[:, 0], place[:, 0] = pose_rotmat[:, 0], joints[0]
    for j in range(1, 24):
        parent = PARENTS[j]
        turn[:, j] = turn[:, parent] @ pose_rotmat[:, j]
        place[:, j] = place[:, parent] + turn[:, parent] @ (joints[j] - joints[parent])
    return turn, place - np.einsum("njab,jb->nja", turn, joints)


def blend_skin(vertices: np.ndarray, turn: np.ndarray, shift: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, V, 3) linear blend skinning of rest vertices (V, 3) or (N, V, 3)."""
    n = len(turn)
    linear = (weights @ turn.transpose(1, 0, 2, 3).reshape(24, -1)).reshape(-1, n, 3, 3)
    moved = np.einsum("vnab,vnb->nva", linear, np.broadcast_to(vertices, (n, len(weights), 3)).transpose(1, 0, 2))
    return moved + np.einsum("vj,njc->nvc", weights, shift)
