"""How long to tune: the curves of a tuning run, who looks on, and which epoch to end with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import torch
from torch import nn

CHOOSING, ALL_POINTS = "choosing how long to tune", "tuning with all points"
_FLAT = 1.01
_REMEMBERED = ("kept", "before", "after", "is_done")


@dataclass(frozen=True, slots=True)
class Epoch:
    """One row of the curves; errors in crop units (1 = half a crop height), means over points.

    Attributes:
        number: 0 is before tuning.
        fitted: error of the points that supervise.
        withheld: error of the withheld points; `None` in the second run, and where nothing could be withheld.
        prior_distance: mean square distance of rotation matrices to the first predictions.
    """

    number: int
    fitted: float
    withheld: float | None
    prior_distance: float

    @property
    def prior_deg(self) -> float:
        """`prior_distance` as an angle: |R - S|^2 = 8 sin^2(angle / 2) over nine numbers, if all turned alike."""
        return math.degrees(2 * math.asin(min(1.0, math.sqrt(9 * self.prior_distance / 8))))


def _nothing(stage: str, epoch: Epoch) -> None:
    """Nobody watches the curves."""


def _never() -> bool:
    """Nobody stops it early."""
    return False


def _unseen(model: nn.Module) -> None:
    """Nobody looks at the network."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on while it tunes.

    Attributes:
        curve: told each row of the curves, with the stage (`CHOOSING`, `ALL_POINTS`) it belongs to.
        should_stop: whether to end early and keep the best so far.
        look: shown the network on its way, after each epoch of the first run; not to be kept or changed.
    """

    curve: Callable[[str, Epoch], None] = field(default=_nothing)
    should_stop: Callable[[], bool] = field(default=_never)
    look: Callable[[nn.Module], None] = field(default=_unseen)


def last_good_epoch(curve: Sequence[Epoch]) -> int:
    """The last epoch whose withheld error is about the lowest: tuning stops when it is flat, not at a lucky dip."""
    errors = {epoch.number: epoch.withheld for epoch in curve if epoch.withheld is not None}
    return max(number for number, error in errors.items() if error <= _FLAT * min(errors.values()))


class Choice:
    """Which epoch to end with, while the curve grows.

    Args:
        patience: it is over after so many epochs without a better error of the withheld points.

    Attributes:
        curve: all epochs so far.
        kept: the weights of the one to end with; `None` where nobody gave any.
        before, after: (N,) each person's error of the withheld points, before tuning and at that epoch.
        is_done: whether it is over.
    """

    def __init__(self, patience: int):
        self._patience = patience
        self.curve: list[Epoch] = []
        self.kept: torch.Tensor | None = None
        self.before = self.after = torch.zeros(0)
        self.is_done = False

    def hear(self, measured: tuple[Epoch, torch.Tensor], weights: torch.Tensor | None) -> None:
        """The next epoch, and (N,) each person's error of the withheld points; without any the last one is good."""
        epoch, of_person = measured
        self.curve.append(epoch)
        if epoch.number == 0:
            self.before = of_person
        if epoch.withheld is None:
            self.after = of_person
            return
        if last_good_epoch(self.curve) == epoch.number:
            self.after, self.kept = of_person, weights
        errors = [each.withheld for each in self.curve if each.withheld is not None]
        self.is_done = epoch.number - self.curve[errors.index(min(errors))].number >= self._patience

    def state(self) -> dict[str, Any]:
        """What a second start needs."""
        curve = [astuple(each) for each in self.curve]
        return {"curve": curve} | {name: getattr(self, name) for name in _REMEMBERED}

    def go_on_from(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.curve = [Epoch(*values) for values in state["curve"]]
        for name in _REMEMBERED:
            setattr(self, name, state[name])
