"""A job's finished shards into the project: one revertible step, which grows while the job goes on.

Called by whoever has the project open for writing, as often as they like. Which shards the project has is written in
its journal together with what came from them, so nothing is ever taken twice, and nothing is lost where a crash came
between. A shard is taken in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from annotator.jobs import DONE, Job
from annotator.project import Project
from annotator.project.bulk import Batch
from annotator.project.journal import Step
from annotator.project.predictions import Run
from annotator.runs import JOURNAL, JobError
from annotator.shards import BODILESS, Shard, ShardRow, read_shard
from annotator.worklist import INSIDE, SUSPICION
from cliff_core.detection.overlaps import pairwise_iou
from cliff_core.records import Provenance

_LABELS = {
    "propose": "Propose",
    "refine": "Refine",
    "focal": "Estimate focal lengths",
    "boxes": "Predict boxes",
    "import": "Import",
}
_SAME_PERSON_IOU = 0.6


@dataclass(frozen=True, slots=True)
class Applied:
    """What one call took into the project.

    Attributes:
        step: what takes all of the job back; `None` if nothing of it is in the project.
        shards: how many were new.
        added, changed: people who are new, and people who are taken from the job's predictions now.
        kept: people who stayed as they were: done, accepted or removed, or standing where a new one would.
        protected: of the changed ones, those of whom a person had set something, which stayed.
        photos: numbers of the photos that look different now.
        refused: one line for each photo that was left out, and why.
    """

    step: int | None
    shards: int = 0
    added: int = 0
    changed: int = 0
    kept: int = 0
    protected: int = 0
    photos: frozenset[int] = frozenset()
    refused: tuple[str, ...] = ()

    def __add__(self, later: Applied) -> Applied:
        """Both together."""
        return Applied(
            later.step if later.step is not None else self.step,
            self.shards + later.shards,
            self.added + later.added,
            self.changed + later.changed,
            self.kept + later.kept,
            self.protected + later.protected,
            self.photos | later.photos,
            self.refused + later.refused,
        )


@dataclass(slots=True)
class _Counts:
    skipped: int = 0
    photos: set[int] = field(default_factory=set)
    measures: dict[str, dict[int, float]] = field(default_factory=lambda: {SUSPICION: {}, INSIDE: {}})
    newcomers: dict[str, ShardRow] = field(default_factory=dict)

    def measure(self, person_id: int, row: ShardRow) -> None:
        """Note what was measured of somebody."""
        for name, value in ((SUSPICION, row.suspicion), (INSIDE, row.inside_mm)):
            if value is not None:
                self.measures[name][person_id] = value


def apply_job(project: Project, job: Job, *, only_new: bool = True, only_bodiless: bool = False) -> Applied:
    """Take in what a job has finished so far.

    What a person set stays, to the digit; whoever is done, accepted or removed stays as they are. Where a person has
    undone the job's step, nothing more of it is taken in.

    Args:
        project: open for writing.
        job: of this project.
        only_new: `False` also brings back a step that was undone.
        only_bodiless: take in only what is of people who had no body when the job began: they have none to keep.

    Raises:
        JobError: a shard that cannot be read.
        ProjectError: the project cannot be written; what was taken in before is kept.
    """
    applied = Applied(None)
    if job.run.wants() == "cancel":
        return applied
    uid = str(job.run.description()["uid"])
    step = project.journal.step_of_run(uid)
    if step is not None:
        applied = replace(applied, step=step.id)
        if not step.is_done:
            if only_new:
                return applied
            edited = project.reapply(step.id)
            applied = replace(applied, photos=edited.photos)
    known = shards_in(project, step)
    for path in job.run.finished_shards():
        if path.stem not in known:
            shard = read_shard(path)
            if only_bodiless and not shard.notes.get(BODILESS):
                continue
            applied += _take(project, job, uid, path.stem, shard, applied.step)
    return applied


def is_left(project: Project, job: Job) -> bool:
    """Whether a job is done and not all of it taken in, as after a shell that was killed meanwhile; not one undone."""
    if job.state != DONE:
        return False
    step = project.journal.step_of_run(str(job.run.description()["uid"]))
    if step is not None and not step.is_done:
        return False
    known = shards_in(project, step)
    return any(path.stem not in known for path in job.run.finished_shards())


def is_current(project: Project, job: Job) -> bool:
    """Whether a job that is done would say the same again: nothing but itself has changed the project since it began
    to read, and the files that it was given are as they were."""
    description = job.run.description()
    step = project.journal.step_of_run(str(description["uid"]))
    own, read_to = -1 if step is None else step.id, job.result.get(JOURNAL)
    # measures are what jobs say themselves
    sql = "SELECT 1 FROM edit WHERE seq > ? AND coalesce(step_id, -2) <> ? AND command <> 'Measure' LIMIT 1"
    if read_to is None or project.database.value(sql, [read_to, own]) is not None:
        return False
    begun = datetime.fromisoformat(str(description["started"])).timestamp()
    try:
        return all(
            Path(job.settings[name]).stat().st_mtime < begun for name in ("model", "body") if name in job.settings
        )
    except OSError:
        return False


def discard_job(project: Project, job: Job) -> frozenset[int]:
    """Clear a job away with everything that was taken in of it; returns the photos that look different now.

    Raises:
        JobError: it is still at work.
        ProjectError: the project cannot be written.
    """
    if not job.has_ended:
        raise JobError(f"{job.id}: is still at work; cancel it first")
    step = project.journal.step_of_run(str(job.run.description()["uid"]))
    photos = project.revert(step.id).photos if step is not None and step.is_done else frozenset()
    job.run.remove()
    return photos


def shards_in(project: Project, step: Step | None) -> set[str]:
    """Names of the shards that a step has taken in."""
    return set() if step is None else {detail.get("shard", "") for detail in project.journal.details_of(step.id)}


def run_of(job: Job, uid: str, notes: Mapping[str, Any]) -> Run:
    """The run under whose name a job's predictions are stored."""
    told = notes["run"]
    created = str(job.run.description()["created"])
    return Run(0, uid, Provenance(told["kind"]), told["name"], created, {**told["settings"], "job": job.id})


