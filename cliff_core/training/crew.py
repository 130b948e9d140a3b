"""Several processes of this machine at one refinement, as torchrun would start them; no ports to choose.

The process that asks is the first of them. The others (`execution.companions`) open the same folder, run the same
program on the same people (`refining.refine_crops`), and end when it ends, however it ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import uuid
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from cliff_core.body import Body, load_body
from cliff_core.errors import TrainingError
from cliff_core.execution.companions import Companions, next_task
from cliff_core.execution.rows import Workspace
from cliff_core.execution.streams import torch_threads
from cliff_core.execution.team import ALONE, GlooTeam, Team
from cliff_core.models import load_cliff
from cliff_core.training.crew_start import start_crew
from cliff_core.training.finetune import FinetuneSettings, Watch
from cliff_core.training.refine_people import KnownPeople
from cliff_core.training.refining import Progress, RefinedPeople, refine_crops

TASK, PEOPLE, FEATURES = "task.json", "people.state", "features.rows"
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}


@dataclass(frozen=True, slots=True)
class Task:
    """What every process of a crew does, beside the people in its folder.

    Attributes:
        model, body: files; `None`: the bundled ones.
        settings: of the tuning.
        rounds: at most so many.
        threads: cores for each process; 0: as torch has it.
    """

    model: str | None
    body: str | None
    settings: FinetuneSettings
    rounds: int
    threads: int = 0

    def save(self, folder: Path, people: KnownPeople) -> None:
        """Put the task and its people where the others find them; the features are there.

        Raises:
            OSError: they cannot be written.
        """
        (folder / TASK).write_text(json.dumps(asdict(self)), encoding="utf-8")
        people.save(folder / PEOPLE)

    @classmethod
    def load(cls, folder: Path) -> Task:
        """What `save` wrote."""
        known = json.loads((folder / TASK).read_text(encoding="utf-8"))
        return cls(**{**known, "settings": FinetuneSettings(**known["settings"])})


Networks = tuple[nn.Module, Body]


def refine_folder(
    folder: Path, team: Team, progress: Progress, watch: Watch, networks: Networks | None = None
) -> RefinedPeople:
    """Do the task of a folder as one of a team."""
    task, people = Task.load(folder), KnownPeople.load(folder / PEOPLE, folder / FEATURES)
    work = Workspace(folder, str(team.rank), token=people.token)
    return refine_known(people, task, team, work, progress, watch, networks)


def refine_known(
    people: KnownPeople,
    task: Task,
    team: Team,
    work: Workspace,
    progress: Progress,
    watch: Watch,
    networks: Networks | None = None,
) -> RefinedPeople:
    """Do a task for people who are at hand, as one of a team; with the task's model and body, if they are at hand."""
    model, body = networks or (load_cliff(task.model), load_body(task.body))
    crops, edits, weight = people.crops, people.edits, people.weight
    with torch_threads(task.threads) if task.threads else nullcontext():
        return refine_crops(
            model, body, crops, crops.points, edits, task.settings, task.rounds, progress, watch, weight, team, work
        )


class Crew:
    """The other processes of this machine, for as long as the block runs; `team` is this process's place among them.

    Args:
        folder: with a task and its people.
        size: processes, this one counted in; one needs no crew.
        others: the other ones, where they were started before (`crew_start`).

    Raises:
        TrainingError: one of them cannot start, or ended before its work was done.
    """

    def __init__(self, folder: Path, size: int, others: Companions | None = None):
        self._folder, self._size, self._others = folder, size, others
        self._meeting: Path | None = None
        self.team: Team = ALONE

    def __enter__(self) -> Crew:
        """Start them and wait until all are there."""
        if self._size == 1:
            return self
        _choose_loopback()
        # it stays until all have left: one who comes last would wait at a new one for ever
        meeting = self._meeting = self._folder / f"meeting-{uuid.uuid4().hex}"
        try:
            if self._others is None:
                task = Task.load(self._folder)
                self._others = start_crew(self._size, task.model, task.body)
            tasks = [[str(self._folder), str(meeting), rank, self._size] for rank in range(1, self._size)]
            self._others.give(tasks)
            self.team = self._join(meeting, self._others)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """End them; a worker that died is the reason for what went wrong here."""
        lost = self._others.lost() if self._others is not None and isinstance(error, RuntimeError) else ""
        self._end(calmly=error is None)
        if lost:
            raise TrainingError(lost) from error

    def _join(self, meeting: Path, others: Companions) -> GlooTeam:
        """Meet the others; one who dies on the way is not waited for."""
        joined: list[GlooTeam | BaseException] = []

        def join() -> None:
            try:
                joined.append(GlooTeam.join(meeting, 0, self._size))
            except BaseException as error:
                joined.append(error)

        thread = threading.Thread(target=join, name="join", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            if others.has_lost_one:
                raise TrainingError(others.lost())
        if isinstance(joined[0], GlooTeam):
            return joined[0]
        raise TrainingError(f"the workers do not find each other ({joined[0]}); leave --workers away") from joined[0]

    @property
    def others(self) -> list[int]:
        """Process numbers of the other ones."""
        return [] if self._others is None else self._others.pids

    def _end(self, *, calmly: bool = False) -> None:
        team, self.team = self.team, ALONE
        if self._others is not None and not calmly:
            self._others.end()  # first: words to them that are on their way would be waited for
        if isinstance(team, GlooTeam):
            with suppress(RuntimeError):
                team.leave()
        if self._others is not None and calmly:
            self._others.end(calmly=True)
        if self._meeting is not None:
            with suppress(OSError):
                self._meeting.unlink(missing_ok=True)


def _choose_loopback() -> None:
    """Let gloo talk inside this machine alone, unless somebody said otherwise."""
    if sys.platform in _LOOPBACK:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", _LOOPBACK[sys.platform])


def main(model: str, body: str) -> None:
    """A process of a crew, from its start to its end."""
    networks = load_cliff(model or None), load_body(body or None)
    folder, meeting, rank, size = next_task()
    _choose_loopback()
    team = GlooTeam.join(Path(meeting), rank, size)
    refine_folder(Path(folder), team, lambda done, total, text: None, Watch(), networks)
    team.leave()
    sys.stdout.flush()
    os._exit(0)  # the first one waits, and there is nothing to put away


if __name__ == "__main__":
    main(*sys.argv[1:])
