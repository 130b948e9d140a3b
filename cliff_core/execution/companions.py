"""Processes of this machine that get ready beside the one that starts them, and are told later what to do with it.

Starting one costs seconds: libraries and networks are loaded. Whoever knows early that there will be work for several
starts them first, and loads what it needs itself meanwhile; so this module loads nothing. No ports: a process hears
through a pipe, and ends when that does, however the other end goes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cliff_core.errors import TrainingError
from cliff_core.execution.processes import single_threaded_children

_PACKAGES = Path(__file__).resolve().parents[2]
_READY = "ready"


class Companions:
    """Some processes that run a module; they start at once, and end with the block at the latest.

    Args:
        module: its name; when it is ready it calls `next_task`.
        arguments: of its command line.
        count: how many.

    Raises:
        OSError: one cannot be started.
    """

    def __init__(self, module: str, arguments: Sequence[str], count: int):
        paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-P", "-m", module, *arguments]
        pipe = subprocess.PIPE
        self._all: list[subprocess.Popen] = []
        try:
            with single_threaded_children():
                environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
                for _ in range(count):
                    self._all.append(
                        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True, encoding="utf-8")
                    )
        except OSError:
            self.end()
            raise

    def __enter__(self) -> Companions:
        """They are there."""
        return self

    def __exit__(self, *_: object) -> None:
        """End those that did not by themselves."""
        self.end()

    @property
    def pids(self) -> list[int]:
        """Their process numbers."""
        return [each.pid for each in self._all]

    def give(self, tasks: Sequence[Any]) -> None:
        """Wait until all are ready, and tell each what to do: plain JSON, one for each.

        Raises:
            TrainingError: one did not start.
        """
        for each in self._all:
            assert each.stdout is not None
            if each.stdout.readline().strip() != _READY:
                raise TrainingError(self.lost() or "a worker did not start; resume takes the job up again")
        for each, task in zip(self._all, tasks, strict=True):
            assert each.stdin is not None
            try:
                each.stdin.write(json.dumps(task) + "\n")
                each.stdin.flush()
            except OSError as error:
                raise TrainingError(self.lost() or f"a worker cannot be reached ({error.strerror})") from error

    @property
    def has_lost_one(self) -> bool:
        """Whether one has ended."""
        return any(each.poll() is not None for each in self._all)

    def lost(self) -> str:
        """Which one ended, and how; empty if all go on."""
        for number, each in enumerate(self._all, 1):
            with suppress(subprocess.TimeoutExpired):
                code = each.wait(2.0)
                how = f"killed by signal {-code}" if code < 0 else f"with exit code {code}"
                return f"worker {number} of {len(self._all) + 1} ended ({how}); resume takes the job up again"
        return ""

    def end(self, *, calmly: bool = False) -> None:
        """End them; calmly: give them time to end by themselves."""
        for each in self._all:
            if calmly:
                with suppress(subprocess.TimeoutExpired):
                    each.wait(10.0)
            each.kill()
            each.wait()
            for pipe in (each.stdin, each.stdout):
                assert pipe is not None
                with suppress(OSError):  # what was not read by one who is gone
                    pipe.close()
        self._all.clear()


def next_task() -> Any:
    """In such a process, once it is ready: what to do. From then on it ends when the one that started it does.

    Raises:
        SystemExit: there is nothing to do any more.
    """
    print(_READY, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise SystemExit
    threading.Thread(target=_end_with_the_first, name="pipe", daemon=True).start()
    return json.loads(line)


def _end_with_the_first() -> None:
    os.read(0, 1)  # nothing comes but the end
    os._exit(1)
