"""One refinement of people whose crops are at hand: rounds of fine-tuning, everybody predicted again, and the guard."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cliff_core.body import Body
from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import Crops, Placed, Predictor, regress
from cliff_core.records import Estimate
from cliff_core.training.finetune import Finetuned, FinetuneSettings, Watch, finetune
from cliff_core.training.guard import Evidence, Verdict, judge
from cliff_core.training.supervision import BodyEdits

_CHUNK = 512
_BETTER = 0.99  # a round whose withheld points are not at least so much nearer was the last

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class RefinedPeople:
    """N people before and after.

    Attributes:
        seen: bodies from the photo alone.
        prior: from photo and points, before tuning; the same as `seen` for models that take no points.
        refined: after tuning; not all need be finite.
        rounds: what each round of fine-tuning gave; empty where nobody supervises.
        evidence: that the guard saw.
        verdict: what it says.
    """

    seen: list[Estimate]
    prior: list[Estimate]
    refined: list[Estimate]
    rounds: tuple[Finetuned, ...]
    evidence: Evidence
    verdict: Verdict

    @property
    def model(self) -> nn.Module | None:
        """The tuned network; `None` where nobody supervises."""
        return self.rounds[-1].model if self.rounds else None


def refine_crops(
    model: nn.Module,
    body: Body,
    crops: Crops,
    points: torch.Tensor,
    edits: BodyEdits,
    settings: FinetuneSettings,
    rounds: int,
    progress: Progress,
    watch: Watch,
    trust: torch.Tensor,
) -> RefinedPeople:
    """Fine-tune on all that is known of people, predict everybody again, and judge each.

    Args:
        model: from `load_cliff`; stays as it is.
        body: that it predicts.
        crops: everybody, also people of whom nothing is known.
        points: (N, 47, 3) from `weighed_points`; all of them are inputs of networks that take points.
        edits: what annotators set.
        settings: of each round.
        rounds: at most so many; a round that no longer brings withheld points nearer is not taken.
        progress: told (done, total, what).
        watch: hears the curves, may end it early.
        trust: (N, 47) how far each point supervises, 0..1.
    """
    torch_body = TorchBody(body)
    marked = with_points(crops, points)
    done: list[Finetuned] = []
    for _ in range(rounds):
        try:
            last = done[-1] if done else None
            tuned = finetune(model, torch_body, marked, settings, progress, edits, watch, last, trust)
        except TrainingError:
            if done:
                raise
            break  # nobody supervises: everybody is predicted with the points there are
        if done and not lowest_withheld(tuned) < _BETTER * lowest_withheld(done[-1]):
            break
        done.append(tuned)
        if watch.should_stop():
            break
    last = done[-1] if done else None
    refiner = last.model if last else model
    bare = with_points(crops, torch.zeros_like(points))
    kept = with_points(crops, last.kept_points if last else points)
    seen, prior, refined = (
        estimates_of(each, body, these, progress) for each, these in ((model, bare), (model, marked), (refiner, marked))
    )
    before = done[0].withheld_before if done else torch.full((len(crops),), torch.nan)
    after = last.withheld_after if last else before
    joints = {
        "seen": _joints(torch_body, model, bare)[0],
        "prior": _joints(torch_body, model, marked)[0],
        "chooser": _joints(torch_body, last.chooser if last else model, kept)[0],
    }
    refined_joints, fitted = _joints(torch_body, refiner, marked)
    evidence = Evidence(
        refined=refined_joints,
        withheld_before=before.numpy().astype(np.float64),
        withheld_after=after.numpy().astype(np.float64),
        fitted=fitted,
        weight=points[..., 2].sum(1).numpy().astype(np.float64),
        betas=np.stack([each.params.betas for each in refined]),
        scale=np.array([each.cam_crop[0] for each in refined]),
        supervised=((points[..., 2] * trust > 0).any(1) | edits.of_anybody).numpy(),
        **joints,
    )
    return RefinedPeople(seen, prior, refined, tuple(done), evidence, judge(evidence))


def lowest_withheld(tuned: Finetuned) -> float:
    """The lowest error of the withheld points; infinite where nothing was withheld."""
    return min((epoch.withheld for epoch in tuned.choosing if epoch.withheld is not None), default=float("inf"))


def with_points(crops: Crops, points: torch.Tensor) -> Crops:
    """The same people with other points for the network."""
    return Crops(**{**_values(crops), "points": points})


def crops_with(placed: Placed, features: np.ndarray) -> Crops:
    """People with features that were computed before, (N, F) float32."""
    return Crops(**_values(placed), features=torch.from_numpy(features))


def trunk_key(predictor: Predictor) -> str:
    """A short name for what features follow from beside the crop: the trunk's weights and how they are computed."""
    digest = hashlib.sha256(f"{predictor.compute.precision}/{predictor.model.crop_spec}".encode())
    for name, value in predictor.model.state_dict().items():
        if name.startswith(("trunk.", "encoder.")):
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]


def save_model(model: nn.Module, path: Path, name: str) -> str:
    """Write a tuned network so that `load_cliff` reads it; returns the SHA-256 of its weights."""
    model.name = name
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    content = model.checkpoint() if hasattr(model, "checkpoint") else {"model": model.state_dict()}
    unfinished = path.with_name(path.name + ".unfinished")
    torch.save(content, unfinished)
    unfinished.replace(path)
    return digest.hexdigest()


def rows_of(crops: Crops, rows: Sequence[int]) -> Crops:
    """Some of the people."""
    values: dict[str, Any] = {}
    index = np.asarray(rows, dtype=np.int64)
    for name, value in _values(crops).items():
        values[name] = tuple(value[row] for row in rows) if isinstance(value, tuple) else value[index]
    return Crops(**values)


def _values(people: Placed) -> dict[str, Any]:
    return {each.name: getattr(people, each.name) for each in fields(people)}


def estimates_of(model: nn.Module, body: Body, crops: Crops, progress: Progress) -> list[Estimate]:
    """Bodies of everybody, some hundred at a time."""
    predictor, found = Predictor(model, body), list[Estimate]()
    for start in range(0, len(crops), _CHUNK):
        found += predictor.estimates(rows_of(crops, range(start, min(start + _CHUNK, len(crops)))))
        progress(len(found), len(crops), "predicting everybody again")
    return found


@torch.no_grad()
def _joints(body: TorchBody, model: nn.Module, crops: Crops) -> tuple[np.ndarray, np.ndarray]:
    """(N, 24, 3) joints without translation, metres, and (N,) weighted mean error of the points, NaN without any."""
    joints, errors = [], []
    for rows in torch.arange(len(crops)).split(_CHUNK):
        points, info = crops.points[rows], crops.bbox_info[rows]
        rotmat, betas, cam_crop = regress(model, crops.features[rows], info, points)
        posed = body(rotmat, betas)
        joints.append(posed.joints)
        weight = points[..., 2] * torch.cat([body.known["coco23"], torch.ones(24, dtype=torch.bool)])
        error = (project_to_crop(posed.points(), cam_crop, info) - points[..., :2]).norm(dim=-1).clamp(max=1)
        total = weight.sum(1)
        errors.append(torch.where(total > 0, (error * weight).sum(1) / total.clamp(min=1e-9), torch.nan))
    return torch.cat(joints).numpy().astype(np.float64), torch.cat(errors).numpy().astype(np.float64)
