"""The photo list: filter, search, order, small pictures with the state of everybody on them, and the progress."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSignalBlocker,
    QSize,
    Qt,
    QTimer,
)
from PySide6.QtGui import QActionGroup, QColor, QFontMetrics, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QMenu,
    QProgressBar,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QWidget,
)

from annotator.document import Change
from annotator.project.queries import Show
from annotator.project.state import Photo
from annotator.qt import theme
from annotator.qt.browsing import CRITERIA
from annotator.qt.icons import icon
from annotator.qt.panels.photo_model import PHOTO_ROLE, ROW_HEIGHT, THUMBNAIL_ROLE, PhotoModel
from annotator.qt.session import Session
from annotator.qt.strings import tr
from annotator.qt.thumbnails import Thumbnails
from annotator.qt.widgets import EmptyState, button, column, label, row, short_name
from annotator.worklist import INSIDE, SUSPICION, Advice

_PICTURE = QSize(76, 54)
_DOT = 9
_MOST_DOTS = 9


def show_names() -> dict[Show, str]:
    """What the filters are called."""
    return {
        Show.ALL: tr("All photos"),
        Show.UNFINISHED: tr("Not finished"),
        Show.DONE: tr("Done"),
        Show.EDITED: tr("Edited by a person"),
        Show.ACCEPTED: tr("Accepted"),
        Show.REJECTED: tr("Rejected"),
        Show.NOBODY: tr("Nobody on them"),
        Show.COMMENTED: tr("With open comments"),
    }


def draw_state(painter: QPainter, centre: QPointF, state: str, size: float = _DOT) -> None:
    """One person's state, by shape and colour: ring, half, disc, tick, cross.

    Args:
        painter: with antialiasing.
        centre: of the mark.
        state: "proposed", "in progress", "done", "accepted" or "rejected".
        size: its diameter.
    """
    roles = theme.current()
    colour = QColor({"accepted": roles.good, "rejected": roles.bad, "done": roles.accent}.get(state, roles.quiet_text))
    radius = size / 2
    circle = QRectF(centre.x() - radius, centre.y() - radius, size, size)
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if state == "rejected":
        inner = radius * 0.75
        painter.setPen(QPen(colour, 2))
        for sign in (1, -1):
            painter.drawLine(
                QPointF(centre.x() - inner, centre.y() - sign * inner),
                QPointF(centre.x() + inner, centre.y() + sign * inner),
            )
        return
    if state in ("done", "accepted"):
        painter.setBrush(colour)
    painter.drawEllipse(circle)
    if state == "in progress":
        painter.setBrush(colour)
        painter.drawPie(circle, 90 * 16, 180 * 16)
    if state == "accepted":
        painter.setPen(QPen(QColor(roles.panel), 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(
            [
                centre + QPointF(-0.5, 0.02) * radius,
                centre + QPointF(-0.1, 0.42) * radius,
                centre + QPointF(0.55, -0.4) * radius,
            ]
        )


def states_on(photo: Photo) -> list[str]:
    """The states of the people on a photo, from its counts: reviewed first, then done, then the rest."""
    done = max(0, photo.done - photo.accepted)  # who is rejected is not done
    rest = max(0, photo.people - photo.accepted - photo.rejected - done)
    return ["rejected"] * photo.rejected + ["accepted"] * photo.accepted + ["done"] * done + ["proposed"] * rest


class _PhotoDelegate(QStyledItemDelegate):
    """Draws one row."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(120, ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        roles = theme.current()
        place: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(place).adjusted(4, 2, -4, -2)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(roles.selection if chosen else roles.hover))
            painter.drawRoundedRect(frame, 6, 6)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(roles.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        picture = QRectF(
            frame.left() + 4, frame.center().y() - _PICTURE.height() / 2, _PICTURE.width(), _PICTURE.height()
        )
        self._draw_picture(painter, picture, index.data(THUMBNAIL_ROLE))
        photo: Photo | None = index.data(PHOTO_ROLE)
        if photo is not None:
            text = QRectF(picture.right() + 8, picture.top(), frame.right() - picture.right() - 14, picture.height())
            self._draw_text(painter, text, photo)
        painter.restore()

    def _draw_picture(self, painter: QPainter, place: QRectF, pixmap: QPixmap | None) -> None:
        roles = theme.current()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(roles.background))
        painter.drawRoundedRect(place, 4, 4)
        if pixmap is None:
            return
        if pixmap.isNull():  # the file is gone, or no picture
            icon("image", "quiet_text").paint(painter, place.toRect().adjusted(24, 14, -24, -14))
            return
        size = QSize(pixmap.size()).scaled(place.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRectF(0, 0, size.width(), size.height())
        target.moveCenter(place.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(target, pixmap, QRectF(pixmap.rect()))

    def _draw_text(self, painter: QPainter, place: QRectF, photo: Photo) -> None:
        roles = theme.current()
        metrics = QFontMetrics(painter.font())
        painter.setPen(QColor(roles.text))
        name = short_name(photo.name, metrics, place.width())
        painter.drawText(place.adjusted(0, 4, 0, 0), Qt.AlignmentFlag.AlignTop, name)
        baseline = place.bottom() - 12
        states = states_on(photo)
        shown = states[:_MOST_DOTS]
        for number, state in enumerate(shown):
            draw_state(painter, QPointF(place.left() + _DOT / 2 + 1 + number * (_DOT + 4), baseline), state)
        words = ""
        if len(states) > len(shown):
            words = f"+{len(states) - len(shown)}"
        elif not states:
            words = tr("nobody, checked") if photo.is_empty else tr("nobody yet")
        if words:
            painter.setPen(QColor(roles.quiet_text))
            left = place.left() + len(shown) * (_DOT + 4) + (4 if shown else 0)
            painter.drawText(
                QRectF(left, baseline - 10, place.right() - left, 20), Qt.AlignmentFlag.AlignVCenter, words
            )


class PhotoList(QWidget):
    """Panel of the photos; choosing one opens it.

    Args:
        session: has the list, and does what is asked.
        thumbnails: makes the pictures.
    """

    def __init__(self, session: Session, thumbnails: Thumbnails):
        super().__init__()
        self.setObjectName("photo_list")
        self._session = session
        self._follows = False
        self._browsing = session.browsing
        self.model = PhotoModel(session, thumbnails)
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search by name"))
        self.search.setAccessibleName(tr("Search by name"))
        self.search.setClearButtonEnabled(True)
        self._typing = QTimer(self, singleShot=True, interval=150)
        self.search.textChanged.connect(lambda: self._typing.start())
        self.search.returnPressed.connect(self._leave_search)
        self._typing.timeout.connect(lambda: session.search(self.search.text().strip()))
        self.filter = QComboBox()
        self.filter.setAccessibleName(tr("Which photos"))
        for show, words in show_names().items():
            self.filter.addItem(words, show)
        self.filter.setCurrentIndex(self.filter.findData(session.browsing.view.show))
        self.filter.activated.connect(lambda: session.show(self.filter.currentData()))
        self.order = QToolButton()
        self.order.setObjectName("worst_first")
        self.order.setProperty("role", "segment")
        self.order.setCheckable(True)
        self.order.setChecked(session.browsing.worst_first)
        self.order.setIcon(icon("sort-descending"))
        self.order.setToolTip(tr("Worst first: where a look is worth most"))
        self.order.setAccessibleName(tr("Worst first"))
        self.order.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.order.setMenu(self._criteria())
        self.order.toggled.connect(lambda is_on: session.sort(is_on))
        # A table of one column: unlike a list view it asks nothing of rows that are out of sight.
        self.list = QTableView()
        self.list.setObjectName("photo_rows")
        self.list.setAccessibleName(tr("Photos"))
        self.list.setShowGrid(False)
        self.list.setWordWrap(False)
        self.list.setTabKeyNavigation(False)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.horizontalHeader().hide()
        self.list.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.list.verticalHeader().hide()
        self.list.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.list.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.verticalScrollBar().setSingleStep(ROW_HEIGHT // 2)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.setItemDelegate(_PhotoDelegate(self.list))
        self.list.setModel(self.model)
        self.list.selectionModel().currentChanged.connect(self._chosen)
        self.list.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.empty = EmptyState("funnel", "", "", tr("Show all photos"), self._show_all)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.list)
        self.pages.addWidget(self.empty)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress of the project"))
        self.progress = label("", "quiet")
        head = column(self.search, margin=theme.GRID)
        head.addLayout(row(self.filter, self.order))
        head.setStretch(0, 0)
        self.filter.setSizePolicy(self.search.sizePolicy())
        self.advice = label("", "quiet", wrap=True, name="advice")
        self.refine = button(tr("Refine dataset…"), role="link", name="refine_now")
        self.refine.hide()
        foot = column(self.progress, self.bar, self.advice, margin=theme.GRID, spacing=6)
        foot.addWidget(self.refine, 0, Qt.AlignmentFlag.AlignLeft)
        layout = column(spacing=0)
        layout.addLayout(head)
        layout.addWidget(self.pages, 1)
        layout.addLayout(foot)
        self.setLayout(layout)
        self.setMinimumWidth(200)
        session.listed.connect(self._listed)
        session.counted.connect(self._counted)
        session.advised.connect(self._advised)
        session.document.observe(self._changed)

    def _criteria(self) -> QMenu:
        """What "worst" means."""
        menu, group = QMenu(self), QActionGroup(self)
        words = {SUSPICION: tr("Largest expected error"), INSIDE: tr("Deepest inside their own body")}
        for criterion in CRITERIA:
            action = menu.addAction(words[criterion], partial(self._worst_by, criterion))
            action.setCheckable(True)
            action.setChecked(criterion == self._session.browsing.criterion)
            group.addAction(action)
        return menu

    def _worst_by(self, criterion: str) -> None:
        self._session.sort(True, criterion)
        with QSignalBlocker(self.order):
            self.order.setChecked(True)

    def begin_search(self) -> None:
        """Put the cursor into the search field."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _leave_search(self) -> None:
        self._typing.stop()
        self._session.search(self.search.text().strip())
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_all(self) -> None:
        self.search.clear()
        self._typing.stop()
        self.filter.setCurrentIndex(0)
        self._session.search("")
        self._session.show(Show.ALL)

    def _chosen(self, current: QModelIndex) -> None:
        number = self.model.photo_id(current.row()) if current.isValid() else None
        photo = self._session.document.photo
        if number is not None and not self._follows and (photo is None or photo.id != number):
            self._session.go(number)

    def _changed(self, change: Change) -> None:
        if Change.PHOTO in change:
            self._follow()

    def _follow(self) -> None:
        """Mark the open photo in the list, and scroll to it if it is out of sight."""
        place = self._session.row
        self._follows = True
        if place >= 0:
            index = self.model.index(place)
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)
        else:
            self.list.selectionModel().clear()
        self._follows = False

    def _listed(self) -> None:
        view, before, self._browsing = self._session.browsing.view, self._browsing, self._session.browsing
        self.pages.setCurrentWidget(self.list if self._session.ids else self.empty)
        if self._session.ids:
            self._follow()
            if before != self._browsing and self._session.row < 0:
                self.list.scrollToTop()  # what was found begins with the first one
            return
        filtered = bool(view.containing) or view.show is not Show.ALL or self._session.browsing.worst_first
        if not filtered:
            self.empty.say(
                tr("No photos yet"), tr("Drop photos or a folder here, or choose Add photos in the File menu.")
            )
        elif view.containing:
            self.empty.say(
                tr("No name has “{letters}” in it", letters=view.containing),
                tr("The filter is “{filter}”.", filter=self.filter.currentText()),
                tr("Show all photos"),
            )
        elif self._session.browsing.worst_first and self._session.browsing.criterion == INSIDE:
            self.empty.say(
                tr("No body is inside itself"),
                tr("Only people who are not done and were measured count. Propose or refine to measure them."),
            )
        elif self._session.browsing.worst_first and view.show is Show.ALL:
            self.empty.say(
                tr("Nobody to worry about"),
                tr("“Worst first” lists people who are not done and were measured. Propose or refine to measure them."),
            )
        else:
            self.empty.say(
                tr("No photo is here"),
                tr("The filter is “{filter}”.", filter=self.filter.currentText()),
                tr("Show all photos"),
            )

    def _advised(self, advice: Advice) -> None:
        self.advice.setText(tr(advice.text))
        self.refine.setVisible(advice.refine and not self._session.read_only)

    def _counted(self) -> None:
        counts = self._session.counts
        assert counts is not None
        share = counts.done / counts.people if counts.people else 0.0
        self.bar.setMaximum(max(1, counts.people))
        self.bar.setValue(counts.done)
        if counts.people:
            words = (
                tr("{share}% done", share=f"{100 * share:.0f} ")
                + " · "
                + tr("{done} of {people} people", done=f"{counts.done:,}", people=f"{counts.people:,}")
            )
        else:
            words = tr("{photos} photos, nobody found yet", photos=f"{counts.photos:,}")
        self.progress.setText(words)
        parts = [
            tr("{count} proposed", count=counts.proposed),
            tr("{count} in progress", count=counts.in_progress),
            tr("{count} done", count=counts.done),
            tr("{count} accepted", count=counts.accepted),
            tr("{count} rejected", count=counts.rejected),
        ]
        self.progress.setToolTip("\n".join(parts))
