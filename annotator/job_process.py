"""What runs in the process of a job: takes its turn, does the work, says how it ended."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from annotator.jobs import BESIDE
from annotator.project import Project, open_project
from annotator.project.filesystem import has_no_room
from annotator.project.lock import WriterLock
from annotator.runs import (
    CANCELLED,
    DONE,
    FAILED,
    JOURNAL,
    LOCK,
    PAUSED,
    STOPPED,
    Cancelled,
    JobError,
    JobRequest,
    News,
    Paused,
    RunFolder,
)
from cliff_core.errors import CliffError
from cliff_core.execution.engines import Engine
from cliff_core.execution.memory import peak_memory_mb
from cliff_core.training.crew_start import start_crew

Work = Callable[[Project, RunFolder, News], dict[str, Any]]
"""A job's work: reads the project, writes shards into the run's folder, returns what to say of it; plain JSON."""

_SECONDS_TO_TAKE = 5.0  # a watcher that looks whether somebody has the job in hand holds its lock for a moment
_NICENESS = 5  # the window stays quick while a job has both cores


def run_job(folder: Path) -> bool:
    """Do the job of a folder to its end; returns whether it did not fail: was done, stopped, paused or cancelled.

    Raises:
        JobError: the folder has no job, or another process has it in hand.
    """
    run = RunFolder(folder)
    request = run.request()
    lock = WriterLock(run.path, LOCK)
    _take(lock, f"{run.path}: another process has this job in hand")
    news: News | None = None
    turn = WriterLock(run.path.parent, LOCK)
    try:
        if run.result() is not None:  # somebody else has done it meanwhile
            return True
        run.begin()
        news = News(run)
        if request.kind not in BESIDE:
            _wait_for(turn, news)
        if hasattr(os, "nice"):
            with suppress(OSError):
                os.nice(_NICENESS)
        with ExitStack() as ends:
            work = _work_of(request, ends)  # brings torch along: seconds that are no work
            started = time.monotonic()
            project = ends.enter_context(open_project(run.project, read_only=True))
            journal = project.journal.last_seq()
            said = work(project, run, news)
        if not said.get("complete", False):
            news.check()
        said[JOURNAL] = journal
        said["seconds"] = round(time.monotonic() - started, 3)
        said["peak_mb"] = round(peak_memory_mb(), 1)
        run.end(STOPPED if run.wants() == "stop" and not said.get("complete", False) else DONE, **said)
    except Cancelled:
        if news is not None:
            news.close()  # Windows removes no open file
        run.end(CANCELLED)
    except Paused:
        run.end(PAUSED)
    except BaseException as problem:
        if not isinstance(problem, CliffError):
            traceback.print_exc()
        message = _full_disk(problem) or str(problem) or _nameless(problem)
        print(f"error: {message}", file=sys.stderr, flush=True)
        with suppress(OSError):  # a full disk: the log's last line says it
            run.end(FAILED, error=message)
        return False
    finally:
        if news is not None:
            news.close()
        turn.release()
        lock.release()
    return True


def _work_of(request: JobRequest, ends: ExitStack) -> Work:
    """What does a job; processes that it will need start at once, and are ended by `ends`."""
    kind, settings = request.kind, request.settings
    if kind in ("propose", "boxes"):
        from annotator.propose import boxes_work, propose_work

        return propose_work if kind == "propose" else boxes_work
    if kind == "refine":
        workers, others = int(settings.get("workers") or 1), None
        if workers > 1 and settings.get("engine", Engine.LOCAL) == Engine.LOCAL:
            others = ends.enter_context(start_crew(workers, settings.get("model"), settings.get("body")))
        from annotator.refine_project import refine_work

        return partial(refine_work, others=others)
    if kind == "focal":
        from annotator.focal_lengths import focal_work

        return focal_work
    from annotator.file_jobs import export_work, import_work

    return export_work if kind == "export" else import_work


def _take(lock: WriterLock, refusal: str) -> None:
    until = time.monotonic() + _SECONDS_TO_TAKE
    while lock.acquire() is not None:
        if time.monotonic() > until:
            raise JobError(refusal)
        time.sleep(0.05)


def _wait_for(turn: WriterLock, news: News) -> None:
    """Until no other job of the project runs."""
    while (holder := turn.acquire()) is not None:
        news(0, 0, f"waits for another job ({holder})")
        time.sleep(0.5)


def _full_disk(problem: BaseException) -> str:
    """What to say where there is no room for what the job writes; nothing where that was not it."""
    if not isinstance(problem, OSError) or not has_no_room(problem):
        return ""
    where = f"{problem.filename}: " if problem.filename else ""
    return f"{where}no room left on the disk ({problem.strerror}); make some, then resume the job"


def _nameless(problem: BaseException) -> str:
    if isinstance(problem, MemoryError):
        return "not enough memory; close other programs and resume the job"
    if isinstance(problem, KeyboardInterrupt):
        return "interrupted; resume takes it up again"
    return type(problem).__name__
