"""The loop of the CLIFF paper as one use case: predict, tune on the 2D points, predict again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from cliff_core.body import Body
from cliff_core.body.torch_body import TorchBody
from cliff_core.detection import KeypointDetector
from cliff_core.images import read_image
from cliff_core.inference import Crops, Predictor
from cliff_core.records import Estimate, PhotoPerson
from cliff_core.training.finetune import Finetuned, FinetuneSettings, finetune

if TYPE_CHECKING:
    from torch import nn

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Refined:
    """Bodies before and after fine-tuning.

    Attributes:
        people: who was predicted, photo by photo.
        seen: from the photo alone, as CLIFF predicts.
        prior: from the photo and a detector's points; the same as `seen` for models that take no points.
        refined: from the photo and the people's own points, after tuning on them.
        tuning: the tuned model and its curves.
    """

    people: tuple[PhotoPerson, ...]
    seen: tuple[Estimate, ...]
    prior: tuple[Estimate, ...]
    refined: tuple[Estimate, ...]
    tuning: Finetuned


def refine_people(
    model: nn.Module,
    body: Body,
    folder: Path,
    people: Sequence[PhotoPerson],
    settings: FinetuneSettings,
    progress: Progress,
) -> Refined:
    """Run the loop once over people whose 2D points are known.

    Args:
        model: from `load_cliff`; stays as it is.
        body: the body the model predicts.
        folder: where the people's photos are.
        people: boxes, 2D points, cameras; those of one photo are read together.
        settings: of the fine-tuning.
        progress: told (done, total, what).

    Raises:
        ImageError: a photo that cannot be read.
        TrainingError: nobody has enough 2D points.
    """
    predictor = Predictor(model, body)
    people = tuple(sorted(people, key=lambda person: person.image_name))
    crops = _crop_people(predictor, folder, people, progress)
    seen = predictor.estimates(crops.with_keypoints([None] * len(people)))
    prior = predictor.estimates(crops)
    marked = crops.with_keypoints([person.keypoints for person in people])
    weight = crops.with_keypoints([person.keypoints for person in people], placed_error=0).points[..., 2]
    tuning = finetune(model, TorchBody(body), marked, settings, progress, weight=weight)
    refined = Predictor(tuning.model, body).estimates(marked)
    return Refined(people, tuple(seen), tuple(prior), tuple(refined), tuning)


def _crop_people(predictor: Predictor, folder: Path, people: Sequence[PhotoPerson], progress: Progress) -> Crops:
    """Features and detected points of all people, one photo in memory at a time."""
    detector = KeypointDetector()
    parts, done = [], 0
    for name, group in groupby(people, key=lambda person: person.image_name):
        members = list(group)
        rgb = read_image(folder / name)
        boxes = [person.box for person in members]
        parts.append(predictor.crops(rgb, boxes, detector.detect(rgb, boxes), members[0].camera))
        done += len(members)
        progress(done, len(people), "predicting bodies")
    return Crops.join(parts)
