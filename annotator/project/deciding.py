"""Who is right where two copies of a project differ: a person before a file, that before a solver, that before a model.

Everything here is about values alone; `merge` finds them and writes what was decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from annotator.project.copies import Changed
from annotator.project.fields import FROM, STATES, source_of
from cliff_core.geometry.rotations import geodesic_deg, rotvec_to_rotmat
from cliff_core.records import Provenance

Side = Literal["mine", "theirs", "conflict"]

_RANKS = {Provenance.HUMAN: 3, Provenance.IMPORTED: 2, Provenance.FIT: 1, Provenance.MODEL: 0}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two people may differ and still mean the same.

    Attributes:
        point_share: of 2D points, as a share of the longer side of the person's box.
        box_share: of a box's edges, as a share of its longer side.
        angle_deg: of rotations.
        beta: of shape numbers, standard deviations.
        place_m: of the body's place, metres.
        camera_share: of the focal length, and of the centre relative to it.
    """

    point_share: float = 0.02
    box_share: float = 0.05
    angle_deg: float = 5.0
    beta: float = 0.25
    place_m: float = 0.05
    camera_share: float = 0.01


def decide(
    field: str,
    mine: Any,
    theirs: Any,
    changed: Changed,
    *,
    size_px: float,
    tolerance: Tolerance,
    predictions: Mapping[str, Mapping],
) -> tuple[Side, Any]:
    """Which value of a field counts.

    Args:
        field: its name.
        mine, theirs: the values; `None` where nothing is set. Pointers are names of predictions.
        changed: on which side it was changed since both were the same.
        size_px: longer side of the person's box.
        tolerance: between two people.
        predictions: blocks of the predictions that pointers name, of both sides.

    Returns:
        Whose value it is, and the value; for a conflict, mine.
    """
    if mine == theirs or changed.theirs is False:
        return "mine", mine
    if changed.mine is False:
        return "theirs", theirs
    if field.startswith(FROM):
        return _by_run(mine, theirs, predictions)
    if mine is None or theirs is None:
        # Only with journals on both sides is it known that somebody took the value away on purpose.
        if changed.mine and changed.theirs:
            return _by_rank(mine, theirs) or ("conflict", mine)
        return ("theirs", theirs) if mine is None else ("mine", mine)
    if field == "state":
        ahead = STATES.index(theirs) > STATES.index(mine)
        return ("theirs", theirs) if ahead else ("mine", mine)
    if field == "rank":
        return "mine", mine
    if field == "review":
        return _by_verdict(mine, theirs)
    return _by_rank(mine, theirs) or (
        ("mine", mine) if _is_near(field, mine, theirs, size_px, tolerance) else ("conflict", mine)
    )


def _by_run(mine: Any, theirs: Any, predictions: Mapping[str, Mapping]) -> tuple[Side, Any]:
    """Labels of a file before predictions; of two predictions the newer run."""
    if mine is None or theirs is None:
        return ("theirs", theirs) if mine is None else ("mine", mine)

    def worth(name: str) -> tuple[bool, str]:
        run = predictions[name]["run"]
        return run["kind"] == Provenance.IMPORTED.value, run["started"]

    return ("theirs", theirs) if worth(theirs) > worth(mine) else ("mine", mine)


def _by_rank(mine: Any, theirs: Any) -> tuple[Side, Any] | None:
    """The one of higher rank; `None` between two people."""
    ranks = [-1 if value is None else _RANKS.get(source_of(value) or Provenance.HUMAN, 0) for value in (mine, theirs)]
    if ranks[0] == ranks[1] == 3 or (3 in ranks and None in (mine, theirs)):
        return None
    return ("theirs", theirs) if ranks[1] > ranks[0] else ("mine", mine)


def _by_verdict(mine: Any, theirs: Any) -> tuple[Side, Any]:
    """The same verdict for two reasons keeps both; two verdicts are a conflict."""
    if mine["verdict"] != theirs["verdict"]:
        return "conflict", mine
    reasons = [reason for reason in (mine["reason"], theirs["reason"]) if reason]
    if len(reasons) == 2 and reasons[1] not in reasons[0]:
        return "theirs", {"reason": "; ".join(reasons), "verdict": mine["verdict"]}
    return "mine", {"reason": reasons[0] if reasons else "", "verdict": mine["verdict"]}


def _is_near(field: str, mine: Any, theirs: Any, size_px: float, tolerance: Tolerance) -> bool:
    head = field.partition("/")[0]
    if head == "points":
        if bool(mine[2]) != bool(theirs[2]):
            return False
        return float(np.hypot(mine[0] - theirs[0], mine[1] - theirs[1])) <= tolerance.point_share * size_px
    if head == "box":
        return bool(np.abs(np.subtract(mine[:4], theirs[:4])).max() <= tolerance.box_share * size_px)
    if head == "pose":
        rotmats = rotvec_to_rotmat(np.array([mine[:3], theirs[:3]]))
        return float(geodesic_deg(rotmats[0], rotmats[1])) <= tolerance.angle_deg
    if head == "betas":
        return abs(mine[0] - theirs[0]) <= tolerance.beta
    if head == "transl":
        return float(np.linalg.norm(np.subtract(mine[:3], theirs[:3]))) <= tolerance.place_m
    if head == "camera":
        centres = [value[1:3] for value in (mine, theirs)]
        if (centres[0][0] is None) != (centres[1][0] is None):
            return False
        apart = [abs(mine[0] - theirs[0])]
        if centres[0][0] is not None:
            apart.append(float(np.hypot(*np.subtract(centres[0], centres[1]))))
        return max(apart) <= tolerance.camera_share * mine[0]
    return False
