"""The annotator's step: CLIFF's head fine-tuned on people it must label, with their 2D points as supervision.

As the CLIFF paper describes it, and EFT does per person: the weights carry the implicit prior, the first predictions
are the explicit one, the reprojection error in the full frame pulls towards the points, and all people are tuned in
one batch, so that they share what they teach. Trunk features are computed once; an epoch costs milliseconds a person.
What annotators set of a body (a joint's rotation, a shape number, the place) supervises exactly that.

How long to tune is chosen by points that are withheld: their error follows the error in 3D, while the error of the
fitted points keeps falling after the bodies have stopped getting better. A first run finds the epoch, a second one
uses all points for as long.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import nn

from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.execution.rows import Workspace
from cliff_core.execution.team import ALONE, Team
from cliff_core.inference import Crops, regress
from cliff_core.training.beside import Beside
from cliff_core.training.supervision import AnyEdits, SparseEdits
from cliff_core.training.taught import CHUNK, Taught, known_points
from cliff_core.training.tuning import (
    ALL_POINTS,
    CHOOSING,
    Epoch,
    FinetuneSettings,
    Tuning,
    Watch,
    head_parameters,
    last_good_epoch,
)

__all__ = ["ALL_POINTS", "CHOOSING", "Epoch", "FinetuneSettings", "Finetuned", "Watch", "finetune", "last_good_epoch"]


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What fine-tuning gives.

    Attributes:
        model: a tuned copy, in evaluation mode.
        chosen_epochs: how long the withheld points said to tune; 0 means that tuning did not help.
        choosing: curves of the run with withheld points.
        final: curves of the run with all points.
        chooser: the copy that was tuned without the withheld points, for as long.
        withheld: (N, 47) bool, the points that it was not given.
        withheld_before, withheld_after: (N,) mean error of each person's withheld points in crop units, before tuning
            and by the chooser; NaN for people without any.
    """

    model: nn.Module
    chosen_epochs: int
    choosing: tuple[Epoch, ...]
    final: tuple[Epoch, ...]
    chooser: nn.Module
    withheld: torch.Tensor
    withheld_before: torch.Tensor
    withheld_after: torch.Tensor


