"""Pretraining of the open CLIFF on synthetic people: renders for the image, points without pixels for the pose.

Two streams feed the regressor. Rendered crops, whose trunk features are computed once, teach it to see; people who are
only poses and cameras, drawn anew in every batch, teach it what 2D points mean in 3D, at a thousandth of the cost. The
trunk stays as published (CLIFF's head on cached features: hours become minutes).
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cliff_core.errors import TrainingError
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.models.open_cliff import OPEN_CROP, OpenCliff, published_trunk
from cliff_core.training.losses import Labels, LossWeights, pretraining_loss
from cliff_core.training.points import corrupt_points
from cliff_core.training.samples import People, label_people, sample_people
from cliff_core.training.synthetic.poses import PoseBank
from cliff_core.training.synthetic.shards import RenderSettings, load_shards, render_shards
from cliff_core.training.validation import validate

_SHARD_SIZE = 500
_CHECKPOINT_EVERY = 250
_WARM_UP = 0.06
_EMA_DECAY = 0.998
_KEPT = ("model", "averaged", "optimiser", "schedule")
_NO_POINTS_SHARE = 0.3  # of the rendered people; without points the image must do


@dataclass(frozen=True, slots=True)
class PretrainSettings:
    """A pretraining run.

    Attributes:
        out: run folder: shards, checkpoint, log, and in the end `open_cliff.pt`.
        people: rendered people.
        heldout_people: rendered people to measure on.
        points_steps: first steps, on people without pixels alone.
        steps: all steps.
        batch: people per step; half of them rendered after the first steps.
        learning_rate: peak of the one-cycle schedule.
        seed: of everything.
        workers: rendering processes.
        poses: npz of poses; the bundled clips by default.
        backgrounds: folder of photos without people; procedural scenes only by default.
    """

    out: Path
    people: int = 30_000
    heldout_people: int = 1_000
    points_steps: int = 8_000
    steps: int = 20_000
    batch: int = 192
    learning_rate: float = 6e-4
    seed: int = 0
    workers: int = 2
    poses: Path | None = None
    backgrounds: Path | None = None


def run(settings: PretrainSettings, progress: Callable[[int, int, str], None]) -> Path:
    """Render, train, measure; resumes where a killed run stopped. Returns the path of the finished checkpoint.

    Raises:
        TrainingError: the folder holds a run with other settings, or the training diverged.
    """
    _claim(settings)
    trainer = _Trainer(settings)
    body = trainer.model.body
    heldout = replace(trainer.render_settings, heldout=True)
    rng = np.random.default_rng([settings.seed, 1])
    test = label_people(
        body,
        sample_people(rng, PoseBank(settings.poses, heldout=True), body, settings.heldout_people, OPEN_CROP.rescale),
    )
    test_features = None
    log = settings.out / "log.jsonl"
    for step in range(trainer.resume(), settings.steps):
        if step >= settings.points_steps and trainer.features is None:
            train_paths = render_shards(
                settings.out, trainer.render_settings, settings.people, settings.workers, progress
            )
            trainer.see(*load_shards(train_paths))
            people, features = load_shards(
                render_shards(settings.out, heldout, settings.heldout_people, settings.workers, progress)
            )
            test, test_features = label_people(body, people), torch.from_numpy(features).float()
        losses = trainer.step(step)
        if (step + 1) % _CHECKPOINT_EVERY == 0 or step + 1 == settings.steps:
            trainer.save(step + 1)
            scores = validate(trainer.averaged, test, test_features)
            row = {"step": step + 1, "cpu_seconds": round(time.process_time()), **losses, **scores}
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            progress(step + 1, settings.steps, _summary(row))
    finished = settings.out / "open_cliff.pt"
    _save(trainer.averaged.checkpoint(), finished)
    return finished


def _summary(row: dict) -> str:
    measured = ", ".join(
        f"{row[key]:.0f} mm from {kind}"
        for kind in ("image", "points", "both")
        if (key := f"{kind}_pa_mpjpe_mm") in row
    )
    return f"loss {row['total']:.3f}, held-out PA-MPJPE {measured}"


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
    """Model, optimiser and the two streams; every step's randomness comes from (seed, step), so resuming is exact."""

    def __init__(self, settings: PretrainSettings):
        self.settings = settings
        shard = min(_SHARD_SIZE, settings.people, settings.heldout_people)
        self.render_settings = RenderSettings(
            settings.poses, settings.backgrounds, seed=settings.seed, shard_size=shard
        )
        self.poses = PoseBank(settings.poses)
        self.labels: Labels | None = None
        self.features: np.ndarray | None = None
        torch.manual_seed(settings.seed)
        self.model = _fresh_model(self.poses)
        self.averaged = copy.deepcopy(self.model).eval()
        self.parameters = [p for name, p in self.model.named_parameters() if not name.startswith("trunk.")]
        self.optimiser = torch.optim.AdamW(self.parameters, settings.learning_rate, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, settings.learning_rate, total_steps=settings.steps + 1, pct_start=_WARM_UP
        )

    @property
    def path(self) -> Path:
        """Where the run is kept between two starts."""
        return self.settings.out / "training.pt"

    def resume(self) -> int:
        """Load the last checkpoint, if there is one; returns the step to go on with."""
        if not self.path.exists():
            return 0
        saved = torch.load(self.path, weights_only=True)
        for name in _KEPT:
            getattr(self, name).load_state_dict(saved[name])
        return saved["step"]

    def save(self, step: int) -> None:
        """Keep the run as it is after so many steps."""
        _save({"step": step, **{name: getattr(self, name).state_dict() for name in _KEPT}}, self.path)

    def see(self, people: People, features: np.ndarray) -> None:
        """From now on learn from these rendered people too."""
        self.labels, self.features = label_people(self.model.body, people), features
        for model in (self.model, self.averaged):
            model.feature_mean.copy_(torch.from_numpy(features.mean(0, dtype=np.float64)))
            model.feature_std.copy_(torch.from_numpy(features.std(0, dtype=np.float64) + 1e-3))

    def step(self, step: int) -> dict[str, float]:
        """One optimiser step; returns its losses."""
        rng = np.random.default_rng([self.settings.seed, 2, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        torch.manual_seed(int(rng.integers(2**62)))  # dropout
        streams = list(self._streams(rng, generator))
        self.model.train()
        self.optimiser.zero_grad()
        losses: dict[str, float] = {}
        for features, labels, keypoints in streams:
            with torch.autocast("cpu", torch.bfloat16):
                steps = self.model.refine(features, labels.bbox_info, keypoints)
            terms = pretraining_loss(steps, labels, LossWeights())
            (terms["total"] / len(streams)).backward()
            losses = {name: losses.get(name, 0) + float(term.detach()) / len(streams) for name, term in terms.items()}
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
        """Batches as (features or None, labels, keypoints)."""
        count = self.settings.batch
        if self.features is not None and self.labels is not None:
            count //= 2
            chosen = np.sort(rng.choice(len(self.features), min(count, len(self.features)), replace=False))
            rendered = Labels(*(getattr(self.labels, field.name)[chosen] for field in fields(Labels)))
            points = corrupt_points(rendered.projected, rendered.inside, generator)
            points[torch.rand(len(points), generator=generator) < _NO_POINTS_SHARE] = 0
            yield torch.from_numpy(self.features[chosen]).float(), rendered, points
        people = sample_people(rng, self.poses, self.model.body, count, OPEN_CROP.rescale)
        drawn = label_people(self.model.body, people)
        yield None, drawn, corrupt_points(drawn.projected, drawn.inside, generator)


def _fresh_model(poses: PoseBank) -> OpenCliff:
    model = OpenCliff(name="open-cliff-1")
    model.trunk.load_state_dict(published_trunk().state_dict())
    # The mean of rotations is the rotation nearest to their average; people's facing has no mean: start with the front.
    left, _, right = np.linalg.svd(rotvec_to_rotmat(poses.captured).mean(0))
    mean = left @ right
    mean[0] = np.diag([1.0, -1.0, -1.0])
    model.init_pose.copy_(torch.from_numpy(mean[:, :, :2].reshape(1, 144)))
    return model
