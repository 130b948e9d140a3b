"""What to look at next, why, and whether to go on: people by expected gain, with variety, and a word on when to refine.

Suspicion is the error that the guard of the last run expects (`cliff_core.training.guard`), kept as a measure of each
person. What a look is expected to gain follows from it, as simulated annotators gained it (`bench effort`). That alone
would fill the queue with fifty frames of one video in which the same knee is wrong; so the queue is chosen one by one,
and whoever resembles somebody before them, passed over or done, is worth less.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from annotator.project import Project
from annotator.project.fields import PERSON, source_of
from annotator.project.journal import HAND
from annotator.project.merging import ASSIGNMENT
from annotator.project.queries import Counts, progress_of, worst_first
from annotator.project.reader import Reader
from annotator.project.state import Person
from annotator.project.takes import folder_of, take_of
from cliff_core.fitting.limits import violations
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Provenance
from cliff_core.skeletons import SMPL24

SUSPICION = "suspicion"
"""Name of the measure: expected error of the body, mm."""
INSIDE = "inside"
"""Name of the measure: how deep the body is inside itself, mm; 0 where it is nowhere."""

# A line through what simulated annotators gained (PA-MPJPE) against suspicion: 120 people of `bench effort`, seeds 0 to
# 2, points, alternatives, then side view. From the least suspicious to the most: 28, 43, 55 and 93 mm.
_GAIN_PER_MM, _NO_GAIN_MM = 0.62, 72.0

_ROWS = 5000  # the most suspicious, among whom the queue is chosen
_POOL = 6  # candidates for each place in the queue, and at least
_LEAST_POOL = 40
_ALIKE_RAD = 0.25  # poses this far apart on average are half as alike
_TAKE_FRAMES = 30.0  # frames of a take this far apart are half as near
_FOLDER = 0.3  # how near photos of one folder are that are of no take
_LIKE = 0.7  # people this alike are counted as like the one who stands for them
_REMEMBERED = 200  # of those done last
_RECENT_LINES = 5000
_FEW_POINTS = 9
_LIMIT_RAD = 0.1
_HIGH_MM, _LOW_MM = 120.0, 60.0
_TOUCHED_TO_REFINE = 10
_TOUCHED_SHARE = 0.05
_LABELS = (Provenance.HUMAN, Provenance.IMPORTED)
_BODILESS = (  # who has a box, so that propose can predict them, and no body, neither predicted nor set
    "SELECT count(*) FROM person JOIN photo ON photo.id = photo_id WHERE present AND NOT excluded AND state <> 'done' "
    "AND body_from IS NULL AND instr(person.own, '\"transl\"') = 0 "
    "AND (box_from IS NOT NULL OR instr(person.own, '\"box\"') > 0)"
)
_THEIRS = "instr(',' || json_extract(photo.own, '$.assigned') || ',', ',' || ? || ',') > 0"


@dataclass(frozen=True, slots=True)
class Entry:
    """One place in the queue.

    Attributes:
        person_id, photo_id: numbers in the project.
        suspicion_mm: expected error of the body; `None` where no run has said anything.
        why: in words, for the person who looks.
        gain_mm: how much nearer to the truth the body is expected to come (PA-MPJPE); `None` where nobody knows.
    """

    person_id: int
    photo_id: int
    suspicion_mm: float | None
    why: str
    gain_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to predict, refine, go on, or be content.

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


def expected_gain_mm(suspicion_mm: float) -> float:
    """What correcting somebody is expected to gain, mm."""
    return max(0.0, _GAIN_PER_MM * (suspicion_mm - _NO_GAIN_MM))


def next_people(project: Reader, limit: int = 50, *, skip: Sequence[int] = (), annotator: str = "") -> list[Entry]:
    """Whom to look at next, the most worthwhile first.

    First those whom the reviewer rejected, with the reason; then by expected gain and variety; last people whom no run
    has judged.

    Args:
        project: open for reading or writing.
        limit: how many.
        skip: numbers of people who were looked at and passed over; who is like them waits too.
        annotator: only what was assigned to them (`assigning`). In a copy made for one annotator all is theirs.
    """
    only = "" if project.setting(ASSIGNMENT) else annotator
    passed = set(skip)
    rejected = [
        Entry(person.id, person.photo_id, None, _rejection(project, person))
        for person in _by_sql(
            project, "verdict <> '' AND verdict = 'rejected' AND state <> 'done'", limit, passed, only
        )
    ]
    passed.update(entry.person_id for entry in rejected)
    found = rejected + _with_variety(project, limit - len(rejected), passed, only)
    if len(found) < limit:
        passed.update(entry.person_id for entry in found)
        never = f"state <> 'done' AND person.id NOT IN (SELECT person_id FROM measure WHERE name = '{SUSPICION}')"
        others = _by_sql(project, never, limit - len(found), passed, only)
        found += [Entry(person.id, person.photo_id, None, _why(project, person, None)) for person in others]
    return found


def has_work(project: Reader, annotator: str) -> bool:
    """Whether photos are assigned to somebody of that name."""
    return project.database.value(f"SELECT 1 FROM photo WHERE {_THEIRS} LIMIT 1", [annotator]) is not None


def own_share(project: Project) -> str:
    """The name of whoever has opened the project, where photos are assigned to them; several may share one folder."""
    return project.who if has_work(project, project.who) else ""


def advice(project: Reader) -> Advice:
    """What pays off now: predicting, labelling, refining, or accepting the rest."""
    counts = progress_of(project.database)
    touched = _touched_since_refine(project)
    left = [value for value, _, _ in worst_first(project.database, SUSPICION, limit=10_000)]
    suspicious = sum(value > _HIGH_MM for value in left)
    enough = max(_TOUCHED_TO_REFINE, round(_TOUCHED_SHARE * counts.people))
    if not counts.people:
        text = "Nobody is in the project yet: propose, or draw boxes."
    elif touched >= enough:
        text = f"{touched} people were corrected since the last refinement: refine now, the others learn from them."
    elif bodiless := int(project.database.value(_BODILESS)):
        text = f"{bodiless} people have no body yet: propose predicts them."
    elif left and max(left) < _LOW_MM:
        text = f"Nobody left is expected to be off by more than {_LOW_MM:.0f} mm: the rest can be accepted unseen."
    elif suspicious:
        text = f"{suspicious} people are expected to be off by more than {_HIGH_MM:.0f} mm: look at these first."
    else:
        text = f"Correct {enough - touched} more people before the next refinement."
    return Advice(touched >= enough, text, touched, suspicious, counts)


def _by_sql(project: Reader, condition: str, limit: int, passed: set[int], only: str) -> list[Person]:
    rows = project.database.rows(
        "SELECT person.id FROM person JOIN photo ON photo.id = photo_id WHERE present AND NOT excluded "
        f"AND {condition} AND {_THEIRS if only else '?'} ORDER BY person.id LIMIT ?",
        [only or 1, max(0, limit) + len(passed)],
    )
    return [project.person(number) for (number,) in rows if number not in passed][: max(0, limit)]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Somebody as far as resemblance goes.

    Attributes:
        photo_id: of their photo.
        folder, take, frame: of the photo, by its name.
        pose: (23, 3, 3) rotations of the joints below the pelvis.
    """

    photo_id: int
    folder: str
    take: str
    frame: int
    pose: np.ndarray

    @classmethod
    def of(cls, person: Person, name: str) -> _Seen:
        """Somebody on a photo of that name."""
        body = person.body
        pose = np.broadcast_to(np.eye(3), (23, 3, 3)) if body is None else rotvec_to_rotmat(body.params.pose_rotvec)[1:]
        return cls(person.photo_id, folder_of(name), *take_of(name), pose)


