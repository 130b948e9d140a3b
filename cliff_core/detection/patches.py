"""Square patches of a photo for networks with a fixed input size: any place, side and rotation, any size of photo."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cliff_core.records import Box


@dataclass(frozen=True, slots=True)
class Square:
    """A rotated square on a photo, in pixels of the upright photo.

    Attributes:
        centre_px: x, y; origin at the top left corner of the top left pixel.
        side_px: length of a side.
        angle: radians by which the square is turned clockwise on the photo; what stands upright inside the square
            leans by this angle on the photo.
    """

    centre_px: tuple[float, float]
    side_px: float
    angle: float = 0.0

    @classmethod
    def around(cls, box: Box, factor: float, angle: float = 0.0) -> Square:
        """The square on a box's centre whose side is the box's longer side times `factor`."""
        x, y = box.centre_px
        return cls((float(x), float(y)), max(box.width, box.height) * factor, angle)

    def to_photo(self, size: int) -> np.ndarray:
        """(2, 3) affine map from pixels of a `size` x `size` patch to pixels of the photo."""
        scale = self.side_px / size
        cos, sin = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        linear = np.array([[cos, -sin], [sin, cos]])
        offset = np.asarray(self.centre_px, dtype=np.float64) - linear @ np.full(2, size / 2)
        return np.column_stack([linear, offset])


def grown(box: Box, margin: float) -> np.ndarray:
    """(4,) x0, y0, x1, y1 of a box with `margin` times its longer side added on every side."""
    return box.xyxy + np.array([-1, -1, 1, 1]) * margin * max(box.width, box.height)


def sample(rgb: np.ndarray, square: Square, size: int, within: np.ndarray | None = None) -> np.ndarray:
    """Cut a square out of a photo, antialiased when it shrinks, black outside the photo.

    Only the part of the photo under the square is touched, so the cost does not depend on the photo's size.

    Args:
        rgb: (H, W, 3) uint8 photo.
        square: what to cut out.
        size: side of the patch in its own pixels.
        within: (4,) x0, y0, x1, y1; what lies outside it becomes black too. Hides the neighbours of a person.

    Returns:
        (size, size, 3) uint8.
    """
    to_photo = square.to_photo(size)
    scale = square.side_px / size
    corners = apply_affine(to_photo, np.array([[0, 0], [size, 0], [0, size], [size, size]], dtype=np.float64))
    margin = 2 * max(scale, 1.0)  # what bilinear sampling may reach beyond the corners
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    if within is not None:
        low, high = np.maximum(low, within[:2]), np.minimum(high, within[2:])
    photo_size = np.array([rgb.shape[1], rgb.shape[0]])
    x0, y0 = np.floor(np.clip(low, 0, photo_size)).astype(int)
    x1, y1 = np.ceil(np.clip(high, 0, photo_size)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((size, size, 3), dtype=np.uint8)

    part = rgb[y0:y1, x0:x1]
    part_size = np.array([x1 - x0, y1 - y0])
    if scale > 1:  # average over what one patch pixel covers; bilinear sampling alone would skip pixels
        shrunk_size = np.maximum(1, np.rint(part_size / scale)).astype(int)
        part = cv2.resize(part, tuple(int(n) for n in shrunk_size), interpolation=cv2.INTER_AREA)
    part_per_photo = np.array([part.shape[1], part.shape[0]]) / part_size

    to_part = part_per_photo[:, None] * (to_photo - [[0, 0, x0], [0, 0, y0]])
    to_part[:, 2] += to_part[:, :2].sum(axis=1) / 2 - 0.5  # OpenCV counts from the middle of the first pixel
    return cv2.warpAffine(part, to_part, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def apply_affine(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map (..., 2) points by a (2, 3) affine map."""
    return points @ affine[:, :2].T + affine[:, 2]
