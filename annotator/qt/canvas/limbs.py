"""Lines between points, painted into a view's pixels: a painter's smooth lines would take half of a frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cliff_core.rendering.theme import BACKGROUND, side_colour

_SUBPIXEL_BITS = 4
_FARTHEST_PX = 1 << 14
_HALO_PX = 2.0


def paint_limbs(
    picture: np.ndarray,
    shown: np.ndarray,
    edges: Sequence[tuple[int, int]],
    names: Sequence[str],
    opacity: float,
    width_px: float,
    colours: Sequence[tuple[int, int, int]] | None = None,
) -> None:
    """Lines with a dark edge, so that they show on every photo, in place.

    Args:
        picture: (H, W, 4) uint8, blue first.
        shown: (K, 2) pixels of the picture, NaN where there is none.
        edges: pairs of rows.
        names: of the rows; decide the side's colour.
        opacity: 0..1.
        width_px: of a line.
        colours: RGB of the edges, instead of the side's.
    """
    present = np.isfinite(shown).all(axis=1) & (np.abs(shown) < _FARTHEST_PX).all(axis=1)
    kept = [number for number, (a, b) in enumerate(edges) if present[a] and present[b]]
    if not kept:
        return
    ends = np.array([[shown[a], shown[b]] for a, b in (edges[number] for number in kept)])
    margin = width_px + _HALO_PX
    low = np.maximum(np.floor(ends.min(axis=(0, 1)) - margin), 0).astype(int)
    high = np.minimum(np.ceil(ends.max(axis=(0, 1)) + margin), picture.shape[1::-1]).astype(int)
    if not (high > low).all():
        return
    part = picture[low[1] : high[1], low[0] : high[0]]
    drawn = part.copy()
    fixed = np.round((ends - low - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    halo = (*reversed(BACKGROUND), 255)
    for a, b in fixed:
        cv2.line(drawn, a.tolist(), b.tolist(), halo, round(width_px + _HALO_PX), cv2.LINE_AA, _SUBPIXEL_BITS)
    for number, (a, b) in zip(kept, fixed, strict=True):
        first, second = edges[number]
        colour = side_colour(names[first], names[second]) if colours is None else colours[number]
        blue_first = (*reversed(colour), 255)
        cv2.line(drawn, a.tolist(), b.tolist(), blue_first, max(1, round(width_px)), cv2.LINE_AA, _SUBPIXEL_BITS)
    part[:] = drawn if opacity >= 1 else cv2.addWeighted(drawn, opacity, part.copy(), 1 - opacity, 0)
