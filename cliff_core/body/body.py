"""The body in NumPy: what the window, the exporters and the interactive solver pose.

The torch twin (`torch_body.TorchBody`) does the same arithmetic in batches and with gradients; one parity test holds
both to `smplx`. Linear blend skinning as in SMPL (Loper et al. 2015): the template is shaped by `betas`, corrected by
the pose, and each vertex follows a weighted mean of the 24 bones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cliff_core.body.regressors import derive

SHAPE_COUNT = 10
POSE_FEATURE_COUNT = 207  # 23 joints x 9 matrix entries


@dataclass(frozen=True, slots=True)
class PosedBody:
    """A body in a pose.

    Attributes:
        vertices: (V, 3) float32, metres.
        joints: (24, 3) float32, SMPL's joints in metres.
    """

    vertices: np.ndarray
    joints: np.ndarray


def _frozen(array, dtype, order=None) -> np.ndarray:
    array = np.array(array, dtype=dtype, order=order)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Body:
    """A body model in SMPL's layout; immutable, so that threads may share it.

    Attributes:
        name: what the person calls this body (file name or "open-neutral").
        gender: "neutral", "male" or "female".
        v_template: (V, 3) float32 mean body in the rest pose, metres, y up.
        shapedirs: (V, 3, 10) float32 vertex offsets per unit of each shape coefficient.
        posedirs: (V, 3, 207) float32 vertex offsets per entry of (rotation matrix - identity) of joints 1 to 23.
        J_regressor: (24, V) float32, rest vertices to rest joints.
        weights: (V, 24) float32 skinning weights.
        parents: (24,) parent of each joint, -1 for the pelvis.
        faces: (F, 3) int32.
        regressors: joint set -> (K, V) float32, posed vertices to keypoints.
        regressor_known: joint set -> (K,) bool, False where a row is unknown (and zero).
        vertex_names: name -> vertex index; at least `smplx`'s 21 extra vertices where the mesh has them.
        part_labels: (V,) int8, the joint that moves each vertex most.
    """

    name: str
    gender: str
    v_template: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    J_regressor: np.ndarray
    weights: np.ndarray
    parents: np.ndarray
    faces: np.ndarray
    regressors: dict[str, np.ndarray]
    regressor_known: dict[str, np.ndarray]
    vertex_names: dict[str, int]
    part_labels: np.ndarray | None = None
    joint_template: np.ndarray = field(init=False, repr=False)
    joint_shapedirs: np.ndarray = field(init=False, repr=False)
    _blend: np.ndarray = field(init=False, repr=False)
    _template_rows: np.ndarray = field(init=False, repr=False)
    _weight_rows: np.ndarray = field(init=False, repr=False)
    _derived: dict[str, tuple[np.ndarray, np.ndarray]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self):
        # One block, coefficients first: shape and pose offsets are then one vector-matrix product, and skinning runs
        # over contiguous rows of x, y and z. The public arrays are views of it, so that nothing is held twice.
        blend = _frozen(
            np.concatenate([self.shapedirs, self.posedirs], axis=2).transpose(2, 1, 0), np.float32, order="C"
        )
        regressor = np.asarray(self.J_regressor, dtype=np.float64)
        labels = self.weights.argmax(axis=1) if self.part_labels is None else self.part_labels
        values = {
            "_blend": blend.reshape(len(blend), -1),
            "shapedirs": blend[:SHAPE_COUNT].transpose(2, 1, 0),
            "posedirs": blend[SHAPE_COUNT:].transpose(2, 1, 0),
            "v_template": _frozen(self.v_template, np.float32),
            "J_regressor": _frozen(self.J_regressor, np.float32),
            "weights": _frozen(self.weights, np.float32),
            "parents": _frozen(self.parents, np.int64),
            "faces": _frozen(self.faces, np.int32),
            "regressors": {name: _frozen(rows, np.float32) for name, rows in self.regressors.items()},
            "regressor_known": {name: _frozen(flags, bool) for name, flags in self.regressor_known.items()},
            "part_labels": _frozen(labels, np.int8),
            "joint_template": _frozen(regressor @ self.v_template, np.float64),
            "joint_shapedirs": _frozen(np.einsum("jv,vcb->jcb", regressor, self.shapedirs, optimize=True), np.float64),
            "_template_rows": _frozen(np.transpose(self.v_template), np.float32, order="C"),
            "_weight_rows": _frozen(np.transpose(self.weights), np.float32, order="C"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def rest_joints(self, betas: np.ndarray) -> np.ndarray:
        """(24, 3) float64 joints of the shaped body in the rest pose."""
        return self.joint_template + self.joint_shapedirs @ np.asarray(betas, dtype=np.float64)

    def forward_kinematics(self, pose_rotmat: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints without the mesh: what an interactive solver needs, in a tenth of the time.

        Args:
            pose_rotmat: (24, 3, 3) rotations relative to the parent; row 0 is the global orientation.
            betas: (10,) shape.

        Returns:
            (24, 3) joint positions in metres, without translation, and (24, 3, 3) global rotations, both float64.
        """
        rest = self.rest_joints(betas)
        positions = np.empty((24, 3))
        rotations = np.empty((24, 3, 3))
        positions[0] = rest[0]
        rotations[0] = pose_rotmat[0]
        bones = rest - rest[self.parents]
        for joint in range(1, 24):
            parent = self.parents[joint]
            rotations[joint] = rotations[parent] @ pose_rotmat[joint]
            positions[joint] = positions[parent] + rotations[parent] @ bones[joint]
        return positions, rotations

    def pose(self, pose_rotmat: np.ndarray, betas: np.ndarray, transl: np.ndarray | None = None) -> PosedBody:
        """The mesh and the joints in a pose.

        Args:
            pose_rotmat: (24, 3, 3) rotations relative to the parent; row 0 is the global orientation.
            betas: (10,) shape.
            transl: (3,) translation in metres, added after skinning (as `smplx` does).

        Returns:
            Vertices and joints, float32.
        """
        pose_rotmat = np.asarray(pose_rotmat, dtype=np.float64)
        joints, rotations = self.forward_kinematics(pose_rotmat, betas)
        offsets = joints - np.einsum("jab,jb->ja", rotations, self.rest_joints(betas))
        if transl is not None:
            joints, offsets = joints + transl, offsets + transl
        pose_feature = (pose_rotmat[1:] - np.eye(3)).reshape(-1)
        coefficients = np.concatenate([betas, pose_feature]).astype(np.float32)
        rest = self._template_rows + (coefficients @ self._blend).reshape(3, -1)  # (3, V)
        bones = np.concatenate([rotations.transpose(1, 2, 0), offsets.T[:, None]], axis=1)  # (3, 4, 24)
        moved = bones.reshape(12, 24).astype(np.float32) @ self._weight_rows  # (12, V)
        vertices = np.empty((rest.shape[1], 3), dtype=np.float32)
        for axis in range(3):
            x, y, z, offset = moved[4 * axis : 4 * axis + 4]
            vertices[:, axis] = x * rest[0] + y * rest[1] + z * rest[2] + offset
        return PosedBody(vertices, joints.astype(np.float32))

    def keypoint_regressor(self, joint_set: str) -> tuple[np.ndarray, np.ndarray]:
        """Posed vertices to the keypoints of a joint set, the body's own rows first, others by the field's equalities.

        Args:
            joint_set: name in `skeletons.JOINT_SETS`, except "smpl24" (see `PosedBody.joints`).

        Returns:
            (K, V) float32 matrix, zero where unknown, and (K,) bool: which points this body knows.
        """
        if joint_set not in self._derived:  # two threads may both do this once; the results are equal
            matrix, known = derive(self.regressors, self.regressor_known, joint_set)
            self._derived[joint_set] = _frozen(matrix, np.float32), _frozen(known, bool)
        return self._derived[joint_set]

    def keypoints(self, vertices: np.ndarray, joint_set: str) -> np.ndarray:
        """(K, 3) keypoints of posed vertices (V, 3), in their frame; NaN where the body does not know the point."""
        matrix, known = self.keypoint_regressor(joint_set)
        points = matrix @ vertices
        points[~known] = np.nan
        return points
