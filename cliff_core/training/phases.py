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
from cliff_core.models.open_cliff import OPEN_CROP, BodyState, OpenCliff, Regressed
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.training.labels import Labels, label_people
from cliff_core.training.points import corrupt_points
from cliff_core.training.renders import Renders, encoded

_ITERATIONS = 3  # of the second regressor, per step
_AHEAD_SHARE = 0.3  # of the steps that go on from where it would be after as many
_RENDERED_SHARE = 0.5  # of the last phase's people
_DETECTED_SHARE = 0.7  # of those whom the detector has looked at, with its points
_MISTAKEN_SHARE = 0.08  # of its rendered people: the first regressor speaks of somebody else
_SEEN_AT_ONCE = 500
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
        return _follower(model, 8e-4)

    def bodies(self, model, averaged, material, rng, generator):
        """Of people drawn for this step."""
        yield _from_points(model, material, self.batch, rng, generator)


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
    """Rendered people, and all that the second regressor may know of them: what the first one says, and points.

    Attributes:
        labels: of N people.
        said: the first regressor's bodies of them.
        detected: (N, 47, 3) the detector's points; zeros where it was not asked.
        looked_at: how many it was asked about: the first ones.
        doubt: (N,) how often to draw somebody: by how wrong the first regressor is, so that its mistakes are not rare.
    """

    labels: Labels
    said: BodyState
    detected: torch.Tensor
    looked_at: int
    doubt: np.ndarray

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count,) rows; half of them of people whom the detector has looked at, however few these are."""
        known, others = np.arange(self.looked_at), np.arange(self.looked_at, len(self.doubt))
        parts = (known, count // 2), (others, count - count // 2)
        return np.sort(np.concatenate([rng.choice(rows, size, p=self._share(rows)) for rows, size in parts]))

    def _share(self, rows: np.ndarray) -> np.ndarray:
        return self.doubt[rows] / self.doubt[rows].sum()

    @classmethod
    def of(cls, model: OpenCliff, material: Material) -> Remembered:
        """All fresh people, and a part of those that the first regressor learnt from."""
        fresh, seen = material.renders["fresh"], material.renders["seen"]
        some = np.linspace(0, len(seen) - 1, min(_REMEMBERED, len(seen))).astype(int)
        labels = Labels.joined([fresh.labels, seen.labels.rows(some)])
        features = torch.cat([encoded(model, fresh, np.arange(len(fresh))), encoded(model, seen, some)])
        said, errors = [], []
        with torch.no_grad():
            for rows in np.array_split(np.arange(len(features)), -(-len(features) // _SEEN_AT_ONCE)):
                bodies = model.see(features[rows], labels.bbox_info[rows])[-1]
                apart = _about_pelvis(bodies.joints) - _about_pelvis(labels.joints[rows])
                said.append(bodies.state.flat())
                errors.append(apart.norm(dim=-1).mean(1))
        doubt = torch.cat(errors).sqrt().double().numpy()
        return cls(
            labels, BodyState.of(torch.cat(said)), torch.cat([fresh.detected, seen.detected[some]]), len(fresh), doubt
        )


class Both(Phase):
    """The second regressor learns to start from what the first one saw, and when not to believe it."""

    name = "both"
    learns_from = ("seen", "fresh")

    def __init__(self, batch: int):
        super().__init__(batch)
        self._remembered: Remembered | None = None

    def parameters(self, model):
        """Of the second regressor."""
        return _follower(model, 4e-4)

    def bodies(self, model, averaged, material, rng, generator):
        """Of rendered people with what the first regressor says of them, and of drawn people from points alone."""
        if self._remembered is None:  # the first regressor does not change any more
            self._remembered = Remembered.of(averaged, material)
        known = self._remembered
        count = round(_RENDERED_SHARE * self.batch)
        rows = known.draw(rng, count)
        labels = known.labels.rows(rows)
        mistaken = torch.rand(count, generator=generator) < _MISTAKEN_SHARE
        of_whom = torch.where(
            mistaken, torch.from_numpy(rng.integers(len(known.doubt), size=count)), torch.from_numpy(rows)
        )
        start = model.posed(BodyState.of(known.said.flat()[of_whom]), labels.bbox_info)
        points = corrupt_points(labels.projected, labels.inside, generator)
        use_detector = (torch.rand(count, generator=generator) < _DETECTED_SHARE) & torch.from_numpy(
            rows < known.looked_at
        )
        points = torch.where(use_detector[:, None, None], known.detected[rows], points)
        yield _followed(model, points, labels, start, torch.ones(count, 1), rng), labels

        yield _from_points(model, material, self.batch - count, rng, generator)


PHASES: tuple[type[Phase], ...] = (Points, Image, Trunk, Both)


def _from_points(model, material, count, rng, generator):
    """People drawn anew, from the mean body, and their truth."""
    labels = label_people(model.body, sample_people(rng, material.poses, model.body, count, OPEN_CROP.rescale))
    points = corrupt_points(labels.projected, labels.inside, generator)
    return _followed(model, points, labels, model.mean_body(labels.bbox_info), torch.zeros(count, 1), rng), labels


def _followed(model, points, labels, start, has_prior, rng):
    """Bodies of a few iterations, sometimes of later ones: at use there are more than a step can afford to learn."""
    unlearnt = _ITERATIONS if rng.random() < _AHEAD_SHARE else 0
    with torch.autocast("cpu", torch.bfloat16):
        return model.follow(points, labels.bbox_info, start, has_prior, _ITERATIONS, unlearnt)


def _about_pelvis(joints: torch.Tensor) -> torch.Tensor:
    return joints - joints[:, :1]


def _follower(model: OpenCliff, rate: float) -> list[dict]:
    return [*_groups(model.from_points, rate), {"params": [model.step_gain], "lr": rate, "weight_decay": 0.0}]


def _groups(regressor: nn.Module, rate: float) -> list[dict]:
    """Matrices decay a little, biases and norms do not."""
    matrices = [each for each in regressor.parameters() if each.dim() > 1]
    others = [each for each in regressor.parameters() if each.dim() <= 1]
    return [
        {"params": matrices, "lr": rate, "weight_decay": 1e-2},
        {"params": others, "lr": rate, "weight_decay": 0.0},
    ]
