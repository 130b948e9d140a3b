"""How well two annotators agree: in 2D by OKS and pixels, in 3D by the joints of their bodies.

Only what both set themselves counts; values that one of them has from the other are no agreement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from annotator.project.copies import Changed
from annotator.project.fields import BETAS, PERSON
from cliff_core.body import Body, load_body
from cliff_core.evaluation.metrics import OKS_SIGMAS, Root, mpjpe, oks
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.skeletons import JOINT_SETS, SMPL24


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the annotators of two copies agree.

    Attributes:
        other: the other copy.
        first: the copy that it is compared with; empty for the project itself.
        people_2d: people on whom both placed points.
        points: that both placed.
        mean_px: mean distance of these points, pixels.
        oks: mean OKS of these people, mine taken for the truth and the box for the area; `None` where the joint sets
            have no published sigmas.
        people_3d: people whose bodies both corrected.
        mpjpe_mm: mean of their MPJPE (SMPL's 24 joints, roots at the pelvis), millimetres; `None` without such people.
    """

    other: str
    people_2d: int
    points: int
    mean_px: float
    oks: float | None
    people_3d: int
    mpjpe_mm: float | None
    first: str = ""

    def __str__(self) -> str:
        """One line."""
        parts = []
        if self.people_2d:
            text = f"{self.points} points of {self.people_2d} people {self.mean_px:.1f} px apart"
            truth = "mine" if not self.first else "the first"
            parts.append(
                text if self.oks is None else f"{text}, OKS {self.oks:.3f} ({truth} as truth, area of the box)"
            )
        if self.mpjpe_mm is not None:
            text = f"bodies of {self.people_3d} people {self.mpjpe_mm:.0f} mm apart"
            parts.append(f"{text} (MPJPE, SMPL's 24 joints, pelvis to pelvis)")
        who = f"of {self.first} and {self.other}" if self.first else f"with {self.other}"
        return f"agreement {who}: {'; '.join(parts)}"


class Asked(Protocol):
    """Whoever knows who changed what: a copy, or `Between` of two."""

    def changed(self, kind: str, uid: str, name: str, mine: Any, theirs: Any) -> Changed:
        """On which side a field was changed since both were the same."""


class Between:
    """Two copies that parted from the same project, and are joined to it together.

    Args:
        mine: the project's document of a photo.
        first, other: the copies.
    """

    def __init__(self, mine: Mapping[str, Any], first: Asked, other: Asked):
        self._mine, self._first, self._other = mine, first, other

    def changed(self, kind: str, uid: str, name: str, mine: Any, theirs: Any) -> Changed:
        """What each changed since it parted from the project."""
        here = self._mine["people"].get(uid, {"set": {}})["set"].get(name)
        return Changed(
            self._first.changed(kind, uid, name, here, mine).theirs,
            self._other.changed(kind, uid, name, here, theirs).theirs,
        )


