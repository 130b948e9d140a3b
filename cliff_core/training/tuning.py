"""One tuning run over people: Adam on the head's weights, in batches, with the curves that say when to stop.

Several processes may share each batch (`execution.team`): each takes every n-th person of it, their gradients are
summed, and all take the same step. What is known of people lies in memory or in files (`execution.rows`); some hundred
are held at a time. A run that was killed goes on from the last epoch that its workspace remembers, to the same numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import torch
from torch import nn

from cliff_core.body.torch_body import TorchBody
from cliff_core.execution.rows import Workspace
from cliff_core.execution.team import Team
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import regress
from cliff_core.training.adam import Adam
from cliff_core.training.beside import Beside
from cliff_core.training.losses import positive_scale_loss, reprojection_loss
from cliff_core.training.taught import CHUNK, Taught

FLAT = 1.01
_PULL_OF_IMAGES, _PULL_OF_POINTS, _SHAPE_SHARE = 0.03, 0.3, 0.1  # the pull of shape is a tenth of that of rotations
CHOOSING, ALL_POINTS = "choosing how long to tune", "tuning with all points"
_HEARS_EVERY = 8  # steps
_PRIOR = 216 + 10 + 3  # numbers of a body: rotations, shape, crop camera


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """How to tune.

    Attributes:
        epochs: at most so many.
        patience: stop after so many epochs without a better error of the withheld points.
        batch: people per step.
        learning_rate: of Adam.
        prior_weight: pull of rotations towards the first predictions (of shape a tenth of it); by default 0.03 for
            networks that see the image alone, and 0.3 for those that take points: their first predictions know the
            points already, and a looser hold fits the points' noise. On 229 rendered people, PA-MPJPE before / at 0.03
            / at 0.3: COCO-17 with 5 px noise 72.5 / 78.5 / 73.1 mm, exact SMPL-24 49.5 / 45.9 / 48.3 (the polish
            makes up for the difference).
        withheld_share: share of each person's points that is withheld while the epoch is chosen.
        min_points: people with fewer points are predicted, but do not supervise.
        unwatched_epochs: how long to tune where no point can be withheld.
        rotation_edit_weight, betas_edit_weight, cam_edit_weight: pull towards what annotators set.
        seed: of the withheld points and the order of people.
    """

    epochs: int = 60
    patience: int = 8
    batch: int = 64
    learning_rate: float = 1e-4
    prior_weight: float | None = None
    withheld_share: float = 0.2
    min_points: int = 4
    unwatched_epochs: int = 15
    rotation_edit_weight: float = 1.0
    betas_edit_weight: float = 0.1
    cam_edit_weight: float = 5.0
    seed: int = 0

    def pull(self, model: nn.Module) -> float:
        """`prior_weight`, or the usual one for such a network."""
        if self.prior_weight is not None:
            return self.prior_weight
        return _PULL_OF_POINTS if getattr(model, "takes_keypoints", False) else _PULL_OF_IMAGES


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


def _nothing(stage: str, epoch: Epoch) -> None:
    """Nobody watches the curves."""


def _never() -> bool:
    """Nobody stops it early."""
    return False


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on while it tunes.

    Attributes:
        curve: told each row of the curves, with the stage (`CHOOSING`, `ALL_POINTS`) it belongs to.
        should_stop: whether to end early and keep the best so far.
    """

    curve: Callable[[str, Epoch], None] = field(default=_nothing)
    should_stop: Callable[[], bool] = field(default=_never)


def last_good_epoch(curve: Sequence[Epoch]) -> int:
    """The last epoch whose withheld error is about the lowest: tuning stops when it is flat, not at a lucky dip."""
    errors = {epoch.number: epoch.withheld for epoch in curve if epoch.withheld is not None}
    return max(number for number, error in errors.items() if error <= FLAT * min(errors.values()))


def head_parameters(model: nn.Module) -> list[nn.Parameter]:
    """What tuning changes, in an order of its own."""
    return [each for name, each in model.named_parameters() if not name.startswith(("trunk.", "encoder."))]


