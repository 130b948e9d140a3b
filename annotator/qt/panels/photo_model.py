"""The photos of the list as a model for item views: as many rows as there are, their content only where it is seen."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QSize, Qt

from annotator.project import Project
from annotator.project.photos import photo_files
from annotator.project.reader import PHOTO_COLUMNS, photo_of_row
from annotator.project.state import Photo
from annotator.qt.session import Session
from annotator.qt.strings import tr
from annotator.qt.thumbnails import Thumbnails

PHOTO_ROLE = Qt.ItemDataRole.UserRole
THUMBNAIL_ROLE = Qt.ItemDataRole.UserRole + 1
ROW_HEIGHT = 66

_PAGE = 60
_KEPT = 3000
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of a photo.

    Attributes:
        photo: with its counts.
        file: where it lies.
    """

    photo: Photo
    file: Path


def read_rows(project: Project, ids: list[int]) -> list[Row]:
    """The rows of some photos."""
    marks = ", ".join("?" * len(ids))
    rows = project.database.rows(f"SELECT {PHOTO_COLUMNS} FROM photo WHERE id IN ({marks})", ids)
    photos = [photo_of_row(row) for row in rows]
    files = photo_files(project.database, project.folder, [photo.id for photo in photos])
    return [Row(photo, files[photo.id]) for photo in photos]


class PhotoModel(QAbstractListModel):
    """Rows of the session's list; a row that is looked at and not there yet is asked for with its neighbours.

    Args:
        session: has the list.
        thumbnails: makes the pictures.
    """

    def __init__(self, session: Session, thumbnails: Thumbnails):
        super().__init__(session)
        self._session = session
        self._thumbnails = thumbnails
        self._ids: list[int] = []
        self._places: dict[int, int] = {}
        self._have: OrderedDict[int, Row] = OrderedDict()
        self._by_content: dict[str, int] = {}
        self._asked: set[int] = set()
        session.listed.connect(self._listed)
        session.touched.connect(self._touched)
        thumbnails.ready.connect(self._pictured)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        """How many photos the list has."""
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, tip, photo and picture of a row; `None` for those on their way."""
        if not index.isValid() or index.row() >= len(self._ids):
            return None
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(120, ROW_HEIGHT)
        number = self._ids[index.row()]
        row = self._have.get(number)
        if row is None:
            self._ask(index.row())
            return None
        self._have.move_to_end(number)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return row.photo.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            photo = row.photo
            words = tr("{people} people, {done} done", people=photo.people, done=photo.done)
            return f"{photo.name}, {words}"
        if role == PHOTO_ROLE:
            return row.photo
        if role == THUMBNAIL_ROLE:
            return self._thumbnails.get(row.photo.sha256, row.file)
        return None

    def photo_id(self, row: int) -> int | None:
        """The number of the photo in a row."""
        return self._ids[row] if 0 <= row < len(self._ids) else None

    def _ask(self, row: int) -> None:
        first = row // _PAGE * _PAGE
        ids = [
            number
            for number in self._ids[first : first + _PAGE]
            if number not in self._asked and number not in self._have
        ]
        self._read(ids)

    def _read(self, ids: list[int]) -> None:
        if not ids:
            return
        self._asked.update(ids)

        def arrived(rows: list[Row]) -> None:
            self._asked.difference_update(ids)
            for row in rows:
                self._have[row.photo.id] = row
                self._by_content[row.photo.sha256] = row.photo.id
            while len(self._have) > _KEPT:
                _, gone = self._have.popitem(last=False)
                self._by_content.pop(gone.photo.sha256, None)
            places = sorted(self._places[number] for number in ids if number in self._places)
            if places:
                self.dataChanged.emit(self.index(places[0]), self.index(places[-1]))

        def failed(error: Exception) -> None:
            self._asked.difference_update(ids)
            raise error

        self._session.desk.project(lambda project: read_rows(project, ids), arrived, failed)

    def _listed(self) -> None:
        self.beginResetModel()
        self._ids, self._places = self._session.ids, self._session.rows
        self.endResetModel()

    def _touched(self, photos: set[int] | None) -> None:
        if photos is None:
            self._have.clear()
            if self._ids:
                self.dataChanged.emit(self.index(0), self.index(len(self._ids) - 1))
        else:
            self._read([number for number in photos if number in self._have])

    def _pictured(self, sha256: str) -> None:
        place = self._places.get(self._by_content.get(sha256, -1))
        if place is not None:
            self.dataChanged.emit(self.index(place), self.index(place), [THUMBNAIL_ROLE])
