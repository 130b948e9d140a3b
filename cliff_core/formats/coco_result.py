"""What pose detectors write: COCO's result list (ViTPose, MMPose, AlphaPose), and MMPose's list per photo.

COCO's result list, one entry per person:

    image_id      COCO's number of the photo, or its file name (AlphaPose)
    category_id   1
    keypoints     K x (x, y, score), pixels
    score         of the person
    bbox or box   x, y, width, height; not in every file: a box around the points stands in

MMPose 1.x writes one list per photo instead, in a folder with files named as the photos:

    keypoints        K x [x, y], pixels
    keypoint_scores  K
    bbox             [[left, top, right, bottom]], bbox_score

K says which points they are: 17 COCO, 23 with feet, 26 Halpe, 16 MPII; of 133 (COCO-WholeBody) and 136 (Halpe) the body
and feet are read. Scores of heat maps and AlphaPose's go beyond 1 and count as 1.

A number names no photo, and MMPose's list names none at all. `photos` says which they are: the COCO file with the
photos of these numbers, or their folder (COCO's names hold the number; MMPose's file has the name of its photo).

Written are results with three keys that other readers ignore: `bbox`, `image_size` (width, height) and `id`. `image_id`
is the name of the photo, or its number where `photos` is a COCO file that lists it, as COCO's evaluation wants it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather, json_bytes, write_atomically
from cliff_core.formats.json_folder import any_looks, from_folder, photo_of_file
from cliff_core.formats.json_pieces import JsonLook, listed_objects
from cliff_core.formats.photo_list import PhotoList
from cliff_core.formats.points import box_of_points, flat, points_table, scored_points, with_points, xywh_box
from cliff_core.formats.values import is_number, is_whole, numbers, reference, relative_name, short, size_pair
from cliff_core.records import Box, Estimate, Keypoints, PhotoPerson
from cliff_core.skeletons import COCO17, JOINT_SETS

_JOINT_SETS = {17: "coco17", 23: "coco23", 133: "coco23", 26: "halpe26", 136: "halpe26", 16: "mpii16"}
_WRITTEN = ("coco17", "coco23", "halpe26", "mpii16")
_OURS = frozenset("image_id category_id keypoints keypoint_scores score bbox box bbox_score id image_size area".split())
_LEFT_OUT = "left out: the points of faces and hands ({} of {})"


def recognises(source: SourceFile) -> bool:
    """Whether a JSON is a list of people with keypoints and image_id, or with keypoint_scores; or a folder has such."""
    return any_looks(source, _has_results)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a file, or of all such files in a folder, one by one; photos have the size that `photos` knows.

    Raises:
        FormatError: an entry that is not as the format says, or a photo that nobody can name; says what is needed.
    """
    if source.is_folder:
        yield from from_folder(source, lambda file: _people(source, file, report), report, "list of detected people")
    else:
        yield from _people(source, source.path, report)


def read(source: SourceFile) -> Annotations:
    """All people of the file; see `people`."""
    return gather(source, people)


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None = None,
    body=None,
    photos: Path | None = None,
) -> None:
    """Write people with the confidence of each point.

    Everyone has the same points: their own set if all have one that such files know, else COCO-17.

    Args:
        path: of the JSON; replaced only when the new one is complete.
        people: with points or without; their own points go before those of the estimate.
        estimates: for the points of people who have none of their own; bodies have no place here.
        body: not needed.
        photos: a COCO file whose numbers stand for the photos; a folder changes nothing.

    Raises:
        FormatError: numbers that JSON cannot hold, a photo that is not in the COCO file, or a place that cannot be
            written.
    """
    pairs = with_points(path, people, estimates)
    listed = PhotoList(photos) if photos is not None and not photos.is_dir() else None
    sets = {keypoints.joint_set for _, keypoints in pairs if keypoints is not None}
    joint_set = sets.pop() if len(sets) == 1 and sets <= set(_WRITTEN) else COCO17.name

    def entry(person: PhotoPerson, keypoints: Keypoints | None) -> dict[str, Any]:
        image_id: str | int | None = person.image_name if listed is None else listed.number(person.image_name)
        if image_id is None:
            raise FormatError(f"{path}: {person.image_name} is not in {photos}; give the COCO file that lists it")
        return {"image_id": image_id, **_entry(person, keypoints, joint_set)}

    def write_all(stream) -> None:
        for index, (person, keypoints) in enumerate(pairs):
            stream.write((b",\n" if index else b"[\n") + json_bytes(path, entry(person, keypoints)))
        stream.write(b"]" if pairs else b"[]")

    write_atomically(path, write_all)


