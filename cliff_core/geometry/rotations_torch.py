"""The rotations of `rotations`, for torch tensors of any float type: differentiable, finite gradients at angle zero.

Where a formula divides by an angle, both branches of the `where` get a safe number: a gradient flows through the
branch that was not taken as well, and zero times infinity would be NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

_SMALL = 1e-4  # below this squared angle the series is exact to float64


def rotvec_to_rotmat(rotvec: Tensor) -> Tensor:
    """(..., 3) axis-angle in radians -> (..., 3, 3) matrices (Rodrigues' formula)."""
    angle2 = (rotvec**2).sum(-1)[..., None, None]
    small = angle2 < _SMALL
    safe2 = torch.where(small, torch.ones_like(angle2), angle2)
    angle = safe2.sqrt()
    sin_over = torch.where(small, 1 - angle2 / 6 + angle2**2 / 120, angle.sin() / angle)
    cos_over = torch.where(small, 0.5 - angle2 / 24 + angle2**2 / 720, 2 * (angle / 2).sin() ** 2 / safe2)
    cross = _cross_matrix(rotvec)
    identity = torch.eye(3, dtype=rotvec.dtype, device=rotvec.device)
    return identity + sin_over * cross + cos_over * (cross @ cross)


def rotmat_to_rotvec(rotmat: Tensor) -> Tensor:
    """(..., 3, 3) matrices -> (..., 3) axis-angle in radians with an angle in [0, pi]; exact near 0 and pi."""
    quaternion = _rotmat_to_quaternion(rotmat)
    w, xyz = quaternion[..., :1], quaternion[..., 1:]
    sin_half2 = (xyz**2).sum(-1, keepdim=True)
    small = sin_half2 < 1e-6
    sin_half = torch.where(small, torch.ones_like(sin_half2), sin_half2).sqrt()
    series = 2 + sin_half2 / 3 + 0.15 * sin_half2**2
    return torch.where(small, series, 2 * torch.atan2(sin_half, w) / sin_half) * xyz


def rot6d_to_rotmat(rot6d: Tensor) -> Tensor:
    """(..., 6) -> (..., 3, 3) by Gram-Schmidt; columns from elements 0, 2, 4 and 1, 3, 5 (CLIFF, SPIN, HMR)."""
    columns = rot6d.reshape(*rot6d.shape[:-1], 3, 2)
    first = normalize(columns[..., 0], dim=-1)
    second = columns[..., 1] - (first * columns[..., 1]).sum(-1, keepdim=True) * first
    second = normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second, dim=-1)], dim=-1)


def rotmat_to_rot6d(rotmat: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 6): the first two columns, interleaved as `rot6d_to_rotmat` reads them."""
    return rotmat[..., :2].reshape(*rotmat.shape[:-2], 6)


def geodesic_deg(a_rotmat: Tensor, b_rotmat: Tensor) -> Tensor:
    """Angle between rotations (..., 3, 3) in degrees (...), accurate near 0 and near 180; gradient 0 at angle 0."""
    between = a_rotmat.transpose(-1, -2) @ b_rotmat
    twice_sin2 = (_vee(between) ** 2).sum(-1)
    zero = twice_sin2 == 0
    sin = torch.where(zero, 0.0, torch.where(zero, torch.ones_like(twice_sin2), twice_sin2).sqrt() / 2)
    cos = (between.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return torch.rad2deg(torch.atan2(sin, cos))


def _rotmat_to_quaternion(m: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 4) unit quaternion w, x, y, z with w >= 0: the largest row of 4 q q^T, normalised."""
    x, y, z = _vee(m).unbind(-1)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = torch.stack(
        [
            torch.stack([1 + m00 + m11 + m22, x, y, z], dim=-1),
            torch.stack([x, 1 + m00 - m11 - m22, xy, xz], dim=-1),
            torch.stack([y, xy, 1 - m00 + m11 - m22, yz], dim=-1),
            torch.stack([z, xz, yz, 1 - m00 - m11 + m22], dim=-1),
        ],
        dim=-2,
    )
    largest = rows.diagonal(dim1=-2, dim2=-1).argmax(-1)
    index = largest[..., None, None].expand(*largest.shape, 1, 4)
    row = rows.gather(-2, index).squeeze(-2)
    row = torch.where(row[..., :1] < 0, -row, row)
    return row / row.norm(dim=-1, keepdim=True)


def _vee(m: Tensor) -> Tensor:
    """(..., 3) twice the axial vector of the antisymmetric part."""
    return torch.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], dim=-1)


def _cross_matrix(v: Tensor) -> Tensor:
    """(..., 3) -> (..., 3, 3) such that matrix @ u = v x u."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(*v.shape, 3)
