"""2D keypoints as a model meets them in life: some missing, all a little off, a few wrong, sides sometimes swapped."""

from __future__ import annotations

import torch

from cliff_core.evaluation.metrics import OKS_SIGMAS
from cliff_core.skeletons import COCO23

_SIDES = {
    "legs": [
        i
        for i, name in enumerate(COCO23.names)
        if any(part in name for part in ("hip", "knee", "ankle", "toe", "heel"))
    ],
    "arms": [i for i, name in enumerate(COCO23.names) if any(part in name for part in ("shoulder", "elbow", "wrist"))],
}
_FEET = slice(17, 23)
_FACE = slice(0, 5)
# People and detectors are as unsure of a point as COCO's annotators were (OKS).
_SPREAD = torch.as_tensor(OKS_SIGMAS["coco23"], dtype=torch.float32)
_SPREAD = _SPREAD / _SPREAD.mean()


def corrupt_points(points: torch.Tensor, known: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """What somebody might mark for these true points.

    Args:
        points: (B, 23, 2) true COCO body and feet points in crop units (`open_cliff.project_to_crop`).
        known: (B, 23) bool, inside the photo.
        generator: source of all randomness.

    Returns:
        (B, 23, 3) x, y and confidence 0..1; 0 where a point is missing.
    """
    batch = len(points)

    def uniform(*shape):
        return torch.rand(*shape, generator=generator)

    def chance(probability, *shape):
        return uniform(*shape) < probability

    sigma = 0.002 * 20 ** uniform(batch, 1, 1)  # 0.3 to 5 px in a 256 px crop
    noisy = points + torch.randn(points.shape, generator=generator) * sigma * _SPREAD[:, None]
    by_person = chance(0.5, batch, 1)
    confidence = torch.where(by_person, 1.0, 1 - 0.6 * uniform(*known.shape) ** 2)
    wrong = chance(0.04, *known.shape) & ~by_person
    noisy = noisy + wrong[..., None] * torch.randn(points.shape, generator=generator) * 0.3
    confidence = torch.where(wrong, 0.1 + 0.6 * uniform(*known.shape), confidence)
    for part in _SIDES.values():
        swapped = chance(0.03, batch)
        flipped = torch.tensor([COCO23.flip[i] for i in part])
        noisy[:, part] = torch.where(swapped[:, None, None], noisy[:, flipped], noisy[:, part])
        known = known.clone()
        known[:, part] = torch.where(swapped[:, None], known[:, flipped], known[:, part])
    missing = uniform(*known.shape) < 0.6 * uniform(batch, 1) * chance(0.5, batch, 1)
    missing[:, _FEET] |= chance(0.6, batch, 1)
    missing[:, _FACE] |= chance(0.1, batch, 1)
    for part in _SIDES.values():
        missing[:, part] |= chance(0.05, batch, 1)
    confidence = confidence * (known & ~missing)
    return torch.cat([noisy * (confidence > 0)[..., None], confidence[..., None]], -1)
