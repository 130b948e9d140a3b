"""Other copies of a project, as `merge` reads them: a project's folder, or the mirror files alone.

Whoever copied a project shares the beginning of its journal, and whoever was merged before is remembered there. Where
two journals part, each field knows on which side it was changed since, and most differences are no conflict at all:
only one of the two has worked on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from annotator.project.database import FILE_NAME
from annotator.project.documents import Document, document_of, parse_document, prediction_of_block
from annotator.project.errors import DamagedProjectError, NotAProjectError
from annotator.project.fields import FROM, PHOTO
from annotator.project.mirror import FOLDER as MIRROR_FOLDER
from annotator.project.opening import open_project
from annotator.project.predictions import Prediction
from annotator.project.reader import Reader
from annotator.project.rebuild import read_mirror
from annotator.project.store import Project


@dataclass(frozen=True, slots=True)
class Changed:
    """On which side a field was changed since both were the same; `None` where nobody knows.

    Attributes:
        mine, theirs: whether.
    """

    mine: bool | None = None
    theirs: bool | None = None


@dataclass(frozen=True, slots=True)
class TheirPhoto:
    """A photo of another copy.

    Attributes:
        uid: what names it there.
        sha256: of the file.
        name: its name there.
    """

    uid: str
    sha256: str
    name: str


class Copy(Protocol):
    """Another copy of the project."""

    @property
    def name(self) -> str:
        """For reports."""

    @property
    def refused(self) -> list[str]:
        """One line for each of its files that could not be read."""

    def photos(self) -> list[TheirPhoto]:
        """Those about which it may have something to say."""

    def document(self, uid: str) -> Document:
        """What it has of one of these photos."""

    def prediction(self, name: str, block: Mapping[str, Any]) -> tuple[Prediction, int]:
        """One of its predictions, and its number within its run."""

    def changed(self, kind: str, uid: str, name: str, mine: Any, theirs: Any) -> Changed:
        """On which side a field was changed since both were the same."""

    def worked_on(self, kind: str, uid: str) -> Changed:
        """On which side anything of a subject was changed since."""

    def marks(self) -> dict[str, Any]:
        """What the journal remembers of this merge, so that the next one knows where it ended."""

    def read_by(self, mine: Project) -> None:
        """Its content is in the project now."""

    def close(self) -> None:
        """Done with it."""


def open_copy(mine: Project, place: Path) -> Copy:
    """Another copy at a place: a project's folder, or a folder of mirror files.

    Raises:
        NotAProjectError: neither.
        ProjectError: a project that cannot be read.
    """
    own_mirror = mine.folder / MIRROR_FOLDER
    if place.is_dir() and place.resolve() in (own_mirror.resolve(), mine.folder.resolve()):
        return OwnMirror(mine)
    if (place / FILE_NAME).is_file():
        return OtherProject(mine, place)
    folder = place / MIRROR_FOLDER if (place / MIRROR_FOLDER).is_dir() else place
    if not folder.is_dir() or next(folder.rglob("*.json"), None) is None:
        raise NotAProjectError(f"{place}: neither a project nor a folder of its annotations/")
    return OtherMirror(folder)


class OtherProject:
    """A whole project, with its journal."""

    def __init__(self, mine: Project, folder: Path):
        self.name = str(folder)
        self.refused: list[str] = []
        self._mine: Reader = mine
        self._theirs: Project = open_project(folder, read_only=True)
        # what damage hides would look as if nobody had done it
        found = self._theirs.database.value("PRAGMA quick_check(1)")
        if found != "ok":
            self._theirs.close()
            raise DamagedProjectError(
                f"{folder / FILE_NAME}: damaged ({found.splitlines()[-1]}); `restore` that copy and merge again"
            )
        self._common = self._common_lines() if mine.uid == self._theirs.uid else None
        merged = list(_merges(self._mine, self._theirs))
        merged += [] if self._common is None else [(self._common, self._common)]
        # line of theirs up to which all of it was read here, and the line here that says so
        self._read_to: int | None
        self._read_to, read_at = max(merged, default=(None, 0))
        self._they_read_to = max((seq for seq, _ in _merges(self._theirs, self._mine)), default=None)  # line of mine
        self._they_read_last = self._they_read_to is not None and self._they_read_to >= read_at

    def photos(self) -> list[TheirPhoto]:
        """Those on which something was changed since the two parted."""
        since = -1 if self._read_to is None else self._read_to
        rows = self._theirs.database.rows(
            "SELECT uid, sha256, name FROM photo WHERE id IN ("
            "SELECT subject FROM change WHERE seq > ? AND kind = 'photo' UNION "
            "SELECT photo_id FROM person WHERE id IN "
            "(SELECT subject FROM change WHERE seq > ? AND kind = 'person') UNION "
            "SELECT photo_id FROM comment WHERE id IN "
            "(SELECT subject FROM change WHERE seq > ? AND kind = 'comment')) ORDER BY name",
            [since] * 3,
        )
        return [TheirPhoto(*row) for row in rows]

    def document(self, uid: str) -> Document:
        """The photo as they have it."""
        return document_of(self._theirs, self._theirs.database.value("SELECT id FROM photo WHERE uid = ?", [uid]))

    def prediction(self, name: str, block: Mapping[str, Any]) -> tuple[Prediction, int]:
        """With all its digits, which the block does not have."""
        run, _, number = name.partition("/")
        found = self._theirs.database.value(
            "SELECT prediction.id FROM prediction JOIN run ON run.id = run_id WHERE run.uid = ? AND number = ?",
            [run, int(number)],
        )
        return self._theirs.predictions.by_id([found])[found], int(number)

    def changed(self, kind: str, uid: str, name: str, mine: Any, theirs: Any) -> Changed:
        """Against what was read last: here from them, or by them from here; the same as then is not news."""
        mine_changed: bool | None = None
        their_changed: bool | None = None
        if self._they_read_to is not None:
            # what they know of mine, they have decided about; and what they have from here is no change of theirs
            known = _value_at(self._mine, self._they_read_to, kind, uid, name)
            mine_changed, their_changed = mine != known, theirs != known
        if self._read_to is not None and not self._they_read_last:
            before = _value_at(self._theirs, self._read_to, kind, uid, name)
            mine_changed = mine_changed is not False and mine != before
            their_changed = their_changed is not False and theirs != before
        return Changed(mine_changed, their_changed)

    def worked_on(self, kind: str, uid: str) -> Changed:
        """Known where both journals begin alike, or one was merged into the other."""
        known_to_them = max((line for line in (self._they_read_to, self._common) if line is not None), default=None)
        return Changed(
            None if known_to_them is None else _has_changes(self._mine, known_to_them, kind, uid),
            None if self._read_to is None else _has_changes(self._theirs, self._read_to, kind, uid),
        )

    def marks(self) -> dict[str, Any]:
        """Where its journal ended, and who had worked on it since the two parted."""
        since = self._read_to or 0
        rows = self._theirs.database.rows(
            "SELECT DISTINCT who FROM edit WHERE seq > ? AND action <> 'note' ORDER BY who", [since]
        )
        last = self._theirs.journal.last_seq()
        return {
            "name": self.name,
            "who": [who for (who,) in rows],
            "seq": last,
            "link": _link(self._theirs, last),
        }

    def read_by(self, mine: Project) -> None:
        """Nothing to note: both journals say it."""

    def close(self) -> None:
        """Close it."""
        self._theirs.close()

    def _common_lines(self) -> int:
        """How many lines both journals begin with."""
        low, high = 0, min(self._mine.journal.last_seq(), self._theirs.journal.last_seq())
        while low < high:  # links are a chain: equal at one line means equal before it
            middle = (low + high + 1) // 2
            if _link(self._mine, middle) == _link(self._theirs, middle):
                low = middle
            else:
                high = middle - 1
        return low


def _merges(one: Reader, other: Reader) -> Iterator[tuple[int, int]]:
    """Lines of the other's journal up to which one has merged it, or a copy of it, and the lines that say so."""
    for line, detail in one.database.rows(
        "SELECT seq, detail FROM edit JOIN step ON step.id = step_id "
        "WHERE command = 'Merge' AND action = 'do' AND step.done"
    ):
        for mark in json.loads(detail).get("copies", []):
            seq, link = mark.get("seq"), mark.get("link")
            if link and _link(other, seq) == link:
                yield seq, line


