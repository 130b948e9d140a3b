"""OpenPose: one JSON per photo with the people found on it, `<photo>_keypoints.json` in a folder.

    version                      1.3
    people[]
      person_id                  [number], [-1] if people are not followed through a video
      pose_keypoints_2d          25 x (x, y, confidence) in the order of `skeletons.BODY25`, pixels; 0, 0, 0 is missing
      face_keypoints_2d          70 points, hand_left_keypoints_2d and hand_right_keypoints_2d 21 each, or nothing

The 18 points of the older COCO model are read too and stand where BODY_25 has them. Face and hands are carried along.

A file does not say which photo it is about: its name does, less the suffix. Nor does it know boxes, sizes and hidden
points. Our own files have three keys more, which other readers ignore: `image` (file_name, width, height) at the top,
and `bbox` (x, y, width, height) and `annotation_id` of a person. Others' people get a box around their points.

Written from points of other sets, the neck is the middle of the shoulders and the hip the middle of the hips, as
OpenPose was trained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather, json_bytes, write_bytes
from cliff_core.formats.json_folder import any_looks, from_folder, photo_of_file
from cliff_core.formats.json_pieces import JsonLook, pieces
from cliff_core.formats.points import box_of_points, flat, points_table, scored_points, with_points, xywh_box
from cliff_core.formats.values import image_size, is_whole, numbers, relative_name
from cliff_core.records import Estimate, Keypoints, PhotoPerson
from cliff_core.skeletons import BODY25

_ENDING = "_keypoints"
_KEYS = frozenset({"pose_keypoints_2d", "pose_keypoints"})  # the latter before version 1.2
_PARTS = {"face_keypoints_2d": 70, "hand_left_keypoints_2d": 21, "hand_right_keypoints_2d": 21}
_MIDDLES = (("neck", "left_shoulder", "right_shoulder"), ("mid_hip", "left_hip", "right_hip"))
_OTHER_MODELS = {45: "15 points of the MPI model", 57: "19 points of BODY_19"}
_BODY18 = [index for index, name in enumerate(BODY25.names[:19]) if name != "mid_hip"]  # the older model's order
_LARGEST_NORMALISED = 2.0


def recognises(source: SourceFile) -> bool:
    """Whether a JSON has people with OpenPose's points, or a folder has such a JSON."""
    return any_looks(source, _has_people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a file, or of all such files in a folder and the folders below, one by one.

    In a folder, a file that cannot be read is left out with a line in the report; alone, it is an error.

    Raises:
        FormatError: a file that is not as OpenPose says, or a folder without any.
    """
    if source.is_folder:
        yield from from_folder(source, lambda file: _people(source, file, report), report, "OpenPose JSON")
    else:
        yield from _people(source, source.path, report)


def read(source: SourceFile) -> Annotations:
    """All people of a file or folder; see `people`."""
    return gather(source, people)


def write(
    path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate | None] | None = None, body=None
) -> None:
    """Write one file per photo, beside each other as the photos are.

    Args:
        path: a folder; or a path that ends with `.json`, where all people are on one photo.
        people: with points or without; their own points go before those of the estimate.
        estimates: for the points of people who have none of their own; bodies have no place here.
        body: not needed.

    Raises:
        FormatError: people of several photos for one file, photos that differ in their suffix alone, or a place that
            cannot be written.
    """
    photos: dict[str, list[tuple[PhotoPerson, Keypoints | None]]] = defaultdict(list)
    for person, keypoints in with_points(path, people, estimates):
        photos[person.image_name].append((person, keypoints))
    single = path.suffix.lower() == ".json"
    if single and len(photos) > 1:
        raise FormatError(f"{path}: an OpenPose file is about one photo, and these are {len(photos)}; give a folder")
    places: dict[Path, str] = {}
    for name in photos:
        plain = PurePosixPath(name)
        place = path if single else path / plain.parent / f"{plain.stem}{_ENDING}.json"
        if place in places:
            raise FormatError(f"{place}: would be about {places[place]} and {name}; rename one of them")
        places[place] = name
    for place, name in places.items():
        write_bytes(place, json_bytes(place, _document(photos[name])))
    if not photos and single:
        write_bytes(path, json_bytes(path, _document([])))


def _has_people(look: JsonLook) -> bool:
    return any(isinstance(entry, dict) and not _KEYS.isdisjoint(entry) for entry in look.first("people"))


def _people(source: SourceFile, file: Path, report: ReadReport) -> Iterator[Read]:
    """The people of one file. Our own files say which photo it is about before the people, others' nowhere."""
    photo: tuple[str, tuple[int, int]] | None = None
    found = False
    for piece in pieces(file):
        if piece.key == "image" and photo is None and isinstance(piece.value, dict):
            photo = _own_photo(piece.value, file)
        if piece.key != "people":
            continue
        found = True
        if photo is None:
            name = photo_of_file(source, file, _ENDING, report)
            photo = name, source.photo_size(name) or (0, 0)
        if piece.position == -1:
            continue
        if piece.position is None or not isinstance(piece.value, dict):
            raise FormatError(f"{file}: not an OpenPose file: 'people' must be a list of objects")
        where = f"{file}: person number {piece.position + 1}"
        person = _person(piece.value, photo, where)
        if isinstance(person, str):
            report.skipped.append(f"{where}: {person}")
        else:
            report.read += 1
            yield person, None
    if not found:
        raise FormatError(f"{file}: not an OpenPose file: it has no 'people'")


def _own_photo(value: dict, file: Path) -> tuple[str, tuple[int, int]]:
    if not isinstance(value.get("file_name"), str):
        raise FormatError(f"{file}: image: has no file_name")
    name = relative_name(value["file_name"], f"{file}: image")
    return name, image_size(value.get("width"), value.get("height"), f"{file}: image")


def _person(entry: dict, photo: tuple[str, tuple[int, int]], where: str) -> PhotoPerson | str:
    """The person, or why there is none."""
    values = entry.get("pose_keypoints_2d", entry.get("pose_keypoints"))
    if values is None or values == []:
        return "has no points of the body"
    keypoints = scored_points("body25", _table(values, where))
    if keypoints is None:
        return "has no point that was found"
    own = entry.get("bbox")
    box = box_of_points(keypoints) if own is None else xywh_box(own, f"{where}: bbox")
    if box is None:
        return "has too few points for a box"
    extra: dict[str, Any] = {
        key: numbers(entry[key], 3 * count, f"{where}: {key}") for key, count in _PARTS.items() if entry.get(key)
    }
    followed = entry.get("person_id")
    if isinstance(followed, list) and len(followed) == 1 and is_whole(followed[0]) and followed[0] >= 0:
        extra["person_id"] = followed[0]
    number = entry.get("annotation_id")
    return PhotoPerson(*photo, box, keypoints, annotation_id=number if is_whole(number) else -1, extra=extra)


def _table(values: Any, where: str) -> np.ndarray:
    """(25, 3) points in the order of BODY_25."""
    where = f"{where}: pose_keypoints_2d"
    count = len(values) if isinstance(values, list) else 0
    if count in _OTHER_MODELS:
        raise FormatError(f"{where} has the {_OTHER_MODELS[count]}; run OpenPose with its BODY_25 model")
    table = np.zeros((len(BODY25), 3))
    if count == 3 * len(_BODY18):
        table[_BODY18] = np.array(numbers(values, count, where)).reshape(-1, 3)
    else:
        table[:] = np.array(numbers(values, table.size, where)).reshape(-1, 3)
    found = table[:, 2] > 0
    if found.sum() > 1 and np.abs(table[found, :2]).max() <= _LARGEST_NORMALISED:
        raise FormatError(f"{where} is not in pixels; run OpenPose with --keypoint_scale 0")
    return table


def _document(people: Sequence[tuple[PhotoPerson, Keypoints | None]]) -> dict:
    """The JSON of one photo."""
    image: dict[str, Any] = {}
    if people and min(people[0][0].image_size_px) > 0:
        width, height = people[0][0].image_size_px
        image = {"image": {"file_name": people[0][0].image_name, "width": int(width), "height": int(height)}}
    return {"version": 1.3, **image, "people": [_entry(person, keypoints) for person, keypoints in people]}


def _entry(person: PhotoPerson, keypoints: Keypoints | None) -> dict:
    table = points_table(keypoints, BODY25.name, "confidence")
    if keypoints is not None and keypoints.joint_set != BODY25.name:
        for middle, left, right in _MIDDLES:
            ends = table[[BODY25.index(left), BODY25.index(right)]]
            if (ends[:, 2] > 0).all():
                table[BODY25.index(middle)] = [*ends[:, :2].mean(axis=0), ends[:, 2].min()]
    parts = {key: person.extra.get(key, []) for key in _PARTS}
    followed, box = person.extra.get("person_id"), person.box
    return {
        "person_id": [followed if is_whole(followed) else -1],
        "pose_keypoints_2d": flat(table, whole=False),
        **parts,
        "pose_keypoints_3d": [],
        "face_keypoints_3d": [],
        "hand_left_keypoints_3d": [],
        "hand_right_keypoints_3d": [],
        "bbox": [box.x0, box.y0, box.width, box.height],
        **({"annotation_id": person.annotation_id} if person.annotation_id >= 0 else {}),
    }
