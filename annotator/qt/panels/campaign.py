"""Gain so far, effort so far: what corrections have brought, what pays off next, and whom to look at and why."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from annotator.campaign import Campaign, campaign
from annotator.project import open_project
from annotator.qt import theme
from annotator.qt.background import Background
from annotator.qt.session import Session
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row, short_name
from annotator.worklist import Entry, next_people, own_share

_LISTED = 20
_ENTRY, _SHOWN = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_MARGIN = 6
_WRAPPED = Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
_PLOT_HEIGHT = 130
_REST_MS = 200


class _EntryDelegate(QStyledItemDelegate):
    """Draws somebody: photo and gain in a line, below it the reasons, as many lines as they need."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        _, _, reasons = index.data(_SHOWN)
        metrics: QFontMetrics = option.fontMetrics  # type: ignore[attr-defined]
        width = self.parent().viewport().width()  # type: ignore[attr-defined]
        words = metrics.boundingRect(QRect(0, 0, width - 2 * _MARGIN, 10_000), _WRAPPED, reasons)
        return QSize(width, metrics.height() + words.height() + 2 * _MARGIN)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        photo, gain, reasons = index.data(_SHOWN)
        roles, state = theme.current(), option.state  # type: ignore[attr-defined]
        frame: QRect = option.rect  # type: ignore[attr-defined]
        painter.save()
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(roles.selection if state & QStyle.StateFlag.State_Selected else roles.hover))
            painter.drawRoundedRect(frame, 4, 4)
        place, metrics = frame.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN), painter.fontMetrics()
        name = short_name(photo, metrics, place.width() - metrics.horizontalAdvance(gain))
        painter.setPen(QColor(roles.text))
        painter.drawText(place, Qt.AlignmentFlag.AlignTop, name + gain)
        painter.setPen(QColor(roles.quiet_text))
        painter.drawText(place.adjusted(0, metrics.height(), 0, 0), _WRAPPED, reasons)
        painter.restore()


class CampaignPanel(QWidget):
    """How far the work is; read again when it is seen after something has changed.

    Args:
        session: of the project.
    """

    def __init__(self, session: Session):
        super().__init__()
        self._session = session
        self._beside = Background(self)
        self._is_stale, self._is_reading = True, False
        # While a window is put together panels are seen for a moment that are not looked at.
        self._waiting = QTimer(self, singleShot=True, interval=_REST_MS)
        self._waiting.timeout.connect(self._read)
        self._plot: Any = None
        self._curve: Any = None
        self.words = label("", wrap=True, name="campaign_words")
        self.advice = label("", "quiet", wrap=True, name="campaign_advice")
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Whom to look at next"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.list.setItemDelegate(_EntryDelegate(self.list))
        self.list.itemActivated.connect(self._go)
        self.go_button = button(tr("Go there"), lambda: self._go(self.list.currentItem()), name="campaign_go")
        self._layout = column(self.words, self.advice, margin=12)
        self._layout.addWidget(label(tr("Whom to look at next"), "title"))
        self._layout.addWidget(self.list, 1)
        self._layout.addLayout(row(self.go_button, -1))
        self.setLayout(self._layout)
        session.advised.connect(lambda _: self._changed())
        session.listed.connect(self._changed)
        theme.watch.changed.connect(self._colour)

    def close_reading(self) -> None:
        """Wait for what is being read; before the project is closed."""
        self._waiting.stop()
        self._beside.close()

    def showEvent(self, event) -> None:
        """Read it where it is seen for the first time, or has changed unseen."""
        super().showEvent(event)
        self._waiting.start()

    def _changed(self) -> None:
        self._is_stale = True
        self._waiting.start()

    def _read(self) -> None:
        if self._is_reading or not self._is_stale or not self.isVisible():
            return
        self._is_reading, self._is_stale = True, False
        folder = self._session.folder

        def look() -> tuple[Campaign, list[tuple[Entry, str]]]:
            # A door of its own: in a large project it takes a moment, and must hold up no edit.
            with open_project(folder, read_only=True) as project:
                queue = next_people(project, _LISTED, annotator=own_share(project))
                return campaign(project), [(entry, project.photo(entry.photo_id).name) for entry in queue]

        def arrived(found: tuple[Campaign, list[tuple[Entry, str]]]) -> None:
            self._is_reading = False
            self._show(*found)
            self._read()

        def failed(error: Exception) -> None:
            self._is_reading = False
            raise error  # to whoever shows problems

        self._beside.run(look, arrived, failed)

    def _show(self, now: Campaign, queue: list[tuple[Entry, str]]) -> None:
        ways = now.ways_mm
        parts = []
        if ways:
            parts.append(
                tr(
                    "People corrected: {people}. Actions: {actions}. Their joints moved by {mm:.0f} mm (median).",
                    people=len(now.corrections),
                    actions=now.effort[-1],
                    mm=sorted(ways)[len(ways) // 2],
                )
            )
        if now.recent_mm is not None:
            parts.append(tr("The last ten moved by {mm:.0f} mm.", mm=now.recent_mm))
        self.words.setText(" ".join(parts) or tr("Nobody was corrected yet."))
        enough = now.is_enough and not now.advice.refine
        self.advice.setText(
            tr("Corrections hardly bring anything now: the rest can be accepted unseen.")
            if enough
            else tr(now.advice.text)
        )
        self._draw(now)
        self.list.clear()
        for entry, photo in queue:
            gain = "" if entry.gain_mm is None else f" · {entry.gain_mm:.0f} mm"
            reasons = tr(entry.why).replace("; ", "\n").replace("；", "\n")
            item = QListWidgetItem(f"{photo}{gain}\n{reasons}")  # as a screen reader says it
            item.setData(_SHOWN, (photo, gain, reasons))
            item.setData(_ENTRY, entry)
            item.setToolTip(tr("What a look is expected to gain, and why"))
            self.list.addItem(item)
        self.go_button.setEnabled(bool(queue))

    def _draw(self, now: Campaign) -> None:
        if not now.ways_mm:
            if self._plot is not None:
                self._plot.hide()
            return
        if self._plot is None:
            import pyqtgraph

            self._plot = plot = pyqtgraph.PlotWidget()
            plot.setFixedHeight(_PLOT_HEIGHT)
            plot.setMenuEnabled(False)
            plot.setMouseEnabled(False, False)
            plot.hideButtons()
            for side in ("left", "bottom"):
                plot.getAxis(side).enableAutoSIPrefix(False)
            plot.setAccessibleName(tr("Gain so far by effort so far"))
            self._curve = plot.plot([], [])
            self._colour()
            self._layout.insertWidget(2, plot)
        self._plot.show()
        self._curve.setData([0, *now.effort], [0.0, *now.gain_mm])

    def _colour(self) -> None:
        """The plot in the colours of the theme."""
        if self._plot is None:
            return
        roles = theme.current()
        self._plot.setBackground(roles.background)
        self._plot.setLabel("bottom", tr("actions"), color=roles.quiet_text)
        self._plot.setLabel("left", tr("gain, mm"), color=roles.quiet_text)
        for side in ("left", "bottom"):
            self._plot.getAxis(side).setPen(roles.hairline)
            self._plot.getAxis(side).setTextPen(roles.quiet_text)
        self._curve.setPen(QColor(roles.accent), width=2)

    def _go(self, item: QListWidgetItem | None) -> None:
        item = item or self.list.item(0)
        if item is not None:
            entry: Entry = item.data(_ENTRY)
            self._session.go(entry.photo_id, entry.person_id)
