"""The slim bar above the canvas, the tools at its left edge, and the status bar below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QLabel, QMainWindow, QProgressBar, QSizePolicy, QStatusBar, QToolBar, QWidget

from annotator.document import Change
from annotator.qt import theme
from annotator.qt.actions import Actions
from annotator.qt.strings import tr
from annotator.qt.widgets import label, row, short_name

if TYPE_CHECKING:
    from annotator.qt.session import Session

_WITH_WORDS = {
    "dataset.propose": "Propose",
    "body.fit": "Fit",
    "dataset.refine": "Refine dataset…",
    "file.export": "Export…",
}
_TOOLS = (
    ("view.fit_person", "view.fit_photo"),
    ("view.overlay", "view.body", "view.points", "view.joints", "view.prior"),
    ("person.add", "point.swap", "body.alternative"),
)


class SavedMark(QWidget):
    """A dot and words: whether everything is on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.words = label("", "quiet")
        self._role = "good"
        self.setLayout(row(14, self.words, 4, spacing=0))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.setAccessibleName(tr("State of saving"))

    def show_state(self, pending: int, session: Session) -> None:
        """Say it; edits on their way are a matter of milliseconds."""
        if session.read_only:
            words, self._role = tr("read only"), "warning"
            self.setToolTip(str(session.held_by or ""))
        elif pending:
            words, self._role = tr("saving…"), "warning"
        else:
            words, self._role = tr("all edits saved"), "good"
        if words != self.words.text():
            self.words.setText(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The dot."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(getattr(theme.current(), self._role)))
        painter.drawEllipse(QPointF(6, self.height() / 2), 4, 4)


class MainBar(QToolBar):
    """Where one is, the long work, undo, and whether everything is saved.

    Args:
        session: of the open project.
        actions: of the window.
    """

    def __init__(self, session: Session, actions: Actions):
        super().__init__(tr("Main bar"))
        self.setObjectName("main_bar")
        self.setMovable(False)
        self.setIconSize(QSize(theme.ICON_SIZE, theme.ICON_SIZE))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._session = session
        self._actions = actions
        self.addAction(actions["photo.previous"])
        self.addAction(actions["photo.next"])
        self.place = label("", name="place")
        self.place.setMinimumWidth(64)
        self.place.setContentsMargins(0, 0, theme.GRID, 0)
        self.name = label("", "quiet", name="photo_name")
        self.addWidget(self.place)
        self.addWidget(self.name)
        self.addSeparator()
        for name, words in _WITH_WORDS.items():
            actions[name].setIconText(" " + tr(words))
            self.addAction(actions[name])
            button = self.widgetForAction(actions[name])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)  # type: ignore[attr-defined]
        gap = QWidget()
        gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(gap)
        self.addAction(actions["edit.undo"])
        self.addAction(actions["edit.redo"])
        self.saved = SavedMark()
        self.addWidget(self.saved)
        for action in self.actions():
            if (button := self.widgetForAction(action)) is not None and action.text():
                button.setAccessibleName(action.text())
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        session.document.observe(self._changed)
        session.listed.connect(self._show_place)
        self._changed(Change.PHOTO | Change.HISTORY)

    def _changed(self, change: Change) -> None:
        document = self._session.document
        if Change.PHOTO in change:
            self._show_place()
        if Change.HISTORY in change:
            for name, words, what in (
                ("edit.undo", tr("Undo"), document.undo_label),
                ("edit.redo", tr("Redo"), document.redo_label),
            ):
                self._actions.set_text(name, f"{words}: {tr(what)}" if what else words)
            self.saved.show_state(document.pending, self._session)

    def _show_place(self) -> None:
        photo, where = self._session.document.photo, self._session.row
        total = f"{len(self._session.ids):,}"
        self.place.setText("" if photo is None else f"{where + 1:,} / {total}" if where >= 0 else f"– / {total}")
        self.place.setToolTip(tr("Place in the list"))
        name = "" if photo is None else photo.name
        self.name.setText(short_name(name, self.name.fontMetrics(), 220))
        self.name.setToolTip(name)


class ToolStrip(QToolBar):
    """The tools at the left edge of the canvas."""

    def __init__(self, actions: Actions):
        super().__init__(tr("Tools"))
        self.setObjectName("tools")
        self.setOrientation(Qt.Orientation.Vertical)
        self.setIconSize(QSize(theme.ICON_SIZE, theme.ICON_SIZE))
        for number, group in enumerate(_TOOLS):
            if number:
                self.addSeparator()
            for name in group:
                self.addAction(actions[name])
                self.widgetForAction(actions[name]).setAccessibleName(actions[name].text())


class StatusBar(QStatusBar):
    """A hint for the hand, what was done last, and how far the work beside the window is.

    Signals:
        jobs_clicked: the person wants to see the jobs.
    """

    jobs_clicked = Signal()

    def __init__(self, window: QMainWindow):
        super().__init__(window)
        self.setSizeGripEnabled(False)
        self.setAccessibleName(tr("Status"))
        self._hint = ""
        self.hint = label("", "quiet", name="hint")
        self.hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.last = label("", "quiet", name="last_done")
        self.job = _JobMark(self.jobs_clicked.emit)
        self.addWidget(_padded(self.hint), 1)
        self.addPermanentWidget(self.last)
        self.addPermanentWidget(self.job)
        self.job.hide()

    def show_hint(self, text: str) -> None:
        """What the hand can do here."""
        self._hint = text
        self.hint.setText(text)

    def show_tip(self, text: str) -> None:
        """What the button or the menu below the cursor does; the hint comes back after it."""
        self.hint.setText(text or self._hint)

    def show_last(self, text: str) -> None:
        """What was just done, or why nothing was."""
        self.last.setText(text)


def _padded(widget: QWidget) -> QWidget:
    holder = QWidget()
    layout = row(widget)
    layout.setContentsMargins(theme.GRID, 2, theme.GRID, 2)
    holder.setLayout(layout)
    return holder


class _JobMark(QFrame):
    """The job that is at work: words, a slim bar; a click shows all jobs."""

    def __init__(self, clicked) -> None:
        super().__init__()
        self._clicked = clicked
        self.words: QLabel = label("", "quiet", name="job_words")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(120)
        self.setLayout(row(self.words, self.bar, 4))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(tr("Job at work"))

    def show_job(self, words: str, done: int, total: int) -> None:
        """How far it is; total 0 where that is not known."""
        self.words.setText(words)
        self.bar.setMaximum(total)
        self.bar.setValue(done)
        self.show()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._clicked()
