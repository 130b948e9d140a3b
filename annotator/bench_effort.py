"""`main.py bench effort`: what an action of an annotator is worth, by strategy, and what the worklist's order is worth.

People are those of the open benchmark with pixels; they begin as `propose` leaves them, with points as a detector finds
them and the body that CLIFF makes of photo and points. Simulated annotators then work on each (`bench_work`), in a real
project and through the window's own gestures.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotator.bench_annotators import Hands
from annotator.bench_work import ALONE, ALTERNATIVES, BUDGET, PLANS, POINTS, SIDE, Plan, Trial, run_trial
from annotator.console import Progress, console_progress
from annotator.rig import Rig
from cliff_core.body import load_body
from cliff_core.evaluation.rendered import RenderedBenchmark
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.images import write_image
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.rendering.curves import Curve, Plot, line_charts

PEOPLE, SEEDS = 40, 3
TARGETS_MM = (25.0, 50.0)
FIRST = 0.2
"""The part of the queue whose yield is reported."""

BEST: Plan = (POINTS, ALTERNATIVES, SIDE)
"""The plan by whose gains the order of people is judged in the picture: the one that ends best."""

_DRAWN: tuple[Plan, ...] = ((POINTS,), (ALTERNATIVES,), (SIDE,), (ALONE,), (POINTS, ALTERNATIVES), BEST)

_LEAST_GAIN_MM = 10.0  # a part of next to nothing says nothing
_SHUFFLES = 200
_SHOWN_AFTER = (0, 1, 3, 5, 10, 20)
_NAME = 36
_CELL = 14


def after(trial: Trial, plan: Plan, actions: int) -> np.ndarray:
    """(N,) PA-MPJPE in mm after so many actions, or after the last one."""
    return np.array([each[min(actions, len(each) - 1)] for each in trial.errors[plan]])


def efforts(trial: Trial, plan: Plan) -> np.ndarray:
    """(N,) actions that were taken."""
    return np.array([len(each) - 1.0 for each in trial.errors[plan]])


def actions_to(trial: Trial, plan: Plan, target_mm: float) -> np.ndarray:
    """(N,) actions until a body was that near; infinite where it never was within the budget."""
    firsts = [next((n for n, error in enumerate(each) if error <= target_mm), np.inf) for each in trial.errors[plan]]
    return np.array(firsts, dtype=float)


def gains_mm(trial: Trial, plan: Plan) -> np.ndarray:
    """(N,) what the budget bought of each person."""
    return after(trial, plan, 0) - after(trial, plan, BUDGET)


def yielded(trial: Trial, plan: Plan, order: Sequence[int], share: float = FIRST) -> float:
    """The part of the whole gain that the first part of the people in an order has brought; NaN without a gain."""
    gains = gains_mm(trial, plan)[list(order)]
    if gains.mean() < _LEAST_GAIN_MM:
        return float("nan")
    return float(gains[: round(share * len(gains))].sum() / gains.sum())


def best_order(trial: Trial, plan: Plan) -> list[int]:
    """The order that somebody would take who knew the gains."""
    return np.argsort(-gains_mm(trial, plan)).tolist()


def shuffled(trial: Trial, plan: Plan) -> np.ndarray:
    """What the first part of random orders brings."""
    rng = np.random.default_rng(trial.seed)
    return np.array([yielded(trial, plan, rng.permutation(len(trial.order))) for _ in range(_SHUFFLES)])


Number = Callable[[Trial, Plan], float]


def _reached(target_mm: float) -> Number:
    return lambda trial, plan: 100 * float(np.isfinite(actions_to(trial, plan, target_mm)).mean())


def _median_actions(target_mm: float) -> Number:
    def number(trial: Trial, plan: Plan) -> float:
        actions = actions_to(trial, plan, target_mm)
        return float(np.median(actions[np.isfinite(actions)])) if np.isfinite(actions).any() else float("nan")

    return number


def _error_after(actions: int) -> Number:
    return lambda trial, plan: float(after(trial, plan, actions).mean())


def _per_action(trial: Trial, plan: Plan) -> float:
    return float(gains_mm(trial, plan).sum() / max(efforts(trial, plan).sum(), 1.0))


# Title in the tables and name in the JSON, of each number.
_EFFORT: dict[tuple[str, str], Number] = {("actions", "actions, mean"): lambda trial, plan: efforts(trial, plan).mean()}
_EFFORT |= {("mm/action", "gain per action, mm"): _per_action}
for _mm in TARGETS_MM:
    _EFFORT[f"% at {_mm:g} mm", f"people at {_mm:g} mm within {BUDGET} actions, %"] = _reached(_mm)
    _EFFORT[f"actions to {_mm:g}", f"actions to {_mm:g} mm, median of those"] = _median_actions(_mm)
_ERRORS: dict[tuple[str, str], Number] = {
    (f"after {count}", f"error after {count} actions, mm"): _error_after(count) for count in _SHOWN_AFTER
}
_ORDERS: dict[tuple[str, str], Number] = {
    ("worklist", "gain of the first 20 % ranked, %"): lambda trial, plan: 100 * yielded(trial, plan, trial.order),
    ("random", "gain of the first 20 % at random, %"): lambda trial, plan: 100 * shuffled(trial, plan).mean(),
    ("best", "gain of the first 20 % at best, %"): lambda t, plan: 100 * yielded(t, plan, best_order(t, plan)),
}


@dataclass(frozen=True, slots=True)
class Effort:
    """All seeds together.

    Attributes:
        trials: one for each seed.
    """

    trials: Sequence[Trial]

    def over_seeds(self, number: Number, plan: Plan) -> tuple[float, float]:
        """Mean over the seeds that have the number, and half of greatest minus least; NaN where none has."""
        values = np.array([number(trial, plan) for trial in self.trials])
        values = values[np.isfinite(values)]
        return (float(values.mean()), float(np.ptp(values) / 2)) if len(values) else (float("nan"), float("nan"))

    def values(self) -> dict[str, float]:
        """Every number by a name of its own, for scripts."""
        found: dict[str, float] = {}
        for plan in PLANS:
            for (_, name), number in (_EFFORT | _ERRORS | _ORDERS).items():
                mean, spread = self.over_seeds(number, plan)
                found |= {f"{', '.join(plan)}: {name}": mean, f"{', '.join(plan)}: {name}, spread": spread}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def __str__(self) -> str:
        """Three tables: what actions are worth, how the error falls, and what the order is worth."""
        seeds, people = len(self.trials), len(self.trials[0].order)
        deviation = np.mean([shuffled(trial, BEST).std() for trial in self.trials])
        return "\n".join(
            [
                f"{seeds} seeds of {people} people, {BUDGET} actions at most; mean over seeds ± half their range",
                *self._table("actions", _EFFORT),
                *self._table("PA-MPJPE of 14 SMPL joints, mm", _ERRORS),
                *self._table(f"% of the gain, of the first {100 * FIRST:.0f} %", _ORDERS),
                f"one random order differs from another by {100 * deviation:.1f} (standard deviation)",
            ]
        )

    def _table(self, title: str, numbers: dict[tuple[str, str], Number]) -> list[str]:
        lines = [f"{title:{_NAME}}" + "".join(f"{short:>{_CELL}}" for short, _ in numbers)]
        for plan in PLANS:
            cells = []
            for number in numbers.values():
                mean, spread = self.over_seeds(number, plan)
                cells.append("-" if not np.isfinite(mean) else f"{mean:.1f} ± {spread:.1f}")
            lines.append(f"{', '.join(plan):{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells))
        return lines


def measure_effort(
    seed: int, progress: Progress, people: int = PEOPLE, seeds: int = SEEDS, hands: Hands | None = None
) -> Effort:
    """Let simulated annotators work.

    Args:
        seed: of the first trial; the others follow it.
        progress: told how many people are done.
        people: of each trial.
        seeds: how many trials.
        hands: how exact the annotators are.
    """
    bodies = {"neutral": load_body()}
    rig = Rig({"neutral": Skeleton(bodies["neutral"])})
    predictor = Predictor(load_cliff(), bodies["neutral"])
    trials = []
    for number in range(seeds):

        def told(done: int, total: int, text: str, before: int = number * people) -> None:
            progress(before + done, seeds * people, text)

        with tempfile.TemporaryDirectory(prefix="cliff-bench-") as folder:
            benchmark = RenderedBenchmark(seed + number)
            trials.append(run_trial(Path(folder), benchmark, people, predictor, bodies, rig, hands or Hands(), told))
    return Effort(trials)


def effort_picture(effort: Effort) -> np.ndarray:
    """(H, W, 3) uint8: error by actions, and gain by people in the worklist's order and others."""
    steps = list(range(BUDGET + 1))
    falls = [[effort.over_seeds(_error_after(count), plan)[0] for count in steps] for plan in _DRAWN]
    errors = [Curve(", ".join(plan), steps, fall) for plan, fall in zip(_DRAWN, falls, strict=True)]
    shares = np.linspace(0, 1, 21)

    def gains(name: str, order: Callable[[Trial], Sequence[int]]) -> Curve:
        found = []
        for share in shares.tolist():
            parts = [100 * yielded(trial, BEST, order(trial), share) for trial in effort.trials]
            found.append(float(np.mean(parts)))
        return Curve(name, (100 * shares).tolist(), found)

    orders = [
        gains("best possible", lambda trial: best_order(trial, BEST)),
        gains("worklist", lambda trial: trial.order),
        Curve("random", (100 * shares).tolist(), (100 * shares).tolist()),
    ]
    people = sum(len(trial.order) for trial in effort.trials)
    plots = [
        Plot("PA-MPJPE, mm, mean", "actions on a person", errors),
        Plot(f"% of the whole gain ({', '.join(BEST)})", "% of the people, in the order of looking at them", orders),
    ]
    return line_charts(plots, f"Simulated annotators on {people} rendered people", (900, 380))


def main() -> None:
    """Measure, print, and write the picture: python -m annotator.bench_effort PICTURE.png."""
    with console_progress() as progress:
        effort = measure_effort(0, progress)
    print(effort)
    write_image(Path(sys.argv[1]), effort_picture(effort))


if __name__ == "__main__":
    main()
