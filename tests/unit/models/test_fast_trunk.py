"""The trunk as prediction runs it, against the network it is made from."""

import numpy as np
import pytest
import torch
from torch import nn

from cliff_core.execution.device import Compute, Precision
from cliff_core.geometry.crop import normalise
from cliff_core.models import load_cliff
from cliff_core.models.fast_trunk import FastTrunk, fold_batch_norm

EXACT = Compute("cpu", Precision.FLOAT32)
ROUNDED = Compute("cpu", Precision.BFLOAT16)


def patches_for(model, count=2):
    """Smooth patterns in all brightnesses, as `crop_image` gives them."""
    n, i, j, c = np.ogrid[:count, : model.crop_spec.height_px, : model.crop_spec.width_px, :3]
    return (127.5 * (1 + np.sin(0.05 * i * (c + 1) + 0.03 * j * (n + 1)))).astype(np.float32)


def features_of(model, patches):
    with torch.no_grad():
        return model.encode(torch.from_numpy(normalise(patches, model.crop_spec)))


def test_the_official_networks_give_the_same_features_without_their_batch_norms(model):
    patches = patches_for(model)
    expected = features_of(model, patches)
    features = FastTrunk(model, EXACT)(patches)
    # 1e-5 of the features' spread; folding moves them by 2e-6, and other processors add their own last bits
    assert (features - expected).abs().max() < 1e-5 * expected.std()


def test_the_network_it_is_made_from_stays_as_it_is(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    layers = [type(module) for module in model.modules()]
    FastTrunk(model, ROUNDED)
    assert [type(module) for module in model.modules()] == layers
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name]), name


@pytest.fixture(scope="module")
def open_model():
    return load_cliff()


def test_the_open_trunk_gives_the_same_features(open_model):
    patches = patches_for(open_model, 5)
    expected = features_of(open_model, patches)
    features = FastTrunk(open_model, EXACT)(patches)
    np.testing.assert_allclose(features, expected, atol=1e-4 * float(expected.std()))


def test_bfloat16_rounds_features_by_a_few_hundredths_of_their_spread(open_model):
    patches = patches_for(open_model)
    expected = features_of(open_model, patches)
    features = FastTrunk(open_model, ROUNDED)(patches)
    assert features.dtype is torch.float32
    error = (features - expected).abs().mean() / expected.std()
    assert 1e-4 < error < 0.1  # eight bits through seventy layers; below, it would not have been bfloat16


def test_a_normalisation_without_a_convolution_is_refused_by_name():
    with pytest.raises(ValueError, match=r"^1: "):
        fold_batch_norm(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)))
