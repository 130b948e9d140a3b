"""Several processes of this machine at one refinement, as torchrun would start them; no ports to choose.

The process that asks is the first of them. The others open the same folder, run the same program on the same people
(`refining.refine_crops`), and end when it ends, however it ends: each holds the reading end of a pipe from it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from cliff_core.body import load_body
from cliff_core.errors import TrainingError
from cliff_core.execution.rows import Workspace
from cliff_core.execution.streams import torch_threads
from cliff_core.execution.team import ALONE, GlooTeam, Team
from cliff_core.models import load_cliff
from cliff_core.training.finetune import FinetuneSettings, Watch
from cliff_core.training.refine_people import KnownPeople
from cliff_core.training.refining import Progress, RefinedPeople, refine_crops

TASK, PEOPLE, FEATURES = "task.json", "people.state", "features.rows"
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}
_PACKAGES = Path(__file__).resolve().parents[2]
_READY = "ready"


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


def refine_folder(folder: Path, team: Team, progress: Progress, watch: Watch) -> RefinedPeople:
    """Do the task of a folder as one of a team."""
    task, people = Task.load(folder), KnownPeople.load(folder / PEOPLE, folder / FEATURES)
    work = Workspace(folder, str(team.rank), token=people.token)
    return refine_known(people, task, team, work, progress, watch)


def refine_known(
    people: KnownPeople, task: Task, team: Team, work: Workspace, progress: Progress, watch: Watch
) -> RefinedPeople:
    """Do a task for people who are at hand, as one of a team."""
    model, body = load_cliff(task.model), load_body(task.body)
    crops, edits, trust = people.crops, people.edits, people.trust
    with torch_threads(task.threads) if task.threads else nullcontext():
        return refine_crops(
            model, body, crops, crops.points, edits, task.settings, task.rounds, progress, watch, trust, team, work
        )


class Crew:
    """The other processes of this machine, for as long as the block runs; `team` is this process's place among them.

    Args:
        folder: with a task and its people.
        size: processes, this one counted in; one needs no crew.

    Raises:
        TrainingError: one of them cannot start, or ended before its work was done.
    """

    def __init__(self, folder: Path, size: int):
        self._folder, self._size = folder, size
        self._others: list[subprocess.Popen] = []
        self._meeting: Path | None = None
        self.team: Team = ALONE

    def __enter__(self) -> Crew:
        """Start them and wait until all are there."""
        if self._size == 1:
            return self
        if sys.platform in _LOOPBACK:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", _LOOPBACK[sys.platform])
        paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        # it stays until all have left: one who comes last would wait at a new one for ever
        meeting = self._meeting = self._folder / f"meeting-{uuid.uuid4().hex}"
        for rank in range(1, self._size):
            command = [sys.executable, "-P", "-m", "cliff_core.training.crew"]
            command += [str(self._folder), str(meeting), str(rank), str(self._size)]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
            pipe = subprocess.PIPE
            other = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True, encoding="utf-8")
            self._others.append(other)
        try:
            for other in self._others:
                assert other.stdout is not None
                if other.stdout.readline().strip() != _READY:
                    raise TrainingError(self._lost() or "a worker did not start; resume takes it up again")
            self.team = self._join(meeting)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """End them; a worker that died is the reason for what went wrong here."""
        lost = self._lost() if isinstance(error, RuntimeError) else ""
        self._end(calmly=error is None)
        if lost:
            raise TrainingError(lost) from error

    def _join(self, meeting: Path) -> GlooTeam:
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
            if any(other.poll() is not None for other in self._others):
                raise TrainingError(self._lost())
        if isinstance(joined[0], GlooTeam):
            return joined[0]
        raise TrainingError(f"the workers do not find each other ({joined[0]}); leave --workers away") from joined[0]

    @property
    def others(self) -> list[int]:
        """Process numbers of the other ones."""
        return [other.pid for other in self._others]

    def _lost(self) -> str:
        """Who ended too early."""
        for rank, other in enumerate(self._others, 1):
            with suppress(subprocess.TimeoutExpired):
                code = other.wait(2.0)
                how = f"killed by signal {-code}" if code < 0 else f"with exit code {code}"
                return f"worker {rank} of {self._size} ended ({how}); resume takes the job up again"
        return ""

    def _end(self, *, calmly: bool = False) -> None:
        if isinstance(self.team, GlooTeam):
            with suppress(RuntimeError):
                self.team.leave()
        self.team = ALONE
        for other in self._others:
            if calmly:
                with suppress(subprocess.TimeoutExpired):
                    other.wait(10.0)
            other.kill()
            other.wait()
            for pipe in (other.stdin, other.stdout):
                assert pipe is not None
                pipe.close()
        self._others.clear()
        if self._meeting is not None:
            with suppress(OSError):
                self._meeting.unlink(missing_ok=True)


def main(folder: str, meeting: str, rank: str, size: str) -> None:
    """A process of a crew, from its start to its end."""
    threading.Thread(target=_end_with_the_first, name="pipe", daemon=True).start()
    print(_READY, flush=True)
    team = GlooTeam.join(Path(meeting), int(rank), int(size))
    refine_folder(Path(folder), team, lambda done, total, text: None, Watch())
    team.leave()


def _end_with_the_first() -> None:
    os.read(0, 1)  # nothing comes but the end
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
