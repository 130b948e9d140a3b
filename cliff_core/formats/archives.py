"""Arrays out of an npz archive that nobody vouches for.

An npz is a zip of `.npy` entries, and both layers can lie: an entry of a kilobyte may unpack to gigabytes, and a
header may announce an array that the entry does not hold. Here the header is read first, what it announces must be
what the entry holds, and all that is unpacked from one file stays within `most_bytes` of that file. Entries of Python
objects are pickles: they are handed out as bytes, for `body.safe_pickle`, and never opened here.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from cliff_core.body.safe_pickle import has_whole_characters
from cliff_core.errors import FormatError
from cliff_core.formats.values import short

# Real files (poses, points, names) shrink to a third at best; only zeros shrink a thousandfold, and some keys are.
_LEAST_BYTES = 64 << 20
_MOST_GROWTH = 20
_NUMBER_BYTES = 8  # readers calculate in float64, whatever a file holds
_LONGEST_HEADER = 10_000
_LONGEST_REASON = 400  # characters; some errors repeat the whole header
_NAMED = 40
# What zipfile, zlib and NumPy's header parser raise on damaged bytes; all of it means the same to a person.
_DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What an entry says about its array.

    Attributes:
        shape: of the array.
        dtype: of its items.
        fortran: whether the first index runs fastest.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool

    @property
    def count(self) -> int:
        """Number of items; Python's own integers, which do not overflow."""
        count = 1
        for side in self.shape:
            count *= side
        return count


class NpzArchive:
    """One npz file, opened anew for every array, so that nothing stays open."""

    def __init__(self, path: Path):
        self.path = path
        self._names: frozenset[str] | None = None
        self._unpacked = 0

    @property
    def names(self) -> frozenset[str]:
        """Names of the arrays; empty for any file that is no zip archive."""
        if self._names is None:
            try:
                with zipfile.ZipFile(self.path) as archive:
                    names = archive.namelist()
            except _DAMAGED:
                names = []
            self._names = frozenset(name.removesuffix(".npy") for name in names if name.endswith(".npy"))
        return self._names

    @property
    def most_bytes(self) -> int:
        """How much may be unpacked from this file in all."""
        return _LEAST_BYTES + _MOST_GROWTH * self.path.stat().st_size

    def header(self, name: str) -> ArrayHeader:
        """Shape and type of an array, without unpacking it.

        Raises:
            FormatError: no archive, no such array, or a damaged one.
        """
        return self._read(name, lambda stream, _: _read_header(stream))

    def array(self, name: str) -> np.ndarray:
        """One array of numbers or text, read-only.

        Raises:
            FormatError: no archive, no such array, damaged, larger than the file can mean, or an array of objects.
        """
        return self._read(name, self._read_array)

    def pickle(self, name: str) -> bytes:
        """The pickle of an array of Python objects, unopened.

        Raises:
            FormatError: no archive, no such array, damaged, larger than the file can mean, or an array of numbers.
        """
        return self._read(name, self._read_pickle)

    def _read(self, name: str, read):
        if not self.names:
            raise FormatError(f"{self.path}: not a complete npz archive (cut short, or another kind of file)")
        if name not in self.names:
            holds = short(", ".join(sorted(self.names)[:_NAMED]), _LONGEST_REASON)
            raise FormatError(f"{self.path}: has no array '{name}'; it holds {holds}")
        try:
            with zipfile.ZipFile(self.path) as archive:
                entry = archive.getinfo(name + ".npy")
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError("compressed in a way that NumPy does not write")
                with archive.open(entry) as stream:
                    return read(stream, entry)
        except _Objects as error:
            raise FormatError(
                f"{self.path}: '{name}' holds Python objects, which are never opened because they can run code; "
                "where you trust the file, load it in NumPy and save it again with plain arrays of numbers or str"
            ) from error
        except _DAMAGED as error:
            reason = short(str(error), _LONGEST_REASON)
            raise FormatError(f"{self.path}: array '{name}' is damaged ({reason}); fetch the file again") from error

    def _read_array(self, stream: IO[bytes], entry: zipfile.ZipInfo) -> np.ndarray:
        header = _read_header(stream)
        if header.dtype.hasobject:
            raise _Objects
        expected = header.count * header.dtype.itemsize
        self._reserve(entry, expected, header.count * max(header.dtype.itemsize, _NUMBER_BYTES))
        content = stream.read(expected + 1)
        if len(content) != expected:
            raise ValueError(f"announces {expected:,} bytes and holds {'more' if len(content) > expected else 'less'}")
        flat = np.frombuffer(content, dtype=header.dtype) if expected else np.zeros(0, header.dtype)
        if not has_whole_characters(flat):
            raise ValueError("text that is none")
        return flat.reshape(header.shape, order="F" if header.fortran else "C")

    def _read_pickle(self, stream: IO[bytes], entry: zipfile.ZipInfo) -> bytes:
        if not _read_header(stream).dtype.hasobject:
            raise ValueError("holds numbers instead of Python objects")
        self._reserve(entry, entry.file_size, entry.file_size)
        return stream.read(entry.file_size)

    def _reserve(self, entry: zipfile.ZipInfo, size: int, cost: int):
        """Refuse what no honest archive unpacks to, before it is unpacked; `cost` is what readers make of it."""
        if size > entry.file_size:
            raise ValueError(f"announces {size:,} bytes and holds less")
        self._unpacked += cost
        if self._unpacked > self.most_bytes:
            raise ValueError(f"unpacks to {self._unpacked:,} bytes, too many for a file of this size")


class _Objects(Exception):
    """An array of Python objects where numbers were asked for."""


def _read_header(stream: IO[bytes]) -> ArrayHeader:
    """The header of a `.npy` entry; the stream stands behind it."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"npy version {version[0]}.{version[1]}")
    shape, fortran, dtype = readers[version](stream, max_header_size=_LONGEST_HEADER)
    header = ArrayHeader(shape, dtype, fortran)
    if any(side < 0 for side in header.shape) or (dtype.itemsize == 0 and header.count):
        raise ValueError(f"shape {shape} of {dtype}")
    return header
