"""COCO person keypoints: the JSON in which most 2D labels of people exist.

`images` (id, file_name, width, height), `annotations` (id, image_id, category_id, keypoints as x, y, v, bbox as x, y,
width, height) and `categories` (names of the keypoints). v is 0 not labelled, 1 labelled but hidden, 2 visible. Any
joint set of `skeletons` is read whose names the person category lists, as many tools write such files for other sets;
written is COCO-17.

COCO has no place for a camera, a body, or where a point comes from. Four keys of ours stand beside COCO's own, and
other readers ignore them. In an image: `focal_length_px`, the focal length in pixels of the upright photo, with the
principal point in the middle of the photo. In an annotation: `smpl`, the body (`smpl_fields`), `keypoint_sources`, who
set each point, and `keypoint_scores`, the confidence of each where a detector set it.

Coordinates go in and out unchanged. COCO does not say whether a pixel's middle is at .0 or .5, and labels are no finer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cliff_core.formats import coco_wholebody, halpe
from cliff_core.formats.coco_family import FamilyReader, is_family, labelled, visibility_table
from cliff_core.formats.coco_writing import write_family
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather
from cliff_core.formats.points import flat, points_table
from cliff_core.records import Estimate, Keypoints, PhotoPerson
from cliff_core.skeletons import COCO17, JOINT_SETS


def recognises(source: SourceFile) -> bool:
    """Whether the file is a JSON object with images and annotations, and none of COCO's relatives."""
    return is_family(source) and not (coco_wholebody.recognises(source) or halpe.recognises(source))


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people with keypoints, one by one, and their bodies where the file carries them."""
    return FamilyReader(source, Coco(), report).people(need_keypoints=True)


def read(source: SourceFile) -> Annotations:
    """The people with keypoints; see `read_coco`."""
    return gather(source, people)


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
    report = ReadReport()
    reader = FamilyReader(SourceFile(path), Coco(), report)
    return [person for person, _ in reader.people(need_keypoints)], report


def write(
    path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate | None] | None = None, body=None
) -> None:
    """Write people as COCO person keypoints; see `write_coco`."""
    write_coco(path, people, estimates)


def write_coco(
    path: str | Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate | None] | None = None
) -> None:
    """Write people as COCO person keypoints, COCO-17.

    Points of other joint sets are written where they mean the same place. `area` is the file's own where the person
    came with one, else that of the box. Ids are kept where they are unique. The focal length of a known camera goes
    into the photo's entry as `focal_length_px`, unless its principal point is not in the middle of the photo.

    Args:
        path: of the JSON; replaced only when the new one is complete.
        people: with points or without; a person's own points go before those of the estimate.
        estimates: their bodies, which go into `smpl`; `None` where one has none.

    Raises:
        FormatError: lists of different length, one photo with two sizes or cameras, `extra` that JSON cannot hold, or a
            place that cannot be written.
    """
    write_family(Path(path), people, estimates, Coco())


class Coco:
    """COCO's own dialect of the family."""

    own_keys: frozenset[str] = frozenset()
    written = COCO17.name
    listed = COCO17

    def joint_set(self, names: tuple[str, ...] | None) -> str | None:
        """COCO-17 where no names are listed, else the set with exactly these names."""
        if names is None:
            return COCO17.name
        return next((name for name, each in JOINT_SETS.items() if each.names == names), None)

    def keypoints(self, entry: dict, joint_set: str, where: str, report: ReadReport) -> tuple[Keypoints | None, dict]:
        """The points under `keypoints`."""
        values = entry.get("keypoints")
        if values is None or values == []:
            return None, {}
        table = visibility_table(values, JOINT_SETS[joint_set].names, f"{where}: keypoints")
        return labelled(joint_set, table), {}

    def point_keys(self, keypoints: Keypoints | None, person: PhotoPerson) -> dict[str, Any]:
        """`keypoints` and `num_keypoints`."""
        table = points_table(keypoints, COCO17.name, "visibility")
        return {"keypoints": flat(table, whole=True), "num_keypoints": int((table[:, 2] > 0).sum())}
