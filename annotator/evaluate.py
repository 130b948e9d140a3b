"""A project's bodies against truth: `main.py evaluate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotator.console import Progress
from annotator.project import Project, open_project
from annotator.project.importing import PersonMatcher
from annotator.project.state import Person
from cliff_core.body import Body, load_body
from cliff_core.body.files import GENDERS
from cliff_core.errors import FormatError
from cliff_core.evaluation.real_photos import read_real_photos
from cliff_core.evaluation.scores import CONVENTIONS, body_scores, joint_scores, point_scores
from cliff_core.evaluation.summaries import Summary
from cliff_core.formats import read_people
from cliff_core.records import Camera, Estimate, Keypoints, PhotoPerson, Provenance, SmplParams

_OF_JOINTS = {
    "pa_mpjpe": "PA-MPJPE, mm: 12 limb joints regressed from the mesh, after the best similarity",
    "mpjpe": "MPJPE, mm: 12 limb joints regressed from the mesh, mid-hip as root, camera frame",
}
_PCK = "PCK@0.05: COCO-17 projected with the photo's camera, size is the longer side of the box, the project's points"
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table.

    Attributes:
        name: what is measured: joints, root, frame.
        group: of whom: "everybody", or those of whose body or points somebody set something.
        people: how many have a value.
        mean, median: over people.
    """

    name: str
    group: str
    people: int
    mean: float
    median: float


@dataclass(frozen=True, slots=True)
class EvaluateReport:
    """How far a project's bodies are from the truth.

    Attributes:
        project, truth: what was compared.
        true_people: in the file.
        compared: of those, people who have a body in the project.
        missing: one line for each reason why the others were left out, with how many.
        rows: the table.
    """

    project: Path
    truth: Path
    true_people: int
    compared: int
    missing: list[str]
    rows: list[Measure]

    def __str__(self) -> str:
        """The table, then who is not in it."""
        lines = [f"{self.compared} of {self.true_people} people of {self.truth} have a body in {self.project}"]
        width = max((len(row.name) for row in self.rows), default=0)
        group = None
        for row in self.rows:
            if row.group != group:
                group = row.group
                lines += ["", f"{f'{group} ({row.people})':{width}}{'mean':>10}{'median':>10}"]
            lines.append(f"{row.name:{width}}{row.mean:10.2f}{row.median:10.2f}")
        lines += [f"left out: {line}" for line in self.missing[:_LISTED]]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Pair:
    person: Person
    camera: Camera
    truth: SmplParams | np.ndarray


def evaluate_project(folder: Path, truth: Path, *, body: Path | None, progress: Progress) -> EvaluateReport:
    """Compare a project's bodies with SMPL truth or measured 3D joints.

    Args:
        folder: of the project; may be open elsewhere.
        truth: a CLIFF-GT file (.npz), or a JSON of named 3D joints.
        body: SMPL file or folder of the project's bodies and of the truth; the open bodies if not given.
        progress: told what goes on.

    Raises:
        FormatError: not such a file, or nobody in it is in the project.
        ProjectError: the project cannot be read.
    """
    bodies = {gender: load_body(body, gender) for gender in GENDERS}
    is_json = truth.suffix.lower() == ".json" or truth.is_dir()
    with open_project(folder, read_only=True) as project:
        progress(0, 0, "reading truth")
        found = _true_joints(truth) if is_json else _true_bodies(truth)
        pairs, missing = _pairs(project, found)
    if not pairs:
        why = f" ({missing[0]})" if missing else ""
        raise FormatError(f"{truth}: nobody in it has a body in {folder}{why}; import its photos and run propose")
    progress(0, 0, f"comparing {len(pairs)} people")
    scores = _against_joints(bodies, pairs) if is_json else _against_bodies(bodies, pairs)
    touched = np.array([_is_touched(pair.person) for pair in pairs])
    rows = []
    groups = {"everybody": np.ones(len(pairs), bool), "touched by somebody": touched, "untouched": ~touched}
    for group, mask in groups.items():
        if mask.any() and (group == "everybody" or not mask.all()):
            for name, values in scores.items():
                summary = Summary.of(values[mask])
                rows.append(Measure(name, group, summary.people, summary.mean, summary.median))
    return EvaluateReport(folder, truth, len(found), len(pairs), missing, rows)


