"""What to look at next, why, and whether to go on: people by suspicion, with variety, and a word on when to refine.

Suspicion is the error that the guard of the last run expects (`cliff_core.training.guard`), kept as a measure of each
person. Alone it would fill the queue with fifty frames of one video in which the same knee is wrong; so somebody who
resembles those before them in the queue, or somebody already done, waits.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from annotator.project.fields import PERSON, source_of
from annotator.project.journal import HAND
from annotator.project.queries import Counts, progress_of, worst_first
from annotator.project.reader import Reader
from annotator.project.state import Person
from cliff_core.fitting.limits import violations
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Provenance
from cliff_core.skeletons import SMPL24

SUSPICION = "suspicion"
"""Name of the measure: expected error of the body, mm."""

_POOL = 6  # candidates for each place in the queue
_ALIKE_RAD = 0.25  # poses this far apart on average are half as much news of the same take
_TAKE_FRAMES = 30.0  # frames of a take this far apart are half as much news, whatever the pose
_FEW_POINTS = 9
_LIMIT_RAD = 0.1
_HIGH_MM, _LOW_MM = 120.0, 60.0
_TOUCHED_TO_REFINE = 10
_TOUCHED_SHARE = 0.05
_LABELS = (Provenance.HUMAN, Provenance.IMPORTED)


@dataclass(frozen=True, slots=True)
class Entry:
    """One place in the queue.

    Attributes:
        person_id, photo_id: numbers in the project.
        suspicion_mm: expected error of the body; `None` where no run has said anything.
        why: in words, for the person who looks.
    """

    person_id: int
    photo_id: int
    suspicion_mm: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to go on, refine, or be content.

    Attributes:
        refine: whether another refinement pays off now.
        text: one sentence.
        touched: people on whom a hand was since the last refinement.
        suspicious: people not done of whom an error above 120 mm is expected.
        counts: how far the work is.
    """

    refine: bool
    text: str
    touched: int
    suspicious: int
    counts: Counts


def next_people(project: Reader, limit: int = 50, *, skip: Sequence[int] = ()) -> list[Entry]:
    """Whom to look at next, the most worthwhile first.

    First those whom the reviewer rejected, with the reason; then by suspicion and variety; last people whom no run has
    judged.

    Args:
        project: open for reading or writing.
        limit: how many.
        skip: numbers of people who were looked at and passed over.
    """
    passed = set(skip)
    rejected = [
        Entry(person.id, person.photo_id, None, f"rejected: {person.reason}")
        for person in _by_sql(project, "verdict = 'rejected' AND state <> 'done'", limit, passed)
    ]
    passed.update(entry.person_id for entry in rejected)
    pool = [
        row
        for row in worst_first(project.database, SUSPICION, limit=_POOL * limit + len(passed))
        if row[1] not in passed
    ]
    judged = _with_variety(project, pool, max(0, limit - len(rejected)))
    passed.update(entry.person_id for entry in judged)
    found = rejected + judged
    if len(found) < limit:
        never = f"state <> 'done' AND id NOT IN (SELECT person_id FROM measure WHERE name = '{SUSPICION}')"
        others = _by_sql(project, never, limit - len(found), passed)
        found += [Entry(person.id, person.photo_id, None, _why(project, person, None)) for person in others]
    return found[:limit]


def advice(project: Reader) -> Advice:
    """What pays off now: labelling, refining, or accepting the rest."""
    counts = progress_of(project.database)
    touched = _touched_since_refine(project)
    left = [value for value, _, _ in worst_first(project.database, SUSPICION, limit=10_000)]
    suspicious = sum(value > _HIGH_MM for value in left)
    enough = max(_TOUCHED_TO_REFINE, round(_TOUCHED_SHARE * counts.people))
    if not counts.people:
        text = "Nobody is in the project yet: propose, or draw boxes."
    elif touched >= enough:
        text = f"{touched} people were corrected since the last refinement: refine now, the others learn from them."
    elif left and max(left) < _LOW_MM:
        text = f"Nobody left is expected to be off by more than {_LOW_MM:.0f} mm: the rest can be accepted unseen."
    elif suspicious:
        text = f"{suspicious} people are expected to be off by more than {_HIGH_MM:.0f} mm: look at these first."
    else:
        text = f"Correct {enough - touched} more people before the next refinement."
    return Advice(touched >= enough, text, touched, suspicious, counts)


def _by_sql(project: Reader, condition: str, limit: int, passed: set[int]) -> list[Person]:
    rows = project.database.rows(
        f"SELECT id FROM person WHERE present AND {condition} ORDER BY id LIMIT ?", [limit + len(passed)]
    )
    return [project.person(number) for (number,) in rows if number not in passed][:limit]


