"""CLIFF's training losses: SMPL parameters, 3D points, and the reprojection error in the full frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from cliff_core.models.open_cliff import Regressed
from cliff_core.training.labels import Labels

_REPROJECTION_LIMIT = 3.0  # crop units; a point this far off pulls no harder than one half as far
_REPROJECTION_CORNER = 0.05


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Relative weights of the pretraining losses."""

    points3d: float = 5.0
    rotation: float = 3.0
    betas: float = 0.02
    reprojection: float = 2.0


def reprojection_loss(projected, target, weight=None, corner: float = _REPROJECTION_CORNER) -> torch.Tensor:
    """Robust full-frame 2D error per person, in units of half the crop (CLIFF, eq. 9, with bounded pull).

    Args:
        projected: (B, K, 2) predicted points in crop units.
        target: (B, K, 2) observed points in crop units.
        weight: (B, K) confidence; all ones by default.
        corner: error below which the loss is quadratic.

    Returns:
        (B,) weighted mean over the points; 0 for a person without any.
    """
    error = (projected - target).clamp(-_REPROJECTION_LIMIT, _REPROJECTION_LIMIT)
    per_point = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=corner, reduction="none").sum(-1)
    if weight is None:
        return per_point.mean(1)
    return (per_point * weight).sum(1) / weight.sum(1).clamp(min=1.0)


def positive_scale_loss(cam_crop) -> torch.Tensor:
    """Keeps the crop camera's scale positive (a negative one would put the body behind the camera). Scalar."""
    scale = cam_crop[:, 0]
    return (torch.exp(-10 * scale.clamp(min=0)).square() - 10 * scale.clamp(max=0)).mean()


def pretraining_loss(steps: list[Regressed], labels: Labels, weights: LossWeights) -> dict[str, torch.Tensor]:
    """Losses of every iteration, the last counting most; `total` is what to minimise."""
    importance = [0.5 ** (len(steps) - 1 - i) for i in range(len(steps))]
    terms = [_step_losses(step, labels) for step in steps]
    losses = {
        name: sum(w * term[name] for w, term in zip(importance, terms, strict=True)) / sum(importance)
        for name in terms[0]
    }
    losses["total"] = (
        weights.points3d * losses["points3d"]
        + weights.rotation * losses["rotation"]
        + weights.betas * losses["betas"]
        + weights.reprojection * losses["reprojection"]
        + losses["scale"]
    )
    return losses


def _step_losses(step: Regressed, labels: Labels) -> dict[str, torch.Tensor]:
    predicted = step.points - step.joints[:, :1]
    true = labels.points - labels.joints[:, :1]
    return {
        "points3d": (predicted - true).abs().mean(),
        "rotation": (step.rotmat - labels.rotmat).square().mean(),
        "betas": (step.betas - labels.betas).square().mean(),
        "reprojection": reprojection_loss(step.projected, labels.projected).mean(),
        "scale": positive_scale_loss(step.cam_crop),
    }
