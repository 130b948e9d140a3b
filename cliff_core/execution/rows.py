"""Rows of numbers that are read a few at a time: in memory where they are few, in a file where they are many.

A file of rows is read with plain reads, not mapped: a mapped page counts as memory of the process from when it is first
touched, and training touches every row in every epoch. Read plainly, rows stay in the system's own cache, which gives
way to whoever needs the memory.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from cliff_core.execution.tensor_files import save_tensors

_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, EOFError)


class Rows(Protocol):
    """What both kinds of rows, and plain tensors to read from, have in common."""

    def __len__(self) -> int:
        """How many rows."""

    def __getitem__(self, rows: Any) -> torch.Tensor:
        """Some rows, by numbers, a mask or a slice, as a tensor of their own."""


class RowFile:
    """Rows in a file; any thread may read, and any process that opens it.

    Args:
        path: of the file; made where it is missing.
        shape: of one row.
        dtype: of the numbers.
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: str = "float32"):
        self.path, self.shape, self.dtype = Path(path), tuple(shape), np.dtype(dtype)
        self._bytes = math.prod(self.shape) * self.dtype.itemsize
        self._lock = threading.Lock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b", 0)

    def __len__(self) -> int:
        return os.fstat(self._file.fileno()).st_size // self._bytes

    def __getitem__(self, rows: Any) -> torch.Tensor:
        """Some rows, as a tensor of their own.

        Raises:
            OSError: the file is shorter than that.
        """
        wanted = np.atleast_1d(_numbers(rows, self))
        found = np.empty((len(wanted), *self.shape), self.dtype)
        ends = np.flatnonzero(np.diff(wanted) != 1) + 1  # neighbours are read at once
        with self._lock:
            for some, into in zip(np.split(wanted, ends), np.split(found, ends), strict=True):
                if len(some):
                    self._file.seek(int(some[0]) * self._bytes)
                    if self._file.readinto(memoryview(into.reshape(-1)).cast("B")) != into.nbytes:
                        raise OSError(f"{self.path}: ends before row {some[-1]}; run the job again")
        return torch.from_numpy(found)

    def write(self, start: int, values: torch.Tensor) -> None:
        """Put rows from number `start` on.

        Raises:
            OSError: they cannot be written.
        """
        content = np.ascontiguousarray(values.detach().numpy(), self.dtype).reshape(-1)
        view = memoryview(content).cast("B")
        with self._lock:
            self._file.seek(start * self._bytes)
            try:
                while view:  # a disk may take less than all of it before it says that it is full
                    view = view[self._file.write(view) :]
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self.path)) from error

    def close(self) -> None:
        """No more reading and writing; the file stays."""
        self._file.close()


class RowsInMemory:
    """The same in memory.

    Args:
        count: of rows.
        shape: of one row.
        dtype: of the numbers.
    """

    def __init__(self, count: int, shape: Sequence[int], dtype: str = "float32"):
        self._values = torch.zeros(count, *shape, dtype=getattr(torch, dtype))

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, rows: Any) -> torch.Tensor:
        """Some rows."""
        return self._values[rows]

    def write(self, start: int, values: torch.Tensor) -> None:
        """Put rows from number `start` on."""
        self._values[start : start + len(values)] = values

    def close(self) -> None:
        """Nothing to do."""


class Workspace:
    """Where a long computation keeps what it would not want to hold in memory, or to compute again after a kill.

    Args:
        folder: for files; without one everything is kept in memory, and nothing is remembered.
        name: of whoever works there; several may share a folder.
        seconds_between: a state is worth remembering when this much time went into it.
        token: says what the rows that others put there follow from.
    """

    def __init__(self, folder: Path | None = None, name: str = "0", seconds_between: float = 30.0, token: str = ""):
        self.folder, self.token = folder, token
        self._name, self._between = name, seconds_between
        self._last = time.monotonic()

    def rows(self, name: str, count: int, shape: Sequence[int], dtype: str = "float32") -> RowFile | RowsInMemory:
        """Room for so many rows."""
        if self.folder is None:
            return RowsInMemory(count, shape, dtype)
        return RowFile(self.folder / f"{name}-{self._name}.rows", shape, dtype)

    @property
    def is_time(self) -> bool:
        """Whether enough time went by to remember the state."""
        return self.folder is not None and time.monotonic() - self._last >= self._between

    def remember(self, name: str, state: dict[str, Any]) -> None:
        """Keep a state of tensors, numbers and texts under a name; a full disk is no error."""
        if self.folder is None:
            return
        with suppress(OSError):
            save_tensors(state, self.folder / f"{name}.state")
        self._last = time.monotonic()

    def recall(self, name: str) -> dict[str, Any]:
        """What was kept under a name; empty if there is nothing that can be read."""
        self._last = time.monotonic()
        if self.folder is None or not (self.folder / f"{name}.state").is_file():
            return {}
        with suppress(*_UNREADABLE):
            return dict(torch.load(self.folder / f"{name}.state", weights_only=True))
        return {}


def _numbers(rows: Any, of: Rows) -> np.ndarray:
    """Row numbers of whatever chooses rows."""
    if isinstance(rows, slice):
        return np.arange(len(of))[rows]
    numbers = np.asarray(rows)
    return np.flatnonzero(numbers) if numbers.dtype == bool else numbers.astype(np.int64)
