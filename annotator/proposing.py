"""What a worker does with photos on which to propose, wherever it runs: read, find people, predict, make a shard."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from annotator.predict import PhotoResult, Studio
from annotator.project import Prediction
from annotator.project.state import Person, Photo
from annotator.quality import inside_mm
from annotator.shards import Shard, ShardRow
from cliff_core.body import load_body
from cliff_core.evaluation.scores import posed, posed_vertices
from cliff_core.execution.streams import torch_threads
from cliff_core.geometry.camera import project as project_points
from cliff_core.geometry.crop import crop_frame
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Camera, Estimate, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import SMPL24
from cliff_core.training.guard import expected_error_mm

_LABELS = (Provenance.HUMAN, Provenance.IMPORTED)
_ENOUGH_POINTS = 6  # with fewer of a person's own, a detector reads the others too


@dataclass(frozen=True, slots=True)
class Task:
    """A photo, and the people on it whom the project knows.

    Attributes:
        photo: of the project.
        file: where it lies.
        people: `None`: look for people.
    """

    photo: Photo
    file: Path
    people: tuple[Person, ...] | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some handfuls of photos that become one shard.

    Attributes:
        name: of the shard: what it follows from.
        handfuls: photos that are predicted together.
    """

    name: str
    handfuls: tuple[tuple[Task, ...], ...]

    @property
    def tasks(self) -> list[Task]:
        """All photos."""
        return list(chain.from_iterable(self.handfuls))


_Result = tuple[tuple[int, int] | None, PhotoResult]
"""Width and height of a photo as it was read, `None` if it was refused, and what became of it."""


class Piecework:
    """Makes shards of pieces; several threads may share one.

    Args:
        predictor: of the model and the body.
        uid: of the job, from which that of new people follows.
        version: of the model, as `propose.version_of` says it.
        threads: cores that one detection may use.
    """

    def __init__(self, predictor: Predictor, uid: str, version: str, threads: int):
        self._predictor, self._uid = predictor, uid
        told = {"kind": "model", "name": predictor.model.name}
        self._notes = {"run": {**told, "settings": {"proposes": version, "body": predictor.body.name}}}
        self._files: dict[str, Path] = {}
        self._given: dict[str, list[PhotoPerson]] = {}
        self._cameras: dict[str, Camera] = {}
        self._studio = Studio(self._files, predictor, people=self._given, cameras=self._cameras, threads=threads)

    def shard(self, piece: Piece, should_stop: Callable[[], bool] = lambda: False) -> Shard | None:
        """The shard of a piece; `None` if it was to stop before all of it was done."""
        results: list[_Result] = []
        for handful in piece.handfuls:
            if should_stop():
                return None
            for task in handful:
                self._files[task.photo.name] = task.file
                if task.people is not None:
                    self._given[task.photo.name] = _given(task)
                if task.photo.known_camera is not None:
                    self._cameras[task.photo.name] = task.photo.known_camera
            for name, rgb, result in self._studio.bodies([task.photo.name for task in handful]):
                results.append((None if rgb is None else (rgb.shape[1], rgb.shape[0]), result))
                for known in (self._files, self._given, self._cameras):
                    known.pop(name, None)
        return _shard(piece.tasks, results, self._uid, self._notes, self._predictor)


class RemotePiecework:
    """The same in a process of its own, one core to it.

    Args:
        files: "model" and "body"; `None`: the bundled ones.
        uid, version: as of `Piecework`.
    """

    def __init__(self, files: Mapping[str, str | None], uid: str, version: str):
        predictor = Predictor(load_cliff(files["model"]), load_body(files["body"]))
        self._work = Piecework(predictor, uid, version, threads=1)

    def __call__(self, piece: Piece) -> tuple[Piece, Shard | None]:
        """The piece and its shard."""
        with torch_threads(1):
            return piece, self._work.shard(piece)


def _given(task: Task) -> list[PhotoPerson]:
    """The people of a photo whom the project knows, with the points that people and files say of them."""
    photo = task.photo
    return [
        PhotoPerson(photo.name, photo.size_px, person.box, labels_of(person), photo.known_camera)
        for person in task.people or ()
        if person.box is not None
    ]


def labels_of(person: Person) -> Keypoints | None:
    """A person's 2D points where enough of them are somebody's labels."""
    points = person.main_keypoints
    if points is None:
        return None
    marked = np.asarray(points.visibility) > 0
    labels = sum(source in _LABELS for source, seen in zip(points.source, marked, strict=True) if seen)
    return points if labels >= _ENOUGH_POINTS else None


def _shard(
    tasks: Sequence[Task],
    results: Sequence[_Result],
    uid: str,
    notes: Mapping[str, Any],
    predictor: Predictor,
) -> Shard:
    rows: list[ShardRow] = []
    nobody: list[int] = []
    refused: dict[int, str] = {}
    cameras: dict[int, Camera] = {}
    for task, (size_px, result) in zip(tasks, results, strict=True):
        photo = task.photo
        if size_px is None:
            refused[photo.id] = result.refusal
            continue
        if size_px != photo.size_px:
            refused[photo.id] = f"{photo.name}: is another picture now; `relink` finds the one that it was"
            continue
        if (
            photo.known_camera is None
            and result.estimates
            and (camera := result.estimates[0].camera) != Camera.guess(size_px)
        ):
            cameras[photo.id] = camera
        if task.people is None:
            if not result.estimates:
                nobody.append(photo.id)
            for number, estimate in enumerate(result.estimates):
                named = hashlib.sha256(f"{uid}/{photo.uid}/{number}".encode()).hexdigest()[:32]
                prediction = Prediction.of_estimate(estimate)
                rows.append(ShardRow(photo.id, (prediction,), None, named, *_measures(predictor, estimate)))
            continue
        known = [person for person in task.people if person.box is not None]
        for person, estimate in zip(known, result.estimates, strict=True):
            prediction = replace(Prediction.of_estimate(estimate), box=None)  # the box was given
            rows.append(ShardRow(photo.id, (prediction,), person.id, None, *_measures(predictor, estimate)))
    return Shard(tuple(rows), tuple(nobody), refused, notes, cameras)


def _measures(predictor: Predictor, estimate: Estimate) -> tuple[float, float]:
    """How much somebody should be looked at, and how deep their body is inside itself, mm."""
    return _suspicion(predictor, estimate), inside_mm(predictor.body, estimate.params)


def _suspicion(predictor: Predictor, estimate: Estimate) -> float:
    """The error to expect of a body, mm, from how far it lies off its points and how many they are."""
    points, body = estimate.keypoints, predictor.body
    if points is None:
        return float(expected_error_mm(np.array([np.nan]), np.zeros(1))[0])
    if points.joint_set == SMPL24.name:
        joints, known = posed(body, estimate.params).joints, np.ones(len(SMPL24), dtype=bool)
    else:
        joints = body.keypoints(posed_vertices(body, estimate.params), points.joint_set)
        known = body.keypoint_regressor(points.joint_set)[1]
    camera = estimate.camera
    focal = np.array([camera.focal_length_px])
    projected = project_points(np.nan_to_num(joints)[None], focal, camera.centre_px[None])[0]
    weight = np.where((np.asarray(points.visibility) > 0) & known, points.confidence, 0.0)
    _, height = crop_frame(estimate.box.xyxy[None], predictor.model.crop_spec)
    error = np.clip(np.linalg.norm(projected - points.points_px, axis=1) / (height[0] / 2), 0, 1)
    fitted = np.average(error, weights=weight) if weight.sum() > 0 else np.nan
    return float(expected_error_mm(np.array([fitted]), np.array([weight.sum()]))[0])
