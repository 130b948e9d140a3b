"""What a model is worth on people it has not seen: from the image alone, from points alone, from both."""

from __future__ import annotations

import numpy as np
import torch

from cliff_core.evaluation.metrics import pa_mpjpe
from cliff_core.models.open_cliff import OpenCliff
from cliff_core.skeletons import SMPL24
from cliff_core.training.labels import Labels

EVALUATION_JOINTS = [
    SMPL24.index(name)
    for name in (
        *(
            f"{side}_{part}"
            for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
            for side in ("left", "right")
        ),
        "neck",
        "head",
    )
]
_POINT_NOISE = 2 / 128  # two pixels in a 256 px crop


@torch.inference_mode()
def validate(model: OpenCliff, labels: Labels, features: torch.Tensor | None) -> dict[str, float]:
    """PA-MPJPE and MPJPE over 14 SMPL joints, pelvis as root, camera frame, in mm.

    Args:
        model: what to measure, in evaluation mode.
        labels: truth of N held-out people.
        features: (N, 3768) trunk features of their crops; `None` for people without pixels.

    Returns:
        `{image,points,both}_{pa_mpjpe,mpjpe}_mm`; points are COCO-17 within the photo, 2 px of noise in a 256 px crop.
    """
    generator = torch.Generator().manual_seed(9)
    confidence = labels.inside.float()
    confidence[:, 17:] = 0
    noise = torch.randn(labels.projected.shape, generator=generator) * _POINT_NOISE
    points = torch.cat([(labels.projected + noise) * confidence[..., None], confidence[..., None]], -1)
    true = _rooted(labels.joints)
    scores = {}
    nothing, something = (torch.full((len(points), 1), value) for value in (0.0, 1.0))
    bodies = {"points": model.follow(points, labels.bbox_info, model.mean_body(labels.bbox_info), nothing)[-1]}
    if features is not None:
        bodies["image"] = model.see(features, labels.bbox_info)[-1]
        bodies["both"] = model.follow(points, labels.bbox_info, bodies["image"], something)[-1]
    for kind, body in bodies.items():
        predicted = _rooted(body.joints)
        scores[f"{kind}_pa_mpjpe_mm"] = round(float(np.nanmean(pa_mpjpe(predicted, true))), 2)
        scores[f"{kind}_mpjpe_mm"] = round(float(np.mean(np.linalg.norm(predicted - true, axis=-1))) * 1000, 2)
    return scores


def _rooted(joints: torch.Tensor) -> np.ndarray:
    return (joints - joints[:, :1])[:, EVALUATION_JOINTS].numpy().astype(np.float64)
