"""Everything that the window shows of an open project, made when it opens and taken away when it closes."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QWidget

from annotator.document import Change
from annotator.qt.actions import Actions
from annotator.qt.bars import MainBar, StatusBar, ToolStrip
from annotator.qt.docks import Docks
from annotator.qt.panels.photo_list import PhotoList
from annotator.qt.session import Session
from annotator.qt.settings import Settings
from annotator.qt.strings import tr
from annotator.qt.thumbnails import Thumbnails
from annotator.qt.work import Work
from annotator.qt.workbench import make_workbench


class ProjectArea(QObject):
    """Canvas, docks, bars and actions of one project.

    Args:
        window: that shows it.
        session: of the project; closed with the area.
        actions: of the window.
        settings: for the layout.
        status: where hints go.
    """

    def __init__(self, window: QMainWindow, session: Session, actions: Actions, settings: Settings, status: StatusBar):
        super().__init__(window)
        self.session = session
        self._window = window
        self._actions = actions
        self._status = status
        actions.begin_project()
        self.thumbnails = Thumbnails(session.desk, session.folder, session)
        bench = make_workbench(session, actions, status.show_hint)
        self.canvas = bench.photo
        self.bar = MainBar(session, actions)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.bar)
        self.page = QWidget()
        layout = QHBoxLayout(self.page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.tools = ToolStrip(actions)
        layout.addWidget(self.tools)
        layout.addWidget(bench.photo, 1)
        self.photos = PhotoList(session, self.thumbnails)
        self.work = Work(session, actions, lambda: None)
        self.docks = Docks(window, settings)
        self.docks.add("photos", tr("Photos"), self.photos)
        self.docks.add("side", tr("Side view"), bench.side)
        self.docks.add("body", tr("Body"), bench.body, tabbed=True)
        self._join()

    def _join(self) -> None:
        actions, docks, session = self._actions, self.docks, self.session
        for name in ("photos", "side"):
            toggle = docks[name].toggleViewAction()
            actions.on(f"view.{name}", lambda is_on, dock=docks[name]: dock.setVisible(is_on))
            toggle.toggled.connect(actions[f"view.{name}"].setChecked)
        actions.on("view.inspector", lambda: docks.raise_("body"))
        actions.on("view.next_panel", docks.go_to_next)
        actions.on("view.reset", docks.reset)
        actions.on("photo.find", self._find)
        session.said.connect(self._status.show_last)
        session.document.observe(self._changed)

    def show(self) -> None:
        """Put everything in its place, and the cursor on the canvas."""
        self.docks.arrange()
        self.canvas.setFocus(Qt.FocusReason.OtherFocusReason)
        self.session.begin()

    def propose(self) -> None:
        """Look for people and predict their bodies, beside the window."""

    def show_around(self) -> None:
        """Begin the tour."""

    def full_screen(self, is_on: bool) -> None:
        """Only canvas and side view."""
        self.docks.full_screen(is_on)
        self.bar.setVisible(not is_on)
        self.tools.setVisible(not is_on)

    def close(self) -> None:
        """Take everything away and close the project; waits for the disk."""
        self.docks.remember()
        self.thumbnails.forget()
        self._actions.end_project()
        self._actions.set_facts(())
        self.docks.close()
        self._window.removeToolBar(self.bar)
        self.bar.deleteLater()
        self.session.close()
        self._status.show_hint("")
        self._status.show_last("")

    def _find(self) -> None:
        self.docks["photos"].show()
        self.photos.begin_search()

    def _changed(self, change: Change) -> None:
        document = self.session.document
        if Change.HISTORY in change and not document.pending and Change.PHOTO not in change:
            self._status.show_last(tr("Redo: {what}", what=tr(document.redo_label)) if document.redo_label else "")
