"""What the open CLIFF learns in each phase of pretraining, and from whom."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from cliff_core.models.depthwise import Depthwise
from cliff_core.models.open_cliff import OPEN_CROP, OpenCliff, Regressed
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.training.labels import Labels, label_people
from cliff_core.training.points import corrupt_points
from cliff_core.training.priors import imagined_prior
from cliff_core.training.renders import Renders, encoded

_ITERATIONS = 3  # of the second regressor, per step
_AHEAD_SHARE = 0.3  # of the steps that go on from where it would be after as many
_RENDERED_SHARE = 0.4  # of the last phase's people
_DETECTED_SHARE = 0.7  # of those whom the detector has looked at, with its points
_NO_PRIOR_SHARE = 0.5  # of its drawn people
_STATISTICS_ROWS = 4_000
_REMEMBERED = 40_000


@dataclass(frozen=True, slots=True)
class Material:
    """Everybody to learn from and to measure on.

    Attributes:
        poses: of people who are drawn as they are needed.
        drawn: held-out people without pixels.
        renders: rendered people, as far as they were opened: "seen", from whom the trunk and the first regressor learn;
            "fresh", others, whom the detector has looked at; "heldout", to measure on.
    """

    poses: PoseBank
    drawn: Labels
    renders: Mapping[str, Renders] = field(default_factory=dict)


class Phase(ABC):
    """One phase: who learns, and on which people.

    Args:
        batch: people per step.
    """

    name: ClassVar[str]
    learns_from: ClassVar[tuple[str, ...]] = ("seen",)
    """Which of the material's rendered people."""

    def __init__(self, batch: int):
        self.batch = batch

    def prepare(self, models: Sequence[OpenCliff], material: Material) -> None:  # noqa: B027 (most need nothing)
        """Set what is not learnt but counted."""

    @abstractmethod
    def parameters(self, model: OpenCliff) -> list[dict]:
        """Groups of parameters with their learning rates `lr`."""

    @abstractmethod
    def bodies(
        self, model: OpenCliff, averaged: OpenCliff, material: Material, rng: np.random.Generator, generator
    ) -> Iterator[tuple[list[Regressed], Labels]]:
        """A step's predictions with their truth, in one or more parts; `generator` is torch's."""


class Points(Phase):
    """The second regressor learns from points alone."""

    name = "points"
    learns_from = ()

    def parameters(self, model):
        """Of the second regressor."""
        return _groups(model.from_points, 8e-4)

    def bodies(self, model, averaged, material, rng, generator):
        """Of people drawn for this step."""
        people = sample_people(rng, material.poses, model.body, self.batch, OPEN_CROP.rescale)
        labels = label_people(model.body, people)
        points = corrupt_points(labels.projected, labels.inside, generator)
        start = model.mean_body(labels.bbox_info)
        yield _followed(model, points, labels, start, torch.zeros(self.batch, 1), rng), labels


class Image(Phase):
    """The first regressor learns to see with the trunk as it is."""

    name = "image"

    def prepare(self, models, material):
        """Mean and spread of the trunk's features, by which the regressor normalises them."""
        seen = material.renders["seen"]
        rows = np.linspace(0, len(seen) - 1, min(_STATISTICS_ROWS, len(seen))).astype(int)
        features = encoded(models[0], seen, rows)
        for model in models:
            model.feature_mean.copy_(features.mean(0))
            model.feature_std.copy_(features.std(0, correction=0) + 1e-3)

    def parameters(self, model):
        """Of the first regressor."""
        return _groups(model.from_image, 4e-4)

    def bodies(self, model, averaged, material, rng, generator):
        """Of rendered people."""
        seen = material.renders["seen"]
        rows = np.sort(rng.choice(len(seen), min(self.batch, len(seen)), replace=False))
        labels = seen.labels.rows(rows)
        with torch.autocast("cpu", torch.bfloat16):
            features = model.trunk.late(seen.early(rows)).features()
            yield model.see(features.float(), labels.bbox_info), labels


class Trunk(Image):
    """The trunk's late layers learn with the first regressor."""

    name = "trunk"

    def prepare(self, models, material):
        """Nothing: the features are normalised as the published trunk's were."""

    def parameters(self, model):
        """Also the late layers' biases and pointwise weights; depthwise kernels stay as published (`Depthwise`)."""
        layers = [layer for part in model.trunk.late_layers() for layer in part.modules()]
        weights = [each.weight for each in layers if isinstance(each, nn.Conv2d) and not isinstance(each, Depthwise)]
        biases = [each.bias for each in layers if isinstance(each, nn.Conv2d)]
        return [*super().parameters(model), {"params": [*weights, *biases], "lr": 1e-4, "weight_decay": 1e-4}]


