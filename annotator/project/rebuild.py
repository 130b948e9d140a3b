"""A project from its JSON mirror, for the day when database and backups are gone: all human work, without the history.

Photos are those that the mirror names; where they lie, `relink` finds. People whom nobody had touched are not in the
mirror and can be predicted or imported again. What is read becomes one bulk step of a new journal.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.console import Progress
from annotator.project import schema
from annotator.project.backups import held_alone, put_in_place
from annotator.project.database import UNSAFE, Database
from annotator.project.documents import Document, parse_document, prediction_of_block
from annotator.project.draft import Draft
from annotator.project.errors import NotAProjectError, ProjectError, StorageError
from annotator.project.fields import COMMENT, FROM, PERSON, PHOTO
from annotator.project.filesystem import sync_file
from annotator.project.journal import DO, MERGE, NOTE, Entry, Journal
from annotator.project.mirror import FOLDER as MIRROR_FOLDER
from annotator.project.opening import Description, read_description
from annotator.project.predictions import Prediction, store_predictions, store_run
from annotator.project.reader import Reader
from annotator.project.store import silent

_PORTION = 200


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of the files of a mirror.

    Attributes:
        photos, people, comments: how many are in the project again.
        refused: one line for each file that could not be read, and why.
        replaced: where the database that was there before lies now; `None` if there was none.
    """

    photos: int
    people: int
    comments: int
    refused: list[str] = field(default_factory=list)
    replaced: Path | None = None

    def __str__(self) -> str:
        """Counts, what could not be read, and what to do next."""
        lines = [f"{self.people} people and {self.comments} comments on {self.photos} photos are there again"]
        lines += [f"  not read: {line}" for line in self.refused]
        if self.replaced is not None:
            lines.append(f"the database that was there before: {self.replaced}")
        lines.append("photos that nobody had touched are not among them: `new` or `import` brings them back")
        return "\n".join(lines)


def read_mirror(folder: Path, refused: list[str]) -> Iterator[tuple[Path, Document, bytes]]:
    """The files below a folder of mirror files in the order of their names: path, document, content.

    Args:
        folder: `annotations/` of a project.
        refused: gets one line for each file that cannot be read.
    """
    for path in sorted(folder.rglob("*.json")):
        try:
            text = path.read_bytes()
            yield path, parse_document(text, str(path)), text
        except OSError as error:
            refused.append(f"{path}: {error.strerror}")
        except ProjectError as error:
            refused.append(str(error))


def rebuild_project(folder: Path, who: str = "", progress: Progress = silent) -> Rebuilt:
    """Make the database anew from `annotations/`; one that is there is kept beside it under another name.

    Raises:
        NotAProjectError: no `project.toml`, or nothing in the mirror.
        ProjectError: somebody has the project open, or it cannot be written.
    """
    description = read_description(folder)
    unfinished = folder / "rebuilt.unfinished"
    with held_alone(folder):
        try:
            unfinished.unlink(missing_ok=True)
            unfinished.touch()
            database = Database(unfinished, read_only=False, journal=UNSAFE)
            try:
                _lay_out(database, folder, description)
                report = _fill(database, folder, who or "rebuild", progress)
            finally:
                database.close()
            if report.photos == 0:
                raise NotAProjectError(
                    f"{folder / MIRROR_FOLDER}: holds no photo's annotations that can be read; `restore` takes a backup"
                )
            sync_file(unfinished)
            replaced = put_in_place(unfinished, folder)
        except OSError as error:
            raise StorageError(
                f"{folder}: cannot be written ({error.strerror}); look at its permissions and the disk"
            ) from error
        finally:
            unfinished.unlink(missing_ok=True)
    return Rebuilt(report.photos, report.people, report.comments, report.refused, replaced)


def write_prediction(database: Database, known: dict[str, int], photo_id: int, name: str, block: Mapping) -> int:
    """The number of a prediction from a document, stored unless it is there.

    Args:
        database: of the project, inside a transaction.
        known: prediction's name -> number, filled here.
        photo_id: of its photo.
        name: "RUN/NUMBER".
        block: its JSON.
    """
    if name not in known:
        prediction, number = prediction_of_block(block, name)
        known[name] = stored_prediction(database, photo_id, prediction, number)
    return known[name]


def stored_prediction(database: Database, photo_id: int, prediction: Prediction, number: int) -> int:
    """The number in the project of a prediction of a known place in its run, stored unless it is there."""
    assert prediction.run is not None
    run_id = store_run(database, prediction.run)
    there = database.value("SELECT id FROM prediction WHERE run_id = ? AND number = ?", [run_id, number])
    if there is not None:
        return there
    return store_predictions(database, run_id, number, [photo_id], [prediction])[0]


