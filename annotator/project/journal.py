"""The append-only journal: who changed which field from what to what, in steps that undo takes back.

One rule gives the state: **a field's value is what the latest change of it says that belongs to a step which is not
undone, and nothing if there is none.** Undo marks its step as undone and sets the fields of the step to what the rule
says; redo the reverse. So undoing everything gives the beginning and redoing everything the end, in any order and after
any restart, and a step that is undone late takes nothing back that was set after it.

One exception keeps people's work in sight: a person or comment whose creation is undone stays while a step of a hand,
or of a merge, that is not undone has changed it.

Each edit's link is a hash over the edit and the link before it, so a journal that lost or changed a line does not pass
`check`, and copies of a project can find where they parted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotator.project.database import Database
from annotator.project.errors import EditError
from annotator.project.fields import COMMENT, PERSON
from annotator.project.predictions import utc_now

HAND, BULK, MERGE = "hand", "bulk", "merge"
DO, UNDO, REDO, NOTE = "do", "undo", "redo", "note"


_REMEMBERED = 100_000
_ENCODE = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Subject:
    """What a field belongs to.

    Attributes:
        kind: `fields.PHOTO`, `PERSON` or `COMMENT`.
        id: its number in the project.
    """

    kind: str
    id: int


@dataclass(frozen=True, slots=True)
class Change:
    """One field, before and after.

    Attributes:
        subject: whose.
        field: which.
        before, after: plain JSON; `None` where nothing was set.
    """

    subject: Subject
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """What undo takes back at once: an edit of a hand, a drag, or all of a bulk run.

    Attributes:
        id: number; later steps have higher ones.
        kind: `HAND`, `BULK`, or `MERGE` for what came from other copies, people's work among it.
        label: for menus and the history.
        who: did it.
        begun: when, ISO 8601 in UTC.
        run_id: the run that a bulk step applied; `None` without one.
        is_open: more edits may follow.
        is_done: false while it is undone.
    """

    id: int
    kind: str
    label: str
    who: str
    begun: str
    run_id: int | None
    is_open: bool
    is_done: bool


def as_json(value: Any) -> str | None:
    """A value as the journal has it: the shortest text that brings the same numbers back."""
    if value is None:
        return None
    return _ENCODE(value)


class Entry:
    """One line of the journal while it is written: changes in portions, then the line itself, in one transaction."""

    def __init__(self, database: Database, action: str, command: str, who: str, step_id: int | None, detail: dict):
        self._database = database
        self._step_id = step_id
        row = database.row("SELECT seq, link FROM edit ORDER BY seq DESC LIMIT 1")
        last, link = row or (0, database.value("SELECT value FROM setting WHERE name = 'uid'"))
        self.seq = last + 1
        self._next = 0
        self._action = action
        self._columns = (self.seq, step_id, action, command, who, utc_now(), as_json(detail) or "{}")
        self._hash = link_hash(link, self._columns)

    def add(self, changes: list[Change]) -> None:
        """Write some changes."""
        follows = None if self._action != DO else self._step_id
        rows = []
        for change in changes:
            before, after = as_json(change.before), as_json(change.after)
            rows.append(
                (self.seq, self._next, follows, change.subject.kind, change.subject.id, change.field, before, after)
            )
            self._next += 1
            self._hash.update(link_line(change.subject.kind, change.subject.id, change.field, before, after))
        self._database.execute_many(
            "INSERT INTO change (seq, n, step_id, kind, subject, field, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def finish(self) -> int:
        """Write the line; returns its number."""
        seq, step_id, action, command, who, at, detail = self._columns
        self._database.execute(
            "INSERT INTO edit (seq, link, step_id, action, command, who, at, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [seq, self._hash.hexdigest(), step_id, action, command, who, at, detail],
        )
        return seq


def link_hash(previous: str, columns: tuple) -> Any:
    """The beginning of an edit's link: over the link before it and (seq, step, action, command, who, at, detail)."""
    return hashlib.sha256(json.dumps([previous, *columns], ensure_ascii=False).encode("utf-8"))


def link_line(kind: str, subject: int, field: str, before: str | None, after: str | None) -> bytes:
    """What a change adds to the link of its edit."""
    return f"{kind}\0{subject}\0{field}\0{before}\0{after}\n".encode()


