"""What `bench` measures on this machine: speed, and what the loop is worth."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from annotator.accuracy import measure_real_photos
from annotator.bench_command import measure_command
from annotator.bench_effort import measure_effort as measure_effort_tables
from annotator.bench_loop import measure_loop as measure_peers
from annotator.bench_loop import write_report
from annotator.bench_predict import CASES, measure_case
from annotator.bench_prior import conventions
from annotator.bench_prior import measure_prior as measure_prior_tables
from annotator.bench_refine import RefineSettings
from annotator.bench_refine import measure_refine as measure_large_refinement
from annotator.bench_store import StoreSettings
from annotator.bench_store import measure_store as measure_large_project
from annotator.console import Progress
from annotator.demo import run_demo
from cliff_core.errors import CliffError
from cliff_core.execution.streams import available_cores

_MOMENTS = ("photo alone", "with detected points", "after the loop")
_PARTS = ("solve", "skin", "raster", "paint")
_LIBRARIES = ("torch", "onnxruntime", "opencv-python-headless", "numba", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class Measured:
    """One benchmark's outcome.

    Attributes:
        name: of the benchmark.
        summary: one line for people.
        values: the numbers in it, by name with unit.
    """

    name: str
    summary: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Numbers with all that is needed to compare them with others.

    Attributes:
        machine: processor and number of cores granted.
        versions: of Python and of the libraries that do the work.
        seed: of everything random.
        measured: the outcomes.
    """

    machine: str
    versions: dict[str, str]
    seed: int
    measured: list[Measured]

    def __str__(self) -> str:
        """The outcomes, then under what they were obtained."""
        lines = [f"{entry.name}: {entry.summary}" for entry in self.measured]
        libraries = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return "\n".join([*lines, f"on {self.machine}; {libraries}; seed {self.seed}"])


@dataclass(frozen=True, slots=True)
class BenchList:
    """The benchmarks that there are.

    Attributes:
        benchmarks: name -> what it measures.
    """

    benchmarks: dict[str, str]

    def __str__(self) -> str:
        """One line each."""
        return "\n".join(f"{name}: {text}" for name, text in self.benchmarks.items())


@dataclass(frozen=True, slots=True)
class BenchFiles:
    """What a person may bring to measure on.

    Attributes:
        real: folder of real photos with an index, for the accuracy on them (`evaluation.real_photos`).
        poses: npz of poses whose held-out ones the open benchmark shows (`synthetic.poses.PoseBank`).
    """

    real: Path | None = None
    poses: Path | None = None


def run_benchmark(name: str, *, seed: int, progress: Progress, files: BenchFiles) -> BenchReport | BenchList:
    """Measure.

    Args:
        name: of a benchmark; "all"; or "list" to name them.
        seed: every random choice follows from it.
        files: what a person brought to measure on.
        progress: told what is being measured.

    Raises:
        CliffError: there is no such benchmark.
    """
    if name == "list":
        return BenchList({key: (work.__doc__ or "").partition("\n")[0] for key, work in _BENCHMARKS.items()})
    if name != "all" and name not in _BENCHMARKS:
        raise CliffError(f"no benchmark '{name}'; there are {', '.join([*_BENCHMARKS, 'all'])}")
    chosen = list(_BENCHMARKS) if name == "all" else [name]
    measured = [outcome for entry in chosen for outcome in _BENCHMARKS[entry](seed, files, progress)]
    versions = {"Python": platform.python_version(), **{library: version(library) for library in _LIBRARIES}}
    return BenchReport(_machine(), versions, seed, measured)


def measure_predict(seed: int, files: BenchFiles, progress: Progress) -> list[Measured]:
    """Persons per second from photo files to bodies against a plain script's, then photos per second with overlays."""
    measured = [measure_case(case, progress) for case in CASES]
    command = measure_command(seed, progress)
    outcomes = [Measured(f"predict, {each.case.name}", f"\n{each}", each.values()) for each in measured]
    return [*outcomes, Measured("predict, whole command with overlays", str(command), command.values())]


def measure_accuracy(seed: int, files: BenchFiles, progress: Progress) -> list[Measured]:
    """Errors from the photo alone, with detected points and after the loop; of the sample, and with --real DIR."""
    with tempfile.TemporaryDirectory(prefix="cliff-bench-") as folder:
        rows = run_demo(Path(folder), photos=None, keypoints=None, seed=seed, progress=progress).rows
    moments = {row.measure: (row.photo, row.detected, row.refined) for row in rows}
    outcomes = [_changes("sample", moments)]
    for each in measure_real_photos(files.real, seed, progress) if files.real is not None else []:
        measures = {"PCK@0.05, %": each.pck05, "PCK@0.1, %": each.pck10}
        measures |= {"PA-MPJPE, mm": each.pa_mpjpe_mm} if each.pa_mpjpe_mm else {}
        measures |= {"MPJPE, mm (12 limb joints, mid-hip)": each.mpjpe_mm} if each.mpjpe_mm else {}
        outcomes.append(_changes(f"{each.data_set} ({each.people} people)", measures))
    return outcomes


