"""What the store must know of disks: files that are whole or absent, and folders that are not on this machine.

SQLite's write-ahead log needs memory shared between processes, which network file systems do not have, and programs
that synchronise folders copy its files one by one at moments of their own. For both the store keeps to SQLite's older
rollback journal, which is one file more during a transaction and nothing afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_NETWORK = frozenset(
    "nfs nfs3 nfs4 cifs smb smb2 smb3 smbfs afpfs afs ncpfs coda davfs webdav ceph gfs2 glusterfs lustre beegfs gpfs "
    "orangefs pvfs2 9p drvfs vboxsf vmhgfs virtiofs prl_fs macfuse osxfuse".split()
)
"""File systems on other machines, among them the folders that a virtual machine shares with its host."""
_LOCAL_FUSE = frozenset(
    "bindfs cryfs encfs exfat exfat-fuse ext2 ext4 fuse-overlayfs gocryptfs ntfs ntfs-3g securefs".split()
)
_SYNCED = re.compile(
    r"^(onedrive( - .+)?|dropbox( \(.+\))?|google ?drive|my drive|icloud ?drive|mobile documents|cloudstorage|nextcloud"
    r"|owncloud|pcloud ?drive|box sync|synology ?drive|megasync)$",
    re.IGNORECASE,
)
_REMOTE_DRIVE = 4  # DRIVE_REMOTE of the Windows API
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a folder lies.

    Attributes:
        kind: "local", "network" or "synced".
        what: the file system or the program, for messages; empty for local folders.
    """

    kind: str
    what: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the disk is this machine's own and nothing copies from it at moments of its own."""
        return self.kind == "local"


def place_of(folder: Path, mounts: str | None = None) -> Place:
    """Whether a folder is local, on a network, or kept in step with a cloud; best effort, local when in doubt.

    Args:
        folder: need not exist.
        mounts: the system's table of mounts (`/proc/self/mountinfo`, or what `mount` prints on macOS); asked for if
            not given.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  (resolving would wait for a dead server)
    kind = _windows_kind(folder) if sys.platform == "win32" else _mounted_kind(folder, mounts)
    if kind:
        return Place("network", kind)
    for part in folder.parts:
        if _SYNCED.match(part):
            return Place("synced", part)
    return Place("local")


def _windows_kind(folder: Path) -> str:
    """Name of the remote file system, empty for a local one."""
    if folder.drive.startswith("\\\\"):
        return "a network share"
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  (exists on Windows alone)
    return "a network drive" if kernel.GetDriveTypeW(folder.anchor) == _REMOTE_DRIVE else ""


def _mounted_kind(folder: Path, mounts: str | None) -> str:
    """Type of the remote file system under a folder, empty for a local one."""
    best, kind = -1, ""
    for point, file_system in _mount_points(_mount_table() if mounts is None else mounts):
        depth = len(PurePosixPath(point).parts)
        if depth >= best and PurePosixPath(folder).is_relative_to(point):  # of two on one point the later one counts
            best, kind = depth, file_system
    family, _, member = kind.partition(".")
    if family == "fuse":
        return "" if member in _LOCAL_FUSE or not member else member
    return kind if kind in _NETWORK else ""


def _mount_table() -> str:
    linux = Path("/proc/self/mountinfo")
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if linux.is_file():
            return linux.read_text(encoding="utf-8", errors="replace")
        return subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=False).stdout
    return ""


def _mount_points(table: str):
    """(mount point, file system) of each line of Linux's or macOS's table."""
    for line in table.splitlines():
        macos = re.match(r"^.* on (?P<point>/.*) \((?P<kind>\w+)[,)]", line)
        if macos:
            yield macos["point"], macos["kind"]
            continue
        head, separator, tail = line.partition(" - ")
        fields = head.split(" ")
        if separator and len(fields) > 4 and tail:
            yield re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), fields[4]), tail.split(" ")[0]


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step, so that after a crash or a power cut it is the old one or the new one.

    Raises:
        OSError: the place cannot be written; the old file is untouched.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def has_no_room(problem: BaseException) -> bool:
    """Whether something could not be written because the disk, or somebody's share of it, is full."""
    return isinstance(problem, OSError) and problem.errno in _NO_ROOM


def remedy_for(problem: OSError) -> str:
    """What to do where something could not be written."""
    return "free some space" if has_no_room(problem) else "make the folder writable"


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows does that by itself."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems refuse
            os.fsync(handle)
    finally:
        os.close(handle)
