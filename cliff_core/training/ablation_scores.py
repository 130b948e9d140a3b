"""What an ablation measures: errors of bodies in the full camera frame by distance from the photo's centre, and spread.

Distance is the angle between the camera's axis and the ray through the crop's centre: what a network without the box
cannot know is a turn by this angle.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.evaluation.metrics import Root, geodesic_deg, mpjpe, pa_mpjpe, pve
from cliff_core.geometry.crop import OFFSET_GAIN
from cliff_core.geometry.rotations import rotmat_to_rotvec
from cliff_core.models.open_cliff import OpenCliff, Regressed
from cliff_core.training.renders import Encoded

ZONES: dict[str, tuple[float, float]] = {
    "all": (0.0, 90.0),
    "below 8°": (0.0, 8.0),
    "8° to 16°": (8.0, 16.0),
    "above 16°": (16.0, 90.0),
}
"""Groups of people: least and greatest angle off the camera's axis, degrees."""

MEASURES: dict[str, str] = {
    "mpjpe": "MPJPE, mm (14 LSP joints, mid-hip)",
    "pve": "PVE, mm (pelvis)",
    "pa_mpjpe": "PA-MPJPE, mm (14 LSP joints)",
    "rotation": "global rotation, degrees (mean)",
    "rotation_median": "global rotation, degrees (median)",
}
"""Names with their conventions; all in the full camera frame but PA-MPJPE, which knows no frame."""

MOVED_DEG = 15.0
"""How far off the axis the same crop is put, to the left and to the right, to see whether the answer turns with it."""

_CHUNK = 100

See = Callable[[OpenCliff, Tensor, Tensor], list[Regressed]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one variant, trained with one seed, is worth on held-out people.

    Attributes:
        variant: its key.
        seed: of its training.
        scores: what was measured.
    """

    variant: str
    seed: int
    scores: Scores


@dataclass(frozen=True, slots=True)
class Scores:
    """Errors on held-out people.

    Attributes:
        people: zone -> how many; zones without anybody are left out everywhere.
        errors: measure -> zone -> mean over people (`rotation_median`: median).
        turn_deg: mean turn about the camera's vertical axis between the answers for the same crop `MOVED_DEG` to the
            right and to the left of the axis. Bodies that look alike there are turned by twice that.
    """

    people: dict[str, int]
    errors: dict[str, dict[str, float]]
    turn_deg: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A number over seeds: mean and standard deviation (0 for a single seed)."""

    mean: float
    std: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.std:.1f}"


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation."""
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)


def over_seeds(outcomes: Sequence[Outcome], variant: str, measure: str, zone: str, minus: str | None = None) -> Spread:
    """A measure of one variant over all seeds, or its difference to another variant trained with the same seeds."""
    by_seed = {(each.variant, each.seed): each.scores.errors[measure][zone] for each in outcomes}
    seeds = sorted({each.seed for each in outcomes})
    return spread([by_seed[variant, seed] - (by_seed[minus, seed] if minus else 0.0) for seed in seeds])


def off_axis_deg(bbox_info: Tensor) -> np.ndarray:
    """(B, 3) bbox_info -> (B,) angle between the camera's axis and the ray through the crop's centre, degrees."""
    return np.degrees(np.arctan(np.linalg.norm(bbox_info[:, :2].numpy().astype(np.float64), axis=1) / OFFSET_GAIN))


@torch.inference_mode()
def score(model: OpenCliff, see: See, people: Encoded) -> Scores:
    """Measure a model.

    Args:
        model: in evaluation mode.
        see: how it is asked: (model, features, bbox_info) to bodies, the last of which count.
        people: held out, with their features.
    """
    body = TorchBody(load_body(), ("lsp14",), full=True)
    labels = people.labels
    parts = []
    for rows in torch.arange(len(labels.betas)).split(_CHUNK):
        answer = see(model, people.tensor(rows.numpy()), labels.bbox_info[rows])[-1]
        parts.append(_errors(body, answer.rotmat, answer.betas, labels.rotmat[rows], labels.betas[rows]))
    errors = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    angle = off_axis_deg(labels.bbox_info)
    zones = {name: (low <= angle) & (angle < high) for name, (low, high) in ZONES.items()}
    zones = {name: chosen for name, chosen in zones.items() if chosen.any()}
    means = {
        name: {zone: float(values[chosen].mean()) for zone, chosen in zones.items()} for name, values in errors.items()
    }
    means["rotation_median"] = {zone: float(np.median(errors["rotation"][chosen])) for zone, chosen in zones.items()}
    counts = {zone: int(chosen.sum()) for zone, chosen in zones.items()}
    return Scores(counts, means, float(turns_deg(model, see, people).mean()))


@torch.inference_mode()
def turns_deg(model: OpenCliff, see: See, people: Encoded) -> np.ndarray:
    """(N,) turn about the camera's vertical axis from the answer for a crop left of the axis to that on the right.

    The crops are the same to the last pixel; only `bbox_info` differs. Seen along a ray a degree further to the right,
    a body that looks the same is turned by a degree.

    Args:
        model, see, people: as for `score`.
    """
    offset = OFFSET_GAIN * np.tan(np.radians(MOVED_DEG))
    turns = []
    for rows in torch.arange(len(people.features)).split(_CHUNK):
        features, sides = people.tensor(rows.numpy()), []
        for x in (-offset, offset):
            moved = people.labels.bbox_info[rows].clone()
            moved[:, 0], moved[:, 1] = x, 0.0
            sides.append(see(model, features, moved)[-1].rotmat[:, 0].numpy())
        left, right = sides
        turns.append(np.degrees(rotmat_to_rotvec(right @ np.swapaxes(left, 1, 2))[:, 1]))
    return np.concatenate(turns)


def write_outcome(outcome: Outcome, settings: dict[str, str], path: Path) -> None:
    """Keep an outcome with the settings that it belongs to, all or nothing."""
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(json.dumps({"settings": settings, **asdict(outcome)}, indent=1), encoding="utf-8")
    unfinished.replace(path)


def read_outcome(path: Path, settings: dict[str, str]) -> Outcome:
    """An outcome that was kept.

    Raises:
        TrainingError: it is damaged or belongs to other settings.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        found, outcome = kept["settings"], Outcome(kept["variant"], kept["seed"], Scores(**kept["scores"]))
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: no result of an ablation ({error}); remove it to train this one again") from None
    changed = sorted(name for name in settings if found.get(name) != settings[name])
    if changed:
        raise TrainingError(
            f"{path}: of an ablation with other settings ({', '.join(changed)}); give another folder, or the same "
            "settings to go on"
        )
    return outcome


def _errors(body: TorchBody, rotmat, betas, true_rotmat, true_betas) -> dict[str, np.ndarray]:
    """(B,) each: `mpjpe`, `pve`, `pa_mpjpe` in mm, `rotation` in degrees."""
    (joints, mesh, root), (true_joints, true_mesh, true_root) = (
        (posed.keypoints["lsp14"].numpy(), posed.vertices.numpy(), posed.joints[:, 0].numpy())
        for posed in (body(rotmat, betas), body(true_rotmat, true_betas))
    )
    return {
        "mpjpe": mpjpe(joints, true_joints, "lsp14", Root.MID_HIP),
        "pve": pve(mesh, true_mesh, root, true_root),
        "pa_mpjpe": pa_mpjpe(joints, true_joints),
        "rotation": geodesic_deg(rotmat[:, 0].numpy(), true_rotmat[:, 0].numpy()),
    }
