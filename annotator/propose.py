"""Step 2 of the loop on a project: people, their 2D points and CLIFF's bodies for what has none yet.

Photos go through the same studio as those of `predict`, a handful at a time, both cores at work and memory flat. Each
handful becomes a shard as soon as it is done. A shard is named by what it follows from (model, photos, boxes, points,
cameras), so a job that is resumed skips what is there and computes the rest exactly as it would have.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from annotator.predict import HANDFUL, HANDFUL_PIXELS, usual_workers
from annotator.project import Project
from annotator.project.filesystem import write_whole
from annotator.project.state import Photo
from annotator.proposing import Piece, Piecework, RemotePiecework, Task, labels_of
from annotator.runs import SHARD, News, RunFolder
from annotator.shards import Shard, shard_key, write_shard
from cliff_core.body import load_body
from cliff_core.execution.engines import Engine
from cliff_core.execution.streams import available_cores, in_handfuls, map_in_order, torch_threads
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Keypoints, Provenance
from cliff_core.resources import resource_path

_PLAN = "plan.json"
_SHARDS = 1000  # of a job, about
_AHEAD = 16  # handfuls that may be done while a large photo before them is still at work
_LABELS = (Provenance.HUMAN, Provenance.IMPORTED)
_ENOUGH_POINTS = 6  # with fewer of a person's own, a detector reads the others too


_Planned = Sequence[Any]
"""Number of a photo, and of the people on it whom the project knows; `None`: look for people."""


def propose_work(project: Project, run: RunFolder, news: News) -> dict[str, Any]:
    """The job "propose": people, points and bodies where there are none.

    Settings: `all` (also photos that no hand has touched and another model predicted), `photos` (numbers; only these,
    also those that this model has seen), `model` and `body` (files), `engine` ("local" or "ray"), `workers`.
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


def _tasks(project: Project, planned: Sequence[_Planned]) -> Iterator[Task]:
    """What was planned, read from the project as it is asked for."""
    for photo_id, people in planned:
        known = None if people is None else tuple(project.person(number) for number in people)
        yield Task(project.photo(photo_id), project.photo_file(photo_id), known)


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
    settings = run.request().settings
    uid = str(run.description()["uid"])
    threads = max(1, available_cores() // workers)
    finished = {path.stem for path in run.finished_shards()}
    totals = {"photos": len(planned), "people": 0, "nobody": 0, "refused": 0}
    done, shards = 0, len(finished)

    def missing() -> Iterator[Piece]:
        nonlocal done
        for piece in pieces_of(project, planned, version, workers):
            if piece.name in finished:
                done += len(piece.tasks)
            else:
                yield piece

    def local() -> Generator[tuple[Piece, Shard | None], None, None]:
        piecework = Piecework(predictor, uid, version, threads)

        def work(piece: Piece) -> tuple[Piece, Shard | None]:
            return piece, piecework.shard(piece, lambda: news.should_stop)

        with torch_threads(threads), closing(map_in_order(work, missing(), workers, _AHEAD)) as results:
            yield from results

    def elsewhere() -> Generator[tuple[Piece, Shard | None], None, None]:
        from cliff_core.execution.ray_engine import map_with_ray

        files = {name: settings.get(name) for name in ("model", "body")}
        yield from map_with_ray(RemotePiecework, (files, uid, version), missing(), int(settings.get("workers") or 0))

    with closing(elsewhere() if settings.get("engine") == Engine.RAY else local()) as results:
        for piece, shard in results:
            if shard is not None:
                done += len(piece.tasks)
                write_shard(run.shards / f"{piece.name}.npz", shard)
                shards += 1
                news.tell(SHARD, shards=shards)
                totals["people"] += len(shard.rows)
                totals["nobody"] += len(shard.nobody)
                totals["refused"] += len(shard.refused)
            news(done, len(planned), "looking for people and predicting bodies")
            if news.should_stop:
                break
    return {**totals, "done": done, "complete": done == len(planned), "model": predictor.model.name, "version": version}


def pieces_of(project: Project, planned: Sequence[_Planned], version: str, workers: int) -> Iterator[Piece]:
    """Photos that become a shard together, the same ones whenever the job is resumed.

    The first photo for each worker goes alone, since somebody waits for its bodies; handfuls follow, which are
    quicker by the photo. A large project does not become a hundred thousand files.

    Args:
        project: open.
        planned: numbers of photos, and of their people.
        version: of the model.
        workers: how many share the work.
    """
    tasks = _tasks(project, planned)
    alone = ([[task]] for task in islice(tasks, workers))
    most = min(HANDFUL, max(1, len(planned) // (workers * 4)))
    handfuls = in_handfuls(tasks, most, HANDFUL_PIXELS, lambda task: math.prod(task.photo.size_px))
    together = in_handfuls(handfuls, 1 + len(planned) // most // _SHARDS, math.inf, lambda _: 1.0)
    for number, some in enumerate(chain(alone, together)):
        facts = [_facts(task) for handful in some for task in handful]
        yield Piece(f"{number:06}-{shard_key(version, facts)}", tuple(tuple(handful) for handful in some))


def _facts(task: Task) -> list:
    """What the results of a photo follow from, beside the model; plain JSON."""
    people = None
    if task.people is not None:
        people = [
            [person.uid, list(person.box.xyxy) if person.box else None, _points_key(labels_of(person))]
            for person in task.people
        ]
    camera = task.photo.camera
    return [task.photo.uid, people, None if camera is None else [camera.focal_length_px, *camera.centre_px]]


def _points_key(keypoints: Keypoints | None) -> str:
    if keypoints is None:
        return ""
    numbers = np.column_stack([keypoints.points_px, keypoints.visibility, keypoints.confidence])
    return hashlib.sha256(keypoints.joint_set.encode() + numbers.tobytes()).hexdigest()[:16]
