"""The photo at every zoom: reduced copies are kept, so that a view of 24 megapixels costs what its pixels cost."""

from __future__ import annotations

import cv2
import numpy as np

from annotator.qt.canvas.transform import ViewTransform

_SMALLEST_PX = 256
_SHARP_SCALE = 6.0  # from here on a photo pixel is shown as what it is


class Backdrop:
    """A photo in halved copies, in the byte order of the screen.

    Args:
        rgb: (H, W, 3) uint8.
    """

    def __init__(self, rgb: np.ndarray):
        level = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        self._levels = [level]
        while max(level.shape[:2]) > 2 * _SMALLEST_PX:
            level = cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            self._levels.append(level)

    def compose(self, view: ViewTransform, size_px: tuple[int, int], around: tuple[int, int, int]) -> np.ndarray:
        """What a view shows of the photo.

        Args:
            view: in device pixels.
            size_px: width, height of the view.
            around: RGB beside the photo.

        Returns:
            (height, width, 4) uint8, blue, green, red and 255.
        """
        number = 0
        while number + 1 < len(self._levels) and view.scale * 2 ** (number + 1) <= 1.0:
            number += 1
        level = self._levels[number]
        # Sizes of reduced copies are rounded, so each has its own ratio.
        ratio_x = level.shape[1] / self._levels[0].shape[1] / view.scale
        ratio_y = level.shape[0] / self._levels[0].shape[0] / view.scale
        matrix = np.array(
            [
                [ratio_x, 0.0, (0.5 - view.x) * ratio_x - 0.5],
                [0.0, ratio_y, (0.5 - view.y) * ratio_y - 0.5],
            ]
        )
        smooth = cv2.INTER_NEAREST if view.scale >= _SHARP_SCALE else cv2.INTER_LINEAR
        blue_first = (*reversed(around), 255)
        shown = cv2.warpAffine(level, matrix, size_px, flags=smooth | cv2.WARP_INVERSE_MAP, borderValue=blue_first[:3])
        return cv2.cvtColor(shown, cv2.COLOR_BGR2BGRA)
