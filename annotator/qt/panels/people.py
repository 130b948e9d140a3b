"""Who is on the photo, with points and joints as a tree; choosing a row selects the same thing on the canvas."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QToolButton, QTreeWidget, QTreeWidgetItem, QWidget

from annotator.document import Change, Document, Part, PartKind
from annotator.project.state import Person
from annotator.qt import theme
from annotator.qt.actions import Actions
from annotator.qt.panels.photo_list import draw_state
from annotator.qt.strings import tr
from annotator.qt.widgets import EmptyState, column, row
from cliff_core.records import Provenance
from cliff_core.rendering.theme import person_colour, side_colour
from cliff_core.skeletons import JOINT_SETS, SMPL24

_WHAT = Qt.ItemDataRole.UserRole
_TOOLS = ("person.add", "person.duplicate", "person.remove", "person.earlier", "person.later")


def words_of(name: str) -> str:
    """A point's or joint's name as people say it."""
    return tr(name.replace("_", " "))


def state_words(person: Person) -> str:
    """How far somebody is, in words."""
    verdicts = {"accepted": tr("accepted"), "rejected": tr("rejected")}
    states = {"proposed": tr("proposed"), "in progress": tr("in progress"), "done": tr("done")}
    return verdicts.get(person.verdict) or states[person.state]


@cache
def mark_icon(shape: str, colour: str, background: str) -> QIcon:
    """A small mark: "visible", "hidden", "absent", "joint", or somebody's state.

    Args:
        shape: which.
        colour: #RRGGBB; of states their own.
        background: of the panel; part of the key, because ticks are drawn in it.
    """
    pixmap = QPixmap(32, 32)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    centre = QPointF(16, 16)
    pen = QPen(QColor(colour), 3)
    if shape in ("proposed", "in progress", "done", "accepted", "rejected"):
        painter.scale(2, 2)
        draw_state(painter, QPointF(8, 8), shape, 10)
    elif shape == "absent":
        painter.setPen(pen)
        painter.drawLine(11, 11, 21, 21)
        painter.drawLine(21, 11, 11, 21)
    elif shape == "joint":
        painter.setPen(pen)
        painter.drawRect(QRectF(11, 11, 10, 10))
    else:
        painter.setPen(pen)
        painter.setBrush(QColor(colour) if shape == "visible" else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(centre, 7, 7)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return QIcon(pixmap)


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02X}{:02X}{:02X}".format(*rgb)


class PeoplePanel(QWidget):
    """The tree.

    Args:
        document: the open photo.
        actions: adding, removing, reordering.
    """

    def __init__(self, document: Document, actions: Actions):
        super().__init__()
        self._document = document
        self._follows = False
        self._shown: tuple[Person, ...] | None = None
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setColumnCount(2)
        self.tree.setIconSize(QSize(16, 16))
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName(tr("People and joints"))
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, self.tree.header().ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, self.tree.header().ResizeMode.ResizeToContents)
        self.tree.currentItemChanged.connect(self._chosen)
        self.empty = EmptyState(
            "users",
            tr("Nobody here yet"),
            tr("Draw a box around somebody, or say that nobody is here."),
            tr("Add a person"),
            actions["person.add"].trigger,
        )
        tools = row(margin=4, spacing=2)
        for name in _TOOLS:
            tool = QToolButton()
            tool.setDefaultAction(actions[name])
            tool.setIconSize(QSize(18, 18))
            tools.addWidget(tool)
        tools.addStretch(1)
        layout = column(spacing=0)
        layout.addLayout(tools)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.empty, 1)
        self.setLayout(layout)
        document.observe(self._changed)
        self._fill()

    def _changed(self, change: Change) -> None:
        if change & (Change.PHOTO | Change.PEOPLE) and self.isVisible():
            self._fill()
        if change & Change.SELECTION:
            self._follow()

    def showEvent(self, event) -> None:
        """Fill it where people changed unseen."""
        super().showEvent(event)
        self._fill()

    def _fill(self) -> None:
        people = self._document.people
        if people is self._shown:
            return
        open_rows = {item.data(0, _WHAT)[0] for item in self._rows() if item.isExpanded()}
        place = self.tree.verticalScrollBar().value()
        self._shown = people
        self._follows = True
        self.tree.clear()
        for number, person in enumerate(people):
            item = self._person_item(number, person)
            self.tree.addTopLevelItem(item)
            item.setExpanded(person.id in open_rows)
        self._follows = False
        self.tree.setVisible(bool(people))
        self.empty.setVisible(not people)
        self.tree.verticalScrollBar().setValue(place)
        self._follow()

    def _person_item(self, number: int, person: Person) -> QTreeWidgetItem:
        panel = theme.current().panel
        item = QTreeWidgetItem([tr("Person {number}", number=number + 1), state_words(person)])
        item.setData(0, _WHAT, (person.id, None))
        item.setIcon(0, mark_icon("visible", _hex(person_colour(number)), panel))
        state = person.verdict or person.state
        item.setIcon(1, mark_icon(state, theme.current().text, panel))
        item.setToolTip(1, person.reason)
        bold = QFont(self.tree.font())
        bold.setBold(True)
        item.setFont(0, bold)
        keypoints = person.main_keypoints
        if keypoints is not None:
            names = JOINT_SETS[keypoints.joint_set].names
            words = {0: tr("absent"), 1: tr("hidden"), 2: tr("visible")}
            group = QTreeWidgetItem([tr("2D points"), f"{int((keypoints.visibility > 0).sum())} / {len(names)}"])
            group.setData(0, _WHAT, (person.id, None))
            for place, name in enumerate(names):
                seen = int(keypoints.visibility[place])
                by_hand = keypoints.source[place] is Provenance.HUMAN
                point = self._part_item(person, PartKind.POINT, name, words[seen], by_hand)
                shape = ("absent", "hidden", "visible")[seen]
                point.setIcon(0, mark_icon(shape, _hex(side_colour(name)), panel))
                group.addChild(point)
            item.addChild(group)
            group.setExpanded(True)
        body = person.body
        if body is not None:
            group = QTreeWidgetItem([tr("Joints"), ""])
            group.setData(0, _WHAT, (person.id, None))
            for place, name in enumerate(SMPL24.names):
                by_hand = body.pose_source[place] is Provenance.HUMAN
                joint = self._part_item(person, PartKind.JOINT, name, tr("by hand") if by_hand else "", by_hand)
                joint.setIcon(0, mark_icon("joint", _hex(side_colour(name)), panel))
                group.addChild(joint)
            item.addChild(group)
        return item

    def _part_item(self, person: Person, kind: PartKind, name: str, words: str, by_hand: bool) -> QTreeWidgetItem:
        item = QTreeWidgetItem([words_of(name), words])
        item.setData(0, _WHAT, (person.id, Part(kind, name)))
        item.setForeground(1, QColor(theme.current().quiet_text))
        if by_hand:
            font = QFont(self.tree.font())
            font.setBold(True)
            item.setFont(0, font)
            item.setToolTip(0, tr("Set by a person"))
        return item

    def _rows(self) -> list[QTreeWidgetItem]:
        items = [self.tree.topLevelItem(number) for number in range(self.tree.topLevelItemCount())]
        return [item for item in items if item is not None]

    def _chosen(self, item: QTreeWidgetItem | None) -> None:
        if item is not None and not self._follows:
            self._document.select(*item.data(0, _WHAT))

    def _follow(self) -> None:
        """Mark what is selected on the canvas."""
        wanted = (self._document.selected, self._document.part)
        current = self.tree.currentItem()
        if current is not None and current.data(0, _WHAT) == wanted:
            return
        self._follows = True
        for item in self._rows():
            if item.data(0, _WHAT)[0] == wanted[0]:
                self.tree.setCurrentItem(_find(item, wanted) or item)
        self._follows = False


def _find(item: QTreeWidgetItem, wanted: tuple) -> QTreeWidgetItem | None:
    if item.data(0, _WHAT) == wanted:
        return item
    for number in range(item.childCount()):
        found = _find(item.child(number), wanted)
        if found is not None:
            return found
    return None