def _has_results(look: JsonLook) -> bool:
    return any(
        isinstance(entry, dict) and "keypoints" in entry and ("image_id" in entry or "keypoint_scores" in entry)
        for entry in look.first(None)
    )


def _people(source: SourceFile, file: Path, report: ReadReport) -> Iterator[Read]:
    for where, entry in listed_objects(file, "a list of detected people"):
        person = _person(source, file, entry, where, report)
        if isinstance(person, str):
            report.skipped.append(f"{where if source.is_folder else where.removeprefix(f'{file}: ')}: {person}")
        else:
            report.read += 1
            yield person, None


def _person(source: SourceFile, file: Path, entry: dict, where: str, report: ReadReport) -> PhotoPerson | str:
    """The person, or why there is none."""
    if not is_whole(entry.get("category_id", 1)) or entry.get("category_id", 1) != 1:
        return f"is of category {short(entry['category_id'])}, not a person"
    name = _photo(source, entry, where) if "image_id" in entry else photo_of_file(source, file, "", report)
    where = f"{where} ({short(name, 120)})"
    keypoints = _keypoints(entry, where, report)
    if keypoints is None:
        return f"has no point that was found ({short(name, 120)})"
    box = _box(entry, keypoints, where)
    if box is None:
        return f"has too few points for a box ({short(name, 120)})"
    size = source.photo_size(name) or (0, 0)
    if "image_size" in entry:
        size = size_pair(entry["image_size"], f"{where}: image_size")
    score = entry.get("score", entry.get("bbox_score"))
    extra = {key: value for key, value in entry.items() if key not in _OURS}
    if is_number(score):
        extra["score"] = score
    number = entry.get("id")
    return PhotoPerson(name, size, box, keypoints, annotation_id=number if is_whole(number) else -1, extra=extra)


def _photo(source: SourceFile, entry: dict, where: str) -> str:
    """The photo's name."""
    image_id = reference(entry["image_id"], f"{where}: image_id")
    if isinstance(image_id, str):
        return relative_name(image_id, where)
    if source.photos is None:
        raise FormatError(
            f"{where}: image_id {image_id} is a number, which does not say which photo it is; give the COCO file that "
            "lists the photos with their ids, or the folder of COCO's photos"
        )
    name = source.photos.by_number(image_id)
    if name is None:
        raise FormatError(f"{where}: image_id {image_id} is not among the photos; give the list it belongs to")
    return name


def _keypoints(entry: dict, where: str, report: ReadReport) -> Keypoints | None:
    values, where = entry.get("keypoints"), f"{where}: keypoints"
    if not isinstance(values, list):
        raise FormatError(f"{where} is no list")
    if "keypoint_scores" in entry:
        points = np.array([numbers(point, 2, where) for point in values]).reshape(-1, 2)
        scores = numbers(entry["keypoint_scores"], len(points), f"{where}: keypoint_scores")
        table = np.column_stack([points, np.array(scores)])
    else:
        if len(values) % 3:
            raise FormatError(f"{where} has {len(values)} numbers; it must have three per point")
        table = np.array(numbers(values, len(values), where)).reshape(-1, 3)
    if len(table) not in _JOINT_SETS:
        known = ", ".join(f"{count} ({name})" for count, name in _JOINT_SETS.items())
        raise FormatError(f"{where} has {len(table)} points; known are {known}")
    joint_set = _JOINT_SETS[len(table)]
    used = len(JOINT_SETS[joint_set])
    note = _LEFT_OUT.format(len(table) - used, len(table))
    if used < len(table) and note not in report.notes:
        report.notes.append(note)
    return scored_points(joint_set, table[:used])


def _box(entry: dict, keypoints: Keypoints, where: str) -> Box | None:
    values = entry.get("bbox", entry.get("box"))
    if values is None:
        return box_of_points(keypoints)
    if "keypoint_scores" not in entry:
        return xywh_box(values, f"{where}: bbox")
    corners = values[0] if isinstance(values, list) and len(values) == 1 else values
    x0, y0, x1, y1 = numbers(corners, 4, f"{where}: bbox")
    return xywh_box([x0, y0, x1 - x0, y1 - y0], f"{where}: bbox")


def _entry(person: PhotoPerson, keypoints: Keypoints | None, joint_set: str) -> dict[str, Any]:
    box, score = person.box, person.extra.get("score")
    width, height = person.image_size_px
    return {
        "category_id": 1,
        "keypoints": flat(points_table(keypoints, joint_set, "confidence"), whole=False),
        "score": float(score) if is_number(score) else float(box.score),
        "bbox": [box.x0, box.y0, box.width, box.height],
        **({"image_size": [int(width), int(height)]} if min(width, height) > 0 else {}),
        **({"id": person.annotation_id} if person.annotation_id >= 0 else {}),
    }
