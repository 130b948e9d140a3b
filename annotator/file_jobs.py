"""Files in and out as jobs: the reading, matching and writing that takes long, beside the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotator.project import Project
from annotator.project.exporting import export_project, needed_bodies
from annotator.project.importing import Found, ImportPlan
from annotator.runs import SHARD, News, RunFolder
from annotator.shards import Shard, ShardRow, shard_key, write_shard
from cliff_core.body import load_body
from cliff_core.execution.streams import in_handfuls

_PEOPLE_PER_SHARD = 500


def export_work(project: Project, run: RunFolder, news: News) -> dict[str, Any]:
    """The job "export": settings `format`, `out`, and optionally `only`, `body`, `frame`, as of the command."""
    settings = run.request().settings
    format_name, body = str(settings["format"]), settings.get("body")
    report = export_project(
        project,
        project.folder,
        format_name,
        Path(settings["out"]),
        only=str(settings.get("only") or "all"),
        body=needed_bodies(format_name, None if body is None else Path(body)),
        frame=settings.get("frame"),
        progress=news,
    )
    return {"complete": True, "report": str(report), "out": str(report.out), "people": report.people}


def import_work(project: Project, run: RunFolder, news: News) -> dict[str, Any]:
    """The job "import": settings `file`, and optionally `format`, `photos`, `body`, as of the command."""
    settings = run.request().settings
    photos, body = settings.get("photos"), settings.get("body")
    plan = ImportPlan(
        project,
        Path(settings["file"]),
        format_name=settings.get("format"),
        photos=None if photos is None else Path(photos),
        body=None if body is None else load_body(body),
    )
    total = plan.check(news)
    uid = str(run.description()["uid"])
    told = {"kind": plan.run.kind.value, "name": plan.run.name, "settings": plan.settings}
    notes = {"run": told, "label": plan.label}
    finished = {path.stem for path in run.finished_shards()}
    people = known = 0
    portions = in_handfuls(plan.people(total, news), _PEOPLE_PER_SHARD, float("inf"), lambda _: 1.0)
    for number, portion in enumerate(portions):
        name = f"{number:06}-{shard_key(plan.settings)}"
        people += len(portion)
        known += sum(found.person_id is not None for found in portion)
        if name not in finished:
            write_shard(run.shards / f"{name}.npz", _shard(portion, f"{uid}/{number}", notes))
        news.tell(SHARD, shards=number + 1)
    report = plan.report(people - known, known, 0, None)
    return {"complete": True, "report": str(report), "people": people}


def _shard(portion: Sequence[Found], uid: str, notes: dict[str, Any]) -> Shard:
    rows = tuple(
        ShardRow(found.photo_id, found.predictions, found.person_id, shard_key(uid, row) + shard_key(row, uid))
        for row, found in enumerate(portion)
    )
    cameras = {found.photo_id: found.camera for found in portion if found.camera is not None}
    return Shard(rows, notes=notes, cameras=cameras)
