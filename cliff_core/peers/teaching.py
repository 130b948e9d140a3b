"""Do the labels teach? A small CLIFF trained from scratch on what each method says of people, measured on the truth.

The CLIFF paper's indirect test (its table 4): a pseudo ground truth is as good as the network that learns from it
alone. The network is CLIFF's half of the open one, narrow, on features of the bundled trunk; it learns pose, shape and
place from the labels, with the losses of pretraining, and sees the image alone, as for people whom nobody has marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from cliff_core.body import Body
from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.camera import crop_camera
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import Crops, Predictor
from cliff_core.models.open_cliff import OpenCliff, OpenCliffConfig
from cliff_core.peers.bodies import CropBodies
from cliff_core.peers.comparison import BASE, Crowd, Errors, Figure, errors_of, look_at
from cliff_core.peers.contest import (
    IMAGE,
    KITRO,
    KITRO_POINTS,
    POINTS,
    POLISHED,
    POLISHED_GUARDED,
    REFINED,
    SMPLIFY,
    SMPLIFY_POINTS,
    Contest,
)
from cliff_core.peers.people import Subjects, observe
from cliff_core.records import Estimate
from cliff_core.training.labels import Labels
from cliff_core.training.losses import LossWeights, pretraining_loss

TRUTH = "the true bodies"
TEACHERS = (IMAGE, POINTS, SMPLIFY, SMPLIFY_POINTS, KITRO, KITRO_POINTS, REFINED, POLISHED, POLISHED_GUARDED)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class TeachingSettings:
    """How to teach.

    Attributes:
        pupils_people: people to learn from.
        test_people: others to be measured on.
        crowd_seed: of the people; those measured on come from the next one.
        width, steps, batch, learning_rate: of the network and its training.
    """

    pupils_people: int = 240
    test_people: int = 120
    crowd_seed: int = 7000
    width: int = 256
    steps: int = 300
    batch: int = 64
    learning_rate: float = 1e-3


def teach(
    predictor: Predictor, settings: TeachingSettings, seeds: Sequence[int], progress: Progress
) -> dict[str, dict[str, Figure]]:
    """What is learnt from every teacher: measure -> figure over seeds of training.

    Args:
        predictor: of the bundled model, whose labels are the first ones and whose trunk sees for the pupils.
        settings: how.
        seeds: of the training; labels are those of the first one.
        progress: told (done, total, what).
    """
    taught, tested = (
        look_at(predictor, Crowd(seed, count), progress)
        for seed, count in (
            (settings.crowd_seed, settings.pupils_people),
            (settings.crowd_seed + 1, settings.test_people),
        )
    )
    labels = labels_of(predictor, taught, seeds[0], progress)
    found: dict[str, dict[str, Figure]] = {}
    for done, (teacher, bodies) in enumerate(labels.items(), 1):
        by_seed = [_learnt(predictor, taught, bodies, tested, settings, seed) for seed in seeds]
        found[teacher] = {
            name: Figure.of([each[name] for each in by_seed]) for name in ("mpjpe", "pa_mpjpe", "pve", "mpjae")
        }
        progress(done, len(labels), "learning from labels")
    return found


def labels_of(
    predictor: Predictor, people: Subjects, seed: int, progress: Progress, teachers: Sequence[str] = TEACHERS
) -> Mapping[str, CropBodies]:
    """What teachers say of people in the base case, and the truth."""
    crops, points = observe(predictor, people, BASE, seed)
    contest = Contest(predictor.model, predictor.body, crops, points, seed, 0)
    labels = {}
    for done, teacher in enumerate(teachers, 1):
        labels[teacher] = CropBodies.of(contest.run(teacher).estimates)
        progress(done, len(teachers), "labelling people")
    labels[TRUTH] = _true_bodies(people)
    return labels


def _true_bodies(people: Subjects) -> CropBodies:
    """The truth as labels: its poses and places, and its betas as if the neutral body had them."""
    crops = people.crops
    estimates = []
    for row, truth in enumerate(people.truth):
        camera = crops.cameras[row]
        cam = crop_camera(
            truth.transl[None],
            crops.centre_px[row : row + 1],
            crops.box_height_px[row : row + 1],
            [camera.focal_length_px],
            [camera.image_size_px],
            [camera.centre_px],
        )[0]
        estimates.append(Estimate(crops.boxes[row], truth, camera, cam, None, TRUTH))
    return CropBodies.of(estimates)


def _learnt(
    predictor: Predictor,
    taught: Subjects,
    bodies: CropBodies,
    tested: Subjects,
    settings: TeachingSettings,
    seed: int,
) -> Errors:
    """Errors of a pupil on people whom it has not seen."""
    pupil = train_pupil(predictor, taught.crops, bodies, settings, seed)
    crops = replace(tested.crops, points=torch.zeros_like(tested.crops.points))
    return errors_of(Predictor(pupil, predictor.body).estimates(crops), tested, crops, crops.points)


def train_pupil(
    predictor: Predictor, crops: Crops, bodies: CropBodies, settings: TeachingSettings, seed: int
) -> OpenCliff:
    """A network that has learnt from nothing but these bodies; people who are no bodies are left out."""
    torch.manual_seed(seed)
    pupil = OpenCliff(OpenCliffConfig(image_width=settings.width, points_width=8, blocks=1), "pupil")
    mean, spread = crops.features.mean(0), crops.features.std(0).clamp(min=1e-3)
    pupil.feature_mean.copy_(mean)
    pupil.feature_std.copy_(spread)
    pupil.init_pose.copy_(predictor.model.state_dict()["init_pose"])
    labels = as_labels(predictor.body, crops, bodies)
    finite = torch.stack([torch.isfinite(each).flatten(1).all(1) for each in (labels.points, labels.projected)]).all(0)
    usable = finite & (bodies.cam_crop[:, 0] > 0)
    rows = usable.nonzero()[:, 0]
    parameters = list(pupil.from_image.parameters())
    optimiser = torch.optim.AdamW(parameters, settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps)
    random = torch.Generator().manual_seed(seed)
    pupil.train()
    for _ in range(settings.steps):
        some = rows[torch.randint(len(rows), (settings.batch,), generator=random)]
        steps = pupil.see(crops.features[some], crops.bbox_info[some])
        loss = pretraining_loss(steps, _rows(labels, some), LossWeights())["total"]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 2.0)
        optimiser.step()
        schedule.step()
    return pupil.eval()


@torch.no_grad()
def as_labels(body: Body, crops: Crops, bodies: CropBodies) -> Labels:
    """Bodies as something to learn from."""
    points = TorchBody(body)(bodies.rotmat, bodies.betas).points()
    projected = project_to_crop(points, bodies.cam_crop, crops.bbox_info)
    inside = torch.ones(points.shape[:2], dtype=torch.bool)
    return Labels(bodies.rotmat, bodies.betas, points, projected, inside, crops.bbox_info)


def _rows(labels: Labels, rows: torch.Tensor) -> Labels:
    return Labels(*(getattr(labels, name)[rows] for name in Labels.__slots__))
