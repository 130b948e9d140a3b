"""Annotation files of the field, one module per format with its reader and writer side by side.

Lives here: what a file's bytes mean, checked strictly, with errors that name the file, the entry and the remedy. Does
not live here: what a project does with imported people. May import: NumPy, `records`, `skeletons`, `images`,
`geometry`, `body`; `rendering` and trimesh inside the functions that draw or save meshes; never torch.

A format is a module with three functions and one line in `FORMATS`:

    recognises(source) -> bool                      by content, never by the file's name
    read(source) -> Annotations
    people(source, report) -> Iterator              only where files are too large for memory: the same one by one
    write(path, people, estimates, body) -> None    what it has no place for, it leaves out

Meshes and pictures hold no people: they have `write` alone and stand in `EXPORTS`, together with all the others.

A writer that needs more than people and bodies takes it by name, and `_OPTIONS` says which: `photos`, the folder that
the people's `image_name` is relative to, and `frame`, "camera" or "body", for meshes. A reader finds photos and bodies
on its `SourceFile`. People without a body have `None` for an estimate; a format of bodies refuses them by name.

Some consumers expect one file per photo or per person. There, a path that ends as such a file does means this one file,
which must be able to hold everyone, and any other path is a folder of them (`folders`).
"""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats import (
    amass,
    bedlam,
    cliff_gt,
    coco,
    coco_result,
    coco_wholebody,
    eft,
    halpe,
    human_data,
    humans4d,
    humans4d_tar,
    meshes,
    mpii,
    openpose,
    overlay,
    pw3d,
    render,
    spin,
)
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile
from cliff_core.records import Estimate, PhotoPerson

__all__ = ["EXPORTS", "FORMATS", "Annotations", "ReadReport", "read", "read_people", "recognise", "write"]

FORMATS: dict[str, ModuleType] = {
    "coco": coco,
    "coco-wholebody": coco_wholebody,
    "halpe": halpe,
    "openpose": openpose,
    "mpii": mpii,
    "coco-result": coco_result,
    "cliff-gt": cliff_gt,
    "4d-humans": humans4d,
    "4d-humans-tar": humans4d_tar,
    "humandata": human_data,
    "bedlam": bedlam,
    "spin": spin,
    "eft": eft,
    "3dpw": pw3d,
    "amass": amass,
}
"""What can be read, and written."""

EXPORTS: dict[str, Any] = {
    **FORMATS,
    "obj": meshes.obj,
    "ply": meshes.ply,
    "glb": meshes.glb,
    "overlay": overlay,
    "render": render,
}
"""What can be written: `FORMATS`, and meshes and pictures."""

_OPTIONS: dict[str, tuple[str, ...]] = {
    "coco-result": ("photos",),
    "4d-humans-tar": ("photos",),
    "overlay": ("photos",),
    "obj": ("frame",),
    "ply": ("frame",),
    "glb": ("frame",),
}
"""What a writer takes beside people and bodies, by format."""


def read(
    path: str | Path,
    name: str | None = None,
    *,
    photos: str | Path | None = None,
    body: Body | Mapping[str, Body] | None = None,
) -> Annotations:
    """Read an annotation file.

    Args:
        path: of the file.
        name: key of `FORMATS`; `None` to recognise the format by the file's content.
        photos: folder of the photos that the file names, for files that do not say how large a photo is: without it,
            cameras stay unknown, and bodies that need one are left out. Or a COCO JSON that lists them, for files that
            name photos by number.
        body: `Body`, or one per gender, for files whose bodies stand in a world of their own (3DPW) or nowhere (SPIN,
            4D-Humans); the open bodies if not given.

    Raises:
        FormatError: no such file or format, a file of no known format, or one that does not hold what it promises.
    """
    source = SourceFile(path, None if photos is None else Path(photos), body)
    return _format(name or _recognised(source), FORMATS).read(source)


def read_people(
    path: str | Path,
    name: str | None = None,
    *,
    photos: str | Path | None = None,
    body: Body | Mapping[str, Body] | None = None,
    report: ReadReport | None = None,
) -> Iterator[Read]:
    """The people of an annotation file one by one, for files larger than memory.

    Formats of 2D points (all JSON) are read entry by entry: 200,000 people of a COCO file take some 100 MB, most of it
    for the table of photos. Others are read as a whole first.

    Args:
        path, name, photos, body: as of `read`.
        report: grows while people come; complete after the last one.

    Returns:
        Each person, and the body or `None`.

    Raises:
        FormatError: as of `read`; what is wrong further down is said only when the reading comes there, so whoever
            takes people over should do it as a whole or not at all.
    """
    source = SourceFile(path, None if photos is None else Path(photos), body)
    module = _format(name or _recognised(source), FORMATS)
    report = ReadReport() if report is None else report
    return module.people(source, report) if hasattr(module, "people") else _one_by_one(module.read(source), report)


def recognise(path: str | Path) -> str:
    """The format of a file by its content: a key of `FORMATS`.

    Raises:
        FormatError: no such file, or one of no known format.
    """
    return _recognised(SourceFile(path))


def write(
    name: str,
    path: str | Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None = None,
    body: Body | Mapping[str, Body] | None = None,
    *,
    photos: str | Path | None = None,
    frame: str | None = None,
) -> None:
    """Write people in a format; an existing file is replaced only when the new one is complete.

    Args:
        name: key of `EXPORTS`.
        path: of the file, or of the folder for formats of many files; missing folders are made.
        people: what to write.
        estimates: their bodies, for formats that hold bodies.
        body: `Body`, or one per gender, for formats that hold joints or vertices.
        photos: folder that the people's `image_name` is relative to, for formats that carry or show photos.
        frame: of meshes: "camera" as the photo's camera sees them, or "body" in the body's own axes; "camera" if not
            given.

    Raises:
        FormatError: no such format, people that it cannot hold, a frame where none can be chosen, or a place that
            cannot be written.
        ImageError: a photo that cannot be read, or a picture that cannot be written.
        ResourceError: pictures without the graphics library that draws them.
    """
    writer, takes = _format(name, EXPORTS), _OPTIONS.get(name, ())
    options: dict[str, Any] = {}
    if "photos" in takes:
        options["photos"] = None if photos is None else Path(photos)
    if frame is not None:
        if "frame" not in takes:
            raise FormatError(f"{path}: {name} has no frame to choose; leave it out")
        options["frame"] = frame
    writer.write(Path(path), people, estimates, body, **options)


def _recognised(source: SourceFile) -> str:
    for name, module in FORMATS.items():
        if module.recognises(source):
            return name
    if not source.is_folder:
        with source.path.open("rb") as stream:
            head = stream.read(4)
        if not head:
            raise FormatError(f"{source.path}: an empty file; export or copy it again")
        if head == b"PK\x03\x04" and not zipfile.is_zipfile(source.path):
            raise FormatError(f"{source.path}: ends before its table of contents; copy or download it again")
        if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise FormatError(f"{source.path}: UTF-16 text; save it as UTF-8")
    known = ", ".join(FORMATS)
    raise FormatError(f"{source.path}: of none of the known formats ({known}); name it (--format) if it is one of them")


def _one_by_one(annotations: Annotations, report: ReadReport) -> Iterator[Read]:
    report.read = annotations.report.read
    report.skipped += annotations.report.skipped
    report.notes += annotations.report.notes
    yield from zip(annotations.people, annotations.params, strict=True)


def _format(name: str, table: Mapping[str, Any]) -> Any:
    if name not in table:
        raise FormatError(f"no format '{name}'; known are {', '.join(table)}")
    return table[name]
