"""Steps on rotations, and rotation vectors with their slopes: the small arithmetic that every solver repeats.

A solver moves a rotation by R exp([w]x) with a small w, so that no representation has a seam in its way. What is said
about rotation vectors (limits, pose statistics) comes back to such steps through the inverse right Jacobian of SO(3):
log(R exp([w]x)) = log(R) + slope(R) w for small w.
"""

from __future__ import annotations

import numpy as np
from numba import njit


def turned(rotmat: np.ndarray, step_rotvec: np.ndarray) -> np.ndarray:
    """(N, 3, 3) rotations after right-multiplied steps (N, 3) in radians."""
    result = np.empty((len(rotmat), 3, 3))
    _turn(np.ascontiguousarray(rotmat, dtype=np.float64), np.ascontiguousarray(step_rotvec, dtype=np.float64), result)
    return result


def rotvec_and_slope(rotmat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation vectors and how they change with a right-multiplied step.

    Args:
        rotmat: (N, 3, 3).

    Returns:
        (N, 3) radians, angle in [0, pi], and (N, 3, 3) inverse right Jacobians (bounded beside the seam at pi).
    """
    rotvec, slope = np.empty((len(rotmat), 3)), np.empty((len(rotmat), 3, 3))
    _log(np.ascontiguousarray(rotmat, dtype=np.float64), rotvec, slope)
    return rotvec, slope


@njit(cache=True, nogil=True)
def _turn(rotmat, step, result):
    exp = np.empty((3, 3))
    for n in range(len(rotmat)):
        x, y, z = step[n, 0], step[n, 1], step[n, 2]
        angle2 = x * x + y * y + z * z
        if angle2 < 1e-8:
            s, c = 1 - angle2 / 6, 0.5 - angle2 / 24
        else:
            angle = np.sqrt(angle2)
            s, c = np.sin(angle) / angle, 2 * np.sin(angle / 2) ** 2 / angle2
        exp[0, 0], exp[0, 1], exp[0, 2] = 1 - c * (y * y + z * z), c * x * y - s * z, c * x * z + s * y
        exp[1, 0], exp[1, 1], exp[1, 2] = c * x * y + s * z, 1 - c * (x * x + z * z), c * y * z - s * x
        exp[2, 0], exp[2, 1], exp[2, 2] = c * x * z - s * y, c * y * z + s * x, 1 - c * (x * x + y * y)
        for a in range(3):
            for b in range(3):
                result[n, a, b] = (
                    rotmat[n, a, 0] * exp[0, b] + rotmat[n, a, 1] * exp[1, b] + rotmat[n, a, 2] * exp[2, b]
                )


@njit(cache=True, nogil=True)
def _log(rotmat, rotvec, slope):
    for n in range(len(rotmat)):
        m = rotmat[n]
        # 4 q q^T is linear in the matrix: its row with the largest diagonal is q times a number of at least 1.
        d0 = 1 + m[0, 0] + m[1, 1] + m[2, 2]
        d1 = 1 + m[0, 0] - m[1, 1] - m[2, 2]
        d2 = 1 - m[0, 0] + m[1, 1] - m[2, 2]
        d3 = 1 - m[0, 0] - m[1, 1] + m[2, 2]
        x, y, z = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
        xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
        if d0 >= d1 and d0 >= d2 and d0 >= d3:
            w = d0
        elif d1 >= d2 and d1 >= d3:
            w, x, y, z = x, d1, xy, xz
        elif d2 >= d3:
            w, x, y, z = y, xy, d2, yz
        else:
            w, x, y, z = z, xz, yz, d3
        if w < 0:
            w, x, y, z = -w, -x, -y, -z
        length = np.sqrt(x * x + y * y + z * z)
        angle = 2 * np.arctan2(length, w)
        gain = angle / length if length > 1e-12 else 2.0 / max(w, 1e-12)
        x, y, z = gain * x, gain * y, gain * z
        rotvec[n, 0], rotvec[n, 1], rotvec[n, 2] = x, y, z
        # I + [v]x / 2 + k [v]x^2 with k = (1 - (a/2) cot(a/2)) / a^2, which stays finite up to pi
        if angle < 1e-3:
            k = 1.0 / 12
        else:
            k = (1 - 0.5 * angle / np.tan(0.5 * angle)) / (angle * angle)
        slope[n, 0, 0], slope[n, 1, 1], slope[n, 2, 2] = (
            1 - k * (y * y + z * z),
            1 - k * (x * x + z * z),
            1 - k * (x * x + y * y),
        )
        slope[n, 0, 1], slope[n, 1, 0] = k * x * y - 0.5 * z, k * x * y + 0.5 * z
        slope[n, 0, 2], slope[n, 2, 0] = k * x * z + 0.5 * y, k * x * z - 0.5 * y
        slope[n, 1, 2], slope[n, 2, 1] = k * y * z - 0.5 * x, k * y * z + 0.5 * x
