"""The body in torch: batches, gradients, and keypoints without the mesh.

Skinning is linear in the rest vertices, and a keypoint is a weighted sum of skinned vertices; so the sum over vertices
can be taken once, before any pose is known. Per keypoint k and bone j there remain a weight  c_kj = sum_v r_kv w_vj
and a moment  M_kj = sum_v r_kv w_vj rest_v,  itself linear in (1, betas, pose feature), and the keypoint is
sum_j (R_j M_kj + c_kj t_j): the same number as from the skinned mesh, at the cost of a few bones instead of thousands
of vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cliff_core.body.body import POSE_FEATURE_COUNT, SHAPE_COUNT, Body
from cliff_core.skeletons import SMPL_PARENTS

_MESH_CHUNK = 8  # bodies skinned at a time: their intermediate arrays stay in the processor's cache


@dataclass(frozen=True, slots=True)
class PosedBatch:
    """Bodies in their poses.

    Attributes:
        vertices: (B, V, 3) metres; `None` unless the body was made with `full=True`.
        joints: (B, 24, 3) SMPL's joints in metres.
        rotations: (B, 24, 3, 3) of the bones, relative to the camera (or world), not to their parents.
        keypoints: joint set -> (B, K, 3); zero where the body does not know the point (`TorchBody.known`).
    """

    vertices: torch.Tensor | None
    joints: torch.Tensor
    rotations: torch.Tensor
    keypoints: dict[str, torch.Tensor]

    def points(self) -> torch.Tensor:
        """(B, 47, 3) all that networks take and supervise: the keypoints of "coco23", then SMPL's joints."""
        return torch.cat([self.keypoints["coco23"], self.joints], 1)


