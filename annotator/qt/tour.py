"""A short walk around the window: a few cards beside what they explain; everything stays usable meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QWidget

from annotator.qt import theme
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row

_WIDTH, _GAP = 320, 12


@dataclass(frozen=True, slots=True)
class Stop:
    """One card.

    Attributes:
        target: what it explains.
        title, text: its words.
        show: brings the target to sight.
    """

    target: QWidget
    title: str
    text: str
    show: Callable[[], None] = lambda: None


class _Ring(QWidget):
    """A line around what is explained; the mouse goes through it."""

    def __init__(self, window: QWidget):
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.current().accent), 3))
        painter.drawRoundedRect(self.rect().adjusted(2, 2, -2, -2), 8, 8)


class Tour(QFrame):
    """Goes from stop to stop; Escape or the last button ends it.

    Args:
        window: that is shown.
        stops: in this order.
    """

    def __init__(self, window: QWidget, stops: Sequence[Stop]):
        super().__init__(window)
        self.setProperty("role", "palette")
        self.setObjectName("tour")
        self.setAccessibleName(tr("Show me around"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedWidth(_WIDTH)
        self._window, self._stops = window, stops
        self._ring = _Ring(window)
        self.place = 0
        self.title = label("", "title", wrap=True)
        self.text = label("", wrap=True)
        self.count = label("", "quiet")
        self.back = button(tr("Previous"), lambda: self._go(-1), role="flat", name="tour_back")
        self.next = button(tr("Next"), lambda: self._go(1), role="primary", name="tour_next")
        self.end_button = button(tr("End"), self.end, role="flat", name="tour_end")
        layout = column(self.title, self.text, margin=16, spacing=8)
        layout.addLayout(row(self.count, -1, self.end_button, self.back, self.next, spacing=4))
        self.setLayout(layout)
        self._column = layout
        window.installEventFilter(self)
        self._show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay beside the target when the window changes its size."""
        if event.type() == QEvent.Type.Resize:
            self._put()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows and Escape."""
        steps = {Qt.Key.Key_Right: 1, Qt.Key.Key_Return: 1, Qt.Key.Key_Enter: 1, Qt.Key.Key_Left: -1}
        if event.key() == Qt.Key.Key_Escape:
            self.end()
        elif event.key() in steps:
            self._go(steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def end(self) -> None:
        """Take it away."""
        self._window.removeEventFilter(self)
        for widget in (self._ring, self):
            widget.hide()
            widget.deleteLater()

    def _go(self, by: int) -> None:
        if self.place + by >= len(self._stops):
            self.end()
            return
        self.place = max(0, self.place + by)
        self._show()

    def _show(self) -> None:
        stop = self._stops[self.place]
        stop.show()
        self.title.setText(stop.title)
        self.text.setText(stop.text)
        self.count.setText(f"{self.place + 1} / {len(self._stops)}")
        self.back.setVisible(self.place > 0)
        last = self.place + 1 == len(self._stops)
        self.next.setText(tr("Start") if last else tr("Next"))
        self.end_button.setVisible(not last)
        self._put()
        for widget in (self._ring, self):
            widget.show()
            widget.raise_()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _put(self) -> None:
        """Beside the target where there is room, else inside of it; never outside of the window."""
        self._column.activate()
        self.resize(_WIDTH, max(self.sizeHint().height(), self.heightForWidth(_WIDTH)))
        target = self._stops[self.place].target
        corner = target.mapTo(self._window, QPoint(0, 0))
        place = QRect(corner, target.size())
        self._ring.setGeometry(place)
        room, y = self._window.rect(), place.top() + 24
        if place.right() + _GAP + _WIDTH < room.right():
            x = place.right() + _GAP
        elif place.left() - _GAP - _WIDTH > room.left():
            x = place.left() - _GAP - _WIDTH
        else:
            x = place.center().x() - _WIDTH // 2
        if place.height() < 80:
            y = place.bottom() + _GAP
        x = min(max(x, 8), room.right() - _WIDTH - 8)
        self.move(x, min(max(y, 8), room.bottom() - self.height() - 8))
