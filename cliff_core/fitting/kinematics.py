"""The 47 points of a body and their Jacobian, without the mesh.

Skinning is linear in the rest vertices and a keypoint is a weighted sum of skinned vertices, so the sum over vertices
is taken once, before any pose is known (as in `body.torch_body`). Per keypoint k and bone b there remain a weight c_kb
and a moment M_kb, which is linear in (1, betas, pose feature); the keypoint is sum_b (G_b M_kb + c_kb t_b). A joint is
the same thing with one bone, weight 1 and its own rest position as the moment, so that one loop serves both.

A turn of joint j by its own axes, R_j exp([w]x), moves what hangs on it rigidly about the joint: the axes are the
columns of its global rotation G_j, and a part of weight c moves by  G_j e_a x (part - c p_j). Only the pose feature
adds to this, through dM_kb. Everything is float64 and exact; tests hold it to `Body.pose` and to finite differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from cliff_core.body.body import POSE_FEATURE_COUNT, SHAPE_COUNT, Body
from cliff_core.skeletons import COCO23, SMPL24

JOINT_COUNT = 24
FIRST_JOINT = len(COCO23)
"""Row of SMPL's pelvis among the points; joint j is row FIRST_JOINT + j."""

ROTATIONS, BETAS, TRANSL = slice(0, 72), slice(72, 82), slice(82, 85)
"""Columns of the Jacobian: three right-multiplied rotation increments per joint, shape, translation."""
VARIABLES = 85

POINT_NAMES = COCO23.names + SMPL24.names
"""Names of the 47 points in their order; shoulders, elbows, ... appear twice, as surface point and as joint."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What betas alone decide.

    Attributes:
        rest_joints: (24, 3) joints of the shaped body in the rest pose.
        moments: (P, 3) moments of all (point, bone) pairs in the rest pose.
    """

    rest_joints: np.ndarray
    moments: np.ndarray


