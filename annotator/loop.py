"""What a shell does with jobs: start one or take an unfinished one up, take its results in, say what happened."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.apply import Applied, apply_job, is_current, is_left
from annotator.console import Progress, left_out
from annotator.jobs import FAILED, PAUSED, Job, JobRequest, Jobs
from annotator.project import Project
from annotator.project_files import for_writing
from annotator.runs import CANCELLED, JobError
from cliff_core.execution.engines import Engine

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

    @property
    def saw_nothing(self) -> bool:
        """Whether there were photos to look at, and none could be read."""
        return 0 < self.photos <= len(self.refused)

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
        lines += left_out(self.refused)
        if self.saw_nothing:
            lines.append("no photo could be read: `relink` finds photos that have moved")
        return "\n".join(lines)


def propose_on(
    folder: Path,
    *,
    everything: bool,
    model: Path | None,
    body: Path | None,
    engine: Engine,
    workers: int | None,
    progress: Progress,
) -> ProposeReport:
    """People, points and bodies for photos that have none.

    Raises:
        ProjectError: the project cannot be written.
        JobError: the job failed; its results so far are in the project, and the next call goes on.
    """
    settings = {"all": everything, **_files(model=model, body=body), **_where(engine, workers)}
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


@dataclass(frozen=True, slots=True)
class RefineReport:
    """What a refinement changed.

    Attributes:
        project: its folder.
        run: the folder of the job, with weights, curves, summary and report.
        report: the HTML file.
        people: who were predicted again, and of them `supervising`: who taught.
        changed: who have a new body now.
        kept: who stay as they are: the guard kept the body they had, or they are done, accepted or removed.
        protected: of the changed ones, those of whom a person had set something, which stayed.
        withheld_before, withheld_after: error of withheld points, % of half a crop; `None` if nothing was withheld.
        better: whether it is worth applying (`refine_result.is_worth_applying`).
        applied: whether it was applied to everybody; people who had no body get one anyway.
        seconds: wall time of the job.
        step: what takes all of it back; `None` if nothing was applied.
        refused: one line for each who was left out, and why.
    """

    project: Path
    run: Path
    report: Path
    people: int
    supervising: int
    changed: int
    kept: int
    protected: int
    withheld_before: float | None
    withheld_after: float | None
    better: bool
    applied: bool
    seconds: float
    step: int | None
    refused: list[str]

    def __str__(self) -> str:
        """Counts, the guard's word, where to look."""
        lines = [f"{self.people} people predicted again in {self.seconds:.1f} s; {self.supervising} supervised"]
        if self.withheld_before is not None and self.withheld_after is not None:
            change = f"{self.withheld_before:.2f} -> {self.withheld_after:.2f} % of half a crop"
            lines.append(f"error of withheld points: {change}")
        if not self.supervising:
            lines.append("nobody has points that a person placed: correct some people, then refine again")
        elif not self.applied:
            lines += [f"{self.changed} people who had no body have one now"] if self.changed else []
            to_whom = " to the others" if self.changed else ""
            lines.append(f"not applied{to_whom}: the points do not say that it is better; --always applies it anyway")
        else:
            lines.append(f"{self.changed} bodies changed, {self.kept} stayed; {self.protected} with edits, all kept")
        lines += left_out(self.refused)
        return "\n".join([*lines, f"report: {self.report}"])


def refine_on(
    folder: Path,
    *,
    rounds: int,
    seed: int,
    polish: bool,
    model: Path | None,
    body: Path | None,
    out: Path | None,
    always: bool,
    engine: Engine,
    workers: int | None,
    progress: Progress,
) -> RefineReport:
    """Fine-tune on the project's people and predict them again; applied where `refine_result.is_worth_applying`.

    People who have no body yet get one anyway: there is nothing of theirs that would be better.

    Raises:
        ProjectError: the project cannot be written.
        JobError: the job failed.
    """
    settings = {"rounds": rounds, "seed": seed, "polish": polish, **_files(model=model, body=body)}
    settings |= _where(engine, workers)
    with for_writing(folder) as project:
        job, said = run_job_here(project, JobRequest("refine", settings), progress)
        applies = always or said.get("better", False) or not said.get("rounds")  # without a round only suspicion is new
        applied = apply_job(project, job, only_bodiless=not applies) if said.get("people") else Applied(None)
        applies = bool(said.get("people")) and (applies or not is_left(project, job))
    if out is not None and "report" in said:
        out.mkdir(parents=True, exist_ok=True)
        for name in ("report.html", "summary.json", "weights.pt"):
            if (job.folder / name).is_file():
                shutil.copyfile(job.folder / name, out / name)

    def percent(value: float | None) -> float | None:
        return None if value is None else 100 * value

    return RefineReport(
        folder,
        job.folder,
        job.folder / "report.html" if out is None else out / "report.html",
        int(said.get("people", 0)),
        int(said.get("supervising", 0)),
        applied.changed,
        int(said.get("people", 0)) - applied.changed,
        applied.protected,
        percent(said.get("withheld_before")),
        percent(said.get("withheld_after")),
        bool(said.get("better")),
        applies,
        float(said.get("seconds", 0.0)),
        applied.step,
        list(said.get("refused", ())),
    )