class Pairs:
    """Gathers what two annotators say of the same people.

    Args:
        other: name of the other copy.
        body: whose joints are compared; the open body if not given.
        first: name of the copy that it is compared with; empty for the project itself.
    """

    def __init__(self, other: str, body: Body | None, first: str = ""):
        self._other, self._first = other, first
        self._body = body
        self._points: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]] = defaultdict(list)
        self._joints: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, mine: Mapping[str, Any], theirs: Mapping[str, Any], matched: Mapping[str, str], other: Asked) -> None:
        """The people of one photo.

        Args:
            mine, theirs: documents.
            matched: uid there -> uid here.
            other: the copy, which knows who changed what.
        """
        for their_uid, uid in matched.items():
            if uid not in mine["people"]:
                continue
            first, second = mine["people"][uid], theirs["people"][their_uid]
            both = [
                name
                for name in set(first["set"]) & set(second["set"])
                if _is_human(first["set"][name]) and _is_human(second["set"][name])
            ]
            apart = [name for name in both if _set_apart(other, uid, their_uid, name, first["set"], second["set"])]
            box = _box(first, mine)
            if box is not None:
                self._add_points(first["set"], second["set"], apart, float(np.prod(box[2:] - box[:2])))
            if any(name.startswith(("pose/", "betas/")) for name in apart):
                bodies = _joints(self.body, first, mine), _joints(self.body, second, theirs)
                if bodies[0] is not None and bodies[1] is not None:
                    self._joints.append((bodies[0], bodies[1]))

    @property
    def body(self) -> Body:
        """Loaded when the first body is compared."""
        if self._body is None:
            self._body = load_body()
        return self._body

    def agreement(self) -> Agreement | None:
        """The numbers; `None` where the two have nobody in common."""
        if not self._points and not self._joints:
            return None
        distances, scores, people = [], [], 0
        for joint_set, entries in self._points.items():
            first, second, counted = (np.stack([entry[part] for entry in entries]) for part in range(3))
            areas = np.array([entry[3] for entry in entries])
            people += len(entries)
            distances.append(np.linalg.norm(first - second, axis=-1)[counted])
            if joint_set in OKS_SIGMAS:
                scores.append(oks(second, first, counted, areas, joint_set))
        error = None
        if self._joints:
            mine, theirs = (np.stack([pair[side] for pair in self._joints]) for side in range(2))
            error = float(mpjpe(theirs, mine, "smpl24", Root.PELVIS).mean())
        flat = np.concatenate(distances) if distances else np.zeros(0)
        mean_px = float(flat.mean()) if flat.size else 0.0
        similarity = float(np.concatenate(scores).mean()) if scores else None
        return Agreement(
            self._other, people, int(flat.size), mean_px, similarity, len(self._joints), error, self._first
        )

    def _add_points(self, first: Mapping, second: Mapping, apart: list[str], area: float) -> None:
        of_set: dict[str, list[str]] = defaultdict(list)
        for name in apart:
            if name.startswith("points/") and first[name][2] and second[name][2]:
                of_set[name.split("/")[1]].append(name)
        for joint_set, names in of_set.items():
            count = len(JOINT_SETS[joint_set])
            mine, theirs, counted = np.zeros((count, 2)), np.zeros((count, 2)), np.zeros(count, dtype=bool)
            for name in names:
                row = JOINT_SETS[joint_set].index(name.split("/")[2])
                mine[row], theirs[row], counted[row] = first[name][:2], second[name][:2], True
            self._points[joint_set].append((mine, theirs, counted, area))


def _is_human(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and value[-1] == "human"


def _set_apart(other: Asked, uid: str, their_uid: str, name: str, mine: Mapping, theirs: Mapping) -> bool:
    """Whether both set a value themselves: known where the journals part, assumed where nobody knows."""
    if uid != their_uid:
        return True
    changed = other.changed(PERSON, uid, name, mine[name], theirs[name])
    return changed.mine is not False and changed.theirs is not False


def _box(block: Mapping[str, Any], document: Mapping[str, Any]) -> np.ndarray | None:
    value = block["set"].get("box")
    if value is None and "box" in block["from"]:
        value = document["predictions"][block["from"]["box"]].get("box")
    return None if value is None else np.array(value[:4], dtype=np.float64)


def _joints(body: Body, block: Mapping[str, Any], document: Mapping[str, Any]) -> np.ndarray | None:
    """(24, 3) joints of a person's body in metres; `None` unless it is complete."""
    predicted: Mapping[str, Any] = {}
    if "body" in block["from"]:
        predicted = document["predictions"][block["from"]["body"]]
    pose, betas = [], []
    for name in SMPL24.names:
        value = block["set"].get(f"pose/{name}") or predicted.get("pose", {}).get(name)
        if value is None:
            return None
        pose.append(value[:3])
    for number in range(BETAS):
        value = block["set"].get(f"betas/{number}") or ([predicted["betas"][number]] if "betas" in predicted else None)
        if value is None:
            return None
        betas.append(value[0])
    joints, _ = body.forward_kinematics(rotvec_to_rotmat(np.array(pose)), np.array(betas))
    return np.asarray(joints, dtype=np.float64)
