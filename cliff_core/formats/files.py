"""What all formats share: a file opened once, the result of reading, and writing that leaves no half file behind."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError, ImageError
from cliff_core.formats.archives import NpzArchive
from cliff_core.images import read_size
from cliff_core.records import PhotoPerson, SmplParams


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What became of a file's people.

    Attributes:
        read: number of people that were read.
        skipped: one line per person left out, naming it and why.
        notes: one line per kind of guess or loss that concerns people who were read (a focal length that the file does
            not know, bodies of another model), each with how many people it is about.
    """

    read: int
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    """An annotation file that several formats may look at before one reads it; its content is parsed once.

    Args:
        path: of the file.
        photos: folder of the photos that the file is about, for formats that do not say how large a photo is.
        body: `Body`, or one per gender, for formats whose bodies stand in a world of their own.

    Raises:
        FormatError: no such file.
    """

    def __init__(self, path: str | Path, photos: Path | None = None, body: Body | Mapping[str, Body] | None = None):
        self.path = Path(path)
        self.photos = photos
        self.body = body
        self._sizes: dict[str, tuple[int, int] | None] = {}
        if not self.path.is_file():
            raise FormatError(f"{self.path}: no such file")

    @cached_property
    def looks_like_json(self) -> bool:
        """Whether the first character opens a JSON object or list."""
        with self.path.open("rb") as stream:
            head = stream.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
        return head[:1] in (b"{", b"[")

    @cached_property
    def json(self) -> Any:
        """The JSON document.

        Raises:
            FormatError: unreadable, not UTF-8, or not JSON; says where.
        """
        try:
            return json.loads(self.path.read_text(encoding="utf-8-sig"))
        except json.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}: {error.msg}"
            raise FormatError(f"{self.path}: not valid JSON ({place}); export the file again") from error
        except RecursionError as error:
            raise FormatError(f"{self.path}: nested too deeply for an annotation file") from error
        except UnicodeDecodeError as error:
            raise FormatError(f"{self.path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
        except OSError as error:
            raise FormatError(f"{self.path}: cannot be read ({error.strerror})") from error

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
        """Width and height of an upright photo, if there is a folder of photos and this one is in it.

        Args:
            name: as `relative_name` gives it.
        """
        if self.photos is None:
            return None
        if name not in self._sizes:
            try:
                self._sizes[name] = read_size(self.photos / name)
            except ImageError:
                self._sizes[name] = None
        return self._sizes[name]


def relative_name(name: str, where: str) -> str:
    """A photo's name as records hold it: relative, with forward slashes.

    Args:
        name: as the file has it; Windows separators are understood.
        where: for the error: file and entry.

    Raises:
        FormatError: an empty, absolute or outward path.
    """
    plain = PurePosixPath(name.replace("\\", "/"))
    if not plain.parts or plain.is_absolute() or PureWindowsPath(name).drive or ".." in plain.parts:
        raise FormatError(f"{where}: photo '{name}' must be a path inside the folder of the photos, without '..'")
    return str(plain)


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
