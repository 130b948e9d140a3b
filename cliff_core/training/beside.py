"""Two tuning runs at the same time, by half of a team each: one chooses how long to tune, one tunes with all points.

One after the other, they would share each step, and wait for each other's gradients thousands of times; most of what a
step costs does not become less by that. Beside each other they wait once in an epoch, and give the same numbers: the
second keeps its weights whenever the first says that its epoch is a good one to end with.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cliff_core.execution.team import Team


@dataclass(frozen=True, slots=True)
class Word:
    """What goes for both runs after an epoch.

    Attributes:
        keeps: the epoch is one to end with.
        is_done: it was the last one.
        is_time: to remember how far both are.
        fitted, apart: of the second run, as in its curve.
    """

    keeps: bool
    is_done: bool
    is_time: bool
    fitted: float
    apart: float


class Beside:
    """A half of a team that does one of the two runs.

    Args:
        team: all of them; each calls everything here at the same time.

    Attributes:
        half: the processes that share this run.
        chooses: whether it is the first one.
    """

    def __init__(self, team: Team):
        self._team = team
        self.half, number = team.halves()
        self.chooses = number == 0

    def agrees(self, flag: bool) -> bool:
        """Whether the first process says so."""
        return self._team.agrees(flag)

    def is_level(self, number: int) -> bool:
        """Whether both have come to the same epoch."""
        numbers = self._team.sum(torch.tensor([number, number**2], dtype=torch.float64))
        return bool(self._team.size * numbers[1] == numbers[0] ** 2)

    def tell(self, fitted: float, apart: float, *, keeps: bool, is_done: bool, is_time: bool) -> Word:
        """Say how an epoch was; the first process decides what follows from it."""
        said = torch.zeros(5, dtype=torch.float64)
        if self._team.leads:
            said[:3] = torch.tensor([keeps, is_done, is_time])
        if not self.chooses and self.half.leads:
            said[3:] = torch.tensor([fitted, apart])
        keeps, is_done, is_time, fitted, apart = self._team.sum(said).tolist()
        return Word(keeps > 0, is_done > 0, is_time > 0, fitted, apart)

    def exchange(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Both runs' values of the same shape, to everybody."""
        both = torch.zeros(2, *values.shape, dtype=values.dtype)
        if self.half.leads:
            both[0 if self.chooses else 1] = values
        first, second = self._team.sum(both)
        return first, second
