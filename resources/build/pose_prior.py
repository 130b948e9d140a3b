"""Fit the pose prior: what a Gaussian mixture remembers of many captured poses, and nothing of any single one.

    python resources/build/pose_prior.py POSES.npz

reads `poses` (N, 24, 3) axis-angle of SMPL's joints and `heldout` (N,) bool, adds the procedural poses that training
uses too (people sit, kneel and lie more often than capture shows), mirrors everything, and writes
`resources/poses/pose_prior.npz`: eight means and covariances of the 23 joints below the pelvis. Prints how well
held-out poses are explained. Needs NumPy and the program itself; takes about two minutes. Afterwards:
`python -m cliff_core.resources`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cliff_core.resources import resources_folder
from cliff_core.skeletons import SMPL24
from cliff_core.synthetic.poses import PoseBank, mirror_pose

COMPONENTS = 8
ROUNDS = 30
FLOOR_RAD = 0.08  # no direction is known better than five degrees: capture was retargeted
PROCEDURAL_COUNT = 3000
UNCAPTURED_SPREAD_RAD = 0.12  # toes and fingers, which the captures do not have
UNCAPTURED = [SMPL24.index(f"{side}_{part}") for side in ("left", "right") for part in ("foot", "hand")]


def main():
    """Fit, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("poses", type=Path)
    rng = np.random.default_rng(0)
    path = parser.parse_args().poses
    train = _poses(rng, PoseBank(path))
    heldout = _poses(rng, PoseBank(path, heldout=True))
    mixture = fit(rng, train)
    found = {
        name: -_log_likelihoods(poses, *mixture).max(1) for name, poses in (("train", train), ("held out", heldout))
    }
    for name, cost in found.items():
        print(f"{name}: median {np.median(cost):.2f}, 95 % below {np.percentile(cost, 95):.2f} nats")
    weights, means, covariances = mixture
    roots = np.linalg.cholesky(np.linalg.inv(covariances))  # the cost is |root^T (x - mean)|^2 / 2 + offset
    offsets = -np.log(weights) - np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(1)
    offsets += 0.5 * means.shape[1] * np.log(2 * np.pi)
    target = resources_folder() / "poses" / "pose_prior.npz"
    np.savez_compressed(
        target,
        means=means.astype(np.float32),
        roots=np.tril(roots).astype(np.float32),
        offsets=offsets,
        typical=np.median(found["held out"]),
        rare=np.percentile(found["held out"], 95),
    )
    print(target, target.stat().st_size, "bytes")


def fit(rng: np.random.Generator, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expectation maximisation from random centres; covariances are drawn towards the overall spread.

    Args:
        poses: (N, 69) rotation vectors.

    Returns:
        Weights (K,), means (K, 69), covariances (K, 69, 69).
    """
    count, size = poses.shape
    spread = np.diag(poses.var(0)) * 0.5 * size
    means = poses[rng.choice(count, COMPONENTS, replace=False)]
    for _ in range(12):
        nearest = ((means**2).sum(1) - 2 * poses @ means.T).argmin(1)
        means = np.array([poses[nearest == k].mean(0) for k in range(COMPONENTS)])
    shares = np.eye(COMPONENTS)[nearest]
    for _ in range(ROUNDS):
        sums = shares.sum(0)
        weights, means = sums / count, shares.T @ poses / sums[:, None]
        covariances = np.empty((COMPONENTS, size, size))
        for k in range(COMPONENTS):
            away = poses - means[k]
            scatter = (away * shares[:, k : k + 1]).T @ away
            covariances[k] = (scatter + spread) / (sums[k] + 0.5 * size) + FLOOR_RAD**2 * np.eye(size)
        logs = _log_likelihoods(poses, weights, means, covariances)
        shares = np.exp(logs - logs.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
    return weights, means, covariances


def _log_likelihoods(poses, weights, means, covariances) -> np.ndarray:
    """(N, K) log of weight times density."""
    columns = []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        root = np.linalg.cholesky(covariance)
        square = (np.linalg.solve(root, (poses - mean).T) ** 2).sum(0)
        columns.append(np.log(weight) - 0.5 * square - np.log(np.diag(root)).sum())
    return np.stack(columns, 1) - 0.5 * means.shape[1] * np.log(2 * np.pi)


def _poses(rng, bank: PoseBank) -> np.ndarray:
    """(N, 69): captured and procedural poses and their mirror images, a little spread where nothing was captured."""
    poses = np.concatenate([bank.captured, bank.procedural[: min(PROCEDURAL_COUNT, len(bank.captured) // 4)]])
    poses = np.concatenate([poses, mirror_pose(poses)])
    poses[:, UNCAPTURED] += rng.normal(0, UNCAPTURED_SPREAD_RAD, (len(poses), len(UNCAPTURED), 3))
    return poses[:, 1:].reshape(len(poses), -1)


if __name__ == "__main__":
    main()
