"""Colours and patterns that cost little: value noise in two and three dimensions, cloth patterns, plausible colours."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numba import njit

_LATTICE = 16

# Skin from very light to very dark, sRGB; people are drawn between neighbours.
_SKIN = np.array(
    [(250, 222, 202), (240, 200, 170), (226, 178, 140), (204, 150, 108), (170, 112, 76), (128, 80, 54), (88, 56, 42)]
)
_SKIN = np.vstack([_SKIN, [(62, 42, 36)]]).astype(np.float32)
_HAIR = np.array(
    [(22, 18, 16), (42, 30, 24), (72, 48, 32), (110, 74, 44), (160, 116, 68), (206, 172, 116), (130, 60, 30)]
)
_HAIR = np.vstack([_HAIR, [(150, 148, 146), (222, 220, 216)]]).astype(np.float32)
_EVERYDAY = np.array(  # black, white, greys, navy, denims, khaki, beige, brown, olive, burgundy
    [
        (24, 24, 26), (38, 38, 42), (240, 240, 238), (222, 222, 220), (128, 128, 132), (84, 86, 92), (32, 40, 66),
        (58, 82, 122), (92, 122, 160), (160, 146, 112), (214, 200, 172), (92, 68, 50), (86, 92, 60), (110, 32, 44),
    ],
    np.float32,
)  # fmt: skip


def skin_colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) float32 0..255: any human skin tone, light to dark equally often."""
    place = rng.uniform(0, len(_SKIN) - 1)
    low = min(int(place), len(_SKIN) - 2)
    colour = _SKIN[low] + (place - low) * (_SKIN[low + 1] - _SKIN[low])
    return np.clip(colour * rng.uniform(0.93, 1.07, 3) * rng.uniform(0.95, 1.05), 0, 255).astype(np.float32)


