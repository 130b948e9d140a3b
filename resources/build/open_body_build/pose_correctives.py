"""posedirs: offsets linear in the pose that bring linear blend skinning near a better one.

SMPL's blend offsets depend on (rotation matrix - identity) of joints 1 to 23. Here they are fitted by ridge regression,
vertex by vertex and in posed space, to the distance between linear blend skinning and `pose_targets`. A vertex listens
only to the joints that bend the surface there, and its offsets fade to nothing where they stop: face, hands, feet and
the middles of the limbs keep exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pose_targets import TargetSkinning
from .skinning import blend_skin, joint_transforms, pose_feature, rotvec_to_rotmat
from .tpose import JOINTS, MIRROR_JOINT

_RIDGE = 0.02
_STEP_M = 1e-4  # offsets are stored in tenths of a millimetre per unit of the feature, so that the files stay small
_LEAST_OFFSET_M = 5e-4  # a vertex whose offsets never matter more than this gets none
_LISTEN_FROM = 0.05
_SILENT = ("left_foot", "right_foot", "left_hand", "right_hand")
_MIRROR_SIGNS = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class RestBody:
    """What skinning needs of one body: template (V, 3) and rest joints (24, 3), metres."""

    template: np.ndarray
    joints: np.ndarray


def mirror_poses(poses: np.ndarray) -> np.ndarray:
    """(N, 24, 3) axis-angle poses seen in a mirror."""
    return poses[:, MIRROR_JOINT] * _MIRROR_SIGNS


def fit_correctives(
    bodies: list[RestBody], faces: np.ndarray, weights: np.ndarray, mirror: np.ndarray, poses: np.ndarray
) -> np.ndarray:
    """posedirs (V, 3, 207) in metres that serve all `bodies`, symmetric.

    Args:
        bodies: rest bodies on one mesh; the poses are dealt out among them.
        faces: (F, 3); weights: (V, 24); mirror: (V,).
        poses: (N, 24, 3) axis-angle, root ignored; their mirror images are used as well.
    """
    poses = np.concatenate([poses, mirror_poses(poses)])
    poses[:, 0] = 0
    rotmats = rotvec_to_rotmat(poses)
    features = pose_feature(rotmats)
    turns = np.empty((len(poses), 24, 3, 3))
    residuals = np.empty((len(poses), len(weights), 3), np.float32)
    concern = np.zeros_like(weights)
    for index, body in enumerate(bodies):
        dealt = np.arange(index, len(poses), len(bodies))
        turn, shift = joint_transforms(rotmats[dealt], body.joints)
        target = TargetSkinning(body.template, body.joints, faces, weights)
        for start in range(0, len(dealt), 50):
            part = slice(start, start + 50)
            linear = blend_skin(body.template, turn[part], shift[part], weights)
            residuals[dealt[part]] = target.pose(turn[part], shift[part]) - linear
        turns[dealt] = turn
        concern += target.concern / len(bodies)
    concern[:, [0, *(JOINTS.index(name) for name in _SILENT)]] = 0
    concern = np.where(concern < _LISTEN_FROM, 0, concern)
    posedirs = np.zeros((len(weights), 3, 207))
    for vertex in np.flatnonzero((concern > 0).any(1) & (mirror >= np.arange(len(mirror)))):
        posedirs[vertex] = _fit_vertex(features, concern[vertex], weights[vertex], turns, residuals[:, vertex])
    posedirs = symmetric(posedirs, mirror)
    posedirs = np.round(posedirs / _STEP_M) * _STEP_M
    reach = np.abs(np.einsum("vcp,np->nvc", posedirs, features[:: max(1, len(features) // 200)])).max((0, 2))
    posedirs[np.maximum(reach, reach[mirror]) < _LEAST_OFFSET_M] = 0
    return posedirs


def _fit_vertex(
    features: np.ndarray, concern: np.ndarray, weights: np.ndarray, turns: np.ndarray, residual: np.ndarray
) -> np.ndarray:
    """(3, 207) offsets of one vertex: least squares on where skinning puts them, softer where little concerns it."""
    joints = np.flatnonzero(concern)
    columns = (9 * (joints[:, None] - 1) + np.arange(9)).ravel()
    scale = np.repeat(concern[joints], 9)
    inputs = features[:, columns] * scale
    linear = np.einsum("j,njab->nab", weights, turns, optimize=True)
    rows = (linear[:, :, :, None] * inputs[:, None, None, :]).reshape(3 * len(features), -1)
    gram = rows.T @ rows + _RIDGE * len(features) * np.eye(rows.shape[1])
    offsets = np.linalg.solve(gram, rows.T @ residual.reshape(-1))
    found = np.zeros((3, 207))
    found[:, columns] = offsets.reshape(3, -1) * scale
    return found


def symmetric(posedirs: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """posedirs whose response to a mirrored pose is the mirrored response.

    Vertices with mirror[v] < v take their image's values; those of the middle the mean of both.
    """
    swap = (9 * (MIRROR_JOINT[1:, None] - 1) + np.arange(9)).ravel()
    signs = np.tile(np.outer(_MIRROR_SIGNS, _MIRROR_SIGNS).ravel(), 23)
    other = posedirs[mirror][:, :, swap] * signs * np.array([-1.0, 1.0, 1.0])[:, None]
    own = np.arange(len(mirror))
    middle = 0.5 * (posedirs + other)
    return np.where((mirror > own)[:, None, None], posedirs, np.where((mirror < own)[:, None, None], other, middle))
