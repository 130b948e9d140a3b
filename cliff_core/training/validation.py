"""What a model is worth on people it has not seen: from the image alone, from points alone, from both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.evaluation.metrics import pa_mpjpe
from cliff_core.evaluation.scores import SMPL14
from cliff_core.models.open_cliff import OPEN_CROP, OpenCliff, Regressed
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.training.labels import Labels, label_people
from cliff_core.training.renders import encoded

if TYPE_CHECKING:
    from cliff_core.training.phases import Material

_COCO17, _SMPL24 = slice(0, 17), slice(23, 47)


def draw_heldout(poses: Path | None, count: int, seed: int) -> Labels:
    """Held-out people without pixels."""
    body = TorchBody(load_body())
    people = sample_people(
        np.random.default_rng([seed, 1]), PoseBank(poses, heldout=True), body, count, OPEN_CROP.rescale
    )
    return label_people(body, people)


@torch.inference_mode()
def validate(model: OpenCliff, material: Material) -> dict[str, float]:
    """PA-MPJPE and MPJPE over 14 SMPL joints, pelvis as root, camera frame, in mm.

    Args:
        model: what to measure, in evaluation mode.
        material: with the held-out people.

    Returns:
        `{coco17,smpl24}_{pa_mpjpe,mpjpe}_mm` of people without pixels, from all their exact points; with renders also
        `image_...`, `detected_...` (the image and the detector's points) and `marked_...` (the image and the exact
        COCO-17 points within the photo).
    """
    drawn = material.drawn
    start, nothing = model.mean_body(drawn.bbox_info), torch.zeros(len(drawn.betas), 1)
    scores: dict[str, float] = {}
    for name, part in (("coco17", _COCO17), ("smpl24", _SMPL24)):
        points = _exact(drawn, part, torch.ones_like(drawn.inside))
        scores |= _scores(name, model.follow(points, drawn.bbox_info, start, nothing)[-1], drawn)
    if "heldout" not in material.renders:
        return scores
    renders = material.renders["heldout"]
    labels, something = renders.labels, torch.ones(len(renders), 1)
    features = encoded(model, renders, np.arange(len(renders)))
    seen = model.see(features, labels.bbox_info)[-1]
    scores |= _scores("image", seen, labels)
    marked = _exact(labels, _COCO17, labels.inside)
    for name, points in (("detected", renders.detected), ("marked", marked)):
        scores |= _scores(name, model.follow(points, labels.bbox_info, seen, something)[-1], labels)
    return scores


def _exact(labels: Labels, part: slice, known: torch.Tensor) -> torch.Tensor:
    confidence = torch.zeros(known.shape)
    confidence[:, part] = known[:, part].float()
    return torch.cat([labels.projected * confidence[..., None], confidence[..., None]], -1)


def _scores(name: str, body: Regressed, labels: Labels) -> dict[str, float]:
    predicted, true = _rooted(body.joints), _rooted(labels.joints)
    return {
        f"{name}_pa_mpjpe_mm": round(float(np.nanmean(pa_mpjpe(predicted, true))), 2),
        f"{name}_mpjpe_mm": round(float(np.mean(np.linalg.norm(predicted - true, axis=-1))) * 1000, 2),
    }


def _rooted(joints: torch.Tensor) -> np.ndarray:
    return (joints - joints[:, :1])[:, SMPL14].numpy().astype(np.float64)
