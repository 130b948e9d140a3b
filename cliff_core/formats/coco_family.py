"""Reading COCO's person keypoints and the formats that grew out of it (COCO-WholeBody, Halpe), person by person.

All are an object with `images`, `annotations` and `categories`, and differ in where an annotation keeps its points;
each brings its `Dialect`. `coco_writing` has the other direction.

Files have hundreds of megabytes, so they are read twice, entry by entry: first the images and categories (COCO's own
files list the categories last), then the annotations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.files import Read, ReadReport, SourceFile
from cliff_core.formats.json_pieces import pieces
from cliff_core.formats.smpl_fields import read_smpl_fields
from cliff_core.formats.values import (
    image_size,
    is_number,
    is_whole,
    numbers,
    quoted,
    reference,
    relative_name,
    short,
)
from cliff_core.records import Box, Camera, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import JointSet

OUR_KEYS = frozenset(
    "id image_id category_id bbox keypoints num_keypoints iscrowd keypoint_sources keypoint_scores smpl".split()
)
"""Keys of an annotation that every format of the family reads or writes itself; others are carried along."""

MODEL_KEY = "model"
"""Key of `PhotoPerson.extra` for the name of what predicted a body that a file brings."""


class Dialect(Protocol):
    """Where a format of the family keeps its points."""

    own_keys: frozenset[str]
    """Keys of an annotation beyond `OUR_KEYS` that the format reads and writes itself."""

    written: str
    """The joint set that the format writes."""

    listed: JointSet
    """The joint set whose names and edges the person category lists."""

    def joint_set(self, names: tuple[str, ...] | None) -> str | None:
        """The joint set of a person category by the names it lists (`None` if it lists none); `None` if unknown."""

    def keypoints(self, entry: dict, joint_set: str, where: str, report: ReadReport) -> tuple[Keypoints | None, dict]:
        """The points of an annotation, `None` where none is labelled, and what else of it is to be carried along."""

    def point_keys(self, keypoints: Keypoints | None, person: PhotoPerson) -> dict[str, Any]:
        """`keypoints`, `num_keypoints` and whatever other keys hold points in an annotation to write."""


def is_family(source: SourceFile) -> bool:
    """Whether the file is a JSON object with images and annotations."""
    return source.looks_like_json and source.look.has("images", "annotations")


def first_annotations(source: SourceFile) -> list[dict]:
    """The first annotations of such a file, by which its dialect is told."""
    return [entry for entry in source.look.first("annotations") if isinstance(entry, dict)]


def visibility_table(values: Any, names: Sequence[str], where: str, graded: bool = False) -> np.ndarray:
    """(K, 3) x, y in pixels and COCO's visibility, from a flat list.

    Args:
        values: x, y, v per point.
        names: of the points.
        where: for the error: file, annotation and key.
        graded: whether v may lie between COCO's numbers, as a measure of how reliable a point is.

    Raises:
        FormatError: not so many numbers, or another visibility.
    """
    table = np.array(numbers(values, 3 * len(names), where)).reshape(-1, 3)
    wrong = (table[:, 2] < 0) | (table[:, 2] > 2) if graded else ~_is_cocos(table[:, 2])
    if wrong.any():
        index = int(np.argmax(wrong))
        raise FormatError(
            f"{where.removesuffix(': keypoints')}: visibility of {names[index]} is {table[index, 2]:g}; COCO knows "
            "0, 1 and 2 (a detector's scores belong into a result file)"
        )
    return table


def labelled(joint_set: str, table: np.ndarray) -> Keypoints | None:
    """The points of a table with COCO's visibility; `None` where none is labelled.

    A visibility between the numbers counts as visible, with a confidence of v where that is below 1.
    """
    if not table[:, 2].any():
        return None
    visibility = np.where(_is_cocos(table[:, 2]), table[:, 2], 2)
    confidence = np.minimum(table[:, 2], 1)
    return Keypoints.uniform(joint_set, table[:, :2], visibility, confidence, Provenance.IMPORTED)


def _is_cocos(visibility: np.ndarray) -> np.ndarray:
    """Where a visibility is one of COCO's three; `numpy.isin` takes ten times as long."""
    return (visibility == 0) | (visibility == 1) | (visibility == 2)


