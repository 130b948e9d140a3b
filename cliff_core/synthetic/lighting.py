"""Light on synthetic people: sky and ground, one to three lamps or suns, soft shadows of the body on itself."""

from __future__ import annotations

import numpy as np
from numba import njit

_SHADOW_CELLS = 56
_SHADOW_MARGIN_M = 0.05


def light(normals: np.ndarray, rng: np.random.Generator, vertices: np.ndarray | None = None) -> np.ndarray:
    """Shading of a mesh under random light.

    Args:
        normals: (V, 3) unit, camera frame (y down).
        rng: draws the lights.
        vertices: (V, 3) camera frame, metres; with them the main light casts the body's shadow on itself.

    Returns:
        (V, 3) float32 factors for the colours, about 0.15 to 1.3.
    """
    normals = np.asarray(normals, np.float32)
    sky, ground = _tint(rng, 0.12), _tint(rng, 0.12) * np.float32(rng.uniform(0.45, 1.0))
    upward = (0.5 - 0.5 * normals[:, 1:2]).astype(np.float32)
    ambient = rng.uniform(0.28, 0.85)
    shade = np.float32(ambient) * (ground + upward * (sky - ground))
    strength = (1.15 - ambient) * rng.uniform(0.75, 1.25)
    for number in range(rng.integers(1, 4)):
        towards = _direction(rng)
        wrap = rng.uniform(0.0, 0.35)
        lit = np.clip((normals @ towards + np.float32(wrap)) / np.float32(1 + wrap), 0, None)
        if number == 0 and vertices is not None and rng.random() < 0.7:
            lit = lit * (1 - np.float32(rng.uniform(0.4, 0.95)) * _shadow(np.asarray(vertices, np.float64), towards))
        shade = shade + (lit * np.float32(strength))[:, None] * _tint(rng, 0.22)
        strength *= rng.uniform(0.2, 0.6)
    return shade.astype(np.float32)


def _tint(rng, amount):
    colour = np.exp(rng.normal(0, amount, 3) * (1.0, 0.4, 1.0))
    return (colour / colour.mean()).astype(np.float32)


def _direction(rng):
    """Towards a light: from above mostly, from the camera's side more often than from behind."""
    towards = rng.normal(size=3)
    towards[1] = -abs(towards[1]) if rng.random() < 0.88 else towards[1]
    towards[2] = -abs(towards[2]) if rng.random() < 0.75 else towards[2]
    return (towards / np.linalg.norm(towards)).astype(np.float32)


def _shadow(vertices, towards):
    """(V,) float32 0..1: how much of each vertex's surroundings lies behind something nearer to the light."""
    across = np.cross(towards, (0.0, 0.0, 1.0) if abs(towards[2]) < 0.9 else (1.0, 0.0, 0.0))
    across = across / np.linalg.norm(across)
    axes = np.stack([across, np.cross(towards, across), towards])
    seen = vertices @ axes.T
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = (_SHADOW_CELLS - 3) / max(float((high - low)[:2].max()), 1e-3)
    return _shadow_of_points(np.ascontiguousarray((seen - low) * (scale, scale, 1.0) + (1.0, 1.0, 0.0)))


@njit(cache=True, nogil=True)
def _shadow_of_points(seen):
    """A shadow map without triangles: every vertex is splatted on a coarse grid, then compared with its neighbours."""
    nearest = np.full((_SHADOW_CELLS, _SHADOW_CELLS), -1.0, np.float32)
    for n in range(seen.shape[0]):
        column, row = int(seen[n, 0]), int(seen[n, 1])
        for y in range(row, min(row + 2, _SHADOW_CELLS)):
            for x in range(column, min(column + 2, _SHADOW_CELLS)):
                nearest[y, x] = max(nearest[y, x], seen[n, 2])
    shadow = np.zeros(seen.shape[0], np.float32)
    for n in range(seen.shape[0]):
        column, row = int(seen[n, 0]), int(seen[n, 1])
        hidden = 0.0
        for y in range(max(row - 1, 0), min(row + 3, _SHADOW_CELLS)):
            for x in range(max(column - 1, 0), min(column + 3, _SHADOW_CELLS)):
                excess = (nearest[y, x] - seen[n, 2] - _SHADOW_MARGIN_M) / 0.06
                hidden += min(max(excess, 0.0), 1.0)
        shadow[n] = hidden / 16.0
    return shadow
