"""The contest over conditions and seeds: who is how far off, how fast, and with how much memory.

One axis varies at a time from the base case, COCO-17 points 5 px off with the true focal length. Numbers of one seed
are means and medians over people; what is reported is the median of those over seeds, with half their range as spread.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from cliff_core.body import Body, load_body
from cliff_core.body.files import GENDERS
from cliff_core.body.torch_body import TorchBody
from cliff_core.evaluation.rendered import RenderedBenchmark
from cliff_core.evaluation.scores import joint_scores, truth_scores
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.execution.cache_folder import cache_folder
from cliff_core.execution.memory import peak_memory_mb
from cliff_core.execution.streams import available_cores
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import Crops, Predictor
from cliff_core.models import load_cliff
from cliff_core.peers.bodies import CropBodies
from cliff_core.peers.contest import METHODS, Contest
from cliff_core.peers.people import ESTIMATED, Condition, Subjects, observe, real_subjects, rendered_subjects
from cliff_core.records import Estimate

BASE = Condition("coco17", 5.0)
CONDITIONS = (
    *(Condition(joint_set, noise) for joint_set in ("smpl24", "coco17") for noise in (0.0, 2.0, 5.0, 10.0)),
    replace(BASE, missing=0.3),
    replace(BASE, swapped=0.25),
    replace(BASE, focal=0.5),
    replace(BASE, focal=2.0),
    replace(BASE, focal=None),
    replace(BASE, focal=ESTIMATED),
)
MARKED = Condition("coco17")
"""Real photos: the points as people marked them, cameras as they are known."""

MEASURES = {
    "mpjpe": "MPJPE, mm",
    "pa_mpjpe": "PA-MPJPE, mm",
    "pve": "PVE, mm",
    "mpjae": "MPJAE, deg",
    "px": "2D, px",
}
"""2D: mean distance to the points that were given, in the believed camera, pixels of a crop 256 px high."""

_NAMES = {"mpjpe_smpl14": "mpjpe", "pa_mpjpe_smpl14": "pa_mpjpe", "pve": "pve", "mpjae": "mpjae"}
_FEATURES_BYTES = 2 << 30

Errors = dict[str, np.ndarray]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who is looked at.

    Attributes:
        seed: of rendered people.
        count: of them.
        poses: npz of poses (`PoseBank`) instead of the bundled clips.
        real: folder of real photos instead of rendered ones.
    """

    seed: int
    count: int
    poses: Path | None = None
    real: Path | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One contest.

    Attributes:
        crowd: who.
        condition: what is known of them.
        slow_people: how many of them slow methods get.
        seed: of noise and tuning.
    """

    crowd: Crowd
    condition: Condition
    slow_people: int
    seed: int


@dataclass(frozen=True, slots=True)
class Score:
    """One method in one cell.

    Attributes:
        errors: measure -> (n,) of the people it was run on; NaN where nothing is known.
        seconds: per person.
    """

    errors: Errors
    seconds: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a table over seeds.

    Attributes:
        mean: median over seeds of the means over people.
        spread: half the range of these.
        median: median over seeds of the medians over people.
    """

    mean: float
    spread: float
    median: float

    @classmethod
    def of(cls, by_seed: Sequence[np.ndarray]) -> Figure:
        """Of each seed's numbers; NaN of people is left out."""
        known = [values[np.isfinite(values)] for values in by_seed]
        known = [values for values in known if len(values)]
        if not known:
            return cls(float("nan"), float("nan"), float("nan"))
        means = [float(values.mean()) for values in known]
        medians = [float(np.median(values)) for values in known]
        return cls(float(np.median(means)), (max(means) - min(means)) / 2, float(np.median(medians)))

    def __str__(self) -> str:
        return "-" if np.isnan(self.mean) else f"{self.mean:.1f} ± {self.spread:.1f} ({self.median:.1f})"


def measure(cells: Sequence[Cell], progress: Progress) -> dict[Cell, dict[str, Score]]:
    """Every cell's scores by method; cells are shared among the cores."""
    scores: dict[Cell, dict[str, Score]] = {}
    with _workers() as pool:
        waiting = {pool.submit(measure_cell, cell): cell for cell in cells}
        for done, future in enumerate(as_completed(waiting), 1):
            scores[waiting[future]] = future.result()
            progress(done, len(cells), "peers, a condition and seed each")
    return {cell: scores[cell] for cell in cells}


