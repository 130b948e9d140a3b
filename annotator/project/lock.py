"""One writer for each project: who has it open, and whether that program still runs.

The lock is one of the operating system on the file `project.lock`, which ends with the process that holds it, however
that ends: there is no stale lock to clear away. The file's text says who holds it, for whoever comes second. Where a
file system has no such locks, a second file stands for them, and the process named in it is looked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import getpass
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

FILE_NAME = "project.lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_LOCKED_BYTE = 1 << 30  # far behind the text: Windows lets nobody read a byte that is locked
_STILL_ACTIVE, _QUERY_PROCESS = 259, 0x1000  # of the Windows API


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a project open for writing.

    Attributes:
        host: name of the machine.
        pid: number of the process there.
        user: who started it.
        since: when, ISO 8601 in UTC.
    """

    host: str
    pid: int
    user: str
    since: str

    def __str__(self) -> str:
        """As a person reads it."""
        return f"{self.user} on {self.host} (process {self.pid}, since {self.since})"


def this_user() -> str:
    """Name of the person at this machine, as the system has it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no account behind the number, as in some containers
        return "unknown"


class WriterLock:
    """The right to write a project, held from `acquire` to `release` or the end of the process.

    Args:
        folder: of the project, or of anything else that one process at a time may have in hand.
        name: of the file in it.
    """

    def __init__(self, folder: Path, name: str = FILE_NAME):
        self._path = folder / name
        self._substitute = folder / f"{name}.held"
        self._file: BinaryIO | None = None
        self._uses_substitute = False
        self.abandoned_by: Holder | None = None
        """Whose session ended without releasing the lock: a crash, found by `acquire`."""

    def acquire(self) -> Holder | None:
        """Take the lock.

        Returns:
            `None` if it is ours now, otherwise who has it.

        Raises:
            OSError: the folder cannot be written.
        """
        # created without cutting: another's name may stand in it
        file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b")
        try:
            _lock_byte(file)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                other = self._acquire_substitute()
                if other:
                    file.close()
                    return other
            else:
                holder = _read_holder(file) or Holder("another machine", 0, "another program", "an unknown time")
                file.close()
                return holder
        self._file = file
        self.abandoned_by = self.abandoned_by or _read_holder(file)
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._write(json.dumps(asdict(Holder(socket.gethostname(), os.getpid(), this_user(), now))))
        return None

    def release(self) -> None:
        """Give the lock back; without one, nothing happens."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._write("")
        if self._uses_substitute:
            with contextlib.suppress(OSError):
                self._substitute.unlink()
        self._file.close()  # and with it the lock of the operating system
        self._file = None

    def _write(self, text: str) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text.encode("utf-8"))
        self._file.flush()

    def _acquire_substitute(self) -> Holder | None:
        """The same by a file that only one can create."""
        for _ in range(2):
            try:
                with self._substitute.open("x", encoding="utf-8") as file:
                    file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
                self._uses_substitute = True
                return None
            except FileExistsError:
                with self._path.open("rb") as file:
                    holder = _read_holder(file)
                if holder is None or holder.host != socket.gethostname() or is_running(holder.pid):
                    return holder or Holder("another machine", 0, "another program", "an unknown time")
                self.abandoned_by = holder
                self._substitute.unlink(missing_ok=True)
        return Holder("this machine", 0, "another program", "this moment")


def is_running(pid: int) -> bool:
    """Whether a process of this machine is there."""
    if sys.platform == "win32":
        kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  (exists on Windows alone)
        handle = kernel.OpenProcess(_QUERY_PROCESS, False, pid)
        if not handle:
            return False
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == _STILL_ACTIVE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _lock_byte(file: BinaryIO) -> None:
    """Lock without waiting; the error of a lock held elsewhere has none of the numbers in `_NO_LOCKS`."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read_holder(file: BinaryIO) -> Holder | None:
    try:
        file.seek(0)
        known = json.loads(file.read(4096).decode("utf-8"))
        return Holder(str(known["host"]), int(known["pid"]), str(known["user"]), str(known["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
