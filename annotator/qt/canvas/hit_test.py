"""What lies under the cursor; no widgets, so that it can be tested as what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from annotator.document import Part, PartKind
from annotator.figures import Figure
from cliff_core.skeletons import JOINT_SETS, SMPL24

GRAB_PX = 11.0
_EDGE_PX = 6.0


class Kind(Enum):
    """What a press would take hold of."""

    NOTHING = "nothing"
    POINT = "point"
    JOINT = "joint"
    RING = "ring"
    BOX = "box"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Target:
    """What is under the cursor.

    Attributes:
        kind: of what.
        person: number of the person.
        name: of the point or joint; of a box the sides that move ("left", "top right"); of a ring its number.
    """

    kind: Kind
    person: int | None = None
    name: str = ""

    @property
    def part(self) -> Part | None:
        """The part of the person that it stands for."""
        if self.kind is Kind.POINT:
            return Part(PartKind.POINT, self.name)
        return Part(PartKind.JOINT, self.name) if self.kind in (Kind.JOINT, Kind.RING) else None


NOTHING = Target(Kind.NOTHING)


def nearest(points: np.ndarray, x: float, y: float, within_px: float = GRAB_PX) -> int | None:
    """Row of the point nearest to (x, y) and within reach; rows of NaN are nowhere."""
    if not len(points):
        return None
    distance = np.hypot(points[:, 0] - x, points[:, 1] - y)
    distance = np.where(np.isfinite(distance), distance, np.inf)
    row = int(distance.argmin())
    return row if distance[row] <= within_px else None


def point_at(figure: Figure, shown: np.ndarray, x: float, y: float) -> Target | None:
    """The 2D point of somebody at a place; `shown` is (K, 2) in the view, NaN where there is none."""
    row = nearest(shown, x, y)
    if row is None:
        return None
    return Target(Kind.POINT, figure.person.id, JOINT_SETS[figure.keypoints.joint_set].names[row])


def joint_at(figure: Figure, shown: np.ndarray, x: float, y: float) -> Target | None:
    """The SMPL joint of somebody at a place; `shown` is (24, 2) in the view."""
    row = nearest(shown, x, y)
    return None if row is None else Target(Kind.JOINT, figure.person.id, SMPL24.names[row])


def box_at(person: int, corners: Sequence[float], x: float, y: float) -> Target | None:
    """The sides of a box at a place; a place inside is none, or nobody could be reached behind it.

    Args:
        person: whose box.
        corners: left, top, right, bottom in the view.
        x, y: in the view.
    """
    left, top, right, bottom = corners
    if not (left - _EDGE_PX <= x <= right + _EDGE_PX and top - _EDGE_PX <= y <= bottom + _EDGE_PX):
        return None
    sides = [
        name
        for name, distance in (
            ("top", abs(y - top)),
            ("bottom", abs(y - bottom)),
            ("left", abs(x - left)),
            ("right", abs(x - right)),
        )
        if distance <= _EDGE_PX
    ]
    return Target(Kind.BOX, person, " ".join(sides)) if sides else None
