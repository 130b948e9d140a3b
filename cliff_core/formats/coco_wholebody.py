"""COCO-WholeBody: COCO with feet, face and hands, each under keys of its own.

`keypoints` (17) and `foot_kpts` (6: left big toe, small toe, heel, then the right ones) become `coco23`. The points of
face and hands belong to no joint set here: `face_kpts` (68), `lefthand_kpts` and `righthand_kpts` (21 each) with their
boxes and flags are carried along and written again, and nobody can edit them.

The visibility of some points lies between COCO's numbers: the file's measure of how reliable the point is.
Source: COCO-WholeBody's `data_format.md` (Jin et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.formats.coco_family import (
    FamilyReader,
    first_annotations,
    is_family,
    labelled,
    visibility_table,
)
from cliff_core.formats.coco_writing import write_family
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather
from cliff_core.formats.points import flat, points_table
from cliff_core.records import Estimate, Keypoints, PhotoPerson
from cliff_core.skeletons import COCO17, COCO23

_PARTS = {"face": 68, "lefthand": 21, "righthand": 21}
_CARRIED = "carried along: the points of faces and hands (110 of 133), which cannot be edited"


def recognises(source: SourceFile) -> bool:
    """Whether annotations have points of the feet under a key of their own."""
    return is_family(source) and any("foot_kpts" in entry for entry in first_annotations(source))


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people with points of body or feet, one by one, and their bodies where the file carries them."""
    return FamilyReader(source, WholeBody(), report).people(need_keypoints=True)


def read(source: SourceFile) -> Annotations:
    """The people with points of body or feet; `coco.read_coco` says what is left out."""
    return gather(source, people)


def write(
    path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate | None] | None = None, body=None
) -> None:
    """Write people with the points of body and feet, and those of face and hands that they came with."""
    write_family(path, people, estimates, WholeBody())


class WholeBody:
    """COCO-WholeBody's dialect of the family."""

    own_keys = frozenset({"foot_kpts", "foot_valid"})
    written = COCO23.name
    listed = COCO17  # as in the published files

    def joint_set(self, names: tuple[str, ...] | None) -> str | None:
        """COCO's 17 with the feet; files list the 17, all 133, or nothing."""
        return COCO23.name if names is None or names[: len(COCO17)] == COCO17.names else None

    def keypoints(self, entry: dict, joint_set: str, where: str, report: ReadReport) -> tuple[Keypoints | None, dict]:
        """The points under `keypoints` and `foot_kpts`."""
        parts = []
        for key, names in (("keypoints", COCO17.names), ("foot_kpts", COCO23.names[len(COCO17) :])):
            values = entry.get(key) or [0] * (3 * len(names))
            parts.append(visibility_table(values, names, f"{where}: {key}", graded=True))
        if entry.get("foot_valid") is False:
            parts[1][:, 2] = 0
        if _CARRIED not in report.notes and any(entry.get(f"{part}_valid") for part in _PARTS):
            report.notes.append(_CARRIED)
        return labelled(joint_set, np.concatenate(parts)), {}

    def point_keys(self, keypoints: Keypoints | None, person: PhotoPerson) -> dict[str, Any]:
        """`keypoints`, `foot_kpts`, and the parts that a person did not bring as not valid."""
        table = points_table(keypoints, COCO23.name, "visibility")
        body, feet = table[: len(COCO17)], table[len(COCO17) :]
        keys: dict[str, Any] = {
            "keypoints": flat(body, whole=True),
            "num_keypoints": int((body[:, 2] > 0).sum()),
            "foot_kpts": flat(feet, whole=True),
            "foot_valid": bool(feet[:, 2].any()),
        }
        for part, count in _PARTS.items():
            if not isinstance(person.extra.get(f"{part}_kpts"), list):
                keys |= {f"{part}_kpts": [0.0] * (3 * count), f"{part}_valid": False, f"{part}_box": [0.0] * 4}
        return keys
