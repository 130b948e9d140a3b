"""Tables of one row per person in an npz archive, the shape of most SMPL files: checked coming in, whole going out.

A reader says which arrays it wants and how they must look; shapes are compared with the archive's headers before
anything is unpacked, so that one lying array costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.files import SourceFile, check_people, write_atomically
from cliff_core.formats.values import LARGEST_PIXEL, short

_LARGEST_ID = 2.0**63

Shape = tuple[int | None, ...]
"""Of one row; `None` where any length will do."""

Shapes = Shape | list[Shape]
"""Of one row, or the several that are possible."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The arrays of a file, one row per person.

    Attributes:
        path: of the file.
        arrays: text as str, everything else float64 (whole numbers that name things as they are); finite.
    """

    path: Path
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.arrays["imgname"])

    def row(self, index: int) -> dict[str, Any]:
        """One person's values by name; text and single numbers as Python's own."""
        return {name: array[index] if array.ndim > 1 else array[index].item() for name, array in self.arrays.items()}

    def where(self, index: int) -> str:
        """File, row and photo, as errors name them."""
        return f"{self.path}: row {index} ({short(str(self.arrays['imgname'][index]), 120)})"


def read_rows(
    source: SourceFile,
    required: Mapping[str, Shapes],
    optional: Mapping[str, Shapes],
    text: Iterable[str] = (),
    whole: Iterable[str] = (),
    names: str = "imgname",
) -> Rows:
    """Read and check the arrays of a file; the photos' names are always among them and say how many rows there are.

    Args:
        source: the npz.
        required: arrays that must be there, with the shape of one row, or several that are possible.
        optional: arrays that are read where they are there.
        text: which of them hold text.
        whole: which of them hold numbers that name things, and stay whole.
        names: the array of the photos' names, `imgname` in the result.

    Raises:
        FormatError: an array that is missing, damaged, of another shape or kind, not finite or beyond what anything
            real has, or more rows than the file can mean; names the array and the row.
    """
    text = {names, *text}
    wanted: dict[str, Shapes] = {names: (), **required}
    wanted |= {name: shape for name, shape in optional.items() if name in source.array_names}
    count = source.archive.header(names).count
    check_people(count, source.path.stat().st_size, str(source.path))
    for name, shapes in wanted.items():
        _check_shape(source, name, shapes, count)
    rows = Rows(source.path, {})
    for name, shapes in wanted.items():
        array = source.array(name)
        array = array.reshape(-1) if shapes == () else array
        if name in text:
            rows.arrays["imgname" if name == names else name] = _as_text(array, name, source.path)
            continue
        if array.dtype.kind not in "biuf":
            raise FormatError(f"{source.path}: '{name}' holds {array.dtype} instead of numbers")
        rows.arrays[name] = array if name in whole and array.dtype.kind in "iu" else array.astype(np.float64)
        wrong = ~(np.abs(rows.arrays[name]) <= (_LARGEST_ID if name in whole else LARGEST_PIXEL))  # NaN is not
        if wrong.any():
            index = int(np.flatnonzero(wrong)[0])
            value = rows.arrays[name].reshape(-1)[index]
            problem = f"holds {value:g}, which cannot be meant" if np.isfinite(value) else "is not finite"
            raise FormatError(f"{rows.where(index * count // array.size)}: '{name}' {problem}")
    return rows


def write_rows(
    path: Path, count: int, rows: Iterable[Mapping[str, Any]], shapes: Mapping[str, tuple[int, ...]], text=()
) -> None:
    """Write one array per name; the file is complete or not there at all.

    Args:
        path: of the npz.
        count: how many rows there are.
        rows: one person's values by name each; taken one by one, so that only the arrays are in memory.
        shapes: the arrays, with the shape of one row.
        text: which of them hold text.

    Raises:
        FormatError: a place that cannot be written.
    """
    words: dict[str, list[str]] = {name: [] for name in shapes if name in text}
    numbers = {name: np.zeros((count, *shape)) for name, shape in shapes.items() if name not in text}
    for index, row in enumerate(rows):
        if index == 0:  # flags stay flags, and whole numbers whole
            numbers = {name: np.zeros(array.shape, np.asarray(row[name]).dtype) for name, array in numbers.items()}
        for name, values in words.items():
            values.append(row[name])
        for name, array in numbers.items():
            array[index] = row[name]
    texts = {name: np.array(values, dtype=None if values else "U1") for name, values in words.items()}
    arrays = {name: texts[name] if name in texts else numbers[name] for name in shapes}
    write_atomically(path, partial(np.savez_compressed, allow_pickle=False, **arrays))


def _check_shape(source: SourceFile, name: str, shapes: Shapes, count: int):
    """Compare what the header says with what is possible."""
    header = source.archive.header(name)
    found = header.shape
    if header.dtype.hasobject:
        source.array(name)  # refuses it
    if shapes == () and header.count == count:
        return
    possible = shapes if isinstance(shapes, list) else [shapes]
    for shape in possible:
        fits = len(found) == len(shape) + 1 and found[0] == count
        if fits and all(want in (None, side) for want, side in zip(shape, found[1:], strict=True)):
            return
    expected = " or ".join(str((count, *shape)).replace("None", "any") for shape in possible)
    raise FormatError(f"{source.path}: '{name}' has shape {found}, not {expected}")


def _as_text(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    """Text as str; files of Python 2 hold bytes. An empty list has no kind of its own."""
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(f"{path}: '{name}' holds bytes that are not UTF-8") from error
    if array.dtype.kind != "U":
        if array.size:
            raise FormatError(f"{path}: '{name}' holds {array.dtype} instead of text")
        return array.astype(str)
    return array
