import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliff_core.detection.overlaps import merge_boxes, pairwise_iou


def boxes_of(*rows):
    return np.array(rows, dtype=float)


def test_iou_by_hand():
    first = boxes_of((0, 0, 4, 4), (10, 10, 12, 12))
    second = boxes_of((0, 0, 4, 4), (2, 0, 6, 4), (4, 0, 8, 4))
    np.testing.assert_allclose(pairwise_iou(first, second), [[1, 1 / 3, 0], [0, 0, 0]])


def test_near_copies_vote_on_one_place():
    boxes, scores = merge_boxes(boxes_of((0, 0, 100, 200), (4, 0, 104, 200)), np.array([0.4, 0.8]))
    np.testing.assert_allclose(boxes, [(4 * 0.8, 0, 100 + 4 * 0.8, 200)])  # weights 0.16 and 0.64
    np.testing.assert_allclose(scores, [0.8])


def test_half_overlapping_boxes_keep_the_better():
    boxes, scores = merge_boxes(boxes_of((0, 0, 100, 100), (0, 0, 100, 180)), np.array([0.5, 0.6]))
    np.testing.assert_allclose(boxes, [(0, 0, 100, 180)])
    np.testing.assert_allclose(scores, [0.6])


def test_a_torso_inside_its_person_is_dropped():
    boxes, _ = merge_boxes(boxes_of((0, 0, 100, 300), (10, 40, 90, 150)), np.array([0.7, 0.5]))
    np.testing.assert_allclose(boxes, [(0, 0, 100, 300)])


def test_a_small_person_before_a_large_one_is_kept():
    boxes, _ = merge_boxes(boxes_of((0, 0, 200, 400), (50, 250, 100, 380)), np.array([0.7, 0.5]))
    assert len(boxes) == 2


def test_neighbours_stay_apart():
    boxes, _ = merge_boxes(boxes_of((0, 0, 100, 300), (70, 0, 170, 300)), np.array([0.7, 0.5]))
    assert len(boxes) == 2


def test_nothing_stays_nothing():
    boxes, scores = merge_boxes(np.empty((0, 4)), np.empty(0))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


@given(
    st.lists(
        st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(2, 200), st.floats(2, 200), st.floats(0.1, 1)),
        max_size=25,
    )
)
def test_what_is_kept_is_sorted_separate_and_inside_what_came(people):
    raw = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in people]).reshape(-1, 4)
    raw_scores = np.array([score for *_, score in people])
    boxes, scores = merge_boxes(raw, raw_scores)
    assert len(boxes) <= len(raw)
    assert (np.diff(scores) <= 0).all()
    overlap = pairwise_iou(boxes, boxes) - np.eye(len(boxes))
    assert (overlap <= 0.5 + 1e-9).all()
    if len(raw):
        assert scores[0] == pytest.approx(raw_scores.max())
        assert (boxes.min(axis=0) >= raw.min(axis=0) - 1e-9).all()
        assert (boxes.max(axis=0) <= raw.max(axis=0) + 1e-9).all()
