"""Several processes at one computation, each with a part of the people: who has which, how their sums come together.

Everybody runs the same program on the same people. What depends on all of them is summed (`Team.sum`), so everybody
goes on with the same numbers, and one process alone is a team of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

_PATIENCE = timedelta(minutes=30)  # a process that dies is noticed at once; this is for one that hangs


class Team:
    """A process among others; by itself, one that is alone.

    Attributes:
        rank: number of this process; the first one speaks for all.
        size: how many there are.
    """

    rank = 0
    size = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that reports and writes."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of everybody's values, in place."""
        return values

    def agrees(self, flag: bool) -> bool:
        """Whether the first process says so."""
        return bool(self.sum(torch.tensor(float(flag and self.leads))) > 0)

    def halves(self) -> tuple[Team, int]:
        """Two teams instead of one: that of this process, and its number."""
        return self, 0

    def chunks(self, count: int, size: int) -> Iterator[tuple[slice, slice, bool]]:
        """Rows in the order in which everybody meets them, `size` of them for each process at a time.

        Returns:
            The rows of all processes this time, those of this one, and whether it has any.
        """
        for start in range(0, count, size * self.size):
            own = start + self.rank * size
            yield slice(start, min(start + size * self.size, count)), slice(own, min(own + size, count)), own < count


ALONE = Team()


class GlooTeam(Team):
    """Processes that talk through gloo; torch's process group must be there (`join`, or whatever engine made it)."""

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self._group = group
        self._halves: tuple[Team, int] | None = None
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)

    @classmethod
    def join(cls, meeting: Path, rank: int, size: int) -> GlooTeam:
        """Meet the others of this machine at a file; returns when all are there.

        Raises:
            RuntimeError: somebody did not come.
        """
        store = dist.FileStore(str(meeting), size)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=_PATIENCE)
        return cls()

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of everybody's values, in place; to everybody the same bits."""
        dist.all_reduce(values, group=self._group)
        return values

    def halves(self) -> tuple[Team, int]:
        """This process's half of a team of all, as a team of its own, and whether it is the first (0) or second (1).

        Everybody asks at the same time; who asks again gets the same.
        """
        if self._halves is None:
            first = -(-self.size // 2)
            ranks = [list(range(first)), list(range(first, self.size))]
            groups = [dist.new_group(some, timeout=_PATIENCE) for some in ranks]
            number = int(self.rank >= first)
            self._halves = (GlooTeam(groups[number]) if len(ranks[number]) > 1 else ALONE, number)
        return self._halves

    def leave(self) -> None:
        """Done with the others."""
        dist.destroy_process_group()