class _Likeness:
    """How alike each of some people is to somebody else: near in a video or folder, and in much the same pose."""

    def __init__(self, people: Sequence[_Seen]):
        self._photos = np.array([each.photo_id for each in people])
        self._folders, self._takes = (np.array([getattr(each, key) for each in people]) for key in ("folder", "take"))
        self._frames = np.array([each.frame for each in people], dtype=np.float64)
        self._poses = np.stack([each.pose for each in people])

    def to(self, other: _Seen) -> np.ndarray:
        """(N,) from 0, nothing in common, to 1, the same once more."""
        alike = np.zeros(len(self._photos))
        rows = np.flatnonzero((self._folders == other.folder) & (self._photos != other.photo_id))
        if not len(rows):
            return alike
        near = np.where(
            self._takes[rows] == other.take, 0.5 ** (np.abs(self._frames[rows] - other.frame) / _TAKE_FRAMES), _FOLDER
        )
        alike[rows] = np.minimum(near, 0.5 ** (_angles(self._poses[rows], other.pose) / _ALIKE_RAD))
        return alike


def _with_variety(project: Reader, limit: int, passed: set[int], only: str) -> list[Entry]:
    """The most suspicious, chosen one by one: the next is who gains most in the light of those before."""
    if limit <= 0:
        return []
    rows = _pool(project, limit, passed, only)
    if not rows:
        return []
    people = [project.person(number) for _, number, _ in rows]
    likeness = _Likeness([_Seen.of(person, name) for person, (_, _, name) in zip(people, rows, strict=True)])
    worth = np.array([expected_gain_mm(value) + 1e-3 * value for value, _, _ in rows])  # order also where nothing gains
    news = np.ones(len(rows))
    for each in _looked_at(project, passed):
        news = np.minimum(news, 1 - likeness.to(each))
    chosen: list[int] = []
    like = np.full(len(rows), -1)
    while len(chosen) < min(limit, len(rows)):
        score = worth * news
        score[chosen] = -1.0
        best = int(np.argmax(score))
        chosen.append(best)
        alike = likeness.to(_Seen.of(people[best], rows[best][2]))
        like[(alike > _LIKE) & (like < 0)] = best
        news = np.minimum(news, 1 - alike)
    for row in chosen:  # who has a place in the queue stands for nobody's frame but their own
        like[row] = -1
    stands_for = Counter(like.tolist())
    return [
        Entry(
            people[row].id,
            people[row].photo_id,
            rows[row][0],
            _why(project, people[row], rows[row][0], stands_for[row]),
            expected_gain_mm(rows[row][0]),
        )
        for row in chosen
    ]