def _changes(name: str, measures: Mapping[str, tuple[float | None, ...]]) -> Measured:
    """Each measure from the photo alone, with detected points and after the loop."""
    known = {
        (measure, when): value
        for measure, values in measures.items()
        for when, value in zip(_MOMENTS, values, strict=True)
        if value is not None
    }
    summary = "; ".join(
        f"{measure} {' -> '.join('-' if value is None else f'{value:.1f}' for value in values)}"
        for measure, values in measures.items()
    )
    return Measured(
        f"accuracy, {name}", summary, {f"{measure}, {when}": value for (measure, when), value in known.items()}
    )


def measure_prior(seed: int, files: BenchFiles, progress: Progress) -> list[Measured]:
    """Errors of the bundled model on people who never were, from photos and from points; --poses FILE for others."""
    tables = measure_prior_tables(seed, progress, files.poses)
    measured = [Measured(f"prior, {table.benchmark}", f"\n{table}", table.values()) for table in tables]
    return [*measured, Measured("prior, conventions", f"\n{conventions()}", {})]


def measure_loop(seed: int, files: BenchFiles, progress: Progress) -> list[Measured]:
    """The loop beside EFT, SMPLify and KITRO on people who never were, and with --real DIR; about 40 minutes.

    The page, its pictures and every number are written into the user's cache.
    """
    found = measure_peers(seed, progress, files.real, files.poses)
    written = "\n".join(f"wrote {path}" for path in write_report(found))
    return [Measured("loop", f"\n{found}\n{written}", found.values())]


def measure_store(seed: int, files: BenchFiles, progress: Progress) -> list[Measured]:
    """A project of 100,000 photos and 200,000 people: opening, edits, look-ups, import; beside JSON files."""
    with tempfile.TemporaryDirectory(prefix="cliff-bench-") as folder:
        numbers = measure_large_project(Path(folder), StoreSettings(), seed, progress)
    return [Measured("store", numbers.summary, numbers.values)]


def measure_refine(seed: int, files: BenchFiles, progress: Progress) -> list[Measured]:
    """People a second for propose and two rounds of refine, one worker against several, memory at two sizes."""
    with tempfile.TemporaryDirectory(prefix="cliff-bench-") as folder:
        numbers = measure_large_refinement(Path(folder), RefineSettings(), seed, progress)
    return [Measured("refine", f"\n{numbers.summary}", numbers.values)]


def measure_drag(seed: int, files: BenchFiles, progress: Progress) -> list[Measured]:
    """Milliseconds from a mouse event to the last painted pixel, by gesture and by part, on a 1280 x 800 canvas."""
    progress(0, 1, "dragging in a window")
    command = [sys.executable, "-m", "annotator.qt.bench_drag"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise CliffError(f"bench drag: the window stopped ({(done.stderr.strip().splitlines() or ['no word'])[-1]})")
    found = json.loads(done.stdout)
    outcomes = []
    for gesture, numbers in found["gestures"].items():
        parts = " + ".join(f"{name} {numbers[name]:.1f}" for name in _PARTS if name in numbers)
        summary = f"median {numbers['median']:.1f} ms, 95th percentile {numbers['p95']:.1f} ms ({parts})"
        outcomes.append(Measured(f"drag, {gesture}", summary, {f"{name}_ms": value for name, value in numbers.items()}))
    plain, ours = found["painter_ms"], found["gestures"]["keypoint"]["raster"]
    words = f"{plain:.1f} ms with OpenCV's polygons for one body, {plain / ours:.1f} times ours for both views"
    return [*outcomes, Measured("drag, raster beside a plain painter", words, {"ratio": plain / ours})]


def measure_effort(seed: int, files: BenchFiles, progress: Progress) -> list[Measured]:
    """What an annotator's actions are worth, by strategy, and what the worklist's order is; four minutes of a core."""
    effort = measure_effort_tables(seed, progress)
    return [Measured("effort", f"\n{effort}", effort.values())]


_BENCHMARKS: dict[str, Callable[[int, BenchFiles, Progress], list[Measured]]] = {
    "predict": measure_predict,
    "accuracy": measure_accuracy,
    "prior": measure_prior,
    "loop": measure_loop,
    "store": measure_store,
    "refine": measure_refine,
    "drag": measure_drag,
    "effort": measure_effort,
}


def _machine() -> str:
    """What the processor calls itself, and how many cores this process may use."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():  # Linux
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {available_cores()} cores, {platform.system()}"
