"""How fast and how large refining may be: people a second by part, one worker against several, memory at two sizes.

Speed is measured on a project of real files (`bench_project`): nobody known, for propose; everybody labelled, for
refine. The first round computes the trunk's features, the second finds them in the cache. "As it comes" is one process
with all cores; workers have one core each. Each job is a process of its own, as for a person; its seconds are those of
the work, without starting Python, and its memory is its own.

What several workers gain is measured on many people with the settings that a person has, since few people and few
epochs say more about starting processes; by part, for the work, and from asking to the end, with Python's start.

Memory is measured on two projects, one twenty times as large, whose features lie in the cache beforehand, with one
epoch of tuning of a network that has the bundled one's trunk and a small head: all that grows with people grows as in a
whole run, which only takes longer and holds a larger head some times over, however many people there are. The polish
is left out: it has some hundred people at a time. Propose
plans, reads and refuses the same photos, which have no files: all that it keeps of them while it goes on can grow, what
it holds of the photos at work cannot.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from annotator.bench_project import fill_cache, make_project
from annotator.console import Progress
from annotator.loop import run_job_here
from annotator.project import open_project
from annotator.refine_cast import CACHE, CACHE_BYTES
from annotator.runs import JobRequest
from annotator.shards import read_shard
from cliff_core.body import load_body
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import OpenCliff, OpenCliffConfig
from cliff_core.training.refining import save_model

_KINDS = ("as it comes", "1 worker", "2 workers", "ray, 2 workers")
_PARTS = ("looking", "tuning", "predicting", "polishing")
_STRETCHES = (*_PARTS, "the rest", "all", "with start")


@dataclass(frozen=True, slots=True)
class RefineSettings:
    """How much is measured.

    Attributes:
        people: whose photos are looked at; 0 leaves out what is measured on them.
        epochs: of tuning where speed is measured; 0: as many as help.
        small, large: people of the two projects whose memory is measured; 0 leaves that out.
        workers: how many share the work where one is compared with several.
        many: people on whom one worker is compared with several, with as many epochs as help; 0 leaves that out.
    """

    people: int = 150
    epochs: int = 4
    small: int = 1000
    large: int = 20_000
    workers: int = 2
    many: int = 1000


@dataclass(frozen=True, slots=True)
class RefineNumbers:
    """What was measured.

    Attributes:
        settings: how much.
        values: the numbers, by name with unit.
    """

    settings: RefineSettings
    values: dict[str, float]

    @property
    def summary(self) -> str:
        """A table for people."""
        v, s = self.values, self.settings
        lines = [*(self._speeds() if s.people else []), *(self._gains() if s.many else [])]
        if s.large:
            for job in ("refine", "propose"):
                small, large = (v[f"{job}, {size} people, MB"] for size in (s.small, s.large))
                each = 1000 * (large - small) / (s.large - s.small)
                lines.append(f"  memory of {job:<8} {small:6.0f} MB at {s.small} people, {large:6.0f} MB at {s.large}: "
                             f"{each:.1f} kB a person")  # fmt: skip
        return "\n".join(lines)

    def _speeds(self) -> list[str]:
        """People a second, by way and part."""
        v, s = self.values, self.settings
        kinds = [kind for kind in _KINDS if f"{kind}, refine 1, s" in v]
        lines = [
            f"{s.people} people on real files, {s.epochs or 'as many as help'} epochs at most",
            f"  propose, nobody known    {v['propose, people/s']:7.1f} people/s",
            f"  {'refine, people/s':<24} " + " ".join(f"{name:>10}" for name in (*_PARTS, "round 1", "round 2")),
        ]
        for kind in kinds:
            parts = [v.get(f"{kind}, {part}, people/s", np.nan) for part in _PARTS]
            rounds = [s.people / v[f"{kind}, refine {number}, s"] for number in (1, 2)]
            lines.append(f"    {kind:<22} " + " ".join(f"{value:10.1f}" for value in [*parts, *rounds]))
        alone = [f"{part} {v[f'1 worker, {part}, processor ms']:.1f}" for part in _PARTS]
        lines.append(f"  processor time of one worker, ms a person (tuning: and epoch): {', '.join(alone)}")
        if {"1 worker", "2 workers"} <= set(kinds):
            gains = ", ".join(f"{part} {v[f'2 workers against 1, {part}']:.2f}" for part in ("round 1", "round 2"))
            lines.append(f"  {s.workers} workers against one: {gains} times as fast; "
                         f"bodies differ by {v['2 workers against 1, largest difference']:.1e} at most")  # fmt: skip
        if "ray, 2 workers" in kinds:
            lines.append(f"  Ray against local: {v['ray overhead, s']:.1f} s more; "
                         f"bodies differ by {v['ray against local, largest difference']:.1e} at most")  # fmt: skip
        return lines

    def _gains(self) -> list[str]:
        """Seconds of one worker and of several, by part."""
        v, s = self.values, self.settings
        lines = [
            f"  {s.many} people, as many epochs as help ({v['many, epochs']:.0f} chosen), seconds",
            f"    {'':<22} " + " ".join(f"{part:>10}" for part in _STRETCHES),
        ]
        for size in (1, s.workers):
            found = [v[f"many, {size} workers, {part}, s"] for part in _STRETCHES]
            lines.append(f"    {f'{size} workers':<22} " + " ".join(f"{value:10.1f}" for value in found))
        gains = [v[f"many, 1 workers, {part}, s"] / v[f"many, {s.workers} workers, {part}, s"] for part in _STRETCHES]
        lines.append(f"    {'times as fast':<22} " + " ".join(f"{value:10.2f}" for value in gains))
        lines.append(f"    bodies differ by {v['many, largest difference']:.1e} at most")
        return lines


def measure_refine(folder: Path, settings: RefineSettings, seed: int, progress: Progress) -> RefineNumbers:
    """Make the projects and measure.

    Args:
        folder: where everything is made.
        settings: how much.
        seed: every random choice follows from it.
        progress: told what is going on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, float] = {}
    if settings.people:
        values |= _small(folder, settings, seed, progress)
    if settings.many:
        values |= _gain(folder / "many", settings, seed, progress)
    for people in (settings.small, settings.large) if settings.large else ():
        values |= _memory(folder / f"people-{people}", people, seed, progress)
    return RefineNumbers(settings, values)