def _pool(project: Reader, limit: int, passed: set[int], only: str) -> list[tuple[float, int, str]]:
    """Candidates (suspicion, person, name of the photo), the most suspicious first, no take with more than its part."""
    rows = project.database.rows(
        "SELECT value, person_id, photo.name FROM measure JOIN person ON person.id = person_id "
        "JOIN photo ON photo.id = photo_id WHERE measure.name = ? AND present AND state <> 'done' AND NOT excluded "
        f"AND {_THEIRS if only else '?'} ORDER BY value DESC, person_id DESC LIMIT ?",
        [SUSPICION, only or 1, _ROWS + len(passed)],
    )
    rows = [row for row in rows if row[1] not in passed]
    most = max(_LEAST_POOL, _POOL * limit)
    if len(rows) <= most:
        return rows
    per_take = max(4, most // 8)
    taken: dict[str, int] = defaultdict(int)
    first: list[tuple[float, int, str]] = []
    rest: list[tuple[float, int, str]] = []
    for row in rows:
        take = take_of(row[2])[0]
        taken[take] += 1
        (first if taken[take] <= per_take else rest).append(row)
    return sorted((first + rest)[:most], key=lambda row: (-row[0], -row[1]))


def _looked_at(project: Reader, passed: set[int]) -> list[_Seen]:
    """Those passed over, and those who were done last."""
    last = project.journal.last_seq()
    done = project.database.rows(
        "SELECT DISTINCT subject FROM change JOIN person ON person.id = subject WHERE seq > ? AND kind = ? "
        "AND field = 'state' AND present AND state = 'done' ORDER BY seq DESC LIMIT ?",
        [last - _RECENT_LINES, PERSON, _REMEMBERED],
    )
    numbers = [*sorted(passed)[-_REMEMBERED:], *(number for (number,) in done if number not in passed)]
    people = [project.person(number) for number in numbers]
    return [_Seen.of(person, project.photo(person.photo_id).name) for person in people if person.is_present]


def _angles(poses: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) mean angle between rotations (N, 23, 3, 3) and those of another (23, 3, 3), radians."""
    cosine = (np.einsum("njab,jab->nj", poses, other) - 1) / 2
    return np.arccos(np.clip(cosine, -1, 1)).mean(axis=1)


def _rejection(project: Reader, person: Person) -> str:
    """Why somebody comes back, with the remarks that are pinned to them."""
    remarks = [
        comment.text
        for comment in project.comments_on(person.photo_id)
        if comment.place.get("person") == person.uid and not comment.is_resolved
    ]
    return "; ".join([f"rejected: {person.reason}", *remarks])


def _why(project: Reader, person: Person, suspicion: float | None, like: int = 0) -> str:
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
    inside = project.database.value("SELECT value FROM measure WHERE name = ? AND person_id = ?", [INSIDE, person.id])
    if inside:
        reasons.append(f"its body is {inside:.0f} mm inside itself")
    moved = _disagreement(project, person)
    if moved > 0.2:
        reasons.append(f"the last runs disagree by {np.degrees(moved):.0f}° per joint")
    if like:
        reasons.append(f"{like} more like it wait")
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
    return max((float(_angles(one[None], other)[0]) for one, other in pairwise(poses)), default=0.0)


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
