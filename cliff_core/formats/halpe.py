"""Halpe-FullBody: COCO's layout with 136 points of body, feet, face and hands, or the first 26 of them.

The first 26 (COCO's 17, then head top, neck and hip, then the feet, left and right in turns) become `halpe26`. The
other 110 (68 of the face, 21 of each hand) belong to no joint set here: they are carried along as `halpe_face_hands`
and written again, and nobody can edit them.
Source: Halpe-FullBody's README (Fang et al. 2022).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cliff_core.errors import FormatError
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
from cliff_core.formats.values import numbers
from cliff_core.records import Estimate, Keypoints, PhotoPerson
from cliff_core.skeletons import HALPE26

_BODY, _ALL = len(HALPE26), 136
_REST = "halpe_face_hands"
_CARRIED = "carried along: the points of faces and hands (110 of 136), which cannot be edited"
_OWN_NAMES = tuple(  # the spelling of Halpe's README
    "nose leye reye lear rear lshoulder rshoulder lelbow relbow lwrist rwrist lhip rhip lknee rknee lankle rankle head "
    "neck hip lbigtoe rbigtoe lsmalltoe rsmalltoe lheel rheel".split()
)


def recognises(source: SourceFile) -> bool:
    """Whether annotations have 136 or 26 points."""
    counts = (_BODY * 3, _ALL * 3)
    points = (entry.get("keypoints") for entry in first_annotations(source)) if is_family(source) else ()
    return any(isinstance(values, list) and len(values) in counts for values in points)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people with points of body or feet, one by one, and their bodies where the file carries them."""
    return FamilyReader(source, Halpe(), report).people(need_keypoints=True)


def read(source: SourceFile) -> Annotations:
    """The people with points of body or feet; `coco.read_coco` says what is left out."""
    return gather(source, people)


def write(
    path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate | None] | None = None, body=None
) -> None:
    """Write people with 26 points, or with 136 if any of them came with the other 110."""
    full = any(_REST in person.extra for person in people)
    write_family(path, people, estimates, Halpe(_ALL if full else _BODY))


class Halpe:
    """Halpe's dialect of the family.

    Args:
        count: of the points to write, 26 or 136.
    """

    own_keys = frozenset({_REST})
    written = HALPE26.name
    listed = HALPE26  # published files name none of the other points

    def __init__(self, count: int = _BODY):
        self._count = count

    def joint_set(self, names: tuple[str, ...] | None) -> str | None:
        """Halpe's 26 by either spelling of their names; published files list none."""
        return HALPE26.name if names is None or names[:_BODY] in (HALPE26.names, _OWN_NAMES) else None

    def keypoints(self, entry: dict, joint_set: str, where: str, report: ReadReport) -> tuple[Keypoints | None, dict]:
        """The first 26 points, and the others to carry along."""
        values = entry.get("keypoints")
        if values is None or values == []:
            return None, {}
        if not isinstance(values, list) or len(values) not in (3 * _BODY, 3 * _ALL):
            found = f"{len(values)} numbers" if isinstance(values, list) else "no list"
            raise FormatError(f"{where}: keypoints has {found}, not {3 * _BODY} or {3 * _ALL}")
        points = labelled(joint_set, visibility_table(values[: 3 * _BODY], HALPE26.names, f"{where}: keypoints"))
        rest = values[3 * _BODY :]
        if not rest:
            return points, {}
        if _CARRIED not in report.notes:
            report.notes.append(_CARRIED)
        return points, {_REST: numbers(rest, len(rest), f"{where}: keypoints")}

    def point_keys(self, keypoints: Keypoints | None, person: PhotoPerson) -> dict[str, Any]:
        """`keypoints` and `num_keypoints`."""
        table = points_table(keypoints, HALPE26.name, "visibility")
        values = flat(table, whole=True)
        missing = 3 * (self._count - _BODY)
        rest = person.extra.get(_REST)
        values += rest if isinstance(rest, list) and len(rest) == missing else [0.0] * missing
        return {"keypoints": values, "num_keypoints": int((table[:, 2] > 0).sum())}
