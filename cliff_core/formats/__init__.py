"""Annotation files of the field, one module per format with its reader and writer side by side.

Lives here: what a file's bytes mean, checked strictly, with errors that name the file, the entry and the remedy. Does
not live here: what a project does with imported people. May import: NumPy, `records`, `skeletons`, `geometry`, `body`;
never torch.

A format is a module with three functions and one line in `FORMATS`:

    recognises(source) -> bool                      by content, never by the file's name
    read(source) -> Annotations
    write(path, people, estimates, body) -> None    what it has no place for, it leaves out
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from cliff_core.errors import FormatError
from cliff_core.formats import cliff_gt, coco
from cliff_core.formats.files import Annotations, ReadReport, SourceFile
from cliff_core.records import Estimate, PhotoPerson

__all__ = ["FORMATS", "Annotations", "ReadReport", "read", "write"]

FORMATS: dict[str, ModuleType] = {"coco": coco, "cliff-gt": cliff_gt}


def read(path: str | Path, name: str | None = None) -> Annotations:
    """Read an annotation file.

    Args:
        path: of the file.
        name: key of `FORMATS`; `None` to recognise the format by the file's content.

    Raises:
        FormatError: no such file or format, a file of no known format, or one that does not hold what it promises.
    """
    source = SourceFile(path)
    if name is not None:
        return _format(name).read(source)
    for module in FORMATS.values():
        if module.recognises(source):
            return module.read(source)
    raise FormatError(f"{path}: of none of the known formats ({', '.join(FORMATS)}); name it if it is one of them")


def write(
    name: str,
    path: str | Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate] | None = None,
    body=None,
) -> None:
    """Write people in a format; an existing file is replaced only when the new one is complete.

    Args:
        name: key of `FORMATS`.
        path: of the file; its folder is made.
        people: what to write.
        estimates: their bodies, for formats that hold bodies.
        body: `Body`, or one per gender, for formats that hold joints or vertices.

    Raises:
        FormatError: no such format, people that it cannot hold, or a place that cannot be written.
    """
    _format(name).write(Path(path), people, estimates, body)


def _format(name: str) -> ModuleType:
    if name not in FORMATS:
        raise FormatError(f"no format '{name}'; known are {', '.join(FORMATS)}")
    return FORMATS[name]
