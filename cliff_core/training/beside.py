"""Both tuning runs at the same time, by half of a team each: one chooses how long to tune, one tunes with all points.

One after the other, all would share each step, and wait for each other's gradients thousands of times; most of what a
step costs does not become less by that. Beside each other nobody waits. The first half does the steps of the run that
chooses, and sends its weights after each epoch. The second half measures these and says when it is over; in between it
tunes with all points, never further than the last epoch that was a good one to end with. Where it does not keep up,
the first half measures what it sends. So both have about as much to do, little is in vain, and the numbers are those of
one run after the other.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Any, NamedTuple

import torch
from torch import nn

from cliff_core.execution.team import Half
from cliff_core.training.choosing import ALL_POINTS, CHOOSING, Choice, Epoch, last_good_epoch
from cliff_core.training.tuning import Run, Tuning, put_weights, weights_of

_AHEAD = 6  # epochs that wait to be measured, at most
_LOOK_EVERY_S = 0.02
_STAGES = (CHOOSING, ALL_POINTS)
_END = -1.0  # in place of a stage: nothing more is to come
_NUMBERS = 4  # of an epoch
_WORD = torch.zeros(_NUMBERS + 3, dtype=torch.float64)  # stage, epoch, whether it is over, whether saved


class Both(NamedTuple):
    """What one run after the other gives.

    Attributes:
        chooser, choosing: model and curve of the run that chooses.
        of_person: (2, N) each person's error of the withheld points, before and by the chooser.
        tuned, final: model and curve of the run with all points.
    """

    chooser: nn.Module
    choosing: list[Epoch]
    of_person: torch.Tensor
    tuned: nn.Module
    final: list[Epoch]


def tune_beside(
    tuning: Tuning, first: nn.Module, second: nn.Module, withheld: torch.Tensor, name: str, key: str
) -> Both:
    """Tune a copy with points withheld until their error is flat, and another with all points for as long.

    Args:
        tuning: of whom, how, by which team; each of it calls this at the same time.
        first, second: to start from.
        withheld: (N, 47) bool points that the first is not given.
        name: under which states are remembered.
        key: what they follow from.
    """
    team, half = tuning.team, tuning.team.halves()
    name = f"{name}-{'choosing' if half.is_first else 'all'}-beside"
    known = tuning.work.recall(name)
    known = known if known.get("key") == key else {}
    levels = torch.zeros(2)  # what the first half has done, and what the second has measured of that
    if half.team.leads:
        levels[0 if half.is_first else 1] = known.get("number", 0 if half.is_first else -1)
    done, measured = (int(each) for each in team.sum(levels).tolist())
    if done > measured:  # what was sent in between is lost
        known, measured = {}, -1
    count, epochs = len(tuning.people), tuning.settings.epochs
    curves = torch.zeros(2, epochs + 1, 4, dtype=torch.float64)
    of_person, weights = torch.zeros(2, count), torch.zeros(2, len(weights_of(first)))
    if half.is_first:
        run = Run(tuning, first, withheld, half.team)
        _First(tuning, half, run, measured, name, key).step(known)
        run.end()
    else:
        judge = Run(tuning, first, withheld, half.team, "judged-prior")
        own = Run(tuning, second, None, half.team)
        follower = _Second(tuning, half, judge, own, name, key)
        follower.follow(known)
        if half.team.leads:
            choice = follower.choice
            assert choice.kept is not None
            curves = torch.stack([_rows(choice.curve, epochs), _rows(follower.curve, epochs)])
            of_person, weights = torch.stack([choice.before, choice.after]), torch.stack([choice.kept, own.weights()])
        judge.end()
        own.end()
    choosing, final = (_curve(each) for each in team.sum(curves))
    chooser, tuned = (_copy(*each) for each in zip((first, second), team.sum(weights), strict=True))
    return Both(chooser, choosing, team.sum(of_person), tuned, final)


class _Sent(NamedTuple):
    """What the first half sends after an epoch.

    Attributes:
        weights: of then.
        number: of the epoch.
        saves: whether both are to remember how far they are.
        measured: the row of the curve and (N,) each person's error of the withheld points, if the first half did it.
        ends: whether it is the last word, and says nothing else.
    """

    weights: torch.Tensor
    number: int
    saves: bool
    measured: tuple[Epoch, torch.Tensor] | None
    ends: bool


class _First:
    """The half that does the steps of the run that chooses; its first process speaks for it, and hears how it goes.

    Args:
        tuning: both runs.
        half: this process's place.
        run: that chooses.
        measured: what the other half has measured already.
        name, key: of what is remembered.
    """

    def __init__(self, tuning: Tuning, half: Half, run: Run, measured: int, name: str, key: str):
        self._tuning, self._half, self._run, self._measured = tuning, half, run, measured
        self._name, self._key = name, key
        self._is_over = self._stops = self._has_ended = False
        self._unsaved: dict[str, Any] = {}  # to be remembered when the other half has done so

    def step(self, known: Mapping[str, Any]) -> None:
        """Step until the other half says that it is over; from what was remembered, if anything."""
        team, epochs = self._half.team, self._tuning.settings.epochs
        if known:
            self._run.go_on_from(known["run"])
        for number in range(known.get("number", 0) + 1, epochs + 1):
            if team.agrees(self._should_end()) or self._run.epoch(self._should_end):
                break
            measured = None if team.agrees(self._keeps_up(number)) else self._run.measured(number)
            if team.leads:
                self._send(number, measured)
                self._tuning.watch.look(self._run.model)
        if team.leads:
            while not (self._has_ended or self._should_stop()):
                time.sleep(_LOOK_EVERY_S)
                self._listen()
            self._half.there.send(
                torch.cat([torch.zeros_like(self._run.weights()), torch.tensor([0.0, 0.0, 0.0, 1.0])])
            )
            while not self._has_ended:
                self._hear()
            self._half.there.drain()

    def _should_stop(self) -> bool:
        self._stops = self._stops or self._tuning.watch.should_stop()
        return self._stops

    def _should_end(self) -> bool:
        if not self._half.team.leads:
            return False
        self._listen()
        return self._is_over or self._should_stop()

    def _keeps_up(self, number: int) -> bool:
        """Whether the other half has measured all that came before."""
        if self._half.team.leads:
            self._listen()
        return self._measured >= number - 1

    def _send(self, number: int, measured: tuple[Epoch, torch.Tensor] | None) -> None:
        saves = not self._unsaved and number > self._measured and self._tuning.work.is_time
        if saves:
            self._unsaved = {"key": self._key, "number": number, "run": self._run.state()}
        words = torch.tensor([number, saves, measured is not None, False], dtype=torch.float32)
        self._half.there.send(torch.cat([self._run.weights(), words]))
        if measured is not None:
            self._half.there.send(torch.cat([_row(measured[0]), measured[1].double()]))
        while number - self._measured > _AHEAD and not self._should_end():
            time.sleep(_LOOK_EVERY_S)

    def _listen(self) -> None:
        """Hear what has come."""
        while not self._has_ended and self._half.back.has_come(_WORD):
            self._hear()

    def _hear(self) -> None:
        stage, *row, is_over, saved = self._half.back.take(_WORD).tolist()
        if stage == _END:
            self._has_ended = True
            return
        words, epoch = _STAGES[int(stage)], _epoch(row)
        self._tuning.watch.curve(words, epoch)
        if epoch.number:
            self._tuning.progress(epoch.number, self._tuning.settings.epochs, words)
        if words == CHOOSING:
            self._measured, self._is_over = epoch.number, self._is_over or bool(is_over)
            if saved:
                self._tuning.work.remember(self._name, self._unsaved)
                self._unsaved = {}


class _Second:
    """The half that measures the run that chooses, and tunes with all points meanwhile.

    Args:
        tuning: both runs.
        half: this process's place.
        judge: measures the run that chooses.
        own: the run with all points.
        name, key: of what is remembered.

    Attributes:
        choice: when to end.
        curve: of the run with all points.
    """

    def __init__(self, tuning: Tuning, half: Half, judge: Run, own: Run, name: str, key: str):
        self._tuning, self._half, self._judge, self._own = tuning, half, judge, own
        self._name, self._key = name, key
        self._like = torch.cat([torch.zeros_like(own.weights()), torch.zeros(4)])  # and what `_Sent` says, in its order
        self._like_measured = torch.zeros(_NUMBERS + len(tuning.people), dtype=torch.float64)
        self._has_ended = False
        self.choice = Choice(tuning.settings.patience)
        self.curve: list[Epoch] = []

    def follow(self, known: Mapping[str, Any]) -> None:
        """Measure and tune until it is over, as far as it is good; from what was remembered, if anything."""
        if known:
            self.choice.go_on_from(known["choice"])
            self._own.go_on_from(known["own"])
            self.curve = [Epoch(*values) for values in known["curve"]]
        else:
            self.choice.hear(self._judge.measured(0), self._judge.weights())
            self.curve = [self._own.measured(0)[0]]
        team, epochs, choice = self._half.team, self._tuning.settings.epochs, self.choice
        is_over = choice.is_done or choice.curve[-1].number == epochs
        for epoch in choice.curve:
            self._tell(CHOOSING, epoch, is_over=is_over and epoch is choice.curve[-1])
        for epoch in self.curve:
            self._tell(ALL_POINTS, epoch)
        stops = False
        while not (is_over or stops):
            weights, number, saves, measured, stops = self._next()
            if stops or number <= choice.curve[-1].number:
                continue
            if measured is None:
                self._judge.take_weights(weights)
                measured = self._judge.measured(number)
            choice.hear(measured, weights)
            is_over = choice.is_done or number == epochs
            if saves and team.leads:
                self._remember()
            self._tell(CHOOSING, choice.curve[-1], is_over=is_over, saved=saves)
            if not is_over and self._is_behind and not team.agrees(self._has_more()):  # the end is worth most to know
                self._go_on(lambda: False)
        while not stops and self._is_behind:
            stops = self._go_on(self._ends)
            if team.leads and self._tuning.work.is_time:
                self._remember()
        if team.leads:
            self._half.back.send(torch.tensor([_END, *[0.0] * 6], dtype=torch.float64))
            while not self._has_ended:
                self._take()
            self._half.back.drain()

    def _remember(self) -> None:
        choice, curve = self.choice.state(), [astuple(each) for each in self.curve]
        state = {"number": self.choice.curve[-1].number, "choice": choice, "curve": curve, "own": self._own.state()}
        self._tuning.work.remember(self._name, {"key": self._key, **state})

    @property
    def _is_behind(self) -> bool:
        return self.curve[-1].number < last_good_epoch(self.choice.curve)

    def _go_on(self, should_stop: Callable[[], bool]) -> bool:
        """An epoch with all points; returns whether it was to stop on the way."""
        if self._own.epoch(should_stop):
            return True
        epoch, _ = self._own.measured(self.curve[-1].number + 1)
        self.curve.append(epoch)
        self._tell(ALL_POINTS, epoch)
        return False

    def _tell(self, stage: str, epoch: Epoch, *, is_over: bool = False, saved: bool = False) -> None:
        if self._half.team.leads:
            words = [_STAGES.index(stage), *_row(epoch), is_over, saved]
            self._half.back.send(torch.tensor(words, dtype=torch.float64))

    def _next(self) -> _Sent:
        """What the other half sends next, to everybody of this one."""
        team = self._half.team
        parts = self._take() if team.leads else (torch.zeros_like(self._like), torch.zeros_like(self._like_measured))
        values, measured = (team.sum(each) for each in parts)
        number, saves, is_measured, ends = (int(each) for each in values[-4:])
        known = (_epoch(measured[:_NUMBERS].tolist()), measured[_NUMBERS:].float()) if is_measured else None
        return _Sent(values[:-4], number, bool(saves), known, bool(ends))

    def _has_more(self) -> bool:
        return self._half.team.leads and self._half.there.has_come(self._like)

    def _ends(self) -> bool:
        """Whether the other half wants no more; only asked once it is over, so weights that still come are too late."""
        while not self._has_ended and self._half.there.has_come(self._like):
            self._take()
        return self._has_ended

    def _take(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights, and what was measured of them, if it was."""
        there, measured = self._half.there, torch.zeros_like(self._like_measured)
        values = there.take(self._like)
        self._has_ended = bool(values[-1])
        if values[-2]:
            measured = there.take(self._like_measured)
        if not self._has_ended:
            there.has_come(self._like)  # what comes next may come meanwhile
        return values, measured


def _row(epoch: Epoch) -> torch.Tensor:
    """(4,) an epoch as it is sent."""
    withheld = math.nan if epoch.withheld is None else epoch.withheld
    return torch.tensor([epoch.number, epoch.fitted, withheld, epoch.prior_distance], dtype=torch.float64)


def _epoch(row: Sequence[float]) -> Epoch:
    number, fitted, withheld, apart = row
    return Epoch(int(number), fitted, None if math.isnan(withheld) else withheld, apart)


def _rows(curve: list[Epoch], epochs: int) -> torch.Tensor:
    """(epochs + 1, 4) a curve, with -1 where it has no epoch."""
    rows = torch.full((epochs + 1, 4), -1.0, dtype=torch.float64)
    for row, epoch in zip(rows, curve, strict=False):
        row.copy_(_row(epoch))
    return rows


def _curve(rows: torch.Tensor) -> list[Epoch]:
    return [_epoch(row) for row in rows.tolist() if row[0] >= 0]


def _copy(model: nn.Module, weights: torch.Tensor) -> nn.Module:
    """A copy of a model that learns no more, with other weights."""
    made = copy.deepcopy(model).eval()
    put_weights(made, weights)
    for each in made.parameters():
        each.requires_grad_(False)
    return made