class ForwardKinematics(nn.Module):
    """Rest joints and relative rotations to joints and global rotations, one tree level at a time.

    Attributes:
        parents: (23,) of all joints but the pelvis.
        above: (24, 24) [joint, other]: 1 where the other is the joint itself or lies between it and the pelvis.
    """

    def __init__(self):
        super().__init__()
        above = torch.eye(24)
        for joint in range(1, 24):
            above[joint] += above[SMPL_PARENTS[joint]]
        self.register_buffer("above", above, persistent=False)
        depth = np.zeros(24, dtype=np.int64)
        for joint in range(1, 24):
            depth[joint] = depth[SMPL_PARENTS[joint]] + 1
        levels = [np.flatnonzero(depth == level) for level in range(depth.max() + 1)]
        by_level = np.concatenate(levels)
        self._sizes = [len(level) for level in levels]
        self._index("parents", SMPL_PARENTS[1:])
        self._index("_by_level", by_level)
        self._index("_from_level", np.argsort(by_level))
        for number, (level, above) in enumerate(zip(levels[1:], levels[:-1], strict=True), start=1):
            self._index(f"_parents{number}", np.searchsorted(above, SMPL_PARENTS[level]))

    def _index(self, name: str, values: np.ndarray):
        self.register_buffer(name, torch.as_tensor(values, dtype=torch.int64), persistent=False)

    def forward(self, rotmat: torch.Tensor, rest_joints: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pose the tree.

        Args:
            rotmat: (B, 24, 3, 3) rotations relative to the parent.
            rest_joints: (B, 24, 3) joints at rest, metres.

        Returns:
            (B, 24, 3) joints (the pelvis stays at its rest position) and (B, 24, 3, 3) global rotations.
        """
        bones = torch.cat([rest_joints[:, :1], rest_joints[:, 1:] - rest_joints[:, self.parents]], dim=1)
        # Batch last: 3x3 products become a few long multiplications, nearly twice as fast as small matrix products.
        local = torch.cat([rotmat, bones[..., None]], dim=-1).permute(2, 3, 1, 0)[:, :, self._by_level]
        first, *levels = local.split(self._sizes, dim=2)
        posed = [first]
        for number, level in enumerate(levels, start=1):
            above = posed[-1][:, :, getattr(self, f"_parents{number}")]
            turned = (above[:, :3, None] * level[None]).sum(dim=1)
            posed.append(torch.cat([turned[:, :3], turned[:, 3:] + above[:, 3:]], dim=1))
        posed = torch.cat(posed, dim=2)[:, :, self._from_level].permute(3, 2, 0, 1)
        return posed[..., 3], posed[..., :3]


class TorchBody(nn.Module):
    """A `Body` for batches, with full gradients; its buffers are not saved with a network that holds one.

    Args:
        body: the body; its arrays are copied.
        joint_sets: names of the keypoints to return (`Body.keypoint_regressor`).
        full: also skin the whole mesh.

    Attributes:
        known: joint set -> (K,) bool, which keypoints this body knows.
    """

    def __init__(self, body: Body, joint_sets: tuple[str, ...] = ("coco23",), full: bool = False):
        super().__init__()
        self.kinematics = ForwardKinematics()
        self.full = full
        self._array("joint_template", body.joint_template)
        self._array("joint_shapedirs", body.joint_shapedirs.reshape(72, SHAPE_COUNT).T)
        self.known: dict[str, torch.Tensor] = {}
        regressors = []
        for name in joint_sets:
            matrix, known = body.keypoint_regressor(name)
            regressors.append(matrix)
            self.known[name] = torch.tensor(known)
        self._counts = [len(matrix) for matrix in regressors]
        self._fold(body, np.concatenate(regressors) if regressors else np.zeros((0, len(body.v_template))))
        if full:
            vertex_count = len(body.v_template)
            offsets = np.concatenate([body.shapedirs, body.posedirs], axis=2).transpose(2, 1, 0)
            self._array("mesh_template", body.v_template.T.reshape(-1))
            self._array("mesh_offsets", offsets.reshape(-1, 3 * vertex_count))
            self._array("mesh_weights", body.weights.T)

    def _array(self, name: str, values: np.ndarray):
        tensor = torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)
        self.register_buffer(name, tensor, persistent=False)

    def _fold(self, body: Body, regressor: np.ndarray):
        """Sum over vertices once: moments of every (keypoint, bone) pair that touch, for regressor (K, V)."""
        keypoints, bones, weights, moments = [], [], [], []
        for index, row in enumerate(np.asarray(regressor, dtype=np.float64)):
            touched = np.flatnonzero(row)
            shares = row[touched, None] * body.weights[touched].astype(np.float64)  # (v, 24)
            moving = np.flatnonzero(np.abs(shares).sum(axis=0))
            rest = np.concatenate(
                [body.v_template[touched, :, None], body.shapedirs[touched], body.posedirs[touched]], axis=2
            )
            keypoints += [index] * len(moving)
            bones += moving.tolist()
            weights += shares[:, moving].sum(axis=0).tolist()
            moments += list(np.einsum("vj,vcd->jcd", shares[:, moving], rest, optimize=True))
        stacked = np.array(moments).reshape(-1, 3, 1 + SHAPE_COUNT + POSE_FEATURE_COUNT)
        self.register_buffer("pair_keypoint", torch.tensor(keypoints, dtype=torch.int64), persistent=False)
        self.register_buffer("pair_bone", torch.tensor(bones, dtype=torch.int64), persistent=False)
        self._array("pair_weight", np.array(weights).reshape(-1, 1))
        self._array("pair_template", stacked[..., 0].reshape(-1))
        self._array("pair_offsets", stacked[..., 1:].reshape(-1, SHAPE_COUNT + POSE_FEATURE_COUNT).T)
        turned, still = self._shape_terms()
        self.register_buffer("shape_turned", turned.flatten(2).flatten(0, 1), persistent=False)
        self.register_buffer("shape_still", still, persistent=False)

    def _shape_terms(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What shape does to points while the pose stays: linear in the bones' rotations, and so summed once.

        Returns:
            (24, 3, K + 24, 10) what each column of each bone's rotation is multiplied with, and (K + 24, 3, 10) what
            comes without rotations, as the pelvis stays where it is at rest.
        """
        rest = self.joint_shapedirs.T.unflatten(0, (24, 3))
        above, parents = self.kinematics.above, self.kinematics.parents
        by_child = above[:, 1:, None, None] * (rest[1:] - rest[parents])  # (24 joints, 23 bones, 3, 10)
        joints = rest.new_zeros(24, 24, 3, SHAPE_COUNT).index_add(0, parents, by_child.transpose(0, 1))
        offsets = joints.clone()  # of bones; what turns with a bone turns about its joint
        each = torch.arange(24)
        offsets[each, each] -= rest
        weights = self.bone_weights()
        keypoints = torch.einsum("kb,pbcs->pkcs", weights, offsets)
        moments = self.pair_offsets[:SHAPE_COUNT].T.unflatten(0, (-1, 3))
        keypoints[self.pair_bone, self.pair_keypoint] += moments
        still = torch.cat([weights.sum(1), rest.new_ones(24)])[:, None, None] * rest[0]
        return torch.cat([keypoints, joints], 1).transpose(1, 2), still

    def forward(self, rotmat: torch.Tensor, betas: torch.Tensor, transl: torch.Tensor | None = None) -> PosedBatch:
        """Pose the bodies.

        Args:
            rotmat: (B, 24, 3, 3) rotations relative to the parent; joint 0 is the global orientation.
            betas: (B, 10) shape.
            transl: (B, 3) translation in metres, added after skinning (as `smplx` does).

        Returns:
            Joints, keypoints of the asked joint sets, and vertices if `full`.
        """
        batch = len(rotmat)
        rest_joints = self.joint_template + (betas @ self.joint_shapedirs).view(batch, 24, 3)
        joints, rotations = self.kinematics(rotmat, rest_joints)
        offsets = joints - (rotations @ rest_joints[..., None])[..., 0]
        if transl is not None:
            joints, offsets = joints + transl[:, None], offsets + transl[:, None]
        identity = torch.eye(3, dtype=rotmat.dtype, device=rotmat.device)
        pose_feature = (rotmat[:, 1:] - identity).reshape(batch, POSE_FEATURE_COUNT)
        coefficients = torch.cat([betas, pose_feature], dim=1)
        keypoints = self._keypoints(coefficients, rotations, offsets).split(self._counts, dim=1)
        vertices = self._vertices(coefficients, rotations, offsets) if self.full else None
        return PosedBatch(vertices, joints, rotations, dict(zip(self.known, keypoints, strict=True)))

    def bone_weights(self) -> torch.Tensor:
        """(K, 24) how much each keypoint moves with each bone (skinning weights), in the keypoints' order."""
        weights = self.pair_weight.new_zeros(sum(self._counts), 24)
        return weights.index_put((self.pair_keypoint, self.pair_bone), self.pair_weight[:, 0])

    def shape_directions(self, rotations: torch.Tensor) -> torch.Tensor:
        """How joints and keypoints move with shape while the pose stays; exact, since they are linear in the betas.

        Args:
            rotations: (B, 24, 3, 3) of posed bodies (`PosedBatch.rotations`).

        Returns:
            (B, K + 24, 3, 10) metres per unit of each beta: the keypoints in the order they come, then the joints.
        """
        count = len(self.shape_still)
        turned = rotations.transpose(1, 2).flatten(2) @ self.shape_turned
        return turned.unflatten(2, (count, SHAPE_COUNT)).transpose(1, 2) + self.shape_still

    def _keypoints(self, coefficients, rotations, offsets) -> torch.Tensor:
        batch = len(coefficients)
        moments = torch.addmm(self.pair_template, coefficients, self.pair_offsets).view(batch, -1, 1, 3)
        turned = (rotations[:, self.pair_bone] * moments).sum(dim=-1)
        parts = torch.addcmul(turned, offsets[:, self.pair_bone], self.pair_weight)
        return parts.new_zeros(batch, sum(self._counts), 3).index_add(1, self.pair_keypoint, parts)

    def _vertices(self, coefficients, rotations, offsets) -> torch.Tensor:
        bones = torch.cat([rotations, offsets[..., None]], dim=-1).permute(0, 2, 3, 1)  # (B, 3, 4, 24)
        rest = torch.addmm(self.mesh_template, coefficients, self.mesh_offsets).view(len(coefficients), 3, -1)
        chunks = []
        for some_bones, some_rest in zip(bones.split(_MESH_CHUNK), rest.split(_MESH_CHUNK), strict=True):
            moved = (some_bones.reshape(-1, 24) @ self.mesh_weights).view(len(some_rest), 3, 4, -1)
            skinned = moved[:, :, 3]
            for axis in range(3):
                skinned = torch.addcmul(skinned, moved[:, :, axis], some_rest[:, None, axis])
            chunks.append(skinned)
        return torch.cat(chunks).transpose(1, 2)
