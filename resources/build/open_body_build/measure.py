"""Numbers about posed bodies: do they keep their volume, do they run into themselves, does the surface crease?"""

from __future__ import annotations

import numpy as np
from numba import njit

from .surface import edge_faces, face_normals

_MOST_CROSSINGS = 96
_FOLD_COSINE = np.cos(np.deg2rad(60))
_SMOOTH_COSINE = 0.7


@njit
def occupied_volume(vertices: np.ndarray, faces: np.ndarray, step_m: float) -> tuple[float, float]:
    """Volume inside a closed surface, each place counted once, and the volume where the body runs through itself.

    Vertical rays on a grid of `step_m`; along each, the number of surfaces entered and not yet left.

    Returns:
        Cubic metres: inside at all, and inside more than once.
    """
    low_x, low_y = vertices[:, 0].min(), vertices[:, 1].min()
    wide = int((vertices[:, 0].max() - low_x) / step_m) + 2
    tall = int((vertices[:, 1].max() - low_y) / step_m) + 2
    count = np.zeros((wide, tall), np.int32)
    depth = np.zeros((wide, tall, _MOST_CROSSINGS))
    sign = np.zeros((wide, tall, _MOST_CROSSINGS), np.int8)
    # Rays stand a little off the middle of their cells, so that none runs along the mesh's plane of symmetry.
    off_x, off_y = 0.4937, 0.5071
    for face in faces:
        a, b, c = vertices[face[0]], vertices[face[1]], vertices[face[2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        first_x = int(np.ceil((min(a[0], b[0], c[0]) - low_x) / step_m - off_x))
        last_x = int(np.floor((max(a[0], b[0], c[0]) - low_x) / step_m - off_x))
        first_y = int(np.ceil((min(a[1], b[1], c[1]) - low_y) / step_m - off_y))
        last_y = int(np.floor((max(a[1], b[1], c[1]) - low_y) / step_m - off_y))
        for i in range(first_x, last_x + 1):
            for j in range(first_y, last_y + 1):
                x, y = low_x + (i + off_x) * step_m, low_y + (j + off_y) * step_m
                at_a = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
                at_b = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
                at_c = 1 - at_a - at_b
                if at_a >= 0 and at_b >= 0 and at_c >= 0 and count[i, j] < _MOST_CROSSINGS:
                    depth[i, j, count[i, j]] = at_a * a[2] + at_b * b[2] + at_c * c[2]
                    sign[i, j, count[i, j]] = 1 if area > 0 else -1
                    count[i, j] += 1
    inside, twice = 0.0, 0.0
    for i in range(wide):
        for j in range(tall):
            order = np.argsort(-depth[i, j, : count[i, j]])
            entered = 0
            for k in range(len(order) - 1):
                entered += sign[i, j, order[k]]
                length = depth[i, j, order[k]] - depth[i, j, order[k + 1]]
                if entered >= 1:
                    inside += length
                if entered >= 2:
                    twice += length * (entered - 1)
    return inside * step_m**2, twice * step_m**2


class PoseMeasures:
    """Measures of one rest body (V, 3) and its faces (F, 3)."""

    def __init__(self, template: np.ndarray, faces: np.ndarray, step_m: float = 0.005) -> None:
        self._faces, self._step = faces, step_m
        self._edges = edge_faces(faces)
        self._smooth_at_rest = self._cosines(template) > _SMOOTH_COSINE
        self._volume = occupied_volume(template, faces, step_m)[0]

    def of(self, posed: np.ndarray) -> dict[str, float]:
        """Measures of posed vertices (V, 3).

        Returns:
            volume: share of the rest volume; overlap_ml: flesh inside other flesh; folds: edges that were smooth at
            rest and are bent by more than 60 degrees.
        """
        inside, twice = occupied_volume(posed, self._faces, self._step)
        folds = (self._cosines(posed) < _FOLD_COSINE) & self._smooth_at_rest
        return {"volume": inside / self._volume, "overlap_ml": 1e6 * twice, "folds": float(folds.sum())}

    def _cosines(self, vertices: np.ndarray) -> np.ndarray:
        normals = face_normals(vertices, self._faces)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-15)
        return (normals[self._edges[:, 0]] * normals[self._edges[:, 1]]).sum(1)
