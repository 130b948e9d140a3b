"""Reading a project: photos, people, comments, history and counts, by number and in streams of bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from annotator.project.database import Database
from annotator.project.errors import EditError
from annotator.project.journal import Journal
from annotator.project.predictions import Prediction, Predictions
from annotator.project.state import Comment, Person, Photo, pointers

PHOTO_COLUMNS = (
    "photo.id, photo.uid, photo.name, photo.width, photo.height, photo.sha256, photo.size_bytes, photo.orientation, "
    "photo.own, photo.touched, photo.revision, photo.people, photo.done, photo.accepted, photo.rejected, photo.edited"
)
_PORTION = 500


class Reader:
    """Everything that can be asked of a project; any thread may ask.

    Args:
        database: of the project.
    """

    def __init__(self, database: Database):
        self.database = database
        self.predictions = Predictions(database)
        self.journal = Journal(database)

    @property
    def uid(self) -> str:
        """Given once when the project was made, the same in its copies."""
        return self.setting("uid")

    def setting(self, name: str, default: str = "") -> str:
        """A remembered text."""
        found = self.database.value("SELECT value FROM setting WHERE name = ?", [name])
        return default if found is None else found

    def photo(self, photo_id: int) -> Photo:
        """A photo by its number.

        Raises:
            EditError: there is none.
        """
        row = self.database.row(f"SELECT {PHOTO_COLUMNS} FROM photo WHERE id = ?", [photo_id])
        if row is None:
            raise EditError(f"the project has no photo {photo_id}")
        return photo_of_row(row)

    def photo_named(self, name: str) -> Photo | None:
        """A photo by its name."""
        row = self.database.row(f"SELECT {PHOTO_COLUMNS} FROM photo WHERE name = ?", [name])
        return None if row is None else photo_of_row(row)

    def photos(self, where: str = "1") -> Iterator[Photo]:
        """All photos in the order of their names.

        Args:
            where: SQL condition on `photo`, of this program, never of a person or a file.
        """
        last = ""
        while rows := self.database.rows(
            f"SELECT {PHOTO_COLUMNS} FROM photo WHERE name > ? AND ({where}) ORDER BY name LIMIT {_PORTION}", [last]
        ):
            yield from (photo_of_row(row) for row in rows)
            last = rows[-1][2]

    def person(self, person_id: int) -> Person:
        """A person by its number, removed ones too.

        Raises:
            EditError: there is none.
        """
        found = self._people("id = ?", [person_id])
        if not found:
            raise EditError(f"the project has no person {person_id}")
        return found[0]

    def person_of_uid(self, uid: str) -> Person | None:
        """A person by what names it in every copy."""
        return next(iter(self._people("uid = ?", [uid])), None)

    def people_on(self, photo_id: int, *, removed: bool = False) -> list[Person]:
        """The people of a photo, by rank and then as they came."""
        found = self._people("photo_id = ?" + ("" if removed else " AND present"), [photo_id])
        return sorted(found, key=lambda person: (person.own.get("rank") or 0.0, person.id))

    def people(self, *, only: str = "all", after: int = 0) -> Iterator[Person]:
        """People in the order of their numbers, some hundred in memory at once.

        Args:
            only: "all", "done" (the annotator's word) or "accepted" (the reviewer's).
            after: the number behind which to begin.
        """
        condition = {"all": "1", "done": "state = 'done'", "accepted": "verdict = 'accepted'"}[only]
        while found := self._people(f"id > ? AND present AND {condition} ORDER BY id LIMIT {_PORTION}", [after]):
            yield from found
            after = found[-1].id

    def comments_on(self, photo_id: int) -> list[Comment]:
        """The comments of a photo, oldest first."""
        rows = self.database.rows(
            "SELECT id, uid, photo_id, own, revision FROM comment WHERE photo_id = ? AND present ORDER BY id",
            [photo_id],
        )
        return [comment_of_row(row) for row in rows]

    def comment(self, comment_id: int) -> Comment:
        """A comment by its number, removed ones too.

        Raises:
            EditError: there is none.
        """
        sql = "SELECT id, uid, photo_id, own, revision FROM comment WHERE id = ?"
        row = self.database.row(sql, [comment_id])
        if row is None:
            raise EditError(f"the project has no comment {comment_id}")
        return comment_of_row(row)

    def compose(self, person_id: int, uid: str, photo_id: int, own: dict[str, Any], revision: int) -> Person:
        """A person from what was set and the predictions that this points to."""
        return self._composed([(person_id, uid, photo_id, own, revision)])[0]

    def _people(self, where: str, values: Sequence[Any]) -> list[Person]:
        rows = self.database.rows(f"SELECT id, uid, photo_id, own, revision FROM person WHERE {where}", values)
        return self._composed([(*row[:3], json.loads(row[3]), row[4]) for row in rows])

    def _composed(self, rows: Sequence[tuple]) -> list[Person]:
        wanted = [pointers(own) for _, _, _, own, _ in rows]
        known: dict[int, Prediction] = {}
        if any(wanted):
            known = self.predictions.by_id([number for parts in wanted for number in parts.values()])
        return [
            Person(number, uid, photo_id, own, {part: known[n] for part, n in parts.items() if n in known}, revision)
            for (number, uid, photo_id, own, revision), parts in zip(rows, wanted, strict=True)
        ]


def photo_of_row(row: tuple) -> Photo:
    """A photo from a row of `PHOTO_COLUMNS`."""
    number, uid, name, width, height, sha256, size_bytes, orientation, own, touched, revision, *counts = row
    own = json.loads(own)
    return Photo(
        number, uid, name, (width, height), sha256, size_bytes, orientation, own, bool(touched), revision, *counts
    )


def comment_of_row(row: tuple) -> Comment:
    """A comment from a row of id, uid, photo_id, own, revision."""
    number, uid, photo_id, own, revision = row
    return Comment(number, uid, photo_id, json.loads(own), revision)
