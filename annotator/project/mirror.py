"""The JSON mirror: one file for each photo that a hand touched, for git and for the day when the database is gone.

It is written after the commit and off the hand's path, by a thread with a connection of its own. Which photos it still
owes is in the database (`revision` above `mirrored`), so a crash leaves nothing to guess: whoever opens the project
next writes them. A file whose content is not what was written last was changed by somebody else, by git for example: it
is left alone and reported, until `merge` has read it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.project.database import FILE_NAME, Database
from annotator.project.documents import Document, document_of
from annotator.project.errors import ProjectError
from annotator.project.filesystem import write_whole
from annotator.project.reader import Reader

FOLDER = "annotations"
_QUIET_SECONDS = 1.0  # after the latest edit; a drag is not written point by point
_AT_MOST_SECONDS = 10.0  # however busy the hand is
_PORTION = 200
_PAGES_OF_LOG = 1000  # then the thread also brings the log into the file, so that no edit has to wait for that


@dataclass(frozen=True, slots=True)
class MirrorReport:
    """What became of the mirror.

    Attributes:
        written: files that were written.
        changed_elsewhere: files that were left alone, because somebody else had changed them.
    """

    written: int
    changed_elsewhere: list[str]

    def __str__(self) -> str:
        """Counts, and what to do about the others."""
        left = "left alone, changed by somebody else, `merge` takes it in"
        return "\n".join([f"{self.written} files written", *(f"{left}: {name}" for name in self.changed_elsewhere)])


def lagging(database: Database) -> int:
    """How many photos' files are behind."""
    return database.value("SELECT count(*) FROM photo WHERE touched AND mirrored < revision")


def write_mirror(
    writer: Database,
    reader: Reader,
    folder: Path,
    *,
    everything: bool = False,
    replace: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> MirrorReport:
    """Write the files that are behind.

    Args:
        writer: the connection that notes what was written.
        reader: of the same project; may have a connection of its own.
        folder: of the project.
        everything: files of all photos with people, touched or not.
        replace: also files that somebody else changed.
        stopped: asked between portions.

    Raises:
        ProjectError: the project or the folder cannot be written.
        OSError: a file cannot be written.
    """
    written, foreign, after = 0, [], 0
    wanted = "people OR touched" if everything else "touched AND mirrored < revision"
    while not stopped():
        ids = [
            number
            for (number,) in reader.database.rows(
                f"SELECT id FROM photo WHERE ({wanted}) AND id > ? ORDER BY id LIMIT {_PORTION}", [after]
            )
        ]
        if not ids:
            break
        after = ids[-1]
        seq = reader.journal.last_seq()
        portion = [(number, *_now(reader, number)) for number in ids]
        writable = []
        for number, revision, document in portion:
            path = folder / FOLDER / document.name
            if replace or _is_ours(reader.database, number, path):
                writable.append((number, revision, document, path))
            else:
                foreign.append(f"{FOLDER}/{document.name}")
        # What will be written is noted before, and confirmed after: whichever of the two a crash leaves is ours.
        with writer.transaction():
            writer.execute_many(
                "UPDATE photo SET mirror_next = ? WHERE id = ?",
                [(doc.sha256, number) for number, _, doc, _ in writable],
            )
        for _, _, document, path in writable:
            write_whole(path, document.text)
        with writer.transaction():
            writer.execute_many(
                "UPDATE photo SET mirrored = ?, mirror_seq = ?, mirror_hash = ? WHERE id = ?",
                [(revision, seq, document.sha256, number) for number, revision, document, _ in writable],
            )
        written += len(writable)
    return MirrorReport(written, foreign)


def find_differences(reader: Reader, folder: Path) -> list[str]:
    """Files of the mirror that are missing or not as the database has it, one line each; reads them all."""
    found = []
    for number, uid, mirror_hash in reader.database.rows(
        "SELECT id, uid, mirror_hash FROM photo WHERE mirror_hash <> '' AND (NOT touched OR mirrored = revision)"
    ):
        path = folder / FOLDER / Document(uid, {}).name
        name = f"{FOLDER}/{Document(uid, {}).name}"
        try:
            content = path.read_bytes()
        except OSError:
            found.append(f"{name}: missing; `mirror --all` writes it again")
            continue
        if hashlib.sha256(content).hexdigest() != mirror_hash:
            found.append(f"{name}: changed by somebody else; `merge` takes it in, `mirror --all --replace` discards it")
        elif content != document_of(reader, number).text:
            found.append(f"{name}: not what the database holds; `mirror --all` writes it again")
    return found


def _now(reader: Reader, photo_id: int) -> tuple[int, Document]:
    """A photo's document and a revision that it is not older than."""
    revision = reader.database.value("SELECT revision FROM photo WHERE id = ?", [photo_id])
    return revision, document_of(reader, photo_id)


def _is_ours(database: Database, photo_id: int, path: Path) -> bool:
    """Whether a file is absent, or as we wrote it last."""
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return True
    known: Sequence[str] = database.row("SELECT mirror_hash, mirror_next FROM photo WHERE id = ?", [photo_id]) or ()
    return content in known


class MirrorThread:
    """Writes the mirror while a person works.

    Args:
        writer: the project's own connection.
        folder: of the project.
        tell: called with a sentence when something is worth a person's notice; each sentence once.
    """

    def __init__(self, writer: Database, folder: Path, tell: Callable[[str], None]):
        self._writer = writer
        self._folder = folder
        self._tell = tell
        self._told: set[str] = set()
        self._news = threading.Event()
        self._stop = threading.Event()
        self._last_edit = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="project-mirror", daemon=True)
        self._thread.start()

    def edited(self) -> None:
        """Something was committed; returns at once."""
        self._last_edit = time.monotonic()
        self._news.set()

    def stop(self) -> None:
        """End the thread; what it owes is written by the next one, or by `write_mirror`."""
        self._stop.set()
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        database = Database(self._folder / FILE_NAME, read_only=False, journal=self._writer.journal)
        try:
            reader = Reader(database)
            while not self._stop.is_set():
                self._news.wait()
                self._news.clear()
                self._wait_for_quiet()
                if self._stop.is_set():
                    return
                self._work(reader)
        finally:
            database.close()

    def _wait_for_quiet(self) -> None:
        begun = time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            if now - self._last_edit >= _QUIET_SECONDS or now - begun >= _AT_MOST_SECONDS:
                return
            self._stop.wait(_QUIET_SECONDS / 4)

    def _work(self, reader: Reader) -> None:
        try:
            report = write_mirror(self._writer, reader, self._folder, stopped=self._stop.is_set)
            for name in report.changed_elsewhere:
                self._say(f"{name} was changed by somebody else and is left alone; `merge` takes it in")
            wal = self._writer.path.with_name(self._writer.path.name + "-wal")
            if wal.exists() and wal.stat().st_size > _PAGES_OF_LOG * 4096:
                reader.database.checkpoint()
        except (ProjectError, OSError) as error:
            # The database has everything: the mirror is behind, and says so, until the disk takes it.
            self._say(f"the mirror in {FOLDER}/ is behind: {error}")

    def _say(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._tell(sentence)
