import cv2
import numpy as np
import pytest

from cliff_core.detection import PersonDetector
from cliff_core.detection.overlaps import pairwise_iou
from cliff_core.records import Provenance


@pytest.fixture(scope="module")
def detector():
    return PersonDetector()


def iou(box, xyxy):
    return pairwise_iou(box.xyxy[None], np.asarray(xyxy, dtype=float)[None]).item()


def pasted(picture, canvas_size, corner):
    """A picture on an even, slightly noisy ground."""
    width, height = canvas_size
    canvas = np.random.default_rng(0).normal(150, 3, (height, width, 3)).astype(np.uint8)
    x, y = corner
    canvas[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return canvas


def test_the_portrait_shows_one_person(detector, portrait, portrait_box):
    [box] = detector.detect(portrait)
    assert iou(box, portrait_box.xyxy) > 0.85
    assert box.score > 0.6
    assert box.source == Provenance.MODEL


@pytest.mark.parametrize("kind", ["noise", "grey", "black", "gradient"])
@pytest.mark.parametrize("shape", [(480, 640), (1000, 1500)])
def test_a_photo_without_people_gives_no_boxes(detector, kind, shape):
    height, width = shape
    rgb = {
        "noise": np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8),
        "grey": np.full((height, width, 3), 128, dtype=np.uint8),
        "black": np.zeros((height, width, 3), dtype=np.uint8),
        "gradient": np.tile(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, 1, 3)),
    }[kind]
    assert detector.detect(rgb) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (3, 2)])
def test_tiny_and_thin_photos_are_no_error(detector, shape):
    assert detector.detect(np.full((*shape, 3), 90, dtype=np.uint8)) == []


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_photo_on_its_side_is_understood(detector, portrait, portrait_box, turn, quarter_turns):
    [box] = detector.detect(np.rot90(portrait, quarter_turns))
    corners = turn(portrait_box.xyxy.reshape(2, 2), quarter_turns, (512, 512))
    # read upside down the person is still recognised, and boxed less tightly
    assert iou(box, np.concatenate([corners.min(axis=0), corners.max(axis=0)])) > 0.7


def test_someone_small_on_a_large_photo_is_found(detector, portrait):
    small = cv2.resize(portrait, (192, 192), interpolation=cv2.INTER_AREA)
    canvas = pasted(small, (3000, 2000), (2130, 1410))  # 186 pixels high, 26 in what the network sees of the whole
    [box] = detector.detect(canvas)
    assert box.score > 0.5
    assert iou(box, np.array([19, 15, 366, 512]) * 0.375 + [2130, 1410, 2130, 1410]) > 0.7


def test_a_cut_person_is_found_inside_the_photo(detector, portrait):
    cut = portrait[:300, 150:]
    [box] = detector.detect(cut)
    assert iou(box, [0, 15, 220, 300]) > 0.7
    assert 0 <= box.x0 < box.x1 <= cut.shape[1]
    assert 0 <= box.y0 < box.y1 <= cut.shape[0]


def test_two_people_get_two_boxes_best_first(detector, portrait):
    boxes = detector.detect(np.hstack([portrait[:, :400], portrait[:, 399::-1]]))
    assert len(boxes) == 2
    left, right = sorted(boxes, key=lambda box: box.x0)
    assert iou(left, [19, 15, 366, 512]) > 0.8
    assert iou(right, [800 - 366, 15, 800 - 19, 512]) > 0.8
    assert boxes[0].score >= boxes[1].score


def test_the_lowest_score_is_the_caller_s(detector, portrait):
    [box] = detector.detect(portrait)
    assert detector.detect(portrait, min_score=box.score + 0.01) == []
    assert all(other.score >= 0.05 for other in detector.detect(portrait, min_score=0.05))


def test_the_size_of_a_photo_scales_the_box(detector, portrait):
    [whole] = detector.detect(portrait)
    [half] = detector.detect(cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA))
    # the network sees the same picture, a little softer
    np.testing.assert_allclose(half.xyxy * 2, whole.xyxy, atol=15)


def test_the_photo_is_left_as_it_is(detector, portrait):
    before = portrait.copy()
    detector.detect(portrait)
    np.testing.assert_array_equal(portrait, before)


def test_more_threads_see_the_same(detector, portrait):
    [one] = detector.detect(portrait)
    [two] = PersonDetector(threads=2).detect(portrait)
    np.testing.assert_allclose(two.xyxy, one.xyxy, atol=0.05)