@dataclass
class OtherMirror:
    """Mirror files without a journal: only values, and nobody knows which of two is newer.

    Attributes:
        folder: of the files.
        refused: one line for each that could not be read.
    """

    folder: Path
    refused: list[str] = field(default_factory=list)
    _files: dict[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For reports."""
        return str(self.folder)

    def photos(self) -> list[TheirPhoto]:
        """Those whose file can be read."""
        self.refused.clear()
        self._files.clear()
        found = []
        for path, document, text in read_mirror(self.folder, self.refused):
            if self._is_news(document, text):
                photo = document.content["photo"]
                found.append(TheirPhoto(document.uid, photo["sha256"], photo["name"]))
                self._files[document.uid] = path
        return found

    def document(self, uid: str) -> Document:
        """From its file."""
        path = self._files[uid]
        return parse_document(path.read_bytes(), str(path))

    def prediction(self, name: str, block: Mapping[str, Any]) -> tuple[Prediction, int]:
        """As the file has it."""
        return prediction_of_block(block, name)

    def read_by(self, mine: Project) -> None:
        """Nothing to note."""

    def _is_news(self, document: Document, text: bytes) -> bool:
        return True

    def changed(self, kind: str, uid: str, name: str, mine: Any, theirs: Any) -> Changed:
        """Nobody knows."""
        return Changed()

    def worked_on(self, kind: str, uid: str) -> Changed:
        """Nobody knows."""
        return Changed()

    def marks(self) -> dict[str, Any]:
        """Only where the files lay."""
        return {"name": self.name}

    def close(self) -> None:
        """Nothing is open."""


class OwnMirror(OtherMirror):
    """The project's own mirror, with files that git brought from others.

    What we wrote last is where both sides parted, and the journal knows what that was.
    """

    def __init__(self, mine: Project):
        super().__init__(mine.folder / MIRROR_FOLDER)
        self._mine = mine

    def read_by(self, mine: Project) -> None:
        """The files may be written over from now on."""
        hashes = [(hashlib.sha256(path.read_bytes()).hexdigest(), uid) for uid, path in self._files.items()]
        with mine.database.transaction():
            mine.database.execute_many(
                "UPDATE photo SET mirror_hash = ?, mirrored = 0, touched = 1 WHERE uid = ?", hashes
            )

    def _is_news(self, document: Document, text: bytes) -> bool:
        """Whether a file is not as we wrote it."""
        known = self._mine.database.row("SELECT mirror_hash, mirror_next FROM photo WHERE uid = ?", [document.uid])
        return hashlib.sha256(text).hexdigest() not in (known or ())

    def changed(self, kind: str, uid: str, name: str, mine: Any, theirs: Any) -> Changed:
        """Both are compared with what we wrote."""
        written = self._written(kind, uid)
        if not written:
            return Changed()
        before = _value_at(self._mine, written, kind, uid, name)
        return Changed(mine != before, theirs != before)

    def worked_on(self, kind: str, uid: str) -> Changed:
        """Mine since we wrote the file; theirs nobody knows."""
        written = self._written(kind, uid)
        return Changed(_has_changes(self._mine, written, kind, uid)) if written else Changed()

    def _written(self, kind: str, uid: str) -> int | None:
        """Line of the journal that the file was written at."""
        photo = "uid = ?" if kind == PHOTO else f"id = (SELECT photo_id FROM {kind} WHERE uid = ?)"
        return self._mine.database.value(f"SELECT mirror_seq FROM photo WHERE {photo}", [uid])


def _link(reader: Reader, seq: int) -> str | None:
    return reader.database.value("SELECT link FROM edit WHERE seq = ?", [seq])


def _value_at(reader: Reader, line: int, kind: str, uid: str, name: str) -> Any:
    """What a field was at a line of the journal; pointers as names of predictions."""
    after = reader.database.value(
        f"SELECT after FROM change JOIN {kind} ON {kind}.id = subject WHERE kind = ? AND {kind}.uid = ? AND field = ? "
        "AND seq <= ? ORDER BY seq DESC, n DESC LIMIT 1",
        [kind, uid, name, line],
    )
    value = None if after is None else json.loads(after)
    if name.startswith(FROM) and value is not None:
        return "/".join(map(str, reader.predictions.number(value)))
    return value


def _has_changes(reader: Reader, line: int, kind: str, uid: str) -> bool:
    """Whether somebody there, and not a merge, changed a subject after a line of the journal."""
    return (
        reader.database.value(
            f"SELECT 1 FROM change JOIN {kind} ON {kind}.id = subject JOIN edit USING (seq) "
            f"LEFT JOIN step ON step.id = edit.step_id WHERE change.kind = ? AND {kind}.uid = ? AND seq > ? "
            "AND step.kind <> 'merge' LIMIT 1",
            [kind, uid, line],
        )
        is not None
    )
