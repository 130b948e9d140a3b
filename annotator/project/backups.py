"""Copies of the database that are whole and good, some of each age.

A backup is made through SQLite's backup, checked, and only then given its name; so an interrupted one leaves nothing,
and a database that is damaged never pushes a good backup out. Its name says when and at which line of the journal it
was made (number and beginning of its link), and why: `20261122T170727Z-000042-3fa91c2d-open.sqlite`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from annotator.project.database import FILE_NAME, ROLLBACK, Database
from annotator.project.errors import DamagedProjectError, ProjectError, StorageError
from annotator.project.filesystem import remedy_for, sync_file, sync_folder
from annotator.project.lock import WriterLock

FOLDER = "backups"
_NAME = re.compile(r"^(?P<time>\d{8}T\d{6}Z)-(?P<seq>\d+)-(?P<link>[0-9a-f]{8})-(?P<reason>[a-z]+)\.sqlite$")
_NEWEST, _DAYS = 4, 7
# The one that opening makes beside, and one before bulk work: only whoever holds the project's lock makes any.
_ONE_AT_A_TIME = threading.Lock()
_LARGE_BYTES = 256 << 20  # from here on, half as many
_ROOM = 1.2  # of the database's size must be free for a backup


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy of the database.

    Attributes:
        path: of the file.
        made: when, ISO 8601 in UTC.
        seq: the last line of the journal in it.
        link: the beginning of that line's link; with `seq` it says whether two databases are the same.
        reason: "open", "bulk", "migration", "restore" or "merge".
    """

    path: Path
    made: str
    seq: int
    link: str
    reason: str

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.path.name}: {self.made}, {self.seq} edits, made for {self.reason}"


