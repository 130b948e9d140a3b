"""What people without points gain from those who have some: the image's regressor learns from the others' new bodies.

A network that takes points (open CLIFF) is tuned where it follows them, which says nothing to people without any. Their
photos are like the others', though, and of the others good bodies are known now. Whether that helps is asked of people
who are left out of a first lesson: where their bodies come no nearer, nobody is taught.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from cliff_core.body.torch_body import TorchBody
from cliff_core.execution.rows import Workspace
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import Crops, regress
from cliff_core.models.open_cliff import OpenCliff
from cliff_core.training.adam import Adam
from cliff_core.training.labels import Labels
from cliff_core.training.losses import LossWeights, pretraining_loss

_LEAST, _MOST = 40, 4000  # people: fewer teach nothing, more take long
_ASKED = 0.25  # share of people who are left out of the first lesson and asked
_EPOCHS, _PATIENCE = 24, 6
_BATCH, _LEARNING_RATE = 64, 1e-4
_GAIN = 0.01  # by which the bodies of those asked have to come nearer
_REMEMBERED = "lesson"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What came of teaching.

    Attributes:
        model: a taught copy; the network as it was where nobody would gain.
        epochs: how long it was taught; 0: not at all.
        people: who taught.
        before_mm, after_mm: from what the network says of those asked to their own bodies, mean of the joints about
            the pelvis, before and after.
    """

    model: OpenCliff
    epochs: int
    people: int
    before_mm: float
    after_mm: float


@dataclass(slots=True)
class Teaching:
    """Lessons for the regressor that sees the image alone.

    Args:
        body: of the network.
        crops: everybody, with features and points.
        seed: who is asked, and in which order the others teach.
        progress: told (epoch, epochs, what).
        should_stop: whether to leave it.
    """

    body: TorchBody
    crops: Crops
    seed: int
    progress: Callable[[int, int, str], None]
    should_stop: Callable[[], bool]

    def teach(self, model: OpenCliff, supervised: torch.Tensor, work: Workspace) -> Lesson | None:
        """Teach a copy.

        Args:
            model: open CLIFF; not changed.
            supervised: (N,) bool, people whose points are good enough to teach.
            work: where to remember the lesson.

        Returns:
            What came of it; `None` where the people are too few, or where it was to stop.
        """
        order = torch.randperm(len(supervised), generator=torch.Generator().manual_seed(self.seed))
        rows, own = self._with_bodies(model, order[supervised[order]][:_MOST])
        if len(rows) < _LEAST:
            return None
        key = hashlib.sha256(f"{work.token}/{self.seed}".encode() + own.rotmat.numpy().tobytes()).hexdigest()
        known, taught = work.recall(_REMEMBERED), copy.deepcopy(model)
        if known.get("key") == key:
            taught.from_image.load_state_dict(known["weights"])
        else:
            asked = torch.arange(len(rows)) < _ASKED * len(rows)
            errors = self._run(copy.deepcopy(model), rows, own, asked, _EPOCHS)
            epochs = int(np.argmin(errors))
            epochs = epochs if errors[epochs] < (1 - _GAIN) * errors[0] else 0
            self._run(taught, rows, own, torch.zeros_like(asked), epochs)
            if self.should_stop():
                return None
            known = {"epochs": epochs, "before": errors[0], "after": errors[epochs]}
            work.remember(_REMEMBERED, {"key": key, "weights": taught.from_image.state_dict(), **known})
        return Lesson(taught, known["epochs"], len(rows), 1000 * known["before"], 1000 * known["after"])

    def _run(self, model: OpenCliff, rows: torch.Tensor, own: Labels, asked: torch.Tensor, epochs: int) -> list[float]:
        """Teach a network with those who are not asked; the error of those who are, before and after each epoch."""
        weights = [each.requires_grad_(True) for each in model.from_image.parameters()]
        optimiser, generator = Adam(weights, _LEARNING_RATE), torch.Generator().manual_seed(self.seed)
        pupils, errors = (~asked).nonzero()[:, 0], [self._error(model, rows, own, asked)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)  # of the dropout
            for epoch in range(1, epochs + 1):
                if self.should_stop() or (asked.any() and epoch > int(np.argmin(errors)) + _PATIENCE):
                    break
                model.train()  # with dropout: some hundred people would be learnt by heart
                for some in pupils[torch.randperm(len(pupils), generator=generator)].split(_BATCH):
                    steps = model.see(self.crops.features[rows[some]], own.bbox_info[some])
                    optimiser.clear()
                    pretraining_loss(steps, own.rows(some), LossWeights())["total"].backward()
                    optimiser.step()
                errors.append(self._error(model.eval(), rows, own, asked))
                self.progress(epoch, epochs, "teaching the people without points")
        for each in weights:
            each.requires_grad_(False)
        return errors

    @torch.no_grad()
    def _error(self, model: OpenCliff, rows: torch.Tensor, own: Labels, asked: torch.Tensor) -> float:
        """Metres from what the network says of those asked to their own bodies; 0 of nobody."""
        errors: list[torch.Tensor] = []
        for some in asked.nonzero()[:, 0].split(_BATCH) if asked.any() else ():
            said = model.see(self.crops.features[rows[some]], own.bbox_info[some])[-1].joints
            joints = own.joints[some]
            errors.append((said - said[:, :1] - joints + joints[:, :1]).norm(dim=-1).mean(1))
        return float(torch.cat(errors).mean()) if errors else 0.0

    @torch.no_grad()
    def _with_bodies(self, model: OpenCliff, rows: torch.Tensor) -> tuple[torch.Tensor, Labels]:
        """Those of whom the network has a body, and these bodies as the losses need them."""
        parts = []
        for some in rows.split(_BATCH):
            info, points = self.crops.bbox_info[some], self.crops.points[some]
            features, placed = self.crops.features[some], self.crops.placed[some]
            rotmat, betas, cam_crop = regress(model, features, info, points, placed)
            posed = self.body(rotmat, betas).points()
            projected = project_to_crop(posed, cam_crop, info)
            parts.append(Labels(rotmat, betas, posed, projected, projected.abs().amax(-1) < 1, info))
        own = Labels.joined(parts)
        finite = torch.isfinite(own.projected).flatten(1).all(1) & torch.isfinite(own.betas).all(1)
        return rows[finite], own.rows(finite)
