"""One quiet bar for what went wrong or is worth knowing: it takes no focus, stops nothing, and can be copied."""

from __future__ import annotations

import platform
import sys
import time
import traceback
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QVBoxLayout

from annotator.qt.icons import Picture
from annotator.qt.strings import tr
from annotator.qt.widgets import button, label, row
from cliff_core.errors import CliffError

_PACKAGES = ("cliff-annotator", "PySide6-Essentials", "pyqtgraph", "numpy", "numba", "torch", "onnxruntime")


def report_of(error: BaseException) -> str:
    """What a developer needs to know of an error, as text; no file of the person's is in it but by name."""
    lines = [f"CLIFF Annotator, {time.strftime('%Y-%m-%d %H:%M:%S %z')}"]
    lines.append(f"Python {platform.python_version()}, {platform.platform()}")
    for package in _PACKAGES:
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package}: not installed")
    lines += ["", "".join(traceback.format_exception(error)).rstrip()]
    return "\n".join(lines)


class NoticeBar(QFrame):
    """Shows the latest notice until it is closed; errors with details and a report to copy."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setObjectName("notices")
        self.setAccessibleName(tr("Notice"))
        self._picture = Picture("info")
        self.words = label("", wrap=True, name="notice_words")
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.details_button = button(tr("Details"), self._toggle_details, role="flat", name="notice_details")
        self.copy_button = button(tr("Copy report"), self._copy, role="flat", picture="copy", name="notice_copy")
        self.close_button = button(
            "", self.close_notice, role="flat", picture="x", name="notice_close", tip=tr("Close")
        )
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setMaximumHeight(220)
        self.details.setAccessibleName(tr("Details"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        head = row(self._picture, self.words, self.details_button, self.copy_button, self.close_button)
        head.setStretch(1, 1)
        layout.addLayout(head)
        layout.addWidget(self.details)
        self.report = ""
        self._times = 0
        self.hide()

    def show_error(self, error: BaseException) -> None:
        """Tell of an error; the same one again only counts."""
        text = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, CliffError | OSError):
            text = tr("Something unexpected went wrong; your work is safe, and you can go on.") + f" ({text[:160]})"
        print(report_of(error), file=sys.stderr)
        self._show(text, "warning-circle", "bad", report_of(error))

    def show_notice(self, text: str) -> None:
        """Tell something that is no error."""
        self._show(text, "info", "accent", "")

    def show_failure(self, text: str) -> None:
        """Tell of work that failed beside the window; its log is among the jobs."""
        self._show(text, "warning-circle", "bad", "")

    def close_notice(self) -> None:
        """The person has seen it."""
        self._times = 0
        self.words.clear()
        self.hide()

    def _show(self, text: str, picture: str, role: str, report: str) -> None:
        again = self.isVisible() and self.words.text().partition("  ×")[0] == text
        self._times = self._times + 1 if again else 1
        self.words.setText(text if self._times == 1 else f"{text}  ×{self._times}")
        self._picture.show_icon(picture, role)
        self.report = report
        self.details.setPlainText(report)
        self.details.hide()
        self.details_button.setVisible(bool(report))
        self.copy_button.setVisible(bool(report))
        self.copy_button.setText(tr("Copy report"))
        self.show()

    def _toggle_details(self) -> None:
        self.details.setVisible(not self.details.isVisible())

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.report)
        self.copy_button.setText(tr("Copied"))
