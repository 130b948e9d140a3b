"""2D points as a model meets them in life: some missing, all a little off, a few wrong, sides sometimes swapped."""

from __future__ import annotations

import numpy as np
import torch

from cliff_core.evaluation.metrics import OKS_SIGMAS
from cliff_core.models.open_cliff import confidence_of
from cliff_core.skeletons import COCO23, SMPL24

_NAMES = (*COCO23.names, *SMPL24.names)
_FLIP = torch.tensor([*COCO23.flip, *(len(COCO23) + SMPL24.flip)])


def _with(*parts: str) -> list[int]:
    return [i for i, name in enumerate(_NAMES) if any(part in name for part in parts)]


_SIDES = {
    "legs": _with("hip", "knee", "ankle", "toe", "heel", "foot"),
    "arms": _with("shoulder", "elbow", "wrist", "hand"),
}
_FACE, _FEET, _JOINTS = slice(0, 5), slice(17, 23), slice(23, 47)
_BODY = slice(0, 17)
# People and detectors are as unsure of a point as COCO's annotators were (OKS); joints are dragged in the overlay.
_SIGMAS = np.array([*OKS_SIGMAS["coco23"], *[OKS_SIGMAS["coco23"].mean()] * len(SMPL24)])
SPREAD = _SIGMAS / _SIGMAS.mean()
"""(47,) how far off a point usually is, against the average one."""

_SPREAD = torch.as_tensor(SPREAD, dtype=torch.float32)
_BEYOND_SHARE = 0.15  # of people whose points outside the photo are known too: imported bodies, dragged joints


def corrupt_points(points: torch.Tensor, inside: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """What somebody might mark for these true points.

    Args:
        points: (B, 47, 2) true points in crop units, in the order of `PosedBatch.points`.
        inside: (B, 47) bool, inside the photo.
        generator: source of all randomness.

    Returns:
        (B, 47, 3) x, y and confidence 0..1; 0 where a point is missing.
    """
    batch = len(points)

    def uniform(*shape):
        return torch.rand(*shape, generator=generator)

    def chance(probability, *shape):
        return uniform(*shape) < probability

    # Whoever places points says how exact they are: 0.04 to 10 px off in a 256 px crop, the same for all of a person's.
    share_by_hand = torch.where(chance(0.2, batch, 1), uniform(batch, 1), chance(0.55, batch, 1).float())
    by_hand = uniform(*inside.shape) < share_by_hand
    care = 0.0003 * 270 ** uniform(batch, 1)
    # A detector is 0.3 to 5 px off, and its confidence says little about it.
    sigma = torch.where(by_hand, care, 0.002 * 20 ** uniform(batch, 1))
    spread = torch.where(chance(0.5, batch, 1), _SPREAD, 1.0)
    noisy = points + torch.randn(points.shape, generator=generator) * (sigma * spread)[..., None]
    confidence = torch.where(by_hand, confidence_of(care), 1 - 0.6 * uniform(*inside.shape) ** 2)
    wrong = chance(0.04, *inside.shape) & ~by_hand
    noisy = noisy + wrong[..., None] * torch.randn(points.shape, generator=generator) * 0.3
    confidence = torch.where(wrong, 0.1 + 0.6 * uniform(*inside.shape), confidence)
    known = inside | chance(_BEYOND_SHARE, batch, 1)
    for part in _SIDES.values():
        swapped = chance(0.03, batch)
        flipped = _FLIP[part]
        noisy[:, part] = torch.where(swapped[:, None, None], noisy[:, flipped], noisy[:, part])
        known[:, part] = torch.where(swapped[:, None], known[:, flipped], known[:, part])
    missing = uniform(*known.shape) < 0.6 * uniform(batch, 1) * chance(0.5, batch, 1)
    missing[:, _FACE] |= chance(0.1, batch, 1)
    for part in _SIDES.values():
        missing[:, part] |= chance(0.05, batch, 1)
    # Most people have the points of a detector or of COCO, some their feet too, some SMPL's joints, a few all.
    kind = uniform(batch, 1)
    missing[:, _BODY] |= (kind >= 0.6) & (kind < 0.85)
    missing[:, _FEET] |= (kind < 0.4) | ((kind >= 0.6) & (kind < 0.85))
    missing[:, _JOINTS] |= kind < 0.6
    confidence = confidence * (known & ~missing)
    return torch.cat([noisy * (confidence > 0)[..., None], confidence[..., None]], -1)
