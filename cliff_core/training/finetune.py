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

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import nn

from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.execution.rows import Workspace
from cliff_core.execution.team import ALONE, Team
from cliff_core.inference import Crops, regress
from cliff_core.training.beside import tune_beside
from cliff_core.training.choosing import ALL_POINTS, CHOOSING, Epoch, Watch, last_good_epoch
from cliff_core.training.supervision import AnyEdits, SparseEdits
from cliff_core.training.taught import CHUNK, Taught, known_points
from cliff_core.training.tuning import FinetuneSettings, Tuning

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
    tuning = Tuning(body, people, settings, team, work, progress, watch)
    if team.size > 1 and drawn.any():
        both = tune_beside(tuning, first, second, drawn, name, f"{first_key}/{second_key}")
        chooser, choosing, of_person, tuned, final = both
        chosen = last_good_epoch(choosing)
    else:
        chooser, choosing, of_person = tuning.tune(first, settings.epochs, drawn, f"{name}-choosing", first_key)
        chosen = last_good_epoch(choosing) if drawn.any() else min(settings.unwatched_epochs, choosing[-1].number)
        tuned, final, _ = tuning.tune(second, chosen, None, f"{name}-all", f"{second_key}/{chosen}")
    withheld = torch.zeros(count, crops.points.shape[1], dtype=torch.bool)
    withheld[rows] = drawn
    error_before, error_after = torch.full((2, count), torch.nan)
    error_before[rows], error_after[rows] = of_person
    return Finetuned(tuned, chosen, tuple(choosing), tuple(final), chooser, withheld, error_before, error_after)


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
