"""Writing COCO's person keypoints and the formats that grew out of it, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cliff_core.errors import FormatError
from cliff_core.formats.coco_family import OUR_KEYS, Dialect
from cliff_core.formats.files import json_bytes, write_atomically
from cliff_core.formats.points import points_table, with_points
from cliff_core.formats.smpl_fields import smpl_fields
from cliff_core.formats.values import json_safe
from cliff_core.records import Estimate, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import JOINT_SETS, shared_points


def write_family(
    path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate | None] | None, dialect: Dialect
) -> None:
    """Write people as a file of the family.

    Args:
        path: of the JSON; replaced only when the new one is complete.
        people: with points or without; a person's own points go before those of the estimate.
        estimates: their bodies (`None` where one has none), which go into the annotations' `smpl`.
        dialect: of the format.

    Raises:
        FormatError: lists of different length, one photo with two sizes or cameras, a body for a photo of another size,
            `extra` that JSON cannot hold, or a place that cannot be written.
    """
    pairs = with_points(path, people, estimates)
    images = _images(path, people)
    ids = _unique_ids([person.annotation_id for person in people])
    bodies = estimates if estimates is not None else [None] * len(people)
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(dialect.listed.names),
        "skeleton": [[a + 1, b + 1] for a, b in dialect.listed.edges],  # COCO counts from 1
    }

    def write(stream) -> None:
        stream.write(b'{"images": ' + json_bytes(path, list(images.values())) + b', "annotations": [')
        for position, ((person, keypoints), body, annotation_id) in enumerate(zip(pairs, bodies, ids, strict=True)):
            entry = _annotation(person, keypoints, annotation_id, images[person.image_name]["id"], dialect)
            if body is not None:
                entry["smpl"] = _body(path, person, body)
            stream.write((b",\n" if position else b"\n") + _encoded(path, entry, OUR_KEYS | dialect.own_keys))
        stream.write(b'], "categories": ' + json_bytes(path, [category]) + b"}")

    write_atomically(path, write)


def _images(path: Path, people: Sequence[PhotoPerson]) -> dict[str, dict]:
    """The entries of the photos by name."""
    images: dict[str, dict] = {}
    for person in people:
        width, height = (int(side) for side in person.image_size_px)
        image = {"id": len(images) + 1, "file_name": person.image_name, "width": width, "height": height}
        known = images.setdefault(person.image_name, image)
        if (known["width"], known["height"]) != (width, height):
            raise FormatError(
                f"{path}: {person.image_name} is {known['width']} x {known['height']} pixels for one person and "
                f"{width} x {height} for another; read the photo's size again"
            )
        if person.camera is not None and person.camera.principal_point_px is None:
            focal = float(person.camera.focal_length_px)
            if known.setdefault("focal_length_px", focal) != focal:
                raise FormatError(
                    f"{path}: the people of {person.image_name} have different cameras (focal lengths "
                    f"{known['focal_length_px']:g} and {focal:g}); give all of them the same"
                )
    return images


def _annotation(
    person: PhotoPerson, keypoints: Keypoints | None, annotation_id: int, image_id: int, dialect: Dialect
) -> dict:
    box = person.box
    return {
        "area": box.width * box.height,
        **{key: value for key, value in person.extra.items() if key not in OUR_KEYS | dialect.own_keys},
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "bbox": [box.x0, box.y0, box.width, box.height],
        "iscrowd": 0,
        **dialect.point_keys(keypoints, person),
        **_notes_on_points(keypoints, dialect.written),
    }


def _body(path: Path, person: PhotoPerson, body: Estimate) -> dict[str, Any]:
    size, predicted = tuple(person.image_size_px), tuple(body.camera.image_size_px)
    if size != predicted:
        raise FormatError(
            f"{path}: {person.image_name} is {size[0]} x {size[1]} pixels, but its body was predicted for "
            f"{predicted[0]} x {predicted[1]}; predict it again"
        )
    return smpl_fields(body)


def _notes_on_points(keypoints: Keypoints | None, joint_set: str) -> dict[str, Any]:
    """Who set the points and how sure a detector was, as far as they are not simply a person's or another file's."""
    if keypoints is None or not keypoints.visibility.any():
        return {}
    notes: dict[str, Any] = {}
    source, target = shared_points(keypoints.joint_set, joint_set)
    shown = keypoints.visibility[source] > 0
    source, target = source[shown], target[shown]
    if any(keypoints.source[index] is not Provenance.IMPORTED for index in source):
        names: list[str | None] = [None] * len(JOINT_SETS[joint_set])
        for a, b in zip(source.tolist(), target.tolist(), strict=True):
            names[b] = str(keypoints.source[a])
        notes["keypoint_sources"] = names
    if (keypoints.confidence[source] != 1).any():
        notes["keypoint_scores"] = points_table(keypoints, joint_set, "confidence")[:, 2].tolist()
    return notes


def _encoded(path: Path, entry: dict, protected: frozenset[str]) -> bytes:
    """An annotation as JSON. Keys that it carries and JSON cannot hold (not finite, half characters) are left out.

    Arrays and other objects come from no file but are a mistake of the caller, and refused.
    """
    try:
        return json_bytes(path, entry)
    except FormatError as error:
        kept = {key: value for key, value in entry.items() if key in protected or _holds(value)}
        if len(kept) == len(entry) or isinstance(error.__cause__, TypeError):
            raise
        return json_bytes(path, kept)


def _holds(value: Any) -> bool:
    try:
        return json_safe(value)
    except RecursionError:
        return False


def _unique_ids(wanted: list[int]) -> list[int]:
    """The wanted ids where they are free, and new ones above all of them elsewhere."""
    taken: set[int] = set()
    following = max([0, *wanted]) + 1
    ids = []
    for number in wanted:
        if number < 0 or number in taken:
            number, following = following, following + 1
        taken.add(number)
        ids.append(number)
    return ids
