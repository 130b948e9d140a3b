"""Icons of one family: Phosphor (MIT), whose font qtawesome brings along, drawn in the colours of the theme in use."""

from __future__ import annotations

import os

os.environ.setdefault("QT_API", "pyside6")  # read when qtawesome is imported

import qtawesome
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from annotator.qt import theme


class _Engine(QIconEngine):
    """Asks for the colour each time it paints, so that another theme needs no new icons."""

    def __init__(self, name: str, role: str):
        super().__init__()
        self._name, self._role = name, role
        self._sign = qtawesome.charmap(f"ph.{name}")

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        roles = theme.current()
        is_off = mode == QIcon.Mode.Disabled
        colour = QColor(roles.quiet_text if is_off else getattr(roles, self._role))
        if is_off:
            colour.setAlphaF(0.5)
        painter.save()
        painter.setFont(qtawesome.font("ph", round(rect.height() * 0.92)))
        painter.setPen(colour)
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), self._sign)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._role)


def icon(name: str, role: str = "text") -> QIcon:
    """An icon that follows the theme.

    Args:
        name: in Phosphor, such as "caret-left" or "check-circle-fill".
        role: field of `theme.Theme` that gives its colour.
    """
    qtawesome.font("ph", theme.ICON_SIZE)  # loads the font where this is the first icon
    return QIcon(_Engine(name, role))


class Picture(QWidget):
    """An icon that is no button.

    Args:
        name, role: as of `icon`.
        size: in logical pixels.
    """

    def __init__(self, name: str, role: str = "text", size: int = theme.ICON_SIZE):
        super().__init__()
        self._icon = icon(name, role)
        self.setFixedSize(size, size)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_icon(self, name: str, role: str = "text") -> None:
        """Show another one."""
        self._icon = icon(name, role)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The icon."""
        painter = QPainter(self)
        self._icon.paint(painter, self.rect())
