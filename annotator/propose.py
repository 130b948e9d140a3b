"""Step 2 of the loop on a project: people, their 2D points and CLIFF's bodies for what has none yet.

Photos go through the same studio as those of `predict`, a handful at a time, both cores at work and memory flat. Each
handful becomes a shard as soon as it is done. A shard is named by what it follows from (model, photos, boxes, points,
cameras), so a job that is resumed skips what is there and computes the rest exactly as it would have.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from annotator.predict import HANDFUL, HANDFUL_PIXELS, PhotoResult, Studio, usual_workers
from annotator.project import Prediction, Project
from annotator.project.filesystem import write_whole
from annotator.project.state import Person, Photo
from annotator.runs import SHARD, News, RunFolder
from annotator.shards import Shard, ShardRow, shard_key, write_shard
from cliff_core.body import load_body
from cliff_core.evaluation.scores import posed, posed_vertices
from cliff_core.execution.streams import available_cores, in_handfuls, map_in_order, torch_threads
from cliff_core.geometry.camera import project as project_points
from cliff_core.geometry.crop import crop_frame
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Camera, Estimate, Keypoints, PhotoPerson, Provenance
from cliff_core.resources import resource_path
from cliff_core.skeletons import SMPL24
from cliff_core.training.guard import expected_error_mm

_PLAN = "plan.json"
_SHARDS = 1000  # of a job, about
_AHEAD = 16  # handfuls that may be done while a large photo before them is still at work
_LABELS = (Provenance.HUMAN, Provenance.IMPORTED)
_ENOUGH_POINTS = 6  # with fewer of a person's own, a detector reads the others too


@dataclass(frozen=True, slots=True)
class _Task:
    """A photo, and the people on it whom the project knows; `None`: look for people."""

    photo: Photo
    people: tuple[Person, ...] | None


_Planned = Sequence[Any]
"""Number of a photo, and of the people on it whom the project knows; `None`: look for people."""

_Result = tuple[tuple[int, int] | None, PhotoResult]
"""Width and height of a photo as it was read, `None` if it was refused, and what became of it."""


def propose_work(project: Project, run: RunFolder, news: News) -> dict[str, Any]:
    """The job "propose": people, points and bodies where there are none.

    Settings: `all` (also photos that no hand has touched and another model predicted), `photos` (numbers; only these,
    also those that this model has seen), `model` and `body` (files), `workers`.
    """
    settings = run.request().settings
    predictor = _predictor(settings)
    version = version_of(predictor, settings.get("model"))
    path = run.path / _PLAN
    if not path.exists():
        write_whole(path, json.dumps(_plan(project, settings, version)).encode("utf-8"))
    # A job that is taken up again finds its own people in the project; what it set out to do stays the same.
    plan = json.loads(path.read_text(encoding="utf-8"))
    return _predict(project, run, news, plan["photos"], predictor, version, plan["workers"])


def boxes_work(project: Project, run: RunFolder, news: News) -> dict[str, Any]:
    """The job "boxes": points and bodies anew for people whose box a person drew.

    Settings: `people` (numbers), `model` and `body` (files).
    """
    settings = run.request().settings
    predictor = _predictor(settings)
    by_photo: dict[int, list[int]] = {}
    for number in settings["people"]:
        person = project.person(int(number))
        if person.is_present and person.box is not None:
            by_photo.setdefault(person.photo_id, []).append(person.id)
    version = version_of(predictor, settings.get("model"))
    return _predict(project, run, news, list(by_photo.items()), predictor, version, usual_workers())


def propose_boxes(predictor: Predictor, file: Path, people: Sequence[PhotoPerson]) -> list[Estimate]:
    """Points and bodies for boxes on one photo, without a project.

    Args:
        predictor: of the model and the body.
        file: the photo.
        people: one or more boxes on it, with the photo's size, and its camera if known; people without 2D points get
            detected ones.

    Returns:
        One estimate for each, with its points.

    Raises:
        CliffError: the photo cannot be read, or is not of the size that the boxes are for.
    """
    people = [replace(person, image_name=file.name) for person in people]
    studio = Studio({file.name: file}, predictor, people={file.name: people}, threads=available_cores())
    ((_, _, result),) = studio.bodies([file.name], strict=True)
    return list(result.estimates)


def version_of(predictor: Predictor, checkpoint: str | Path | None) -> str:
    """A short name for everything that predictions follow from beside the photo: model, detectors, body."""
    files = [Path(checkpoint) if checkpoint else resource_path("open_cliff", "open_cliff.pt")]
    files += sorted(resource_path("detectors").glob("*.onnx"))
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return shard_key(predictor.model.name, predictor.body.name, digests)


def seen_photos(project: Project, version: str) -> set[int]:
    """Numbers of the photos that this version has proposed on, in steps that are not undone."""
    seen: set[int] = set()
    rows = project.database.rows(
        "SELECT step.id, run.id, run.settings FROM step JOIN run ON run.id = run_id WHERE step.done AND run.kind = ?",
        [Provenance.MODEL.value],
    )
    for step_id, run_id, _ in rows:
        if project.predictions.run(run_id).settings.get("proposes") != version:
            continue
        found = project.database.rows("SELECT DISTINCT photo_id FROM prediction WHERE run_id = ?", [run_id])
        seen.update(photo_id for (photo_id,) in found)
        for detail in project.journal.details_of(step_id):
            seen.update(detail.get("nobody", ()))
    return seen


def _predictor(settings: Mapping[str, Any]) -> Predictor:
    return Predictor(load_cliff(settings.get("model")), load_body(settings.get("body")))


def _plan(project: Project, settings: Mapping[str, Any], version: str) -> dict[str, Any]:
    """What to do, by numbers: photos on which to look for people, and people to predict; plain JSON."""
    only = settings.get("photos")
    everything = bool(settings.get("all")) or only is not None
    seen = set() if only is not None else seen_photos(project, version)
    todo: list[list] = []
    for photo in project.photos("NOT excluded"):
        if only is not None and photo.id not in only:
            continue
        if not photo.people:
            if photo.id not in seen and not photo.is_empty and (everything or not _was_cleared(project, photo)):
                todo.append([photo.id, None])
            continue
        people = [person for person in project.people_on(photo.id) if person.box is not None]
        untouched = not (photo.edited or photo.done or photo.accepted or photo.rejected)
        if not (everything and untouched and photo.id not in seen):
            people = [person for person in people if person.body is None]
        if people:
            todo.append([photo.id, [person.id for person in people]])
    return {"workers": int(settings.get("workers") or usual_workers()), "photos": todo}


def _was_cleared(project: Project, photo: Photo) -> bool:
    """Whether a hand took somebody away; of a step that was undone nothing is left of a person."""
    return any(person.own for person in project.people_on(photo.id, removed=True))


def _tasks(project: Project, planned: Sequence[_Planned]) -> Iterator[_Task]:
    """What was planned, read from the project as it is asked for."""
    for photo_id, people in planned:
        known = None if people is None else tuple(project.person(number) for number in people)
        yield _Task(project.photo(photo_id), known)


def _predict(
    project: Project,
    run: RunFolder,
    news: News,
    planned: Sequence[_Planned],
    predictor: Predictor,
    version: str,
    workers: int,
) -> dict[str, Any]:
    """All that was planned into shards; those that are there are skipped."""
    uid = str(run.description()["uid"])
    threads = max(1, available_cores() // workers)
    files: dict[str, Path] = {}
    given: dict[str, list[PhotoPerson]] = {}
    cameras: dict[str, Camera] = {}
    studio = Studio(files, predictor, people=given, cameras=cameras, threads=threads)
    told = {"kind": "model", "name": predictor.model.name}
    notes = {"run": {**told, "settings": {"proposes": version, "body": predictor.body.name}}}
    finished = {path.stem for path in run.finished_shards()}
    totals = {"photos": len(planned), "people": 0, "nobody": 0, "refused": 0}

    def work(numbered: tuple[int, list[list[_Task]]]) -> tuple[int, Shard | None]:
        number, handfuls = numbered
        together = list(chain.from_iterable(handfuls))
        shard_name = f"{number:06}-{shard_key(version, [_facts(task) for task in together])}"
        if shard_name in finished:
            return len(together), None
        results: list[_Result] = []
        for handful in handfuls:
            if news.should_stop:
                return 0, None
            for task in handful:
                files[task.photo.name] = project.photo_file(task.photo.id)
                if task.people is not None:
                    given[task.photo.name] = _given(task)
                if task.photo.camera is not None:
                    cameras[task.photo.name] = task.photo.camera
            for name, rgb, result in studio.bodies([task.photo.name for task in handful]):
                results.append((None if rgb is None else (rgb.shape[1], rgb.shape[0]), result))
                for known in (files, given, cameras):
                    known.pop(name, None)
        shard = _shard(together, results, uid, notes, predictor)
        write_shard(run.shards / f"{shard_name}.npz", shard)
        return len(together), shard

    done, shards = 0, len(finished)
    # people see the first ones at once; a large project does not become a hundred thousand files
    most = min(HANDFUL, max(1, len(planned) // (workers * 4)))
    handfuls = in_handfuls(_tasks(project, planned), most, HANDFUL_PIXELS, lambda task: math.prod(task.photo.size_px))
    pieces = enumerate(in_handfuls(handfuls, 1 + len(planned) // most // _SHARDS, math.inf, lambda _: 1.0))
    with torch_threads(threads), closing(map_in_order(work, pieces, workers, _AHEAD)) as results:
        for count, shard in results:
            done += count
            if shard is not None:
                shards += 1
                news.tell(SHARD, shards=shards)
                totals["people"] += len(shard.rows)
                totals["nobody"] += len(shard.nobody)
                totals["refused"] += len(shard.refused)
            news(done, len(planned), "looking for people and predicting bodies")
    return {**totals, "done": done, "complete": done == len(planned), "model": predictor.model.name, "version": version}


def _facts(task: _Task) -> list:
    """What the results of a photo follow from, beside the model; plain JSON."""
    people = None
    if task.people is not None:
        people = [
            [person.uid, list(person.box.xyxy) if person.box else None, _points_key(_labels(person))]
            for person in task.people
        ]
    camera = task.photo.camera
    return [task.photo.uid, people, None if camera is None else [camera.focal_length_px, *camera.centre_px]]


def _points_key(keypoints: Keypoints | None) -> str:
    if keypoints is None:
        return ""
    numbers = np.column_stack([keypoints.points_px, keypoints.visibility, keypoints.confidence])
    return hashlib.sha256(keypoints.joint_set.encode() + numbers.tobytes()).hexdigest()[:16]


def _given(task: _Task) -> list[PhotoPerson]:
    """The people of a photo whom the project knows, with the points that people and files say of them."""
    photo = task.photo
    return [
        PhotoPerson(photo.name, photo.size_px, person.box, _labels(person), photo.camera)
        for person in task.people or ()
        if person.box is not None
    ]


def _labels(person: Person) -> Keypoints | None:
    """A person's 2D points where enough of them are somebody's labels."""
    points = person.main_keypoints
    if points is None:
        return None
    marked = np.asarray(points.visibility) > 0
    labels = sum(source in _LABELS for source, seen in zip(points.source, marked, strict=True) if seen)
    return points if labels >= _ENOUGH_POINTS else None


def _shard(
    tasks: Sequence[_Task],
    results: Sequence[_Result],
    uid: str,
    notes: Mapping[str, Any],
    predictor: Predictor,
) -> Shard:
    rows: list[ShardRow] = []
    nobody: list[int] = []
    refused: dict[int, str] = {}
    for task, (size_px, result) in zip(tasks, results, strict=True):
        photo = task.photo
        if size_px is None:
            refused[photo.id] = result.refusal
            continue
        if size_px != photo.size_px:
            refused[photo.id] = f"{photo.name}: is another picture now; `relink` finds the one that it was"
            continue
        if task.people is None:
            if not result.estimates:
                nobody.append(photo.id)
            for number, estimate in enumerate(result.estimates):
                named = hashlib.sha256(f"{uid}/{photo.uid}/{number}".encode()).hexdigest()[:32]
                prediction = Prediction.of_estimate(estimate)
                rows.append(ShardRow(photo.id, (prediction,), uid=named, suspicion=_suspicion(predictor, estimate)))
            continue
        known = [person for person in task.people if person.box is not None]
        for person, estimate in zip(known, result.estimates, strict=True):
            prediction = replace(Prediction.of_estimate(estimate), box=None)  # the box was given
            rows.append(ShardRow(photo.id, (prediction,), person.id, suspicion=_suspicion(predictor, estimate)))
    return Shard(tuple(rows), tuple(nobody), refused, notes)


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
