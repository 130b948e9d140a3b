"""A refinement whose first process is elsewhere: it tells its news and leaves its outcome in the task's folder."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cliff_core.body import load_body
from cliff_core.execution.ray_engine import train_with_ray
from cliff_core.execution.rows import RowFile
from cliff_core.execution.team import GlooTeam, Team
from cliff_core.execution.tensor_files import save_tensors
from cliff_core.models import load_cliff
from cliff_core.training.crew import Task, refine_folder
from cliff_core.training.finetune import Epoch, Finetuned, Watch
from cliff_core.training.guard import Evidence, judge
from cliff_core.training.refine_people import KnownPeople
from cliff_core.training.refining import NUMBERS, Bodies, Progress, RefinedPeople
from cliff_core.training.teaching import Lesson

_NEWS, _STOP, _OUTCOME = "news.jsonl", "stop", "outcome.pt"
_OF_LESSON = ("epochs", "people", "before_mm", "after_mm")
_LOOK_EVERY_S = 0.5


def refine_with_ray(
    folder: Path, known: KnownPeople, task: Task, workers: int, progress: Progress, watch: Watch
) -> RefinedPeople:
    """Do the task of a folder on a cluster.

    Args:
        folder: where `task` and `known` were saved; seen by all machines under this path.
        known: the people.
        task: what is done.
        workers: how many; 0: as many as the cluster has processors for.
        progress: told (done, total, what).
        watch: hears the curves, may end it early.

    Raises:
        TrainingError: Ray is not there, or a worker ended too early.
    """
    for name in (_NEWS, _STOP, _OUTCOME):
        (folder / name).unlink(missing_ok=True)
    problem: list[BaseException] = []

    def train() -> None:
        try:
            train_with_ray(_work, folder, workers)
        except BaseException as error:
            problem.append(error)

    thread = threading.Thread(target=train, name="ray", daemon=True)
    thread.start()
    heard = _Heard(folder / _NEWS, progress, watch)
    while thread.is_alive():
        thread.join(_LOOK_EVERY_S)
        if watch.should_stop():
            (folder / _STOP).touch()
        heard.listen()
    heard.listen()
    if problem:
        raise problem[0]
    return _read(folder, known, task)


def _work(config: Mapping[str, str]) -> None:
    refine_and_leave(Path(config["folder"]), GlooTeam())


def refine_and_leave(folder: Path, team: Team) -> None:
    """What each process of the cluster does."""
    told = (folder / _NEWS).open("a", encoding="utf-8") if team.leads else None

    def tell(**news: Any) -> None:
        if told is not None:
            told.write(json.dumps(news) + "\n")
            told.flush()

    watch = Watch(
        lambda stage, epoch: tell(stage=stage, epoch=asdict(epoch)),
        lambda: (folder / _STOP).exists(),
    )
    people = refine_folder(folder, team, lambda done, total, text: tell(progress=[done, total, text]), watch)
    if told is None:
        return
    told.close()
    state: dict[str, Any] = {each.name: _tensor(getattr(people.evidence, each.name)) for each in fields(Evidence)}
    state["seconds"] = dict(people.seconds)
    state["rounds"] = [
        {
            "chosen": each.chosen_epochs,
            "choosing": [asdict(epoch) for epoch in each.choosing],
            "final": [asdict(epoch) for epoch in each.final],
        }
        for each in people.rounds
    ]
    if people.lesson is not None:
        state["lesson"] = {name: getattr(people.lesson, name) for name in _OF_LESSON}
    if people.model is not None:
        state["weights"] = people.model.state_dict()
    save_tensors(state, folder / _OUTCOME)


def _read(folder: Path, known: KnownPeople, task: Task) -> RefinedPeople:
    """What the first process left, and the guard's word on it."""
    state = torch.load(folder / _OUTCOME, weights_only=True)
    evidence = Evidence(**{each.name: state[each.name].numpy() for each in fields(Evidence)})
    model, body = load_cliff(task.model), load_body(task.body)
    prior, refined = (
        Bodies(known.crops, RowFile(folder / f"{name}-0.rows", [NUMBERS], "float64"), body.gender, model.name)
        for name in ("prior", "refined")
    )
    if "weights" in state:
        model.load_state_dict(state["weights"])
    nothing = torch.zeros(0)
    rounds = tuple(
        Finetuned(
            model,
            each["chosen"],
            tuple(Epoch(**epoch) for epoch in each["choosing"]),
            tuple(Epoch(**epoch) for epoch in each["final"]),
            model,
            nothing,
            nothing,
            nothing,
        )
        for each in state["rounds"]
    )
    lesson = Lesson(model, **state["lesson"]) if "lesson" in state else None
    return RefinedPeople(prior, refined, rounds, lesson, evidence, judge(evidence), state["seconds"])


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))


class _Heard:
    """Passes on what the first process tells."""

    def __init__(self, path: Path, progress: Progress, watch: Watch):
        self._path, self._progress, self._watch, self._read_to = path, progress, watch, 0

    def listen(self) -> None:
        """Everything that was told since; half a line waits for its other half."""
        if not self._path.exists():
            self._progress(0, 0, "starting workers on the cluster")
            return
        with self._path.open("rb") as stream:
            stream.seek(self._read_to)
            whole, _, _ = stream.read().rpartition(b"\n")
        if not whole:
            return
        self._read_to += len(whole) + 1
        for line in whole.splitlines():
            news = json.loads(line)
            if "epoch" in news:
                self._watch.curve(news["stage"], Epoch(**news["epoch"]))
            else:
                self._progress(*news["progress"])