@dataclass(frozen=True, slots=True)
class Remembered:
    """Rendered people, and all that is known of them but pixels.

    Attributes:
        labels: of N people.
        features: (N, 3768) float16, of the tuned trunk.
        detected: (N, 47, 3) the detector's points; zeros where it was not asked.
        looked_at: (N,) bool, whether it was.
    """

    labels: Labels
    features: torch.Tensor
    detected: torch.Tensor
    looked_at: torch.Tensor

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count,) rows; half of them of people whom the detector has looked at, however few these are."""
        looked_at = int(self.looked_at.sum())  # the first ones
        half = count // 2
        others = rng.integers(looked_at, len(self.features), count - half)
        return np.concatenate([rng.integers(looked_at, size=half), others])

    @classmethod
    def of(cls, model: OpenCliff, material: Material) -> Remembered:
        """All fresh people, and a part of those that the first regressor learnt from."""
        fresh, seen = material.renders["fresh"], material.renders["seen"]
        some = np.linspace(0, len(seen) - 1, min(_REMEMBERED, len(seen))).astype(int)
        parts = encoded(model, fresh, np.arange(len(fresh))), encoded(model, seen, some)
        return cls(
            Labels.joined([fresh.labels, seen.labels.rows(some)]),
            torch.cat([part.half() for part in parts]),
            torch.cat([fresh.detected, seen.detected[some]]),
            torch.arange(len(fresh) + len(some)) < len(fresh),
        )


class Both(Phase):
    """The second regressor learns to start from what the first one saw."""

    name = "both"
    learns_from = ("seen", "fresh")

    def __init__(self, batch: int):
        super().__init__(batch)
        self._remembered: Remembered | None = None

    def parameters(self, model):
        """Of the second regressor."""
        return _groups(model.from_points, 6e-4)

    def bodies(self, model, averaged, material, rng, generator):
        """Of rendered people with what the first regressor sees in them, and of drawn people with imagined priors."""
        if self._remembered is None:  # the first regressor does not change any more
            self._remembered = Remembered.of(averaged, material)
        known = self._remembered
        count = round(_RENDERED_SHARE * self.batch)
        rows = np.sort(known.draw(rng, count))
        labels = known.labels.rows(rows)
        with torch.no_grad():
            start = averaged.see(known.features[rows].float(), labels.bbox_info)[-1]
        points = corrupt_points(labels.projected, labels.inside, generator)
        use_detector = (torch.rand(count, generator=generator) < _DETECTED_SHARE) & known.looked_at[rows]
        points = torch.where(use_detector[:, None, None], known.detected[rows], points)
        yield _followed(model, points, labels, start, torch.ones(count, 1), rng), labels

        count = self.batch - count
        people = sample_people(rng, material.poses, model.body, count, OPEN_CROP.rescale)
        labels = label_people(model.body, people)
        points = corrupt_points(labels.projected, labels.inside, generator)
        has_prior = (torch.rand(count, 1, generator=generator) >= _NO_PRIOR_SHARE).float()
        start = imagined_prior(model, people, labels, model.mean_body(labels.bbox_info), has_prior, generator)
        yield _followed(model, points, labels, start, has_prior, rng), labels


PHASES: tuple[type[Phase], ...] = (Points, Image, Trunk, Both)


def _followed(model, points, labels, start, has_prior, rng):
    """Bodies of a few iterations, sometimes of later ones: at use there are more than a step can afford to learn."""
    unlearnt = _ITERATIONS if rng.random() < _AHEAD_SHARE else 0
    with torch.autocast("cpu", torch.bfloat16):
        return model.follow(points, labels.bbox_info, start, has_prior, _ITERATIONS, unlearnt)


def _groups(regressor: nn.Module, rate: float) -> list[dict]:
    """Matrices decay a little, biases and norms do not."""
    matrices = [each for each in regressor.parameters() if each.dim() > 1]
    others = [each for each in regressor.parameters() if each.dim() <= 1]
    return [
        {"params": matrices, "lr": rate, "weight_decay": 1e-2},
        {"params": others, "lr": rate, "weight_decay": 0.0},
    ]
