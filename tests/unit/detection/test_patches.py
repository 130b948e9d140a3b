import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliff_core.detection.patches import Square, apply_affine, grown, sample
from cliff_core.records import Box


@pytest.fixture
def noise():
    return np.random.default_rng(2).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_a_square_at_its_own_size_is_copied(noise):
    np.testing.assert_array_equal(sample(noise, Square((40, 30), 32), 32), noise[14:46, 24:56])


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_quarter_turns_are_exact(noise, quarter_turns):
    # turning the square clockwise on the photo turns what is in it counter-clockwise
    patch = sample(noise, Square((40, 30), 32, np.deg2rad(90 * quarter_turns)), 32)
    np.testing.assert_array_equal(patch, np.rot90(noise[14:46, 24:56], quarter_turns))


def test_outside_the_photo_is_black(noise):
    patch = sample(noise, Square((0, 0), 32), 32)
    assert (patch[:16] == 0).all()
    assert (patch[:, :16] == 0).all()
    np.testing.assert_array_equal(patch[16:, 16:], noise[:16, :16])
    assert (sample(noise, Square((-500, -500), 32), 32) == 0).all()


def test_outside_the_given_part_is_black(noise):
    patch = sample(noise, Square((40, 30), 32), 32, within=np.array([30.0, 20.0, 50.0, 40.0]))
    np.testing.assert_array_equal(patch[6:26, 6:26], noise[20:40, 30:50])
    patch[6:26, 6:26] = 0
    assert (patch == 0).all()


def test_shrinking_averages_instead_of_skipping_pixels():
    board = (np.indices((400, 400)).sum(axis=0) % 2 * 255).astype(np.uint8)
    patch = sample(np.repeat(board[..., None], 3, axis=2), Square((200, 200), 300), 30)
    np.testing.assert_allclose(patch, 127.5, atol=2)


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(100, 500),
    y=st.floats(100, 300),
    side=st.floats(40, 900),
    angle=st.floats(-np.pi, np.pi),
    u=st.floats(8, 56),
    v=st.floats(8, 56),
)
def test_the_map_says_where_a_pixel_of_the_patch_comes_from(x, y, side, angle, u, v):
    square = Square((x, y), side, angle)
    spot = apply_affine(square.to_photo(64), np.array([u, v]))
    rows, columns = np.indices((400, 600)) + 0.5
    scale = max(side / 64, 1.0)
    blob = 255 * np.exp(-((columns - spot[0]) ** 2 + (rows - spot[1]) ** 2) / (2 * (2 * scale) ** 2))
    patch = sample(np.repeat(blob.astype(np.uint8)[..., None], 3, axis=2), square, 64)[..., 0].astype(float)
    if not (0 < spot[0] < 600 and 0 < spot[1] < 400) or patch.sum() == 0:
        return
    peak = np.unravel_index(patch.argmax(), patch.shape)
    np.testing.assert_allclose(np.array(peak)[::-1] + 0.5, (u, v), atol=1.5)


def test_a_square_around_a_box():
    square = Square.around(Box(10, 20, 30, 100), 1.25)
    assert square.centre_px == (20, 60)
    assert square.side_px == pytest.approx(100)
    np.testing.assert_allclose(grown(Box(10, 20, 30, 100), 0.1), (2, 12, 38, 108))
