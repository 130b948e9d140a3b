"""The open CLIFF: its optional points, its checkpoint."""

import pytest
import torch

from cliff_core.errors import CheckpointError
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import FEATURE_SIZE, OpenCliff, OpenCliffConfig

SMALL = OpenCliffConfig(width=32, image_width=16, blocks=1, iterations=2)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = OpenCliff(SMALL, "small").eval()
    with torch.no_grad():  # far from the start, so that inputs show in the output
        model.state_out.weight.normal_(0, 0.2)
        model.init_pose.copy_(torch.eye(3)[:, :2].repeat(24, 1, 1).reshape(1, 144))
    return model


def _inputs(count=3):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(count, FEATURE_SIZE, generator=generator)
    info = torch.randn(count, 3, generator=generator)
    points = torch.rand(count, 23, 3, generator=generator)
    return features, info, points


def test_no_points_and_points_without_confidence_are_the_same(model):
    features, info, points = _inputs()
    points[..., 2] = 0
    without = model.regress(features, info)
    unsure = model.regress(features, info, points)
    for a, b in zip(without, unsure, strict=True):
        torch.testing.assert_close(a, b)


def test_each_of_image_place_and_points_changes_the_prediction(model):
    features, info, points = _inputs()
    base = model.regress(features, info, points)[0]
    assert (model.regress(features + 1, info, points)[0] - base).abs().max() > 1e-4
    assert (model.regress(features, info + 1, points)[0] - base).abs().max() > 1e-4
    moved = points.clone()
    moved[:, 9, 0] += 0.1
    assert (model.regress(features, info, moved)[0] - base).abs().max() > 1e-5


def test_predictions_are_rotations_and_end_with_the_last_iteration(model):
    features, info, points = _inputs()
    steps = model.refine(features, info, points)
    rotmat, betas, cam_crop = model.regress(features, info, points)
    assert len(steps) == SMALL.iterations
    torch.testing.assert_close(rotmat @ rotmat.transpose(-1, -2), torch.eye(3).expand(3, 24, 3, 3), atol=1e-5, rtol=0)
    assert betas.shape == (3, 10)
    assert cam_crop.shape == (3, 3)
    torch.testing.assert_close(steps[-1].rotmat, rotmat)


def test_a_checkpoint_comes_back_through_load_cliff(model, tmp_path):
    path = tmp_path / "small.pt"
    torch.save(model.checkpoint(), path)
    loaded = load_cliff(path)
    assert loaded.name == "small"
    assert loaded.config == SMALL
    for a, b in zip(loaded.regress(*_inputs()), model.regress(*_inputs()), strict=True):
        torch.testing.assert_close(a, b, atol=0.02, rtol=0)  # weights are kept in half precision


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda checkpoint: checkpoint.update(version=99), "version 99"),
        (lambda checkpoint: checkpoint["state"].pop("init_pose"), "init_pose"),
        (lambda checkpoint: checkpoint.pop("state"), "damaged"),
        (lambda checkpoint: checkpoint["config"].update(width=64), "size"),
    ],
)
def test_a_spoilt_checkpoint_is_refused_by_name(model, tmp_path, spoil, words):
    path = tmp_path / "spoilt.pt"
    checkpoint = model.checkpoint()
    spoil(checkpoint)
    torch.save(checkpoint, path)
    with pytest.raises(CheckpointError, match=r"spoilt\.pt") as caught:
        load_cliff(path)
    assert words in str(caught.value)
