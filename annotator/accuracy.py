"""`main.py bench accuracy`: what the loop is worth on people whose 2D points and 3D are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotator.refine import refine_people
from cliff_core.body import load_body
from cliff_core.evaluation.real_photos import RealPerson, read_real_photos
from cliff_core.evaluation.scores import joint_scores, point_scores
from cliff_core.models import load_cliff
from cliff_core.records import Estimate
from cliff_core.training.finetune import FinetuneSettings


@dataclass(frozen=True, slots=True)
class SetAccuracy:
    """Means over the people of one data set: from the photo alone, with detected points, after the loop.

    Attributes:
        data_set, people: which, and how many.
        pck05, pck10: PCK of projected COCO-17 joints against the 2D points (which the loop is tuned on), %.
        pa_mpjpe_mm, mpjpe_mm: over the twelve limb joints, mid-hip as root, camera frame; `None` without 3D joints.
    """

    data_set: str
    people: int
    pck05: tuple[float, ...]
    pck10: tuple[float, ...]
    pa_mpjpe_mm: tuple[float, ...] | None
    mpjpe_mm: tuple[float, ...] | None


def measure_real_photos(folder: Path, seed: int, progress: Callable[[int, int, str], None]) -> list[SetAccuracy]:
    """Run the loop over an index of real photos, all people in one batch, and score every data set.

    Args:
        folder: with `index.json` (`evaluation.real_photos`).
        seed: of the fine-tuning.
        progress: told (done, total, what).

    Raises:
        FormatError: no such index.
    """
    real = read_real_photos(folder)
    known = {(each.person.image_name, each.person.annotation_id): each for each in real}
    people = [each.person for each in real]
    refined = refine_people(load_cliff(), load_body(), folder, people, FinetuneSettings(seed=seed), progress)
    rows = [known[person.image_name, person.annotation_id] for person in refined.people]
    sets = sorted({row.data_set for row in rows})
    return [
        _score(
            name,
            [i for i, row in enumerate(rows) if row.data_set == name],
            rows,
            (refined.seen, refined.prior, refined.refined),
        )
        for name in sets
    ]


def _score(
    name: str, members: list[int], rows: Sequence[RealPerson], rounds: tuple[Sequence[Estimate], ...]
) -> SetAccuracy:
    body = load_body()
    points = [rows[i].person.keypoints for i in members]
    measured = [(i, joints) for i in members if (joints := rows[i].joints) is not None]

    def pck(threshold):
        return tuple(
            100 * float(np.nanmean(point_scores(body, [these[i] for i in members], points, threshold)))
            for these in rounds
        )

    errors = None
    if measured:
        joints = np.stack([each for _, each in measured])
        errors = [joint_scores(body, [these[i] for i, _ in measured], joints) for these in rounds]

    def mean(key):
        return None if errors is None else tuple(float(each[key].mean()) for each in errors)

    return SetAccuracy(name, len(members), pck(0.05), pck(0.1), mean("pa_mpjpe"), mean("mpjpe"))
