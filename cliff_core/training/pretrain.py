"""Pretraining of the open CLIFF on synthetic people, in three phases.

1. *points*: the second regressor learns what 2D points mean in 3D, from people who are only poses and cameras, drawn
   anew in every batch at a thousandth of the cost of a render.
2. *image*: the first regressor (CLIFF) learns to see, on cached trunk features of rendered crops.
3. *both*: the second one learns to start from what the first one saw: on the renders, and on drawn people with a prior
   that is wrong in the ways priors are.

The trunk stays as published: with features computed once, hours become minutes.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cliff_core.errors import TrainingError
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.models.open_cliff import OPEN_CROP, OpenCliff, published_trunk
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.synthetic.shards import RenderSettings, load_shards, render_shards
from cliff_core.training.labels import Labels, label_people
from cliff_core.training.losses import LossWeights, pretraining_loss
from cliff_core.training.points import corrupt_points
from cliff_core.training.priors import imagined_prior
from cliff_core.training.validation import validate

_SHARD_SIZE = 500
_CHECKPOINT_EVERY = 250
_WARM_UP = 0.06
_EMA_DECAY = 0.998
_RENDERED_SHARE = 0.5  # of the last phase
_NO_PRIOR_SHARE = 0.3  # of its drawn people
_KEPT = ("model", "averaged", "optimiser", "schedule")


@dataclass(frozen=True, slots=True)
class PretrainSettings:
    """A pretraining run.

    Attributes:
        out: run folder: shards, checkpoint, log, and in the end `open_cliff.pt`.
        people: rendered people.
        heldout_people: rendered people to measure on.
        points_steps, image_steps, both_steps: optimiser steps of the three phases.
        batch: people per step.
        learning_rate: peak of each phase's one-cycle schedule.
        seed: of everything.
        workers: rendering processes.
        poses: npz of poses; the bundled clips by default.
        backgrounds: folder of photos without people; procedural scenes only by default.
    """

    out: Path
    people: int = 30_000
    heldout_people: int = 1_000
    points_steps: int = 12_000
    image_steps: int = 4_000
    both_steps: int = 6_000
    batch: int = 192
    learning_rate: float = 6e-4
    seed: int = 0
    workers: int = 2
    poses: Path | None = None
    backgrounds: Path | None = None

    @property
    def phases(self) -> tuple[tuple[str, int], ...]:
        """Names and steps, in order."""
        return (("points", self.points_steps), ("image", self.image_steps), ("both", self.both_steps))


@dataclass(frozen=True, slots=True)
class Renders:
    """Rendered people in memory.

    Attributes:
        labels: N people.
        features: (N, F) float16 of their crops.
    """

    labels: Labels
    features: np.ndarray

    def tensor(self, rows=slice(None)) -> torch.Tensor:
        """Float32 features of some people."""
        return torch.from_numpy(self.features[rows]).float()


def run(settings: PretrainSettings, progress: Callable[[int, int, str], None]) -> Path:
    """Train, render, measure; resumes where a killed run stopped. Returns the path of the finished checkpoint.

    Raises:
        TrainingError: the folder holds a run with other settings, or the training diverged.
    """
    _claim(settings)
    trainer = _Trainer(settings)
    first_phase, first_step = trainer.resume()
    renders: tuple[Renders, Renders] | None = None
    for number, (name, steps) in enumerate(settings.phases):
        if number < first_phase:
            continue
        if name != "points" and renders is None:
            renders = _render(settings, trainer, progress)
        test = _heldout_points(settings, trainer) if renders is None else renders[1]
        trainer.begin(number, first_step if number == first_phase else 0, None if renders is None else renders[0])
        for step in range(first_step if number == first_phase else 0, steps):
            losses = trainer.step(step)
            if (step + 1) % _CHECKPOINT_EVERY == 0 or step + 1 == steps:
                trainer.save(number, step + 1)
                scores = validate(trainer.averaged, test.labels, test.tensor() if renders else None)
                _log(settings.out, {"phase": name, "step": step + 1, **losses, **scores})
                progress(step + 1, steps, _summary(name, losses, scores))
    finished = settings.out / "open_cliff.pt"
    _save(trainer.averaged.checkpoint(), finished)
    return finished


def _render(settings: PretrainSettings, trainer: _Trainer, progress) -> tuple[Renders, Renders]:
    """Training and held-out renders; made if they are not there."""
    shard = min(_SHARD_SIZE, settings.people, settings.heldout_people)
    training = RenderSettings(settings.poses, settings.backgrounds, seed=settings.seed, shard_size=shard)
    sets = []
    for render_settings, count in (
        (training, settings.people),
        (replace(training, heldout=True), settings.heldout_people),
    ):
        paths = render_shards(settings.out, render_settings, count, settings.workers, progress)
        people, features = load_shards(paths)
        sets.append(Renders(label_people(trainer.model.body, people), features))
    return sets[0], sets[1]


def _heldout_points(settings: PretrainSettings, trainer: _Trainer) -> Renders:
    """Held-out people without pixels."""
    rng = np.random.default_rng([settings.seed, 1])
    poses = PoseBank(settings.poses, heldout=True)
    people = sample_people(rng, poses, trainer.model.body, settings.heldout_people, OPEN_CROP.rescale)
    return Renders(label_people(trainer.model.body, people), np.zeros((0, 0)))


def _summary(phase: str, losses: dict, scores: dict) -> str:
    kinds = [kind for kind in ("image", "points", "both") if f"{kind}_pa_mpjpe_mm" in scores]
    measured = ", ".join(f"{scores[f'{kind}_pa_mpjpe_mm']:.0f} mm from {kind}" for kind in kinds)
    return f"phase {phase}, loss {losses['total']:.3f}, held-out PA-MPJPE {measured}"


def _log(folder: Path, row: dict) -> None:
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({**row, "cpu_seconds": round(time.process_time())}) + "\n")


def _claim(settings: PretrainSettings) -> None:
    """Bind the folder to these settings, or make sure that it is bound to them already."""
    settings.out.mkdir(parents=True, exist_ok=True)
    described = {name: str(value) for name, value in asdict(settings).items() if name not in ("out", "workers")}
    note = settings.out / "settings.json"
    if not note.exists():
        note.write_text(json.dumps(described, indent=1), encoding="utf-8")
        return
    found = json.loads(note.read_text(encoding="utf-8"))
    changed = sorted(name for name in described if found.get(name) != described[name])
    if changed:
        raise TrainingError(
            f"{settings.out}: holds a run with other settings ({', '.join(changed)}); give another folder, or the same "
            "settings to resume it"
        )


def _save(content: dict, path: Path) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    torch.save(content, unfinished)
    unfinished.replace(path)


class _Trainer:
    """Model, optimiser and streams; a step's randomness comes from (seed, phase, step), so resuming is exact."""

    def __init__(self, settings: PretrainSettings):
        self.settings = settings
        self.poses = PoseBank(settings.poses)
        torch.manual_seed(settings.seed)
        self.model = _fresh_model(self.poses)
        self.averaged = copy.deepcopy(self.model).eval()
        self.phase = 0
        self.renders: Renders | None = None
        self._saved: dict | None = None

    @property
    def path(self) -> Path:
        """Where the run is kept between two starts."""
        return self.settings.out / "training.pt"

    def resume(self) -> tuple[int, int]:
        """Phase and step to go on with."""
        if not self.path.exists():
            return 0, 0
        self._saved = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(self._saved["model"])
        self.averaged.load_state_dict(self._saved["averaged"])
        return self._saved["phase"], self._saved["step"]

    def begin(self, phase: int, step: int, renders: Renders | None) -> None:
        """Start a phase, or go on with it after `step` steps; a fresh one starts from the averaged weights."""
        name, steps = self.settings.phases[phase]
        self.phase, self.renders = phase, renders
        if step == 0:
            self.model.load_state_dict(self.averaged.state_dict())
            if name == "image" and renders is not None:
                for model in (self.model, self.averaged):
                    model.feature_mean.copy_(torch.from_numpy(renders.features.mean(0, dtype=np.float64)))
                    model.feature_std.copy_(torch.from_numpy(renders.features.std(0, dtype=np.float64) + 1e-3))
        learning = "from_image." if name == "image" else "from_points."
        self.parameters = [p for key, p in self.model.named_parameters() if key.startswith(learning)]
        rate = self.settings.learning_rate
        self.optimiser = torch.optim.AdamW(self.parameters, rate, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, rate, total_steps=steps + 1, pct_start=_WARM_UP
        )
        if step and self._saved is not None:
            self.optimiser.load_state_dict(self._saved["optimiser"])
            self.schedule.load_state_dict(self._saved["schedule"])

    def save(self, phase: int, step: int) -> None:
        """Keep the run as it is after so many steps."""
        state = {name: getattr(self, name).state_dict() for name in _KEPT}
        _save({"phase": phase, "step": step, **state}, self.path)

    def step(self, step: int) -> dict[str, float]:
        """One optimiser step; returns its losses."""
        rng = np.random.default_rng([self.settings.seed, 2 + self.phase, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        torch.manual_seed(int(rng.integers(2**62)))  # dropout
        self.model.train()
        self.optimiser.zero_grad()
        losses: dict[str, float] = {}
        for bodies, labels in self._streams(rng, generator):
            terms = pretraining_loss(bodies, labels, LossWeights())
            share = len(labels.betas) / self.settings.batch
            (terms["total"] * share).backward()
            losses = {name: losses.get(name, 0) + float(term.detach()) * share for name, term in terms.items()}
        if not np.isfinite(losses["total"]):
            raise TrainingError(f"the loss is no number any more at step {step}; lower the learning rate and resume")
        nn.utils.clip_grad_norm_(self.parameters, 2.0)
        self.optimiser.step()
        self.schedule.step()
        with torch.no_grad():
            for kept, new in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(new, 1 - min(_EMA_DECAY, (step + 1) / (step + 10)))
        return {name: round(value, 5) for name, value in losses.items()}

    def _streams(self, rng, generator):
        """Predicted bodies and their labels, batch by batch."""
        name, count = self.settings.phases[self.phase][0], self.settings.batch
        if name != "points" and self.renders is not None:
            seen = count if name == "image" else round(_RENDERED_SHARE * count)
            rows = np.sort(rng.choice(len(self.renders.features), min(seen, len(self.renders.features)), replace=False))
            labels = self.renders.labels.rows(rows)
            features = self.renders.tensor(rows)
            if name == "image":
                with torch.autocast("cpu", torch.bfloat16):
                    yield self.model.see(features, labels.bbox_info), labels
                return
            with torch.no_grad():
                start = self.averaged.see(features, labels.bbox_info)[-1]
            yield self._follow(start, torch.ones(len(rows), 1), labels, generator), labels
            count -= len(rows)
        people = sample_people(rng, self.poses, self.model.body, count, OPEN_CROP.rescale)
        labels = label_people(self.model.body, people)
        start, has_prior = self.model.mean_body(labels.bbox_info), torch.zeros(count, 1)
        if name == "both":
            has_prior = (torch.rand(count, 1, generator=generator) >= _NO_PRIOR_SHARE).float()
            start = imagined_prior(self.model, people, labels, start, has_prior, generator)
        yield self._follow(start, has_prior, labels, generator), labels

    def _follow(self, start, has_prior, labels, generator):
        points = corrupt_points(labels.projected, labels.inside, generator)
        with torch.autocast("cpu", torch.bfloat16):
            return self.model.follow(points, labels.bbox_info, start, has_prior)


def _fresh_model(poses: PoseBank) -> OpenCliff:
    model = OpenCliff(name="open-cliff-1")
    model.trunk.load_state_dict(published_trunk().state_dict())
    # The mean of rotations is the rotation nearest to their average; people's facing has no mean: start with the front.
    left, _, right = np.linalg.svd(rotvec_to_rotmat(poses.captured).mean(0))
    mean = left @ right
    mean[0] = np.diag([1.0, -1.0, -1.0])
    model.init_pose.copy_(torch.from_numpy(mean[:, :, :2].reshape(1, 144)))
    return model