def _small(folder: Path, settings: RefineSettings, seed: int, progress: Progress) -> dict[str, float]:
    """Every way there is, on few people, two rounds each."""
    make_project(folder / "bare", settings.people, seed=seed, progress=progress, with_people=False).close()
    _, said = _job(folder / "bare", "propose", {}, progress)
    values = {"propose, people/s": said["people"] / said["seconds"]}
    make_project(folder / "known", settings.people, seed=seed, progress=progress).close()
    bodies = {}
    for kind, how in _ways(settings).items():
        values |= (found := _speed(folder / "known", kind, {**how, "seed": seed}, settings, progress))[0]
        bodies[kind] = found[1]
    return values | _compared(values, bodies)


def _gain(folder: Path, settings: RefineSettings, seed: int, progress: Progress) -> dict[str, float]:
    """One worker and several with the settings that a person has, on many people, one round each."""
    make_project(folder, settings.many, seed=seed, progress=progress).close()
    values: dict[str, float] = {}
    bodies = []
    for size in (1, settings.workers):
        shutil.rmtree(folder / "runs", ignore_errors=True)
        asked = time.monotonic()
        run, said = _job(folder, "refine", {"workers": size, "threads": 1, "seed": seed}, progress)
        parts = {part: said["spent"][part] for part in _PARTS}
        parts |= {"the rest": said["seconds"] - sum(parts.values()), "all": said["seconds"]}
        parts["with start"] = time.monotonic() - asked
        values |= {f"many, {size} workers, {part}, s": seconds for part, seconds in parts.items()}
        values["many, epochs"] = said["rounds"][0]["epochs"]
        bodies.append(_bodies_of(run))
    return values | {"many, largest difference": _apart(*bodies)}


def _ways(settings: RefineSettings) -> dict[str, dict[str, Any]]:
    ways: list[dict[str, Any]] = [{}, {"workers": 1, "threads": 1}, {"workers": settings.workers, "threads": 1}]
    if find_spec("ray") is not None:
        ways.append({"engine": "ray", "workers": settings.workers, "threads": 1})
    return dict(zip(_KINDS, ways, strict=False))


