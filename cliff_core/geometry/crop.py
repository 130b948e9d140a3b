"""From a photo and a person's box to what the network sees: the crop, its normalisation, and `bbox_info`.

The crop is snapped to whole pixels as the official code does, while `bbox_info` and the camera use the box as it is:
released checkpoints were trained with exactly that. All box arithmetic is float64, since float32 moves the corners of
one box in a hundred by a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cliff_core.errors import GeometryError

# Statistics of Human3.6M that the released checkpoints were trained with (official demo; not the paper's eq. 5).
OFFSET_GAIN = 2.8
SIZE_MEAN = 0.24
SIZE_SPREAD = 0.06

_LARGE_PATCH_PX = 4_000_000  # above this, copying the patch costs more than picking the pixels that are needed


@dataclass(frozen=True, slots=True)
class CropSpec:
    """How a network wants its input cut and scaled.

    Attributes:
        height_px, width_px: size of the network's input.
        rescale: margin around the box after it was padded to the input's aspect ratio.
        mean, std: per RGB channel, of values 0..1.
        antialias: average over the source pixels when shrinking; the official crops do not.
    """

    height_px: int
    width_px: int
    rescale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    antialias: bool


OFFICIAL_CROP = CropSpec(256, 192, 1.1, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), False)


def crop_frame(xyxy: np.ndarray, spec: CropSpec) -> tuple[np.ndarray, np.ndarray]:
    """Centre and height of the crop around each box.

    The box is padded to the aspect ratio of the input, then grown by `spec.rescale`. CLIFF calls this height `b`.

    Args:
        xyxy: (N, 4) left, top, right, bottom in pixels of the upright photo; may reach beyond it.
        spec: of the network.

    Returns:
        centre_px (N, 2), box_height_px (N,), float64.

    Raises:
        GeometryError: a box that is not finite, inside out, or a single point. (A line still spans a crop.)
    """
    xyxy = np.asarray(xyxy, dtype=np.float64).reshape(-1, 4)
    size = xyxy[:, 2:] - xyxy[:, :2]
    bad = ~np.isfinite(xyxy).all(axis=1) | (size < 0).any(axis=1) | (size <= 0).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        box = ", ".join(f"{value:g}" for value in xyxy[row])
        raise GeometryError(f"box {row} ({box}) has no area; draw it again or remove it")
    padded_height = np.maximum(size[:, 0] * spec.height_px / spec.width_px, size[:, 1])
    # official code stores height / 200 as "scale": dividing and multiplying again keeps its very last bit
    return (xyxy[:, :2] + xyxy[:, 2:]) / 2, 200 * (padded_height / 200 * spec.rescale)


def crop_corners(centre_px: np.ndarray, box_height_px: np.ndarray | float, spec: CropSpec) -> np.ndarray:
    """(N, 4) int64 left, top, right, bottom of the crops, snapped to whole pixels (halves to even, as Python).

    Simply `centre -+ half the size`, but by the official detour: the affine photo -> crop is formed and inverted at
    the crop's two corners. Its rounding errors decide where a corner falls between two pixels, which is the case for
    one in fifty boxes with whole or half coordinates.
    """
    centre = np.asarray(centre_px, dtype=np.float64).reshape(-1, 2)
    height = np.asarray(box_height_px, dtype=np.float64).reshape(-1, 1)
    if not (np.isfinite(centre).all() and np.isfinite(height).all() and (height > 0).all()):
        raise GeometryError("a crop is not finite or has no height; check the box it was made from")
    size = np.concatenate([height / (spec.height_px / spec.width_px), height], axis=1)
    input_size = np.array([spec.width_px, spec.height_px], dtype=np.float64)
    scale = input_size / size
    shift = input_size * (-centre / size + 0.5)
    inverse_scale = 1 / scale
    first = -shift * inverse_scale
    corners = np.rint(np.concatenate([first, input_size * inverse_scale + first], axis=1))
    if not (np.abs(corners) < 2**31).all():
        raise GeometryError("a crop reaches more than 2**31 pixels away; check the box it was made from")
    return corners.astype(np.int64)


def crop_image(rgb: np.ndarray, centre_px: np.ndarray, box_height_px: float, spec: CropSpec) -> np.ndarray:
    """The network's view of one person, black where the crop leaves the photo.

    Args:
        rgb: (H, W, 3) uint8, upright.
        centre_px: (2,) and box_height_px: from `crop_frame`.
        spec: of the network.

    Returns:
        (spec.height_px, spec.width_px, 3) float32, values 0..255.

    Raises:
        GeometryError: a crop without height.
    """
    left, top, right, bottom = (int(value) for value in crop_corners(centre_px, box_height_px, spec)[0])
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    photo_height, photo_width = rgb.shape[:2]
    x0, x1 = max(left, 0), min(right, photo_width)
    y0, y1 = max(top, 0), min(bottom, photo_height)
    if x0 >= x1 or y0 >= y1:
        return np.zeros((spec.height_px, spec.width_px, 3), dtype=np.float32)

    inside = rgb[y0:y1, x0:x1]
    if spec.antialias:
        inside = _prefilter(inside, (bottom - top) / spec.height_px)
    left, top, right, bottom = left - x0, top - y0, right - x0, bottom - y0
    if (bottom - top) * (right - left) > _LARGE_PATCH_PX:
        return _sample(inside, (left, top, right, bottom), spec)
    patch = np.zeros((bottom - top, right - left, 3), dtype=np.float32)
    patch[-top : y1 - y0 - top, -left : x1 - x0 - left] = inside
    return cv2.resize(patch, (spec.width_px, spec.height_px), interpolation=cv2.INTER_LINEAR)


def scale_colours(patches: np.ndarray, spec: CropSpec) -> np.ndarray:
    """(N, H, W, 3) patches 0..255 -> the same shape in float32, with the network's mean and spread of colours."""
    patches = np.asarray(patches)
    width = patches.shape[2]
    rows = patches.reshape(*patches.shape[:2], -1)  # whole rows: three numbers at a time take NumPy four times as long
    gain = np.tile(1 / (255 * np.array(spec.std)), width)
    offset = np.tile(-np.array(spec.mean) / np.array(spec.std), width)
    return (rows * gain.astype(np.float32) + offset.astype(np.float32)).reshape(patches.shape)


