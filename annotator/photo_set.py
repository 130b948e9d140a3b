"""Which photos a command is about: their files, their names in results, and the people that a file knows on them."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from cliff_core.errors import FormatError, ImageError
from cliff_core.formats.coco import read_coco
from cliff_core.images import find_images
from cliff_core.records import PhotoPerson

PREDICTIONS = "predictions.npz"
OVERLAYS = "overlays"


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Photos by name.

    Attributes:
        files: name -> file, in the order given; a name is the path below the folder that all have in common, with
            forward slashes, so that photos of the same file name in different folders stay apart.
        has_folders: whether folders were given, and not only photos one by one.
        notes: what was left out, for the report.
    """

    files: dict[str, Path]
    has_folders: bool
    notes: list[str]


def gather_photos(entries: Sequence[Path], out: Path) -> PhotoSet:
    """The photos that a person means by some paths.

    Overlays in `out`, and those beside the predictions of any earlier run, are results: they are left out of a folder
    that is searched, and taken only when they, or the very folder they lie in, are named.

    Args:
        entries: photos, taken as they are even where nothing is there (reading refuses them by name), and folders.
        out: where results will go.

    Raises:
        ImageError: no picture in any of the folders, or paths on different drives.
    """
    overlays = _absolute(out / OVERLAYS)
    files: list[Path] = []
    results: dict[Path, int] = defaultdict(int)
    for entry in entries:
        if not entry.is_dir():
            files.append(entry)
            continue
        result_folders = _ResultFolders(_absolute(entry), overlays)
        for file in find_images(entry):
            folder = result_folders.above(_absolute(file))
            if folder is None:
                files.append(file)
            else:
                results[folder] += 1
    if not files:
        raise ImageError(
            f"{', '.join(str(entry) for entry in entries)}: no pictures there; name photos or their folder"
        )
    folders = [_absolute(entry if entry.is_dir() else entry.parent) for entry in entries]
    try:
        root = Path(os.path.commonpath(folders))
    except ValueError:
        raise ImageError("photos on different drives have no common folder; predict them one drive at a time") from None
    notes = [f"{folder}: left out, {number} overlays of an earlier run" for folder, number in results.items()]
    named = {_absolute(file).relative_to(root).as_posix(): file for file in files}
    return PhotoSet(named, any(entry.is_dir() for entry in entries), notes)


def overlay_paths(photos: PhotoSet, folder: Path) -> dict[str, Path]:
    """The overlay of each photo: its name with the suffix .jpg, and no two the same on any file system.

    Raises:
        ImageError: an overlay would replace a photo.
    """
    sources = {file.resolve() for file in photos.files.values()}
    taken: set[str] = set()
    paths = {}
    for name, file in photos.files.items():
        stem = name.removesuffix(file.suffix)
        candidates = chain([f"{stem}.jpg", f"{name}.jpg"], (f"{name}.{n}.jpg" for n in count(2)))
        chosen = next(candidate for candidate in candidates if _same_on_disk(candidate) not in taken)
        taken.add(_same_on_disk(chosen))
        paths[name] = folder / chosen
        if paths[name].resolve() in sources:
            raise ImageError(
                f"{paths[name]}: is one of the photos, and an overlay would replace it; choose another --out"
            )
    return paths


def people_of_photos(file: Path, photos: PhotoSet) -> tuple[dict[str, list[PhotoPerson]], list[str]]:
    """The people that a COCO file knows on the photos.

    A file may name photos by more or fewer folders than lie between them and their common folder here.

    Args:
        file: COCO JSON with boxes; keypoints where it has them.
        photos: the photos at hand.

    Returns:
        People by photo name, and notes about those left out.

    Raises:
        FormatError: not such a file; people on photos that are not at hand, although folders were given and not only
            single photos; a name that fits several photos.
    """
    by_last = defaultdict(list)
    for name in photos.files:
        by_last[_last(name)].append(name)
    people, report = read_coco(file, need_keypoints=False)
    found: dict[str, list[PhotoPerson]] = defaultdict(list)
    absent: set[str] = set()
    for person in people:
        theirs = person.image_name
        fitting = [ours for ours in by_last[_last(theirs)] if _same_place(ours, theirs)]
        if theirs in fitting:
            fitting = [theirs]
        if len(fitting) > 1:
            raise FormatError(f"{file}: '{theirs}' may be {some(fitting)}; name its folder in the file")
        if fitting:
            found[fitting[0]].append(replace(person, image_name=fitting[0]))
        else:
            absent.add(theirs)
    if absent and (photos.has_folders or not found):
        raise FormatError(
            f"{file}: has people on {some(sorted(absent))}, not among the {len(photos.files)} photos given; "
            "name the folder that holds them too, or correct file_name in it"
        )
    if not found:
        raise FormatError(f"{file}: has no people ({some(report.skipped) or 'no annotations'}); export it again")
    notes = [f"{file}: left out, people on {some(sorted(absent))}, which was not asked for"] if absent else []
    notes += [f"{file}: left out, {some(report.skipped)}"] if report.skipped else []
    return dict(found), notes


class _ResultFolders:
    """Finds, below a folder, the folders into which a prediction put its overlays."""

    def __init__(self, top: Path, overlays: Path):
        self._overlays = overlays
        self._known: dict[Path, Path | None] = {top: None}

    def above(self, path: Path) -> Path | None:
        """The result folder that holds this file, `None` if it is an ordinary one."""
        folder = path.parent
        if folder not in self._known:
            of_a_run = folder.name == OVERLAYS and (folder.parent / PREDICTIONS).is_file()
            self._known[folder] = folder if of_a_run or folder == self._overlays else self.above(folder)
        return self._known[folder]


def _absolute(path: Path) -> Path:
    # Links are kept: a photo has the name of the place where a person sees it.
    return Path(os.path.abspath(path))  # noqa: PTH100  (Path.absolute() keeps "..")


def _same_on_disk(name: str) -> str:
    """Equal for names that some file system takes for one: capital letters, composed accents."""
    return unicodedata.normalize("NFC", name).casefold()


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _same_place(ours: str, theirs: str) -> bool:
    return f"/{ours}".endswith(f"/{theirs}") or f"/{theirs}".endswith(f"/{ours}")


def some(texts: Iterable[str], most: int = 3) -> str:
    """The first few, and how many more."""
    texts = list(texts)
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