class Journal:
    """Reads the journal, and keeps the steps."""

    def __init__(self, database: Database):
        self._database = database

    def begin_step(self, kind: str, label: str, who: str, *, is_open: bool, run_id: int | None = None) -> int:
        """Write a new step inside a transaction; returns its number."""
        values = [kind, label, who, utc_now(), run_id, int(is_open)]
        sql = "INSERT INTO step (kind, label, who, begun, run_id, open) VALUES (?, ?, ?, ?, ?, ?)"
        return int(self._database.execute(sql, values).lastrowid or 0)

    def open_step(self, step_id: int, run_id: int) -> None:
        """Let more edits follow in a step of a run, inside a transaction.

        Raises:
            EditError: no such step of this run, or one that is undone.
        """
        step = self.step(step_id)
        if step is None or step.run_id != run_id or not step.is_done:
            raise EditError(f"step {step_id} cannot go on: it is undone, or no step of this run")
        self._database.execute("UPDATE step SET open = 1 WHERE id = ?", [step_id])

    def step_of_run(self, run_uid: str) -> Step | None:
        """The latest step that applied a run."""
        run_id = self._database.value("SELECT id FROM run WHERE uid = ?", [run_uid])
        if run_id is None:
            return None
        return next(iter(self._steps("run_id = ? ORDER BY id DESC LIMIT 1", [run_id])), None)

    def details_of(self, step_id: int) -> list[dict[str, Any]]:
        """What the lines of a step say beside their changes, in order."""
        sql = "SELECT detail FROM edit WHERE step_id = ? AND action = 'do' ORDER BY seq"
        return [json.loads(detail) for (detail,) in self._database.rows(sql, [step_id])]

    def close_step(self, step_id: int) -> None:
        """No more edits follow. A step without any is taken away."""
        if self._database.value("SELECT 1 FROM edit WHERE step_id = ? LIMIT 1", [step_id]) is None:
            self._database.execute("DELETE FROM step WHERE id = ?", [step_id])
        else:
            self._database.execute("UPDATE step SET open = 0 WHERE id = ?", [step_id])

    def close_all_steps(self) -> list[Step]:
        """End what a crash left open; returns those steps."""
        left = self._steps("open", [])
        for step in left:
            self.close_step(step.id)
        return left

    def step(self, step_id: int) -> Step | None:
        """A step by its number."""
        return next(iter(self._steps("id = ?", [step_id])), None)

    def steps(self, limit: int, before: int | None = None) -> list[Step]:
        """The latest steps, newest first; `before` a step's number, to read on."""
        return self._steps("id < ? ORDER BY id DESC LIMIT ?", [before or 1 << 62, limit])

    def to_undo(self) -> Step | None:
        """The latest step that is done and not still going on."""
        return next(iter(self._steps("done AND NOT open ORDER BY id DESC LIMIT 1", [])), None)

    def to_redo(self) -> Step | None:
        """The step that was undone last, unless a hand has changed something since."""
        last = self._database.value(
            "SELECT seq FROM edit JOIN step ON step.id = step_id WHERE action = 'do' AND kind = 'hand' "
            "ORDER BY seq DESC LIMIT 1"
        )
        return next(
            iter(
                self._steps(
                    "id = (SELECT step_id FROM edit JOIN step AS one ON one.id = step_id "
                    "WHERE action = 'undo' AND NOT one.done AND seq > ? ORDER BY seq DESC LIMIT 1)",
                    [last or 0],
                )
            ),
            None,
        )

    def mark(self, step_id: int, *, done: bool) -> None:
        """Say that a step is undone or done again, inside a transaction."""
        self._database.execute("UPDATE step SET done = ? WHERE id = ?", [int(done), step_id])

    def fields_of(self, step_id: int) -> Iterator[tuple[Subject, list[str]]]:
        """What a step changed: subjects with their fields, edit by edit; a subject may come again with other fields."""
        seen: set[tuple[str, int, str]] = set()
        edits = self._database.rows("SELECT seq FROM edit WHERE step_id = ? AND action = 'do' ORDER BY seq", [step_id])
        for (seq,) in edits:
            fields: dict[Subject, list[str]] = {}
            if len(seen) > _REMEMBERED:  # of a bulk run few come again, and it does no harm
                seen.clear()
            for row in self._database.rows("SELECT kind, subject, field FROM change WHERE seq = ? ORDER BY n", [seq]):
                if row not in seen:
                    seen.add(row)
                    fields.setdefault(Subject(row[0], row[1]), []).append(row[2])
            yield from fields.items()

    def is_wide(self, step_id: int) -> bool:
        """Whether a step is about several photos."""
        photos = self._database.rows(
            "SELECT DISTINCT CASE change.kind WHEN 'photo' THEN subject ELSE photo_id END AS place FROM edit "
            "JOIN change USING (seq) LEFT JOIN person ON change.kind = 'person' AND person.id = subject "
            "WHERE edit.step_id = ? AND action = 'do' AND place IS NOT NULL LIMIT 2",
            [step_id],
        )
        return len(list(photos)) > 1

    def value_of(self, subject: Subject, field: str) -> tuple[Any, Step | None]:
        """What the rule says of a field, and the step that set it; `(None, None)` if nothing does."""
        row = self._database.row(
            "SELECT after, step.id FROM change JOIN step ON step.id = change.step_id WHERE change.kind = ? "
            "AND subject = ? AND field = ? AND step.done ORDER BY seq DESC, n DESC LIMIT 1",
            [subject.kind, subject.id, field],
        )
        if row is not None:
            return (None if row[0] is None else json.loads(row[0])), self.step(row[1])
        if field == "present" and subject.kind in (PERSON, COMMENT):
            kept_by = self._database.value(
                "SELECT step.id FROM change JOIN step ON step.id = change.step_id WHERE change.kind = ? "
                "AND subject = ? AND step.done AND step.kind <> 'bulk' ORDER BY seq DESC LIMIT 1",
                [subject.kind, subject.id],
            )
            if kept_by is not None:
                return True, self.step(kept_by)
        return None, None

    def last_seq(self) -> int:
        """Number of the latest line; it counts up with everything that is written."""
        return self._database.value("SELECT max(seq) FROM edit") or 0

    def _steps(self, where: str, values: list) -> list[Step]:
        sql = f"SELECT id, kind, label, who, begun, run_id, open, done FROM step WHERE {where}"
        return [
            Step(number, kind, label, who, begun, run_id, bool(is_open), bool(is_done))
            for number, kind, label, who, begun, run_id, is_open, is_done in self._database.rows(sql, values)
        ]
