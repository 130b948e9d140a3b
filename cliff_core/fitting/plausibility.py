"""How plausible a pose is: a Gaussian mixture over the rotation vectors of the 23 joints below the pelvis.

Fitted by `resources/build/pose_prior.py` to captured and procedural poses, of which only eight means and covariances
remain. A pose costs what its nearest component says (as SMPLify does; Bogo et al. 2016), so that a solver sees one
Gaussian at a time. The prior says what is usual; what is impossible is said by `limits`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from cliff_core.errors import ResourceError
from cliff_core.fitting.manifold import rotvec_and_slope
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.resources import resource_path


class PosePrior:
    """The bundled mixture as a cost for solvers, times a weight.

    Args:
        weight: of the cost in nats.

    Raises:
        ResourceError: the bundled file is missing or damaged.
    """

    def __init__(self, weight: float = 1.0):
        self.weight = weight
        self._means, self._roots, self._offsets, self._typical, self._rare = _mixture()

    def cost(self, rotvec: np.ndarray) -> float:
        """Weighted cost of a pose (24, 3)."""
        return self.weight * float(self.nats(rotvec[None])[0])

    def normal(self, rotvec: np.ndarray, slope: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """For `least_squares`: cost, gradient (72,) and curvature (72, 72) by rotation steps.

        Args:
            rotvec, slope: (24, 3) and (24, 3, 3) of `manifold.rotvec_and_slope`.
        """
        away = rotvec[1:].reshape(-1) - self._means  # (K, 69)
        whitened = np.matmul(away[:, None], self._roots)[:, 0]
        costs = 0.5 * (whitened * whitened).sum(1) + self._offsets
        nearest = int(np.argmin(costs))
        root = self._roots[nearest].reshape(23, 3, 69)
        slopes = np.matmul(slope[1:].transpose(0, 2, 1), root).reshape(69, 69)
        gradient, curvature = np.zeros(72), np.zeros((72, 72))
        gradient[3:] = self.weight * (slopes @ whitened[nearest])
        curvature[3:, 3:] = self.weight * (slopes @ slopes.T)
        return self.weight * float(costs[nearest]), gradient, curvature

    def nats(self, poses_rotvec: np.ndarray) -> np.ndarray:
        """(N,) negative log likelihoods of poses (N, 24, 3) whose angles are at most pi."""
        flat = poses_rotvec[:, 1:].reshape(len(poses_rotvec), -1)
        away = flat[None] - self._means[:, None]  # (K, N, 69)
        whitened = np.matmul(away, self._roots)
        return (0.5 * (whitened * whitened).sum(2) + self._offsets[:, None]).min(0)

    def relative(self, nats: np.ndarray) -> np.ndarray:
        """Nats on a scale that a person can read: 0 as usual as captured poses are, 1 rarer than 95 % of them."""
        return (nats - self._typical) / (self._rare - self._typical)


def score(pose_rotvec: np.ndarray) -> float:
    """How unusual a pose is.

    Args:
        pose_rotvec: (24, 3) axis-angle; the pelvis does not count.

    Returns:
        0 for a usual pose, 1 for one rarer than 95 % of captured poses; lower is more plausible.

    Raises:
        ResourceError: the bundled file is missing or damaged.
    """
    rotvec, _ = rotvec_and_slope(rotvec_to_rotmat(pose_rotvec))
    prior = PosePrior()
    return float(prior.relative(prior.nats(rotvec[None]))[0])


@cache
def _mixture() -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Means (K, 69), roots (K, 69, 69) with precision = root root^T, offsets (K,), median and 95 % of usual costs."""
    path = resource_path("poses", "pose_prior.npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            means, roots, offsets = (file[name].astype(np.float64) for name in ("means", "roots", "offsets"))
            typical, rare = float(file["typical"]), float(file["rare"])
    except (OSError, KeyError, ValueError) as error:
        raise ResourceError(
            f"{path}: not a pose prior ({error}); restore it with `git checkout -- resources`"
        ) from None
    return means, roots, offsets, typical, rare
