"""Bars with spread and maps of facing: what is drawn is what was measured."""

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.rendering.charts import Panel, Series, bar_charts
from cliff_core.rendering.plan_view import Answer, facing_deg, same_crop_sheet

RED, GREEN = (200, 30, 30), (30, 200, 30)


def _height_px(picture, colour):
    """Rows of a colour, the legend's square left out."""
    rows = np.flatnonzero((picture == colour).all(-1).sum(1) > 20)
    return len(rows)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bar_of_twice_the_value_is_twice_as_long(sign):
    panel = Panel(
        "error, mm", ["all"], [Series("a", RED, [sign * 50.0], [0.0]), Series("b", GREEN, [sign * 25.0], [0.0])]
    )
    picture = bar_charts([[panel]])
    assert _height_px(picture, RED) == pytest.approx(2 * _height_px(picture, GREEN), abs=6)


def test_a_group_without_a_value_stays_empty():
    panel = Panel("error, mm", ["none"], [Series("a", RED, [np.nan], [np.nan])])
    assert _height_px(bar_charts([[panel]], "title", "note"), RED) == 0


def test_facing_is_zero_towards_the_camera_and_positive_to_the_right_of_the_photo():
    towards = np.diag([1.0, -1.0, -1.0])  # SMPL's front is +z, the camera looks along +z
    right = rotvec_to_rotmat(np.array([0.0, -np.pi / 2, 0.0])) @ towards
    np.testing.assert_allclose(facing_deg(np.stack([towards, right])), [0, 90], atol=1e-9)


def test_the_sheet_shows_photo_crops_and_a_map_for_every_answer():
    body = load_body()
    places = np.array([[-1.8, 0, 6.0], [0.0, 0, 6.5], [1.8, 0, 6.0]])
    rest = body.pose(np.stack([np.diag([1.0, -1.0, -1.0]), *[np.eye(3)] * 23]), np.zeros(10)).vertices
    people = rest + places[:, None]
    answers = [
        Answer("one", RED, people, np.zeros(3), np.zeros(3)),
        Answer("two", GREEN, people, np.ones(3), np.ones(3)),
    ]
    photo, crops = np.full((540, 960, 3), 90, np.uint8), np.full((3, 256, 256, 3), 120, np.uint8)
    boxes = np.array([[60, 100, 260, 300], [380, 100, 580, 300], [700, 100, 900, 300]], float)
    sheet = same_crop_sheet(photo, list(crops), boxes, people, np.zeros(3), answers, body.faces, "title", 900)
    assert sheet.shape[1] == 900
    left, right = sheet[:, :450], sheet[:, 450:]
    assert (left == RED).all(-1).sum() > 200 > (left == GREEN).all(-1).sum()
    assert (right == GREEN).all(-1).sum() > 200 > (right == RED).all(-1).sum()
