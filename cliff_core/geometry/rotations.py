"""Rotation representations on NumPy arrays, in float64; `rotations_torch` has the same names for tensors.

`_rotvec` is axis times angle in radians, `_rotmat` a 3x3 matrix acting on column vectors, `_6d` CLIFF's and SPIN's
interleaved six numbers.
"""

from __future__ import annotations

import numpy as np

_SMALL = 1e-4  # below this squared angle the series is exact to float64


def rotvec_to_rotmat(rotvec: np.ndarray) -> np.ndarray:
    """(..., 3) axis-angle in radians -> (..., 3, 3) matrices (Rodrigues' formula)."""
    rotvec = np.asarray(rotvec, dtype=np.float64)
    angle2 = (rotvec**2).sum(-1)[..., None, None]
    small = angle2 < _SMALL
    safe2 = np.where(small, 1.0, angle2)
    angle = np.sqrt(safe2)
    sin_over = np.where(small, 1 - angle2 / 6 + angle2**2 / 120, np.sin(angle) / angle)
    # 1 - cos as 2 sin^2(half): no digits are lost at small angles
    cos_over = np.where(small, 0.5 - angle2 / 24 + angle2**2 / 720, 2 * np.sin(angle / 2) ** 2 / safe2)
    cross = _cross_matrix(rotvec)
    return np.eye(3) + sin_over * cross + cos_over * (cross @ cross)


def rotmat_to_rotvec(rotmat: np.ndarray) -> np.ndarray:
    """(..., 3, 3) matrices -> (..., 3) axis-angle in radians with an angle in [0, pi].

    Goes through the quaternion, whose largest component is never small: exact near 0 and near pi alike. At pi
    exactly both axes are right; one of them is returned.
    """
    quaternion = _rotmat_to_quaternion(np.asarray(rotmat, dtype=np.float64))
    w, xyz = quaternion[..., :1], quaternion[..., 1:]
    sin_half2 = (xyz**2).sum(-1, keepdims=True)
    small = sin_half2 < 1e-6
    sin_half = np.sqrt(np.where(small, 1.0, sin_half2))
    angle_over_sin = np.where(small, 2 + sin_half2 / 3 + 0.15 * sin_half2**2, 2 * np.arctan2(sin_half, w) / sin_half)
    return angle_over_sin * xyz


def rot6d_to_rotmat(rot6d: np.ndarray) -> np.ndarray:
    """(..., 6) -> (..., 3, 3) by Gram-Schmidt, in the layout of CLIFF, SPIN and HMR.

    The six numbers are a row-major 3x2 matrix: its columns are elements 0, 2, 4 and 1, 3, 5 (PyTorch3D's six are
    two rows: another layout). Degenerate input gives finite numbers, not a rotation.
    """
    columns = np.asarray(rot6d, dtype=np.float64).reshape(*np.shape(rot6d)[:-1], 3, 2)
    first = _unit(columns[..., 0])
    second = columns[..., 1] - (first * columns[..., 1]).sum(-1, keepdims=True) * first
    second = _unit(second)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def rotmat_to_rot6d(rotmat: np.ndarray) -> np.ndarray:
    """(..., 3, 3) -> (..., 6): the first two columns, interleaved as `rot6d_to_rotmat` reads them."""
    rotmat = np.asarray(rotmat, dtype=np.float64)
    return rotmat[..., :2].reshape(*rotmat.shape[:-2], 6)


def geodesic_deg(a_rotmat: np.ndarray, b_rotmat: np.ndarray) -> np.ndarray:
    """Angle between rotations (..., 3, 3) in degrees (...), accurate near 0 and near 180."""
    between = np.swapaxes(np.asarray(a_rotmat, dtype=np.float64), -1, -2) @ np.asarray(b_rotmat, dtype=np.float64)
    sin = np.linalg.norm(_vee(between), axis=-1) / 2
    cos = (np.trace(between, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arctan2(sin, cos))


def _rotmat_to_quaternion(m: np.ndarray) -> np.ndarray:
    """(..., 3, 3) -> (..., 4) unit quaternion w, x, y, z with w >= 0.

    4 q q^T is linear in the matrix; its row with the largest diagonal is q times a number of at least 1.
    """
    x, y, z = _vee(m)[..., 0], _vee(m)[..., 1], _vee(m)[..., 2]
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack(
        [
            np.stack([1 + m00 + m11 + m22, x, y, z], axis=-1),
            np.stack([x, 1 + m00 - m11 - m22, xy, xz], axis=-1),
            np.stack([y, xy, 1 - m00 + m11 - m22, yz], axis=-1),
            np.stack([z, xz, yz, 1 - m00 - m11 + m22], axis=-1),
        ],
        axis=-2,
    )
    largest = np.argmax(np.diagonal(rows, axis1=-2, axis2=-1), axis=-1)
    row = np.take_along_axis(rows, largest[..., None, None], axis=-2)[..., 0, :]
    row = np.where(row[..., :1] < 0, -row, row)
    return row / np.linalg.norm(row, axis=-1, keepdims=True)


def _vee(m: np.ndarray) -> np.ndarray:
    """(..., 3) twice the axial vector of the antisymmetric part."""
    return np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], axis=-1)


def _cross_matrix(v: np.ndarray) -> np.ndarray:
    """(..., 3) -> (..., 3, 3) such that matrix @ u = v x u."""
    zero = np.zeros_like(v[..., 0])
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*v.shape, 3)


def _unit(v: np.ndarray) -> np.ndarray:
    """Vectors of length 1; the floor on the length is the official network's."""
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)
