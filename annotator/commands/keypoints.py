"""Edits of 2D points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from annotator.commands.together import touch
from annotator.project.draft import Draft
from annotator.project.errors import EditError
from annotator.project.fields import PERSON, point
from cliff_core.records import Keypoints, Provenance
from cliff_core.skeletons import JOINT_SETS

_HUMAN = Provenance.HUMAN.value


@dataclass(frozen=True, slots=True)
class MovePoint:
    """A person placed one point.

    Attributes:
        person: number of the person.
        joint_set: of the point.
        point: its name.
        xy_px: where, pixels of the upright photo.
        visibility: 2 visible, 1 hidden; as it was if not given, visible if it was not there.
        name: for the journal.
    """

    person: int
    joint_set: str
    point: str
    xy_px: tuple[float, float]
    visibility: int | None = None
    name: str = field(default="MovePoint", init=False)

    @property
    def label(self) -> str:
        """For the menu."""
        return f"Move {_words(self.point)}"

    def write(self, draft: Draft) -> None:
        """Set it."""
        visibility = self.visibility
        if visibility is None:
            visibility = _row(draft, self.person, self.joint_set, self.point)[2] or 2
        x, y = self.xy_px
        touch(draft, self.person)
        draft.set(PERSON, self.person, point(self.joint_set, self.point), [x, y, visibility, 1.0, _HUMAN])


@dataclass(frozen=True, slots=True)
class SetPoints:
    """A person placed several points, or took points over as theirs.

    Attributes:
        person: number of the person.
        keypoints: the points; those with visibility 0 count as taken away.
        points: names of those to set; all if not given.
        source: who placed them.
        name: for the journal.
    """

    person: int
    keypoints: Keypoints
    points: Sequence[str] | None = None
    source: Provenance = Provenance.HUMAN
    name: str = field(default="SetPoints", init=False)
    label: str = field(default="Set points", init=False)

    def write(self, draft: Draft) -> None:
        """Set them."""
        touch(draft, self.person)
        names = JOINT_SETS[self.keypoints.joint_set].names
        for name in self.points if self.points is not None else names:
            if name not in names:
                raise EditError(f"{self.keypoints.joint_set} has no point '{name}'")
            row = names.index(name)
            x, y = self.keypoints.points_px[row]
            seen, sure = int(self.keypoints.visibility[row]), float(self.keypoints.confidence[row])
            value = [x, y, seen, sure, self.source.value] if seen else [0, 0, 0, 0, self.source.value]
            draft.set(PERSON, self.person, point(self.keypoints.joint_set, name), value)


@dataclass(frozen=True, slots=True)
class SetVisibility:
    """A person said whether a point can be seen.

    Attributes:
        person: number of the person.
        joint_set: of the point.
        point: its name.
        visibility: 2 visible, 1 hidden.
        name: for the journal.
    """

    person: int
    joint_set: str
    point: str
    visibility: int
    name: str = field(default="SetVisibility", init=False)

    @property
    def label(self) -> str:
        """For the menu."""
        return f"{'Show' if self.visibility == 2 else 'Hide'} {_words(self.point)}"

    def write(self, draft: Draft) -> None:
        """Set it where the point is."""
        x, y, seen = _row(draft, self.person, self.joint_set, self.point)
        if not seen or self.visibility not in (1, 2):
            raise EditError(f"{_words(self.point)} is not placed yet; place it first" if not seen else "1 or 2")
        touch(draft, self.person)
        draft.set(PERSON, self.person, point(self.joint_set, self.point), [x, y, self.visibility, 1.0, _HUMAN])


@dataclass(frozen=True, slots=True)
class RemovePoint:
    """A person took a point away; no model puts it back.

    Attributes:
        person: number of the person.
        joint_set: of the point.
        point: its name.
        name: for the journal.
    """

    person: int
    joint_set: str
    point: str
    name: str = field(default="RemovePoint", init=False)

    @property
    def label(self) -> str:
        """For the menu."""
        return f"Remove {_words(self.point)}"

    def write(self, draft: Draft) -> None:
        """Set it to not labelled, by a person."""
        touch(draft, self.person)
        draft.set(PERSON, self.person, point(self.joint_set, self.point), [0, 0, 0, 0, _HUMAN])


@dataclass(frozen=True, slots=True)
class ResetPoints:
    """A person gave points back to what was predicted or imported.

    Attributes:
        person: number of the person.
        joint_set: of the points.
        points: their names; all if not given.
        name: for the journal.
    """

    person: int
    joint_set: str
    points: Sequence[str] | None = None
    name: str = field(default="ResetPoints", init=False)
    label: str = field(default="Reset points", init=False)

    def write(self, draft: Draft) -> None:
        """Unset them."""
        touch(draft, self.person)
        for name in self.points if self.points is not None else JOINT_SETS[self.joint_set].names:
            draft.set(PERSON, self.person, point(self.joint_set, name), None)


@dataclass(frozen=True, slots=True)
class SwapSides:
    """A person exchanged left and right.

    Attributes:
        person: number of the person.
        joint_set: of the points.
        points: names of those to exchange, one side is enough; all if not given.
        name: for the journal.
    """

    person: int
    joint_set: str
    points: Sequence[str] | None = None
    name: str = field(default="SwapSides", init=False)
    label: str = field(default="Swap left and right", init=False)

    def write(self, draft: Draft) -> None:
        """Set every point to where its counterpart was."""
        keypoints = draft.person(self.person).keypoints(self.joint_set)
        if keypoints is None:
            raise EditError(f"person {self.person} has no points of {self.joint_set}")
        joint_set = JOINT_SETS[self.joint_set]
        chosen = [joint_set.index(name) for name in self.points if name in joint_set.names] if self.points else None
        rows = np.arange(len(joint_set)) if chosen is None else np.union1d(chosen, joint_set.flip[chosen])
        touch(draft, self.person)
        for row in rows:
            other = joint_set.flip[row]
            if row != other:
                x, y = keypoints.points_px[other]
                seen = int(keypoints.visibility[other])
                value = [x, y, seen, 1.0, _HUMAN] if seen else [0, 0, 0, 0, _HUMAN]
                draft.set(PERSON, self.person, point(self.joint_set, joint_set.names[row]), value)


def _row(draft: Draft, person: int, joint_set: str, name: str) -> tuple[float, float, int]:
    """x, y and visibility of a point; visibility 0 where there is none."""
    if joint_set not in JOINT_SETS or name not in JOINT_SETS[joint_set].names:
        raise EditError(f"no point '{name}' in {joint_set}")
    keypoints = draft.person(person).keypoints(joint_set)
    if keypoints is None:
        return 0.0, 0.0, 0
    row = JOINT_SETS[joint_set].index(name)
    x, y = keypoints.points_px[row]
    return float(x), float(y), int(keypoints.visibility[row])


def _words(name: str) -> str:
    return name.replace("_", " ")
