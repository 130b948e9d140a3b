"""What a shell does with jobs: start one or take an unfinished one up, take its results in, say what happened."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.apply import Applied, apply_job
from annotator.console import Progress
from annotator.jobs import FAILED, QUEUED, RUNNING, STOPPING, Job, JobRequest, Jobs
from annotator.project import Project
from annotator.project_files import for_writing
from annotator.runs import CANCELLED, JobError

_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, slots=True)
class ProposeReport:
    """What became of the photos.

    Attributes:
        project: its folder.
        run: the folder of the job.
        photos: how many were looked at.
        added: new people.
        predicted: people who were there and have a new body.
        kept: people left as they are: done, accepted or removed meanwhile.
        nobody: photos without people.
        refused: one line for each photo that was left out, and why.
        model: which CLIFF.
        seconds: wall time of the job.
        step: what takes all of it back; `None` if there was nothing to do.
    """

    project: Path
    run: Path
    photos: int
    added: int
    predicted: int
    kept: int
    nobody: int
    refused: list[str]
    model: str
    seconds: float
    step: int | None

    def __str__(self) -> str:
        """Counts, then what was left out."""
        if not self.photos:
            return f"{self.project}: nothing to propose; everybody has a body"
        lines = [
            f"{self.added} people found and {self.predicted} bodies for known people on {self.photos} photos "
            f"in {self.seconds:.1f} s ({self.model})"
        ]
        lines += [f"nobody on {self.nobody} photos"] if self.nobody else []
        lines += [f"{self.kept} people stayed as they are"] if self.kept else []
        lines += [f"left out: {line}" for line in self.refused]
        return "\n".join(lines)


def propose_on(
    folder: Path, *, everything: bool, model: Path | None, body: Path | None, progress: Progress
) -> ProposeReport:
    """People, points and bodies for photos that have none.

    Raises:
        ProjectError: the project cannot be written.
        JobError: the job failed; its results so far are in the project, and the next call goes on.
    """
    settings = {"all": everything, **_files(model=model, body=body)}
    with for_writing(folder) as project:
        job, applied = run_here(project, JobRequest("propose", settings), progress)
        said = job.result
    return ProposeReport(
        folder,
        job.folder,
        int(said.get("done", 0)),
        applied.added,
        applied.changed,
        applied.kept,
        int(said.get("nobody", 0)),
        list(applied.refused),
        str(said.get("model", "")),
        float(said.get("seconds", 0.0)),
        applied.step,
    )


def run_here(
    project: Project, request: JobRequest, progress: Progress, *, in_portions: bool = True
) -> tuple[Job, Applied]:
    """Run a job to its end and take its results in; an unfinished one with the same settings is taken up.

    Interrupted, it asks the job to stop, and takes in what that has.

    Args:
        project: open for writing.
        request: the job.
        progress: told what the job tells.
        in_portions: take shards in as they come, and not only at the end.

    Raises:
        JobError: it failed or was cancelled.
    """
    jobs = Jobs(project.folder)
    job = _unfinished(jobs, request) or jobs.start(request)
    applied = Applied(None)
    try:
        while not _has_ended(jobs, job):
            if in_portions and job.shards:
                applied += apply_job(project, job)
            progress(job.done, job.total, job.text)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        job.stop()
        while not _has_ended(jobs, job):
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        apply_job(project, job)
        raise
    if in_portions or job.state != FAILED:
        applied += apply_job(project, job)
    if job.state in (FAILED, CANCELLED):
        raise JobError(f"{job.id}: {job.text or job.state} (log: {job.run.log}); run the command again to go on")
    return job, applied


def _has_ended(jobs: Jobs, job: Job) -> bool:
    jobs.poll()
    return job.has_ended


def _unfinished(jobs: Jobs, request: JobRequest) -> Job | None:
    """A job that does the same and is at work, waits, or died."""
    for job in reversed(jobs.list()):
        if job.kind != request.kind or dict(job.settings) != dict(request.settings):
            continue
        if job.state in (QUEUED, RUNNING, STOPPING):
            return job
        if job.state == FAILED:
            job.resume()
            return job
        return None
    return None


def _files(**paths: Path | None) -> Mapping[str, Any]:
    """Settings of files that were given, so that another process finds them."""
    return {name: str(path.resolve()) for name, path in paths.items() if path is not None}
