"""CLIFF's two ideas taken away one at a time: what the box as input and the full-frame 2D loss are each worth.

Four regressors with the same weights at the start, the same people in the same order and equally many steps, several
times with other seeds. They differ in two things only:

- *input*: whether the regressor sees where the crop lies in the full frame (`bbox_info`) or zeros;
- *2D loss*: whether the body is projected with the camera of the full frame or with the crop's own, which is weak
  perspective, as in HMR.

SMPL and 3D labels are in the full camera frame for all of them, as in the paper's training. As there, most people have
2D keypoints only (data sets of photos), the others SMPL labels too (data sets from the laboratory): where everybody has
exact 3D labels, no 2D loss has anything left to teach. The regressor is the open CLIFF's, on cached trunk features,
with one iteration: it costs a half of three, and the two ideas do not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cliff_core.errors import TrainingError
from cliff_core.execution.tensor_files import save_tensors
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.models.open_cliff import OpenCliff, OpenCliffConfig, Regressed, published_trunk
from cliff_core.skeletons import COCO17
from cliff_core.synthetic.shards import RenderSettings, render_shards
from cliff_core.training.ablation_scores import Outcome, read_outcome, score, write_outcome
from cliff_core.training.labels import Labels
from cliff_core.training.losses import LossWeights, positive_scale_loss, pretraining_loss, reprojection_loss
from cliff_core.training.renders import Encoded, open_renders

_SHARD_SIZE = 500
_WARM_UP = 0.06
_PROGRESS_EVERY = 25
_BOX_GAIN = (6.0, 6.0, 1.0)  # three numbers among thousands: as small as they are, a short training would miss them
_KEPT = ("from_image.", "feature_", "init_pose")  # all that differs between the models of an ablation


@dataclass(frozen=True, slots=True)
class Variant:
    """CLIFF with or without its two ideas.

    Attributes:
        key: short name, part of file names.
        name: for people.
        sees_box: `bbox_info` is an input.
        full_frame_loss: the 2D loss is taken in the full frame.
    """

    key: str
    name: str
    sees_box: bool
    full_frame_loss: bool

    def see(self, model: OpenCliff, features: Tensor, bbox_info: Tensor) -> list[Regressed]:
        """Bodies after each iteration, projected with the camera that this variant's 2D loss is taken in.

        Args:
            model: whose first regressor is asked.
            features: (B, 3768) of the trunk.
            bbox_info: (B, 3).
        """
        box = bbox_info * bbox_info.new_tensor(_BOX_GAIN) if self.sees_box else torch.zeros_like(bbox_info)
        steps = model.see(features, box)
        return [replace(step, projected=self._project(step, bbox_info)) for step in steps]

    def _project(self, body: Regressed, bbox_info: Tensor) -> Tensor:
        if self.full_frame_loss:
            return project_to_crop(body.points, body.cam_crop, bbox_info)
        return body.cam_crop[:, None, :1] * (body.points[..., :2] + body.cam_crop[:, None, 1:])


HMR = Variant("hmr", "HMR (weak perspective)", False, False)
NO_BOX = Variant("no-box", "CLIFF without box input", False, True)
NO_FULL_FRAME = Variant("no-full-frame", "CLIFF without full-frame loss", True, False)
CLIFF = Variant("cliff", "CLIFF", True, True)
VARIANTS = (HMR, NO_BOX, NO_FULL_FRAME, CLIFF)


@dataclass(frozen=True, slots=True)
class AblationSettings:
    """An ablation.

    Attributes:
        out: run folder: renders, weights and a result for every variant and seed.
        people: rendered people to train on.
        heldout_people: rendered people to measure on.
        steps: optimiser steps of each variant.
        batch: people per step.
        iterations: of the regressor.
        seeds: each gives every variant other initial weights, batches and people without 3D labels.
        points_only_share: people who are supervised by their 2D keypoints alone.
        learning_rate: peak of the one-cycle schedule.
        workers: rendering processes.
        poses: npz of poses; the bundled clips by default.
        backgrounds: folder of photos without people; procedural scenes only by default.
    """

    out: Path
    people: int = 20_000
    heldout_people: int = 2_000
    steps: int = 2_000
    batch: int = 192
    iterations: int = 1
    seeds: tuple[int, ...] = (0, 1, 2)
    points_only_share: float = 0.7
    learning_rate: float = 1e-3
    workers: int = 2
    poses: Path | None = None
    backgrounds: Path | None = None

    def described(self) -> dict[str, str]:
        """What a result depends on besides variant and seed."""
        return {name: str(value) for name, value in asdict(self).items() if name not in ("out", "workers", "seeds")}

    def result_path(self, variant: Variant, seed: int) -> Path:
        """Where the scores of a finished training lie."""
        return self.out / f"{variant.key}-seed{seed}.json"

    def weights_path(self, variant: Variant, seed: int) -> Path:
        """Where its weights lie."""
        return self.out / f"{variant.key}-seed{seed}.pt"


def run(settings: AblationSettings, progress: Callable[[int, int, str], None]) -> list[Outcome]:
    """Train and measure every variant with every seed; what is finished in the folder is not done again.

    Args:
        settings: what to do.
        progress: told (done, total, what).

    Raises:
        TrainingError: the folder holds results of other settings, nobody to learn from, or the training diverged.
    """
    if not 0 <= settings.points_only_share < 1:
        raise TrainingError(
            f"a share of {settings.points_only_share:g} without 3D labels leaves none; give less than 1"
        )
    settings.out.mkdir(parents=True, exist_ok=True)
    people: tuple[Encoded, Encoded] | None = None
    outcomes = []
    for seed, variant in product(settings.seeds, VARIANTS):
        path = settings.result_path(variant, seed)
        if not path.exists():
            people = people or _people(settings, progress)
            model = train(settings, variant, seed, people[0], progress)
            _save_weights(model, settings.weights_path(variant, seed))
            measured = score(model, variant.see, people[1])
            write_outcome(Outcome(variant.key, seed, measured), settings.described(), path)
        outcomes.append(read_outcome(path, settings.described()))
    return outcomes


def train(
    settings: AblationSettings,
    variant: Variant,
    seed: int,
    people: Encoded,
    progress: Callable[[int, int, str], None],
) -> OpenCliff:
    """Train one variant; every random choice follows from the seed and is the same for all variants.

    Raises:
        TrainingError: the training diverged.
    """
    model = _fresh_model(settings, seed, people)
    parameters = list(model.from_image.parameters())
    optimiser = torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps + 1, pct_start=_WARM_UP
    )
    order = np.random.default_rng([seed, 0]).permutation(len(people.features))
    labelled_count = max(1, round((1 - settings.points_only_share) * len(order)))
    groups = order[:labelled_count], order[labelled_count:]
    for step in range(settings.steps):
        rng = np.random.default_rng([seed, 1, step])
        labelled, points_only = _draw(rng, groups, settings)
        rows = np.concatenate([labelled, points_only])
        torch.manual_seed(int(rng.integers(2**62)))  # dropout
        labels = people.labels.rows(rows)
        with torch.autocast("cpu", torch.bfloat16):
            bodies = variant.see(model, people.tensor(rows), labels.bbox_info)
        loss = _loss(bodies, labels, len(labelled))
        if not torch.isfinite(loss):
            raise TrainingError(
                f"{variant.name}: the loss is no number any more at step {step}; lower the learning rate"
            )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 2.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % _PROGRESS_EVERY == 0 or step + 1 == settings.steps:
            progress(step + 1, settings.steps, f"seed {seed}, {variant.name}")
    return model.eval()


def load_model(settings: AblationSettings, variant: Variant, seed: int) -> OpenCliff:
    """A trained variant of a finished run, without a trunk's weights: it sees features, not pixels.

    Raises:
        TrainingError: it is not there.
    """
    path = settings.weights_path(variant, seed)
    if not path.exists():
        raise TrainingError(f"{path}: these weights of the ablation are missing; remove its .json to train it again")
    model = _model(settings)
    state = torch.load(path, weights_only=True)
    model.load_state_dict({key: value.float() for key, value in state.items()}, strict=False)
    return model.eval()


def _people(settings: AblationSettings, progress) -> tuple[Encoded, Encoded]:
    """Training and held-out people; rendered if they are not there."""
    shard = min(_SHARD_SIZE, settings.people, settings.heldout_people)
    training = RenderSettings(settings.poses, settings.backgrounds, shard_size=shard)
    model = OpenCliff()
    model.trunk = published_trunk()
    sets = []
    for heldout, count in ((False, settings.people), (True, settings.heldout_people)):
        paths = render_shards(settings.out, replace(training, heldout=heldout), count, settings.workers, progress)
        renders = open_renders(paths, 1, False, model.body, settings.workers, progress)
        sets.append(Encoded.of(model, renders))
    return sets[0], sets[1]


def _model(settings: AblationSettings) -> OpenCliff:
    return OpenCliff(OpenCliffConfig(image_iterations=settings.iterations), "ablation")


def _fresh_model(settings: AblationSettings, seed: int, people: Encoded) -> OpenCliff:
    torch.manual_seed(seed)
    model = _model(settings)
    model.feature_mean.copy_(torch.from_numpy(people.features.mean(0, dtype=np.float64)))
    model.feature_std.copy_(torch.from_numpy(people.features.std(0, dtype=np.float64) + 1e-3))
    # The mean of rotations is the rotation nearest to their average; people's facing has no mean: start with the front.
    left, _, right = torch.linalg.svd(people.labels.rotmat.double().mean(0))
    mean = left @ right
    mean[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    model.init_pose.copy_(mean[:, :, :2].reshape(1, 144))
    return model.train()


def _draw(rng, groups, settings: AblationSettings) -> tuple[np.ndarray, np.ndarray]:
    """People of one step: those with 3D labels and those without, in their share."""
    points_only = round(settings.points_only_share * settings.batch)
    counts = settings.batch - points_only, points_only
    return tuple(
        rng.choice(group, min(count, len(group)), replace=False) for group, count in zip(groups, counts, strict=True)
    )


def _loss(bodies: list[Regressed], labels: Labels, labelled: int) -> Tensor:
    """Mean over people: all losses for the first ones, that of the 2D keypoints for the others."""
    weights, people = LossWeights(), len(labels.betas)
    some = slice(labelled)
    total = pretraining_loss([_rows(body, some) for body in bodies], labels.rows(some), weights)["total"]
    if labelled == people:
        return total
    others = slice(labelled, None)
    lacking = _points_only_loss([_rows(body, others) for body in bodies], labels.rows(others), weights)
    return (labelled * total + (people - labelled) * lacking) / people


def _points_only_loss(bodies: list[Regressed], labels: Labels, weights: LossWeights) -> Tensor:
    """Reprojection of the COCO-17 points within the photo, and shape pulled to the mean: what photos can teach."""
    total, importance = labels.betas.new_zeros(()), 0.0
    count = len(COCO17)
    for number, body in enumerate(bodies, start=1):
        share = 0.5 ** (len(bodies) - number)
        reprojection = reprojection_loss(
            body.projected[:, :count], labels.projected[:, :count], labels.inside[:, :count].float()
        )
        total = total + share * (
            weights.reprojection * reprojection.mean()
            + weights.betas * body.betas.square().mean()
            + positive_scale_loss(body.cam_crop)
        )
        importance += share
    return total / importance


def _rows(body: Regressed, rows: slice) -> Regressed:
    state = type(body.state)(body.state.pose_6d[rows], body.state.betas[rows], body.state.cam_crop[rows])
    return Regressed(state, body.rotmat[rows], body.points[rows], body.projected[rows], body.rotations[rows])


def _save_weights(model: OpenCliff, path: Path) -> None:
    state = {key: value.half() for key, value in model.state_dict().items() if key.startswith(_KEPT)}
    save_tensors(state, path)
