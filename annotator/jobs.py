"""Jobs of a project: propose, refine, export, import as child processes that outlive the window.

A job and its watchers share a folder and nothing else (`runs`). One job of a project runs at a time, others wait for
their turn; predicting a few boxes anew is quick and does not wait. A job never writes the project: it reads it, leaves
shards, and whoever has the project open for writing takes them in (`apply`).

    jobs = Jobs(project.folder)
    job = jobs.start(JobRequest("propose"))
    ...                              # twice a second:
    for job in jobs.poll():          # starts the next one too
        if job.shards > seen: apply_job(project, job)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from annotator.child import child_command, child_environment
from annotator.project.lock import is_running
from annotator.runs import (
    BEGIN,
    CANCELLED,
    CURVE,
    DONE,
    FAILED,
    PAUSED,
    PICTURES,
    PROGRESS,
    SHARD,
    STOPPED,
    JobError,
    JobRequest,
    RunFolder,
)

__all__ = ["Job", "JobError", "JobRequest", "Jobs"]

QUEUED, RUNNING, STOPPING = "queued", "running", "stopping"
ENDED = (DONE, STOPPED, PAUSED, CANCELLED, FAILED)
CAN_GO_ON = (STOPPED, PAUSED, FAILED)
"""States from which `Job.resume` goes on."""
BESIDE = ("boxes",)
"""Kinds that a person waits for, and that run beside others."""

_WAITS = "waits for its turn"
_RATE_OVER = 40  # lines of news from which the time left is reckoned


class Job:
    """One job as it was when it was last looked at (`Jobs.poll`).

    Attributes:
        run: its folder.
        id: name of the folder.
        kind: what it does.
        settings: as asked for.
        state: "queued", "running", "stopping", "done", "stopped", "paused", "cancelled" or "failed".
        done, total: how far it is; total 0: not known yet.
        text: what is going on, or how it ended.
        shards: how many pieces of the result are finished.
        curves: rows of the training curves so far, for jobs that train.
        pictures: how often there were new pictures of people (`refine_result.read_changes`).
        result: what it says at its end: for refine its report and whether the guard would apply it.
    """

    def __init__(self, run: RunFolder):
        self.run = run
        self.id = run.id
        request = run.request()
        self.kind = request.kind
        self.settings = request.settings
        self._child: subprocess.Popen | None = None
        self._begin()
        self.look()

    def _begin(self) -> None:
        self.state = QUEUED
        self.done, self.total, self.text = 0, 0, _WAITS
        self.shards = 0
        self.curves: list[dict[str, Any]] = []
        self.pictures = 0
        self.result: dict[str, Any] = {}
        self._read_to = 0
        self._times: deque[tuple[float, int, str]] = deque(maxlen=_RATE_OVER)

    @property
    def folder(self) -> Path:
        """Where all of it lies: log, report, weights."""
        return self.run.path

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state in ENDED

    @property
    def seconds_left(self) -> float | None:
        """How long it will take at its pace of late; `None` where that is not known."""
        if self.state != RUNNING or len(self._times) < 2:
            return None
        (begun, first, text), (now, last, same) = self._times[0], self._times[-1]
        if text != same or last <= first or now <= begun or not self.total:
            return None
        return (self.total - last) * (now - begun) / (last - first)

    def log_tail(self, lines: int = 20) -> list[str]:
        """The last lines that it printed."""
        with suppress(OSError), self.run.log.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 400 * lines))
            return stream.read().decode("utf-8", errors="replace").splitlines()[-lines:]
        return []

    def stop(self) -> None:
        """End it early and keep the best so far."""
        self._ask("stop")

    def pause(self) -> None:
        """End it now; `resume` goes on from there."""
        self._ask("pause")

    def cancel(self) -> None:
        """End it and leave no trace; what was taken into the project goes with `apply.discard_job`."""
        self._ask("cancel")

    def resume(self) -> None:
        """Let a job that died, was stopped or paused go on with what it has; it starts when its turn comes.

        Raises:
            JobError: it is still at work, has done everything, or left no trace.
        """
        self.look()
        if self.state not in CAN_GO_ON:
            raise JobError(f"{self.id}: is {self.state}; only a failed, stopped or paused job can go on")
        self.run.reset()
        self._begin()

    def look(self) -> None:
        """Find out how it is; cheap."""
        is_alive = self._is_alive()  # asked first: a result is written before the process ends
        self._read_news()
        result = self.run.result()
        if result is not None and self._child is None:
            self.state, self.result = str(result.get("state", FAILED)), result
            if result.get("error"):
                self.text = str(result["error"])
            return
        wanted = self.run.wants()
        if is_alive:
            self.state = STOPPING if wanted else RUNNING
            self.text = "starting" if self.text == _WAITS else self.text
        elif "pid" in self.run.description():
            last = next((line for line in reversed(self.log_tail(5)) if line.strip()), "")
            self.state = FAILED
            self.text = f"it ended without a word{f', after: {last.strip()}' if last else ''}; resume takes it up again"
        elif wanted:  # nobody has begun: nothing to wait for
            self.state = {"cancel": CANCELLED, "pause": PAUSED}.get(wanted, STOPPED)
            self.run.end(self.state)

    def start(self) -> None:
        """Start its process; `Jobs` decides when."""
        flags: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
        command = child_command("run-job", str(self.run.path.resolve()))
        try:
            with self.run.log.open("ab") as log:
                self._child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**child_environment(), "PYTHONUNBUFFERED": "1"},
                    **flags,
                )
        except OSError as error:
            self.run.end(FAILED, error=f"{self.run.path}: the job cannot be started ({error.strerror})")
        self.look()

    def _ask(self, what: str) -> None:
        if not self.has_ended:
            self.run.ask_to(what)
            self.look()

    def _is_alive(self) -> bool:
        if self._child is not None:
            if self._child.poll() is None:
                return True
            self._child = None
        pid = self.run.description().get("pid")
        return isinstance(pid, int) and is_running(pid) and self.run.is_held()

    def _read_news(self) -> None:
        """Take in the lines that came since; half a line waits for its other half."""
        try:
            with self.run.news.open("rb") as stream:
                stream.seek(self._read_to)
                content = stream.read()
        except OSError:
            return
        whole, _, _ = content.rpartition(b"\n")
        if not whole:
            return
        self._read_to += len(whole) + 1
        for line in whole.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                self._take(json.loads(line))

    def _take(self, news: dict[str, Any]) -> None:
        if news["kind"] == PROGRESS:
            self.done, self.total, self.text = int(news["done"]), int(news["total"]), str(news["text"])
            if self._times and (self._times[-1][2] != self.text or self._times[-1][1] > self.done):
                self._times.clear()
            self._times.append((float(news["t"]), self.done, self.text))
        elif news["kind"] == SHARD:
            self.shards = int(news["shards"])
        elif news["kind"] == CURVE:
            self.curves.append(news)
        elif news["kind"] == PICTURES:
            self.pictures += 1
        elif news["kind"] == BEGIN:  # what it goes on from it tells once more
            self.curves.clear()
            self._times.clear()


class Jobs:
    """All jobs of a project; several programs may watch the same ones.

    Args:
        project: folder of the project.
    """

    def __init__(self, project: Path):
        self._project = Path(project)
        self._known: dict[str, Job] = {}

    def start(self, request: JobRequest) -> Job:
        """Ask for a job; it starts at once unless another one of this project is at work.

        Raises:
            JobError: settings that are no JSON, or a folder that cannot be written.
        """
        job = Job(RunFolder.create(self._project, request))
        self._known[job.id] = job
        self.poll()
        return job

    def list(self) -> Sequence[Job]:
        """All that are not cleared away, oldest first, also those of earlier sessions and other programs."""
        found = {run.id: run for run in RunFolder.all_of(self._project)}
        self._known = {name: job for name, job in self._known.items() if name in found}
        for name, run in found.items():
            if name not in self._known:
                with suppress(JobError):
                    self._known[name] = Job(run)
        return [self._known[name] for name in sorted(self._known)]

    def poll(self) -> Sequence[Job]:
        """Look after all of them and start the next one; cheap, meant to be called twice a second."""
        jobs = self.list()
        for job in jobs:
            if not job.has_ended:
                with suppress(JobError):  # its folder goes while we look
                    job.look()
        is_busy = any(job.state in (RUNNING, STOPPING) and job.kind not in BESIDE for job in jobs)
        for job in jobs:
            if job.state == QUEUED and (job.kind in BESIDE or not is_busy):
                job.start()
                is_busy = is_busy or job.kind not in BESIDE
        return jobs
