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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import Crops, regress
from cliff_core.training.losses import positive_scale_loss, reprojection_loss
from cliff_core.training.supervision import BodyEdits

_FLAT = 1.01
_CHUNK = 1024  # people at once where no gradient is needed
CHOOSING, ALL_POINTS = "choosing how long to tune", "tuning with all points"


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """How to tune.

    Attributes:
        epochs: at most so many.
        patience: stop after so many epochs without a better error of the withheld points.
        batch: people per step.
        learning_rate: of Adam.
        prior_weight: pull of rotations towards the first predictions.
        betas_prior_weight: the same for shape.
        withheld_share: share of each person's points that is withheld while the epoch is chosen.
        min_points: people with fewer points are predicted, but do not supervise.
        unwatched_epochs: how long to tune where no point can be withheld.
        rotation_edit_weight, betas_edit_weight, cam_edit_weight: pull towards what annotators set.
        seed: of the withheld points and the order of people.
    """

    epochs: int = 60
    patience: int = 8
    batch: int = 64
    learning_rate: float = 1e-4
    prior_weight: float = 0.03
    betas_prior_weight: float = 0.003
    withheld_share: float = 0.2
    min_points: int = 4
    unwatched_epochs: int = 15
    rotation_edit_weight: float = 1.0
    betas_edit_weight: float = 0.1
    cam_edit_weight: float = 5.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of the curves; errors in crop units (1 = half a crop height), means over points.

    Attributes:
        number: 0 is before tuning.
        fitted: error of the points that supervise.
        withheld: error of the withheld points; `None` in the second run, and where nothing could be withheld.
        prior_distance: mean square distance of rotation matrices to the first predictions.
    """

    number: int
    fitted: float
    withheld: float | None
    prior_distance: float


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What fine-tuning gives.

    Attributes:
        model: a tuned copy, in evaluation mode.
        chosen_epochs: how long the withheld points said to tune; 0 means that tuning did not help.
        choosing: curves of the run with withheld points.
        final: curves of the run with all points.
        chooser: the copy that was tuned without the withheld points, for as long.
        kept_points: (N, 47, 3) the points that it was given, of all people.
        withheld_before, withheld_after: (N,) mean error of each person's withheld points in crop units, before tuning
            and by the chooser; NaN for people without any.
    """

    model: nn.Module
    chosen_epochs: int
    choosing: tuple[Epoch, ...]
    final: tuple[Epoch, ...]
    chooser: nn.Module
    kept_points: torch.Tensor
    withheld_before: torch.Tensor
    withheld_after: torch.Tensor


def _nothing(stage: str, epoch: Epoch) -> None:
    """Nobody watches the curves."""


def _never() -> bool:
    """Nobody stops it early."""
    return False


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on while it tunes.

    Attributes:
        curve: told each row of the curves, with the stage (`CHOOSING`, `ALL_POINTS`) it belongs to.
        should_stop: whether to end early and keep the best so far.
    """

    curve: Callable[[str, Epoch], None] = field(default=_nothing)
    should_stop: Callable[[], bool] = field(default=_never)


def finetune(
    model: nn.Module,
    body: TorchBody,
    crops: Crops,
    settings: FinetuneSettings,
    progress: Callable[[int, int, str], None],
    edits: BodyEdits | None = None,
    watch: Watch | None = None,
    before: Finetuned | None = None,
    trust: torch.Tensor | None = None,
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
        trust: (N, 47) how far each point supervises, 0..1, beside its confidence; fully by default. A point of trust 0
            is only an input.

    Raises:
        TrainingError: nobody has enough points, and nothing is set.
    """
    points = crops.points.clone()
    known = body.known["coco23"]
    points[:, : len(known), 2] *= known  # SMPL's joints are known to every body
    edits = BodyEdits.none(len(points)) if edits is None else edits
    weight = points[..., 2] if trust is None else points[..., 2] * trust
    watch = watch or Watch()
    supervised = ((weight > 0).sum(1) >= settings.min_points) | edits.of_anybody
    supervised &= _is_usable(model, crops, points)
    if not supervised.any():
        raise TrainingError(
            f"nobody has {settings.min_points} or more 2D points that this body knows; mark points before refining"
        )
    people = _Tuning(
        body,
        crops.features[supervised],
        crops.bbox_info[supervised],
        points[supervised],
        weight[supervised],
        edits[supervised],
        settings,
    )
    withheld = people.draw_withheld()
    kept = points.clone()
    kept[supervised] = people.without(withheld)
    error_before, error_after = points.new_full((2, len(points)), torch.nan)
    chooser, choosing, of_person = people.tune(
        before.chooser if before else model, people.without(withheld), settings.epochs, withheld, progress, watch
    )
    chosen = last_good_epoch(choosing) if withheld.any() else min(settings.unwatched_epochs, choosing[-1].number)
    error_before[supervised], error_after[supervised] = of_person
    start = before.model if before else model
    tuned, final, _ = people.tune(start, people.points, chosen, None, progress, watch)
    return Finetuned(tuned, chosen, tuple(choosing), tuple(final), chooser, kept, error_before, error_after)