def list_backups(folder: Path) -> list[Backup]:
    """The backups of a project, newest first; cheap, nothing is opened."""
    found = []
    with contextlib.suppress(OSError):
        for path in (folder / FOLDER).iterdir():
            name = _NAME.match(path.name)
            if name:
                made = datetime.strptime(name["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                iso = made.isoformat(timespec="seconds").replace("+00:00", "Z")
                found.append(Backup(path, iso, int(name["seq"]), name["link"], name["reason"]))
    return sorted(found, key=lambda backup: (backup.made, backup.seq, backup.path.name), reverse=True)


def make_backup(folder: Path, reason: str) -> Backup | None:
    """Copy the database as it is now, while others go on writing; old copies are rotated out.

    Args:
        folder: of the project.
        reason: one word, for its name.

    Returns:
        The backup, or `None` if the newest one holds the same already.

    Raises:
        DamagedProjectError: the copy does not pass SQLite's check, so the database is damaged; nothing is rotated out.
        StorageError: no room, or the folder cannot be written.
    """
    with _ONE_AT_A_TIME:
        return _make(folder, reason)


def _make(folder: Path, reason: str) -> Backup | None:
    source = Database(folder / FILE_NAME, read_only=True)
    try:
        known = list_backups(folder)
        # Everything that is written has its line in the journal: the same last line is the same content.
        if known and (known[0].seq, known[0].link) == _last_line(source):
            return None
        _check_room(folder)
        unfinished = folder / FOLDER / f"unfinished-{reason}.sqlite"
        try:
            unfinished.parent.mkdir(exist_ok=True)
            unfinished.unlink(missing_ok=True)
            source.copy_to(unfinished)
            sync_file(unfinished)
            seq, link = _checked(unfinished, folder)
            made = datetime.now(UTC)
            path = unfinished.with_name(f"{made:%Y%m%dT%H%M%SZ}-{seq:06d}-{link}-{reason}.sqlite")
            unfinished.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise StorageError(f"{folder / FOLDER}: no backup could be made ({error}); {remedy_for(error)}") from error
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        backups = list_backups(folder)
        fresh = next(backup for backup in backups if backup.path == path)
        _rotate(backups, fresh)
        return fresh
    finally:
        source.close()


def restore_backup(folder: Path, backup: Path | None = None) -> tuple[Path, Path | None]:
    """Put a backup in the place of the database; what was there is kept beside it under another name.

    Args:
        folder: of the project.
        backup: which; the newest good one if not given.

    Returns:
        The backup that was taken, and where the database that was replaced lies now (`None` if there was none).

    Raises:
        ProjectError: there is no backup that can be read, or somebody has the project open.
        StorageError: no room, or the folder cannot be written.
    """
    chosen = _good_backup(folder, backup)
    fresh = folder / "restored.unfinished"
    with held_alone(folder):
        try:
            shutil.copyfile(chosen, fresh)
            sync_file(fresh)
            _checked(fresh, folder)
            return chosen, put_in_place(fresh, folder)
        except OSError as error:
            raise StorageError(f"{folder}: the backup could not be put back ({error}); nothing is lost") from error
        finally:
            fresh.unlink(missing_ok=True)


@contextlib.contextmanager
def held_alone(folder: Path) -> Iterator[None]:
    """Nobody has the project open while the block lasts.

    Raises:
        ProjectError: somebody has.
        StorageError: the folder cannot be written.
    """
    lock = WriterLock(folder)
    try:
        holder = lock.acquire()
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be written ({error.strerror}); look at its permissions and the disk"
        ) from error
    if holder is not None:
        raise ProjectError(f"{folder}: {holder} has it open; close it there first")
    try:
        yield
    finally:
        lock.release()


def put_in_place(fresh: Path, folder: Path) -> Path | None:
    """Give a complete database its name; one that was there stays under another. Returns where that lies now.

    At every moment of it one of the two has the name, so that a crash leaves a project that opens.

    Raises:
        OSError: the folder cannot be written.
    """
    database = folder / FILE_NAME
    replaced = database.with_name(f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.sqlite")
    with contextlib.suppress(ProjectError):  # brings the log into the old file, if that can still be read
        old = Database(database, read_only=False, journal=ROLLBACK)
        old.close()
    # A log that is still there belongs to the old file and would be played into the new one.
    for suffix in ("-wal", "-shm", "-journal"):
        beside = database.with_name(database.name + suffix)
        if beside.exists():
            beside.replace(replaced.with_name(replaced.name + suffix))
    if database.exists():
        try:
            os.link(database, replaced)
        except OSError:  # a file system without links
            database.replace(replaced)
    fresh.replace(database)
    sync_folder(folder)
    return replaced if replaced.exists() else None


def _good_backup(folder: Path, wanted: Path | None) -> Path:
    choices = [wanted] if wanted is not None else [backup.path for backup in list_backups(folder)]
    for path in choices:
        with contextlib.suppress(ProjectError):
            _checked(path, folder)
            return path
    if wanted is not None:
        raise DamagedProjectError(f"{wanted}: is no backup that can be read; choose another", list_backups(folder))
    raise ProjectError(f"{folder / FOLDER}: no backup that can be read; `restore --mirror` rebuilds from annotations/")


def _checked(path: Path, folder: Path) -> tuple[int, str]:
    """Last line of the journal in a copy that is whole."""
    copy = Database(path, read_only=True)
    try:
        found = copy.value("PRAGMA quick_check(1)")
        if found != "ok":
            raise DamagedProjectError(
                f"{folder / FILE_NAME}: damaged ({found}); bring a backup back with `restore`", list_backups(folder)
            )
        return _last_line(copy)
    finally:
        copy.close()


def _last_line(database: Database) -> tuple[int, str]:
    seq, link = database.row("SELECT seq, link FROM edit ORDER BY seq DESC LIMIT 1") or (0, "0" * 8)
    return seq, link[:8]


def _check_room(folder: Path) -> None:
    size = (folder / FILE_NAME).stat().st_size
    free = shutil.disk_usage(folder).free
    if free < size * _ROOM:
        raise StorageError(
            f"{folder}: {free / 1e6:.0f} MB free, too little for a backup of {size / 1e6:.0f} MB; free some space"
        )


def _rotate(backups: Sequence[Backup], fresh: Backup) -> None:
    """Keep the newest few, the last of each of the latest days, the last before a migration, and the one just made.

    That one need not be the newest by name: after a restore an older state may be copied within the same second.
    """
    share = 2 if backups[0].path.stat().st_size > _LARGE_BYTES else 1
    kept = {fresh.path, *(backup.path for backup in backups[: _NEWEST // share])}
    of_day: dict[str, Path] = {}
    for backup in backups:  # newest first
        of_day.setdefault(backup.made[:10], backup.path)
    kept.update(list(of_day.values())[: _DAYS // share])
    kept.update([backup.path for backup in backups if backup.reason == "migration"][:1])
    for backup in backups:
        if backup.path not in kept:
            for left in ("-wal", "-shm", ""):  # whoever read it may have left its log
                with contextlib.suppress(OSError):
                    backup.path.with_name(backup.path.name + left).unlink()
