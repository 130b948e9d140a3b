"""Small pieces that panels and dialogs are made of, so that all of them look alike."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from annotator.qt import theme
from annotator.qt.icons import Picture, icon


def label(text: str = "", role: str = "", *, wrap: bool = False, name: str = "") -> QLabel:
    """Words; `role` is one of those in the style sheet: heading, title, quiet, good, bad, key."""
    words = QLabel(text)
    words.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        words.setProperty("role", role)
    words.setWordWrap(wrap)
    if name:
        words.setObjectName(name)
    return words


def short_name(name: str, metrics: QFontMetrics, width: float) -> str:
    """A photo's name in a width: folders go first, since the last part tells photos apart."""
    if metrics.horizontalAdvance(name) <= width:
        return name
    return metrics.elidedText(name.rsplit("/", 1)[-1], Qt.TextElideMode.ElideMiddle, int(width))


def set_role(widget: QWidget, role: str) -> None:
    """Change the look of a widget that is shown already."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def button(
    text: str,
    do: Callable[[], object] | None = None,
    *,
    role: str = "",
    picture: str = "",
    name: str = "",
    tip: str = "",
) -> QPushButton:
    """A button; `role` is one of primary, flat, view, link, or empty; `picture` names an icon."""
    made = QPushButton(f" {text}" if picture and text else text)
    if role:
        made.setProperty("role", role)
    if picture:
        made.setIcon(icon(picture, {"primary": "on_accent", "link": "accent"}.get(role, "text")))
        made.setIconSize(QSize(18, 18))
    if name:
        made.setObjectName(name)
    if tip:
        made.setToolTip(tip)
    made.setAccessibleName(text or tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the canvas
    if do is not None:
        made.clicked.connect(lambda: do())
    return made


def column(*parts: QWidget | int, margin: int = 0, spacing: int = theme.GRID) -> QVBoxLayout:
    """Widgets below each other; a number is a gap, -1 takes what space is left."""
    layout = QVBoxLayout()
    _fill(layout, parts, margin, spacing)
    return layout


def row(*parts: QWidget | int, margin: int = 0, spacing: int = theme.GRID) -> QHBoxLayout:
    """Widgets beside each other; a number is a gap, -1 takes what space is left."""
    layout = QHBoxLayout()
    _fill(layout, parts, margin, spacing)
    return layout


def _fill(layout: QVBoxLayout | QHBoxLayout, parts: tuple[QWidget | int, ...], margin: int, spacing: int) -> None:
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(spacing)
    for part in parts:
        if isinstance(part, int):
            if part < 0:
                layout.addStretch(1)
            else:
                layout.addSpacing(part)
        else:
            layout.addWidget(part)


def line() -> QFrame:
    """A hairline."""
    made = QFrame()
    made.setProperty("role", "line")
    return made


class EmptyState(QWidget):
    """What stands where nothing is: a picture, a sentence, and what to do about it.

    Args:
        picture: an icon's name.
        title: one line.
        text: what to do, in a sentence or two.
        action: words of the button; without them there is none.
        do: what it does.
    """

    def __init__(
        self, picture: str, title: str, text: str = "", action: str = "", do: Callable[[], object] | None = None
    ):
        super().__init__()
        self._picture = Picture(picture, "quiet_text", 40)
        self.title = label(title, "title", wrap=True)
        self.text = label(text, "quiet", wrap=True)
        self.button = button(action, do, name="empty_action")
        if not action:  # it is never shown before it has a parent: it would be a window of its own
            self.button.hide()
        layout = column(-1, margin=3 * theme.GRID, spacing=theme.GRID)
        centre = Qt.AlignmentFlag.AlignHCenter
        for words in (self.title, self.text):
            words.setAlignment(centre)
        layout.addWidget(self._picture, 0, centre)
        layout.addWidget(self.title)
        layout.addWidget(self.text)
        layout.addWidget(self.button, 0, centre)
        layout.addStretch(2)
        self.setLayout(layout)

    def say(self, title: str, text: str = "", action: str = "") -> None:
        """Other words."""
        self.title.setText(title)
        self.text.setText(text)
        self.text.setVisible(bool(text))
        self.button.setText(action)
        self.button.setVisible(bool(action))
