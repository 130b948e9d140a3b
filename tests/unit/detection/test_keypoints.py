import numpy as np
import pytest

from cliff_core.detection import KeypointDetector
from cliff_core.records import Box, Provenance
from cliff_core.skeletons import COCO17

# The eyes and the nose are small; people mark them within 1 % of the box. The shoulders hide in a wide suit: COCO's
# annotators differ there by 8 % of the box (OKS), 40 pixels.
FACE_PX, SHOULDER_PX = 10, 40


@pytest.fixture(scope="module")
def detector():
    return KeypointDetector()


def tolerance(name):
    return SHOULDER_PX if "shoulder" in name else FACE_PX


def assert_on_person(found, marked):
    for name, point in marked.items():
        index = COCO17.index(name)
        assert np.linalg.norm(found.points_px[index] - point) < tolerance(name), name
        assert found.visibility[index] == 2, name


def test_face_and_shoulders_are_where_a_person_marks_them(detector, portrait, portrait_box, portrait_points):
    [found] = detector.detect(portrait, [portrait_box])
    assert_on_person(found, portrait_points)


def test_left_is_the_person_s_left(detector, portrait, portrait_box):
    [found] = detector.detect(portrait, [portrait_box])
    for part in ("eye", "ear", "shoulder", "hip"):
        left, right = (found.points_px[COCO17.index(f"{side}_{part}"), 0] for side in ("left", "right"))
        assert left > right + 20, part


def test_a_mirrored_photo_exchanges_left_and_right(detector, portrait, portrait_box, portrait_points):
    swap = {"nose": "nose", "left_eye": "right_eye", "left_shoulder": "right_shoulder"}
    swap |= {after: before for before, after in swap.items()}
    mirrored = {swap[name]: (512 - x, y) for name, (x, y) in portrait_points.items()}
    box = Box(512 - portrait_box.x1, portrait_box.y0, 512 - portrait_box.x0, portrait_box.y1)
    [found] = detector.detect(np.ascontiguousarray(portrait[:, ::-1]), [box])
    assert_on_person(found, mirrored)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_person_lying_or_upside_down_is_read(detector, portrait, portrait_box, portrait_points, turn, quarter_turns):
    names, points = list(portrait_points), np.array(list(portrait_points.values()))
    turned = dict(zip(names, turn(points, quarter_turns, (512, 512)), strict=True))
    corners = turn(portrait_box.xyxy.reshape(2, 2), quarter_turns, (512, 512))
    box = Box(*corners.min(axis=0), *corners.max(axis=0))
    [found] = detector.detect(np.ascontiguousarray(np.rot90(portrait, quarter_turns)), [box])
    assert_on_person(found, turned)


def test_what_the_photo_does_not_show_is_not_labelled(detector, portrait, portrait_box):
    [found] = detector.detect(portrait, [portrait_box])
    for name in ("left_knee", "right_knee", "left_ankle", "right_ankle"):
        assert found.visibility[COCO17.index(name)] == 0, name
    outside = ((found.points_px < 0) | (found.points_px > 512)).any(axis=1)
    assert (found.visibility[outside] == 0).all()


def test_each_person_of_a_pair_gets_their_own_points(detector, portrait, portrait_box, portrait_points):
    pair = np.hstack([portrait, portrait])
    second = Box(portrait_box.x0 + 512, portrait_box.y0, portrait_box.x1 + 512, portrait_box.y1)
    found_second, found_first = detector.detect(pair, [second, portrait_box])
    assert_on_person(found_first, portrait_points)
    assert_on_person(found_second, {name: (x + 512, y) for name, (x, y) in portrait_points.items()})


def test_a_small_person_on_a_huge_photo_is_read(detector, portrait, portrait_points):
    huge = np.full((4000, 6000, 3), 140, dtype=np.uint8)
    huge[3000:3256, 5000:5256] = portrait[::2, ::2]
    box = Box(5000 + 9, 3000 + 7, 5000 + 183, 3000 + 256)
    [found] = detector.detect(huge, [box])
    assert_on_person(found, {name: (5000 + x / 2, 3000 + y / 2) for name, (x, y) in portrait_points.items()})


def test_the_record_says_where_it_comes_from(detector, portrait, portrait_box):
    [found] = detector.detect(portrait, [portrait_box])
    assert found.joint_set == "coco17"
    assert set(found.source) == {Provenance.MODEL}
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    assert (found.visibility[found.confidence < 0.2] == 0).all()


def test_no_boxes_no_points(detector, portrait):
    assert detector.detect(portrait, []) == []


@pytest.mark.parametrize("box", [Box(-300, -300, -100, -100), Box(0, 0, 0.5, 0.5), Box(-2000, -2000, 3000, 3000)])
def test_odd_boxes_are_no_error(detector, portrait, box):
    [found] = detector.detect(portrait, [box])
    assert np.isfinite(found.points_px).all()
    assert np.isfinite(found.confidence).all()


def test_a_wall_has_no_visible_joints(detector):
    [found] = detector.detect(np.full((480, 640, 3), 128, dtype=np.uint8), [Box(200, 50, 400, 450)])
    assert (found.visibility < 2).all()
