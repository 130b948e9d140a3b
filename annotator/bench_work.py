"""One trial of `bench effort`: a project of people who never were, as `propose` leaves it, and who works on it.

A plan is a sequence of kinds of actions, each taken until there is nothing left to do. Plans that begin alike share
their beginning; what one has done is undone before the next is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotator.bench_annotators import CROP_PX, Annotator, Hands, Truth, figure_of, joints_of
from annotator.console import Progress
from annotator.figures import Figure
from annotator.project import Prediction, Project, Run, create_project
from annotator.quality import point_errors_px
from annotator.rig import Rig
from annotator.worklist import SUSPICION, next_people
from cliff_core.body import Body
from cliff_core.evaluation.frames import RenderedFrame, RenderedPerson
from cliff_core.evaluation.points_only import POINT_ROWS
from cliff_core.evaluation.rendered import RenderedBenchmark
from cliff_core.geometry.crop import crop_frame
from cliff_core.images import write_image
from cliff_core.inference import Crops, Predictor
from cliff_core.records import Estimate, Keypoints, Provenance
from cliff_core.training.guard import expected_error_mm
from cliff_core.training.supervision import with_known_points

DETECTED_PX, WRONG_PX, WRONG_SHARE = 5.0, 25.0, 0.1
"""How far off the points are with which people begin, pixels of a crop 256 high: most of them, and one in ten."""

POINTS, ALTERNATIVES, SIDE, ALONE = "points", "alternatives", "side view", "points, CLIFF not asked"
"""Kinds of actions; after each point CLIFF is asked for a body from the points of then, but for the last kind."""

BUDGET = 20

Plan = tuple[str, ...]
PLANS: tuple[Plan, ...] = (
    (POINTS,),
    (ALTERNATIVES,),
    (SIDE,),
    (ALTERNATIVES, SIDE),
    (ALTERNATIVES, POINTS),
    (ALTERNATIVES, POINTS, ALTERNATIVES),
    (POINTS, ALTERNATIVES),
    (POINTS, SIDE),
    (POINTS, ALTERNATIVES, SIDE),
    (SIDE, POINTS),
    (ALTERNATIVES, SIDE, POINTS),
    (ALONE,),
    (ALONE, SIDE),
)

_STREAM = 0xEFF0


@dataclass(frozen=True, slots=True)
class Trial:
    """What the annotators of one seed did.

    Attributes:
        seed: of people and hands.
        errors: plan -> for each person PA-MPJPE in mm before the first action and after each.
        order: places of the people in the worklist before anybody had worked.
        suspicion_mm: of each person.
    """

    seed: int
    errors: Mapping[Plan, Sequence[Sequence[float]]]
    order: Sequence[int]
    suspicion_mm: Sequence[float]


def run_trial(
    folder: Path,
    benchmark: RenderedBenchmark,
    people: int,
    predictor: Predictor,
    bodies: Mapping[str, Body],
    rig: Rig,
    hands: Hands,
    progress: Progress,
) -> Trial:
    """Let somebody work on everybody of a benchmark, by every plan.

    Args:
        folder: for the project; removed by whoever made it.
        benchmark: whose people.
        people: how many.
        predictor: of CLIFF and the body.
        bodies: by gender.
        rig: how bodies follow.
        hands: how exact the annotator is.
        progress: told what goes on.
    """
    start = _proposed(folder, benchmark, people, predictor, bodies, progress)
    with start.project as project:
        ids = sorted(start.truths)
        order = [ids.index(entry.person_id) for entry in next_people(project, len(ids))]
        errors: dict[Plan, list[list[float]]] = {plan: [] for plan in PLANS}
        for done, number in enumerate(ids, 1):
            rng = np.random.default_rng([_STREAM, benchmark.seed, number])
            annotator = Annotator(project, number, start.truths[number], bodies, rig, hands, rng)
            found = _Explorer(start, predictor, number, annotator, rig).explore((), [annotator.error_mm])
            for plan, course in found.items():
                errors[plan].append(course)
            progress(done, len(ids), f"annotating, seed {benchmark.seed}")
    return Trial(benchmark.seed, errors, order, [start.suspicion_mm[number] for number in ids])


@dataclass(frozen=True, slots=True)
class _Start:
    """A project as `propose` leaves it.

    Attributes:
        project: open for writing.
        truths: what there is to see of each person.
        suspicion_mm: of each person.
        crops: the people of each photo as the network sees them, in the order of their numbers.
    """

    project: Project
    truths: Mapping[int, Truth]
    suspicion_mm: Mapping[int, float]
    crops: Mapping[int, Crops]


class _Explorer:
    """One person, and all plans."""

    def __init__(self, start: _Start, predictor: Predictor, person_id: int, annotator: Annotator, rig: Rig):
        self._start, self._predictor, self._rig = start, predictor, rig
        self._id, self._annotator = person_id, annotator
        self._actions: Mapping[str, Callable[[], bool]] = {
            POINTS: self._fix_point,
            ALONE: annotator.fix_worst_point,
            ALTERNATIVES: annotator.take_alternative,
            SIDE: annotator.drag_depth,
        }

    def explore(self, done: Plan, errors: list[float]) -> dict[Plan, list[float]]:
        """The errors along every plan that begins with what is done."""
        found = {}
        for kind in (POINTS, ALTERNATIVES, SIDE, ALONE):
            plan = (*done, kind)
            if not any(each[: len(plan)] == plan for each in PLANS):
                continue
            journal, memory = self._start.project.journal, self._annotator.memory
            begun, said = journal.last_seq(), dict(self._rig.said)
            more = [*errors, *self._work(kind, BUDGET + 1 - len(errors))]
            if plan in PLANS:
                found[plan] = more
            found |= self.explore(plan, more)
            self._take_back(begun)
            self._annotator.memory = memory
            self._rig.said = said
        return found

    def _work(self, kind: str, most: int) -> list[float]:
        """The error after each action, until there is nothing left to do."""
        errors: list[float] = []
        while len(errors) < most and self._actions[kind]():
            errors.append(self._annotator.error_mm)
        return errors

    def _fix_point(self) -> bool:
        """As a hand does it in the window: the point, and what CLIFF says of the points as they are then."""
        if not self._annotator.fix_worst_point():
            return False
        photo_id = self._start.project.person(self._id).photo_id
        people = sorted(self._start.project.people_on(photo_id), key=lambda person: person.id)
        points = [[each] if (each := person.main_keypoints) is not None else [] for person in people]
        found = self._predictor.estimates(with_known_points(self._start.crops[photo_id], points))
        self._annotator.follow(found[[person.id for person in people].index(self._id)].params)
        return True

    def _take_back(self, seq: int) -> None:
        """Undo what was done after a line of the journal."""
        database = self._start.project.database
        sql = "SELECT count(DISTINCT step_id) FROM edit JOIN step ON step.id = step_id WHERE seq > ? AND step.done"
        for _ in range(database.value(sql, [seq])):
            self._start.project.undo()


def _proposed(
    folder: Path,
    benchmark: RenderedBenchmark,
    count: int,
    predictor: Predictor,
    bodies: Mapping[str, Body],
    progress: Progress,
) -> _Start:
    frames = {}
    for frame in benchmark.frames(count, lambda done, total, text: progress(0, total, f"{text}: {done}")):
        # Letters: the benchmark's frames are strangers to each other, and no take of a video.
        name = "".join(chr(ord("a") + int(digit)) for digit in f"{frame.index:05}") + ".jpg"
        frames[name] = (frame, *_bodies(predictor, frame, benchmark.seed))
        write_image(folder / "photos" / name, frame.rgb)
    project, _ = create_project(folder / "project", folder / "photos")
    known: dict[str, RenderedPerson] = {}
    crops = {}
    with project.batch("Propose", Run.new(Provenance.MODEL, predictor.model.name)) as batch:
        for name, (frame, seen, estimates) in frames.items():
            photo = project.photo_named(name)
            assert photo is not None
            crops[photo.id] = seen
            batch.set_camera(photo.id, frame.camera)
            for true, estimate in zip(frame.people, estimates, strict=True):
                uid = f"{true.person.annotation_id:032x}"
                known[uid] = true
                batch.add_person(photo.id, Prediction.of_estimate(estimate), uid=uid)
    truths, suspicion = {}, {}
    for person in project.people():
        box, true = person.box, known[person.uid]
        assert box is not None
        height_px = float(crop_frame(box.xyxy[None], predictor.model.crop_spec)[1][0])
        joints = joints_of(benchmark.bodies[true.truth.gender], true.truth)
        truths[person.id] = Truth(joints, _coco17(true), height_px / CROP_PX)
        suspicion[person.id] = suspicion_mm(figure_of(project, person.id, bodies), height_px)
    project.set_measures(SUSPICION, suspicion)
    return _Start(project, truths, suspicion, crops)


def _bodies(predictor: Predictor, frame: RenderedFrame, seed: int) -> tuple[Crops, list[Estimate]]:
    """The people of a frame, and what CLIFF makes of their pixels and of points as a detector might find them."""
    rng = np.random.default_rng([_STREAM, seed, frame.index])
    crops = predictor.crops(frame.rgb, frame.boxes, None, frame.camera)
    heights = crop_frame(np.stack([box.xyxy for box in frame.boxes]), predictor.model.crop_spec)[1]
    points = []
    for person, height in zip(frame.people, heights, strict=True):
        true = _coco17(person)
        sigma = np.where(rng.random(len(true.visibility)) < WRONG_SHARE, WRONG_PX, DETECTED_PX)
        found = true.points_px + rng.normal(size=true.points_px.shape) * (sigma * height / CROP_PX)[:, None]
        sure = np.choose(true.visibility, (0.0, 0.5, 0.8))
        points.append(Keypoints.uniform("coco17", found, true.visibility, sure, Provenance.MODEL))
    return crops, predictor.estimates(crops.with_keypoints(points))


def _coco17(person: RenderedPerson) -> Keypoints:
    rows = POINT_ROWS["coco17"]
    return Keypoints.uniform("coco17", person.points.points_px[rows], person.points.visibility[rows])


def suspicion_mm(figure: Figure, height_px: float) -> float:
    """What `propose` expects the error to be, from how far the body lies off its points and how many there are."""
    errors = point_errors_px(figure) / (height_px / 2)
    weight = np.where(np.isfinite(errors), figure.keypoints.confidence, 0.0)
    fitted = np.average(np.clip(np.nan_to_num(errors), 0, 1), weights=weight) if weight.sum() else np.nan
    return float(expected_error_mm(np.array([fitted]), np.array([weight.sum()]))[0])
