"""Small operators on the surface of a closed triangle mesh."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3) normals, twice as long as the faces' areas."""
    corners = vertices[faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, faces weighted by area."""
    normals = np.zeros_like(vertices)
    of_faces = face_normals(vertices, faces)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], of_faces)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume enclosed by the surface, cubic metres; where it runs through itself, overlaps count twice."""
    corners = vertices[faces]
    return float(np.einsum("fc,fc->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def neighbour_average(faces: np.ndarray, count: int) -> tuple[np.ndarray, sp.csr_matrix]:
    """Directed edges (2, E) of a closed mesh and the (V, V) operator that averages each vertex's neighbours."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    adjacency = sp.csr_matrix((np.ones(len(pairs)), pairs.T), (count, count))
    return np.stack(adjacency.nonzero()), sp.diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency


def edge_faces(faces: np.ndarray) -> np.ndarray:
    """(E, 2) the two faces at each edge of a closed mesh."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    order = np.lexsort(edges.T)
    return np.tile(np.arange(len(faces)), 3)[order].reshape(-1, 2)
