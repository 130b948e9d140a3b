"""A second take of a rendered crop: mirrored, framed a little tighter, in other colours, and labelled as exactly."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from cliff_core.synthetic.people import People
from cliff_core.synthetic.poses import mirror_pose

_TIGHTEST = 0.84  # of the crop's side
_MIRROR = np.array([-1.0, 1.0, 1.0])


def second_take(
    rng: np.random.Generator, crops: list[np.ndarray], people: People
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Take people again.

    Args:
        rng: source of all randomness.
        crops: N square RGB crops, uint8.
        people: N, as they were taken first.

    Returns:
        N other crops, and their (N, 2) centres and (N,) heights in pixels of the mirrored photos (`mirrored`).
    """
    views = people.views
    retaken, centres, heights = [], np.zeros_like(views.centre_px), np.zeros_like(views.box_height_px)
    for i, crop in enumerate(crops):
        side = len(crop)
        window = side * rng.uniform(_TIGHTEST, 1.0)
        corner = rng.uniform(0, side - window, 2)
        retaken.append(_recoloured(rng, _cut(crop, corner, window))[:, ::-1])
        scale = views.box_height_px[i] / side
        centre = views.centre_px[i] - views.box_height_px[i] / 2 + (corner + window / 2) * scale
        centres[i] = views.image_size_px[i, 0] - centre[0], centre[1]
        heights[i] = window * scale
    return retaken, centres, heights


def mirrored(people: People, centre_px: np.ndarray, box_height_px: np.ndarray) -> People:
    """The people in mirrored photos, where their crops have (N, 2) centres and (N,) heights."""
    views = replace(
        people.views, transl=people.views.transl * _MIRROR, centre_px=centre_px, box_height_px=box_height_px
    )
    return People(mirror_pose(people.pose_rotvec), people.betas, views)


def _cut(crop, corner, window):
    """The window, at the size of the crop; pixel centres lie at halves."""
    factor = len(crop) / window
    shift = 0.5 * factor - 0.5 - corner * factor
    matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])
    return cv2.warpAffine(crop, matrix, crop.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _recoloured(rng, crop):
    picture = crop.astype(np.float32) / 255
    if rng.random() < 0.5:
        picture *= rng.uniform(0.8, 1.2, 3).astype(np.float32)
    if rng.random() < 0.3:
        picture = np.clip(picture, 0, 1) ** np.float32(rng.uniform(0.7, 1.4))
    if rng.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6))
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
