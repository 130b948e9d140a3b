"""`main.py bench predict`: persons per second, ours against the plain way with the same weights in the same run.

End to end is from photo files to bodies in the photos' cameras: decoding, boxes and keypoints where they are not given,
crops, network, full frame; no files are written and nothing is drawn. The network alone is from cut patches, before
their colours are scaled, to rotations, betas and crop cameras.

The ways take turns, and the best round of each counts: what else the machine does hits all alike, with one exception.
An operation that is shared among cores waits for the slowest, so that a machine that is busy with something else would
make the plain way look much worse than it is. It therefore runs with all cores per operation, as libraries do it by
themselves, and with one, and what is compared is the better of the two.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from annotator.console import Progress
from annotator.photo_set import PhotoSet, gather_photos, people_of_photos
from annotator.predict import Studio, photo_handfuls, usual_workers
from cliff_core.body import Body, load_body
from cliff_core.detection import KeypointDetector, PersonDetector
from cliff_core.evaluation.scores import posed_vertices
from cliff_core.evaluation.speed import NetworkInput, PlainPredictor, network_one_by_one, network_together
from cliff_core.execution.device import Precision
from cliff_core.execution.streams import available_cores, map_in_order, torch_threads
from cliff_core.images import read_image
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.models.formula import formula_cliff
from cliff_core.records import Estimate, PhotoPerson
from cliff_core.resources import resource_path

_ROUNDS = 3
_TRIED, _TRIALS = 4, 3
_NETWORK_BATCH = 16  # people; about what a handful of photos holds


@dataclass(frozen=True, slots=True)
class Case:
    """What is predicted with which network.

    Attributes:
        name: for people.
        model: "open", or the backbone of an official network.
        photos: how many of the sample's, from the first; `None` for all.
        passes: how often each of them is predicted in a round.
        detect: find boxes and keypoints; else the sample's are given.
    """

    name: str
    model: str
    photos: int | None = None
    passes: int = 1
    detect: bool = False


CASES = (
    Case("open CLIFF, boxes and points given", "open", passes=3),
    Case("open CLIFF, boxes and points detected", "open", detect=True),
    Case("ResNet-50 (formula weights), boxes given", "res50"),
    Case("HRNet-W48 (formula weights), boxes given", "hr48", photos=8),
)


@dataclass(frozen=True, slots=True)
class Way:
    """How one way of predicting fared.

    Attributes:
        rate, network_rate: persons per second, end to end and network alone; of the best round.
        ratio, network_ratio: to those of the better plain way.
        ratio_rounds: (2,) lowest and highest ratio of the end to end rates within one round.
        core_ms: processor time per person end to end, of the least round.
        moved_mm, worst_mm: mean distance of vertices from where a plain way has them, over people and of the worst.
        shape_mm: the mean once more, with each body's mean vertex moved onto the plain way's: pose and shape alone.
    """

    rate: float
    network_rate: float
    ratio: float
    network_ratio: float
    ratio_rounds: tuple[float, float]
    core_ms: float
    moved_mm: float
    worst_mm: float
    shape_mm: float


@dataclass(frozen=True, slots=True)
class PredictSpeed:
    """All ways of one case.

    Attributes:
        case: what was predicted.
        people: in a round.
        ways: "plain, 1 thread" and so on, and the precisions that this machine has.
        load: how many processes wanted a core in the last minute, ours included; `None` where nobody counts them.
    """

    case: Case
    people: int
    ways: dict[str, Way]
    load: float | None

    def __str__(self) -> str:
        """A row per way."""
        load = "" if self.load is None else f", load {self.load:.1f}"
        lines = [
            f"{self.case.name}: {self.people} people, {available_cores()} cores{load}",
            f"{'':17}persons/s  times  in rounds  core ms each  network, persons/s  times  vertices moved, mm",
        ]
        for name, way in self.ways.items():
            line = f"{name:17}{way.rate:9.1f}{way.ratio:7.2f} {way.ratio_rounds[0]:5.2f}-{way.ratio_rounds[1]:4.2f}"
            line += f"{way.core_ms:14.1f}{way.network_rate:20.1f}{way.network_ratio:7.2f}"
            if not is_plain(name):
                line += f"  mean {way.moved_mm:.2g}, worst {way.worst_mm:.2g}, without translation {way.shape_mm:.2g}"
            lines.append(line)
        return "\n".join(lines)

    def values(self) -> dict[str, float]:
        """The numbers, by way and name with unit."""
        found: dict[str, float] = {"people": self.people}
        found |= {} if self.load is None else {"load": self.load}
        for name, way in self.ways.items():
            found |= {
                f"{name}, persons_per_second": way.rate,
                f"{name}, network_persons_per_second": way.network_rate,
                f"{name}, core_ms_per_person": way.core_ms,
            }
            if not is_plain(name):
                found |= {
                    f"{name}, ratio": way.ratio,
                    f"{name}, network_ratio": way.network_ratio,
                    f"{name}, lowest_ratio": way.ratio_rounds[0],
                    f"{name}, highest_ratio": way.ratio_rounds[1],
                    f"{name}, vertices_moved_mm": way.moved_mm,
                    f"{name}, vertices_moved_worst_person_mm": way.worst_mm,
                    f"{name}, vertices_moved_without_translation_mm": way.shape_mm,
                }
        return found


def measure_case(case: Case, progress: Progress, rounds: int = _ROUNDS) -> PredictSpeed:
    """Measure one case.

    Args:
        case: what to predict.
        progress: told round by round.
        rounds: turns of every way.
    """
    photos, people = sample_photos(case)
    runs = make_runs(case, photos, people)
    bodies = {name: run.predict() for name, run in runs.items()}  # warms up as well
    seconds, cores, network = np.empty((3, len(runs), rounds))
    for number in range(rounds):
        for row, (name, run) in enumerate(runs.items()):
            progress(number * len(runs) + row, rounds * len(runs), f"{case.name}: {name}")
            seconds[row, number], cores[row, number] = _timed(run.predict)
            network[row, number], _ = _timed(run.network)
    plain = [row for row, name in enumerate(runs) if is_plain(name)]
    rounds_of_plain, body = seconds[plain].min(0), load_body()
    reference = bodies[next(iter(runs))]
    ways = {}
    for row, (name, run) in enumerate(runs.items()):
        ratios = rounds_of_plain / seconds[row]
        moved, shape = vertex_distances(body, reference, bodies[name])
        ways[name] = Way(
            rate=len(reference) / float(seconds[row].min()),
            network_rate=run.network_people / float(network[row].min()),
            ratio=float(rounds_of_plain.min() / seconds[row].min()),
            network_ratio=float(network[plain].min() / network[row].min()),
            ratio_rounds=(float(ratios.min()), float(ratios.max())),
            core_ms=1000 * float(cores[row].min()) / len(reference),
            moved_mm=float(moved.mean()),
            worst_mm=float(moved.max()),
            shape_mm=float(shape.mean()),
        )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return PredictSpeed(case, len(reference), ways, load)


def is_plain(way: str) -> bool:
    """Whether a way of that name is a plain one."""
    return way.startswith("plain")


@dataclass(frozen=True, slots=True)
class Run:
    """One way of predicting, ready to be timed.

    Attributes:
        predict: end to end; gives the bodies in the order of photos and people.
        network: the network alone.
        network_people: how many people the network alone gets.
    """

    predict: Callable[[], list[Estimate]]
    network: Callable[[], None]
    network_people: int


def make_runs(case: Case, photos: PhotoSet, people: dict[str, list[PhotoPerson]]) -> dict[str, Run]:
    """The plain way with one core per operation and with all, then ours in each precision that this machine has."""
    model = load_cliff() if case.model == "open" else formula_cliff(case.model)
    body = load_body()
    predictors = [Predictor(model, body, precision) for precision in Precision]
    ours = {str(each.compute.precision): each for each in predictors}
    placed = []
    for name in list(photos.files)[: len(photos.files) // case.passes]:
        boxes, points = [person.box for person in people[name]], [person.keypoints for person in people[name]]
        rgb = read_image(photos.files[name])
        placed.append((rgb, ours[Precision.FLOAT32].place(rgb, boxes, points, people[name][0].camera)))
    inputs = NetworkInput.of(ours[Precision.FLOAT32], placed)
    given = None if case.detect else people
    plain = PlainPredictor(model, body)
    runs = {}
    for threads in sorted({1, available_cores()}):
        name = f"plain, {threads} thread{'s' * (threads > 1)}"
        runs[name] = Run(_plain_way(plain, photos, given, threads), _plain_network(plain, inputs, threads), len(inputs))
    for name, predictor in ours.items():
        runs[name] = Run(_our_way(predictor, photos, given), _our_network(predictor, inputs), len(inputs))
    return runs


def _plain_network(plain: PlainPredictor, inputs: NetworkInput, threads: int) -> Callable[[], None]:
    def network() -> None:
        with torch_threads(threads):
            network_one_by_one(plain, inputs)

    return network


def _plain_way(
    plain: PlainPredictor, photos: PhotoSet, given: dict[str, list[PhotoPerson]] | None, threads: int
) -> Callable[[], list[Estimate]]:
    find_people, find_points = PersonDetector(threads=threads), KeypointDetector(threads=threads)

    def predict() -> list[Estimate]:
        bodies = []
        with torch_threads(threads):
            for name, path in photos.files.items():
                rgb = plain.read(path)
                if given is None:
                    boxes = find_people.detect(rgb)
                    bodies += plain.predict(rgb, boxes, find_points.detect(rgb, boxes))
                else:
                    persons = given[name]
                    boxes, points = [each.box for each in persons], [each.keypoints for each in persons]
                    bodies += plain.predict(rgb, boxes, points, persons[0].camera)
        return bodies

    return predict


def _our_way(
    predictor: Predictor, photos: PhotoSet, given: dict[str, list[PhotoPerson]] | None
) -> Callable[[], list[Estimate]]:
    workers = usual_workers()
    threads = max(1, available_cores() // workers)
    studio = Studio(photos.files, predictor, people=given, threads=threads)

    def work(names: list[str]) -> list[Estimate]:
        return [estimate for _, _, result in studio.bodies(names) for estimate in result.estimates]

    def predict() -> list[Estimate]:
        with torch_threads(threads):
            return list(chain.from_iterable(map_in_order(work, photo_handfuls(photos, workers), workers)))

    return predict


def _our_network(predictor: Predictor, inputs: NetworkInput) -> Callable[[], None]:
    workers = usual_workers()
    batches = [
        range(start, min(start + _NETWORK_BATCH, len(inputs))) for start in range(0, len(inputs), _NETWORK_BATCH)
    ]

    def network() -> None:
        with torch_threads(max(1, available_cores() // workers)):
            for _ in map_in_order(lambda rows: network_together(predictor, inputs, rows), batches, workers):
                pass

    return network


def sample_photos(case: Case) -> tuple[PhotoSet, dict[str, list[PhotoPerson]]]:
    """The case's photos under one name per pass, and their people."""
    folder = resource_path("sample", "photos")
    sample = gather_photos([folder], Path(folder, "no-results-here"))
    known, _ = people_of_photos(resource_path("sample", "keypoints.json"), sample)
    names = [name for name in sample.files if name in known][: case.photos]
    files, people = {}, {}
    for number in range(case.passes):
        for name in names:
            again = f"{number}/{name}"
            files[again] = sample.files[name]
            people[again] = [replace(person, image_name=again) for person in known[name]]
    return PhotoSet(files, True, []), people


def vertex_distances(body: Body, ones: Sequence[Estimate], others: Sequence[Estimate]) -> np.ndarray:
    """(2, N) mm between the vertices of two bodies in the mean, and once more with their middles put together."""
    in_camera, aligned = [], []
    for pair in zip(ones, others, strict=True):
        apart = posed_vertices(body, pair[0].params) - posed_vertices(body, pair[1].params)
        in_camera.append(np.linalg.norm(apart, axis=-1).mean())
        aligned.append(np.linalg.norm(apart - apart.mean(0), axis=-1).mean())
    return 1000 * np.array([in_camera, aligned])


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of processors."""
    wall, core = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - core
