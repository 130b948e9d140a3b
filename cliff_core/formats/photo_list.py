"""What a person can say about the photos that a file speaks of: the folder they lie in, or a COCO JSON that lists them.

Result files name photos by a number or by the first part of their name, and say nothing about their size.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from cliff_core.errors import FormatError, ImageError
from cliff_core.formats.json_pieces import pieces
from cliff_core.formats.values import image_size, quoted, reference, relative_name
from cliff_core.images import find_images, read_size

_COCO_NUMBER = re.compile(r"(?:^|_)(\d{12})$")  # 000000397133 and COCO_val2014_000000397133


class PhotoList:
    """Photos by name, by number and by stem (the name without suffix).

    Args:
        path: a folder of photos, or a JSON with COCO's `images`.

    Raises:
        FormatError: neither; later, when the list is needed: a list that is none.
    """

    def __init__(self, path: Path):
        self._path = path
        self._sizes: dict[str, tuple[int, int] | None] = {}
        if not path.exists():
            raise FormatError(f"{path}: no such folder of photos, nor a COCO JSON that lists them")

    def size(self, name: str) -> tuple[int, int] | None:
        """Width and height of an upright photo in pixels, `None` if it is not there.

        Args:
            name: as `relative_name` gives it.
        """
        if not self._path.is_dir():
            return self._listed_sizes.get(name)
        if name not in self._sizes:
            try:
                self._sizes[name] = read_size(self._path / name)
            except ImageError:
                self._sizes[name] = None
        return self._sizes[name]

    def by_number(self, number: int) -> str | None:
        """The photo with COCO's number: its `id` in a list; in a folder the one whose name ends with its 12 digits."""
        return self._numbers.get(number)

    def number(self, name: str) -> int | None:
        """COCO's number of a photo in a list; folders and other lists have none.

        Args:
            name: as `relative_name` gives it.
        """
        return None if self._path.is_dir() else self._numbers_by_name.get(name)

    def by_stem(self, stem: str) -> str | None:
        """The photo with this name without suffix, with its folders or, where only one has it, without.

        Raises:
            FormatError: several photos have it.
        """
        names = self._stems.get(stem, [])
        if len(names) > 1:
            raise FormatError(f"{self._path}: '{stem}' may be {names[0]} or {names[1]}; keep only one of them there")
        return names[0] if names else None

    @cached_property
    def _names(self) -> list[str]:
        if not self._path.is_dir():
            return list(self._listed_sizes)
        return [file.relative_to(self._path).as_posix() for file in find_images(self._path)]

    @cached_property
    def _stems(self) -> dict[str, list[str]]:
        stems = defaultdict(list)
        for name in self._names:
            stem = name.rpartition(".")[0] if "." in name.rpartition("/")[2] else name
            for key in {stem, stem.rpartition("/")[2]}:
                stems[key].append(name)
        return dict(stems)

    @cached_property
    def _numbers(self) -> dict[int, str]:
        if not self._path.is_dir():
            return self._listed[1]
        found = ((name, _COCO_NUMBER.search(name.rpartition("/")[2].partition(".")[0])) for name in self._names)
        return {int(match[1]): name for name, match in found if match}

    @cached_property
    def _numbers_by_name(self) -> dict[str, int]:
        return {name: number for number, name in self._listed[1].items()}

    @property
    def _listed_sizes(self) -> dict[str, tuple[int, int]]:
        return self._listed[0]

    @cached_property
    def _listed(self) -> tuple[dict[str, tuple[int, int]], dict[int, str]]:
        """Sizes by name and names by number of a COCO file's images."""
        sizes, numbers = {}, {}
        for piece in pieces(self._path):
            if piece.key != "images" or piece.position is None or piece.position < 0:
                continue
            where = f"{self._path}: image number {piece.position + 1} in the file"
            entry = piece.value
            if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str):
                raise FormatError(f"{where}: has no file_name")
            name = relative_name(entry["file_name"], where)
            sizes[name] = image_size(entry.get("width"), entry.get("height"), f"{where} ({quoted(name)})")
            number = reference(entry.get("id"), f"{where}: id")
            if isinstance(number, int):
                numbers[number] = name
        if not sizes:
            raise FormatError(f"{self._path}: lists no photos ('images' of a COCO file)")
        return sizes, numbers
