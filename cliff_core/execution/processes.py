"""Processes of this machine, a core each, for pieces of work that are mostly Python: threads would wait for each other.

Results come in the order of the pieces, and follow from the piece alone, so however many processes there are they are
the same to the bit. A process ends with the one that started it, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from cliff_core.execution.streams import in_order

Shared = TypeVar("Shared")
Piece = TypeVar("Piece")
Result = TypeVar("Result")

_NUMERIC = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_shared: Any = None  # of a process that was started here: what was made there


class Processes(Generic[Shared]):
    """Some processes that know the same, as long as the block runs; they start when there is work.

    Args:
        size: how many; with one, the work is done in this process.
        make: makes in each process what every piece needs; sent there, it would not always be the same to the bit.

    Attributes:
        shared: what was made here.
    """

    def __init__(self, size: int, make: Callable[[], Shared]):
        self._size, self._make = size, make
        self.shared = make()
        self._pool: Executor | None = None

    def __enter__(self) -> Processes[Shared]:
        """Get ready."""
        if self._size > 1:
            started = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._size, started, _begin, (self._make,))
        return self

    def __exit__(self, *_: object) -> None:
        """Let them end."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def map(
        self, work: Callable[[Shared, Piece], Result], pieces: Iterable[Piece], ahead: int = 4
    ) -> Generator[Result, None, None]:
        """Results of `work` for each piece, in the order of the pieces.

        Args:
            work: a function of a module; called with what is shared and a piece.
            pieces: taken as results are asked for.
            ahead: pieces that may wait for a process or for a slow one before them.

        Raises:
            BrokenProcessPool: a process was killed.
        """
        if self._pool is None:
            yield from (work(self.shared, piece) for piece in pieces)
            return
        with single_threaded_children():
            yield from in_order(self._pool, _work, ((work, piece) for piece in pieces), self._size + ahead)


def processor_time() -> float:
    """Seconds of processor time of this process and, where the system counts them, of those it started that ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@contextmanager
def single_threaded_children() -> Iterator[None]:
    """One process is one core: numerical libraries read this when a child imports them."""
    before = {name: os.environ.get(name) for name in _NUMERIC}
    os.environ.update(dict.fromkeys(_NUMERIC, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def end_with_parent() -> None:
    """Let this process, which multiprocessing started, end when its parent does, also where that is killed."""
    threading.Thread(target=_wait_for_parent, name="parent", daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _begin(make: Callable[[], Any]) -> None:
    global _shared
    end_with_parent()
    _shared = make()


def _work(task: tuple[Callable[[Any, Any], Any], Any]) -> Any:
    work, piece = task
    return work(_shared, piece)