def normalise(patches: np.ndarray, spec: CropSpec) -> np.ndarray:
    """(N, H, W, 3) patches 0..255 -> (N, 3, H, W) float32 network input."""
    return np.ascontiguousarray(np.moveaxis(scale_colours(patches, spec), -1, 1), dtype=np.float32)


def bbox_info(
    centre_px: np.ndarray, box_height_px: np.ndarray, focal_length_px: np.ndarray, image_size_px: np.ndarray
) -> np.ndarray:
    """Where the crop lies in the full frame, as CLIFF's released checkpoints read it (not clamped).

    Args:
        centre_px: (N, 2) crop centres.
        box_height_px: (N,) crop heights `b`.
        focal_length_px: (N,) of the full photo.
        image_size_px: (N, 2) width, height.

    Returns:
        (N, 3) float64: horizontal and vertical offset from the middle of the photo, and size, all per focal length.

    Raises:
        GeometryError: a focal length that is not positive.
    """
    centre, size = (np.asarray(value, dtype=np.float64).reshape(-1, 2) for value in (centre_px, image_size_px))
    height, focal = (np.asarray(value, dtype=np.float64).reshape(-1) for value in (box_height_px, focal_length_px))
    if not (focal > 0).all():
        raise GeometryError(f"focal length {focal.min():g} px is not positive; correct the photo's camera")
    offset = OFFSET_GAIN * (centre - size / 2) / focal[:, None]
    relative_height = (height - SIZE_MEAN * focal) / (SIZE_SPREAD * focal)
    return np.concatenate([offset, relative_height[:, None]], axis=1)


def _prefilter(rgb: np.ndarray, shrink: float) -> np.ndarray:
    """Average over the source pixels of one output pixel; an odd window, so that nothing moves by half a pixel."""
    window = 2 * int(min(shrink, 2 * max(rgb.shape[:2])) / 2) + 1
    if window == 1:
        return rgb
    return cv2.boxFilter(rgb, -1, (window, window), borderType=cv2.BORDER_CONSTANT)


def _sample(rgb: np.ndarray, corners: tuple[int, int, int, int], spec: CropSpec) -> np.ndarray:
    """What `cv2.resize` gives for a patch that is too large to be built (a 100 megapixel photo, an absurd box)."""
    left, top, right, bottom = corners
    rows, row_weights = _taps(top, bottom, spec.height_px, rgb.shape[0])
    columns, column_weights = _taps(left, right, spec.width_px, rgb.shape[1])
    result = np.zeros((spec.height_px, spec.width_px, 3), dtype=np.float32)
    for row, row_weight in zip(rows, row_weights, strict=True):
        for column, column_weight in zip(columns, column_weights, strict=True):
            result += rgb[row[:, None], column] * (row_weight[:, None] * column_weight)[..., None]
    return result


def _taps(start: int, stop: int, count: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear samples along one axis: (2, count) indices and their (2, count) weights, 0 outside [0, limit)."""
    position = (np.arange(count) + 0.5) * ((stop - start) / count) - 0.5
    position = np.clip(position, 0, stop - start - 1)
    low = np.floor(position)
    weights = np.stack([1 - (position - low), position - low])
    indices = np.stack([low, low + 1]).astype(np.int64) + start
    weights[(indices < 0) | (indices >= limit)] = 0
    return np.clip(indices, 0, limit - 1), weights.astype(np.float32)