class Tuning:
    """A tuning run over people.

    Args:
        body: the model's.
        people: who supervise.
        settings: how.
        team: the processes that share it.
        work: where it keeps what it would not hold in memory, and how far it is.
    """

    def __init__(self, body: TorchBody, people: Taught, settings: FinetuneSettings, team: Team, work: Workspace):
        self.body, self.people, self.settings, self.team, self.work = body, people, settings, team, work

    def tune(
        self,
        model: nn.Module,
        epochs: int,
        withheld: torch.Tensor | None,
        progress: Callable[[int, int, str], None],
        watch: Watch,
        name: str,
        key: str,
        beside: Beside | None = None,
    ) -> tuple[nn.Module, list[Epoch], torch.Tensor]:
        """Tune a copy for some epochs; with withheld points, as long as their error falls.

        Args:
            model: to start from.
            epochs: at most so many.
            withheld: (N, 47) bool points that are not given; `None`: all are given.
            progress: told (epoch, epochs, what).
            watch: hears the curves, may end it early.
            name: under which its state is remembered.
            key: what the state follows from; one of another key is not gone on from.
            beside: another half of the team does the other run meanwhile, and what one says of an epoch goes for both.

        Returns:
            The copy as it was when that error was flat (without withheld points, and nobody beside: as it is at the
            end), the curve, and (2, N) each person's error of the withheld points before and after.
        """
        tuned, parameters = self._copy(model)
        optimiser = Adam(parameters, self.settings.learning_rate)
        generator = torch.Generator().manual_seed(self.settings.seed)
        stage = ALL_POINTS if withheld is None else CHOOSING
        chooses = withheld is not None and bool(withheld.any())
        agrees = self.team.agrees if beside is None else beside.agrees
        prior = self._prior(model, withheld)
        known = self.work.recall(name)
        goes_on = known.get("key") == key
        if beside is not None and not beside.is_level(known["curve"][-1][0] if goes_on else -1):
            goes_on = False
        if goes_on:
            state = known
            curve = [Epoch(*values) for values in state["curve"]]
            _copy_into(parameters, state["parameters"])
            optimiser.go_on_from(state["optimiser"])
            generator.set_state(state["generator"])
            kept, before, after = state["kept"], state["before"], state["after"]
            for epoch in curve:
                watch.curve(stage, epoch)
        else:
            epoch, before = self._measure(tuned, withheld, prior, 0)
            curve, after = [epoch], before
            kept = None if beside is None and not chooses else _copied(parameters)
            watch.curve(stage, epoch)
        is_done = goes_on and bool(known["is_done"])

        def remember(*, is_done: bool) -> None:
            if self.team.leads:
                state = {"key": key, "curve": [astuple(each) for each in curve], "generator": generator.get_state()}
                state |= {"parameters": [parameter.detach() for parameter in parameters], "kept": kept}
                state |= {"optimiser": optimiser.state(), "before": before, "after": after, "is_done": is_done}
                self.work.remember(name, state)

        for number in range(curve[-1].number + 1, epochs + 1):
            if is_done or agrees(watch.should_stop()):
                break
            if self._epoch(tuned, parameters, optimiser, generator, withheld, prior, watch, beside):
                break
            epoch, of_person = self._measure(tuned, withheld, prior, number)
            curve.append(epoch)
            watch.curve(stage, epoch)
            progress(number, epochs, stage)
            keeps, is_time = True, self.work.is_time
            if chooses:
                best = min(curve, key=_withheld)
                keeps = _withheld(epoch) <= FLAT * _withheld(best)  # so the last one kept is that of `last_good_epoch`
                is_done = number - best.number >= self.settings.patience
            if beside is not None:
                word = beside.tell(epoch.fitted, epoch.prior_distance, keeps=keeps, is_done=is_done, is_time=is_time)
                keeps, is_done, is_time = word.keeps, word.is_done, word.is_time
                if beside.chooses:
                    watch.curve(ALL_POINTS, Epoch(number, word.fitted, None, word.apart))
            if keeps:
                after, kept = of_person, None if kept is None else _copied(parameters)
            if is_time:
                remember(is_done=is_done)
        for parameter in tuned.parameters():
            parameter.requires_grad_(False)
        if kept is not None:
            _copy_into(parameters, kept)
        prior.close()
        return tuned, curve, torch.stack([before, after])

    def _copy(self, model: nn.Module) -> tuple[nn.Module, list[nn.Parameter]]:
        """A copy to tune and its parameters that learn."""
        tuned = copy.deepcopy(model).eval()  # dropout and batch norm stay as in prediction
        for parameter in tuned.parameters():
            parameter.requires_grad_(False)
        parameters = head_parameters(tuned)
        for parameter in parameters:
            parameter.requires_grad_(True)
        return tuned, parameters

    def _prior(self, model: nn.Module, withheld: torch.Tensor | None) -> Any:
        """(N, 229) the first predictions; every process needs all of them, and computes its share."""
        rows, numbers = self.work.rows("prior", len(self.people), [_PRIOR]), torch.arange(len(self.people))
        with torch.no_grad():
            for everybodys, own, has_any in self.team.chunks(len(numbers), self._at_once):
                found = torch.zeros(everybodys.stop - everybodys.start, _PRIOR)
                if has_any:
                    some = numbers[own]
                    parts = self._regress(model, some, self.people.given(some, withheld))
                    into = slice(own.start - everybodys.start, own.stop - everybodys.start)
                    found[into] = torch.cat([each.flatten(1) for each in parts], 1)
                rows.write(everybodys.start, self.team.sum(found))
        return rows

    def _regress(self, model: nn.Module, some: torch.Tensor, given: torch.Tensor):
        rows = self.people.rows[some]
        people = self.people
        return regress(model, people.features[rows], people.bbox_info[rows], given, people.placed[rows])

    def _epoch(
        self, tuned, parameters, optimiser, generator, withheld, prior, watch: Watch, beside: Beside | None
    ) -> bool:
        """A step for each batch; returns whether it was to stop on the way."""
        team, shared = self.team, None
        if team.size > 1:  # all gradients in one tensor, and a word whether to stop: one sum for each step
            shared = torch.zeros(sum(parameter.numel() for parameter in parameters) + 1)
            ends = torch.tensor([parameter.numel() for parameter in parameters]).cumsum(0).tolist()
            for parameter, start, end in zip(parameters, [0, *ends], ends, strict=False):
                parameter.grad = shared[start:end].view_as(parameter)
        batches = torch.randperm(len(self.people), generator=generator).split(self.settings.batch)
        for number, batch in enumerate(batches):
            own = batch[team.rank :: team.size]
            stops = team.leads and watch.should_stop()
            if beside is not None:  # the other half hears of it now and then
                stops = number % _HEARS_EVERY == 0 and beside.agrees(stops)
            if shared is None:
                optimiser.clear()
            else:
                shared.zero_()
                shared[-1] = float(stops)
            if len(own):
                loss = self._loss(tuned, own, withheld, prior)
                (loss * (len(own) / len(batch))).backward()
            if shared is not None:
                stops = bool(team.sum(shared)[-1] > 0)
            if stops:
                return True
            norm = nn.utils.clip_grad_norm_(parameters, 2.0)
            if torch.isfinite(norm):  # a step into nowhere would be the last one
                optimiser.step()
        return False

    def _loss(self, tuned, some, withheld, prior):
        settings, pull, rows = self.settings, self.settings.pull(tuned), self.people.rows[some]
        edits, given = self.people.edits[rows], self.people.given(some, withheld)
        weight = self.people.weight[rows] * (given[..., 2] > 0)
        rotmat, betas, cam_crop = self._regress(tuned, some, given)
        projected = project_to_crop(self.body(rotmat, betas).points(), cam_crop, self.people.bbox_info[rows])
        prior_rotmat, prior_betas, _ = prior[some].split([216, 10, 3], 1)
        away = (rotmat - prior_rotmat.view_as(rotmat)).square().sum((2, 3)) * ~edits.rotmat_set
        set_rotmat = (rotmat - edits.rotmat).square().sum((2, 3)) * edits.rotmat_set
        set_betas = (betas - edits.betas).square() * edits.betas_set
        set_cam = (cam_crop - edits.cam_crop).square().sum(1) * edits.cam_set
        return (
            5 * reprojection_loss(projected, given[..., :2], weight, corner=0.02).mean()
            + pull * away.sum(1).mean()
            + _SHAPE_SHARE * pull * ((betas - prior_betas).square() * ~edits.betas_set).sum(1).mean()
            + settings.rotation_edit_weight * set_rotmat.sum(1).mean()
            + settings.betas_edit_weight * set_betas.sum(1).mean()
            + settings.cam_edit_weight * set_cam.mean()
            + positive_scale_loss(cam_crop)
        )

    @torch.no_grad()
    def _measure(self, tuned, withheld, prior, number: int) -> tuple[Epoch, torch.Tensor]:
        """A row of the curve, and (N,) each person's error of the withheld points."""
        count = len(self.people)
        of_person = torch.full((count,), torch.nan) if withheld is None else torch.zeros(count)
        sums = torch.zeros(5, dtype=torch.float64)  # errors and weights of fitted and withheld points, distances
        for some in self._own_chunks():
            rows, given = self.people.rows[some], self.people.given(some, withheld)
            first = prior[some]  # what it predicts before it is tuned
            rotmat, betas, cam_crop = self._regress(tuned, some, given) if number else first.split([216, 10, 3], 1)
            rotmat = rotmat.view(-1, 24, 3, 3)
            projected = project_to_crop(self.body(rotmat, betas).points(), cam_crop, self.people.bbox_info[rows])
            # one absurd point must not choose the epoch, and a doubtful one counts less
            error = (projected - self.people.points[rows][..., :2]).norm(dim=-1).clamp(max=1)
            weight = self.people.weight[rows]
            fitted = given[..., 2] > 0
            apart = (rotmat - first[:, :216].view_as(rotmat)).square().mean((1, 2, 3)).sum()
            parts = [(error * weight)[fitted].sum(), weight[fitted].sum(), *torch.zeros(2), apart]
            if withheld is not None:
                held = withheld[some]
                parts[2:4] = (error * weight)[held].sum(), weight[held].sum()
                counts = (weight * held).sum(1)
                errors = (error * weight * held).sum(1) / counts.clamp(min=1e-9)
                of_person[some] = torch.where(counts > 0, errors, torch.nan)
            sums += torch.stack(parts).double()
        self.team.sum(sums)
        if withheld is not None:
            self.team.sum(of_person)
        chooses = withheld is not None and bool(withheld.any())
        fitted_error, held_error = (float(sums[n] / sums[n + 1].clamp(min=1e-9)) for n in (0, 2))
        return Epoch(number, fitted_error, held_error if chooses else None, float(sums[4] / count)), of_person

    def _own_chunks(self) -> Iterator[torch.Tensor]:
        """Numbers of the people whom this process measures, some hundred at a time."""
        numbers = torch.arange(len(self.people))
        for _, own, has_any in self.team.chunks(len(numbers), self._at_once):
            if has_any:
                yield numbers[own]

    @property
    def _at_once(self) -> int:
        """People whom each process takes at once where no gradient is needed."""
        return max(1, min(CHUNK, -(-len(self.people) // self.team.size)))


def _withheld(epoch: Epoch) -> float:
    """Error of the withheld points, of an epoch of a run that chooses by it."""
    return float("inf") if epoch.withheld is None else epoch.withheld


def _copied(parameters: Sequence[nn.Parameter]) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


def _copy_into(parameters: Sequence[nn.Parameter], values: Sequence[torch.Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