class Skeleton:
    """The 47 points of one body model: rows 0 to 22 "coco23" by the body's own regressors, rows 23 to 46 SMPL's joints.

    Args:
        body: the body; what is needed of it is summed up here once.

    Attributes:
        body: the body.
        known: (47,) bool, False for keypoints that this body's regressors do not know; such points are NaN.
    """

    POINTS = len(COCO23) + JOINT_COUNT

    def __init__(self, body: Body):
        self.body = body
        regressor, known = body.keypoint_regressor("coco23")
        self.known = np.concatenate([known, np.ones(JOINT_COUNT, dtype=bool)])
        self._parents = body.parents
        self._fold(body, regressor.astype(np.float64))
        self._joint_shapedirs = np.ascontiguousarray(body.joint_shapedirs)
        self._last: tuple[bytes, Shape] | None = None

    def _fold(self, body: Body, regressor: np.ndarray):
        """Sum over vertices once; pairs of surface points first (only those have pose corrections), then joints."""
        points, bones, weights, moments = [], [], [], []
        for point, row in enumerate(regressor):
            touched = np.flatnonzero(row)
            shares = row[touched, None] * body.weights[touched].astype(np.float64)  # (v, 24)
            moving = np.flatnonzero(np.abs(shares).sum(axis=0))
            rest = np.concatenate(
                [body.v_template[touched, :, None], body.shapedirs[touched], body.posedirs[touched]], axis=2
            )
            points += [point] * len(moving)
            bones += moving.tolist()
            weights += shares[:, moving].sum(axis=0).tolist()
            moments += list(np.einsum("vj,vcd->jcd", shares[:, moving], rest, optimize=True))
        surface = np.array(moments).reshape(-1, 3, 1 + SHAPE_COUNT + POSE_FEATURE_COUNT)
        every = np.arange(JOINT_COUNT)
        self._point = np.concatenate([np.array(points, dtype=np.int64), FIRST_JOINT + every])
        self._bone = np.concatenate([np.array(bones, dtype=np.int64), every])
        self._weight = np.concatenate([np.array(weights, dtype=np.float64), np.ones(JOINT_COUNT)])
        self._template = np.concatenate([surface[..., 0], body.joint_template])
        self._shapedirs = np.concatenate([surface[..., 1 : 1 + SHAPE_COUNT], body.joint_shapedirs])
        posedirs = surface[..., 1 + SHAPE_COUNT :].reshape(-1, POSE_FEATURE_COUNT)
        self._posedirs = np.ascontiguousarray(posedirs)  # (3 surface pairs, 207)
        self._posedirs_by_joint = np.ascontiguousarray(posedirs.reshape(-1, JOINT_COUNT - 1, 9).transpose(1, 0, 2))

    def shaped(self, betas: np.ndarray) -> Shape:
        """What betas decide; the last answer is kept, since a drag asks for the same shape again and again."""
        betas = np.asarray(betas, dtype=np.float64)
        key, last = betas.tobytes(), self._last
        if last is not None and last[0] == key:
            return last[1]
        shape = Shape(self.body.rest_joints(betas), self._template + self._shapedirs @ betas)
        self._last = key, shape
        return shape

    def points(self, pose_rotmat: np.ndarray, betas: np.ndarray, transl: np.ndarray) -> np.ndarray:
        """The points of a body in a pose.

        Args:
            pose_rotmat: (24, 3, 3) rotations relative to the parent; row 0 is the global orientation.
            betas: (10,) shape.
            transl: (3,) translation in metres.

        Returns:
            (47, 3) float64 metres in the camera frame; NaN where the body does not know the point.
        """
        return self._posed(pose_rotmat, betas, transl)[0]

    def points_and_jacobian(
        self, pose_rotmat: np.ndarray, betas: np.ndarray, transl: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The points and how they move with every variable.

        Args:
            pose_rotmat, betas, transl: as for `points`.

        Returns:
            (47, 3) points and (47, 3, 85) derivatives: columns 3j + a by the angle of joint j about its own axis a
            (`pose_rotmat[j] @ exp([w]x)`), then ten betas, then translation. Rows of unknown points are zero.
        """
        points, rotmat, rotations, positions, parts = self._posed(pose_rotmat, betas, transl)
        turned = (rotmat[1:, None] @ _GENERATORS).reshape(JOINT_COUNT - 1, 3, 9)
        corrections = self._posedirs_by_joint @ turned.transpose(0, 2, 1)  # (23, 3 surface pairs, 3)
        jacobian = np.zeros((self.POINTS, 3, VARIABLES))
        _differentiate(
            rotations, positions, parts, corrections, self._shapedirs, self._joint_shapedirs, self._parents,
            self._point, self._bone, self._weight, jacobian,
        )  # fmt: skip
        return points, jacobian

    def _posed(self, pose_rotmat, betas, transl):
        rotmat = np.ascontiguousarray(pose_rotmat, dtype=np.float64)
        shape = self.shaped(betas)
        moments = shape.moments.copy()
        feature = (rotmat[1:] - _IDENTITY).reshape(-1)
        corrected = len(moments) - JOINT_COUNT
        moments[:corrected] += (self._posedirs @ feature).reshape(-1, 3)
        rotations, positions = np.empty((JOINT_COUNT, 3, 3)), np.empty((JOINT_COUNT, 3))
        parts, points = np.empty((len(moments), 3)), np.zeros((self.POINTS, 3))
        _pose(
            rotmat, shape.rest_joints, moments, np.asarray(transl, dtype=np.float64), self._parents, self._point,
            self._bone, self._weight, rotations, positions, parts, points,
        )  # fmt: skip
        points[~self.known] = np.nan
        return points, rotmat, rotations, positions, parts


_IDENTITY = np.eye(3)
# What a small turn about x, y and z does to a vector: R exp([w]x) changes R by R @ sum_a w_a GENERATORS[a].
_GENERATORS = np.array(
    [[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]], [[0, -1, 0], [1, 0, 0], [0, 0, 0]]],
    dtype=np.float64,
)


@njit(cache=True, nogil=True)
def _pose(rotmat, rest, moments, transl, parents, point, bone, weight, rotations, positions, parts, points):
    """Forward kinematics, then every pair's part of its point; fills the last four arrays."""
    for joint in range(24):
        parent = parents[joint]
        for a in range(3):
            if joint == 0:
                positions[0, a] = rest[0, a] + transl[a]
            else:
                moved = positions[parent, a]
                for b in range(3):
                    moved += rotations[parent, a, b] * (rest[joint, b] - rest[parent, b])
                positions[joint, a] = moved
            for b in range(3):
                if joint == 0:
                    rotations[0, a, b] = rotmat[0, a, b]
                else:
                    turned = 0.0
                    for c in range(3):
                        turned += rotations[parent, a, c] * rotmat[joint, c, b]
                    rotations[joint, a, b] = turned
    for pair in range(len(point)):
        b, w = bone[pair], weight[pair]
        for a in range(3):
            part = w * positions[b, a]
            for c in range(3):
                part += rotations[b, a, c] * (moments[pair, c] - w * rest[b, c])
            parts[pair, a] = part
            points[point[pair], a] += part


@njit(cache=True, nogil=True)
def _differentiate(
    rotations, positions, parts, corrections, shapedirs, joint_shapedirs, parents, point, bone, weight, jacobian
):
    """Add up the derivatives of all pairs in `jacobian` (47, 3, 85)."""
    joint_slopes = np.zeros((24, 3, 10))  # of joint positions by betas
    for joint in range(24):
        parent = parents[joint]
        for a in range(3):
            for d in range(10):
                if joint == 0:
                    joint_slopes[0, a, d] = joint_shapedirs[0, a, d]
                else:
                    slope = joint_slopes[parent, a, d]
                    for c in range(3):
                        slope += rotations[parent, a, c] * (
                            joint_shapedirs[joint, c, d] - joint_shapedirs[parent, c, d]
                        )
                    joint_slopes[joint, a, d] = slope
    surface_pairs = corrections.shape[1] // 3
    for pair in range(len(point)):
        k, b, w = point[pair], bone[pair], weight[pair]
        joint = b
        while joint >= 0:
            x = parts[pair, 0] - w * positions[joint, 0]
            y = parts[pair, 1] - w * positions[joint, 1]
            z = parts[pair, 2] - w * positions[joint, 2]
            for axis in range(3):
                u, v, t = rotations[joint, 0, axis], rotations[joint, 1, axis], rotations[joint, 2, axis]
                jacobian[k, 0, 3 * joint + axis] += v * z - t * y
                jacobian[k, 1, 3 * joint + axis] += t * x - u * z
                jacobian[k, 2, 3 * joint + axis] += u * y - v * x
            joint = parents[joint]
        for a in range(3):
            jacobian[k, a, 82 + a] += w
            for d in range(10):
                slope = w * joint_slopes[b, a, d]
                for c in range(3):
                    slope += rotations[b, a, c] * (shapedirs[pair, c, d] - w * joint_shapedirs[b, c, d])
                jacobian[k, a, 72 + d] += slope
        if pair < surface_pairs:
            for other in range(23):
                for axis in range(3):
                    x = corrections[other, 3 * pair, axis]
                    y = corrections[other, 3 * pair + 1, axis]
                    z = corrections[other, 3 * pair + 2, axis]
                    if x != 0.0 or y != 0.0 or z != 0.0:
                        for a in range(3):
                            jacobian[k, a, 3 * (other + 1) + axis] += (
                                rotations[b, a, 0] * x + rotations[b, a, 1] * y + rotations[b, a, 2] * z
                            )
