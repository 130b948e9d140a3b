"""The folder of one job, `PROJECT/runs/ID/`: all that a job and those who watch it say to each other.

    job.json         what to do: kind, settings, when it was asked for; process and start once it runs
    job.lock         held while it runs, by the operating system, however it ends
    progress.jsonl   one line for each piece of news, only ever appended: {"t", "kind", "done", "total", "text", ...}
    shards/          finished results, each written whole or not at all
    stop             made by whoever wants the job to end and keep the best so far
    pause            ... to end now, and to go on from there another time
    cancel           ... to end and leave no trace
    log.txt          what it printed
    result.json      how it ended

No ports and no messages: whoever opens the project later finds everything, and a watcher that dies disturbs nobody.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotator.project.errors import ProjectError
from annotator.project.filesystem import write_whole
from annotator.project.lock import WriterLock

KINDS = ("propose", "refine", "focal", "export", "import", "boxes")
LOCK = "job.lock"
BEGIN, PROGRESS, SHARD, CURVE, PICTURES = "begin", "progress", "shard", "curve", "pictures"
"""Kinds of news: it begins or goes on, how far it is, a shard is finished, a row of the curves, new pictures."""

WORK = "work"
"""In a run's folder while it runs: what a second start goes on from."""

JOURNAL = "journal"
"""In a result: number of the journal's last line when the job began to read the project."""

DONE, STOPPED, PAUSED, CANCELLED, FAILED = "done", "stopped", "paused", "cancelled", "failed"

_JOB, _NEWS, _LOG, _RESULT = "job.json", "progress.jsonl", "log.txt", "result.json"
_STOP, _PAUSE, _CANCEL = "stop", "pause", "cancel"
_SHARDS = "shards"
_KEPT_WHEN_CANCELLED = {_JOB, LOCK, _LOG, _RESULT, _CANCEL}
_SECONDS_BETWEEN_NEWS = 0.25


class JobError(ProjectError):
    """A job that cannot be asked for, found or taken up again."""


class Cancelled(BaseException):
    """Somebody wants the job to end and leave no trace; raised inside it, past everything that catches errors."""


class Paused(BaseException):
    """Somebody wants the job to end now and go on another time; raised inside it as `Cancelled` is."""