@torch.no_grad()
def _is_usable(model, crops, points) -> torch.Tensor:
    """(N,) bool: people of whom the model can say something finite; one who is none would spoil the weights for all."""
    parts = []
    for rows in torch.arange(len(points)).split(_CHUNK):
        found = regress(model, crops.features[rows], crops.bbox_info[rows], points[rows])
        parts.append(torch.stack([torch.isfinite(each).flatten(1).all(1) for each in found]).all(0))
    return torch.cat(parts) & torch.isfinite(crops.features).all(1)


def last_good_epoch(curve: Sequence[Epoch]) -> int:
    """The last epoch whose withheld error is about the lowest: tuning stops when it is flat, not at a lucky dip."""
    errors = {epoch.number: epoch.withheld for epoch in curve if epoch.withheld is not None}
    return max(number for number, error in errors.items() if error <= _FLAT * min(errors.values()))


class _Tuning:
    """The people who supervise, and one tuning run over them."""

    def __init__(self, body, features, bbox_info, points, weight, edits: BodyEdits, settings: FinetuneSettings):
        self.body, self.features, self.bbox_info, self.points = body, features, bbox_info, points
        self.weight, self.edits, self.settings = weight, edits, settings

    def draw_withheld(self) -> torch.Tensor:
        """(N, K) bool: a random share of each person's points that supervise, at least one, never more than half."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        marked = self.weight > 0
        rank = torch.where(marked, torch.rand(marked.shape, generator=generator), 2.0).argsort(1).argsort(1)
        count = marked.sum(1, keepdim=True)
        take = torch.minimum((count * self.settings.withheld_share).round().clamp(min=1), count // 2)
        return marked & (rank < take)

    def without(self, withheld: torch.Tensor) -> torch.Tensor:
        """(N, K, 3) the points that are left."""
        return self.points.masked_fill(withheld[..., None], 0.0)

    def tune(self, model, given, epochs, withheld, progress, watch: Watch):
        """Tune a copy for some epochs; with withheld points, as long as their error falls.

        Returns:
            The copy as it was when that error was flat (without withheld points: as it is at the end), the curve, and
            (2, N) each person's error of the withheld points before and after.
        """
        settings = self.settings
        tuned = copy.deepcopy(model).eval()  # dropout and batch norm stay as in prediction
        with torch.no_grad():
            prior = _joined(
                [
                    regress(model, self.features[rows], self.bbox_info[rows], given[rows])
                    for rows in torch.arange(len(given)).split(_CHUNK)
                ]
            )
        parameters = [p for name, p in tuned.named_parameters() if not name.startswith(("trunk.", "encoder."))]
        for parameter in tuned.parameters():
            parameter.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_(True)
        optimiser = torch.optim.Adam(parameters, settings.learning_rate)
        generator = torch.Generator().manual_seed(settings.seed)
        stage = ALL_POINTS if withheld is None else CHOOSING
        chooses = withheld is not None and bool(withheld.any())
        epoch, before = self._measure(tuned, given, prior, withheld, 0)
        curve, after = [epoch], before
        kept = [parameter.detach().clone() for parameter in parameters] if chooses else None
        watch.curve(stage, epoch)
        for number in range(1, epochs + 1):
            if watch.should_stop():
                break
            for rows in torch.randperm(len(given), generator=generator).split(settings.batch):
                loss = self._loss(tuned, given[rows], rows, prior)
                optimiser.zero_grad()
                loss.backward()
                norm = nn.utils.clip_grad_norm_(parameters, 2.0)
                if torch.isfinite(norm):  # a step into nowhere would be the last one
                    optimiser.step()
            epoch, of_person = self._measure(tuned, given, prior, withheld, number)
            curve.append(epoch)
            watch.curve(stage, epoch)
            progress(number, epochs, stage)
            if not chooses:
                after = of_person
                continue
            best = min(curve, key=lambda each: each.withheld)
            if epoch.withheld <= _FLAT * best.withheld:  # so the last one kept is that of `last_good_epoch`
                kept, after = [parameter.detach().clone() for parameter in parameters], of_person
            if number - best.number >= settings.patience:
                break
        for parameter in tuned.parameters():
            parameter.requires_grad_(False)
        if kept is not None:
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.copy_(value)
        return tuned, curve, torch.stack([before, after])

    def _loss(self, tuned, given, rows, prior):
        settings, edits = self.settings, self.edits[rows]
        weight = self.weight[rows] * (given[..., 2] > 0)
        rotmat, betas, cam_crop = regress(tuned, self.features[rows], self.bbox_info[rows], given)
        projected = project_to_crop(self.body(rotmat, betas).points(), cam_crop, self.bbox_info[rows])
        away = (rotmat - prior[0][rows]).square().sum((2, 3)) * ~edits.rotmat_set
        set_rotmat = (rotmat - edits.rotmat).square().sum((2, 3)) * edits.rotmat_set
        set_betas = (betas - edits.betas).square() * edits.betas_set
        set_cam = (cam_crop - edits.cam_crop).square().sum(1) * edits.cam_set
        return (
            5 * reprojection_loss(projected, given[..., :2], weight, corner=0.02).mean()
            + settings.prior_weight * away.sum(1).mean()
            + settings.betas_prior_weight * ((betas - prior[1][rows]).square() * ~edits.betas_set).sum(1).mean()
            + settings.rotation_edit_weight * set_rotmat.sum(1).mean()
            + settings.betas_edit_weight * set_betas.sum(1).mean()
            + settings.cam_edit_weight * set_cam.mean()
            + positive_scale_loss(cam_crop)
        )

    @torch.no_grad()
    def _measure(self, tuned, given, prior, withheld, number) -> tuple[Epoch, torch.Tensor]:
        """A row of the curve, and (N,) each person's error of the withheld points."""
        errors, distances = [], []
        for rows in torch.arange(len(given)).split(_CHUNK):
            rotmat, betas, cam_crop = regress(tuned, self.features[rows], self.bbox_info[rows], given[rows])
            projected = project_to_crop(self.body(rotmat, betas).points(), cam_crop, self.bbox_info[rows])
            errors.append((projected - self.points[rows, :, :2]).norm(dim=-1))
            distances.append((rotmat - prior[0][rows]).square().mean((1, 2, 3)))
        # one absurd point must not choose the epoch, and a doubtful one counts less
        error, weight = torch.cat(errors).clamp(max=1), self.weight

        def mean(which):
            return float((error * weight)[which].sum() / weight[which].sum().clamp(min=1e-9))

        of_person = error.new_full((len(error),), torch.nan)
        if withheld is not None:
            counts = (weight * withheld).sum(1)
            of_person = torch.where(counts > 0, (error * weight * withheld).sum(1) / counts.clamp(min=1e-9), torch.nan)
        chooses = withheld is not None and bool(withheld.any())
        epoch = Epoch(
            number, mean(given[..., 2] > 0), mean(withheld) if chooses else None, float(torch.cat(distances).mean())
        )
        return epoch, of_person


def _joined(parts):
    """Rotations, betas and cameras of chunks, each as one tensor."""
    return tuple(torch.cat(each) for each in zip(*parts, strict=True))
