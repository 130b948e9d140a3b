"""The entries of a tar archive that nobody vouches for, one after the other, without unpacking anything to disk.

Python's own `tarfile` has hung on crafted headers more than once (negative sizes, endless extended headers), and knows
sparse files and links that no data set needs. A tar is simple enough to be read strictly: blocks of 512 bytes, a header
with a checksum, the content, and extended headers (pax, GNU) for long names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cliff_core.errors import FormatError
from cliff_core.formats.values import short

_BLOCK = 512
_LONGEST_EXTENSION = 1 << 14
_FILES, _FOLDERS = (b"0", b"\0", b"7"), (b"5",)
_PAX, _PAX_OF_ALL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"


@dataclass(frozen=True, slots=True)
class TarEntry:
    """A file of the archive.

    Attributes:
        name: as the archive has it; nothing about it is checked.
        size: of the content in bytes; the archive is long enough for it.
        offset: where the content begins.
    """

    name: str
    size: int
    offset: int


def looks_like_tar(path: Path) -> bool:
    """Whether the first block of a file is a header of a tar."""
    try:
        with path.open("rb") as stream:
            return _checksum_holds(stream.read(_BLOCK))
    except OSError:
        return False


def tar_entries(stream: BinaryIO, path: Path) -> Iterator[TarEntry]:
    """The files of a tar; folders, links and devices are passed over.

    Args:
        stream: the open archive; may be moved between entries.
        path: for errors.

    Raises:
        FormatError: no tar, damaged, or cut short.
    """
    end = stream.seek(0, os.SEEK_END)
    if end < _BLOCK:
        raise FormatError(f"{path}: no tar, it has {end} bytes; fetch it again")
    position, number, name = 0, 0, None
    while position < end:
        stream.seek(position)
        header = stream.read(_BLOCK)
        if not header.strip(b"\0"):
            return
        where = f"{path}: entry {number + 1} of the tar"
        if not _checksum_holds(header):
            raise FormatError(f"{where}: not a header, or a damaged one; fetch the file again")
        size, kind = _number(header[124:136], where), header[156:157]
        content = position + _BLOCK
        if size > end - content:
            raise FormatError(f"{where}: announces {size:,} bytes, but the file ends before; fetch it again")
        position, number = content + -(-size // _BLOCK) * _BLOCK, number + 1
        if kind in (_PAX, _PAX_OF_ALL, _GNU_NAME, _GNU_LINK):
            if size > _LONGEST_EXTENSION:
                raise FormatError(f"{where}: a name of {size:,} bytes; no photo has such a name")
            if kind == _GNU_NAME:
                name = _text(stream.read(size).rstrip(b"\0"), where)
            elif kind == _PAX:
                name = _pax_path(stream.read(size), where) or name
            continue
        if kind in _FILES:
            yield TarEntry(name or _plain_name(header, where), size, content)
        elif kind not in _FOLDERS and size:
            raise FormatError(f"{where}: of a kind that data sets do not have (links and devices are not followed)")
        name = None


def read_entry(stream: BinaryIO, entry: TarEntry, largest: int, path: Path) -> bytes:
    """The content of an entry.

    Raises:
        FormatError: larger than anything that belongs there.
    """
    if entry.size > largest:
        raise FormatError(f"{path}: '{short(entry.name)}' has {entry.size:,} bytes, too many to be meant")
    stream.seek(entry.offset)
    return stream.read(entry.size)


def _checksum_holds(header: bytes) -> bool:
    """Whether a block is a header: the sum of its bytes, its own digits counted as spaces, stands in it."""
    if len(header) != _BLOCK:
        return False
    digits = header[148:156].strip(b" \0")
    total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    try:
        return int(digits, 8) == total
    except ValueError:
        return False


def _number(digits: bytes, where: str) -> int:
    """A size: octal digits, or big-endian bytes after a byte of 128."""
    if digits[:1] == b"\x80":
        return int.from_bytes(digits[1:], "big")
    try:
        number = int(digits.strip(b" \0") or b"0", 8)
    except ValueError:
        number = -1
    if number < 0:
        raise FormatError(f"{where}: a damaged size; fetch the file again")
    return number


def _plain_name(header: bytes, where: str) -> str:
    """Prefix and name of a ustar header."""
    name = header[:100].split(b"\0", 1)[0]
    if header[257:262] == b"ustar" and header[345:346] not in (b"\0", b" ") and header[257:265] != b"ustar  \0":
        name = header[345:500].split(b"\0", 1)[0] + b"/" + name
    return _text(name, where)


def _pax_path(content: bytes, where: str) -> str | None:
    """The path of an extended header: records of length, space, key, equals sign, value and a line end."""
    position, path = 0, None
    while position < len(content):
        head, space, _ = content[position : position + 12].partition(b" ")
        length = int(head) if space and head.isdigit() else 0
        record = content[position : position + length]
        key, equals, value = record[len(head) + 1 : -1].partition(b"=")
        if length < 5 or len(record) != length or not equals:
            raise FormatError(f"{where}: a damaged extended header; fetch the file again")
        if key == b"path":
            path = _text(value, where)
        elif key == b"size" or key.startswith(b"GNU.sparse"):
            raise FormatError(f"{where}: a sparse or oversized file, which data sets do not have")
        position += length
    return path


def _text(name: bytes, where: str) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{where}: a name that is not UTF-8") from error