@dataclass(frozen=True)
class JobRequest:
    """What a job shall do.

    Attributes:
        kind: "propose", "refine", "focal" (focal lengths that nobody knows), "export", "import" or "boxes" (predict
            people anew whose box a person drew).
        settings: its options by name; plain JSON.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise JobError(f"no job '{self.kind}'; there are {', '.join(KINDS)}")


class RunFolder:
    """The files of one job.

    Args:
        path: `PROJECT/runs/ID`.
    """

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def create(cls, project: Path, request: JobRequest) -> RunFolder:
        """A folder for a new job.

        Raises:
            JobError: settings that are no JSON, or a project folder that cannot be written.
        """
        now = datetime.now(UTC)
        description = {"kind": request.kind, "settings": dict(request.settings), "uid": uuid.uuid4().hex}
        description["created"] = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            content = json.dumps(description, allow_nan=False, ensure_ascii=False).encode("utf-8")
        except (TypeError, ValueError) as error:
            raise JobError(f"the settings of the job are no JSON ({error})") from error
        # one job's name is never another's: those who ask in the same millisecond get the next free one
        stem = f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}-{request.kind}"
        try:
            for number in range(100):
                path = project / "runs" / (f"{stem}-{number}" if number else stem)
                with suppress(FileExistsError):
                    path.mkdir(parents=True)
                    write_whole(path / _JOB, content)
                    return cls(path)
        except OSError as error:
            raise JobError(f"{project / 'runs'}: cannot be written ({error.strerror}); no job was started") from error
        raise JobError(f"{project / 'runs'}: no free name for a job there")

    @classmethod
    def all_of(cls, project: Path) -> list[RunFolder]:
        """All jobs of a project that are not cleared away, oldest first."""
        with suppress(OSError):
            return [cls(path) for path in sorted((project / "runs").iterdir()) if (path / _JOB).is_file()]
        return []

    @property
    def id(self) -> str:
        """Name of the folder: when it was asked for, and what."""
        return self.path.name

    @property
    def project(self) -> Path:
        """Folder of the project."""
        return self.path.parent.parent

    @property
    def shards(self) -> Path:
        """Folder of the finished results."""
        return self.path / _SHARDS

    @property
    def log(self) -> Path:
        """What the job printed."""
        return self.path / _LOG

    @property
    def news(self) -> Path:
        """The lines of its progress."""
        return self.path / _NEWS

    def description(self) -> dict[str, Any]:
        """The content of job.json.

        Raises:
            JobError: it is gone or damaged.
        """
        found = _read(self.path / _JOB)
        if not found or found.get("kind") not in KINDS or not isinstance(found.get("settings"), dict):
            raise JobError(f"{self.path / _JOB}: no description of a job; remove the folder and start the job again")
        return found

    def request(self) -> JobRequest:
        """What was asked for."""
        found = self.description()
        return JobRequest(found["kind"], found["settings"])

    def result(self) -> dict[str, Any] | None:
        """How it ended; `None` while it did not, or died."""
        return _read(self.path / _RESULT)

    def ended_at(self) -> float | None:
        """When it ended, seconds since 1970; `None` while it did not, or died."""
        with suppress(OSError):
            return (self.path / _RESULT).stat().st_mtime
        return None

    def finished_shards(self) -> list[Path]:
        """Results that are there, in the order of their names."""
        with suppress(OSError):
            return sorted(path for path in self.shards.iterdir() if path.suffix == ".npz")
        return []

    # --- whoever watches

    def wants(self) -> str:
        """ "stop", "pause", "cancel" or nothing: what was asked of it."""
        return next((each for each in (_CANCEL, _PAUSE, _STOP) if (self.path / each).exists()), "")

    def ask_to(self, what: str) -> None:
        """Ask it to "stop", "pause" or "cancel"."""
        with suppress(FileNotFoundError):  # its folder was cleared away: it has ended
            (self.path / what).touch()

    def reset(self) -> None:
        """Make it a job that waits for its turn again; its shards stay."""
        found = self.description()
        for name in (_STOP, _PAUSE, _CANCEL, _RESULT):
            (self.path / name).unlink(missing_ok=True)
        kept = {key: value for key, value in found.items() if key not in ("pid", "started")}
        write_whole(self.path / _JOB, json.dumps(kept, ensure_ascii=False).encode("utf-8"))

    def is_held(self) -> bool:
        """Whether a process has it in hand."""
        if not (self.path / LOCK).exists():
            return False
        lock = WriterLock(self.path, LOCK)
        try:
            if lock.acquire() is not None:
                return True
        except OSError:
            return False
        lock.release()
        return False

    def remove(self) -> None:
        """Clear the folder away."""
        shutil.rmtree(self.path, ignore_errors=True)

    # --- the job itself

    def begin(self) -> None:
        """Note which process has it in hand, and since when."""
        started = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        description = {**self.description(), "pid": os.getpid(), "started": started}
        write_whole(self.path / _JOB, json.dumps(description, ensure_ascii=False).encode("utf-8"))

    def end(self, state: str, **more: Any) -> None:
        """Note how it ended. A cancelled job leaves nothing but that."""
        if state == CANCELLED:
            for entry in self.path.iterdir():
                if entry.name not in _KEPT_WHEN_CANCELLED:
                    shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
        content = json.dumps({"state": state, **more}, ensure_ascii=False, indent=1)
        write_whole(self.path / _RESULT, content.encode("utf-8"))


class News:
    """What a job tells while it works; a `Progress` for everything that takes one.

    Args:
        run: of the job.

    Raises:
        Cancelled, Paused: by every call, once that was asked for.
    """

    def __init__(self, run: RunFolder):
        self._run = run
        self._stream = run.news.open("a", encoding="utf-8")
        self._last: tuple[float, str] = (0.0, "")
        self._write(BEGIN, {})

    def __call__(self, done: int, total: int, text: str) -> None:
        """How far it is."""
        self.check()
        now = time.time()
        if text == self._last[1] and done < total and now - self._last[0] < _SECONDS_BETWEEN_NEWS:
            return
        self._last = (now, text)
        self._write(PROGRESS, {"done": done, "total": total, "text": text})

    def tell(self, kind: str, **values: Any) -> None:
        """Any other news."""
        self.check()
        self._write(kind, values)

    def check(self) -> None:
        """Raise `Cancelled` or `Paused` if that was asked for."""
        wanted = self._run.wants()
        if wanted == _CANCEL:
            raise Cancelled
        if wanted == _PAUSE:
            raise Paused

    @property
    def should_stop(self) -> bool:
        """Whether it was asked to end, in whatever way."""
        return bool(self._run.wants())

    def close(self) -> None:
        """No more news."""
        self._stream.close()

    def _write(self, kind: str, values: Mapping[str, Any]) -> None:
        line = json.dumps({"t": round(time.time(), 3), "kind": kind, **values}, ensure_ascii=False)
        self._stream.write(line + "\n")
        self._stream.flush()


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file that may not be there."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
