"""Sliders of shape: each moves its own measure, exactly, and leaves height and build alone."""

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.errors import GeometryError
from cliff_core.fitting.editing import height_m
from cliff_core.fitting.shape_axes import SHAPE_AXES, range_of, value_of, with_value


@pytest.fixture(scope="module", params=["neutral", "female", "male"])
def body(request):
    return load_body(gender=request.param)


def _build(body, betas):
    return value_of(body, betas, "weight") / value_of(body, betas, "height") ** 2


def test_the_mean_shape_is_a_grown_up(body):
    mean = np.zeros(10)
    assert 1.6 < value_of(body, mean, "height") < 1.85
    assert 50 < value_of(body, mean, "weight") < 85
    assert 0.44 < value_of(body, mean, "legs") / value_of(body, mean, "height") < 0.52


@pytest.mark.parametrize("axis", [axis.name for axis in SHAPE_AXES])
def test_a_slider_reaches_its_value_and_comes_back(body, axis):
    betas = np.random.default_rng(1).normal(size=10) * 0.5
    start = value_of(body, betas, axis)
    low, high = range_of(body, axis)
    assert low < value_of(body, np.zeros(10), axis) < high
    for value in np.linspace(start, (start + high) / 2, 4)[1:]:
        moved = with_value(body, betas, axis, value)
        np.testing.assert_allclose(value_of(body, moved, axis), value, rtol=1e-4)
        assert np.abs(moved - betas).max() < 4
        if axis != "height":
            np.testing.assert_allclose(value_of(body, moved, "height"), value_of(body, betas, "height"), rtol=1e-4)
        if axis != "weight":
            np.testing.assert_allclose(_build(body, moved), _build(body, betas), rtol=1e-4)
    np.testing.assert_allclose(with_value(body, moved, axis, start), betas, atol=0.2)


def test_height_in_and_height_out(body):
    betas = with_value(body, np.zeros(10), "height", 1.78)
    np.testing.assert_allclose(height_m(body, betas), 1.78, atol=1e-4)


def test_an_absurd_value_gives_a_finite_body(body):
    betas = with_value(body, np.zeros(10), "weight", 900.0)
    assert np.abs(betas).max() <= 6
    with pytest.raises(GeometryError, match="positive"):
        with_value(body, betas, "height", -1)
    with pytest.raises(GeometryError, match="height, weight"):
        value_of(body, betas, "depth")
