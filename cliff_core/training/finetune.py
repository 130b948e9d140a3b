"""The annotator's step: CLIFF's head fine-tuned on people it must label, with their 2D points as supervision.

As the CLIFF paper describes it, and EFT does per person: the weights carry the implicit prior, the first predictions
are the explicit one, the reprojection error in the full frame pulls towards the points, and all people are tuned in
one batch, so that they share what they teach. Trunk features are computed once; an epoch costs milliseconds a person.

How long to tune is chosen by points that are withheld: their error follows the error in 3D, while the error of the
fitted points keeps falling after the bodies have stopped getting better. A first run finds the epoch, a second one
uses all points for as long.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import Crops, regress
from cliff_core.training.losses import positive_scale_loss, reprojection_loss

_FLAT = 1.01


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
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of the curves; errors in crop units (1 = half a crop height), means over points.

    Attributes:
        number: 0 is before tuning.
        fitted: error of the points that supervise.
        withheld: error of the withheld points; `None` in the second run.
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
    """

    model: nn.Module
    chosen_epochs: int
    choosing: tuple[Epoch, ...]
    final: tuple[Epoch, ...]


def finetune(
    model: nn.Module,
    body: TorchBody,
    crops: Crops,
    settings: FinetuneSettings,
    progress: Callable[[int, int, str], None],
) -> Finetuned:
    """Tune a copy of the model's head on the 2D points of some people.

    Args:
        model: official or open CLIFF; not changed.
        body: the model's body with the keypoints of "coco23".
        crops: people with features and points.
        settings: how.
        progress: told (epoch, epochs, what) after each epoch.

    Raises:
        TrainingError: nobody has enough points.
    """
    points = crops.points.clone()
    known = body.known["coco23"]
    points[:, : len(known), 2] *= known  # SMPL's joints are known to every body
    supervised = (points[..., 2] > 0).sum(1) >= settings.min_points
    if not supervised.any():
        raise TrainingError(
            f"nobody has {settings.min_points} or more 2D points that this body knows; mark points before refining"
        )
    people = _Tuning(body, crops.features[supervised], crops.bbox_info[supervised], points[supervised], settings)
    withheld = people.draw_withheld()
    choosing, chosen = people.choose_epochs(model, withheld, progress)
    tuned, final = people.tune(model, people.points, chosen, None, progress)
    return Finetuned(tuned, chosen, tuple(choosing), tuple(final))


def last_good_epoch(curve: Sequence[Epoch]) -> int:
    """The last epoch whose withheld error is about the lowest: tuning stops when it is flat, not at a lucky dip."""
    errors = {epoch.number: epoch.withheld for epoch in curve if epoch.withheld is not None}
    return max(number for number, error in errors.items() if error <= _FLAT * min(errors.values()))


class _Tuning:
    """The people who supervise, and one tuning run over them."""

    def __init__(self, body, features, bbox_info, points, settings: FinetuneSettings):
        self.body, self.features, self.bbox_info, self.points = body, features, bbox_info, points
        self.settings = settings

    def draw_withheld(self) -> torch.Tensor:
        """(N, K) bool: a random share of each person's points, at least one, never more than half."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        marked = self.points[..., 2] > 0
        rank = torch.where(marked, torch.rand(marked.shape, generator=generator), 2.0).argsort(1).argsort(1)
        count = marked.sum(1, keepdim=True)
        take = torch.minimum((count * self.settings.withheld_share).round().clamp(min=1), count // 2)
        return marked & (rank < take)

    def choose_epochs(self, model, withheld, progress) -> tuple[list[Epoch], int]:
        """Curves of a run without the withheld points, and how long to tune."""
        kept = self.points.clone()
        kept[withheld] = 0
        _, curve = self.tune(model, kept, self.settings.epochs, withheld, progress)
        return curve, last_good_epoch(curve)

    def tune(self, model, given, epochs, withheld, progress) -> tuple[nn.Module, list[Epoch]]:
        """Tune a copy for some epochs; with withheld points, stop when their error does not fall any more."""
        settings = self.settings
        tuned = copy.deepcopy(model).eval()  # dropout and batch norm stay as in prediction
        with torch.no_grad():
            prior = regress(model, self.features, self.bbox_info, given)
        parameters = [p for name, p in tuned.named_parameters() if not name.startswith(("trunk.", "encoder."))]
        for parameter in tuned.parameters():
            parameter.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_(True)
        optimiser = torch.optim.Adam(parameters, settings.learning_rate)
        generator = torch.Generator().manual_seed(settings.seed)
        curve = [self._measure(tuned, given, prior, withheld, 0)]
        stage = "choosing how long to tune" if withheld is not None else "tuning with all points"
        for number in range(1, epochs + 1):
            for rows in torch.randperm(len(given), generator=generator).split(settings.batch):
                loss = self._loss(tuned, given[rows], rows, prior)
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 2.0)
                optimiser.step()
            curve.append(self._measure(tuned, given, prior, withheld, number))
            progress(number, epochs, stage)
            if withheld is not None:
                best = min(curve, key=lambda epoch: epoch.withheld).number
                if number - best >= settings.patience:
                    break
        for parameter in tuned.parameters():
            parameter.requires_grad_(False)
        return tuned, curve

    def _loss(self, tuned, given, rows, prior):
        settings = self.settings
        rotmat, betas, cam_crop = regress(tuned, self.features[rows], self.bbox_info[rows], given)
        projected = project_to_crop(self.body(rotmat, betas).points(), cam_crop, self.bbox_info[rows])
        return (
            5 * reprojection_loss(projected, given[..., :2], given[..., 2], corner=0.02).mean()
            + settings.prior_weight * (rotmat - prior[0][rows]).square().sum((1, 2, 3)).mean()
            + settings.betas_prior_weight * (betas - prior[1][rows]).square().sum(1).mean()
            + positive_scale_loss(cam_crop)
        )

    @torch.no_grad()
    def _measure(self, tuned, given, prior, withheld, number) -> Epoch:
        rotmat, betas, cam_crop = regress(tuned, self.features, self.bbox_info, given)
        projected = project_to_crop(self.body(rotmat, betas).points(), cam_crop, self.bbox_info)
        error = (projected - self.points[..., :2]).norm(dim=-1)

        def mean(which):
            return float(error[which].clamp(max=1).mean())  # one absurd point must not choose the epoch

        distance = float((rotmat - prior[0]).square().mean())
        fitted = mean(given[..., 2] > 0)
        return Epoch(number, fitted, None if withheld is None else mean(withheld), distance)
