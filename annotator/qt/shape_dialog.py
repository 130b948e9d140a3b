"""One person on several photos has one shape: who else is this person, and may have it too.

The project does not know who is the same on two photos, so the person says it, by looking at pictures of everybody on
the photos around this one in its folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QCheckBox, QDialog, QLabel, QListWidget, QListWidgetItem, QWidget

from annotator import edits
from annotator.figures import Figure
from annotator.project import Project
from annotator.project.draft import Command
from annotator.project.state import Person, Photo
from annotator.qt.desk import Desk, Ticket
from annotator.qt.panels.people import state_words
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row
from annotator.qt.workspace import Workspace
from cliff_core.detection.overlaps import pairwise_iou
from cliff_core.images import read_image
from cliff_core.records import Box

_AROUND = 30  # photos before, and photos after
_PICTURE = QSize(96, 128)
_SAME_PLACE = 0.4  # overlap with the box on the photo before
_ROOM = 0.06  # around a box, of its longer side
_CANDIDATE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be the same person.

    Attributes:
        person: who.
        photo: the photo that they are on.
        file: where that photo lies.
        away: how many photos away; negative before.
    """

    person: Person
    photo: Photo
    file: Path
    away: int

    @property
    def is_finished(self) -> bool:
        """Whether they are only changed if the person wants that of finished people too."""
        return self.person.state == "done" or self.person.verdict == "accepted"


def people_around(project: Project, photo_id: int, around: int = _AROUND) -> list[Candidate]:
    """Everybody with a body on the photos next to one by name in its folder, in the order of the photos."""
    name = project.photo(photo_id).name
    folder, found = name.rpartition("/")[0], []
    for compare, order, step in (("<", "DESC", -1), (">", "ASC", 1)):
        rows = project.database.rows(
            f"SELECT id FROM photo WHERE NOT excluded AND name {compare} ? ORDER BY name {order} LIMIT ?",
            [name, around],
        )
        for place, (number,) in enumerate(rows, 1):
            photo = project.photo(number)
            if photo.name.rpartition("/")[0] != folder:
                break
            file = project.photo_file(number)
            people = [person for person in project.people_on(number) if person.body is not None]
            found += [Candidate(person, photo, file, step * place) for person in people]
    return sorted(found, key=lambda each: each.away)


def same_place(box: Box | None, candidates: Sequence[Candidate]) -> set[int]:
    """Numbers of those who stand where somebody stood on the photo before, and so on from photo to photo."""
    chosen: set[int] = set()
    for step in (-1, 1):
        last, away = box, step
        while last is not None:
            here = [each for each in candidates if each.away == away and each.person.box is not None]
            boxes = [each.person.box.xyxy for each in here if each.person.box is not None]
            overlaps = pairwise_iou(last.xyxy[None], np.stack(boxes))[0] if boxes else np.zeros(0)
            if not len(overlaps) or overlaps.max() < _SAME_PLACE:
                break
            best = here[int(overlaps.argmax())]
            chosen.add(best.person.id)
            last, away = best.person.box, away + step
    return chosen


def picture_of(file: Path, box: Box | None, size: QSize) -> QImage:
    """Somebody cut out of their photo, as large as fits, upright."""
    rgb = read_image(file)
    height, width = rgb.shape[:2]
    if box is not None:
        room = _ROOM * max(box.width, box.height)
        x0, y0 = max(0, int(box.x0 - room)), max(0, int(box.y0 - room))
        x1, y1 = min(width, int(box.x1 + room) + 1), min(height, int(box.y1 + room) + 1)
        if x1 - x0 > 1 and y1 - y0 > 1:
            rgb = rgb[y0:y1, x0:x1]
    scale = min(size.width() / rgb.shape[1], size.height() / rgb.shape[0])
    new = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    small = np.ascontiguousarray(cv2.resize(rgb, new, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))
    return QImage(small.tobytes(), new[0], new[1], 3 * new[0], QImage.Format.Format_RGB888).copy()