def _true_bodies(path: Path) -> list[tuple[PhotoPerson, SmplParams | np.ndarray]]:
    return [(person, params) for person, params in read_people(path, "cliff-gt") if params is not None]


def _true_joints(path: Path) -> list[tuple[PhotoPerson, SmplParams | np.ndarray]]:
    return [(each.person, each.joints) for each in read_real_photos(path) if each.joints is not None]


def _pairs(
    project: Project, found: Sequence[tuple[PhotoPerson, SmplParams | np.ndarray]]
) -> tuple[list[_Pair], list[str]]:
    matcher = PersonMatcher(project)
    pairs, missing = [], Counter[str]()
    for true, truth in found:
        where = matcher.photo_of(true)
        if isinstance(where, str):
            missing[where] += 1
            continue
        number = matcher.person_of(where[0], true)
        if number is None:
            missing[f"{true.image_name}: nobody of the project stands there"] += 1
            continue
        person = project.person(number)
        if person.body is None:
            missing[f"{true.image_name}: no body yet"] += 1
            continue
        pairs.append(_Pair(person, person.camera_on(project.photo(person.photo_id)), truth))
    return pairs, [f"{why} ({count} people)" if count > 1 else why for why, count in missing.items()]


def _against_bodies(bodies: Mapping[str, Body], pairs: Sequence[_Pair]) -> dict[str, np.ndarray]:
    scores: dict[str, np.ndarray] = {}
    for gender in GENDERS:  # one body at a time poses them
        rows = [n for n, pair in enumerate(pairs) if _params(pair).gender == gender]
        if rows:
            truth = [pairs[n].truth for n in rows]
            ours = [_params(pairs[n]) for n in rows]
            for name, values in body_scores(bodies[gender], ours, truth, bodies).items():
                scores.setdefault(CONVENTIONS[name], np.full(len(pairs), np.nan))[rows] = values
    return {**scores, **_point_scores(bodies, pairs)}


def _against_joints(bodies: Mapping[str, Body], pairs: Sequence[_Pair]) -> dict[str, np.ndarray]:
    scores = {text: np.full(len(pairs), np.nan) for text in _OF_JOINTS.values()}
    for n, pair in enumerate(pairs):
        found = joint_scores(bodies[_params(pair).gender], [_estimate(pair)], np.asarray(pair.truth)[None])
        for name, text in _OF_JOINTS.items():
            scores[text][n] = found[name][0]
    return {**scores, **_point_scores(bodies, pairs)}


def _point_scores(bodies: Mapping[str, Body], pairs: Sequence[_Pair]) -> dict[str, np.ndarray]:
    """How well the projected bodies meet the project's 2D points; never reported alone."""
    values = [
        point_scores(bodies[_params(pair).gender], [_estimate(pair)], [_points(pair.person)], 0.05)[0] for pair in pairs
    ]
    return {_PCK: np.array(values, dtype=np.float64)}


def _points(person: Person) -> Keypoints | None:
    return person.main_keypoints


def _params(pair: _Pair) -> SmplParams:
    body = pair.person.body
    assert body is not None
    return body.params


def _estimate(pair: _Pair) -> Estimate:
    box = pair.person.box
    assert box is not None
    return Estimate(box, _params(pair), pair.camera, np.array([1.0, 0.0, 0.0]))


def _is_touched(person: Person) -> bool:
    """Whether somebody placed points of this person, or set something of the body."""
    if any(isinstance(value, list) and value[-1] == Provenance.HUMAN.value for value in person.own.values()):
        return True
    points = person.main_keypoints
    return points is not None and bool({Provenance.HUMAN, Provenance.IMPORTED} & set(points.source))
