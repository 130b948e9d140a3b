"""2D points and limbs over a photo: side by colour, state by shape, confidence by opacity, size by the person."""

from __future__ import annotations

import cv2
import numpy as np

from cliff_core.records import Keypoints
from cliff_core.rendering.theme import BACKGROUND, side_colour
from cliff_core.skeletons import JOINT_SETS

SUBPIXEL_BITS = 4
_LIMB_OPACITY = 0.75
_SMALLEST_PX, _LARGEST_PX = 1.8, 9.0
_SMALLEST_RING_PX = 2.8  # smaller ones would have no hole


def draw_keypoints(rgb: np.ndarray, keypoints: Keypoints, scale: float = 1.0, opacity: float = 1.0) -> np.ndarray:
    """Draw one person's points and limbs.

    Left is blue, right orange, the middle light grey; a visible point is filled, a hidden one a ring; less confident
    points are fainter. Points are about a fortieth of the person wide, so that wrists stay larger than their points.

    Args:
        rgb: (H, W, 3) uint8, left as it is.
        keypoints: points in pixels of the photo.
        scale: pixels of `rgb` per pixel of the photo, if it was reduced.
        opacity: 0..1 for all.

    Returns:
        (H, W, 3) uint8.
    """
    picture = rgb.copy()
    joint_set = JOINT_SETS[keypoints.joint_set]
    points = np.asarray(keypoints.points_px, np.float64) * scale
    shown = (np.asarray(keypoints.visibility) > 0) & np.isfinite(points).all(axis=1)
    if not shown.any():
        return picture
    extent = np.ptp(points[shown], axis=0).max()
    radius = float(np.clip(0.0125 * extent, _SMALLEST_PX, _LARGEST_PX))
    strength = np.clip(0.45 + 0.55 * np.asarray(keypoints.confidence, np.float64), 0, 1) * opacity
    for a, b in joint_set.edges:
        if shown[a] and shown[b]:
            colour = side_colour(joint_set.names[a], joint_set.names[b])
            faint = _LIMB_OPACITY * min(strength[a], strength[b])
            _line(picture, points[a], points[b], radius * 0.8 + 1.5, BACKGROUND, faint * 0.45)
            _line(picture, points[a], points[b], radius * 0.8, colour, faint)
    for k in np.flatnonzero(shown):
        colour = side_colour(joint_set.names[k])
        if keypoints.visibility[k] == 2:
            _disc(picture, points[k], radius + 1.0, BACKGROUND, strength[k] * 0.8)
            _disc(picture, points[k], radius, colour, strength[k])
        else:
            ring, width = max(radius, _SMALLEST_RING_PX), max(1.3, radius * 0.45)
            _ring(picture, points[k], ring, width + 1.2, BACKGROUND, strength[k] * 0.6)
            _ring(picture, points[k], ring, width, colour, strength[k])
    return picture


def _line(picture, a, b, width, colour, opacity):
    def stroke(mask, origin):
        # Even lines from OpenCV have whole widths only; a thin polygon has any width and the same smooth edge.
        along = (b - a) / max(np.linalg.norm(b - a), 1e-9)
        across = np.array([-along[1], along[0]]) * width / 2
        cv2.fillConvexPoly(
            mask,
            fixed_point(np.array([a + across, b + across, b - across, a - across]) - origin),
            255,
            cv2.LINE_AA,
            SUBPIXEL_BITS,
        )

    _paint(picture, np.minimum(a, b) - width, np.maximum(a, b) + width, stroke, colour, opacity)


def _disc(picture, centre, radius, colour, opacity):
    def fill(mask, origin):
        cv2.circle(mask, fixed_point(centre - origin).tolist(), round(radius * 16), 255, -1, cv2.LINE_AA, SUBPIXEL_BITS)

    _paint(picture, centre - radius - 2, centre + radius + 2, fill, colour, opacity)


def _ring(picture, centre, radius, width, colour, opacity):
    def stroke(mask, origin):
        middle = fixed_point(centre - origin).tolist()
        cv2.circle(mask, middle, round((radius + width / 2) * 16), 255, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        hole = np.zeros_like(mask)
        cv2.circle(hole, middle, max(0, round((radius - width / 2) * 16)), 255, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.subtract(mask, hole, mask)

    _paint(picture, centre - radius - width - 2, centre + radius + width + 2, stroke, colour, opacity)


def fixed_point(points_px: np.ndarray) -> np.ndarray:
    """Points as OpenCV draws them to a fraction of a pixel: whole numbers with `SUBPIXEL_BITS` after the point."""
    # OpenCV's pixel centres are whole numbers, ours are at one half.
    return np.round(np.clip((points_px - 0.5) * 2**SUBPIXEL_BITS, -(2**28), 2**28)).astype(np.int32)


def _paint(picture, low, high, draw, colour, opacity):
    """Draw a shape into a small mask around it, and mix its colour in."""
    height, width = picture.shape[:2]
    x0, y0 = np.maximum(np.floor(low), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high) + 1, (width, height)).astype(int)
    if x1 <= x0 or y1 <= y0 or opacity <= 0:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    draw(mask, np.array([x0, y0]))
    part = picture[y0:y1, x0:x1]
    cover = (mask * np.float32(opacity / 255))[..., None]
    part[:] = (part + cover * (np.asarray(colour, np.float32) - part) + 0.5).astype(np.uint8)
