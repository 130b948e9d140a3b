"""The open CLIFF: its optional points, its checkpoint."""

import copy

import pytest
import torch

from cliff_core.errors import CheckpointError
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import FEATURE_SIZE, POINTS, OpenCliff, OpenCliffConfig

SMALL = OpenCliffConfig(image_width=16, points_width=32, blocks=1, image_iterations=2, points_iterations=2)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = OpenCliff(SMALL, "small").eval()
    with torch.no_grad():  # far from the start, so that inputs show in the output
        model.from_image.state_out.weight.normal_(0, 0.2)
        model.from_points.state_out.weight.normal_(0, 0.2)
        model.init_pose.copy_(torch.eye(3)[:, :2].repeat(24, 1, 1).reshape(1, 144))
    return model


def _inputs(count=3):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(count, FEATURE_SIZE, generator=generator)
    info = torch.randn(count, 3, generator=generator)
    points = torch.rand(count, POINTS, 3, generator=generator)
    return features, info, points


def test_without_points_it_is_plain_cliff(model):
    features, info, points = _inputs()
    points[1, :, 2] = 0
    seen = model.see(features, info)[-1]
    plain = model.regress(features, info)
    mixed = model.regress(features, info, points)
    torch.testing.assert_close(plain[0], seen.rotmat)
    for a, b in zip(mixed, plain, strict=True):
        torch.testing.assert_close(a[1], b[1])  # the person without points
        assert not torch.allclose(a[0], b[0])


def test_only_placed_points_are_followed_from_two_starts(model):
    features, info, points = _inputs()
    points[2, :, 2] = 0
    plain = model.regress(features, info, points)
    twice = model.regress(features, info, points, torch.tensor([True, False, True]))
    nobody = model.regress(features, info, points, torch.zeros(3, dtype=torch.bool))
    for a, b, c in zip(plain, twice, nobody, strict=True):
        assert not torch.allclose(a[0], b[0])
        torch.testing.assert_close(a[1:], b[1:])  # detected points, and no points at all
        torch.testing.assert_close(a, c)


def test_where_a_missing_point_lies_does_not_matter(model):
    features, info, points = _inputs()
    points[:, 7, 2] = 0
    moved = points.clone()
    moved[:, 7, :2] += 5
    for a, b in zip(model.regress(features, info, points), model.regress(features, info, moved), strict=True):
        torch.testing.assert_close(a, b)


def test_each_of_image_place_and_points_changes_the_prediction(model):
    features, info, points = _inputs()
    base = model.regress(features, info, points)[0]
    moved = points.clone()
    moved[:, 9, 0] += 0.1
    for changed in ((features + 1, info, points), (features, info + 1, points), (features, info, moved)):
        assert (model.regress(*changed)[0] - base).abs().max() > 1e-5


def test_predictions_are_rotations_and_end_with_the_last_iteration(model):
    features, info, _ = _inputs()
    steps = model.see(features, info)
    rotmat, betas, cam_crop = model.regress(features, info)
    assert len(steps) == SMALL.image_iterations
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
    kept = copy.deepcopy(model)
    kept.load_state_dict({name: value.half().float() for name, value in model.state_dict().items()})
    for a, b in zip(loaded.regress(*_inputs()), kept.regress(*_inputs()), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda checkpoint: checkpoint.update(version=99), "version 99"),
        (lambda checkpoint: checkpoint["state"].pop("init_pose"), "init_pose"),
        (lambda checkpoint: checkpoint.pop("state"), "damaged"),
        (lambda checkpoint: checkpoint["config"].update(points_width=64), "size"),
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
