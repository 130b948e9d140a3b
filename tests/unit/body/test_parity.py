"""Our skinning against the reference implementation and the official code's numbers."""

import numpy as np
import pytest
import torch

from cliff_core.body.regressors import OFFICIAL_VERTICES
from cliff_core.body.torch_body import TorchBody

METRES = 1e-5  # a hundredth of a millimetre


@pytest.fixture(params=["open_body", "formula_body"])
def body(request):
    return request.getfixturevalue(request.param)


def test_numpy_body_equals_smplx(body, some_poses, smplx_pose):
    vertices, joints = smplx_pose(body, *some_poses)
    for index, (rotmat, betas, transl) in enumerate(zip(*some_poses, strict=True)):
        posed = body.pose(rotmat, betas, transl)
        np.testing.assert_allclose(posed.vertices, vertices[index], atol=METRES, rtol=0)
        np.testing.assert_allclose(_joints45(body, posed), joints[index], atol=METRES, rtol=0)


def test_torch_body_equals_smplx(body, some_poses, smplx_pose):
    vertices, joints = smplx_pose(body, *some_poses)
    posed = TorchBody(body, joint_sets=(), full=True)(*_tensors(some_poses))
    np.testing.assert_allclose(posed.vertices, vertices, atol=METRES, rtol=0)
    np.testing.assert_allclose(posed.joints, joints[:, :24], atol=METRES, rtol=0)


def test_numpy_body_gives_the_official_numbers(formula_body, golden_smpl):
    for index, joints54 in enumerate(_our_joints54(formula_body, golden_smpl)):
        posed = _golden_pose(formula_body, golden_smpl, index)
        np.testing.assert_allclose(posed.vertices[golden_smpl["vert_idx"]], golden_smpl["verts"][index], atol=1e-4)
        np.testing.assert_allclose(posed.vertices.mean(0), golden_smpl["verts_mean"][index], atol=1e-4)
        np.testing.assert_allclose(joints54[:45], golden_smpl["joints45"][index], atol=1e-4)
        np.testing.assert_allclose(joints54, golden_smpl["joints54"][index], atol=1e-4)
        np.testing.assert_allclose(joints54[golden_smpl["joint_map49"]], golden_smpl["joints49"][index], atol=1e-4)


def test_torch_body_gives_the_official_numbers(formula_body, golden_smpl):
    inputs = (torch.tensor(golden_smpl[name]) for name in ("rotmat", "betas", "transl"))
    posed = TorchBody(formula_body, ("spin24",), full=True)(*inputs)
    np.testing.assert_allclose(posed.vertices[:, golden_smpl["vert_idx"]], golden_smpl["verts"], atol=1e-4)
    np.testing.assert_allclose(posed.joints, golden_smpl["joints54"][:, :24], atol=1e-4)
    np.testing.assert_allclose(posed.keypoints["spin24"][:, EXTRA], golden_smpl["joints54"][:, 45:], atol=1e-4)


def test_joints_without_the_mesh_equal_the_joints_of_the_mesh(open_body, some_poses):
    rotmat, betas, _ = (array[4] for array in some_poses)
    joints, rotations = open_body.forward_kinematics(rotmat, betas)
    np.testing.assert_allclose(joints, open_body.pose(rotmat, betas).joints, atol=1e-6)
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (24, 1, 1)), atol=1e-12)


def test_every_open_body_is_a_person_of_plausible_height():
    from cliff_core.body import load_body

    for gender in ("neutral", "male", "female"):
        body = load_body(gender=gender)
        height = np.ptp(body.pose(np.tile(np.eye(3), (24, 1, 1)), np.zeros(10)).vertices[:, 1])
        assert body.gender == gender
        assert 1.5 < height < 1.95


# Where spin24 holds the nine points of J_regressor_extra, in that file's order: right hip first.
EXTRA = [2, 3, 12, 13, 14, 15, 16, 17, 18]


def _tensors(arrays):
    return tuple(torch.tensor(array, dtype=torch.float32) for array in arrays)


def _golden_pose(body, golden, index):
    return body.pose(golden["rotmat"][index], golden["betas"][index], golden["transl"][index])


def _joints45(body, posed):
    """SMPL's 24, then the vertices of face, feet and fingers, in the order of the `smplx` package."""
    return np.concatenate([posed.joints, posed.vertices[[body.vertex_names[name] for name in OFFICIAL_VERTICES]]])


def _our_joints54(body, golden):
    for index in range(len(golden["betas"])):
        posed = _golden_pose(body, golden, index)
        yield np.concatenate([_joints45(body, posed), body.keypoints(posed.vertices, "spin24")[EXTRA]])
