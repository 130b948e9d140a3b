"""Disk and long work off the window's thread; the answers come back on it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from annotator.project import Project

T = TypeVar("T")

_READERS = 2


class Ticket:
    """Somebody waits for an answer, until they no longer want it."""

    def __init__(self, future: Future):
        self._future = future
        self.cancelled = False

    def cancel(self) -> None:
        """No answer is wanted any more; work that has not begun is left out."""
        self.cancelled = True
        self._future.cancel()


class Desk(QObject):
    """Two kinds of threads: one that alone has the project, in the order asked, and a few that read photos.

    Signals:
        problem: an exception that nobody took; the window shows one notice.

    Args:
        project: the open project; closed with the desk.
    """

    problem = Signal(object)
    _answered = Signal(object)

    def __init__(self, project: Project, parent: QObject | None = None):
        super().__init__(parent)
        self._project = project
        self._writer = ThreadPoolExecutor(1, "desk-project")
        self._readers = ThreadPoolExecutor(_READERS, "desk-reader")
        self._closed = False
        self._answered.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def folder(self) -> Path:
        """Of the project; does not change."""
        return self._project.folder

    @property
    def read_only(self) -> bool:
        """Whether edits are refused; does not change."""
        return self._project.read_only

    def project(
        self,
        work: Callable[[Project], T],
        then: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Work on the project after all that was asked for before; `then` and `failed` run on the window's thread."""
        self._submit(self._writer, lambda: work(self._project), then, failed)

    def read(
        self,
        work: Callable[[], T],
        then: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> Ticket:
        """Work beside it, in no order."""
        return self._submit(self._readers, work, then, failed)

    def close(self) -> None:
        """Finish what was asked of the project, leave the rest, and close it. Waits for the disk."""
        self._closed = True  # answers that are on their way are for nobody any more
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._writer.shutdown(wait=True)
        self._project.close()

    def _submit(self, pool: ThreadPoolExecutor, work, then, failed) -> Ticket:
        future = pool.submit(work)
        ticket = Ticket(future)
        future.add_done_callback(lambda done: self._answered.emit((ticket, done, then, failed)))
        return ticket

    def _deliver(self, answer: Any) -> None:
        ticket, future, then, failed = answer
        if self._closed or ticket.cancelled or future.cancelled():
            return
        try:
            error = future.exception()
            if error is None:
                if then is not None:
                    then(future.result())
            elif failed is None:
                raise error
            else:
                failed(error)
        except Exception as unexpected:  # whatever it is, the person is told and the work goes on
            self.problem.emit(unexpected)
