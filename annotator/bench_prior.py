"""`main.py bench prior`: what the open model is worth on the open benchmark, with and without pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotator.console import Progress
from cliff_core.body import Body, load_body
from cliff_core.detection.keypoints import KeypointDetector
from cliff_core.evaluation.frames import RenderedPerson
from cliff_core.evaluation.points_only import PointsOnly, sample_points_only
from cliff_core.evaluation.prior import predict_frame, predict_points_only
from cliff_core.evaluation.rendered import RenderedBenchmark
from cliff_core.evaluation.scores import CONVENTIONS, body_scores, oks_scores, point_scores, truth_scores
from cliff_core.evaluation.summaries import Summary, frame_groups, off_axis_deg, summarise
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Estimate

RENDERED_PEOPLE, POINTS_ONLY_PEOPLE = 200, 1000

_MEASURES = {
    "pa_mpjpe_smpl14": "PA-MPJPE",
    "mpjpe_smpl14": "MPJPE",
    "pve": "PVE",
    "mpjae": "MPJAE",
}
_MEANS_ONLY = {"pck@0.05": "PCK@0.05", "pck@0.1": "PCK@0.1", "oks": "OKS"}


@dataclass(frozen=True, slots=True)
class PriorTable:
    """One benchmark, one row per input and group.

    Attributes:
        benchmark: "rendered" or "points only".
        people: how many.
        rows: input -> group -> measure -> summary.
    """

    benchmark: str
    people: int
    rows: dict[str, dict[str, dict[str, Summary]]]

    def __str__(self) -> str:
        """A table of means, with medians in brackets."""
        measures = [name for name in _MEASURES if self._has(name)]
        means = [name for name in _MEANS_ONLY if self._has(name)]
        titles = [f"{_MEASURES[name]:>16}" for name in measures] + [f"{_MEANS_ONLY[name]:>9}" for name in means]
        lines = [f"{self.benchmark}, {self.people} people: mean (median)", f"{'':44}{'n':>5}" + "".join(titles)]
        for given, groups in self.rows.items():
            for group, summaries in groups.items():
                name = given if group == "all" else f"  {group}"
                cells = [f"{summaries[m].mean:8.1f} ({summaries[m].median:5.1f})" for m in measures]
                cells += [f"{summaries[m].mean:9.3f}" for m in means]
                lines.append(f"{name:44}{summaries['pve'].people:5}" + "".join(cells))
        return "\n".join(lines)

    def _has(self, measure: str) -> bool:
        return any(measure in summaries for groups in self.rows.values() for summaries in groups.values())

    def values(self) -> dict[str, float]:
        """Every number by a name of its own, for scripts."""
        return {
            f"{self.benchmark}, {given}, {group}, {measure}, {kind}": getattr(summary, kind)
            for given, groups in self.rows.items()
            for group, summaries in groups.items()
            for measure, summary in summaries.items()
            for kind in ("mean", "median", "people")
        }


def measure_prior(
    seed: int,
    progress: Progress,
    poses: Path | None = None,
    rendered_people: int = RENDERED_PEOPLE,
    points_only_people: int = POINTS_ONLY_PEOPLE,
) -> list[PriorTable]:
    """The bundled model on people it has not seen, with pixels and without.

    Args:
        seed: of the benchmark's people.
        progress: told how many people are done.
        poses: npz of poses (`PoseBank`), of which the held-out ones are shown; the bundled clips by default.
        rendered_people, points_only_people: how many.

    Raises:
        TrainingError: a file without held-out poses.
    """
    predictor = Predictor(load_cliff(), load_body())
    return [
        _rendered(predictor, RenderedBenchmark(seed, poses), rendered_people, progress),
        _points_only(predictor, sample_points_only(points_only_people, seed, poses), progress),
    ]


def conventions() -> str:
    """What the numbers are, one line per measure."""
    named = [CONVENTIONS[name] for name in _MEASURES] + [CONVENTIONS["pck"], CONVENTIONS["oks"]]
    return "\n".join([*named, "true boxes and focal lengths; held-out poses; rendered truth of three bodies"])


def _rendered(predictor: Predictor, benchmark: RenderedBenchmark, count: int, progress: Progress) -> PriorTable:
    detector = KeypointDetector()
    people: list[RenderedPerson] = []
    bodies: dict[str, list[Estimate]] = {}
    for frame in benchmark.frames(count):
        for given, estimates in predict_frame(predictor, detector, frame).items():
            bodies.setdefault(given, []).extend(estimates)
        people.extend(frame.people)
        progress(len(people), count, "people in rendered photos")
    off_axis = off_axis_deg([each.person.box for each in people], [each.camera for each in people])
    groups = frame_groups(off_axis, np.array([each.whole for each in people]))
    rows = {
        given: summarise(_scores(predictor.body, benchmark.bodies, estimates, people), groups)
        for given, estimates in bodies.items()
    }
    return PriorTable("rendered", len(people), rows)


def _scores(body: Body, true_bodies: Mapping[str, Body], estimates, people) -> dict[str, np.ndarray]:
    points = [each.points for each in people]
    area = np.array([each.area_px2 for each in people])
    return truth_scores(body, estimates, [each.truth for each in people], true_bodies) | {
        "pck@0.05": point_scores(body, estimates, points, 0.05),
        "pck@0.1": point_scores(body, estimates, points, 0.1),
        "oks": oks_scores(body, estimates, points, area),
    }


def _points_only(predictor: Predictor, people: PointsOnly, progress: Progress) -> PriorTable:
    model = predictor.model
    joint_sets = {"COCO-17": "coco17", "SMPL-24": "smpl24"} if getattr(model, "takes_keypoints", False) else {}
    given = [
        (f"true {name}, {'in the frame' if inside else 'those outside too'}", joint_set, inside)
        for name, joint_set in joint_sets.items()
        for inside in (True, False)
    ]
    groups = frame_groups(off_axis_deg(people.boxes, people.cameras), people.inside.all(1))
    rows = {}
    for done, (name, joint_set, inside) in enumerate(given):
        progress(done, len(given), "people without pixels")
        predicted = predict_points_only(model, people, joint_set, inside)
        rows[name] = summarise(body_scores(predictor.body, predicted, people.truth), groups)
    return PriorTable("points only", len(people), rows)
