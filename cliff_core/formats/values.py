"""Checks of single values of a JSON file: each says what is wrong in one line, however large the value is."""

from __future__ import annotations

import contextlib
import math
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeGuard

from cliff_core.errors import FormatError

LARGEST_PIXEL = 1e9
"""Pixels beyond which nobody meant a photo."""

_LARGEST_ID = 1 << 63
_LONGEST_NAME = 1024  # characters; no file system has longer paths that a person would keep photos under


def short(value: Any, most: int = 60) -> str:
    """A value as a message shows it: in one line, never longer than a line has room for."""
    text = value if isinstance(value, str) else repr(value)
    line = "".join(character if character.isprintable() else " " for character in text[: 2 * most])
    return line if len(text) <= most else f"{line[: most - 4]} ..."


def quoted(value: Any) -> str:
    """A value as a message quotes it, text in quotes."""
    return short(repr(value))


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number that a database can hold; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST_ID < value < _LARGEST_ID


def is_number(value: Any, largest: float = LARGEST_PIXEL) -> TypeGuard[float]:
    """Whether a value is a finite number within a bound; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < largest


def reference(value: Any, what: str) -> int | str:
    """A number or a name that entries refer to each other by.

    Raises:
        FormatError: neither.
    """
    if not (is_whole(value) or isinstance(value, str)):
        raise FormatError(f"{what} is {quoted(value)}; it must be a number")
    return value


def numbers(values: Any, count: int, what: str, largest: float = LARGEST_PIXEL) -> list[float]:
    """Exactly so many finite numbers.

    Args:
        values: as the file has them.
        count: how many there must be.
        what: for the error: file, entry and key.
        largest: no number may reach it.

    Raises:
        FormatError: no list, another number of numbers, or something else than numbers in it.
    """
    if not isinstance(values, list):
        raise FormatError(f"{what} is missing" if values is None else f"{what} is not a list of {count} numbers")
    if len(values) != count:
        raise FormatError(f"{what} has {len(values)} numbers, not {count}")
    if set(map(type, values)) <= {int, float}:  # one comparison for all: files have ten million numbers
        with contextlib.suppress(OverflowError):
            plain = list(map(float, values))
            if not plain or (sum(plain) == sum(plain) and -largest < min(plain) and max(plain) < largest):
                return plain
    for value in values:
        if not is_number(value, largest):
            kind = "pixels" if largest == LARGEST_PIXEL else "this kind"
            raise FormatError(f"{what} holds {quoted(value)}, which is no number of {kind}")
    return [float(value) for value in values]


def image_size(width: Any, height: Any, where: str) -> tuple[int, int]:
    """Width and height of a photo.

    Raises:
        FormatError: no whole pixels.
    """
    if not all(is_whole(side) and 0 < side < LARGEST_PIXEL for side in (width, height)):
        raise FormatError(f"{where}: width {quoted(width)} and height {quoted(height)} must be whole pixels")
    return width, height


def size_pair(values: Any, where: str) -> tuple[int, int]:
    """Width and height of a photo, as a list of two.

    Raises:
        FormatError: no two whole numbers of pixels.
    """
    if not isinstance(values, list) or len(values) != 2:
        raise FormatError(f"{where} is {quoted(values)}, not width and height")
    return image_size(values[0], values[1], where)


def relative_name(name: str, where: str) -> str:
    """A photo's name as records hold it: relative, with forward slashes.

    Args:
        name: as the file has it; Windows separators are understood.
        where: for the error: file and entry.

    Raises:
        FormatError: an empty, absolute or outward path, or one that no file can have.
    """
    plain = PurePosixPath(name.replace("\\", "/"))
    if not plain.parts or plain.is_absolute() or PureWindowsPath(name).drive or ".." in plain.parts:
        raise FormatError(
            f"{where}: photo '{short(name)}' must be a path inside the folder of the photos, without '..'"
        )
    if len(name) > _LONGEST_NAME or any(_unusual(character) for character in name):
        raise FormatError(f"{where}: photo {quoted(name)} is a name that no file can have")
    return str(plain)


def _unusual(character: str) -> bool:
    """Control characters and halves of characters; neither can be shown, and systems refuse them in names."""
    return character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff"


def json_safe(value: Any) -> bool:
    """Whether JSON can hold a value without loss: finite numbers, whole characters, no endless nesting."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, list | tuple):
        return all(json_safe(each) for each in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and json_safe(key) and json_safe(each) for key, each in value.items())
    return value is None or isinstance(value, int)
