"""Making a project, and opening one whatever state a crash, a power cut, a network or another program left it in."""

from __future__ import annotations

import json
import os
import tomllib
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from annotator.console import Progress
from annotator.project import schema
from annotator.project.backups import list_backups, make_backup
from annotator.project.database import FILE_NAME, ROLLBACK, UNSAFE, WAL, Database
from annotator.project.errors import (
    DamagedProjectError,
    NotAProjectError,
    ProjectError,
    ReadOnlyProjectError,
    StorageError,
)
from annotator.project.filesystem import place_of, sync_file, write_whole
from annotator.project.journal import Journal
from annotator.project.lock import Holder, WriterLock
from annotator.project.mirror import FOLDER as MIRROR_FOLDER
from annotator.project.mirror import lagging
from annotator.project.photos import AddedPhotos
from annotator.project.store import Project, silent
from cliff_core.skeletons import JOINT_SETS

DESCRIPTION = "project.toml"
_CHECKED_AT_ONCE_BYTES = 64 << 20  # a larger file is checked with each backup, not while a person waits
_IGNORED_BY_GIT = "project.sqlite*\nproject.lock*\nreplaced-*.sqlite*\nbackups/\nruns/\n*.unfinished\n"


@dataclass(frozen=True, slots=True)
class Description:
    """What `project.toml` says.

    Attributes:
        name: for people.
        uid: of the project.
        joint_set: in which people place points.
    """

    name: str
    uid: str
    joint_set: str

    @property
    def text(self) -> bytes:
        """The file."""
        lines = [
            "# A project of the CLIFF Annotator. The annotations are in project.sqlite, and as JSON in annotations/.",
            f"format = {schema.VERSION}",
            f"name = {json.dumps(self.name, ensure_ascii=False)}",
            f'uid = "{self.uid}"',
            f'joint_set = "{self.joint_set}"',
        ]
        return ("\n".join(lines) + "\n").encode("utf-8")


