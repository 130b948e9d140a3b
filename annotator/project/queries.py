"""What to look at next: filters, orders, the neighbours of a photo and counts, each answered from an index.

Nothing here walks through all photos or people when a person presses a key: neighbours are looked up by where one
stands, counts are kept up to date by the database, and lists are read a page at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from annotator.project.database import Database
from annotator.project.errors import EditError
from annotator.project.reader import PHOTO_COLUMNS, photo_of_row
from annotator.project.state import Photo


class Show(StrEnum):
    """Which photos are shown."""

    ALL = "all"
    UNFINISHED = "unfinished"
    """Somebody on it is not done."""
    DONE = "done"
    """Everybody on it is done, or a person found nobody."""
    EDITED = "edited"
    """A person set something about somebody on it."""
    ACCEPTED = "accepted"
    """The reviewer accepted somebody on it."""
    REJECTED = "rejected"
    """The reviewer rejected somebody on it."""
    NOBODY = "nobody"
    """Nobody is on it, whether a person has looked or not."""
    COMMENTED = "commented"
    """A comment on it is not dealt with."""


# The conditions are those of partial indexes in `schema`, word for word.
_CONDITIONS = {
    Show.ALL: "NOT excluded",
    Show.UNFINISHED: "NOT excluded AND done < people",
    Show.DONE: "NOT excluded AND done = people AND (people > 0 OR own LIKE '%\"empty\":true%')",
    Show.EDITED: "NOT excluded AND photo.edited > 0",
    Show.ACCEPTED: "NOT excluded AND accepted > 0",
    Show.REJECTED: "NOT excluded AND rejected > 0",
    Show.NOBODY: "NOT excluded AND people = 0",
    Show.COMMENTED: "NOT excluded AND photo.id IN (SELECT photo_id FROM comment WHERE present "
    "AND own NOT LIKE '%\"resolved\":true%')",
}


@dataclass(frozen=True, slots=True)
class View:
    """Which photos, in the order of their names.

    Attributes:
        show: which.
        containing: only photos whose name has these letters, capital or not.
    """

    show: Show = Show.ALL
    containing: str = ""

    @property
    def condition(self) -> str:
        """The SQL condition; `values` has its values."""
        search = " AND name LIKE ? ESCAPE '!'" if self.containing else ""
        return _CONDITIONS[self.show] + search

    @property
    def values(self) -> list[str]:
        """Values of the condition."""
        if not self.containing:
            return []
        letters = self.containing
        for special in "!%_":
            letters = letters.replace(special, "!" + special)
        return [f"%{letters}%"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How far the work is.

    Attributes:
        photos: that are part of the work.
        people: on them.
        proposed, in_progress, done: people by the annotator's word.
        accepted, rejected: people by the reviewer's.
        edited: people of whom something was set by a person.
    """

    photos: int
    people: int
    proposed: int
    in_progress: int
    done: int
    accepted: int
    rejected: int
    edited: int


def photo_page(database: Database, view: View, *, after: str = "", limit: int = 100) -> list[Photo]:
    """Photos of a view by name, from behind one on."""
    rows = database.rows(
        f"SELECT {PHOTO_COLUMNS} FROM photo WHERE {view.condition} AND name > ? ORDER BY name LIMIT ?",
        [*view.values, after, limit],
    )
    return [photo_of_row(row) for row in rows]


def photo_ids(database: Database, view: View) -> list[int]:
    """Numbers of all photos of a view by name: what a list needs to know how long it is."""
    sql = f"SELECT photo.id FROM photo WHERE {view.condition} ORDER BY name"
    return [number for (number,) in database.rows(sql, view.values)]


def neighbour(database: Database, view: View, name: str, *, backwards: bool = False) -> Photo | None:
    """The next photo of a view after a name, or the one before it; `None` at the end."""
    compare, order = ("<", "DESC") if backwards else (">", "ASC")
    row = database.row(
        f"SELECT {PHOTO_COLUMNS} FROM photo WHERE {view.condition} AND name {compare} ? ORDER BY name {order} LIMIT 1",
        [*view.values, name],
    )
    return None if row is None else photo_of_row(row)


def worst_first(
    database: Database,
    measure: str,
    *,
    below: tuple[float, int] | None = None,
    above: float = float("-inf"),
    states: Sequence[str] = ("proposed", "in progress"),
    limit: int = 100,
) -> list[tuple[float, int, int]]:
    """People by a measure, the highest first.

    Args:
        database: of the project.
        measure: name given to `Project.set_measures`.
        below: value and number of the person behind whom to begin.
        above: only greater values.
        states: only these.
        limit: how many.

    Returns:
        (value, number of the person, number of the photo).
    """
    if not states:
        raise EditError("no state to look for")
    value, person = below if below is not None else (float("inf"), 0)
    marks = ", ".join("?" * len(states))
    return database.rows(
        "SELECT value, person_id, photo_id FROM measure JOIN person ON person.id = person_id "
        f"WHERE name = ? AND (value, person_id) < (?, ?) AND value > ? AND present AND state IN ({marks}) "
        "ORDER BY value DESC, person_id DESC LIMIT ?",
        [measure, value, person, above, *states, limit],
    )


def progress_of(database: Database) -> Counts:
    """How far the work is, from counts that the database keeps."""
    photos = database.value("SELECT photos FROM photo_tally WHERE NOT excluded") or 0
    rows = database.rows("SELECT state, verdict, edited, people FROM tally")

    def count(**wanted: str | int) -> int:
        return sum(row[3] for row in rows if all(row[_PLACES[key]] == value for key, value in wanted.items()))

    return Counts(
        photos,
        count(),
        count(state="proposed"),
        count(state="in progress"),
        count(state="done"),
        count(verdict="accepted"),
        count(verdict="rejected"),
        count(edited=1),
    )


_PLACES = {"state": 0, "verdict": 1, "edited": 2}
