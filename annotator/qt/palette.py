"""The command palette: every action by typing some letters of it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QVBoxLayout,
    QWidget,
)

from annotator.qt import theme
from annotator.qt.action_list import ActionSpec
from annotator.qt.actions import Actions, shown_key
from annotator.qt.strings import tr

_WIDTH, _ROWS, _ROW = 560, 10, 34
_ID = Qt.ItemDataRole.UserRole


def match(letters: str, text: str) -> float | None:
    """How well letters, in this order, are found in a text: lower is better; `None` if they are not.

    Beginnings of words and letters next to each other count most.
    """
    letters, text = letters.lower().replace(" ", ""), text.lower()
    score, place, before = 0.0, 0, -2
    for letter in letters:
        starts = [n for n in range(place, len(text)) if text[n] == letter]
        if not starts:
            return None
        close = starts[0]
        if close == before + 1:
            found, cost = close, 0.0
        else:
            words = [n for n in starts if n == 0 or not text[n - 1].isalnum()]
            found, cost = (words[0], 0.5) if words else (close, 2.0)
            cost += 0.01 * (found - place)
        score += cost
        before, place = found, found + 1
    return score + 0.005 * len(text)


class Palette(QFrame):
    """Floats above the window; Return does what is chosen, Escape closes.

    Args:
        window: it belongs to.
        actions: what can be found.
    """

    def __init__(self, window: QWidget, actions: Actions):
        super().__init__(window)
        self._parent = window
        self.setProperty("role", "palette")
        self.setObjectName("palette")
        self.setAccessibleName(tr("Command palette"))
        self._actions = actions
        self._before: QWidget | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Type what you want to do"))
        self.search.setAccessibleName(tr("Search in actions"))
        self.search.textChanged.connect(self._fill)
        self.search.installEventFilter(self)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Actions"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setItemDelegate(_Row(self.list))
        self.list.itemClicked.connect(self._do)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.search)
        layout.addWidget(self.list)
        self.hide()

    def open(self) -> None:
        """Show it, empty."""
        self._before = self.window().focusWidget()
        width = min(_WIDTH, self._parent.width() - 40)
        self.setGeometry((self._parent.width() - width) // 2, 60, width, 64 + _ROWS * _ROW)
        self.search.clear()
        self._fill()
        self.show()
        self.raise_()
        self.search.setFocus(Qt.FocusReason.PopupFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows move in the list while one types; leaving the field closes the palette."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key = event.key()
            if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                count = max(1, self.list.count())
                self.list.setCurrentRow((self.list.currentRow() + (1 if key == Qt.Key.Key_Down else -1)) % count)
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._do(self.list.currentItem())
                return True
            if key == Qt.Key.Key_Escape:
                self._close()
                return True
        if event.type() == QEvent.Type.FocusOut and self.isVisible():
            self.hide()
        return super().eventFilter(watched, event)

    def _fill(self) -> None:
        letters = self.search.text()
        found: list[tuple[float, int, ActionSpec]] = []
        for number, spec in enumerate(self._actions.available()):
            if spec.id == "edit.palette":
                continue
            action = self._actions[spec.id]
            scores = [match(letters, action.text()), match(letters, f"{tr(spec.menu)} {action.text()}")]
            if tr(spec.text) != spec.text:
                scores.append(match(letters, spec.text))
            best = min((score for score in scores if score is not None), default=None)
            if best is not None:
                found.append((best + (0 if action.isEnabled() else 100), number, spec))
        self.list.clear()
        for _, _, spec in sorted(found, key=lambda entry: entry[:2]) if letters else found:
            action = self._actions[spec.id]
            item = QListWidgetItem(action.icon(), action.text().rstrip("…"))
            item.setData(_ID, (spec.id, tr(spec.menu), " / ".join(map(shown_key, self._actions.key_map.keys(spec.id)))))
            if not action.isEnabled():
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        rows = max(1, min(_ROWS, self.list.count()))
        self.resize(self.width(), self.search.sizeHint().height() + rows * _ROW + 40)

    def _do(self, item: QListWidgetItem | None) -> None:
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        self._close()
        self._actions[item.data(_ID)[0]].trigger()

    def _close(self) -> None:
        self.hide()
        if self._before is not None:
            self._before.setFocus(Qt.FocusReason.PopupFocusReason)


class _Row(QStyledItemDelegate):
    """Icon and words left, menu and key right."""

    def sizeHint(self, option, index) -> QSize:
        return QSize(100, _ROW)

    def paint(self, painter: QPainter, option, index) -> None:
        roles = theme.current()
        rect: QRect = option.rect
        enabled = bool(index.flags() & Qt.ItemFlag.ItemIsEnabled)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & option.state.State_Selected:
            painter.setBrush(QColor(roles.selection))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), 6, 6)
        icon = index.data(Qt.ItemDataRole.DecorationRole)
        if icon is not None:
            icon.paint(painter, QRect(rect.left() + 10, rect.center().y() - 8, 18, 18))
        _, menu, keys = index.data(_ID)
        painter.setPen(QColor(roles.text if enabled else roles.quiet_text))
        words = rect.adjusted(40, 0, -12, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(words, int(middle | Qt.AlignmentFlag.AlignLeft), index.data())
        painter.setPen(QColor(roles.quiet_text))
        right = f"{menu}    {keys}" if keys else menu
        painter.drawText(words, int(middle | Qt.AlignmentFlag.AlignRight), right)
        painter.restore()
