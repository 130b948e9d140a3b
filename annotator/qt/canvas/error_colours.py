"""Limbs coloured by how far the body is from their points: cividis, so that everybody can read it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from annotator.figures import Figure
from annotator.quality import point_errors_px

WORST_SHARE = 0.1
"""Of the box's longer side: an error that gets the last colour."""

_COLOURS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_CIVIDIS)[0, :, ::-1]


def error_colour(error_px: float, size_px: float) -> tuple[int, int, int]:
    """RGB of an error on a person of a size; grey where it is not known."""
    if not np.isfinite(error_px):
        return 120, 120, 120
    red, green, blue = _COLOURS[int(255 * np.clip(error_px / (WORST_SHARE * max(size_px, 1.0)), 0, 1))]
    return int(red), int(green), int(blue)


def limb_colours(figure: Figure, edges: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Of somebody's limbs: the worse of their two ends."""
    errors = point_errors_px(figure)
    size = max(figure.box.width, figure.box.height) if figure.box is not None else 300.0
    return [error_colour(max(errors[a], errors[b]), size) for a, b in edges]
