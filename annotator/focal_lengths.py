"""Estimate the focal lengths of photos whose cameras nobody knows, from the people on them.

The job writes one shard of cameras. Taken in, a photo stands under its estimate; bodies are shown where they were seen,
and are predicted under it from then on. What a person or a file says of a camera stays, and so does CLIFF's guess where
people say no more than what is usual. Killed, it goes on after the last camera that it had time to note.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from annotator.predict import usual_workers
from annotator.project import Project
from annotator.project.fields import source_of
from annotator.project.state import Photo
from annotator.refine_cast import CACHE, CACHE_BYTES, gather_cast
from annotator.runs import SHARD, WORK, JobError, News, RunFolder
from annotator.shards import Shard, shard_key, write_shard
from cliff_core.body import load_body
from cliff_core.errors import ImageError
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.execution.processes import Processes
from cliff_core.execution.rows import Workspace
from cliff_core.execution.streams import available_cores, torch_threads
from cliff_core.fitting.polish_some import skeleton_of
from cliff_core.images import known_camera
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Camera, Provenance
from cliff_core.training.crew import FEATURES
from cliff_core.training.focal import USUAL_SPREAD, FocalEstimate, estimate_focals

_LISTED = 100


def focal_work(project: Project, run: RunFolder, news: News) -> dict[str, Any]:
    """The job "focal".

    Settings: `one_camera` (photos of one folder and size were taken by one camera), `model` and `body` (files).

    Raises:
        JobError: nobody on photos of unknown cameras has points.
    """
    settings = run.request().settings
    predictor = Predictor(load_cliff(settings.get("model")), load_body(settings.get("body")))
    workers, work = usual_workers(), run.path / WORK
    work.mkdir(exist_ok=True)
    with ArrayCache(run.path.parent / CACHE, CACHE_BYTES) as cache:
        threads = max(1, available_cores() // workers)
        cast = gather_cast(
            project, predictor, cache, work / FEATURES, detected_trust=1.0, workers=workers, threads=threads, news=news
        )
    photos, told = _photos_by_camera(project, sorted(set(cast.photo_ids)), bool(settings.get("one_camera")))
    people: dict[int, list[int]] = {}
    for row, photo_id in enumerate(cast.photo_ids):
        people.setdefault(photo_id, []).append(row)
    found: list[FocalEstimate | None] = []
    if cast.known is not None and not news.should_stop:
        rows = [[row for photo in some for row in people[photo.id]] for some in photos]
        weight = cast.known.weight
        model, body, crops = predictor.model, predictor.body, cast.known.crops
        # a few people at a time: one thread here, and fitting in processes
        with torch_threads(1), Processes(workers, partial(skeleton_of, settings.get("body"))) as helpers:
            done = Workspace(work, token=cast.known.token)
            found = estimate_focals(model, body, crops, weight, rows, news, lambda: news.should_stop, helpers, done)
            news.check()
    if cast.known is not None:
        cast.known.crops.features.close()
    known = [(some, each) for some, each in zip(photos, found, strict=False) if each is not None]
    if not known and not told and not news.should_stop:
        raise JobError(f"{project.folder}: no people with points on photos of unknown cameras; propose or mark points")
    taken = [(some, each) for some, each in known if each.spread < USUAL_SPREAD]
    cameras = told | {
        photo.id: replace(photo.camera or Camera.guess(photo.size_px), focal_length_px=each.focal_length_px)
        for some, each in taken
        for photo in some
    }
    _write(run, news, cameras, predictor.model.name, settings)
    shutil.rmtree(work, ignore_errors=True)
    return {
        "photos": len(cameras),
        "told": len(told),
        "people": sum(each.people for _, each in taken),
        "cameras": [_described(some, each) for some, each in known[:_LISTED]],
        "count": len(known),
        "spread": float(np.median([each.spread for _, each in taken])) if taken else None,
        "complete": not news.should_stop,
    }


def _photos_by_camera(
    project: Project, photo_ids: list[int], one_camera: bool
) -> tuple[list[list[Photo]], dict[int, Camera]]:
    """Photos whose camera nobody knows, those of one camera together; and the cameras that photos themselves tell.

    What a person or a file set counts as known.
    """
    found: dict[Any, list[Photo]] = {}
    told: dict[int, Camera] = {}
    for number in photo_ids:
        photo = project.photo(number)
        if source_of(photo.own.get("camera")) in (Provenance.HUMAN, Provenance.IMPORTED):
            continue
        with suppress(ImageError):  # a photo that is gone says nothing; its people still do
            if camera := known_camera(project.photo_file(number).resolve()):
                if camera != photo.camera:  # propose may have taken it over already
                    told[number] = camera
                continue
        key = (photo.name.rpartition("/")[0], photo.size_px) if one_camera else photo.id
        found.setdefault(key, []).append(photo)
    return list(found.values()), told


def _write(run: RunFolder, news: News, cameras: Mapping[int, Camera], model: str, settings: Mapping[str, Any]) -> None:
    content = [[photo, camera.focal_length_px] for photo, camera in cameras.items()]
    told = {"kind": "model", "name": f"{model}, focal length", "settings": dict(settings)}
    write_shard(run.shards / f"cameras-{shard_key(content)}.npz", Shard(notes={"run": told}, cameras=cameras))
    news.tell(SHARD, shards=1)


def _described(photos: list[Photo], estimate: FocalEstimate) -> dict[str, Any]:
    """One camera, plain JSON."""
    first = photos[0]
    return {
        "name": first.name
        if len(photos) == 1
        else f"{Path(first.name).parent} ({first.size_px[0]} x {first.size_px[1]})",
        "photos": len(photos),
        "people": estimate.people,
        "focal_length_px": round(estimate.focal_length_px, 1),
        "spread": round(estimate.spread, 3),
        "taken": estimate.spread < USUAL_SPREAD,
        "guess_px": round(Camera.guess(first.size_px).focal_length_px, 1),
    }
