"""Formats of which a file is about one photo or one person: how an export of many becomes a folder, and is read again.

A path that ends as the format's files do means a single file. Any other path is a folder, in which files lie as the
photos do: `street/a.jpg` gives `street/a.pkl`, and its second person `street/a_2.npz`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path, PurePosixPath

from cliff_core.errors import FormatError
from cliff_core.formats.files import Read, ReadReport, SourceFile
from cliff_core.formats.subjects import Subject
from cliff_core.formats.values import relative_name


def photo_paths(
    path: Path, names: Sequence[str], suffix: str, kind: str, single: Sequence[str] = ()
) -> dict[str, Path]:
    """The file of each photo.

    Args:
        path: a single file, if it ends with `suffix`, or a folder.
        names: photos, each once.
        suffix: of the format's files in a folder.
        kind: what such a file is called in errors ("a 3DPW file").
        single: all suffixes that mean a single file; `suffix` alone if not given.

    Raises:
        FormatError: several photos for a single file, or a photo with a path that leads elsewhere.
    """
    if path.suffix.lower() in (single or (suffix,)):
        _refuse_many(path, names, kind, "photo")
        return dict.fromkeys(names, path)
    taken: set[str] = set()
    places = {}
    for name in names:
        plain = PurePosixPath(relative_name(name, str(path)))
        stem = plain.parent / plain.stem
        candidates = chain([f"{stem}{suffix}", f"{plain}{suffix}"], (f"{plain}.{n}{suffix}" for n in count(2)))
        places[name] = path / _untaken(candidates, taken)
    return places


def person_paths(
    path: Path, ready: Sequence[Subject], suffix: str, kind: str, single: Sequence[str] = ()
) -> list[Path]:
    """The file of each person; arguments and errors as in `photo_paths`."""
    if path.suffix.lower() in (single or (suffix,)):
        _refuse_many(path, ready, kind, "person")
        if not ready:
            raise FormatError(f"{path}: {kind} is about one person, and there is nobody to write")
        return [path]
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    places = []
    for subject in ready:
        plain = PurePosixPath(relative_name(subject.person.image_name, str(path)))
        numbers[str(plain)] += 1
        number = numbers[str(plain)]
        candidates = (f"{stem}_{number}{suffix}" for stem in _stems(plain))
        places.append(path / _untaken(candidates, taken))
    return places


def people_of_files(
    source: SourceFile, suffix: str, kind: str, people: Callable[[Path, ReadReport], Iterator[Read]], report: ReadReport
) -> Iterator[Read]:
    """The people of a file, or of all such files in a folder and the folders below.

    In a folder, a file that cannot be read is left out with a line in the report; alone, it is an error.

    Args:
        source: file or folder.
        suffix: of the files in a folder.
        kind: what such a file is called in errors.
        people: of one file.
        report: of all.

    Raises:
        FormatError: as `people`, or a folder without any such file.
    """
    if not source.is_folder:
        yield from people(source.path, report)
        return
    found = False
    for file in files_below(source.path, suffix):
        try:
            for person in people(file, report):
                found = True
                yield person
            found = True
        except FormatError as error:
            report.skipped.append(str(error))
    if not found:
        reason = f" ({report.skipped[0]})" if report.skipped else ""
        raise FormatError(f"{source.path}: not {kind} in this folder{reason}")


def files_below(folder: Path, suffix: str) -> Iterator[Path]:
    """Files of a folder and those below, sorted, without hidden ones."""
    for file in sorted(folder.rglob(f"*{suffix}")):
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file


def _stems(plain: PurePosixPath) -> Iterator[str]:
    """What a photo's files may begin with, best first."""
    yield str(plain.parent / plain.stem)
    yield str(plain)
    yield from (f"{plain}.{n}" for n in count(2))


def _untaken(candidates: Iterable[str], taken: set[str]) -> str:
    """The first name that no file system takes for one of the others: capital letters, composed accents."""
    for candidate in candidates:
        key = unicodedata.normalize("NFC", candidate).casefold()
        if key not in taken:
            taken.add(key)
            return candidate
    raise AssertionError("candidates never end")


def _refuse_many(path: Path, items: Sequence, kind: str, what: str):
    if len(items) > 1:
        raise FormatError(f"{path}: {kind} is about one {what}, and these are {len(items)}; give a folder")
