"""`main.py bench loop`: the loop beside EFT, SMPLify and KITRO on the same people, and whether the labels teach."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from annotator.bench_loop_page import page, pictures
from annotator.console import Progress
from cliff_core.body import load_body
from cliff_core.execution.cache_folder import cache_folder
from cliff_core.images import write_image
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.peers.comparison import (
    BASE,
    CONDITIONS,
    MARKED,
    MEASURES,
    Cell,
    Crowd,
    Figure,
    Score,
    measure,
    measure_memory,
)
from cliff_core.peers.contest import IMAGE, METHODS, settings_text
from cliff_core.peers.people import Condition
from cliff_core.peers.teaching import TeachingSettings, teach

_WORSE = 1.01  # times the image prior's error is worse than it
_COLUMNS = (*MEASURES.values(), "MPJPE, first")


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How much is measured.

    Attributes:
        people: of the rendered benchmark per condition and seed.
        slow_people: how many of them methods that are slow by nature get (`contest.SLOW`).
        seeds: how many, one after the other.
        teaching: of part two.
    """

    people: int = 60
    slow_people: int = 12
    seeds: int = 3
    teaching: TeachingSettings = field(default_factory=TeachingSettings)


@dataclass(frozen=True, slots=True)
class Row:
    """One method under one condition.

    Attributes:
        figures: measure -> number; the keys of `MEASURES`.
        first: MPJPE of the first people alone, whom slow methods got too.
        worse: share of people whose MPJPE is worse than the image prior's by more than one per cent.
        seconds: of one core per person.
    """

    figures: dict[str, Figure]
    first: Figure
    worse: float
    seconds: float


@dataclass(frozen=True, slots=True)
class LoopReport:
    """What was measured.

    Attributes:
        people, slow_people, seeds: how many, and which.
        settings: of all methods.
        conditions: condition -> method -> row, rendered people.
        real: the same on real photos; empty without any.
        memory_mb: method -> what a process needs that does nothing else.
        teaching: teacher -> measure -> figure over seeds of training.
        taught, tested: how many people.
    """

    people: int
    slow_people: int
    seeds: tuple[int, ...]
    settings: str
    conditions: dict[str, dict[str, Row]]
    real: dict[str, dict[str, Row]]
    memory_mb: dict[str, float]
    teaching: dict[str, dict[str, Figure]]
    taught: int
    tested: int

    def __str__(self) -> str:
        """All tables."""
        width = max(len(name) for name in METHODS) + 2
        lines = [self.settings, ""]
        for condition, rows in {**self.conditions, **self.real}.items():
            lines.append(f"{condition}: mean ± spread over seeds (median)")
            head = [*(f"{title:>22}" for title in _COLUMNS), f"{'worse':>7}{'s/person':>10}{'MB':>7}"]
            lines.append(" " * width + "".join(head))
            for name, row in rows.items():
                cells = "".join(f"{figure!s:>22}" for figure in (*row.figures.values(), row.first))
                rest = f"{row.worse:7.0%}{row.seconds:10.4f}{self.memory_mb.get(name, float('nan')):7.0f}"
                lines.append(f"{name:{width}}{cells}{rest}")
            lines.append("")
        lines.append(f"taught by labels of {self.taught} people, measured on {self.tested} others")
        for teacher, figures in self.teaching.items():
            cells = "".join(f"  {MEASURES[name]} {figure}" for name, figure in figures.items())
            lines.append(f"{teacher:{width}}{cells}")
        return "\n".join(lines)

    def values(self) -> dict[str, float]:
        """Every number by a name of its own, for scripts."""
        found: dict[str, float] = {}
        for condition, rows in {**self.conditions, **self.real}.items():
            for name, row in rows.items():
                key = f"{condition} | {name}"
                for measured, figure in row.figures.items():
                    found |= {f"{key} | {measured}, {kind}": value for kind, value in asdict(figure).items()}
                found |= {f"{key} | mpjpe of the first, mean": row.first.mean, f"{key} | worse": row.worse}
                found[f"{key} | seconds"] = row.seconds
        found |= {f"memory | {name}, MB": value for name, value in self.memory_mb.items()}
        for teacher, figures in self.teaching.items():
            for measured, figure in figures.items():
                found |= {f"taught by {teacher} | {measured}, {kind}": v for kind, v in asdict(figure).items()}
        return found


