"""Everything that was done, newest first; a click goes to the state right after a step."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from annotator.document import Change
from annotator.project.journal import BULK, MERGE, Step
from annotator.qt.icons import icon
from annotator.qt.session import Session
from annotator.qt.start_page import when
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row

_PAGE = 100
_STEP = Qt.ItemDataRole.UserRole


class HistoryPanel(QWidget):
    """The journal's steps.

    Args:
        session: of the project.
    """

    def __init__(self, session: Session):
        super().__init__()
        self._session = session
        self._limit = _PAGE
        self._is_stale = True
        self._is_reading = False
        self.list = QListWidget()
        self.list.setAccessibleName(tr("History"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemActivated.connect(self._jump)
        self.list.itemSelectionChanged.connect(self._chosen)
        self.jump = button(
            tr("Go to this state"),
            lambda: self._jump(self.list.currentItem()),
            name="jump",
            tip=tr("Undo everything after this step, or do it again up to here"),
        )
        self.only = button("", self._flip, name="only", role="flat")
        self.older = button(tr("Older steps"), self._read_older, role="link", name="older")
        hint = label(tr("Nothing is lost by going back: undone steps stay here."), "quiet", wrap=True)
        layout = column(spacing=4)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.older)
        foot = column(hint, margin=8)
        foot.addLayout(row(self.jump, self.only, -1))
        layout.addLayout(foot)
        self.setLayout(layout)
        self.older.hide()
        self._chosen()
        session.document.observe(self._changed)

    def showEvent(self, event) -> None:
        """Read it where it is seen for the first time, or has changed unseen."""
        super().showEvent(event)
        if self._is_stale:
            self._read()

    def _changed(self, change: Change) -> None:
        if Change.HISTORY in change and not self._session.document.pending:
            self._is_stale = True
            if self.isVisible():
                self._read()

    def _read(self) -> None:
        if self._is_reading:
            return
        self._is_reading, self._is_stale = True, False
        limit = self._limit

        def arrived(steps: list[Step]) -> None:
            self._is_reading = False
            self._show(steps)
            if self._is_stale:
                self._read()

        self._session.desk.project(lambda project: project.journal.steps(limit + 1), arrived)

    def _read_older(self) -> None:
        self._limit += _PAGE
        self._read()

    def _show(self, steps: list[Step]) -> None:
        self.older.setVisible(len(steps) > self._limit)
        chosen = self._step()
        place = self.list.verticalScrollBar().value()
        self.list.clear()
        now = next((step.id for step in steps if step.is_done), None)
        for step in steps[: self._limit]:
            item = QListWidgetItem(self._words(step))
            item.setData(_STEP, step)
            font = QFont(self.list.font())
            font.setBold(step.id == now)
            font.setStrikeOut(not step.is_done)
            item.setFont(font)
            item.setForeground(self.palette().text() if step.is_done else self.palette().placeholderText())
            picture = {BULK: "magic-wand", MERGE: "git-merge"}.get(step.kind, "minus")
            item.setIcon(
                icon("caret-right" if step.id == now else picture, "accent" if step.id == now else "quiet_text")
            )
            began = datetime.fromisoformat(step.begun).astimezone()
            item.setToolTip(f"{tr(step.label)}\n{step.who}, {began:%Y-%m-%d %H:%M:%S}")
            self.list.addItem(item)
            if chosen is not None and step.id == chosen.id:
                self.list.setCurrentItem(item)
        self.list.verticalScrollBar().setValue(place)
        self._chosen()

    @staticmethod
    def _words(step: Step) -> str:
        state = "" if step.is_done else f"  ({tr('undone')})"
        return f"{tr(step.label)}{state}\n{step.who} · {when(datetime.fromisoformat(step.begun).timestamp())}"

    def _step(self) -> Step | None:
        item = self.list.currentItem()
        return None if item is None else item.data(_STEP)

    def _chosen(self) -> None:
        step = self._step()
        can = step is not None and not self._session.read_only and not step.is_open
        self.jump.setEnabled(can)
        self.only.setEnabled(can)
        again = step is not None and not step.is_done
        self.only.setText(tr("Do only this again") if again else tr("Take only this back"))

    def _jump(self, item: QListWidgetItem | None) -> None:
        if item is not None and not self._session.read_only:
            self._session.jump(item.data(_STEP).id)

    def _flip(self) -> None:
        step = self._step()
        if step is not None:
            (self._session.document.revert if step.is_done else self._session.document.reapply)(step.id)
