"""One tuning run over people: Adam on the head's weights, in batches, with the curves that say when to stop.

Several processes may share each batch (`execution.team`): each takes every n-th person of it, their gradients are
summed, and all take the same step. What is known of people lies in memory or in files (`execution.rows`); some hundred
are held at a time. A run that was killed goes on from the last epoch that its workspace remembers, to the same numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cliff_core.body.torch_body import TorchBody
from cliff_core.execution.rows import Workspace
from cliff_core.execution.team import Team
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import regress
from cliff_core.training.adam import Adam
from cliff_core.training.choosing import ALL_POINTS, CHOOSING, Choice, Epoch, Watch
from cliff_core.training.losses import positive_scale_loss, reprojection_loss
from cliff_core.training.taught import CHUNK, Taught

_PULL_OF_IMAGES, _PULL_OF_POINTS, _SHAPE_SHARE = 0.03, 0.3, 0.1  # the pull of shape is a tenth of that of rotations
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


def head_parameters(model: nn.Module) -> list[nn.Parameter]:
    """What tuning changes, in an order of its own."""
    return [each for name, each in model.named_parameters() if not name.startswith(("trunk.", "encoder."))]


def weights_of(model: nn.Module) -> torch.Tensor:
    """A copy of what tuning changes, in one row."""
    return torch.cat([each.detach().reshape(-1) for each in head_parameters(model)])


@torch.no_grad()
def put_weights(model: nn.Module, weights: torch.Tensor) -> None:
    """Give a model what `weights_of` one like it gave."""
    parameters = head_parameters(model)
    for each, values in zip(parameters, weights.split([each.numel() for each in parameters]), strict=True):
        each.copy_(values.view_as(each))


class Run:
    """A copy of a model on its way.

    Args:
        tuning: of whom and how.
        model: to start from; not changed.
        withheld: (N, 47) bool points that are not given; `None`: all are given.
        team: the processes that share it.
        prior: name of its first predictions, where another run goes on in the same process.
    """

    def __init__(
        self, tuning: Tuning, model: nn.Module, withheld: torch.Tensor | None, team: Team, prior: str = "tuned-prior"
    ):
        self.model = copy.deepcopy(model).eval()  # dropout and batch norm stay as in prediction
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self._parameters = head_parameters(self.model)
        self._people, self._settings, self._body = tuning.people, tuning.settings, tuning.body
        self._withheld, self._team = withheld, team
        self._optimiser = Adam(self._parameters, self._settings.learning_rate)
        self._generator = torch.Generator().manual_seed(self._settings.seed)
        self._prior = self._first_predictions(tuning.work.rows(prior, len(self._people), [_PRIOR]))

    def epoch(self, should_stop: Callable[[], bool]) -> bool:
        """A step for each batch; returns whether it was to stop on the way, which the first of the team is asked."""
        team, parameters, shared = self._team, self._parameters, None
        for parameter in parameters:
            parameter.requires_grad_(True)
        if team.size > 1:  # all gradients in one tensor, and a word whether to stop: one sum for each step
            shared = torch.zeros(sum(parameter.numel() for parameter in parameters) + 1)
            ends = torch.tensor([parameter.numel() for parameter in parameters]).cumsum(0).tolist()
            for parameter, start, end in zip(parameters, [0, *ends], ends, strict=False):
                parameter.grad = shared[start:end].view_as(parameter)
        for batch in torch.randperm(len(self._people), generator=self._generator).split(self._settings.batch):
            own = batch[team.rank :: team.size]
            stops = team.leads and should_stop()
            if shared is None:
                self._optimiser.clear()
            else:
                shared.zero_()
                shared[-1] = float(stops)
            if len(own):
                (self._loss(own) * (len(own) / len(batch))).backward()
            if shared is not None:
                stops = bool(team.sum(shared)[-1] > 0)
            if stops:
                return True
            norm = nn.utils.clip_grad_norm_(parameters, 2.0)
            if torch.isfinite(norm):  # a step into nowhere would be the last one
                self._optimiser.step()
        return False

    @torch.no_grad()
    def measured(self, number: int) -> tuple[Epoch, torch.Tensor]:
        """A row of the curve, and (N,) each person's error of the withheld points."""
        count, withheld = len(self._people), self._withheld
        of_person = torch.full((count,), torch.nan) if withheld is None else torch.zeros(count)
        sums = torch.zeros(5, dtype=torch.float64)  # errors and weights of fitted and withheld points, distances
        for some in self._own_chunks():
            rows, given = self._people.rows[some], self._people.given(some, withheld)
            first = self._prior[some]  # what it predicts before it is tuned
            bodies = self._regress(self.model, some, given) if number else first.split([216, 10, 3], 1)
            rotmat, betas, cam_crop = bodies
            rotmat = rotmat.view(-1, 24, 3, 3)
            projected = project_to_crop(self._body(rotmat, betas).points(), cam_crop, self._people.bbox_info[rows])
            # one absurd point must not choose the epoch, and a doubtful one counts less
            error = (projected - self._people.points[rows][..., :2]).norm(dim=-1).clamp(max=1)
            weight = self._people.weight[rows]
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
        self._team.sum(sums)
        if withheld is not None:
            self._team.sum(of_person)
        chooses = withheld is not None and bool(withheld.any())
        fitted_error, held_error = (float(sums[n] / sums[n + 1].clamp(min=1e-9)) for n in (0, 2))
        return Epoch(number, fitted_error, held_error if chooses else None, float(sums[4] / count)), of_person

    def weights(self) -> torch.Tensor:
        """A copy of what learns, in one row."""
        return weights_of(self.model)

    def take_weights(self, weights: torch.Tensor) -> None:
        """Go on with what `weights` gave."""
        put_weights(self.model, weights)

    def state(self) -> dict[str, Any]:
        """What a second start needs, as it is now."""
        optimiser = copy.deepcopy(self._optimiser.state())
        return {"weights": self.weights(), "optimiser": optimiser, "generator": self._generator.get_state()}

    def go_on_from(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        self.take_weights(state["weights"])
        self._optimiser.go_on_from(state["optimiser"])
        self._generator.set_state(state["generator"])

    def end(self) -> nn.Module:
        """The model as it is; it learns no more."""
        for parameter in self._parameters:
            parameter.requires_grad_(False)
            parameter.grad = None
        self._prior.close()
        return self.model

    @torch.no_grad()
    def _first_predictions(self, rows: Any) -> Any:
        """(N, 229) what it predicts as it is; every process needs all of them, and computes its share."""
        numbers = torch.arange(len(self._people))
        for everybodys, own, has_any in self._team.chunks(len(numbers), self._at_once):
            found = torch.zeros(everybodys.stop - everybodys.start, _PRIOR)
            if has_any:
                some = numbers[own]
                parts = self._regress(self.model, some, self._people.given(some, self._withheld))
                into = slice(own.start - everybodys.start, own.stop - everybodys.start)
                found[into] = torch.cat([each.flatten(1) for each in parts], 1)
            rows.write(everybodys.start, self._team.sum(found))
        return rows

    def _regress(self, model: nn.Module, some: torch.Tensor, given: torch.Tensor):
        rows, people = self._people.rows[some], self._people
        return regress(model, people.features[rows], people.bbox_info[rows], given, people.placed[rows])

    def _loss(self, some: torch.Tensor) -> torch.Tensor:
        settings, pull, rows = self._settings, self._settings.pull(self.model), self._people.rows[some]
        edits, given = self._people.edits[rows], self._people.given(some, self._withheld)
        weight = self._people.weight[rows] * (given[..., 2] > 0)
        rotmat, betas, cam_crop = self._regress(self.model, some, given)
        projected = project_to_crop(self._body(rotmat, betas).points(), cam_crop, self._people.bbox_info[rows])
        prior_rotmat, prior_betas, _ = self._prior[some].split([216, 10, 3], 1)
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

    def _own_chunks(self) -> Iterator[torch.Tensor]:
        """Numbers of the people whom this process measures, some hundred at a time."""
        numbers = torch.arange(len(self._people))
        for _, own, has_any in self._team.chunks(len(numbers), self._at_once):
            if has_any:
                yield numbers[own]

    @property
    def _at_once(self) -> int:
        """People whom each process takes at once where no gradient is needed."""
        return max(1, min(CHUNK, -(-len(self._people) // self._team.size)))


@dataclass(frozen=True, slots=True)
class Tuning:
    """Tuning of people.

    Attributes:
        body: the model's.
        people: who supervise.
        settings: how.
        team: the processes that share it.
        work: where it keeps what it would not hold in memory, and how far it is.
        progress: told (epoch, epochs, what).
        watch: hears the curves, may end it early.
    """

    body: TorchBody
    people: Taught
    settings: FinetuneSettings
    team: Team
    work: Workspace
    progress: Callable[[int, int, str], None]
    watch: Watch

    def tune(
        self, model: nn.Module, epochs: int, withheld: torch.Tensor | None, name: str, key: str
    ) -> tuple[nn.Module, list[Epoch], torch.Tensor]:
        """Tune a copy for some epochs; with withheld points, as long as their error falls.

        Args:
            model: to start from.
            epochs: at most so many.
            withheld: (N, 47) bool points that are not given; `None`: all are given.
            name: under which its state is remembered.
            key: what the state follows from; one of another key is not gone on from.

        Returns:
            The copy as it was when that error was flat (without withheld points: as it is at the end), the curve, and
            (2, N) each person's error of the withheld points before and after.
        """
        run, choice = Run(self, model, withheld, self.team), Choice(self.settings.patience)
        stage = ALL_POINTS if withheld is None else CHOOSING
        chooses = withheld is not None and bool(withheld.any())
        known, watch = self.work.recall(name), self.watch
        if known.get("key") == key:
            run.go_on_from(known["run"])
            choice.go_on_from(known["choice"])
        else:
            choice.hear(run.measured(0), run.weights() if chooses else None)
        for epoch in choice.curve:
            watch.curve(stage, epoch)
        for number in range(choice.curve[-1].number + 1, epochs + 1):
            if choice.is_done or self.team.agrees(watch.should_stop()) or run.epoch(watch.should_stop):
                break
            choice.hear(run.measured(number), run.weights() if chooses else None)
            watch.curve(stage, choice.curve[-1])
            self.progress(number, epochs, stage)
            if self.team.leads and stage == CHOOSING:
                watch.look(run.model)
            if self.team.leads and self.work.is_time:
                self.work.remember(name, {"key": key, "run": run.state(), "choice": choice.state()})
        if choice.kept is not None:
            run.take_weights(choice.kept)
        return run.end(), choice.curve, torch.stack([choice.before, choice.after])
