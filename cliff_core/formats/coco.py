"""COCO person keypoints: the JSON in which most 2D labels of people exist.

`images` (id, file_name, width, height), `annotations` (id, image_id, category_id, keypoints as x, y, v, bbox as x, y,
width, height) and `categories` (names of the keypoints). v is 0 not labelled, 1 labelled but hidden, 2 visible. Any
joint set of `skeletons` is read whose names the person category lists, as many tools write such files for other sets;
written is COCO-17.

COCO has no place for a camera. An image entry may carry `focal_length_px` beside COCO's own keys (other readers ignore
it): the focal length in pixels of the upright photo, with the principal point in the middle of the photo.

Coordinates go in and out unchanged. COCO does not say whether a pixel's middle is at .0 or .5, and labels are no finer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.files import Annotations, ReadReport, SourceFile, relative_name, write_atomically
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import COCO17, JOINT_SETS, shared_points

_LARGEST = 1e9  # pixels; beyond it nobody meant a photo
_OURS = ("id", "image_id", "category_id", "bbox", "keypoints", "num_keypoints", "iscrowd")


def recognises(source: SourceFile) -> bool:
    """Whether the file is a JSON object with images and annotations."""
    return source.looks_like_json and isinstance(source.json, dict) and {"images", "annotations"} <= source.json.keys()


def read(source: SourceFile) -> Annotations:
    """The people with keypoints; see `read_coco`."""
    people, report = _Reader(source).people(need_keypoints=True)
    return Annotations(people, [None] * len(people), report)


def read_coco(path: str | Path, need_keypoints: bool = True) -> tuple[list[PhotoPerson], ReadReport]:
    """The people of a COCO keypoint file, in the order of the file.

    Left out, with a line in the report each: crowds, other categories, boxes without area, and people without a
    labelled point.

    Args:
        path: of the JSON.
        need_keypoints: whether people without a labelled point are left out; otherwise their `keypoints` is `None`.

    Returns:
        One record per person (what the file says beyond COCO's own keys stands in `extra`), and the report.

    Raises:
        FormatError: anything that is not as COCO says; names the annotation and what is wrong with it.
    """
    return _Reader(SourceFile(path)).people(need_keypoints)


def write(path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate] | None = None, body=None) -> None:
    """Write the people's points; bodies have no place in this format."""
    write_coco(path, people)


def write_coco(path: str | Path, people: Sequence[PhotoPerson]) -> None:
    """Write people as COCO person keypoints, COCO-17.

    Points of other joint sets are written where they mean the same place. `area` is the file's own where the person
    came with one, else that of the box. Ids are kept where they are unique. The focal length of a known camera goes
    into the photo's entry as `focal_length_px`, unless its principal point is not in the middle of the photo.

    Args:
        path: of the JSON; replaced only when the new one is complete.
        people: with points or without.

    Raises:
        FormatError: one photo with two sizes or cameras, `extra` that JSON cannot hold, or a place that cannot be
            written.
    """
    path = Path(path)
    images: dict[str, dict] = {}
    annotations = []
    ids = _unique_ids([person.annotation_id for person in people])
    for person, annotation_id in zip(people, ids, strict=True):
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
        annotations.append(_annotation(person, annotation_id, known["id"]))
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(COCO17.names),
        "skeleton": [[a + 1, b + 1] for a, b in COCO17.edges],
    }
    document = {"images": list(images.values()), "annotations": annotations, "categories": [category]}
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path}: a person carries something that JSON cannot hold ({error})") from error
    write_atomically(path, lambda stream: stream.write(text.encode("utf-8")))


def _annotation(person: PhotoPerson, annotation_id: int, image_id: int) -> dict:
    values = np.zeros((len(COCO17), 3))
    if person.keypoints is not None:
        source, target = shared_points(person.keypoints.joint_set, COCO17.name)
        labelled = person.keypoints.visibility[source] > 0
        source, target = source[labelled], target[labelled]
        values[target, :2] = person.keypoints.points_px[source]
        values[target, 2] = person.keypoints.visibility[source]
    keypoints = [number for x, y, v in values.tolist() for number in (x, y, int(v))]
    box = person.box
    return {
        "area": box.width * box.height,
        **{key: value for key, value in person.extra.items() if key not in _OURS},
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "bbox": [box.x0, box.y0, box.width, box.height],
        "keypoints": keypoints,
        "num_keypoints": int((values[:, 2] > 0).sum()),
        "iscrowd": 0,
    }


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


@dataclass(frozen=True, slots=True)
class _Image:
    name: str
    size_px: tuple[int, int]
    camera: Camera | None


