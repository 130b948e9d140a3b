"""Crop units: image points measured from the crop's centre in half crop heights.

The scale on which reprojection errors of near and far people, small and large photos compare; 0 is the crop's centre,
-1 and +1 its upper and lower edge. Errors in crop units are errors in the full frame, only divided by b / 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cliff_core.geometry.crop import OFFSET_GAIN, SIZE_MEAN, SIZE_SPREAD

if TYPE_CHECKING:
    from torch import Tensor

_MIN_SCALE = 0.05  # a smaller one, or a negative, would put the body kilometres away or behind the camera
_MIN_DEPTH_M = 0.1


def to_crop_units(points_px: np.ndarray, centre_px: np.ndarray, box_height_px: np.ndarray) -> np.ndarray:
    """(N, K, 2) pixels of the photo to crop units; centre_px (N, 2), box_height_px (N,)."""
    return (points_px - np.asarray(centre_px)[:, None]) / (np.asarray(box_height_px)[:, None, None] / 2)


def project_to_crop(points: Tensor, cam_crop: Tensor, bbox_info: Tensor) -> Tensor:
    """Full-frame perspective projection of bodies without translation, in crop units; differentiable.

    CLIFF's eq. 8 puts the body at (tx + 2 cx / (b s), ty + 2 cy / (b s), 2 f / (b s)) and projects with f. Divided by
    f, everything depends on `bbox_info` alone, so neither photo size nor focal length is needed here.

    Args:
        points: (B, K, 3) metres, without translation.
        cam_crop: (B, 3) scale s, tx, ty; s is held above a small positive value.
        bbox_info: (B, 3) as CLIFF's networks take it.

    Returns:
        (B, K, 2).
    """
    x_y, z, centre, _, size = _placed(points, cam_crop, bbox_info)
    return (x_y / z - centre) * 2 / size


def projection_jacobian(points: Tensor, cam_crop: Tensor, bbox_info: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of `project_to_crop`.

    Args:
        points: (B, K, 3), `cam_crop`: (B, 3), `bbox_info`: (B, 3), as there.

    Returns:
        (B, K, 2, 3) by the points, per metre; (B, K, 2, 3) by s, tx and ty.
    """
    x_y, z, centre, depth, size = _placed(points, cam_crop, bbox_info)
    gain = 2 / (size * z)
    by_point = gain.new_zeros(*gain.shape[:2], 2, 3)
    by_point[..., :2] = gain.expand(-1, -1, 2).diag_embed()
    by_point[..., 2] = -gain * x_y / z
    by_camera = by_point.roll(1, -1)  # tx and ty move a point as its x and y do
    by_depth = by_point[..., 2] + gain * centre
    by_camera[..., 0] = -by_depth * depth / cam_crop[:, None, :1].clamp(min=_MIN_SCALE)
    return by_point, by_camera


def _placed(points, cam_crop, bbox_info):
    """x and y, and depth, of points in the camera; CLIFF's centre and depth; and the crop's size, all over f."""
    centre = bbox_info[:, None, :2] / OFFSET_GAIN
    size = (bbox_info[:, None, 2:] * SIZE_SPREAD + SIZE_MEAN).clamp(min=1e-3)
    depth = 2 / (size * cam_crop[:, None, :1].clamp(min=_MIN_SCALE))
    x_y = points[..., :2] + cam_crop[:, None, 1:] + centre * depth
    z = (points[..., 2:] + depth).clamp(min=_MIN_DEPTH_M)
    return x_y, z, centre, depth, size