def _with_variety(project: Reader, pool: Sequence[tuple[float, int, int]], limit: int) -> list[Entry]:
    """The pool in an order in which each entry is news: suspicion times how little it resembles those before it."""
    people = [project.person(number) for _, number, _ in pool]
    names = {photo: project.photo(photo).name for photo in {photo for _, _, photo in pool}}
    takes = [take_of(names[photo]) for _, _, photo in pool]
    poses = np.stack([_pose(person) for person in people]) if people else np.zeros((0, 23, 3, 3))
    worth = np.array([value for value, _, _ in pool])
    news = np.ones(len(pool))
    by_take: dict[str, list[int]] = defaultdict(list)
    for row, (take, _) in enumerate(takes):
        by_take[take].append(row)
    chosen: list[int] = []
    while len(chosen) < min(limit, len(pool)):
        score = worth * news
        score[chosen] = -1.0
        best = int(np.argmax(score))
        chosen.append(best)
        take, frame = takes[best]
        for row in by_take[take]:
            apart = abs(takes[row][1] - frame)
            if row != best and people[row].photo_id != people[best].photo_id:
                far = 1 - 0.5 ** (apart / _TAKE_FRAMES)
                other = 1 - 0.5 ** (_angle(poses[row], poses[best]) / _ALIKE_RAD)
                news[row] = min(news[row], max(far, other))
    return [Entry(pool[row][1], pool[row][2], pool[row][0], _why(project, people[row], pool[row][0])) for row in chosen]


def take_of(name: str) -> tuple[str, int]:
    """The take that a photo may belong to and its place there: its name without the last number, and that number."""
    stem = name.rpartition(".")[0] or name
    found = re.search(r"(\d+)(\D*)$", stem)
    if found is None:
        return name, 0
    return f"{stem[: found.start()]}#{found[2]}", int(found[1][-9:])


def _pose(person: Person) -> np.ndarray:
    """(23, 3, 3) rotations of the joints below the pelvis."""
    body = person.body
    if body is None:
        return np.broadcast_to(np.eye(3), (23, 3, 3))
    return rotvec_to_rotmat(body.params.pose_rotvec)[1:]


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    """Mean angle between rotations, radians."""
    cosine = (np.einsum("jab,jab->j", first, second) - 1) / 2
    return float(np.arccos(np.clip(cosine, -1, 1)).mean())


def _why(project: Reader, person: Person, suspicion: float | None) -> str:
    """What is suspicious about somebody, in words."""
    body, points = person.body, person.main_keypoints
    if body is None:
        return "has no body yet"
    reasons = []
    if points is None:
        reasons.append("no 2D point is known")
    else:
        seen = np.asarray(points.visibility) > 0
        if seen.sum() < _FEW_POINTS:
            reasons.append(f"only {int(seen.sum())} of {len(seen)} points are known")
        if not any(source in _LABELS for source, marked in zip(points.source, seen, strict=True) if marked):
            reasons.append("its points are a detector's")
    over = violations(body.params.pose_rotvec)
    if over.max() > _LIMIT_RAD:
        reasons.append(f"its {SMPL24.names[int(over.argmax())].replace('_', ' ')} bends beyond what joints do")
    moved = _disagreement(project, person)
    if moved > 0.2:
        reasons.append(f"the last runs disagree by {np.degrees(moved):.0f}° per joint")
    expected = "" if suspicion is None else f"an error of about {suspicion:.0f} mm is expected"
    return "; ".join([*([expected] if expected else []), *reasons]) or "nobody has looked yet"


def _disagreement(project: Reader, person: Person) -> float:
    """Mean angle between the bodies of a person's last two runs, radians; 0 with fewer."""
    ids = [
        number
        for (number,) in project.database.rows(
            "SELECT DISTINCT json_extract(after, '$') FROM change WHERE kind = ? AND subject = ? "
            "AND field = 'from/body' AND after IS NOT NULL ORDER BY seq DESC LIMIT 2",
            [PERSON, person.id],
        )
    ]
    found = project.predictions.by_id([int(number) for number in ids])
    poses = [rotvec_to_rotmat(each.params.pose_rotvec)[1:] for each in found.values() if each.params is not None]
    return max((_angle(one, other) for one, other in pairwise(poses)), default=0.0)


def _touched_since_refine(project: Reader) -> int:
    """People of whom a hand set a point, a joint, a shape number or a place since the last refinement."""
    last = project.database.value(
        "SELECT max(seq) FROM edit JOIN step ON step.id = step_id WHERE command = 'Refine' AND step.done"
    )
    rows = project.database.rows(
        "SELECT DISTINCT subject FROM change JOIN step ON step.id = change.step_id WHERE change.kind = ? AND seq > ? "
        "AND step.kind = ? AND step.done AND (field LIKE 'points/%' OR field LIKE 'pose/%' OR field LIKE 'betas/%' "
        "OR field = 'transl')",
        [PERSON, last or 0, HAND],
    )
    return sum(
        any(source_of(value) is Provenance.HUMAN for value in project.person(number).own.values()) for (number,) in rows
    )