class ShapeDialog(QDialog):
    """Shows who may be the same person; those chosen get the shape in one step of undo.

    Args:
        parent: the window.
        workspace: its selected person gives the shape.
        desk: of the project.
    """

    def __init__(self, parent: QWidget, workspace: Workspace, desk: Desk):
        super().__init__(parent)
        figure = workspace.figure
        assert figure is not None
        self._workspace, self._desk, self._source = workspace, desk, figure
        self._candidates: list[Candidate] = []
        self._tickets: list[Ticket] = []
        self._is_over = False
        self.setWindowTitle(tr("Same shape elsewhere"))
        self.setObjectName("shape_dialog")
        self.resize(828, 640)
        self.lead = label(tr("Looking for people…"), "quiet", wrap=True)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("People who may be the same"))
        self.list.setViewMode(QListWidget.ViewMode.IconMode)
        self.list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.list.setMovement(QListWidget.Movement.Static)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        self.list.setUniformItemSizes(True)
        self.list.setWordWrap(True)
        self.list.setSpacing(4)
        self.list.setIconSize(_PICTURE)
        self.list.itemSelectionChanged.connect(self._count)
        self.finished_too = QCheckBox(tr("Also people who are done or accepted; an acceptance is taken back"))
        self.finished_too.toggled.connect(self._allow)
        self.everybody = button(tr("Everybody"), self.list.selectAll, role="link", name="everybody")
        self.nobody = button(tr("Nobody"), self.list.clearSelection, role="link", name="nobody")
        self.same = button(
            tr("In the same place"),
            self._choose_same_place,
            role="link",
            name="same_place",
            tip=tr("For videos: whoever stands where this person stood on the photo before"),
        )
        self.give = button("", self._give, role="primary", picture="share-network", name="give_shape")
        self.give.setDefault(True)
        self.portrait = QLabel()
        self.portrait.setFixedSize(_PICTURE)
        self.portrait.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.portrait.setAccessibleName(tr("The selected person"))
        words = column(label(tr("Who else is this person?"), "heading"), self.lead, -1, spacing=12)
        head = row(self.portrait, spacing=20)
        head.addLayout(words, 1)
        layout = column(margin=24, spacing=12)
        layout.addLayout(head)
        layout.addLayout(row(self.same, self.everybody, self.nobody, -1))
        layout.addWidget(self.list, 1)
        layout.addWidget(self.finished_too)
        layout.addLayout(row(-1, button(tr("Cancel"), self.reject), self.give))
        self.setLayout(layout)
        self._count()
        photo, box, size = figure.person.photo_id, figure.box, self._picture_size
        desk.project(lambda project: people_around(project, photo), self._show)

        def found(file: Path) -> None:
            if not self._is_over:
                ticket = desk.read(
                    lambda: picture_of(file, box, size),
                    lambda image: self.portrait.setPixmap(self._pixmap(image)),
                    lambda _: None,  # the photo is gone: the dialog works without its picture
                )
                self._tickets.append(ticket)

        desk.project(lambda project: project.photo_file(photo), found)

    def done(self, result: int) -> None:
        """Nothing more is wanted."""
        self._is_over = True
        for ticket in self._tickets:
            ticket.cancel()
        super().done(result)

    def _show(self, candidates: list[Candidate]) -> None:
        if self._is_over:
            return
        self._candidates = candidates
        if candidates:
            self.lead.setText(
                tr(
                    "They get the shape of the selected person and keep pose, place and size in the photo. "
                    "Click everybody on the photos nearby in this folder who is the same; one undo takes it back."
                )
            )
        else:
            self.lead.setText(tr("Nobody with a body is on the other photos of this folder."))
        blank = QPixmap(_PICTURE)
        blank.fill(Qt.GlobalColor.transparent)
        for each in candidates:
            item = QListWidgetItem(f"{_ending(each.photo.name)}\n{state_words(each.person)}")
            item.setIcon(blank)
            item.setToolTip(each.photo.name)
            item.setSizeHint(QSize(_PICTURE.width() + 24, _PICTURE.height() + 52))
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            item.setData(_CANDIDATE, each)
            self.list.addItem(item)
        for widget in (self.same, self.everybody, self.nobody):
            widget.setEnabled(bool(candidates))
        self.finished_too.setVisible(any(each.is_finished for each in candidates))
        self._allow()
        self._draw(sorted(range(len(candidates)), key=lambda place: abs(candidates[place].away)))

    def _draw(self, places: list[int]) -> None:
        """One picture after the other, the nearest photos first."""
        if not places:
            return
        place, rest = places[0], places[1:]
        file, box = self._candidates[place].file, self._candidates[place].person.box
        size = self._picture_size

        def arrived(image: QImage) -> None:
            self.list.item(place).setIcon(self._pixmap(image))
            self._draw(rest)

        ticket = self._desk.read(
            lambda: picture_of(file, box, size),
            arrived,
            lambda _: self._draw(rest),  # a photo that cannot be read has no picture
        )
        self._tickets.append(ticket)

    @property
    def _picture_size(self) -> QSize:
        return _PICTURE * self.devicePixelRatioF()

    def _pixmap(self, image: QImage) -> QPixmap:
        """In the middle of a picture of one size, so that names stand in a line."""
        size = self._picture_size
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.drawImage((size.width() - image.width()) // 2, (size.height() - image.height()) // 2, image)
        painter.end()
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        return pixmap

    def _allow(self) -> None:
        """Finished people can be chosen only where that is wanted."""
        for place, each in enumerate(self._candidates):
            item = self.list.item(place)
            allowed = self.finished_too.isChecked() or not each.is_finished
            if not allowed:
                item.setSelected(False)
            ways = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            item.setFlags(ways if allowed else Qt.ItemFlag.NoItemFlags)
        self._count()

    def _choose_same_place(self) -> None:
        same = same_place(self._source.box, self._candidates)
        for place, each in enumerate(self._candidates):
            item = self.list.item(place)
            item.setSelected(each.person.id in same and bool(item.flags() & Qt.ItemFlag.ItemIsSelectable))

    def _chosen(self) -> list[Candidate]:
        return [item.data(_CANDIDATE) for item in self.list.selectedItems()]

    def _count(self) -> None:
        chosen = len(self.list.selectedItems())
        self.give.setText(" " + tr("Give them this shape ({count})", count=chosen))
        self.give.setEnabled(chosen > 0)

    def _give(self) -> None:
        chosen, source, finished_too = self._chosen(), self._source, self.finished_too.isChecked()
        figures, document = self._workspace.figures, self._workspace.document

        def make(project: Project) -> Command | None:
            others: list[Figure] = []
            for each in chosen:  # as they are now: a job may have written meanwhile
                person = project.person(each.person.id)
                now = Candidate(person, each.photo, each.file, each.away)
                if person.is_present and (finished_too or not now.is_finished):
                    others.append(figures.elsewhere(person, project.photo(each.photo.id)))
            return edits.share_shape(source, others)

        def made(command: Command | None) -> None:
            if command is not None:
                document.edit(command)
                self._workspace.hint.emit(tr("The shape is shared with {count} people", count=len(chosen)))

        self._desk.project(make, made)
        self.accept()


def _ending(name: str) -> str:
    """The end of a photo's name, where frames of a video differ."""
    name = name.rpartition("/")[2]
    return name if len(name) <= 16 else "…" + name[-15:]
