"""What all formats share: a file opened once, the result of reading, and writing that leaves no half file behind."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.archives import NpzArchive
from cliff_core.formats.json_pieces import JsonLook
from cliff_core.formats.photo_list import PhotoList
from cliff_core.formats.values import relative_name as relative_name
from cliff_core.records import PhotoPerson, SmplParams

_PEOPLE_FOR_FREE = 1000
_LEAST_BYTES_PER_PERSON = 32


@dataclass(slots=True)
class ReadReport:
    """What became of a file's people; grows while they are read.

    Attributes:
        read: number of people that were read.
        skipped: one line per person left out, naming it and why.
        notes: one line per kind of guess or loss that concerns people who were read (a focal length that the file does
            not know, bodies of another model), each with how many people it is about.
    """

    read: int = 0
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Read = tuple[PhotoPerson, SmplParams | None]
"""A person as a file gives it, and the body where it gives one."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """The people of a file.

    Attributes:
        people: one record per person, in the order of the file.
        params: their bodies, as many as people; `None` where the file says nothing about a person's body.
        report: what was read and what was left out.
    """

    people: list[PhotoPerson]
    params: list[SmplParams | None]
    report: ReadReport


class SourceFile:
    """An annotation file that several formats may look at before one reads it.

    Args:
        path: of the file, or of a folder for formats that are one.
        photos: folder of the photos that the file is about, or a COCO JSON that lists them, for formats that do not say
            how large a photo is, or name it only by a number or without its suffix.
        body: `Body`, or one per gender, for formats whose bodies stand in a world of their own.

    Raises:
        FormatError: no such file or folder, nothing at `photos`.
    """

    def __init__(self, path: str | Path, photos: Path | None = None, body: Body | Mapping[str, Body] | None = None):
        self.path = Path(path)
        self.photos = PhotoList(Path(photos)) if photos is not None else None
        self.body = body
        self.is_folder = self.path.is_dir()
        if not self.is_folder and not self.path.is_file():  # a pipe or device would block
            what = "not a regular file" if self.path.exists() else "no such file"
            raise FormatError(f"{self.path}: {what}; check the name")

    @cached_property
    def looks_like_json(self) -> bool:
        """Whether the first character opens a JSON object or list."""
        if self.is_folder:
            return False
        try:
            with self.path.open("rb") as stream:
                head = stream.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
        except OSError as error:
            raise FormatError(f"{self.path}: cannot be read ({error.strerror})") from error
        return head[:1] in (b"{", b"[")

    @cached_property
    def look(self) -> JsonLook:
        """A look at the beginning of a JSON file, for recognising formats; `json_pieces.pieces` reads it."""
        return JsonLook(self.path)

    @cached_property
    def archive(self) -> NpzArchive:
        """The file as an npz archive; without arrays if it is none."""
        return NpzArchive(self.path)

    @property
    def array_names(self) -> frozenset[str]:
        """Names of the arrays of an npz archive; empty for any other file."""
        return self.archive.names

    def array(self, name: str) -> np.ndarray:
        """One array of an npz archive; see `NpzArchive.array`."""
        return self.archive.array(name)

    def photo_size(self, name: str) -> tuple[int, int] | None:
        """Width and height of an upright photo, if `photos` knows it.

        Args:
            name: as `relative_name` gives it.
        """
        return self.photos.size(name) if self.photos else None


def gather(source: SourceFile, people: Callable[[SourceFile, ReadReport], Iterator[Read]]) -> Annotations:
    """All people of a file, by the generator of a format that reads person by person."""
    report = ReadReport()
    pairs = list(people(source, report))
    return Annotations([person for person, _ in pairs], [params for _, params in pairs], report)


def check_people(count: int, size_bytes: int, where: str):
    """Refuse more people than a file can mean.

    Formats of arrays and pickles can say something a million times in a few bytes. A real person, compressed, takes ten
    times what is asked for here.

    Args:
        count: of people that the file announces.
        size_bytes: of the file, or of the entry that holds them.
        where: for the error: file and entry.

    Raises:
        FormatError: too many.
    """
    if count > _PEOPLE_FOR_FREE + size_bytes // _LEAST_BYTES_PER_PERSON:
        raise FormatError(f"{where}: announces {count:,} people in {size_bytes:,} bytes, which cannot be meant")


def json_bytes(path: Path, value: Any) -> bytes:
    """JSON as a file holds it: UTF-8, and only finite numbers.

    Raises:
        FormatError: something that JSON cannot hold.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: a person carries something that JSON cannot hold ({error})") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that appears under its name only when it is complete; see `write_atomically`."""
    write_atomically(path, lambda stream: stream.write(content))


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a file that appears under its name only when it is complete.

    Raises:
        FormatError: the place cannot be written.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as stream:
            write(stream)
        unfinished.replace(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be written ({error.strerror}); free the place or choose another") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()
