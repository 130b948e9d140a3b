"""Which of many overlapping boxes are one person: suppression, box voting, contained duplicates."""

from __future__ import annotations

import numpy as np

_SAME_OBJECT_IOU = 0.6  # raw boxes this alike vote on one position
_DUPLICATE_IOU = 0.5
_CONTAINED_SHARE = 0.85  # of the smaller box lies in the larger one ...
_CONTAINED_AREA = 0.15  # ... and it is not so much smaller that it is a person before or behind another


def pairwise_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, M) intersection over union of (N, 4) and (M, 4) boxes x0, y0, x1, y1."""
    common = _intersections(first, second)
    return common / (_areas(first)[:, None] + _areas(second) - common)


def merge_boxes(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One box per person out of a detector's raw boxes, best first.

    Raw boxes that nearly coincide are averaged, weighted by their squared scores: on labelled photos this places boxes
    better than keeping the best one. Of what then still overlaps by half, or lies inside another, the best is kept.

    Args:
        boxes: (N, 4) x0, y0, x1, y1.
        scores: (N,) 0..1.

    Returns:
        (M, 4) boxes and (M,) scores, sorted by falling score.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores = _vote(boxes[order], scores[order])
    areas = _areas(boxes)
    common = _intersections(boxes, boxes)
    smaller, larger = np.minimum.outer(areas, areas), np.maximum.outer(areas, areas)
    overlaps = common / (areas[:, None] + areas - common) > _DUPLICATE_IOU
    contained = (common / smaller > _CONTAINED_SHARE) & (smaller / larger > _CONTAINED_AREA)
    kept = _greedy(overlaps | contained)
    return boxes[kept], scores[kept]


def _vote(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average each best box with the boxes that nearly coincide with it; input and output best first."""
    alike = pairwise_iou(boxes, boxes) > _SAME_OBJECT_IOU
    free = np.ones(len(boxes), dtype=bool)
    voted, kept = [], []
    for index in range(len(boxes)):
        if not free[index]:
            continue
        group = alike[index] & free
        free &= ~group
        voted.append(np.average(boxes[group], axis=0, weights=scores[group] ** 2))
        kept.append(index)
    return np.array(voted).reshape(-1, 4), scores[kept]


def _greedy(conflicts: np.ndarray) -> list[int]:
    """Indices kept when each, in order, is dropped if it conflicts with one kept before."""
    kept: list[int] = []
    for index in range(len(conflicts)):
        if not conflicts[index, kept].any():
            kept.append(index)
    return kept


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    low = np.maximum(first[:, None, :2], second[:, :2])
    high = np.minimum(first[:, None, 2:], second[:, 2:])
    return np.clip(high - low, 0, None).prod(axis=-1)
