"""Folders with one JSON per photo, as detectors write them: every one is read, and files that are none are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from cliff_core.errors import FormatError
from cliff_core.formats.files import Read, ReadReport, SourceFile
from cliff_core.formats.json_pieces import JsonLook
from cliff_core.formats.values import relative_name, short

UNNAMED = "the files do not name their photos: people belong to the photo with the name of their file"

ReadFile = Callable[[Path], Iterator[Read]]


def any_looks(source: SourceFile, fits: Callable[[JsonLook], bool]) -> bool:
    """Whether a JSON fits, or any of those in a folder.

    Raises:
        FormatError: a single file that is damaged where it was looked at; in a folder such files do not count.
    """
    if not source.is_folder:
        return source.looks_like_json and fits(source.look)
    return any(_looks(file, fits) for file in _files(source.path))


def from_folder(source: SourceFile, read_file: ReadFile, report: ReadReport, kind: str) -> Iterator[Read]:
    """The people of all files of a folder and those below, sorted by name.

    Args:
        source: the folder.
        read_file: the people of one file.
        report: a file that cannot be read gets a line.
        kind: what the files should be, for the error.

    Raises:
        FormatError: none of the files could be read.
    """
    found, first = False, ""
    for file in _files(source.path):
        try:
            yield from read_file(file)
            found = True
        except FormatError as error:
            report.skipped.append(str(error))
            first = first or f" ({error})"
    if not found:
        raise FormatError(f"{source.path}: no {kind} in this folder{first}")


def photo_of_file(source: SourceFile, file: Path, ending: str, report: ReadReport) -> str:
    """The photo that a file is about, by its own name and place.

    Args:
        source: the file or the folder it is in; knows the photos, if anybody does.
        file: the JSON.
        ending: what stands between the photo's name and the suffix.
        report: notes that the photo was guessed.

    Returns:
        Name of the photo; without suffix where nobody knows the photos.

    Raises:
        FormatError: none of the photos has this name, or several.
    """
    if UNNAMED not in report.notes:
        report.notes.append(UNNAMED)
    folder = file.parent.relative_to(source.path).as_posix() if source.is_folder else "."
    plain = relative_name(file.name.removesuffix(file.suffix).removesuffix(ending), str(file))
    stem = plain if folder == "." else relative_name(f"{folder}/{plain}", str(file))
    if source.photos is None:
        return stem
    name = source.photos.by_stem(stem) or source.photos.by_stem(plain)
    if name is None:
        raise FormatError(f"{file}: no photo is named '{short(stem)}', as this file is; name it as its photo")
    return name


def _files(folder: Path) -> Iterator[Path]:
    """JSON files of a folder and those below, sorted, without hidden ones."""
    for file in sorted(folder.rglob("*.json")):
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file


def _looks(file: Path, fits: Callable[[JsonLook], bool]) -> bool:
    try:
        return fits(JsonLook(file))
    except FormatError:
        return False
