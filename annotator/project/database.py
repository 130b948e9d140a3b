"""One connection to the project's SQLite file: settings that keep what was acknowledged, and errors with a remedy.

`synchronous=FULL` makes every commit wait for the disk. In the write-ahead log that is one wait; where the log cannot
be used (`filesystem.place_of`) the rollback journal takes two or three, and `EXTRA` also makes its removal durable.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from annotator.project.errors import DamagedProjectError, ProjectError, ReadOnlyProjectError, StorageError

FILE_NAME = "project.sqlite"
WAL, ROLLBACK = "wal", "delete"
UNSAFE = "memory"
"""Journal of a file that does not have its name yet, so that a crash costs nothing but it."""

_SYNCHRONOUS = {WAL: "FULL", UNSAFE: "OFF"}
_BUSY_SECONDS = 10.0  # readers and checkpoints of this program; writers never meet, the lock keeps them apart
_WAL_LIMIT_BYTES = 64 << 20  # a log that a bulk run made longer is cut back to this
_WAL_PAGES = 8000  # then a commit must bring the log into the file; the mirror's thread mostly does it before
_CACHE_KIB = 32 << 10


class Database:
    """A connection that any thread may use, one at a time.

    Args:
        path: of the file.
        read_only: whether every write is refused.
        journal: `WAL`, `ROLLBACK` or `UNSAFE`, for a connection that writes; `None` to look before `use_journal`.

    Raises:
        DamagedProjectError: not an SQLite file, or a damaged one.
        StorageError: the disk cannot do what was asked.
        ReadOnlyProjectError: the file or its folder cannot be written.
    """

    def __init__(self, path: Path, *, read_only: bool, journal: str | None = None):
        self.path = path
        self.read_only = read_only
        self.lock = threading.RLock()
        with self.explained():
            self._connection = self._connect()
            self.journal = self._prepare()
        if journal is not None:
            self.use_journal(journal)

    def _connect(self) -> sqlite3.Connection:
        if not self.read_only:
            return self._open("rw")
        with suppress(sqlite3.OperationalError):
            connection = self._open("ro")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            return connection
        # Where nothing can be written SQLite cannot make the files that it reads a log with. A log that is there holds
        # commits, and reading without it would hide them.
        log = self.path.with_name(self.path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise ReadOnlyProjectError(
                f"{self.path}: was not closed, and its folder cannot be written to complete it; copy the whole folder "
                "to a place that can be written and open it there"
            )
        return self._open("ro&immutable=1")

    def _open(self, mode: str) -> sqlite3.Connection:
        uri = f"file:{quote(self.path.resolve().as_posix(), safe='/:')}?mode={mode}"
        return sqlite3.connect(
            uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
        )

    def use_journal(self, journal: str) -> None:
        """Choose how commits are made durable; where SQLite cannot, `journal` says afterwards what it uses instead."""
        with self.lock, self.explained():
            execute = self._connection.execute
            self.journal = str(execute(f"PRAGMA journal_mode={journal}").fetchone()[0])
            execute(f"PRAGMA synchronous={_SYNCHRONOUS.get(self.journal, 'EXTRA')}")
            if sys.platform == "darwin":  # where fsync alone leaves what it wrote in the drive's own memory
                execute("PRAGMA fullfsync=ON")
            execute(f"PRAGMA journal_size_limit={_WAL_LIMIT_BYTES}")
            execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")

    def _prepare(self) -> str:
        """Settings of the connection that change nothing in the file; returns the journal that it has."""
        execute = self._connection.execute
        execute("PRAGMA foreign_keys=ON")
        execute("PRAGMA trusted_schema=OFF")
        execute("PRAGMA cell_size_check=ON")
        execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        return str(execute("PRAGMA journal_mode").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it on disk when the block has ended, or nothing of it if it raised; one inside another is part of it.

        Raises:
            ReadOnlyProjectError, StorageError, DamagedProjectError: nothing of the transaction is kept.
        """
        with self.lock, self.explained():
            if self._is_in_transaction():
                yield
                return
            if self.read_only:
                raise ReadOnlyProjectError(f"{self.path}: open for reading only")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._is_in_transaction():
                    with suppress(sqlite3.Error):  # the file is put right when it is opened again
                        self._connection.execute("ROLLBACK")
                raise

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        """Run one statement inside a transaction."""
        return self._connection.execute(sql, tuple(values))

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows, inside a transaction."""
        self._connection.executemany(sql, rows)

    def rows(self, sql: str, values: Iterable[Any] = ()) -> list[tuple]:
        """All rows of a query."""
        with self.lock, self.explained():
            return self._connection.execute(sql, tuple(values)).fetchall()

    def row(self, sql: str, values: Iterable[Any] = ()) -> tuple | None:
        """The first row of a query."""
        with self.lock, self.explained():
            return self._connection.execute(sql, tuple(values)).fetchone()

    def value(self, sql: str, values: Iterable[Any] = ()) -> Any:
        """The first column of the first row; `None` without rows."""
        found = self.row(sql, values)
        return None if found is None else found[0]

    def copy_to(self, path: Path) -> None:
        """Copy the whole file as it is at this moment, through SQLite's backup; writers go on meanwhile."""
        with self.explained():
            target = sqlite3.connect(path, isolation_level=None)
            try:
                target.execute("PRAGMA synchronous=OFF")  # the caller makes it durable once, before it gets its name
                self._connection.backup(target)
                # A backup is one file that can be read where nothing can be written.
                target.execute("PRAGMA journal_mode=DELETE")
            finally:
                target.close()

    def checkpoint(self, *, cut: bool = False) -> None:
        """Bring the log into the file without disturbing anyone; `cut` makes it empty afterwards."""
        if self.journal != WAL or self.read_only:
            return
        with self.explained():
            self._connection.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if cut else 'PASSIVE'})").fetchone()

    def rest(self) -> None:
        """Make the file one that needs nothing beside it, if nobody else reads it: to be copied, or read anywhere."""
        if self.journal != WAL or self.read_only:
            return
        with self.lock, suppress(sqlite3.Error):  # somebody reads: the log stays, empty
            self._connection.execute("PRAGMA busy_timeout=0")
            self.journal = str(self._connection.execute(f"PRAGMA journal_mode={ROLLBACK}").fetchone()[0])

    def close(self) -> None:
        """End the connection; what was committed is on disk already."""
        with self.lock:
            self._connection.close()

    def _is_in_transaction(self) -> bool:
        return self._connection.in_transaction

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise _explain(error, self.path) from error


def _explain(error: sqlite3.Error, path: Path) -> ProjectError:
    """The error that a person can act on."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return DamagedProjectError(f"{path}: damaged ({error}); bring a backup back with `restore`")
    if name.startswith("SQLITE_READONLY"):
        return ReadOnlyProjectError(
            f"{path}: cannot be written ({error}); change its permissions, or those of its folder"
        )
    if name == "SQLITE_FULL":
        return StorageError(f"{path}: the disk is full; nothing of this edit was kept. Free some space and do it again")
    if name.startswith("SQLITE_CANTOPEN"):
        return StorageError(f"{path}: cannot be opened ({error}); look at the folder and its permissions")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageError(f"{path}: another program keeps it busy; close that and do it again")
    if name.startswith("SQLITE_IOERR"):
        return StorageError(
            f"{path}: the disk refused ({error}); nothing of this edit was kept. Look at the disk and do it again"
        )
    return ProjectError(f"{path}: {error}")