def measure_loop(
    seed: int,
    progress: Progress,
    real: Path | None = None,
    poses: Path | None = None,
    settings: LoopSettings | None = None,
) -> LoopReport:
    """Run everybody on the same people.

    Args:
        seed: the first one; of people, noise and tuning.
        progress: told (done, total, what).
        real: folder of real photos (`evaluation.real_photos`).
        poses: npz of poses (`PoseBank`), of which the held-out ones are shown; the bundled clips by default.
        settings: how much.

    Raises:
        TrainingError: a file without held-out poses.
        FormatError: no such index of photos.
    """
    settings = settings or LoopSettings()
    seeds = tuple(range(seed, seed + settings.seeds))
    cells = {
        condition: [Cell(Crowd(each, settings.people, poses), condition, settings.slow_people, each) for each in seeds]
        for condition in CONDITIONS
    }
    photos = [] if real is None else [Cell(Crowd(0, 0, None, real), MARKED, settings.slow_people, s) for s in seeds]
    scores = measure([cell for each in cells.values() for cell in each] + photos, progress)
    return report(
        settings,
        seeds,
        {condition: [scores[cell] for cell in each] for condition, each in cells.items()},
        [scores[cell] for cell in photos],
        measure_memory(cells[BASE][0], progress),
        teach(Predictor(load_cliff(), load_body()), settings.teaching, seeds, progress),
    )


def report(
    settings: LoopSettings,
    seeds: tuple[int, ...],
    scores: Mapping[Condition, Sequence[Mapping[str, Score]]],
    real: Sequence[Mapping[str, Score]],
    memory_mb: dict[str, float],
    teaching: dict[str, dict[str, Figure]],
) -> LoopReport:
    """Tables of what was measured: by condition, each seed's scores by method."""
    return LoopReport(
        people=settings.people,
        slow_people=settings.slow_people,
        seeds=seeds,
        settings=f"{settings_text()}\npupils: {settings.teaching}",
        conditions={str(condition): _rows(each, settings.slow_people) for condition, each in scores.items()},
        real={"real photos, marked COCO-17": _rows(real, settings.slow_people)} if real else {},
        memory_mb=memory_mb,
        teaching=teaching,
        taught=settings.teaching.pupils_people,
        tested=settings.teaching.test_people,
    )


def _rows(by_seed: Sequence[Mapping[str, Score]], slow_people: int) -> dict[str, Row]:
    rows = {}
    for name in METHODS:
        scores = [each[name] for each in by_seed if name in each]
        if not scores:
            continue
        worse = [
            _worse_share(each[name].errors["mpjpe"], each[IMAGE].errors["mpjpe"]) for each in by_seed if name in each
        ]
        rows[name] = Row(
            {measured: Figure.of([each.errors[measured] for each in scores]) for measured in MEASURES},
            Figure.of([each.errors["mpjpe"][:slow_people] for each in scores]),
            float(np.median(worse)),
            float(np.median([each.seconds for each in scores])),
        )
    return rows


def _worse_share(error: np.ndarray, prior: np.ndarray) -> float:
    prior = prior[: len(error)]
    known = np.isfinite(prior)
    return float((~(error[known] <= _WORSE * prior[known])).mean()) if known.any() else float("nan")


def write_report(measured: LoopReport, folder: Path | None = None) -> list[Path]:
    """The page, its pictures and all numbers as files; in the user's cache by default."""
    folder = folder or cache_folder() / "bench-loop"
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "peers.md", folder / "peers.json"]
    written[0].write_text(page(measured), encoding="utf-8")
    written[1].write_text(json.dumps(asdict(measured), indent=1, ensure_ascii=False), encoding="utf-8")
    for name, picture in pictures(measured).items():
        written.append(folder / "pictures" / name)
        written[-1].parent.mkdir(exist_ok=True)
        write_image(written[-1], picture)
    return written
