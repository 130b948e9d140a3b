"""CLIFF's crop camera, the camera of the full photo, and projection; for NumPy arrays (float64) and torch tensors.

The first argument decides: a tensor gives a tensor of its type and device, anything else a float64 array. Torch is
never imported here, because whoever passes a tensor has imported it, and the window must not.

Camera frame: OpenCV (x right, y down, z forward), metres; pixels of the upright photo.
"""

from __future__ import annotations

import sys

import numpy as np

from cliff_core.errors import GeometryError

_EPSILON = 1e-9  # of the official code; keeps a scale of exactly zero finite


def full_frame_translation(cam_crop, centre_px, box_height_px, focal_length_px, image_size_px, principal_point_px=None):
    """Body translation in the full camera frame, from CLIFF's crop camera.

    The crop camera is weak perspective on a box of height `b`; seen from the real camera the same body stands at
    depth 2 f / (b s), shifted by the box's offset from the principal point (CLIFF, eq. 8). A scale that is not
    positive gives a body behind the camera: that is not an error here, since a gradient may still mend it.

    Args:
        cam_crop: (N, 3) scale s, tx, ty as regressed.
        centre_px: (N, 2) crop centres.
        box_height_px: (N,) heights b of the crops.
        focal_length_px: (N,) focal lengths of the full photo.
        image_size_px: (N, 2) width, height.
        principal_point_px: (N, 2) of calibrated cameras; the middle of the photo by default.

    Returns:
        (N, 3) translation in metres.

    Raises:
        GeometryError: a box without height.
    """
    cam_crop, height, focal, offset = _aligned(
        cam_crop, centre_px, box_height_px, focal_length_px, image_size_px, principal_point_px
    )
    scaled_height = height * cam_crop[:, 0] + _EPSILON
    shift = 2 * offset / scaled_height[:, None]
    depth = 2 * focal / scaled_height
    return _stack(cam_crop[:, 1] + shift[:, 0], cam_crop[:, 2] + shift[:, 1], depth)


def crop_camera(transl, centre_px, box_height_px, focal_length_px, image_size_px, principal_point_px=None):
    """CLIFF's crop camera of a body that stands at `transl`: the inverse of `full_frame_translation`.

    Args:
        transl: (N, 3) translation in metres, in front of the camera.
        centre_px, box_height_px, focal_length_px, image_size_px, principal_point_px: as above.

    Returns:
        (N, 3) scale s, tx, ty.

    Raises:
        GeometryError: a box without height, or a body at or behind the camera.
    """
    transl, height, focal, offset = _aligned(
        transl, centre_px, box_height_px, focal_length_px, image_size_px, principal_point_px
    )
    depth = transl[:, 2]
    if not bool((depth > 0).all()):
        raise GeometryError(f"depth {float(depth.min()):g} m is not in front of the camera; move the body forward")
    scaled_height = 2 * focal / depth
    shift = 2 * offset / scaled_height[:, None]
    scale = (scaled_height - _EPSILON) / height
    return _stack(scale, transl[:, 0] - shift[:, 0], transl[:, 1] - shift[:, 1])


def project(points, focal_length_px, principal_point_px):
    """Pinhole projection without distortion.

    Args:
        points: (N, K, 3) in the camera frame, translation included; depth 0 gives infinite pixels.
        focal_length_px: (N,).
        principal_point_px: (N, 2).

    Returns:
        (N, K, 2) pixels.
    """
    points = _array(points)
    focal, principal = _array(focal_length_px, points), _array(principal_point_px, points)
    return focal.reshape(-1, 1, 1) * points[..., :2] / points[..., 2:] + principal.reshape(-1, 1, 2)


def _aligned(first, centre_px, box_height_px, focal_length_px, image_size_px, principal_point_px):
    """All arguments in the first one's kind; the last returned is the crop's offset from the principal point (N, 2)."""
    first = _array(first)
    centre, size = _array(centre_px, first), _array(image_size_px, first)
    height, focal = _array(box_height_px, first), _array(focal_length_px, first)
    if not bool((height > 0).all()):
        raise GeometryError(f"box height {float(height.min()):g} px is not positive; draw the box again")
    principal = size / 2 if principal_point_px is None else _array(principal_point_px, first)
    return first, height, focal, centre - principal


def _array(value, like=None):
    """`value` as a tensor like `like` where that is one (or `value` itself is and nothing is asked), else float64."""
    torch = sys.modules.get("torch")
    if torch is not None and like is None and isinstance(value, torch.Tensor):
        return value
    if torch is not None and isinstance(like, torch.Tensor):
        return torch.as_tensor(value, dtype=like.dtype, device=like.device)
    return np.asarray(value, dtype=np.float64)


def _stack(*columns):
    """Columns (N,) side by side."""
    if isinstance(columns[0], np.ndarray):
        return np.stack(columns, axis=-1)
    return sys.modules["torch"].stack(columns, dim=-1)