def _speed(
    project: Path, kind: str, how: Mapping[str, Any], settings: RefineSettings, progress: Progress
) -> tuple[dict[str, float], np.ndarray]:
    """Two rounds of refining, the second with what the first has seen; and the bodies."""
    shutil.rmtree(project / "runs", ignore_errors=True)
    values, bodies = {}, np.zeros(0)
    for number in (1, 2):
        asked = {**how, **({"epochs": settings.epochs} if settings.epochs else {}), "round": number}
        run, said = _job(project, "refine", asked, progress)
        values[f"{kind}, refine {number}, s"] = said["seconds"]
        if number == 1:
            spent = said["spent"]
            epochs = sum(each["tuned"] for each in said["rounds"])
            for part in _PARTS:
                people = said["people"] * (epochs if part == "tuning" else 1)
                values[f"{kind}, {part}, people/s"] = people / spent[part]
                values[f"{kind}, {part}, processor ms"] = 1000 * spent[f"{part}, processor"] / people
        bodies = _bodies_of(run)
    return values, bodies


def _bodies_of(run: Path) -> np.ndarray:
    """(n, 75) pose and place of everybody whom a job would change."""
    rows = [row for path in sorted(run.glob("shards/*.npz")) for row in read_shard(path).rows]
    return np.array(
        [
            np.concatenate([each.params.pose_rotvec.ravel(), each.params.transl])
            for row in rows
            for each in row.predictions
            if each.params is not None
        ]
    )


def _compared(values: Mapping[str, float], bodies: Mapping[str, np.ndarray]) -> dict[str, float]:
    found = {}
    for number in (1, 2):
        one, two = (values[f"{kind}, refine {number}, s"] for kind in ("1 worker", "2 workers"))
        found[f"2 workers against 1, round {number}"] = one / two
    found["2 workers against 1, largest difference"] = _apart(bodies["1 worker"], bodies["2 workers"])
    if "ray, 2 workers" in bodies:
        found["ray overhead, s"] = values["ray, 2 workers, refine 2, s"] - values["2 workers, refine 2, s"]
        found["ray against local, largest difference"] = _apart(bodies["2 workers"], bodies["ray, 2 workers"])
    return found


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    """Infinite where not even the same people were taken."""
    return float(np.abs(first - second).max()) if first.shape == second.shape and first.size else float("inf")


def _memory(folder: Path, people: int, seed: int, progress: Progress) -> dict[str, float]:
    with make_project(folder, people, seed=seed, progress=progress, with_files=False) as project:
        (folder / "runs").mkdir(exist_ok=True)
        network = _with_small_head()
        save_model(network, folder / "small.pt", "small")
        with ArrayCache(folder / "runs" / CACHE, CACHE_BYTES) as cache:
            fill_cache(project, Predictor(network, load_body()), cache, seed=seed, progress=progress)
    _, said = _job(
        folder,
        "refine",
        {"epochs": 1, "seed": seed, "model": str(folder / "small.pt"), "workers": 1, "polish": False, "threads": 1},
        progress,
    )
    _, proposed = _job(folder, "propose", {}, progress)
    shutil.rmtree(folder)
    return {f"refine, {people} people, MB": said["peak_mb"], f"propose, {people} people, MB": proposed["peak_mb"]}


def _with_small_head() -> OpenCliff:
    """The bundled network's trunk with a small head that has learnt nothing."""
    known, made = load_cliff(), OpenCliff(OpenCliffConfig(64, 64, 1, 1, 1), "small")
    made.trunk.load_state_dict(known.trunk.state_dict())
    made.init_pose.copy_(known.init_pose)
    return made.eval()


def _job(project: Path, kind: str, settings: Mapping[str, Any], progress: Progress) -> tuple[Path, Mapping[str, Any]]:
    """A job's folder, and what it says at its end."""
    with open_project(project) as opened:
        opened.wait_for_backup()
        job, said = run_job_here(opened, JobRequest(kind, dict(settings)), progress)
    return job.folder, said