def create_project(
    folder: Path,
    images: Path | Iterable[Path] = (),
    *,
    joint_set: str = "coco17",
    who: str = "",
    journal: str | None = None,
    progress: Progress = silent,
) -> tuple[Project, list[AddedPhotos]]:
    """Make a project in a folder that is new, empty, or has photos and no project.

    Args:
        folder: of the project.
        images: folders with photos to reference.
        joint_set: in which people will place points.
        who: written into the journal; the system's name of the person if empty.
        journal: SQLite's journal; chosen by where the folder lies if not given.
        progress: told photo by photo.

    Returns:
        The open project, and what became of each folder of photos.

    Raises:
        NotAProjectError: there is a project already, or a folder of photos is none.
        StorageError: the folder cannot be written.
    """
    if joint_set not in JOINT_SETS:
        raise NotAProjectError(f"no joint set '{joint_set}'; there are {', '.join(sorted(JOINT_SETS))}")
    folders = [images] if isinstance(images, Path) else list(images)
    for each in folders:
        if not each.is_dir():
            raise NotAProjectError(f"{each}: no such folder; name the one with the photos")
    path = folder / FILE_NAME
    if path.exists() or (folder / DESCRIPTION).exists():
        raise NotAProjectError(f"{folder}: holds a project already; open it, or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(folder)
        holder = lock.acquire()
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
    if holder:
        raise NotAProjectError(f"{folder}: {holder} is making a project there")
    description = Description(folder.resolve().name, uuid.uuid4().hex, joint_set)
    # Under its name the database appears only when it is complete: a crash in between leaves no half project.
    unfinished = folder / "new.unfinished"
    try:
        unfinished.unlink(missing_ok=True)
        unfinished.touch(exist_ok=False)
        database = Database(unfinished, read_only=False, journal=UNSAFE)
        try:
            schema.migrate(database, 0)
            with database.transaction():
                settings = [("uid", description.uid), ("name", description.name), ("joint_set", joint_set)]
                database.execute_many("INSERT INTO setting VALUES (?, ?)", settings)
        finally:
            database.close()
        sync_file(unfinished)
        if not (folder / ".gitignore").exists():
            write_whole(folder / ".gitignore", _IGNORED_BY_GIT.encode())
        (folder / MIRROR_FOLDER).mkdir(exist_ok=True)
        unfinished.replace(path)
        write_whole(folder / DESCRIPTION, description.text)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        lock.release()
    project = open_project(folder, who=who, journal=journal)
    try:
        return project, [project.add_photos(each, progress) for each in folders]
    except BaseException:
        project.close()
        raise


def open_project(folder: Path, read_only: bool = False, *, who: str = "", journal: str | None = None) -> Project:
    """Open a project.

    If somebody else has it open, it opens for reading only and says who (`Project.held_by`). After a crash it is put
    right: what was committed is there, steps left open are closed, and the mirror catches up.

    Args:
        folder: of the project.
        read_only: do not ask for the right to write.
        who: written into the journal; the system's name of the person if empty.
        journal: SQLite's journal (`database.WAL`, `ROLLBACK`); chosen by where the folder lies if not given.

    Raises:
        NotAProjectError: nothing there, or something else.
        NewerProjectError: written by a newer version of the program.
        DamagedProjectError: it cannot be read; has the backups, which `open_backup` shows and `restore_backup` brings
            back. The damaged file stays as it is.
        StorageError, ReadOnlyProjectError: the disk does not let us.
    """
    folder = Path(folder)
    path = folder / FILE_NAME
    if not path.is_file():
        raise _nothing_there(folder)
    notices: list[str] = []
    lock, held_by = (None, None) if read_only else _ask_for_lock(folder, notices)
    try:
        database = Database(path, read_only=lock is None)
        try:
            return _prepared(folder, database, lock, held_by, who, journal, notices)
        except BaseException:
            database.close()
            raise
    except DamagedProjectError as error:
        if lock is not None:
            lock.release()
        backups = list_backups(folder)
        hint = f"there are {len(backups)} backups; `restore` brings one back" if backups else "there is no backup"
        message = f"{path}: damaged and left as it is; {hint}, and `restore --mirror` rebuilds from {MIRROR_FOLDER}/"
        raise DamagedProjectError(f"{message} ({error})", backups) from error
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def open_backup(folder: Path, backup: Path) -> Project:
    """Look into a backup, for reading only.

    Raises:
        ProjectError: it cannot be read.
    """
    database = Database(backup, read_only=True)
    try:
        version = schema.version_of(database)
        if version != schema.VERSION:
            raise ProjectError(f"{backup}: of an older version (tables {version}); restore it to bring it up to date")
        return Project(folder, database, lock=None, held_by=None, who="", notices=[])
    except BaseException:
        database.close()
        raise


def read_description(folder: Path) -> Description:
    """What `project.toml` says.

    Raises:
        NotAProjectError: it is missing or cannot be read.
    """
    try:
        content = tomllib.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        return Description(str(content["name"]), str(content["uid"]), str(content["joint_set"]))
    except (OSError, KeyError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NotAProjectError(
            f"{folder / DESCRIPTION}: missing or damaged ({error}); name a project's folder"
        ) from error


def _nothing_there(folder: Path) -> ProjectError:
    path = folder / FILE_NAME
    if not (folder / DESCRIPTION).is_file():
        return NotAProjectError(f"{folder}: no project there; `new` makes one")
    backups = list_backups(folder)
    hint = f"`restore` brings back one of {len(backups)} backups" if backups else "there is no backup"
    text = f"{path}: gone; {hint}, and `restore --mirror` rebuilds it from {MIRROR_FOLDER}/"
    return DamagedProjectError(text, backups)


def _ask_for_lock(folder: Path, notices: list[str]) -> tuple[WriterLock | None, Holder | None]:
    """The lock, or who has it; neither where the folder cannot be written."""
    lock = WriterLock(folder)
    try:
        holder = lock.acquire()
    except OSError as error:
        notices.append(f"{folder}: cannot be written ({error.strerror}); opened for reading only")
        return None, None
    if holder is not None:
        notices.append(f"{folder}: open for writing by {holder}; opened here for reading only")
        return None, holder
    if not os.access(folder / FILE_NAME, os.W_OK):
        lock.release()
        notices.append(f"{folder / FILE_NAME}: cannot be written; opened for reading only")
        return None, None
    return lock, None


def _choose_journal(folder: Path, database: Database, journal: str | None, notices: list[str]) -> None:
    """The quick way of saving where it is safe, and a word to the person where it is not."""
    if journal is None:
        place = place_of(folder)
        journal = WAL if place.is_local else ROLLBACK
        if not place.is_local:
            what = "on a network" if place.kind == "network" else "in a folder that is kept in step with a cloud"
            notices.append(
                f"{folder}: lies {what} ({place.what}); a slower and safer way of saving is used there. Work on a copy "
                "on this machine's own disk if you can, and join copies with `merge`"
            )
    database.use_journal(journal)
    if database.journal != journal:
        notices.append(f"{folder}: the disk does not allow the quick way of saving; a slower and safer one is used")


def _describe(folder: Path, database: Database) -> None:
    settings = dict(database.rows("SELECT name, value FROM setting"))
    description = Description(settings["name"], settings["uid"], settings["joint_set"])
    try:
        write_whole(folder / DESCRIPTION, description.text)
    except OSError as error:
        raise StorageError(f"{folder / DESCRIPTION}: cannot be written ({error.strerror})") from error


def _version(folder: Path, database: Database) -> int:
    try:
        return schema.version_of(database)
    except NotAProjectError as error:
        # SQLite takes a file without content for an empty database. In a project's folder it is what a crash left.
        if (folder / DESCRIPTION).is_file():
            raise DamagedProjectError(f"{database.path}: without content") from error
        raise


def _prepared(
    folder: Path,
    database: Database,
    lock: WriterLock | None,
    held_by: Holder | None,
    who: str,
    journal: str | None,
    notices: list[str],
) -> Project:
    """The project on a database that was looked at, and for writing put right; nothing is written before it was."""
    version = _version(folder, database)
    crashed = lock is not None and lock.abandoned_by is not None
    if crashed or (lock is not None and database.path.stat().st_size <= _CHECKED_AT_ONCE_BYTES):
        found = database.value("PRAGMA quick_check(1)")
        if found != "ok":
            raise DamagedProjectError(f"{database.path}: {found}")
    if lock is None:
        if version != schema.VERSION:
            raise ReadOnlyProjectError(
                f"{folder}: of an older version (tables {version}); open it once for writing to bring it up to date"
            )
        return Project(folder, database, lock=None, held_by=held_by, who=who, notices=notices)
    _choose_journal(folder, database, journal, notices)
    if not (folder / DESCRIPTION).is_file():  # the last that `create_project` writes
        _describe(folder, database)
    if version < schema.VERSION:
        make_backup(folder, "migration")
        schema.migrate(database, version)
        notices.append(f"{folder}: brought from version {version} of the tables to {schema.VERSION}")
    if crashed:
        notices.append(f"{folder}: the session of {lock.abandoned_by} ended without closing; everything saved is here")
    with database.transaction():
        left = Journal(database).close_all_steps()
    if left:
        labels = ", ".join(f"'{step.label}'" for step in left)
        notices.append(f"{folder}: {labels} was interrupted; what it had done is kept, and can be undone as a whole")
    behind = lagging(database)
    if behind:
        notices.append(f"{folder}: the mirror of {behind} photos is behind, and is being written")
    project = Project(folder, database, lock=lock, held_by=None, who=who, notices=notices)
    project.backup_beside("open")
    return project
