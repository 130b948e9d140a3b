"""Template and shape directions of one gender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_BETAS = 10


@dataclass(frozen=True)
class ShapeSpace:
    """vertices = template + shapedirs @ betas, betas of the sampled people having unit variance.

    Attributes:
        template: (V, 3) mean of the people, metres.
        shapedirs: (V, 3, 10) metres per standard deviation.
        explained: (10,) cumulative share of the people's variance.
        error_mm: mean distance between a person's vertices and their ten-beta reconstruction.
    """

    template: np.ndarray
    shapedirs: np.ndarray
    explained: np.ndarray
    error_mm: float


def fit_shape_space(people: np.ndarray, mirror: np.ndarray) -> ShapeSpace:
    """Principal components of T-pose people (S, V, 3), made exactly symmetric.

    Signs: beta 0 grows the body; every other beta moves the surface away from the body's vertical axis, distant parts
    counting more (so mostly the span of the arms). Any rule would do that a rebuild cannot flip at random.
    """
    people = 0.5 * (people + people[:, mirror] * [-1, 1, 1])
    template = people.mean(0)
    flat = (people - template).reshape(len(people), -1)
    _, singular, directions = np.linalg.svd(flat, full_matrices=False)
    deviations = singular[:N_BETAS] / np.sqrt(len(people) - 1)
    shapedirs = (directions[:N_BETAS].T * deviations).reshape(-1, 3, N_BETAS)
    outwards = template - np.array([0, 1, 0]) * template[:, 1:2]
    signs = np.sign(np.einsum("vc,vcb->b", outwards, shapedirs))
    height = np.ptp((template + shapedirs[:, :, 0])[:, 1]) - np.ptp(template[:, 1])
    signs[0] = np.sign(height)
    shapedirs = shapedirs * np.where(signs == 0, 1, signs)
    betas = flat @ directions[:N_BETAS].T / deviations * np.where(signs == 0, 1, signs)
    rebuilt = template + np.einsum("vcb,sb->svc", shapedirs, betas)
    return ShapeSpace(
        template=template,
        shapedirs=shapedirs,
        explained=(singular**2).cumsum()[:N_BETAS] / (singular**2).sum(),
        error_mm=1e3 * float(np.linalg.norm(rebuilt - people, axis=-1).mean()),
    )
