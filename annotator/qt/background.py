"""Long work before a project is open, or beside it: opening, making and copying projects."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal


class Stopped(Exception):
    """The person no longer wants what was under way."""


class Background(QObject):
    """One thread for work that the person waits for, with progress and a way to stop it.

    Signals:
        progressed: done, total (0: unknown), what.
    """

    progressed = Signal(int, int, str)
    _answered = Signal(object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, "background")
        self._stop = False
        self._answered.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self, work: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[Exception], None] | None = None
    ) -> None:
        """Do it; `then` or `failed` run on the window's thread. What was stopped ends in `failed` with `Stopped`."""
        self._stop = False
        future = self._pool.submit(work)
        future.add_done_callback(lambda done: self._answered.emit((done, then, failed)))

    def progress(self, done: int, total: int, text: str) -> None:
        """For the work to call; any thread.

        Raises:
            Stopped: the person wants no more of it.
        """
        if self._stop:
            raise Stopped(text)
        self.progressed.emit(done, total, text)

    def stop(self) -> None:
        """End the work at its next word of progress."""
        self._stop = True

    def close(self) -> None:
        """End the work, and wait for that."""
        self.stop()
        self._answered.disconnect(self._deliver)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, answer: tuple[Future, Callable, Callable | None]) -> None:
        future, then, failed = answer
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            then(future.result())
        elif failed is not None and isinstance(error, Exception):
            failed(error)
        elif not isinstance(error, Stopped):
            raise error  # to whoever shows problems
