"""Panels around the canvas: they dock, collapse, float and remember where they were."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QSizePolicy, QTabWidget, QToolButton, QWidget

from annotator.qt.icons import icon
from annotator.qt.settings import Settings
from annotator.qt.strings import tr
from annotator.qt.widgets import label, row

_LAYOUT_VERSION = 1
LEFT_WIDTH, RIGHT_WIDTH, SIDE_HEIGHT = 236, 322, 320


class Docks:
    """The docks of an open project.

    Args:
        window: they belong to.
        settings: where the layout is remembered.
    """

    def __init__(self, window: QMainWindow, settings: Settings):
        self._window = window
        self._settings = settings
        self._docks: dict[str, QDockWidget] = {}
        self._behind: dict[str, str] = {}
        self._before_full: QByteArray | None = None
        window.setDockNestingEnabled(True)
        window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        window.setCorner(Qt.Corner.TopLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        window.setCorner(Qt.Corner.TopRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)

    def __getitem__(self, name: str) -> QDockWidget:
        """A dock by its name."""
        return self._docks[name]

    def add(self, name: str, title: str, content: QWidget, *, tabbed: bool = False, behind: str = "") -> QDockWidget:
        """Put a panel into a dock; `tabbed` ones share a place, and their tab is their title; or it is `behind` one."""
        dock = QDockWidget(title, self._window)
        dock.setObjectName(f"dock_{name}")
        dock.setWidget(content)
        dock.setAccessibleName(title)
        if behind:
            self._behind[name] = behind
            self._title_by_tab(self._docks[behind])
        if tabbed or behind:
            self._title_by_tab(dock)
        else:
            dock.setTitleBarWidget(_TitleBar(dock, title))
        self._docks[name] = dock
        return dock

    @staticmethod
    def _title_by_tab(dock: QDockWidget) -> None:
        """Show no title while a tab says it."""
        dock.setTitleBarWidget(QWidget())
        dock.topLevelChanged.connect(lambda floats: dock.setTitleBarWidget(None if floats else QWidget()))  # type: ignore[arg-type]

    def arrange(self) -> None:
        """The usual layout, or the one that the person left."""
        self.reset()
        state = self._settings.get("layout", "")
        if state:
            self._window.restoreState(QByteArray.fromBase64(state.encode("ascii")), _LAYOUT_VERSION)

    def reset(self) -> None:
        """The usual layout: photos left; side view, and below it the tabs, right."""
        window = self._window
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        tabbed = [dock for name, dock in self._docks.items() if name not in ("photos", "side", *self._behind)]
        for dock in self._docks.values():
            dock.setFloating(False)
            window.removeDockWidget(dock)
        window.addDockWidget(left, self._docks["photos"])
        window.addDockWidget(right, self._docks["side"])
        window.addDockWidget(right, tabbed[0])
        window.splitDockWidget(self._docks["side"], tabbed[0], Qt.Orientation.Vertical)
        for earlier, dock in pairwise(tabbed):
            window.tabifyDockWidget(earlier, dock)
        for name, first in self._behind.items():
            window.tabifyDockWidget(self._docks[first], self._docks[name])
        for dock in self._docks.values():
            dock.show()
        for front in (tabbed[0], *(self._docks[first] for first in self._behind.values())):
            front.raise_()
        window.resizeDocks(
            [self._docks["photos"], self._docks["side"]], [LEFT_WIDTH, RIGHT_WIDTH], Qt.Orientation.Horizontal
        )
        height = min(SIDE_HEIGHT, window.height() // 3)
        window.resizeDocks([self._docks["side"], tabbed[0]], [2 * height, 3 * height], Qt.Orientation.Vertical)

    def raise_(self, name: str) -> None:
        """Show a panel and put the cursor into it."""
        dock = self._docks[name]
        dock.show()
        dock.raise_()
        dock.widget().setFocus(Qt.FocusReason.ShortcutFocusReason)
        if dock.widget().focusWidget() is None:
            dock.widget().focusNextChild()

    def go_to_next(self) -> None:
        """Put the cursor into the next panel that is seen."""
        central = self._window.centralWidget()
        places = [central, *(dock.widget() for dock in self._docks.values())]
        shown = [place for place in places if place.isVisible() and not place.visibleRegion().isEmpty()]
        focus = self._window.focusWidget()
        at = next((n for n, place in enumerate(shown) if focus is not None and place.isAncestorOf(focus)), -1)
        for step in range(1, len(shown) + 1):
            target = shown[(at + step) % len(shown)]
            candidates = [target, *target.findChildren(QWidget)]
            for widget in candidates:
                if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.isEnabled():
                    widget.setFocus(Qt.FocusReason.TabFocusReason)
                    return

    def full_screen(self, is_on: bool) -> None:
        """Only the side view stays, or all come back."""
        if is_on:
            self._before_full = self._window.saveState(_LAYOUT_VERSION)
            for name, dock in self._docks.items():
                dock.setVisible(name == "side")
        elif self._before_full is not None:
            self._window.restoreState(self._before_full, _LAYOUT_VERSION)
            self._before_full = None

    def remember(self) -> None:
        """Note the layout for the next time."""
        state = self._before_full or self._window.saveState(_LAYOUT_VERSION)
        self._settings.set("layout", bytes(state.toBase64().data()).decode("ascii"))

    def close(self) -> None:
        """Take all panels away."""
        for dock in self._docks.values():
            self._window.removeDockWidget(dock)
            dock.close()
            dock.deleteLater()
        self._docks.clear()


class _TitleBar(QWidget):
    """A dock's name, and buttons to let it float and to close it."""

    def __init__(self, dock: QDockWidget, title: str):
        super().__init__()
        words = label(title, "title")
        floating = self._button("arrow-square-out", tr("Float: for a second screen"))
        floating.clicked.connect(lambda: dock.setFloating(not dock.isFloating()))
        closing = self._button("x", tr("Close; the View menu brings it back"))
        closing.clicked.connect(dock.close)
        layout = row(words, -1, floating, closing, spacing=2)
        layout.setContentsMargins(12, 3, 6, 3)
        self.setLayout(layout)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    @staticmethod
    def _button(picture: str, tip: str) -> QToolButton:
        made = QToolButton()
        made.setIcon(icon(picture, "quiet_text"))
        made.setToolTip(tip)
        made.setAccessibleName(tip)
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return made
