"""The networks against the official code's outputs."""

import numpy as np
import pytest
import torch

from cliff_core.geometry.crop import OFFICIAL_CROP
from cliff_core.models.cliff import Cliff

PARAMETERS = {"res50": 26_980_573, "hr48": 78_893_405}
FLOAT32 = 2e-5  # the golden data's own tolerance for other BLAS libraries and numbers of threads


def assert_outputs(outputs, golden, suffix, atol):
    for name, output in zip(("rotmat", "shape", "cam"), outputs, strict=True):
        np.testing.assert_allclose(output.numpy(), golden[name + suffix], atol=atol, rtol=0, err_msg=name + suffix)


@pytest.fixture(scope="module")
def bbox_info(golden):
    return torch.from_numpy(golden["bbox_info"])


@pytest.fixture(scope="module")
def features(model, formula):
    with torch.no_grad():
        return model.encode(formula.formula_input())


def test_names_shapes_and_count_of_the_parameters_are_official(model, backbone, formula):
    state = model.state_dict()

    assert [[name, list(value.shape), str(value.dtype)[6:]] for name, value in state.items()] == (
        formula.official_keys(backbone)
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[backbone]
    assert (model.name, model.crop_spec, model.training) == (f"cliff-{backbone}", OFFICIAL_CROP, False)


def test_features_are_the_official_ones(features, golden):
    np.testing.assert_allclose(features.numpy(), golden["feat"], atol=FLOAT32, rtol=1e-6)


@torch.no_grad()
def test_forward_gives_the_official_bodies(model, formula, bbox_info, golden):
    assert_outputs(model(formula.formula_input(), bbox_info), golden, "", FLOAT32)


@torch.no_grad()
@pytest.mark.parametrize("n_iter", [1, 2, 3])
def test_every_iteration_is_the_official_one(model, features, bbox_info, golden, n_iter):
    suffix = f"_it{n_iter}" if n_iter < 3 else ""

    assert_outputs(model.regress(features, bbox_info, n_iter=n_iter), golden, suffix, FLOAT32)


@torch.no_grad()
def test_a_box_in_the_middle_gives_the_official_bodies(model, features, bbox_info, golden):
    assert_outputs(model.regress(features, torch.zeros_like(bbox_info)), golden, "_bbox0", FLOAT32)


@torch.no_grad()
def test_an_explicit_start_gives_the_official_bodies(model, features, bbox_info, golden):
    start = {
        "init_pose": torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(2, 24),
        "init_shape": torch.zeros(2, 10),
        "init_cam": torch.tensor([[1.0, 0, 0]]).repeat(2, 1),
    }

    assert_outputs(model.regress(features, bbox_info, **start), golden, "_init", FLOAT32)


@torch.no_grad()
def test_in_double_precision_the_official_numbers_come_out_to_nine_digits(model, formula, bbox_info, golden):
    try:
        outputs = model.double()(formula.formula_input().double(), bbox_info.double())
    finally:
        model.float()

    assert_outputs(outputs, golden, "_f64", 1e-9)


def test_gradients_are_the_official_ones(model, formula, bbox_info, golden):
    rotmat, betas, cam = model(formula.formula_input()[:1], bbox_info[:1])
    loss = (rotmat**3).mean() + (betas**2).mean() + (cam**2).mean()
    gradients = dict(zip(dict(model.named_parameters()), torch.autograd.grad(loss, model.parameters()), strict=True))
    total = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()

    assert loss.item() == pytest.approx(float(golden["grad_loss"]), rel=1e-3)
    assert total.item() == pytest.approx(float(golden["grad_total_norm"]), rel=1e-3)
    for name, norm in zip(golden["grad_keys"], golden["grad_norm"], strict=True):
        assert gradients[name].norm().item() == pytest.approx(norm, rel=1e-3), name


def test_another_size_of_crop_is_refused_by_name(model):
    with pytest.raises(ValueError, match=r"\(B, 3, 256, 192\), got \(1, 3, 224, 224\)"):
        model(torch.zeros(1, 3, 224, 224), torch.zeros(1, 3))


def test_without_a_correction_the_body_is_the_upright_mean():
    rotmat, betas, cam = Cliff("res50").regress(torch.zeros(1, 2048), torch.zeros(1, 3), n_iter=0)

    # y is down in the camera and up in the body
    np.testing.assert_array_equal(rotmat[0, 0].numpy(), np.diag([1, -1, -1]))
    np.testing.assert_array_equal(rotmat[0, 1:].numpy(), np.tile(np.eye(3), (23, 1, 1)))
    assert (betas == 0).all()
    np.testing.assert_allclose(cam.numpy(), [[0.9, 0, 0]])


def test_fresh_weights_can_learn():
    torch.manual_seed(0)
    fresh = Cliff("res50").eval()

    rotmat, betas, cam = fresh(torch.randn(1, 3, 256, 192), torch.zeros(1, 3))
    (rotmat.sum() + betas.sum() + cam.sum()).backward()

    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in fresh.parameters())