def finetune(
    model: nn.Module,
    body: TorchBody,
    crops: Crops,
    settings: FinetuneSettings,
    progress: Callable[[int, int, str], None],
    edits: AnyEdits | None = None,
    watch: Watch | None = None,
    before: Finetuned | None = None,
    weight: torch.Tensor | None = None,
    team: Team = ALONE,
    work: Workspace | None = None,
    name: str = "tuning",
) -> Finetuned:
    """Tune a copy of the model's head on the 2D points of some people, and on what was set of their bodies.

    Args:
        model: official or open CLIFF; not changed.
        body: the model's body with the keypoints of "coco23".
        crops: people with features and points.
        settings: how.
        progress: told (epoch, epochs, what) after each epoch.
        edits: what annotators set; nothing by default.
        watch: hears the curves and may end it early.
        before: the round before this one, from which it goes on; what was withheld then is withheld again, so that the
            error of the withheld points stays one of points never seen.
        weight: (N, 47) how much each point supervises, 0 where it is only an input; its confidence by default.
        team: the processes that share the work; each of them calls this with the same people.
        work: where to keep what fills the memory, and how far it is; memory alone by default.
        name: under which it is kept there.

    Raises:
        TrainingError: nobody has enough points, and nothing is set.
    """
    watch, work = watch or Watch(), work or Workspace()
    count, known = len(crops), torch.ones(crops.points.shape[1])
    known[: len(body.known["coco23"])] = body.known["coco23"].float()  # SMPL's joints are known to every body
    edits = SparseEdits.none(count) if edits is None else edits
    weight = (crops.points[..., 2] if weight is None else weight) * known
    supervised = ((weight > 0).sum(1) >= settings.min_points) | edits.of_anybody
    supervised &= _is_usable(model, crops, known, team)
    if not supervised.any():
        raise TrainingError(
            f"nobody has {settings.min_points} or more 2D points that this body knows; mark points before refining"
        )
    rows = supervised.nonzero()[:, 0]
    people = Taught(rows, crops.features, crops.bbox_info, crops.points, crops.placed, weight, known, edits)
    drawn = people.draw_withheld(settings.withheld_share, settings.seed)
    key = _key(model, people, settings, work.token)

    def start(of: str) -> tuple[nn.Module, str]:
        model_before = model if before is None else getattr(before, of)
        return model_before, f"{key}/{'' if before is None else _digest(_head(model_before))}"

    (first, first_key), (second, second_key) = start("chooser"), start("model")
    if team.size > 1 and drawn.any():
        runs = _Runs(body, people, settings, team, work, progress, watch, name)
        chooser, choosing, of_person, tuned, final = runs.beside(first, first_key, second, second_key, drawn)
        chosen = last_good_epoch(choosing)
    else:
        tuning = Tuning(body, people, settings, team, work)
        chooser, choosing, of_person = tuning.tune(
            first, settings.epochs, drawn, progress, watch, f"{name}-choosing", first_key
        )
        chosen = last_good_epoch(choosing) if drawn.any() else min(settings.unwatched_epochs, choosing[-1].number)
        tuned, final, _ = tuning.tune(second, chosen, None, progress, watch, f"{name}-all", f"{second_key}/{chosen}")
    withheld = torch.zeros(count, crops.points.shape[1], dtype=torch.bool)
    withheld[rows] = drawn
    error_before, error_after = torch.full((2, count), torch.nan)
    error_before[rows], error_after[rows] = of_person
    return Finetuned(tuned, chosen, tuple(choosing), tuple(final), chooser, withheld, error_before, error_after)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Both runs of a fine-tuning by halves of a team, at the same time."""

    body: TorchBody
    people: Taught
    settings: FinetuneSettings
    team: Team
    work: Workspace
    progress: Callable[[int, int, str], None]
    watch: Watch
    name: str

    def beside(
        self, first: nn.Module, first_key: str, second: nn.Module, second_key: str, drawn: torch.Tensor
    ) -> tuple[nn.Module, list[Epoch], torch.Tensor, nn.Module, list[Epoch]]:
        """What one run after the other gives: chooser, curve, (2, N) withheld errors, tuned model, curve."""
        beside, epochs = Beside(self.team), self.settings.epochs
        tuning = Tuning(self.body, self.people, self.settings, beside.half, self.work)
        model, key, withheld, run = (
            (first, first_key, drawn, "choosing") if beside.chooses else (second, second_key, None, "all")
        )
        own, curve, of_person = tuning.tune(
            model, epochs, withheld, self.progress, self.watch, f"{self.name}-{run}-beside", f"{key}/beside", beside
        )
        rows = torch.full((epochs + 1, 4), torch.nan, dtype=torch.float64)
        for epoch in curve:
            withheld_error = torch.nan if epoch.withheld is None else epoch.withheld
            rows[epoch.number] = torch.tensor([epoch.number, epoch.fitted, withheld_error, epoch.prior_distance])
        choosing, final = (_curve(each) for each in beside.exchange(rows))
        weights = beside.exchange(torch.cat([each.detach().reshape(-1) for each in head_parameters(own)]))
        models = [_with_weights(start, each) for start, each in zip((first, second), weights, strict=True)]
        chosen = last_good_epoch(choosing)
        return models[0], choosing, beside.exchange(of_person)[0], models[1], final[: chosen + 1]


def _curve(rows: torch.Tensor) -> list[Epoch]:
    found = [row for row in rows.tolist() if not math.isnan(row[0])]
    return [Epoch(int(n), fitted, None if math.isnan(held) else held, apart) for n, fitted, held, apart in found]


@torch.no_grad()
def _with_weights(model: nn.Module, weights: torch.Tensor) -> nn.Module:
    """A copy with the head's parameters in one row."""
    made, start = copy.deepcopy(model).eval(), 0
    for each in made.parameters():
        each.requires_grad_(False)
    for each in head_parameters(made):
        each.copy_(weights[start : start + each.numel()].view_as(each))
        start += each.numel()
    return made


@torch.no_grad()
def _is_usable(model: nn.Module, crops: Crops, known: torch.Tensor, team: Team) -> torch.Tensor:
    """(N,) bool: people of whom the model can say something finite; one who is none would spoil the weights for all."""
    usable = torch.zeros(len(crops))
    numbers = torch.arange(len(crops))
    for _, own, has_any in team.chunks(len(crops), CHUNK):
        if has_any:
            rows = numbers[own]
            features = crops.features[rows]
            found = regress(model, features, crops.bbox_info[rows], known_points(crops.points[rows], known))
            finite = torch.stack([torch.isfinite(each).flatten(1).all(1) for each in found]).all(0)
            usable[own] = (finite & torch.isfinite(features).all(1)).float()
    return team.sum(usable) > 0


def _key(model: nn.Module, people: Taught, settings: FinetuneSettings, token: str) -> str:
    """What a tuning run follows from; `token` says it of the features."""
    of_set = people.edits[people.edits.of_anybody.nonzero()[:, 0]]
    tensors = [people.rows, people.bbox_info, people.points, people.placed, people.weight, people.known]
    tensors += [getattr(of_set, each) for each in of_set.__slots__]
    return f"{_digest([*_head(model), *tensors])}/{json.dumps(asdict(settings))}/{token}"


def _head(model: nn.Module) -> list[torch.Tensor]:
    """What tuning changes."""
    return [value for name, value in model.state_dict().items() if not name.startswith(("trunk.", "encoder."))]


def _digest(tensors: list[torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for each in tensors:
        digest.update(each.contiguous().numpy())
    return digest.hexdigest()
