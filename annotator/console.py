"""What a command says: progress on stderr, its result on stdout, an error as one line.

Progress is a bar on a terminal and plain lines in a pipe. Results go to stdout alone, so that `--json` gives scripts
exactly one JSON object there.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TextIO

_SECONDS_BETWEEN_LINES = 5.0
_LISTED = 20


class Progress(Protocol):
    """What long work in `cliff_core` calls from time to time: a plain callable, so that anything can listen."""

    def __call__(self, done: int, total: int, text: str) -> None:
        """`done` of `total` steps are over (total 0: not known yet); `text` says what is going on, in a few words."""


class PlainProgress:
    """Progress for a pipe or a log file: one line per change of text, otherwise one every few seconds.

    Args:
        stream: where the lines go.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._last_text = ""
        self._last_time = 0.0

    def __call__(self, done: int, total: int, text: str) -> None:
        """Print a line if there is news."""
        now = time.monotonic()
        finished = total > 0 and done >= total
        if text == self._last_text and not finished and now - self._last_time < _SECONDS_BETWEEN_LINES:
            return
        count = f" {done}/{total}" if total else ""
        print(f"{text}{count}", file=self._stream, flush=True)
        self._last_text, self._last_time = text, now


@contextmanager
def console_progress(stream: TextIO | None = None) -> Iterator[Progress]:
    """Progress of one command: a bar where a person watches, plain lines where a program reads.

    Args:
        stream: stderr unless given; stdout belongs to the result.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield PlainProgress(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(file=stream), transient=True) as bars:
        task = bars.add_task("", total=None)

        def advance(done: int, total: int, text: str) -> None:
            # A new text starts anew: the time that is left belongs to one kind of work.
            if text != bars.tasks[0].description:
                bars.reset(task)
            bars.update(task, completed=done, total=total or None, description=text)

        yield advance


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a command that is one file.

    Attributes:
        file: where it lies.
    """

    file: Path

    def __str__(self) -> str:
        """Where to look."""
        return f"written: {self.file}"


def left_out(lines: Sequence[str]) -> list[str]:
    """What was left out, as a person reads it: the first reasons, and how many more there are in the JSON."""
    told = [f"left out: {line}" for line in lines[:_LISTED]]
    return told if len(lines) <= _LISTED else [*told, f"left out: {len(lines) - _LISTED} more (--json lists all)"]


def show(report: Any, as_json: bool = False) -> None:
    """Print a command's result to stdout.

    Args:
        report: a dataclass whose `str()` is the text for people and whose fields are the JSON for scripts.
        as_json: one JSON object instead of the text.
    """
    if as_json:
        print(json.dumps(_plain(report), ensure_ascii=False, indent=2))
    else:
        print(report)


def show_error(message: str, as_json: bool = False) -> None:
    """Print one line to stderr, and for scripts `{"error": ...}` to stdout as well."""
    line = " ".join(message.split())
    print(f"error: {line}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": line}, ensure_ascii=False))


def _plain(value: Any) -> Any:
    """The same content in the types that JSON knows; a number that is none (NaN, infinity) becomes null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "tolist"):  # arrays and their scalars
        return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form")