class _Reader:
    """One file while it is being read; knows how to name a place in it."""

    def __init__(self, source: SourceFile):
        self.path = source.path
        document = source.json
        if not isinstance(document, dict):
            raise FormatError(f"{self.path}: not a COCO file: a list instead of an object with images and annotations")
        self.images: dict[int | str, _Image] = {}
        for position, entry in enumerate(self._list_of(document, "images")):
            key, image = self._image(entry, position)
            if key in self.images:
                raise FormatError(f"{self.path}: image id {key} is there twice")
            self.images[key] = image
        self.joint_sets = {each.names: name for name, each in JOINT_SETS.items()}
        categories = self._list_of(document, "categories", optional=True)
        self.categories = {_key(entry.get("id"), f"{self.path}: a category: id"): entry for entry in categories}
        self.annotations = self._list_of(document, "annotations")

    def people(self, need_keypoints: bool) -> tuple[list[PhotoPerson], ReadReport]:
        """All people, and what was left out."""
        people: list[PhotoPerson] = []
        skipped: list[str] = []
        seen = set()
        for position, entry in enumerate(self.annotations):
            annotation_id = entry.get("id")
            if not _is_int(annotation_id):
                raise FormatError(f"{self.path}: annotation number {position + 1} in the file has no whole-number id")
            if annotation_id in seen:
                raise FormatError(f"{self.path}: annotation id {annotation_id} is there twice")
            seen.add(annotation_id)
            person = self._person(entry, f"{self.path}: annotation {annotation_id}", need_keypoints)
            if isinstance(person, str):
                skipped.append(f"annotation {annotation_id}: {person}")
            else:
                people.append(person)
        return people, ReadReport(len(people), skipped)

    def _person(self, entry: dict, where: str, need_keypoints: bool) -> PhotoPerson | str:
        """The person, or why it is left out."""
        image_id = _key(entry.get("image_id"), f"{where}: image_id")
        if image_id not in self.images:
            raise FormatError(f"{where}: image_id {image_id!r} is not among the images")
        image = self.images[image_id]
        joint_set = self._joint_set(entry.get("category_id"), where)
        if joint_set is None:
            name = self.categories[entry["category_id"]].get("name")
            return f"is a {name}, not a person ({image.name})"
        if entry.get("iscrowd"):
            return f"is a crowd ({image.name})"
        keypoints = self._keypoints(entry.get("keypoints"), joint_set, where)
        if keypoints is None and need_keypoints:
            return f"has no labelled keypoint ({image.name})"
        x, y, width, height = _numbers(entry.get("bbox"), 4, f"{where}: bbox")
        if width <= 0 or height <= 0:
            return f"has a box of {width:g} x {height:g} pixels ({image.name})"
        return PhotoPerson(
            image_name=image.name,
            image_size_px=image.size_px,
            box=Box(x, y, x + width, y + height, source=Provenance.IMPORTED),
            keypoints=keypoints,
            camera=image.camera,
            annotation_id=entry["id"],
            extra={key: value for key, value in entry.items() if key not in _OURS},
        )

    def _joint_set(self, category_id, where: str) -> str | None:
        """Name of the joint set that a category lists, `None` for what is no person.

        A file without categories is taken as COCO's own.
        """
        if not self.categories:
            return COCO17.name
        if _key(category_id, f"{where}: category_id") not in self.categories:
            raise FormatError(f"{where}: category_id {category_id!r} is not among the categories")
        category = self.categories[category_id]
        if str(category.get("name", "person")).lower() != "person":
            return None
        names = category.get("keypoints")
        if names is None:
            return COCO17.name
        if not isinstance(names, list):
            raise FormatError(f"{where}: the keypoints of its category are no list of names")
        names = tuple(str(name).strip().lower().replace(" ", "_").replace("-", "_") for name in names)
        if names not in self.joint_sets:
            hint = f"{len(names)} keypoints ({', '.join(names[:3])} ...)"
            raise FormatError(f"{where}: its category lists {hint}, which are no known joint set in its order")
        return self.joint_sets[names]

    def _keypoints(self, values, joint_set: str, where: str) -> Keypoints | None:
        """The points, `None` where none is labelled."""
        if values is None or values == []:
            return None
        names = JOINT_SETS[joint_set].names
        table = np.array(_numbers(values, 3 * len(names), f"{where}: keypoints")).reshape(-1, 3)
        wrong = ~np.isin(table[:, 2], (0, 1, 2))
        if wrong.any():
            index = int(np.argmax(wrong))
            raise FormatError(
                f"{where}: visibility of {names[index]} is {table[index, 2]:g}; COCO knows 0, 1 and 2 "
                "(a detector's scores belong into a result file)"
            )
        if not table[:, 2].any():
            return None
        return Keypoints.uniform(joint_set, table[:, :2], table[:, 2], source=Provenance.IMPORTED)

    def _image(self, entry: dict, position: int) -> tuple[int | str, _Image]:
        key = _key(entry.get("id"), f"{self.path}: image number {position + 1} in the file: id")
        where = f"{self.path}: image {key}"
        name = entry.get("file_name")
        if not isinstance(name, str):
            raise FormatError(f"{where}: has no file_name")
        width, height = entry.get("width"), entry.get("height")
        if not (_is_int(width) and _is_int(height) and width > 0 and height > 0):
            raise FormatError(f"{where} ({name}): width {width!r} and height {height!r} must be whole pixels")
        return key, _Image(relative_name(name, where), (width, height), self._camera(entry, (width, height), where))

    def _camera(self, entry: dict, size_px: tuple[int, int], where: str) -> Camera | None:
        """The photo's camera where the entry says its focal length."""
        if entry.get("focal_length_px") is None:
            return None
        (focal,) = _numbers([entry["focal_length_px"]], 1, f"{where}: focal_length_px")
        if focal <= 0:
            raise FormatError(f"{where}: focal_length_px is {focal:g}; it must be positive, or left out if unknown")
        return Camera(focal, size_px)

    def _list_of(self, document: dict, key: str, optional: bool = False) -> list[dict]:
        entries = document.get(key, [] if optional else None)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise FormatError(f"{self.path}: not a COCO file: '{key}' must be a list of objects")
        return entries


def _is_int(value) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _key(value, what: str) -> int | str:
    """A number or a name that entries refer to each other by."""
    if not (_is_int(value) or isinstance(value, str)):
        raise FormatError(f"{what} is {value!r}; it must be a number")
    return value


def _numbers(values, count: int, what: str) -> list[float]:
    """Exactly so many finite numbers."""
    if not isinstance(values, list):
        raise FormatError(f"{what} is missing" if values is None else f"{what} is not a list of {count} numbers")
    if len(values) != count:
        raise FormatError(f"{what} has {len(values)} numbers, not {count}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
            raise FormatError(f"{what} holds {value!r}, which is no number of pixels")
    return [float(value) for value in values]
