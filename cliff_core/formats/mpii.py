"""MPII human pose as training code keeps it (HRNet, MMPose): a JSON list of people.

    image       name of the photo
    joints      16 x (x, y) in the order of `skeletons.MPII16`
    joints_vis  16 flags: 1 labelled, 0 not; hidden points are not told from visible ones
    center      x, y of the person, about the middle of the torso; [-1, -1] where nobody knows
    scale       height of the person in pixels / 200

MPII comes from MATLAB: `joints` and `center` count pixels from 1, and every loader subtracts 1. So do we, which puts
the points where COCO's convention has them. Loaders also move the centre down by 15 * scale, as it is the torso's and
not the body's, and enlarge the crop by 1.25; the box here is the body's: a square of 200 * scale around the moved
centre.

Our own files have keys that other readers ignore, in the program's own pixels: `image_size` (width, height), `bbox`
(x, y, width, height) and `annotation_id`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather, json_bytes, write_atomically
from cliff_core.formats.json_pieces import listed_objects
from cliff_core.formats.points import box_of_points, points_table, with_points, xywh_box
from cliff_core.formats.values import is_whole, numbers, relative_name, short, size_pair
from cliff_core.records import Box, Estimate, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import MPII16

_FIRST_PIXEL = 1.0
_DOWN = 15.0  # per unit of scale, as in HRNet's and MMPose's loaders
_UNIT = 200.0
_COUNT = len(MPII16)


def recognises(source: SourceFile) -> bool:
    """Whether the file is a JSON list of people with an image and joints."""
    first = source.look.first(None) if source.looks_like_json else []
    return any(isinstance(entry, dict) and {"image", "joints"} <= entry.keys() for entry in first)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of the file, one by one; photos have the size that `photos` knows, else (0, 0).

    Raises:
        FormatError: an entry that is not as the format says; names it and what is wrong.
    """
    for where, entry in listed_objects(source.path, "an MPII file"):
        person = _person(source, entry, where)
        if isinstance(person, str):
            report.skipped.append(f"{where.removeprefix(f'{source.path}: ')}: {person}")
        else:
            report.read += 1
            yield person, None


def read(source: SourceFile) -> Annotations:
    """All people of the file; see `people`."""
    return gather(source, people)


def write(
    path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate | None] | None = None, body=None
) -> None:
    """Write people with the points that are MPII's; hips and necks of other sets are other places and left out.

    Args:
        path: of the JSON; replaced only when the new one is complete.
        people: with points or without; their own points go before those of the estimate.
        estimates: for the points of people who have none of their own; bodies have no place here.
        body: not needed.

    Raises:
        FormatError: numbers that JSON cannot hold, or a place that cannot be written.
    """
    pairs = with_points(path, people, estimates)

    def write_all(stream) -> None:
        for index, (person, keypoints) in enumerate(pairs):
            stream.write((b",\n" if index else b"[\n") + json_bytes(path, _entry(person, keypoints)))
        stream.write(b"]" if pairs else b"[]")

    write_atomically(path, write_all)


def _person(source: SourceFile, entry: dict, where: str) -> PhotoPerson | str:
    """The person, or why there is none."""
    if not isinstance(entry.get("image"), str):
        raise FormatError(f"{where}: has no image")
    name = relative_name(entry["image"], where)
    where = f"{where} ({short(name, 120)})"
    keypoints = _keypoints(entry, where)
    if keypoints is None:
        return f"has no labelled joint ({short(name, 120)})"
    box = _box(entry, keypoints, where)
    if box is None:
        return f"has too few joints for a box ({short(name, 120)})"
    size = source.photo_size(name) or (0, 0)
    if "image_size" in entry:
        size = size_pair(entry["image_size"], f"{where}: image_size")
    number = entry.get("annotation_id")
    return PhotoPerson(name, size, box, keypoints, annotation_id=number if is_whole(number) else -1)


def _keypoints(entry: dict, where: str) -> Keypoints | None:
    """The labelled joints in 0-based pixels; files of the test set have none."""
    joints, flags = entry.get("joints"), entry.get("joints_vis")
    if not joints and not flags:
        return None
    if not isinstance(joints, list) or len(joints) != _COUNT:
        raise FormatError(f"{where}: joints is no list of {_COUNT} points")
    points = np.array([numbers(joint, 2, f"{where}: joints") for joint in joints])
    labelled = np.array(numbers(flags, _COUNT, f"{where}: joints_vis")) > 0
    if not labelled.any():
        return None
    return Keypoints.uniform(MPII16.name, points - _FIRST_PIXEL, np.where(labelled, 2, 0), source=Provenance.IMPORTED)


def _box(entry: dict, keypoints: Keypoints, where: str) -> Box | None:
    if entry.get("bbox") is not None:
        return xywh_box(entry["bbox"], f"{where}: bbox")
    if entry.get("center") is None or entry.get("scale") is None:
        return box_of_points(keypoints)
    x, y = numbers(entry["center"], 2, f"{where}: center")
    (scale,) = numbers([entry["scale"]], 1, f"{where}: scale")
    if scale <= 0 or (x, y) == (-1, -1):
        return box_of_points(keypoints)
    x, y, half = x - _FIRST_PIXEL, y - _FIRST_PIXEL + _DOWN * scale, _UNIT * scale / 2
    return xywh_box([x - half, y - half, 2 * half, 2 * half], f"{where}: center and scale")


def _entry(person: PhotoPerson, keypoints: Keypoints | None) -> dict[str, Any]:
    table = points_table(keypoints, MPII16.name, "visibility")
    labelled = table[:, 2] > 0
    joints = np.where(labelled[:, None], table[:, :2] + _FIRST_PIXEL, -1.0)
    box = person.box
    scale = max(box.width, box.height) / _UNIT
    x, y = box.centre_px.tolist()
    width, height = person.image_size_px
    return {
        "image": person.image_name,
        "joints": joints.tolist(),
        "joints_vis": labelled.astype(int).tolist(),
        "center": [x + _FIRST_PIXEL, y - _DOWN * scale + _FIRST_PIXEL],
        "scale": scale,
        "bbox": [box.x0, box.y0, box.width, box.height],
        **({"image_size": [int(width), int(height)]} if min(width, height) > 0 else {}),
        **({"annotation_id": person.annotation_id} if person.annotation_id >= 0 else {}),
    }