def _lay_out(database: Database, folder: Path, description: Description) -> None:
    schema.migrate(database, 0)
    with database.transaction():
        settings = [("uid", description.uid), ("name", description.name), ("joint_set", description.joint_set)]
        database.execute_many("INSERT INTO setting VALUES (?, ?)", settings)
        # Nobody knows where the photos are; `relink` does.
        database.execute("INSERT INTO root (prefix, near, far) VALUES ('', '..', ?)", [str(folder.parent)])


def _fill(database: Database, folder: Path, who: str, progress: Progress) -> Rebuilt:
    journal, reader = Journal(database), Reader(database)
    refused: list[str] = []
    photos = people = comments = 0
    with database.transaction():
        step_id = journal.begin_step(MERGE, "Rebuild from the mirror", who, is_open=True)
    portion: list[tuple[Document, bytes]] = []

    def write() -> None:
        with database.transaction():
            entry = Entry(database, DO, "Rebuild", who, step_id, {"photos": len(portion)})
            draft = Draft(reader, entry, by_hand=True)
            for document, _ in portion:
                _write(database, draft, document)
            draft.flush()
            entry.finish()
            # What was read is what the mirror has; a file that somebody wrote differently will be written anew.
            database.execute_many(
                "UPDATE photo SET touched = 1, mirrored = revision * ?, mirror_seq = ?, mirror_hash = ? WHERE uid = ?",
                [
                    (int(document.text == text), entry.seq, hashlib.sha256(text).hexdigest(), document.uid)
                    for document, text in portion
                ],
            )

    seen: set[str] = set()
    for path, document, text in read_mirror(folder / MIRROR_FOLDER, refused):
        if document.uid in seen:
            refused.append(f"{path}: the same photo as in a file before it; merge that copy afterwards")
            continue
        seen.add(document.uid)
        portion.append((document, text))
        photos += 1
        people += len(document.content["people"])
        comments += len(document.content["comments"])
        if len(portion) == _PORTION:
            progress(photos, 0, "reading the mirror")
            write()
            portion = []
    write()
    with database.transaction():
        journal.close_step(step_id)
        Entry(database, NOTE, "Rebuilt", who, None, {"photos": photos, "refused": len(refused)}).finish()
    return Rebuilt(photos, people, comments, refused)


def _write(database: Database, draft: Draft, document: Document) -> None:
    photo: Mapping[str, Any] = document.content["photo"]
    width, height = photo["size_px"]
    name = _free_name(database, photo)
    cursor = database.execute(
        "INSERT INTO photo (uid, name, root_id, path, sha256, size_bytes, orientation, width, height) "
        "VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)",
        [
            document.uid,
            name,
            name,
            photo["sha256"],
            photo["size_bytes"],
            photo["orientation"],
            width,
            height,
        ],
    )
    photo_id = int(cursor.lastrowid or 0)
    for field_name, value in photo["set"].items():
        draft.set(PHOTO, photo_id, field_name, value)
    known: dict[str, int] = {}
    blocks = document.content["predictions"]
    for uid, block in sorted(document.content["people"].items(), key=lambda item: _rank(item[1])):
        person_id = draft.add_person(photo_id, _free_uid(database, PERSON, uid))
        for name, value in block["set"].items():
            draft.set(PERSON, person_id, name, value)
        for part, name in block["from"].items():
            number = write_prediction(database, known, photo_id, name, blocks[name])
            draft.set(PERSON, person_id, FROM + part, number)
    draft.flush()
    for uid in document.content["removed"]:
        # somebody was there and was taken away: both are in the journal, so that a merge knows it
        person_id = draft.add_person(photo_id, _free_uid(database, PERSON, uid))
        draft.flush()
        draft.set(PERSON, person_id, "present", None)
        draft.flush()
    for uid, own in document.content["comments"].items():
        comment_id = draft.add_comment(photo_id, _free_uid(database, COMMENT, uid))
        for name, value in own.items():
            draft.set(COMMENT, comment_id, name, value)


def _free_uid(database: Database, kind: str, uid: str) -> str:
    """The uid, or where somebody copied a file by hand and it is taken, a new one: their work counts all the same."""
    taken = database.value(f"SELECT 1 FROM {kind} WHERE uid = ?", [uid]) is not None
    return uuid.uuid4().hex if taken else uid


def _free_name(database: Database, photo: Mapping[str, Any]) -> str:
    """The photo's name, or with its uid where another photo has it."""
    name = photo["name"]
    if database.value("SELECT 1 FROM photo WHERE name = ? OR path = ?", [name, name]) is None:
        return name
    head, dot, suffix = name.rpartition(".")
    return f"{head or suffix}-{photo['uid']}{dot if head else ''}{suffix if head else ''}"


def _rank(block: Mapping[str, Any]) -> float:
    return block["set"].get("rank") or 0.0
