"""What stands in the window while a project is opened or made."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QProgressBar, QWidget

from annotator.qt.background import Background
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label

_SOON_MS = 250  # what is quicker needs no word


class WaitingPage(QWidget):
    """Words, a bar and a way out; it appears only where opening takes a moment.

    Args:
        background: that works.
    """

    def __init__(self, background: Background):
        super().__init__()
        self.words = label("", "title")
        self.detail = label("", "quiet")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(320)
        self.stop = button(tr("Stop"), background.stop, name="stop_waiting")
        self._parts = (self.words, self.detail, self.bar, self.stop)
        layout = column(-1)
        for part in self._parts:
            layout.addWidget(part, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)
        self.setLayout(layout)
        self._soon = QTimer(self, singleShot=True, interval=_SOON_MS)
        self._soon.timeout.connect(lambda: self._reveal(True))
        background.progressed.connect(self._progress)
        self._reveal(False)

    def begin(self, words: str) -> None:
        """Something was begun."""
        self.words.setText(words)
        self.detail.setText("")
        self.bar.setMaximum(0)
        self._reveal(False)
        self._soon.start()

    def end(self) -> None:
        """It is over."""
        self._soon.stop()

    def _reveal(self, is_seen: bool) -> None:
        for part in self._parts:
            part.setVisible(is_seen)

    def _progress(self, done: int, total: int, text: str) -> None:
        self.bar.setMaximum(total)
        self.bar.setValue(done)
        self.detail.setText(f"{tr(text)} {done:,} / {total:,}" if total else tr(text))
