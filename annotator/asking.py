"""CLIFF under the hand: a process beside the window says what a body may be, from a person's points as they are now.

The window loads no network. It writes a question, one line of JSON, to the standard input of a child process, and reads
one line from its output; no ports. The child keeps what it has seen of the latest people, so that a further question
about them takes hundredths of a second. It ends when its input does: with the window, however that ends.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from annotator.child import child_command, child_environment
from annotator.project.state import Person, Photo
from cliff_core.errors import CliffError
from cliff_core.records import Camera, Keypoints, Provenance, SmplParams

COMMAND = "run-answers"
_LABELS = (Provenance.HUMAN, Provenance.IMPORTED)


class AskError(CliffError):
    """CLIFF could not be asked."""


def question_of(person: Person, photo: Photo, camera: Camera) -> dict[str, Any] | None:
    """What to ask about somebody; `None` for people without a box, or none of whose points a person or a file placed.

    Two questions are equal where the answers are.
    """
    sets = [points for name in person.joint_sets if (points := person.keypoints(name)) is not None]
    if person.box is None or not any(map(_is_labelled, sets)):
        return None
    return {
        "size_px": list(photo.size_px),
        "box": [*person.box.xyxy.tolist(), person.box.score],
        "camera": [camera.focal_length_px, *camera.centre_px],
        "points": [_plain(points) for points in sets],
    }


def _is_labelled(points: Keypoints) -> bool:
    return any(who in _LABELS for who, seen in zip(points.source, points.visibility, strict=True) if seen)


def _plain(points: Keypoints) -> dict[str, Any]:
    return {
        "set": points.joint_set,
        "px": np.nan_to_num(points.points_px).tolist(),
        "visibility": points.visibility.tolist(),
        "confidence": np.nan_to_num(points.confidence).tolist(),
        "source": [who.value for who in points.source],
    }


def keypoints_of(plain: Mapping[str, Any]) -> Keypoints:
    """What a question says of one joint set."""
    return Keypoints(
        plain["set"],
        np.array(plain["px"], dtype=np.float64).reshape(-1, 2),
        np.array(plain["visibility"], dtype=np.int64),
        np.array(plain["confidence"], dtype=np.float64),
        tuple(Provenance(who) for who in plain["source"]),
    )


class AskedProcess:
    """The child; it starts with the first question. One thread at a time asks."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None
        self._closed = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether the next answer comes quickly."""
        return self._child is not None

    def ask(self, question: Mapping[str, Any], file: Path) -> SmplParams | None:
        """Wait for an answer; `None` where the photo cannot be read, of which its view says more.

        Args:
            question: from `question_of`.
            file: of the photo.

        Raises:
            AskError: the process cannot be started, or ended without an answer.
        """
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        line = ""
        with suppress(OSError, ValueError):  # of a child that has ended
            child.stdin.write(json.dumps({**question, "file": str(file)}) + "\n")
            child.stdin.flush()
            line = child.stdout.readline()
        if not line:
            self._end()
            raise AskError(f"CLIFF cannot be asked while you label: {self._last_words() or 'its process ended'}")
        said = json.loads(line)
        if "error" in said:
            return None
        return SmplParams(np.array(said["pose"]), np.array(said["betas"]), np.array(said["transl"]))

    def close(self) -> None:
        """End it; who waits for an answer gets none."""
        self._closed.set()
        self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()

    def _start(self) -> subprocess.Popen[str]:
        if self._closed.is_set():
            raise AskError("the project is closed")
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 lives with the child
        try:
            child = subprocess.Popen(
                child_command(COMMAND),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                encoding="utf-8",
                env=child_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise AskError(f"CLIFF cannot be asked while you label: {error.strerror}") from error
        self._child = child
        if self._closed.is_set():  # meanwhile
            self._end()
        return child

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        return next((line.strip() for line in reversed(self._log.readlines()) if line.strip()), "")
