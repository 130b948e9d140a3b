"""Bodies and points over photos: one import for every picture of a result.

`draw_overlay` and `draw_keypoints` draw on a photo, `side_view` shows the same bodies from elsewhere, `contact_sheet`
and `before_after` compose pictures. All take and give (H, W, 3) uint8 RGB and leave their input as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cliff_core.records import Camera
from cliff_core.rendering.body_layer import paint_bodies
from cliff_core.rendering.points import draw_keypoints
from cliff_core.rendering.rasteriser import Viewport
from cliff_core.rendering.sheets import before_after, contact_sheet
from cliff_core.rendering.side_view import foreground, side_view
from cliff_core.rendering.theme import person_colour

__all__ = [
    "LONGEST_SIDE_PX", "before_after", "contact_sheet", "draw_keypoints", "draw_overlay", "foreground", "person_colour",
    "reduced", "side_view",
]  # fmt: skip

LONGEST_SIDE_PX = 2000
"""Overlays are composed at this size at most: enough to judge a fit, and quick for photos of 100 megapixels."""


def reduced(rgb: np.ndarray, longest_px: int = LONGEST_SIDE_PX) -> tuple[np.ndarray, float]:
    """The photo itself, or a smaller copy if it is larger; and its pixels per pixel of the photo."""
    height, width = rgb.shape[:2]
    scale = min(1.0, longest_px / max(height, width))
    if scale == 1.0:
        return rgb, scale
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), scale


def draw_overlay(
    rgb: np.ndarray,
    bodies: Sequence[tuple[np.ndarray, Sequence[float]]],
    faces: np.ndarray,
    camera: Camera,
    opacity: float = 0.7,
) -> np.ndarray:
    """Lay bodies over their photo, in the full frame's perspective; nearer people hide farther ones.

    Args:
        rgb: (H, W, 3) uint8, the photo or a smaller copy of the whole of it.
        bodies: vertices (V, 3) in the camera frame, metres, and the RGB colour of each person (`person_colour`).
        faces: (F, 3), shared by all.
        camera: the photo's camera, in pixels of the photo itself.
        opacity: 0..1 of the surfaces.

    Returns:
        (h, w, 3) uint8, not longer than `LONGEST_SIDE_PX`.
    """
    small, _ = reduced(rgb)
    picture = small.copy()
    scale = picture.shape[1] / camera.image_size_px[0]
    focal, (cx, cy) = camera.focal_length_px * scale, camera.centre_px * scale
    view = Viewport(float(focal), (float(cx), float(cy)), (picture.shape[1], picture.shape[0]))
    line_px = 0.8 + 0.8 * max(picture.shape[:2]) / LONGEST_SIDE_PX
    paint_bodies(picture, bodies, faces, view, opacity, line_px)
    return picture
