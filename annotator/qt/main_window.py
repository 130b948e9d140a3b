"""The main window: the start page, or a project; notices, menus, full screen, opening and closing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QShowEvent,
    QStatusTipEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QInputDialog,
    QLineEdit,
    QListWidget,
    QMainWindow,
    QMessageBox,
    QPlainTextEdit,
    QStackedWidget,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from annotator.project import DamagedProjectError, NotAProjectError, Project, open_project
from annotator.qt import theme
from annotator.qt.actions import Actions, KeyMap
from annotator.qt.background import Background, Stopped
from annotator.qt.bars import StatusBar
from annotator.qt.keymap_dialog import KeymapDialog
from annotator.qt.menus import fill_menu_bar
from annotator.qt.notices import NoticeBar
from annotator.qt.palette import Palette
from annotator.qt.settings import Settings
from annotator.qt.start_page import StartPage
from annotator.qt.strings import LANGUAGES, tr
from annotator.qt.waiting_page import WaitingPage

if TYPE_CHECKING:
    from annotator.qt.project_area import ProjectArea

_MINIMUM = (900, 560)
_PROJECT_AREA = "annotator.qt.project_area"


class MainWindow(QMainWindow):
    """One window, at most one project.

    Args:
        settings: of the person; closed with the window.
    """

    def __init__(self, settings: Settings):
        super().__init__()
        self.settings = settings
        self.area: ProjectArea | None = None
        self.setObjectName("main")
        self.setMinimumSize(*_MINIMUM)
        self.setAcceptDrops(True)
        self.background = Background(self)
        self.actions_ = Actions(self, KeyMap(settings))
        self.notices = NoticeBar()
        self.start = StartPage(self)
        self.waiting = WaitingPage(self.background)
        self.pages = QStackedWidget()
        self.pages.setObjectName("pages")
        self.pages.addWidget(self.start)
        self.pages.addWidget(self.waiting)
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.notices)
        layout.addWidget(self.pages, 1)
        self.setCentralWidget(middle)
        self.status = StatusBar(self)
        self.setStatusBar(self.status)
        self._join()
        fill_menu_bar(self.menuBar(), self.actions_)
        self.palette_ = Palette(self, self.actions_)
        self._restore_place()
        self._show_title()
        if settings.notice:
            self.notices.show_notice(settings.notice)

    def _join(self) -> None:
        jobs: dict[str, Callable[..., Any]] = {
            "file.new": self.start.ask_new,
            "file.open": self.start.ask_open,
            "file.sample": self.start.open_sample,
            "file.close": self.close_project,
            "file.quit": self.close,
            "view.full_screen": self._full_screen,
            "view.light": self._light,
            "edit.palette": lambda: self.palette_.open(),
            "edit.keys": self._show_keys,
            "help.keys": self._show_keys,
            "help.about": self._about,
            "help.language": self._choose_language,
        }
        for name, do in jobs.items():
            self.actions_.on(name, do)
        self.actions_.check("view.light", theme.current() is theme.LIGHT)

    # --- projects

    def open(self, folder: Path) -> None:
        """Open a project; what is open is closed first. Errors are shown where the person looks."""
        self.open_with(lambda: open_project(folder), tr("Opening {name}", name=folder.name), folder)

    def begin(self, folder: Path | None) -> None:
        """What is seen first: a project that was named, the one that was open last, or the start page."""
        last = self.settings.get("last_open", "")
        if folder is not None and (folder / "project.toml").is_file():
            self.open(folder)
        elif folder is not None:
            has_photos = folder.is_dir() and next(folder.iterdir(), None) is not None
            self.start.ask_new([folder] if has_photos else [], None if has_photos else folder)
        elif last and (Path(last) / "project.toml").is_file():
            self.open(Path(last))
        else:  # while the person looks at the start page
            self.background.run(lambda: import_module(_PROJECT_AREA), lambda _: None)

    def open_with(
        self, work: Callable[[], Project], words: str, folder: Path, *, propose: bool = False, tour: bool = False
    ) -> None:
        """Open what some work beside the window gives, such as a project that it makes.

        Args:
            work: gives the open project.
            words: say what is going on.
            folder: of the project.
            propose: look for people as soon as it is open.
            tour: show the person around.
        """
        self.close_project()
        self.waiting.begin(words)
        self.pages.setCurrentWidget(self.waiting)

        def failed(error: Exception) -> None:
            self.pages.setCurrentWidget(self.start)
            if isinstance(error, NotAProjectError) and not folder.exists():
                self.settings.forget_project(str(folder.resolve()))
                self.start.refresh()
            if isinstance(error, DamagedProjectError):
                self.start.show_damaged(folder, error)
            elif not isinstance(error, Stopped):
                self.notices.show_error(error)

        def opened(project: Project) -> None:
            self.show_project(project)
            assert self.area is not None
            if propose and not project.read_only:
                self.area.propose()
            if tour:
                self.area.show_around()

        def prepared() -> Project:
            import_module(_PROJECT_AREA)  # the solver and the rasteriser: beside the window, which is there at once
            return work()

        self.background.run(prepared, opened, failed)

    def show_project(self, project: Project) -> None:
        """Show a project that is open now."""
        from annotator.qt.project_area import ProjectArea
        from annotator.qt.session import Session

        self.waiting.end()
        session = Session(project, self.settings, self)
        session.desk.problem.connect(self.notices.show_error)
        self.area = ProjectArea(self, session, self.actions_, self.settings, self.status, self.notices)
        self.pages.addWidget(self.area.page)
        self.pages.setCurrentWidget(self.area.page)
        self._show_title()
        self.settings.set("last_open", str(session.folder.resolve()))
        self.area.show()
        for sentence in session.notices:
            self.notices.show_notice(sentence)

    def close_project(self) -> None:
        """Close what is open, and show the start page."""
        if self.area is None:
            return
        if self.isFullScreen():
            self.actions_.check("view.full_screen", False)
        area, self.area = self.area, None
        self.notices.close_notice()  # what it says is about this project
        area.close()
        self.pages.removeWidget(area.page)
        area.page.deleteLater()
        area.deleteLater()
        area.session.deleteLater()
        self.settings.set("last_open", "")
        self.start.refresh()
        self.pages.setCurrentWidget(self.start)
        self._show_title()

    # --- the window itself

    def report(self, error: BaseException) -> None:
        """Tell of an error that nobody expected, and go on."""
        self.notices.show_error(error)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Remember everything, close the project; jobs go on by themselves."""
        if self.isFullScreen():
            self.actions_.check("view.full_screen", False)
        self.settings.set("geometry", bytes(self.saveGeometry().toBase64().data()).decode("ascii"))
        if self.area is not None:
            folder = str(self.area.session.folder.resolve())
            self.close_project()
            self.settings.set("last_open", folder)
        self.background.close()
        self.settings.close()
        event.accept()

    def showEvent(self, event: QShowEvent) -> None:
        """Nothing may lie outside of the screen."""
        super().showEvent(event)
        screen = self.screen().availableGeometry()
        if not screen.contains(self.geometry().center()):
            self.move(screen.topLeft())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files may be dropped anywhere."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """A project is opened, its photos are added to, labels are imported; without a project, one is made."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if not paths:
            return
        event.acceptProposedAction()
        if (paths[0] / "project.toml").is_file():
            self.open(paths[0])
        elif self.area is None:
            self.start.ask_new(paths)
        elif not self.area.session.read_only:
            self.area.take_in(paths)

    def event(self, event: QEvent) -> bool:
        """Keys that a field or a button in focus needs itself are theirs, and no shortcut's."""
        is_asked = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if is_asked and is_needed_by(self.focusWidget(), event):  # type: ignore[arg-type]
            event.accept()
            return True
        if isinstance(event, QStatusTipEvent):  # where all hints are
            self.status.show_tip(event.tip())
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape that no list or field has a use for goes back to the photo."""
        if event.key() == Qt.Key.Key_Escape and self.area is not None:
            self.area.canvas.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """The window system may leave the full screen too."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            action = self.actions_["view.full_screen"]
            if action.isChecked() != self.isFullScreen():
                action.setChecked(self.isFullScreen())

    def _full_screen(self, is_on: bool) -> None:
        self.menuBar().setVisible(not is_on)
        self.status.setVisible(not is_on)
        if self.area is not None:
            self.area.full_screen(is_on)
        state = self.windowState()
        full = Qt.WindowState.WindowFullScreen
        self.setWindowState(state | full if is_on else state & ~full)

    def _light(self, is_light: bool) -> None:
        name = "light" if is_light else "dark"
        if name == theme.current().name:
            return
        self.settings.set("theme", name)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.apply_theme(app, name)

    def _show_keys(self) -> None:
        dialog = KeymapDialog(self, self.actions_)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _about(self) -> None:
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle(tr("About"))
        box.setText("CLIFF Annotator")
        box.setInformativeText(
            tr("The annotator of CLIFF (ECCV 2022) as a desktop program. Apache-2.0; the icons are Phosphor's (MIT).")
        )
        box.open()

    def _choose_language(self) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(tr("Language"))
        dialog.setLabelText(tr("Takes effect when the program starts again."))
        dialog.setComboBoxItems(list(LANGUAGES.values()))
        dialog.setTextValue(LANGUAGES.get(self.settings.get("language", ""), ""))
        codes = {words: code for code, words in LANGUAGES.items()}
        dialog.textValueSelected.connect(lambda words: self.settings.set("language", codes[words]))
        dialog.open()

    def _restore_place(self) -> None:
        screen = QGuiApplication.primaryScreen().availableGeometry()
        self.resize(min(1440, screen.width()), min(900, screen.height()))
        geometry = self.settings.get("geometry", "")
        if geometry:
            self.restoreGeometry(QByteArray.fromBase64(geometry.encode("ascii")))

    def _show_title(self) -> None:
        name = "" if self.area is None else f"{self.area.session.name} – "
        self.setWindowTitle(f"{name}CLIFF Annotator")


def is_needed_by(widget: QWidget | None, event: QKeyEvent) -> bool:
    """Whether a widget in focus has a use of its own for a key that may be a shortcut."""
    key, plain = event.key(), event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
    enter = key in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
    if isinstance(widget, QLineEdit | QTextEdit | QPlainTextEdit | QAbstractSpinBox | QComboBox):
        return plain and (enter or key < Qt.Key.Key_Escape or key in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete))
    if isinstance(widget, QAbstractButton):
        return plain and key == Qt.Key.Key_Space
    return isinstance(widget, QListWidget) and plain and enter


def catch_everything(window: MainWindow) -> Callable[..., Any]:
    """Let unexpected errors of slots and events end in the window's notice; returns the hook that was there."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.close()
            return
        QTimer.singleShot(0, window, lambda: window.report(error))

    sys.excepthook = hook
    return before