@dataclass(frozen=True, slots=True)
class FocalReport:
    """What people say of the cameras that took them.

    Attributes:
        project: its folder.
        photos: whose focal length is another one now; of them `told`: whose EXIF says it and nobody had asked.
        count: cameras: one for each photo, or for each folder and size.
        cameras: the first of them, with `focal_length_px`, `spread` (of its logarithm), `guess_px`, `people`, and
            whether it is `taken`: where people say no more than what is usual, the guess is kept.
        seconds: wall time of the job.
        step: what takes all of it back; `None` if there was nothing to take in.
    """

    project: Path
    photos: int
    told: int
    count: int
    cameras: list[dict[str, Any]]
    seconds: float
    step: int | None

    def __str__(self) -> str:
        """One line for each camera."""
        lines = [
            f"{self.count} cameras estimated in {self.seconds:.1f} s; {self.photos} photos have a new focal length"
        ]
        lines += [f"{self.told} photos tell it themselves"] if self.told else []
        lines += [
            f"{each['name']}: {each['focal_length_px']:,.0f} px, {each['spread']:.0%} more or less, "
            f"from {each['people']} people (guess: {each['guess_px']:,.0f} px{'' if each['taken'] else ', kept'})"
            for each in self.cameras
        ]
        lines += [f"and {self.count - len(self.cameras)} more cameras"] if self.count > len(self.cameras) else []
        if self.photos:
            lines.append("bodies stay where they are seen; refine predicts them under the new cameras")
        return "\n".join(lines)


def estimate_focals_on(
    folder: Path, *, one_camera: bool, model: Path | None, body: Path | None, progress: Progress
) -> FocalReport:
    """Estimate the focal lengths that neither a person nor a file knows.

    Raises:
        ProjectError: the project cannot be written.
        JobError: the job failed, or nobody on such photos has points.
    """
    settings = {"one_camera": one_camera, **_files(model=model, body=body)}
    with for_writing(folder) as project:
        job, applied = run_here(project, JobRequest("focal", settings), progress)
    said = job.result
    return FocalReport(
        folder,
        int(said["photos"]),
        int(said["told"]),
        int(said["count"]),
        list(said["cameras"]),
        float(said["seconds"]),
        applied.step,
    )


def run_job_here(project: Project, request: JobRequest, progress: Progress) -> tuple[Job, Mapping[str, Any]]:
    """Run a job to its end without taking anything in; returns it and what it says of itself.

    Raises:
        JobError: it failed or was cancelled.
    """
    job, _ = run_here(project, request, progress, applies=False)
    return job, job.result


def run_here(project: Project, request: JobRequest, progress: Progress, *, applies: bool = True) -> tuple[Job, Applied]:
    """Run a job to its end and take its results in; one with the same settings that is not over, or of which
    something is left to take in while the project is still what it saw, is taken up.

    Interrupted, it asks the job to stop, and takes in what that has.

    Args:
        project: open for writing.
        request: the job.
        progress: told what the job tells.
        applies: take shards in as they come.

    Raises:
        JobError: it failed or was cancelled.
    """
    jobs = Jobs(project.folder)
    applied, job = Applied(None), _latest(jobs, request)
    if job is not None and job.state in (FAILED, PAUSED):
        job.resume()
    elif job is not None and job.has_ended:
        is_rest = is_left(project, job)
        if not (is_rest and is_current(project, job)):
            if is_rest and applies:  # there is more to do by now; what was done is not done again
                applied += apply_job(project, job)
            job = None
    job = job or jobs.start(request)
    interrupted, told = False, (-1, 0, "")
    while True:
        try:
            if _has_ended(jobs, job):
                break
            if applies and job.shards and not interrupted:
                applied += apply_job(project, job)
            if told != (told := (job.done, job.total, job.text)):
                progress(*told)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            if interrupted:  # twice: it goes on by itself, and the next call finds it
                raise
            interrupted = True
            job.stop()
    if applies:
        applied += apply_job(project, job)
    if interrupted:
        raise KeyboardInterrupt
    if job.state in (FAILED, PAUSED, CANCELLED):
        raise JobError(f"{job.id}: {job.text or job.state} (log: {job.run.log}); run the command again to go on")
    return job, applied


def _has_ended(jobs: Jobs, job: Job) -> bool:
    jobs.poll()
    return job.has_ended


def _latest(jobs: Jobs, request: JobRequest) -> Job | None:
    """The latest job that does the same."""
    asked = (request.kind, dict(request.settings))
    return next((job for job in reversed(jobs.list()) if (job.kind, dict(job.settings)) == asked), None)


def _where(engine: Engine, workers: int | None) -> dict[str, Any]:
    """Settings of who does the work, where somebody said so."""
    settings: dict[str, Any] = {"workers": workers} if workers else {}
    return settings if engine is Engine.LOCAL else {**settings, "engine": engine.value}


def _files(**paths: Path | None) -> Mapping[str, Any]:
    """Settings of files that were given, so that another process finds them."""
    return {name: str(path.resolve()) for name, path in paths.items() if path is not None}
