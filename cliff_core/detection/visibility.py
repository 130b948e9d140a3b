"""What a detector's confidence means as COCO's visibility."""

from __future__ import annotations

import numpy as np

from cliff_core.records import Keypoints, Provenance


def model_keypoints(
    joint_set: str,
    points_px: np.ndarray,
    confidence: np.ndarray,
    photo_shape: tuple[int, ...],
    visible_from: float,
    plausible_from: float,
) -> Keypoints:
    """Detected points as a record.

    Visibility is 2 from `visible_from` on, 1 from `plausible_from` on (a guess worth showing, not worth fitting to), 0
    below and outside the photo, where nothing can be labelled.

    Args:
        joint_set: name in `skeletons.JOINT_SETS`.
        points_px: (K, 2) pixels of the upright photo.
        confidence: (K,) as the network gives it, 0..1.
        photo_shape: height, width, ... of the photo.
        visible_from: lowest confidence of a visible point.
        plausible_from: lowest confidence of a hidden point.
    """
    height, width = photo_shape[:2]
    confidence = np.clip(confidence, 0, 1)
    inside = ((points_px >= 0) & (points_px <= (width, height))).all(axis=1)
    visibility = np.where(confidence >= visible_from, 2, np.where(confidence >= plausible_from, 1, 0))
    return Keypoints.uniform(joint_set, points_px, np.where(inside, visibility, 0), confidence, Provenance.MODEL)