def hair_colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) float32 0..255: natural mostly, dyed now and then."""
    if rng.random() < 0.05:
        return vivid_colour(rng)
    return _HAIR[rng.integers(len(_HAIR))] * rng.uniform(0.75, 1.25, 3).astype(np.float32).clip(0.85, 1.15)


def vivid_colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) float32 0..255: any hue."""
    colour = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.25, 1.0) ** 0.8, rng.uniform(0.15, 1.0))
    return np.array(colour, np.float32) * 255


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) float32 0..255: half of all clothes are black, white, grey, blue or brown; the others have any hue."""
    if rng.random() < 0.5:
        return np.clip(_EVERYDAY[rng.integers(len(_EVERYDAY))] * rng.uniform(0.8, 1.2), 4, 250).astype(np.float32)
    return vivid_colour(rng)


def noise_at(rng: np.random.Generator, points: np.ndarray, period_m: float) -> np.ndarray:
    """Smooth random values at points of space.

    Args:
        points: (N, 3) metres.
        period_m: size of the blobs.

    Returns:
        (N,) float32 in 0..1, mean one half.
    """
    lattice = rng.random((_LATTICE, _LATTICE, _LATTICE), dtype=np.float32)
    offset = rng.uniform(0, _LATTICE, 3)
    return _lattice_values(np.ascontiguousarray(points, np.float32), np.float32(1 / period_m), offset, lattice)


@njit(cache=True, nogil=True)
def _lattice_values(points, frequency, offset, lattice):
    size = lattice.shape[0]
    values = np.empty(points.shape[0], np.float32)
    for n in range(points.shape[0]):
        x = points[n, 0] * frequency + offset[0]
        y = points[n, 1] * frequency + offset[1]
        z = points[n, 2] * frequency + offset[2]
        fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
        u, v, w = x - fx, y - fy, z - fz
        u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
        x0, y0, z0 = int(fx) % size, int(fy) % size, int(fz) % size
        x1, y1, z1 = (x0 + 1) % size, (y0 + 1) % size, (z0 + 1) % size
        near = (lattice[x0, y0, z0] * (1 - u) + lattice[x1, y0, z0] * u) * (1 - v)
        near += (lattice[x0, y1, z0] * (1 - u) + lattice[x1, y1, z0] * u) * v
        far = (lattice[x0, y0, z1] * (1 - u) + lattice[x1, y0, z1] * u) * (1 - v)
        far += (lattice[x0, y1, z1] * (1 - u) + lattice[x1, y1, z1] * u) * v
        values[n] = near * (1 - w) + far * w
    return values


def noise_picture(rng: np.random.Generator, width: int, height: int, cells: int, octaves: int = 4, fall: float = 0.55):
    """Smooth random picture of several octaves.

    Args:
        cells: blobs along the longer side in the coarsest octave.
        fall: weight of each octave relative to the one before.

    Returns:
        (height, width) float32, mean zero, roughly -1..1.
    """
    total = np.zeros((height, width), np.float32)
    longer, weight, weights = max(width, height), 1.0, 0.0
    for _ in range(octaves):
        shape = (max(2, round(height * cells / longer) + 2), max(2, round(width * cells / longer) + 2))
        coarse = rng.random(shape, dtype=np.float32) * 2 - 1
        total += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        weights += weight
        weight *= fall
        cells *= 2
        if cells > longer:
            break
    return total * np.float32(1.6 / weights)


def cloth(rng: np.random.Generator, points: np.ndarray, plain: float = 0.4) -> np.ndarray:
    """Colours of a piece of cloth.

    Args:
        points: (N, 3) metres, rest pose, y up: where the cloth is.
        plain: share of cloth without any pattern.

    Returns:
        (N, 3) float32 0..255.
    """
    base, other = cloth_colour(rng), cloth_colour(rng)
    if rng.random() < plain:
        return np.repeat(base[None], len(points), axis=0)
    pattern = _PATTERNS[int(np.searchsorted(_PATTERN_LIMITS, rng.random(), side="right"))]
    share = pattern(rng, points)
    return base + np.asarray(share, np.float32)[:, None] * (other - base)


def _wave(rng, along, shortest_m=0.06, longest_m=0.2):
    """0 or 1 in bands of random width and gap."""
    period = np.exp(rng.uniform(np.log(shortest_m), np.log(longest_m)))
    return ((along / period + rng.random()) % 1.0 < rng.uniform(0.25, 0.75)).astype(np.float32)


def _rings(rng, points):
    return _wave(rng, points[:, 1])


def _pinstripes(rng, points):
    return _wave(rng, points[:, 0], 0.05, 0.12)


def _diagonals(rng, points):
    return _wave(rng, points @ np.array([1.0, rng.choice((-1.0, 1.0)), rng.uniform(-0.5, 0.5)]))


def _checks(rng, points):
    strength = rng.uniform(0.4, 0.6)
    return strength * _wave(rng, points[:, 1], 0.07) + (1 - strength) * _wave(rng, points[:, 0], 0.07)


def _dots(rng, points):
    period = rng.uniform(0.05, 0.12)
    cell = (points[:, :2] / period + rng.random(2)) % 1.0 - 0.5
    return (np.square(cell).sum(axis=1) < rng.uniform(0.06, 0.14)).astype(np.float32)


def _fade(rng, points):
    along = points @ np.array([rng.uniform(-0.5, 0.5), 1.0, rng.uniform(-0.5, 0.5)])
    low, span = along.min(initial=0), np.ptp(along) if len(along) else 1.0
    return ((along - low) / max(span, 1e-3)) ** rng.uniform(0.6, 1.8)


def _mottled(rng, points):
    return noise_at(rng, points, rng.uniform(0.03, 0.2))


def _camouflage(rng, points):
    return np.round(noise_at(rng, points, rng.uniform(0.06, 0.16)) * 3 - 0.5).clip(0, 2) / 2


def _blocks(rng, points):
    axis = rng.integers(3)
    along = points[:, axis]
    where = 0.0 if axis == 0 else np.median(along) if len(along) else 0.0
    return (along > where + rng.uniform(-0.06, 0.06)).astype(np.float32)


def _chest_band(rng, points):
    if not len(points):
        return np.zeros(0, np.float32)
    middle = np.quantile(points[:, 1], rng.uniform(0.4, 0.85))
    return (np.abs(points[:, 1] - middle) < rng.uniform(0.025, 0.08)).astype(np.float32)


def _print_in_front(rng, points):
    if not len(points):
        return np.zeros(0, np.float32)
    middle, size = np.quantile(points[:, 1], rng.uniform(0.55, 0.8)), rng.uniform(0.04, 0.11)
    offset = (points[:, :2] - (rng.normal(0, 0.02), middle)) / (size, size * rng.uniform(0.5, 1.3))
    inside = np.square(offset).sum(axis=1) < 1 if rng.random() < 0.5 else np.abs(offset).max(axis=1) < 1
    return (inside & (points[:, 2] > np.median(points[:, 2]))).astype(np.float32)


_PATTERNS = (
    _rings, _pinstripes, _diagonals, _checks, _dots, _fade, _mottled, _camouflage, _blocks, _chest_band,
    _print_in_front,
)  # fmt: skip
_PATTERN_LIMITS = np.cumsum([0.16, 0.09, 0.07, 0.13, 0.07, 0.1, 0.1, 0.07, 0.08, 0.06])