@dataclass(frozen=True, slots=True)
class _Image:
    name: str
    size_px: tuple[int, int]
    camera: Camera | None


class FamilyReader:
    """One file while it is being read; knows how to name a place in it.

    Args:
        source: the file.
        dialect: of its format.
        report: grows with every person.

    Raises:
        FormatError: images or categories that are not as COCO says, or no such file at all.
    """

    def __init__(self, source: SourceFile, dialect: Dialect, report: ReadReport):
        self.path = source.path
        self._dialect = dialect
        self._read_keys = OUR_KEYS | dialect.own_keys
        self._report = report
        self._images: dict[int | str, _Image] = {}
        self._categories: dict[int | str, dict] = {}
        self._joint_sets: dict[int | str | None, str | None] = {}
        self._read_tables()

    def people(self, need_keypoints: bool) -> Iterator[Read]:
        """The people one by one, in the order of the file, and bodies where annotations carry them.

        Args:
            need_keypoints: whether people without a labelled point are left out.

        Raises:
            FormatError: an annotation that is not as the format says; names it and what is wrong.
        """
        seen = set()
        for position, entry in self._entries("annotations"):
            annotation_id = entry.get("id")
            if not is_whole(annotation_id):
                raise FormatError(f"{self.path}: annotation number {position + 1} in the file has no whole-number id")
            if annotation_id in seen:
                raise FormatError(f"{self.path}: annotation id {annotation_id} is there twice")
            seen.add(annotation_id)
            found = self._person(entry, f"{self.path}: annotation {annotation_id}", need_keypoints)
            if isinstance(found, str):
                self._report.skipped.append(f"annotation {annotation_id}: {found}")
            else:
                self._report.read += 1
                yield found

    def _read_tables(self) -> None:
        """Images and categories; stops where both are known."""
        tables = {"images", "categories"}
        seen: set[str | None] = set()
        ended: set[str | None] = set()
        is_list = False
        for piece in pieces(self.path):
            if piece.key is None:
                is_list = True
                if piece.position == -1:
                    continue
                break
            if piece.key not in seen:
                ended = set(seen)
                seen.add(piece.key)
            if tables <= ended:
                return
            if piece.key not in tables or piece.position == -1:
                continue
            entry = self._checked(piece.key, piece.position, piece.value)
            if piece.key == "images":
                key, image = self._image(entry, piece.position or 0)
                if key in self._images:
                    raise FormatError(f"{self.path}: image id {quoted(key)} is there twice")
                self._images[key] = image
            else:
                self._categories[reference(entry.get("id"), f"{self.path}: a category: id")] = entry
        if is_list:
            raise FormatError(f"{self.path}: not a COCO file: a list instead of an object with images and annotations")
        for key in ("images", "annotations"):
            if key not in seen:
                raise FormatError(f"{self.path}: not a COCO file: '{key}' must be a list of objects")

    def _entries(self, key: str) -> Iterator[tuple[int, dict]]:
        found = False
        for piece in pieces(self.path):
            if piece.key != key:
                continue
            found = True
            if piece.position != -1:
                yield piece.position or 0, self._checked(key, piece.position, piece.value)
        if not found:
            raise FormatError(f"{self.path}: not a COCO file: '{key}' must be a list of objects")

    def _checked(self, key: str, position: int | None, entry: Any) -> dict:
        if position is None or not isinstance(entry, dict):
            raise FormatError(f"{self.path}: not a COCO file: '{key}' must be a list of objects")
        return entry

    def _person(self, entry: dict, where: str, need_keypoints: bool) -> Read | str:
        """The person with the body, or why it is left out."""
        image_id = reference(entry.get("image_id"), f"{where}: image_id")
        if image_id not in self._images:
            raise FormatError(f"{where}: image_id {quoted(image_id)} is not among the images")
        image = self._images[image_id]
        shown = short(image.name, 120)
        joint_set = self._joint_set(entry.get("category_id"), where)
        if joint_set is None:
            return f"is a {short(self._categories[entry['category_id']].get('name'))}, not a person ({shown})"
        if entry.get("iscrowd"):
            return f"is a crowd ({shown})"
        keypoints, more = self._dialect.keypoints(entry, joint_set, where, self._report)
        if keypoints is None and need_keypoints:
            return f"has no labelled keypoint ({shown})"
        x, y, width, height = numbers(entry.get("bbox"), 4, f"{where}: bbox")
        if not (x + width > x and y + height > y):
            return f"has a box of {width:g} x {height:g} pixels ({shown})"
        carried = {key: value for key, value in entry.items() if key not in self._read_keys}
        person = PhotoPerson(
            image_name=image.name,
            image_size_px=image.size_px,
            box=Box(x, y, x + width, y + height, source=Provenance.IMPORTED),
            keypoints=_as_we_wrote(keypoints, entry),
            camera=image.camera,
            annotation_id=entry["id"],
            extra={**carried, **more},
        )
        if entry.get("smpl") is None:
            return person, None
        params, camera, model = read_smpl_fields(entry["smpl"], f"{where}: smpl", image.size_px)
        extra = {**person.extra, MODEL_KEY: model} if model else person.extra
        return replace(person, camera=camera, extra=extra), params

    def _joint_set(self, category_id: Any, where: str) -> str | None:
        """Name of the joint set of a category, `None` for what is no person.

        A file without categories is taken as the format's own.
        """
        if not self._categories:
            category_id, category = None, {}
        else:
            if reference(category_id, f"{where}: category_id") not in self._categories:
                raise FormatError(f"{where}: category_id {quoted(category_id)} is not among the categories")
            category = self._categories[category_id]
        if category_id not in self._joint_sets:
            self._joint_sets[category_id] = self._joint_set_of(category, where)
        return self._joint_sets[category_id]

    def _joint_set_of(self, category: dict, where: str) -> str | None:
        if str(category.get("name", "person")).lower() != "person":
            return None
        names = category.get("keypoints")
        if names is not None and not isinstance(names, list):
            raise FormatError(f"{where}: the keypoints of its category are no list of names")
        plain = tuple(str(name).strip().lower().replace(" ", "_").replace("-", "_") for name in names or ())
        joint_set = self._dialect.joint_set(plain or None)
        if joint_set is None:
            hint = f"{len(plain)} keypoints ({', '.join(short(name) for name in plain[:3])} ...)"
            raise FormatError(f"{where}: its category lists {hint}, which are no known joint set in its order")
        return joint_set

    def _image(self, entry: dict, position: int) -> tuple[int | str, _Image]:
        key = reference(entry.get("id"), f"{self.path}: image number {position + 1} in the file: id")
        where = f"{self.path}: image {short(key)}"
        name = entry.get("file_name")
        if not isinstance(name, str):
            raise FormatError(f"{where}: has no file_name")
        size_px = image_size(entry.get("width"), entry.get("height"), f"{where} ({short(name)})")
        return key, _Image(relative_name(name, where), size_px, self._camera(entry, size_px, where))

    def _camera(self, entry: dict, size_px: tuple[int, int], where: str) -> Camera | None:
        """The photo's camera where the entry says its focal length."""
        if entry.get("focal_length_px") is None:
            return None
        (focal,) = numbers([entry["focal_length_px"]], 1, f"{where}: focal_length_px")
        if focal <= 0:
            raise FormatError(f"{where}: focal_length_px is {focal:g}; it must be positive, or left out if unknown")
        return Camera(focal, size_px)


def _as_we_wrote(keypoints: Keypoints | None, entry: dict) -> Keypoints | None:
    """The points with the sources and confidences that our own writer noted; other content of these keys is no ours."""
    if keypoints is None:
        return None
    count = len(keypoints.source)
    sources, scores = entry.get("keypoint_sources"), entry.get("keypoint_scores")
    if isinstance(sources, list) and len(sources) == count and all(isinstance(name, str | None) for name in sources):
        known = {each.value: each for each in Provenance}
        keypoints = replace(keypoints, source=tuple(known.get(name, Provenance.IMPORTED) for name in sources))
    if isinstance(scores, list) and len(scores) == count and all(is_number(score, 1 + 1e-9) for score in scores):
        keypoints = replace(keypoints, confidence=np.clip(np.array(scores, dtype=np.float64), 0, 1))
    return keypoints
