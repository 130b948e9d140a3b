"""Looks after a project's jobs beside the window: asks how they are, takes their results in, tells who shows them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from annotator.apply import Applied, apply_job, discard_job
from annotator.jobs import CANCELLED, QUEUED, RUNNING, STOPPING, Job, JobRequest, Jobs
from annotator.project import Project
from annotator.qt.session import Session
from annotator.qt.strings import tr

_BUSY_MS, _CALM_MS = 200, 3000
_TAKEN_IN = ("propose", "boxes", "import", "focal")
"""Kinds whose results come into the project by themselves; a refinement waits for the person's word."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it was at one moment.

    Attributes:
        id, kind, state, text, done, total, shards, seconds_left: as of `annotator.jobs.Job`.
        folder: with log and report.
        settings: as asked for.
        curves: rows of the training curves.
        pictures: how often there were new pictures of people.
        result: what it said at its end.
        ended: when that was, seconds since 1970.
    """

    id: str
    kind: str
    state: str
    text: str
    done: int
    total: int
    shards: int
    seconds_left: float | None
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    curves: tuple[Mapping[str, Any], ...] = ()
    pictures: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)
    ended: float | None = None

    @classmethod
    def of(cls, job: Job) -> JobView:
        """As it is now."""
        numbers = (job.done, job.total, job.shards, job.seconds_left)
        return cls(
            job.id,
            job.kind,
            job.state,
            job.text,
            *numbers,
            job.folder,
            dict(job.settings),
            tuple(job.curves),
            job.pictures,
            dict(job.result),
            job.run.ended_at(),
        )

    @property
    def is_active(self) -> bool:
        """Whether more comes of it by itself."""
        return self.state in (QUEUED, RUNNING, STOPPING)


def kind_name(kind: str) -> str:
    """What a kind of job is called."""
    names = {
        "propose": tr("Propose"),
        "refine": tr("Refine dataset"),
        "focal": tr("Estimate focal lengths"),
        "export": tr("Export"),
        "import": tr("Import"),
        "boxes": tr("Propose again"),
    }
    return names.get(kind, kind)


def focal_words(said: Mapping[str, Any]) -> str:
    """What came of a job that estimated focal lengths."""
    if not said.get("photos"):
        return tr("The people say no more of focal lengths than what is usual; the guesses stay.")
    words = [tr("{photos} photos have another focal length now.", photos=f"{said['photos']:,}")]
    if said["told"]:
        words.append(tr("{count} tell it themselves.", count=f"{said['told']:,}"))
    if said["spread"]:
        words.append(tr("Those estimated are right within {spread} %, usually.", spread=round(100 * said["spread"])))
    return " ".join([*words, tr("Refine dataset predicts bodies under them.")])


def propose_words(said: Mapping[str, Any]) -> str:
    """What came of a job that looked for people, or predicted them anew."""
    if not said["photos"]:
        return tr("No photo is new: people were looked for on all of them.")
    return tr("{people} people on {photos} photos", people=f"{said['people']:,}", photos=f"{said['photos']:,}")


def time_left(seconds: float | None) -> str:
    """How long something will take, in words; empty where nobody knows."""
    if seconds is None:
        return ""
    if seconds < 90:
        return tr("{count} s left", count=max(1, round(seconds)))
    if seconds < 5400:
        return tr("{count} min left", count=round(seconds / 60))
    return tr("{count} h left", count=f"{seconds / 3600:.1f}")


class JobsWatch(QObject):
    """All jobs of the open project.

    Signals:
        changed: `jobs` is newer.
        ended: a job that was at work before is over.
        taken: what came into the project.

    Args:
        session: of the project.
    """

    changed = Signal()
    ended = Signal(object)
    taken = Signal(object)

    def __init__(self, session: Session):
        super().__init__(session)
        self._session = session
        self._jobs = Jobs(session.folder)
        self._lock = threading.Lock()
        self._known: dict[str, Job] = {}
        self._taken: dict[str, int] = {}
        self._taking: set[str] = set()
        self._cancelling: set[str] = set()
        self._is_looking = self._is_closed = False
        self._asking: list[str] = []
        self._asked: dict[str, str] = {}
        self.jobs: list[JobView] = []
        self._timer = QTimer(self, interval=_CALM_MS)
        self._timer.timeout.connect(self.look)

    def begin(self) -> None:
        """Look from now on."""
        self._timer.start()
        self.look()

    def close(self) -> None:
        """Look no more; the jobs go on."""
        self._is_closed = True
        self._timer.stop()

    def start(
        self, kind: str, settings: Mapping[str, Any] | None = None, then: Callable[[str], None] | None = None
    ) -> None:
        """Ask for a job; `then` gets its id."""
        self._asking.append(kind)

        def ask() -> str:
            with self._lock:
                return self._jobs.start(JobRequest(kind, settings or {})).id

        def asked(name: str) -> None:
            self._asking.remove(kind)
            self._asked[name] = kind
            self._timer.setInterval(_BUSY_MS)
            self.look()
            if then is not None:
                then(name)

        def failed(error: Exception) -> None:
            self._asking.remove(kind)
            raise error

        self._session.desk.read(ask, asked, failed)

    def is_at_work(self, kind: str) -> bool:
        """Whether such a job runs, waits, or was asked for just now."""
        active = [job.kind for job in self.jobs if job.is_active]
        return kind in (*self._asking, *self._asked.values(), *active)

    def stop(self, name: str) -> None:
        """End a job early, and keep what it has."""
        self._tell(name, Job.stop)

    def pause(self, name: str) -> None:
        """End a job now, so that it can go on from there."""
        self._tell(name, Job.pause)

    def cancel(self, name: str) -> None:
        """End a job and leave no trace of it, in the project either."""
        self._cancelling.add(name)
        self._tell(name, Job.cancel)

    def resume(self, name: str) -> None:
        """Let a job that failed, was stopped or paused go on."""
        self._tell(name, Job.resume)

    def clear(self, name: str) -> None:
        """Take a job that is over off the list, with log and report; what came of it stays in the project."""
        job = self._known.get(name)
        if job is not None and job.has_ended:
            self._session.desk.read(job.run.remove, lambda _: self.look())

    def _discard(self, name: str) -> None:
        """Leave no trace of a cancelled job, in the project either."""
        job = self._known.get(name)
        if job is None:
            return

        def cleared(photos: frozenset[int]) -> None:
            self.look()
            if photos:
                self._session.look_again()

        self._session.desk.project(lambda project: discard_job(project, job), cleared)

    def read_log(self, name: str, then: Callable[[str], None]) -> None:
        """The last lines that a job printed."""
        job = self._known.get(name)
        if job is not None:
            self._session.desk.read(lambda: "\n".join(job.log_tail(200)), then)

    def take_in(self, name: str, then: Callable[[Applied], None] | None = None) -> None:
        """Take in what a job has finished; also what was taken back before."""
        self._take(name, only_new=False, then=then)

    def take_in_bodiless(self, name: str) -> None:
        """Take in only what a job found for people who had no body: they have none to keep."""
        self._take(name, only_new=True, only_bodiless=True)

    def look(self) -> None:
        """Find out how all of them are."""
        if self._is_looking or self._is_closed:
            return
        self._is_looking = True

        def failed(error: Exception) -> None:
            self._is_looking = False
            raise error

        self._session.desk.read(self._read, self._looked, failed)

    def _read(self) -> tuple[dict[str, Job], list[JobView]]:
        with self._lock:
            jobs = self._jobs.list() if self._session.read_only else self._jobs.poll()
            if self._session.read_only:
                for job in jobs:
                    job.look()
            return {job.id: job for job in jobs}, [JobView.of(job) for job in jobs]

    def _looked(self, found: tuple[dict[str, Job], list[JobView]]) -> None:
        self._is_looking = False
        if self._is_closed:
            return
        before = {job.id: job for job in self.jobs}
        self._known, self.jobs = found
        self._asked = {name: kind for name, kind in self._asked.items() if name not in self._known}
        self._timer.setInterval(_BUSY_MS if any(job.is_active for job in self.jobs) else _CALM_MS)
        self.changed.emit()
        for job in self.jobs:
            was = before.get(job.id)
            if was is not None and was.is_active and not job.is_active:
                self.ended.emit(job)
            if job.state == CANCELLED and job.id in self._cancelling:
                self._cancelling.discard(job.id)
                self._discard(job.id)
            elif job.kind in _TAKEN_IN and job.shards > self._taken.get(job.id, 0) and job.state != CANCELLED:
                self._take(job.id, only_new=True)

    def _take(
        self,
        name: str,
        *,
        only_new: bool,
        only_bodiless: bool = False,
        then: Callable[[Applied], None] | None = None,
    ) -> None:
        job = self._known.get(name)
        if job is None or self._session.read_only or name in self._taking:
            return
        self._taking.add(name)
        shards = job.shards

        def taken(applied: Applied) -> None:
            self._taking.discard(name)
            self._taken[name] = shards
            if applied.photos:
                self._session.changed_by_others(applied.photos)
            self.taken.emit(applied)
            if then is not None:
                then(applied)

        def failed(error: Exception) -> None:
            self._taking.discard(name)
            self._taken[name] = shards  # not again and again
            raise error

        def take(project: Project) -> Applied:
            return apply_job(project, job, only_new=only_new, only_bodiless=only_bodiless)

        self._session.desk.project(take, taken, failed)

    def _tell(self, name: str, what: Callable[[Job], None], then: Callable[[object], None] | None = None) -> None:
        job = self._known.get(name)
        if job is None:
            return

        def tell() -> None:
            with self._lock:
                what(job)

        self._session.desk.read(tell, then or (lambda _: self.look()))