def measure_memory(cell: Cell, progress: Progress) -> dict[str, float]:
    """Megabytes that a process needs at most which runs one method and nothing else; by method."""
    found: dict[str, float] = {}
    with _workers(tasks_per_process=1) as pool:
        waiting = {pool.submit(_memory_of, cell, name): name for name in METHODS}
        for done, future in enumerate(as_completed(waiting), 1):
            found[waiting[future]] = future.result()
            progress(done, len(METHODS), "memory, a method each")
    return {name: found[name] for name in METHODS}


@contextmanager
def _workers(tasks_per_process: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """One process a core, and each on one core, so that processor times compare."""
    started = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        available_cores(), started, torch.set_num_threads, (1,), max_tasks_per_child=tasks_per_process
    ) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def measure_cell(cell: Cell) -> dict[str, Score]:
    """All methods in one cell."""
    people, crops, points, contest = _contest(cell)
    scores = {}
    for name in METHODS:
        outcome = contest.run(name)
        errors = errors_of(outcome.estimates, people, crops, points)
        scores[name] = Score(errors, outcome.seconds)
    return scores


def _memory_of(cell: Cell, method: str) -> float:
    _contest(cell)[3].run(method)
    return peak_memory_mb()


def _contest(cell: Cell) -> tuple[Subjects, Crops, torch.Tensor, Contest]:
    predictor = _predictor()
    people = _people(cell.crowd)
    crops, points = observe(predictor, people, cell.condition, cell.seed)
    contest = Contest(predictor.model, predictor.body, crops, points, cell.seed, cell.slow_people)
    return people, crops, points, contest


@cache
def _predictor() -> Predictor:
    return Predictor(load_cliff(), load_body())


@cache
def true_bodies() -> Mapping[str, Body]:
    """The open bodies of rendered people, by gender."""
    return {gender: load_body(gender=gender) for gender in GENDERS}


@cache
def _people(crowd: Crowd) -> Subjects:
    return look_at(_predictor(), crowd, _silent)


def look_at(predictor: Predictor, crowd: Crowd, progress: Progress) -> Subjects:
    """The people of a crowd; photos that are rendered and features are kept in the user's cache."""
    folder = cache_folder() / "benchmark"
    with ArrayCache(folder / "features.cache", _FEATURES_BYTES) as features:
        if crowd.real is not None:
            return real_subjects(predictor, crowd.real, features, progress)
        benchmark = RenderedBenchmark(crowd.seed, crowd.poses, cache=folder)
        return rendered_subjects(predictor, benchmark, crowd.count, features, progress)


def errors_of(estimates: Sequence[Estimate], people: Subjects, crops: Crops, points: torch.Tensor) -> Errors:
    """Errors of the first people's estimates by measure, of all of `MEASURES`.

    Of real people 3D errors are those over the twelve limb joints, mid-hip as root, where joints were measured.
    """
    count, body = len(estimates), _predictor().body
    errors = {name: np.full(count, np.nan) for name in MEASURES}
    if people.joints is not None:
        measured = np.flatnonzero(np.isfinite(people.joints[:count]).any((1, 2)))
        if len(measured):
            found = joint_scores(body, [estimates[row] for row in measured], people.joints[measured])
            for name, values in found.items():
                errors[name][measured] = values
    else:
        found = truth_scores(body, estimates, people.truth[:count], true_bodies())
        errors |= {_NAMES[name]: values for name, values in found.items() if name in _NAMES}
    bodies, torch_body = CropBodies.of(estimates), _torch_body()
    seen = project_to_crop(torch_body(bodies.rotmat, bodies.betas).points(), bodies.cam_crop, crops.bbox_info[:count])
    off = (seen - points[:count, :, :2]).norm(dim=-1) * 128
    weight = points[:count, :, 2]
    errors["px"] = ((off * weight).sum(1) / weight.sum(1)).double().numpy()
    return errors


@cache
def _torch_body() -> TorchBody:
    return TorchBody(_predictor().body)


def _silent(done: int, total: int, text: str) -> None:
    """Nobody looks on."""