def _take(project: Project, job: Job, uid: str, name: str, shard: Shard, extend: int | None) -> Applied:
    run = run_of(job, uid, shard.notes)
    label = str(shard.notes.get("label") or _LABELS.get(job.kind, job.kind))
    notes = {"shard": name, **({"nobody": list(shard.nobody)} if shard.nobody else {})}
    counts = _Counts()
    with project.batch(label, run, command=job.kind.capitalize(), notes=notes, extend=extend) as batch:
        for row in shard.rows:
            _take_row(project, batch, row, counts, is_file=job.kind == "import")
        for photo_id, camera in shard.cameras.items():
            batch.set_camera(photo_id, camera)
        batch.commit(always=True)
    report = batch.report
    for new, row in counts.newcomers.items():
        person = project.database.value("SELECT id FROM person WHERE uid = ?", [new])
        if person is not None:
            counts.measure(person, row)
    for name, values in counts.measures.items():
        if values:
            project.set_measures(name, values)
    refused = tuple(shard.refused[photo] for photo in sorted(shard.refused))
    return Applied(
        report.step_id,
        1,
        report.added,
        report.changed,
        report.kept + counts.skipped,
        report.protected,
        frozenset(counts.photos | shard.cameras.keys()),
        refused,
    )


def _take_row(project: Project, batch: Batch, row: ShardRow, counts: _Counts, *, is_file: bool) -> None:
    if row.person_id is not None:
        if project.database.value("SELECT 1 FROM person WHERE id = ?", [row.person_id]) is None:
            counts.skipped += 1  # the project was brought back from before they were there
            return
        counts.measure(row.person_id, row)
        if not row.predictions:  # what they have is better
            counts.skipped += 1
            return
        batch.apply(row.person_id, *row.predictions)
    elif _is_free(project, row, is_file=is_file):
        batch.add_person(row.photo_id, *row.predictions, uid=row.uid)
        if row.uid is not None:
            counts.newcomers[row.uid] = row
    else:
        counts.skipped += 1
        return
    counts.photos.add(row.photo_id)


def _is_free(project: Project, row: ShardRow, *, is_file: bool) -> bool:
    """Whether a new person may be put where a job has found one: nobody came or was taken away there meanwhile.

    Whom a file adds has been compared with the people there already, and labels count more than a mark that says
    nobody.
    """
    if row.uid is not None and project.person_of_uid(row.uid) is not None:
        return False
    if is_file:
        return True
    photo = project.photo(row.photo_id)
    if photo.is_empty or photo.is_excluded:
        return False
    box = next((prediction.box for prediction in row.predictions if prediction.box is not None), None)
    theirs = [person.box.xyxy for person in project.people_on(row.photo_id) if person.box is not None]
    if box is None or not theirs:
        return True
    return float(pairwise_iou(box.xyxy[None], np.array(theirs)).max()) < _SAME_PERSON_IOU
