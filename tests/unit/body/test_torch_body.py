"""The torch twin: keypoints without the mesh, gradients, what is saved with a network."""

import numpy as np
import torch

from cliff_core.body.body import Body
from cliff_core.body.regressors import official_regressors
from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.rotations_torch import rotvec_to_rotmat
from cliff_core.skeletons import JOINT_SETS, SMPL_PARENTS


def test_keypoints_without_the_mesh_equal_keypoints_of_the_mesh(open_body, some_poses):
    sets = ("coco23", "lsp14", "h36m17", "body25")
    rotmat, betas, transl = (torch.tensor(array, dtype=torch.float32) for array in some_poses)
    alone = TorchBody(open_body, sets)(rotmat, betas, transl)
    with_mesh = TorchBody(open_body, (), full=True)(rotmat, betas, transl)
    assert alone.vertices is None
    for name in sets:
        regressor = torch.tensor(open_body.keypoint_regressor(name)[0])
        torch.testing.assert_close(alone.keypoints[name], regressor @ with_mesh.vertices, atol=1e-5, rtol=0)


def test_both_twins_give_the_same_keypoints(open_body, some_poses):
    rotmat, betas, transl = some_poses
    tensors = (torch.tensor(array, dtype=torch.float32) for array in some_poses)
    batch = TorchBody(open_body, ("coco17",))(*tensors).keypoints["coco17"].numpy()
    for index in range(len(betas)):
        posed = open_body.pose(rotmat[index], betas[index], transl[index])
        np.testing.assert_allclose(batch[index], open_body.keypoints(posed.vertices, "coco17"), atol=1e-5)


def test_mesh_does_not_depend_on_how_many_bodies_are_posed_together(open_body, some_poses):
    layer = TorchBody(open_body, (), full=True)
    rotmat, betas, transl = (torch.tensor(np.tile(array, (4, *[1] * (array.ndim - 1))), dtype=torch.float32)
                             for array in some_poses)  # fmt: skip
    together = layer(rotmat, betas, transl).vertices
    assert len(together) == 24
    torch.testing.assert_close(together[17:18], layer(rotmat[17:18], betas[17:18], transl[17:18]).vertices)


def test_gradients_are_those_of_finite_differences(small_smpl):
    layer = TorchBody(_small_body(small_smpl), ("spin24",), full=True).double()
    random = torch.Generator().manual_seed(3)

    def pose(rotvec, betas, transl):
        posed = layer(rotvec_to_rotmat(rotvec), betas, transl)
        return posed.joints, posed.keypoints["spin24"][:, layer.known["spin24"]], posed.vertices[:, ::7]

    inputs = [0.4 * torch.randn(shape, generator=random, dtype=torch.float64, requires_grad=True)
              for shape in ((2, 24, 3), (2, 10), (2, 3))]  # fmt: skip
    assert torch.autograd.gradcheck(pose, [tensor.detach().requires_grad_() for tensor in inputs])


def test_gradients_are_finite_at_the_rest_pose(open_body):
    rotvec, betas, transl = (torch.zeros(shape, requires_grad=True) for shape in ((2, 24, 3), (2, 10), (2, 3)))
    posed = TorchBody(open_body, ("coco23",), full=True)(rotvec_to_rotmat(rotvec), betas, transl)
    (posed.keypoints["coco23"].square().sum() + posed.vertices.square().sum() + posed.joints.sum()).backward()
    for tensor in (rotvec, betas, transl):
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().max() > 0


def test_a_saved_network_holds_nothing_of_the_body(open_body):
    assert not TorchBody(open_body, ("coco23",), full=True).state_dict()


def test_unknown_keypoints_are_zero_and_marked(small_smpl):
    layer = TorchBody(_small_body(small_smpl), ("coco17",))
    points = layer(torch.eye(3).expand(1, 24, 3, 3), torch.zeros(1, 10), torch.ones(1, 3)).keypoints["coco17"][0]
    hip = JOINT_SETS["coco17"].index("left_hip")
    assert not layer.known["coco17"][hip]
    assert (points[hip] == 0).all()
    assert layer.known["coco17"][JOINT_SETS["coco17"].index("left_knee")]


def _small_body(arrays):
    arrays = dict(arrays, J_regressor=arrays["J_regressor"].toarray())
    faces = arrays.pop("f")
    arrays.pop("kintree_table")
    rows, known = official_regressors(arrays["J_regressor"])
    return Body("small", "neutral", **arrays, parents=SMPL_PARENTS, faces=faces, regressors=rows,
                regressor_known=known, vertex_names={})  # fmt: skip


def test_shape_directions_say_where_points_go_when_the_shape_changes(open_body, some_poses):
    layer = TorchBody(open_body, ("coco23",))
    rotmat, betas, _ = (torch.tensor(array, dtype=torch.float32) for array in some_poses)
    before = layer(rotmat, betas)
    change = torch.linspace(-2, 2, 10)
    moved = layer(rotmat, betas + change).points() - before.points()
    torch.testing.assert_close(layer.shape_directions(before.rotations) @ change, moved, atol=2e-6, rtol=0)


def test_bone_weights_add_up_to_those_of_the_regressor(open_body):
    layer = TorchBody(open_body, ("coco23",))
    matrix, known = open_body.keypoint_regressor("coco23")
    weights = layer.bone_weights()
    torch.testing.assert_close(weights, torch.tensor(matrix @ open_body.weights, dtype=torch.float32))
    assert torch.allclose(weights[torch.tensor(known)].sum(1), torch.ones(int(known.sum())), atol=1e-4)
