"""Processes of this machine, a core each, for pieces of work that are mostly Python: threads would wait for each other.

Results come in the order of the pieces, and follow from the piece alone, so however many processes there are they are
the same to the bit. The process that asks is one of them: it works while the others start, and when they have enough to
do. A process ends with the one that started it, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from cliff_core.errors import TrainingError

Shared = TypeVar("Shared")
Piece = TypeVar("Piece")
Result = TypeVar("Result")

_NUMERIC = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_EACH = 2  # pieces of a process: one that it does, and the next
_HELD = 8  # pieces for each process that may wait for a slow one before them
_shared: Any = None  # of a process that was started here: what was made there


class Processes(Generic[Shared]):
    """Some processes that know the same, as long as the block runs; they start when there is work.

    Args:
        size: how many, this one counted in.
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
            self._pool = ProcessPoolExecutor(self._size - 1, started, _begin, (self._make,))
        return self

    def __exit__(self, *_: object) -> None:
        """Let them end."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def map(self, work: Callable[[Shared, Piece], Result], pieces: Iterable[Piece]) -> Generator[Result, None, None]:
        """Results of `work` for each piece, in the order of the pieces.

        Args:
            work: a function of a module; called with what is shared and a piece.
            pieces: taken as results are asked for; some for each process are under way or wait for a slow one.

        Raises:
            TrainingError: a process ended too early.
        """
        if self._pool is None:
            yield from (work(self.shared, piece) for piece in pieces)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for piece in pieces:
                if sum(not each.done() for each in waiting) < _EACH * (self._size - 1):
                    with single_threaded_children():  # it may start one
                        waiting.append(self._pool.submit(_work, (work, piece)))
                else:
                    waiting.append(_done(work(self.shared, piece)))
                while waiting and (waiting[0].done() or len(waiting) > _HELD * self._size):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise TrainingError(
                "a process that shared the work ended, killed or out of memory; resume takes the job up again"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


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


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _work(task: tuple[Callable[[Any, Any], Any], Any]) -> Any:
    work, piece = task
    return work(_shared, piece)
