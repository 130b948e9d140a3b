"""Many independent pieces of work, one after the other per core, with results in order and memory that stays flat."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use; a container often grants fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], workers: int, ahead: int = 1
) -> Generator[Result, None, None]:
    """Results of `work` for each piece, in the order of the pieces.

    Threads suit work that is mostly inside NumPy, torch, OpenCV or onnxruntime, which let other threads run meanwhile.
    Pieces are taken only as results are asked for: never more than one per worker and `ahead` more are under way or
    done, however many there are. Closed early, it returns when no worker runs any more.

    Args:
        work: called in a worker thread; what it raises is raised here.
        pieces: as many as there are.
        workers: number of threads.
        ahead: results that may wait for a slow one before them; small ones may be many.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="stream") as pool:
        yield from in_order(pool, work, pieces, workers + ahead)


def in_order(
    pool: Executor, work: Callable[[Piece], Result], pieces: Iterable[Piece], most: int
) -> Generator[Result, None, None]:
    """The same by a pool that is there, never more than `most` pieces under way or done."""
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def in_handfuls(
    pieces: Iterable[Piece], most: int, heaviest: float, weight: Callable[[Piece], float]
) -> Iterator[list[Piece]]:
    """Neighbouring pieces together, for work that is cheaper for several at a time; made as they are asked for.

    Args:
        pieces: as many as there are.
        most: pieces in a handful.
        heaviest: a handful may weigh so much together; a piece that alone weighs more goes alone.
        weight: of a piece.
    """
    handful: list[Piece] = []
    total = 0.0
    for piece in pieces:
        own = weight(piece)
        if handful and (len(handful) == most or total + own > heaviest):
            yield handful
            handful, total = [], 0.0
        handful.append(piece)
        total += own
    if handful:
        yield handful


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many threads for each torch operation inside the block: one, where the pieces themselves are spread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
