"""Several processes at one computation, each with a part of the people: who has which, how their sums come together.

Everybody runs the same program on the same people. What depends on all of them is summed (`Team.sum`), so everybody
goes on with the same numbers, and one process alone is a team of one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

_PATIENCE = timedelta(minutes=30)  # a process that dies is noticed at once; this is for one that hangs
_DAYS = timedelta(days=30)  # between halves, who may go for hours without a word


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

    def halves(self) -> Half:
        """Two teams instead of one: that of this process.

        Raises:
            ValueError: one process alone has no halves.
        """
        raise ValueError("one process alone has no halves")

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
        self._half: Half | None = None
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

    def halves(self) -> Half:
        """This process's half of a team of all; of an odd number the second half has one more.

        Everybody asks at the same time; who asks again gets the same.
        """
        if self._half is None:
            middle = self.size // 2
            ranks = [list(range(middle)), list(range(middle, self.size))]
            groups = [dist.new_group(some, timeout=_PATIENCE) for some in ranks]
            there, back = (dist.new_group([0, middle], timeout=_DAYS) for _ in range(2))
            number = int(self.rank >= middle)
            team = GlooTeam(groups[number]) if len(ranks[number]) > 1 else ALONE
            self._half = Half(team, number == 0, Channel(there, 0), Channel(back, middle))
        return self._half

    def leave(self) -> None:
        """Done with the others."""
        dist.destroy_process_group()


class Channel:
    """From the first process of one half to that of the other: tensors, in order, and nobody waits to send.

    Args:
        group: the two.
        source: who sends.
    """

    def __init__(self, group: dist.ProcessGroup, source: int):
        self._group, self._source = group, source
        self._sent: deque[tuple[Any, torch.Tensor]] = deque()
        self._next: tuple[Any, torch.Tensor] | None = None

    def send(self, values: torch.Tensor) -> None:
        """Send a tensor, which must not change any more."""
        while self._sent and self._sent[0][0].is_completed():
            self._sent.popleft()[0].wait()
        self._sent.append((self._start(values), values))

    def has_come(self, like: torch.Tensor) -> bool:
        """Whether the next tensor, of such a kind, is there."""
        if self._next is None:
            values = torch.empty_like(like)
            self._next = self._start(values), values
        return bool(self._next[0].is_completed())

    def take(self, like: torch.Tensor) -> torch.Tensor:
        """The next tensor; waits for it.

        Raises:
            RuntimeError: the sender is gone.
        """
        self.has_come(like)
        assert self._next is not None
        (work, values), self._next = self._next, None
        work.wait()
        return values

    def drain(self) -> None:
        """Wait until all that was sent has arrived."""
        while self._sent:
            self._sent.popleft()[0].wait()

    def _start(self, values: torch.Tensor) -> Any:
        return dist.broadcast(values, self._source, group=self._group, async_op=True)


@dataclass(frozen=True, slots=True)
class Half:
    """A process's place where a team works as two.

    Attributes:
        team: its half.
        is_first: whether that is the first one.
        there, back: from the first process of the first half to that of the second, and back; theirs alone to use.
    """

    team: Team
    is_first: bool
    there: Channel
    back: Channel
