"""One edit in the making: what a command sets, checked field by field, until it is written as one transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from annotator.project.errors import EditError, RemovedPersonError
from annotator.project.fields import COMMENT, PERSON, PHOTO, checked, is_by_hand
from annotator.project.journal import Change, Entry, Subject, as_json
from annotator.project.predictions import Prediction
from annotator.project.reader import Reader
from annotator.project.state import Person, Photo


class Command(Protocol):
    """An edit as a value: what a person (or a solver for them) does, ready to be written.

    Attributes:
        name: what it is called in the journal; never changes once released.
        label: what the undo menu says.
    """

    @property
    def name(self) -> str:
        """What it is called in the journal."""

    @property
    def label(self) -> str:
        """What the undo menu says."""

    def write(self, draft: Draft) -> None:
        """Set fields in a draft; what is there before is read from the draft."""


@dataclass(slots=True)
class _Loaded:
    """A subject in the making: what is set now, and what was set before this edit for each field it touched."""

    photo_id: int
    uid: str
    revision: int
    own: dict[str, Any]
    before: dict[str, Any]


class Draft:
    """Reads and sets fields inside one transaction.

    Args:
        reader: of the project.
        entry: the line of the journal that it becomes.
        by_hand: whether a person does it, so that the photos it touches are mirrored.
    """

    def __init__(self, reader: Reader, entry: Entry, *, by_hand: bool):
        self._reader = reader
        self._entry = entry
        self._by_hand = by_hand
        self._loaded: dict[Subject, _Loaded] = {}
        self.subjects: list[Subject] = []
        """What was really changed so far."""
        self.photos: set[int] = set()
        """The photos that these are on."""

    def get(self, kind: str, number: int, field: str) -> Any:
        """What is set in a field; `None` if nothing is."""
        return self._load(Subject(kind, number)).own.get(field)

    def own(self, kind: str, number: int) -> dict[str, Any]:
        """Everything that is set of a subject; a copy."""
        return dict(self._load(Subject(kind, number)).own)

    def photo(self, photo_id: int) -> Photo:
        """The photo as it is before this edit."""
        return self._reader.photo(photo_id)

    def person(self, person_id: int) -> Person:
        """The person with what this draft has set so far.

        Raises:
            EditError: there is no such person.
            RemovedPersonError: it was removed.
        """
        loaded = self._load(Subject(PERSON, person_id))
        person = self._reader.compose(person_id, loaded.uid, loaded.photo_id, dict(loaded.own), loaded.revision)
        if not person.is_present:
            raise RemovedPersonError(person_id)
        return person

    def prediction(self, prediction_id: int) -> Prediction:
        """A prediction by its number.

        Raises:
            EditError: there is none.
        """
        found = self._reader.predictions.by_id([prediction_id])
        if not found:
            raise EditError(f"the project has no prediction {prediction_id}")
        return found[prediction_id]

    def people_on(self, photo_id: int) -> list[Person]:
        """The people of a photo as they are before this edit."""
        return self._reader.people_on(photo_id)

    def set(self, kind: str, number: int, field: str, value: Any) -> None:
        """Set a field, or unset it with `None`.

        Raises:
            EditError: no such subject or field, or a value that it cannot have.
        """
        loaded = self._load(Subject(kind, number))
        value = checked(kind, field, value)
        loaded.before.setdefault(field, loaded.own.get(field))
        if value is None:
            loaded.own.pop(field, None)
        else:
            loaded.own[field] = value

    def set_person(self, person_id: int, values: dict[str, Any]) -> None:
        """Set several fields of a person who is there.

        Raises:
            RemovedPersonError: it was removed.
        """
        if not self._load(Subject(PERSON, person_id)).own.get("present"):
            raise RemovedPersonError(person_id)
        for field, value in values.items():
            self.set(PERSON, person_id, field, value)

    def add_person(self, photo_id: int, uid: str | None = None) -> int:
        """A new person on a photo; returns its number."""
        return self._add(PERSON, photo_id, uid)

    def add_comment(self, photo_id: int, uid: str | None = None) -> int:
        """A new comment on a photo; returns its number."""
        return self._add(COMMENT, photo_id, uid)

    def flush(self) -> None:
        """Write what was set so far, and forget it; the transaction goes on."""
        changes: list[Change] = []
        photos: list[int] = []
        for subject, loaded in self._loaded.items():
            before = loaded.before
            changed = [field for field, value in before.items() if value != loaded.own.get(field)]
            if not changed:
                continue
            changes += [Change(subject, field, before[field], loaded.own.get(field)) for field in changed]
            self._write(subject, loaded)
            self.subjects.append(subject)
            photos.append(loaded.photo_id)
        if photos:
            self._reader.database.execute_many(
                "UPDATE photo SET revision = revision + 1, touched = max(touched, ?) WHERE id = ?",
                [(int(self._by_hand), photo_id) for photo_id in dict.fromkeys(photos)],
            )
            self._entry.add(changes)
            self.photos.update(photos)
        self._loaded.clear()

    def _write(self, subject: Subject, loaded: _Loaded) -> None:
        own = as_json(loaded.own)
        execute = self._reader.database.execute
        if subject.kind == PHOTO:
            columns = [own, int(bool(loaded.own.get("excluded"))), subject.id]
            execute("UPDATE photo SET own = ?, excluded = ? WHERE id = ?", columns)
        elif subject.kind == PERSON:
            execute(
                "UPDATE person SET own = ?, present = ?, state = ?, verdict = ?, edited = ?, box_from = ?, "
                "body_from = ?, revision = revision + 1 WHERE id = ?",
                [own, *person_columns(loaded.own), subject.id],
            )
        else:
            columns = [own, int(bool(loaded.own.get("present"))), subject.id]
            execute("UPDATE comment SET own = ?, present = ?, revision = revision + 1 WHERE id = ?", columns)

    def _add(self, kind: str, photo_id: int, uid: str | None) -> int:
        uid = uid or uuid.uuid4().hex
        database = self._reader.database
        if database.value("SELECT 1 FROM photo WHERE id = ?", [photo_id]) is None:
            raise EditError(f"the project has no photo {photo_id}")
        if database.value(f"SELECT 1 FROM {kind} WHERE uid = ?", [uid]) is not None:
            raise EditError(f"the project has a {kind} {uid} already")
        cursor = database.execute(f"INSERT INTO {kind} (uid, photo_id) VALUES (?, ?)", [uid, photo_id])
        number = int(cursor.lastrowid or 0)
        self._loaded[Subject(kind, number)] = _Loaded(photo_id, uid, 0, {}, {})
        self.set(kind, number, "present", True)
        return number

    def _load(self, subject: Subject) -> _Loaded:
        loaded = self._loaded.get(subject)
        if loaded is None:
            if subject.kind not in _ROW_OF:
                raise EditError(f"there are no subjects of the kind '{subject.kind}'")
            row = self._reader.database.row(_ROW_OF[subject.kind], [subject.id])
            if row is None:
                raise EditError(f"the project has no {subject.kind} {subject.id}")
            photo_id, uid, revision, own = row
            loaded = self._loaded[subject] = _Loaded(photo_id, uid, revision, json.loads(own), {})
        return loaded


_ROW_OF = {
    PHOTO: "SELECT id, uid, revision, own FROM photo WHERE id = ?",
    PERSON: "SELECT photo_id, uid, revision, own FROM person WHERE id = ?",
    COMMENT: "SELECT photo_id, uid, revision, own FROM comment WHERE id = ?",
}


def person_columns(own: dict[str, Any]) -> Sequence[Any]:
    """What the columns beside `own` say of a person: present, state, verdict, edited, box_from, body_from."""
    return (
        int(bool(own.get("present"))),
        own.get("state") or "proposed",
        (own.get("review") or {}).get("verdict", ""),
        int(any(is_by_hand(field, value) for field, value in own.items())),
        own.get("from/box"),
        own.get("from/body"),
    )
