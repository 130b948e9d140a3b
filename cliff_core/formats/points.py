"""2D points between records and the flat lists of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.values import numbers
from cliff_core.records import Box, Estimate, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import JOINT_SETS, shared_points

_MARGIN = 0.1  # of the extent of the points on each side: points are joints, and the body is larger


def with_points(
    path: Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate | None] | None
) -> list[tuple[PhotoPerson, Keypoints | None]]:
    """Each person with the points to write: the person's own, else those that the body was estimated with.

    Raises:
        FormatError: lists of different length.
    """
    if estimates is None:
        return [(person, person.keypoints) for person in people]
    if len(estimates) != len(people):
        raise FormatError(f"{path}: {len(people)} people but {len(estimates)} bodies; they must belong together")
    return [
        (person, person.keypoints if person.keypoints is not None or estimate is None else estimate.keypoints)
        for person, estimate in zip(people, estimates, strict=True)
    ]


def points_table(keypoints: Keypoints | None, joint_set: str, third: Literal["visibility", "confidence"]) -> np.ndarray:
    """Points as rows of a file in another joint set.

    Args:
        keypoints: of any joint set; those that mean the same place are taken over.
        joint_set: of the file.
        third: what stands beside x and y.

    Returns:
        (K, 3) float64 x, y in pixels, and visibility or confidence; zeros where a point is unknown or not labelled.
    """
    table = np.zeros((len(JOINT_SETS[joint_set]), 3))
    if keypoints is None:
        return table
    source, target = shared_points(keypoints.joint_set, joint_set)
    labelled = keypoints.visibility[source] > 0
    source, target = source[labelled], target[labelled]
    table[target, :2] = keypoints.points_px[source]
    table[target, 2] = getattr(keypoints, third)[source]
    return table


def scored_points(joint_set: str, table: np.ndarray) -> Keypoints | None:
    """A detector's points from a file; `None` where it found none.

    Args:
        joint_set: name in `skeletons.JOINT_SETS`.
        table: (K, 3) x, y in pixels and a score; 0 means not found, and scores beyond 1 (of heat maps) count as 1.
    """
    found = table[:, 2] > 0
    if not found.any():
        return None
    return Keypoints.uniform(
        joint_set, table[:, :2], np.where(found, 2, 0), np.clip(table[:, 2], 0, 1), Provenance.IMPORTED
    )


def box_of_points(keypoints: Keypoints) -> Box | None:
    """A box around labelled points with a margin of a tenth, for files that know none.

    Returns:
        The box; `None` where the points span no area.
    """
    points = keypoints.points_px[keypoints.visibility > 0]
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN * (high - low)
    if not (high > low).all():
        return None
    (x0, y0), (x1, y1) = (low - margin).tolist(), (high + margin).tolist()
    return Box(x0, y0, x1, y1, source=Provenance.IMPORTED)


def xywh_box(values: Any, where: str) -> Box:
    """A file's box of x, y, width and height.

    Raises:
        FormatError: no four numbers, or no area.
    """
    x, y, width, height = numbers(values, 4, where)
    if not (x + width > x and y + height > y):
        raise FormatError(f"{where}: a box of {width:g} x {height:g} pixels has no area")
    return Box(x, y, x + width, y + height, source=Provenance.IMPORTED)


def flat(table: np.ndarray, whole: bool) -> list[float]:
    """Rows of x, y and a third number as one list; `whole` writes the third as a whole number."""
    return [number for x, y, v in table.tolist() for number in (x, y, int(v) if whole else v)]
