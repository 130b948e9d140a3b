"""Pretraining of the open CLIFF on synthetic people, in four phases.

1. *points*: the second regressor learns what 2D points mean in 3D, from people who are only poses and cameras, drawn
   anew in every batch at a thousandth of the cost of a render.
2. *image*: the first regressor (CLIFF) learns to see with the trunk as published, on rendered crops.
3. *trunk*: the trunk's late layers learn with it.
4. *both*: the second one learns to start from what the first one saw: on renders that were kept from the first, so
   that it meets the mistakes that are made on new photos and not those of learnt ones, with the points of a real
   detector; and on drawn people from points alone.

Each phase warms up, goes on at a constant rate, and cools down to nothing; what counts is the average of its weights.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cliff_core.errors import TrainingError
from cliff_core.execution.tensor_files import save_tensors
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.models.open_cliff import OpenCliff, published_trunk
from cliff_core.synthetic.poses import PoseBank
from cliff_core.synthetic.shards import RenderSettings, render_shards
from cliff_core.training.losses import LossWeights, pretraining_loss
from cliff_core.training.phases import PHASES, Material
from cliff_core.training.renders import open_renders
from cliff_core.training.report import draw_curves, draw_people
from cliff_core.training.validation import draw_heldout, validate

_SHARD_SIZE = 500
_CHECKPOINT_EVERY = 500
_WARM_UP_STEPS = 300
_COOL_DOWN = 0.35
_EMA_DECAY = 0.998
_GRADIENT_LIMIT = 1.0
_KEPT = ("model", "averaged", "optimiser")


@dataclass(frozen=True, slots=True)
class PretrainSettings:
    """A pretraining run.

    Attributes:
        out: run folder: shards, checkpoint, log, curves, and in the end `open_cliff.pt`.
        people: rendered people that the trunk and the first regressor learn from.
        fresh_people: rendered people that the second regressor learns from.
        heldout_people: rendered people to measure on.
        points_steps, image_steps, trunk_steps, both_steps: optimiser steps of the phases.
        batch: people per step.
        seed: of everything.
        workers: rendering processes.
        poses: npz of poses; the bundled clips by default.
        backgrounds: folder of photos without people; procedural scenes only by default.
    """

    out: Path
    people: int = 60_000
    fresh_people: int = 20_000
    heldout_people: int = 1_000
    points_steps: int = 24_000
    image_steps: int = 1_000
    trunk_steps: int = 6_000
    both_steps: int = 6_000
    batch: int = 192
    seed: int = 0
    workers: int = 2
    poses: Path | None = None
    backgrounds: Path | None = None

    def steps(self, phase: str) -> int:
        """Optimiser steps of a phase."""
        return int(getattr(self, f"{phase}_steps"))


def run(settings: PretrainSettings, progress: Callable[[int, int, str], None]) -> Path:
    """Train, render, measure; resumes where a killed run stopped. Returns the path of the finished checkpoint.

    Raises:
        TrainingError: the folder holds a run with other settings, or the training diverged.
    """
    _claim(settings)
    trainer = _Trainer(settings)
    first_phase, first_step = trainer.resume()
    material = Material(PoseBank(settings.poses), draw_heldout(settings.poses, settings.heldout_people, settings.seed))
    for number, phase in enumerate(PHASES):
        if number < first_phase:
            continue
        missing = [name for name in phase.learns_from if name not in material.renders]
        if missing:
            material = _render(settings, material, missing, trainer.model.body, progress)
        done = first_step if number == first_phase else 0
        trainer.begin(number, done, material)
        steps = settings.steps(phase.name)
        for step in range(done, steps):
            losses = trainer.step(step)
            if (step + 1) % _CHECKPOINT_EVERY == 0 or step + 1 == steps:
                trainer.save(step + 1)
                scores = validate(trainer.averaged, material)
                _log(settings.out, {"phase": phase.name, "step": step + 1, **losses, **scores})
                progress(step + 1, steps, _summary(phase.name, losses, scores))
        draw_curves(settings.out)
        if "heldout" in material.renders:
            draw_people(settings.out / f"people-{phase.name}.png", trainer.averaged, material.renders["heldout"])
    finished = settings.out / "open_cliff.pt"
    save_tensors(trainer.averaged.checkpoint(), finished)
    return finished


def _render(settings: PretrainSettings, material: Material, wanted: list[str], body, progress) -> Material:
    """The wanted people who have pixels, and the held-out ones; made if they are not there."""
    sizes = (settings.people, settings.fresh_people, settings.heldout_people)
    shard = min(_SHARD_SIZE, *sizes)
    training = RenderSettings(settings.poses, settings.backgrounds, seed=settings.seed, shard_size=shard)
    paths = render_shards(settings.out, training, settings.people + settings.fresh_people, settings.workers, progress)
    heldout = replace(training, heldout=True)
    heldout_paths = render_shards(settings.out, heldout, settings.heldout_people, settings.workers, progress)
    seen = -(-settings.people // shard)
    kinds = {"seen": (paths[:seen], 2, False), "fresh": (paths[seen:], 1, True), "heldout": (heldout_paths, 1, True)}
    opened = dict(material.renders)
    for name in [name for name in (*wanted, "heldout") if name not in opened]:
        opened[name] = open_renders(*kinds[name], body, settings.workers, progress)
    return replace(material, renders=opened)


def _summary(phase: str, losses: dict, scores: dict) -> str:
    measured = ", ".join(
        f"{scores[key]:.0f} mm from {key.removesuffix('_pa_mpjpe_mm').replace('_', ' ')}"
        for key in scores
        if key.endswith("_pa_mpjpe_mm")
    )
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


class _Trainer:
    """Model and optimiser; a step's randomness comes from (seed, phase, step), so resuming is exact."""

    def __init__(self, settings: PretrainSettings):
        self.settings = settings
        torch.manual_seed(settings.seed)
        self.model = _fresh_model(PoseBank(settings.poses))
        self.averaged = copy.deepcopy(self.model).eval()
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

    def begin(self, number: int, done: int, material: Material) -> None:
        """Start a phase, or go on with it after `done` steps; a fresh one starts from the averaged weights."""
        self.number, self.material = number, material
        self.phase = PHASES[number](self.settings.batch)
        self.steps = self.settings.steps(self.phase.name)
        if done == 0:
            self.model.load_state_dict(self.averaged.state_dict())
            self.phase.prepare((self.model, self.averaged), material)
        self.model.requires_grad_(False)
        groups = self.phase.parameters(self.model)
        self.rates = [group.pop("lr") for group in groups]
        learning = {id(each) for group in groups for each in group["params"]}
        for each in self.model.parameters():
            each.requires_grad_(id(each) in learning)
        pairs = zip(self.averaged.parameters(), self.model.parameters(), strict=True)
        self.averages, self.parameters = zip(*(pair for pair in pairs if pair[1].requires_grad), strict=True)
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        if done and self._saved is not None:
            self.optimiser.load_state_dict(self._saved["optimiser"])

    def save(self, step: int) -> None:
        """Keep the run as it is after so many steps of the phase."""
        state = {name: getattr(self, name).state_dict() for name in _KEPT}
        save_tensors({"phase": self.number, "step": step, **state}, self.path)

    def step(self, step: int) -> dict[str, float]:
        """One optimiser step; returns its losses."""
        share = _rate(step, self.steps)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        rng = np.random.default_rng([self.settings.seed, 2 + self.number, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        torch.manual_seed(int(rng.integers(2**62)))  # dropout
        self.model.train()
        self.optimiser.zero_grad()
        losses: dict[str, float] = {}
        for bodies, labels in self.phase.bodies(self.model, self.averaged, self.material, rng, generator):
            terms = pretraining_loss(bodies, labels, LossWeights())
            part = len(labels.betas) / self.settings.batch
            (terms["total"] * part).backward()
            losses = {name: losses.get(name, 0) + float(term.detach()) * part for name, term in terms.items()}
        if not np.isfinite(losses["total"]):
            raise TrainingError(f"the loss is no number any more at step {step} of the phase {self.phase.name}")
        nn.utils.clip_grad_norm_(self.parameters, _GRADIENT_LIMIT)
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.parameters, 1 - min(_EMA_DECAY, (step + 1) / (step + 10)))
        return {name: round(value, 5) for name, value in losses.items()}


def _rate(step: int, steps: int) -> float:
    """Share of the full learning rate: a warm-up, a plateau, and a straight way down."""
    down = (steps - step) / (steps * _COOL_DOWN)
    return min(1.0, (step + 1) / _WARM_UP_STEPS, max(0.01, down))


def _fresh_model(poses: PoseBank) -> OpenCliff:
    model = OpenCliff(name="open-cliff-4")
    model.trunk.load_state_dict(published_trunk().state_dict())
    # The mean of rotations is the rotation nearest to their average; people's facing has no mean: start with the front.
    left, _, right = np.linalg.svd(rotvec_to_rotmat(poses.captured).mean(0))
    mean = left @ right
    mean[0] = np.diag([1.0, -1.0, -1.0])
    model.init_pose.copy_(torch.from_numpy(mean[:, :, :2].reshape(1, 144)))
    return model
