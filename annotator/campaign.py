"""How far a campaign is: what corrections have brought so far, at what effort, and what more of them would bring.

Nobody knows the truth of a project's photos. What is known is how far each hand moved the body that a model had
predicted: where the hand was right, that is what the prediction was off. When the last people who were corrected hardly
moved although they were the most suspicious, the rest can be accepted unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from annotator.project.fields import PERSON, source_of
from annotator.project.journal import HAND, MERGE
from annotator.project.reader import Reader
from annotator.project.state import Person
from annotator.worklist import SUSPICION, Advice, advice, expected_gain_mm
from cliff_core.body import Body, load_body
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Provenance, SmplParams

HARDLY_MM = 15.0
"""Median way of the joints below which corrections are not worth their time."""

_LATEST = 2000  # people whose way is looked up; of a larger campaign the latest
_WINDOW = 10
_ENOUGH = 2 * _WINDOW
_OF_HANDS = (
    "(field LIKE 'points/%' OR field LIKE 'pose/%' OR field LIKE 'betas/%' OR field = 'transl' OR field = 'from/body')"
)


@dataclass(frozen=True, slots=True)
class Correction:
    """What a hand did to somebody.

    Attributes:
        person_id, photo_id: who.
        actions: how often a hand was on them.
        moved_mm: mean way of the 24 joints, pelvis to pelvis, from the body that a model had predicted before to the
            body now; `None` without one of the two.
    """

    person_id: int
    photo_id: int
    actions: int
    moved_mm: float | None


@dataclass(frozen=True, slots=True)
class Campaign:
    """Gain so far, effort so far, and what pays off next.

    Attributes:
        corrections: in the order in which people were first touched; of many the latest.
        advice: whether to refine, go on, or accept the rest.
        left: people who are not done and of whom a run has said something.
        left_gain_mm: what a look at each of them is expected to gain, the most first.
    """

    corrections: Sequence[Correction]
    advice: Advice
    left: int
    left_gain_mm: Sequence[float]

    @property
    def effort(self) -> list[int]:
        """Actions so far, after each person."""
        return np.cumsum([each.actions for each in self.corrections]).tolist()

    @property
    def gain_mm(self) -> list[float]:
        """Way of the joints so far, summed over people, after each person."""
        return np.cumsum([each.moved_mm or 0.0 for each in self.corrections]).tolist()

    @property
    def ways_mm(self) -> list[float]:
        """Of those for whom it is known, in their order."""
        return [each.moved_mm for each in self.corrections if each.moved_mm is not None]

    @property
    def recent_mm(self) -> float | None:
        """Median way of the last people; `None` before there are enough."""
        ways = self.ways_mm
        return float(np.median(ways[-_WINDOW:])) if len(ways) >= _WINDOW else None

    @property
    def is_enough(self) -> bool:
        """Whether the last corrections hardly brought anything."""
        recent = self.recent_mm
        return recent is not None and len(self.ways_mm) >= _ENOUGH and recent < HARDLY_MM

    @property
    def text(self) -> str:
        """What was done, and what pays off now; two or three sentences."""
        ways, parts = self.ways_mm, []
        if ways:
            actions = sum(each.actions for each in self.corrections)
            parts.append(
                f"People corrected: {len(self.corrections)}. Actions: {actions}. "
                f"Their joints moved by {np.median(ways):.0f} mm (median)."
            )
            if self.recent_mm is not None and len(ways) >= _ENOUGH:
                first = float(np.median(ways[:_WINDOW]))
                parts.append(
                    f"The first {_WINDOW} moved by {first:.0f} mm, the last {_WINDOW} by {self.recent_mm:.0f} mm."
                )
        if self.is_enough and not self.advice.refine:
            parts.append("Corrections hardly bring anything now: the rest can be accepted unseen.")
        else:
            parts.append(self.advice.text)
        return " ".join(parts)


def campaign(project: Reader) -> Campaign:
    """How far the work on a project is; a second for some thousand people."""
    values = project.database.rows(
        "SELECT value FROM measure JOIN person ON person.id = person_id JOIN photo ON photo.id = photo_id "
        "WHERE measure.name = ? AND present AND state <> 'done' AND NOT excluded ORDER BY value DESC",
        [SUSPICION],
    )
    gains = [expected_gain_mm(value) for (value,) in values]
    return Campaign(corrections(project), advice(project), len(gains), gains)


def corrections(project: Reader, latest: int = _LATEST) -> list[Correction]:
    """What hands did, person by person in the order in which they were first touched; of many the latest.

    Work that came by a merge counts once for each point and limb that was set: its steps are in the copy's journal.
    """
    rows = project.database.rows(
        # from the steps of hands to what they changed: of what bulk runs changed there may be millions
        "SELECT * FROM (SELECT subject, min(change.seq) AS first, "
        "count(DISTINCT CASE WHEN step.kind = ? THEN step.id END) FROM step "
        "CROSS JOIN edit ON edit.step_id = step.id AND action = 'do' CROSS JOIN change ON change.seq = edit.seq "
        f"WHERE step.kind IN (?, ?) AND step.done AND +change.kind = ? AND {_OF_HANDS} "
        "GROUP BY subject ORDER BY first DESC LIMIT ?) ORDER BY first",
        [HAND, HAND, MERGE, PERSON, latest],
    )
    found = []
    for number, first, steps in rows:
        person = project.person(number)
        by_hand = _set_by_hand(person)
        if person.is_present and (steps or by_hand):
            found.append(Correction(number, person.photo_id, steps or by_hand, _moved_mm(project, person, first)))
    return found


def _set_by_hand(person: Person) -> int:
    """How many points, rotations and other values of somebody's body are a person's."""
    return sum(source_of(value) is Provenance.HUMAN for value in person.own.values())


def _moved_mm(project: Reader, person: Person, seq: int) -> float | None:
    """How far somebody's joints are from where a model had put them before a line of the journal."""
    number = project.database.value(
        "SELECT after FROM change WHERE kind = ? AND subject = ? AND field = 'from/body' AND seq < ? "
        "ORDER BY seq DESC, n DESC LIMIT 1",
        [PERSON, person.id, seq],
    )
    if number is None or person.body is None:
        return None
    before = project.predictions.by_id([int(number)]).get(int(number))
    if before is None or before.params is None:
        return None
    way = _joints(before.params) - _joints(person.body.params)
    return 1000 * float(np.linalg.norm(way, axis=1).mean())


def _joints(params: SmplParams) -> np.ndarray:
    """(24, 3) joints around the pelvis, metres."""
    joints, _ = _body(params.gender).forward_kinematics(rotvec_to_rotmat(params.pose_rotvec), params.betas)
    return joints - joints[0]


@lru_cache(maxsize=3)
def _body(gender: str) -> Body:
    return load_body(gender=gender)
