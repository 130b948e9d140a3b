"""One refinement of people whose crops are at hand: rounds of fine-tuning, everybody predicted again, and the guard.

Features may lie in a file, bodies go into one, and several processes may share the work: what is held of a person is
some kilobytes, however large the network's features are.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
import torch
from torch import nn

from cliff_core.body import Body
from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.execution.rows import RowFile, Rows, RowsInMemory, Workspace
from cliff_core.execution.team import ALONE, Team
from cliff_core.execution.tensor_files import save_tensors
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.inference import Crops, Placed, Predictor, regress
from cliff_core.models.open_cliff import OpenCliff
from cliff_core.records import Estimate, SmplParams
from cliff_core.training.finetune import Finetuned, FinetuneSettings, Watch, finetune
from cliff_core.training.guard import Evidence, Verdict, judge
from cliff_core.training.supervision import AnyEdits
from cliff_core.training.taught import CHUNK, known_points
from cliff_core.training.teaching import Lesson, Teaching

_CHUNK = 512
_BETTER = 0.99  # a round whose withheld points are not at least so much nearer was the last
NUMBERS = 72 + 10 + 3 + 3  # of a body as it is kept: pose, shape, place, crop camera
_AGAIN = "predicting everybody again"

Progress = Callable[[int, int, str], None]
People = TypeVar("People", bound=Placed)


class Bodies(Sequence[Estimate]):
    """Bodies of N people, kept as numbers and made into estimates when somebody asks.

    Args:
        people: whose they are.
        numbers: (N, 88) pose, shape, place and crop camera.
        gender: of the body.
        model: what predicted them.
    """

    def __init__(self, people: Placed, numbers: RowFile | RowsInMemory, gender: str, model: str):
        self._people, self._numbers, self._gender, self._model = people, numbers, gender, model

    def __len__(self) -> int:
        return len(self._people)

    @overload
    def __getitem__(self, row: int) -> Estimate: ...

    @overload
    def __getitem__(self, row: slice) -> list[Estimate]: ...

    def __getitem__(self, row: int | slice) -> Estimate | list[Estimate]:
        """One or some."""
        rows = range(len(self))[row]
        if isinstance(rows, int):
            return self._estimates([rows])[0]
        return self._estimates(list(rows))

    def changed(self, work: Workspace, name: str, change: Callable[[slice, list[Estimate]], list[Estimate]]) -> Bodies:
        """These bodies changed some hundred at a time; kept under a name, as these are.

        Args:
            work: where to keep them.
            name: under which.
            change: from rows and their bodies to the bodies they shall be.
        """
        numbers = work.rows(name, len(self), [NUMBERS], "float64")
        for start in range(0, len(self), _CHUNK):
            rows = slice(start, min(start + _CHUNK, len(self)))
            numbers.write(start, _packed(change(rows, self[rows])))
        return Bodies(self._people, numbers, self._gender, self._model)

    def close(self) -> None:
        """Nobody asks any more."""
        self._numbers.close()

    def _estimates(self, rows: list[int]) -> list[Estimate]:
        people, found = self._people, []
        for row, numbers in zip(rows, self._numbers[np.array(rows, dtype=np.int64)].numpy(), strict=True):
            pose, betas, transl, cam = np.split(numbers, [72, 82, 85])
            params = SmplParams(pose.reshape(24, 3), betas, transl, self._gender)
            points = people.keypoints[row]
            found.append(Estimate(people.boxes[row], params, people.cameras[row], cam, points, self._model))
        return found


@dataclass(frozen=True, slots=True)
class RefinedPeople:
    """N people before and after.

    Attributes:
        prior: from photo and points, before tuning; the same as from the photo alone for models that take no points.
        refined: after tuning; not all need be finite.
        rounds: what each round of fine-tuning gave; empty where nobody supervises.
        lesson: what people without points were taught by the others; `None` where nobody was.
        evidence: that the guard saw.
        verdict: what it says.
        seconds: how long "tuning" and "predicting" took, and how much of this process's processor time.
    """

    prior: Sequence[Estimate]
    refined: Sequence[Estimate]
    rounds: tuple[Finetuned, ...]
    lesson: Lesson | None
    evidence: Evidence
    verdict: Verdict
    seconds: Mapping[str, float]

    @property
    def model(self) -> nn.Module | None:
        """The tuned network; `None` where nobody supervises."""
        if self.lesson:
            return self.lesson.model
        return self.rounds[-1].model if self.rounds else None


def refine_crops(
    model: nn.Module,
    body: Body,
    crops: Crops,
    points: torch.Tensor,
    edits: AnyEdits,
    settings: FinetuneSettings,
    rounds: int,
    progress: Progress,
    watch: Watch,
    weight: torch.Tensor,
    team: Team = ALONE,
    work: Workspace | None = None,
) -> RefinedPeople:
    """Fine-tune on all that is known of people, predict everybody again, and judge each.

    Args:
        model: from `load_cliff`; stays as it is.
        body: that it predicts.
        crops: everybody, also people of whom nothing is known; features may be rows of a file.
        points: (N, 47, 3) from `weighed_points`, what networks that take points are given.
        edits: what annotators set.
        settings: of each round.
        rounds: at most so many; a round that no longer brings withheld points nearer is not taken.
        progress: told (done, total, what).
        watch: hears the curves, may end it early.
        weight: (N, 47) how much each point supervises, 0 where it is only an input.
        team: the processes that share the work; each of them calls this with the same people.
        work: where to keep what fills the memory, and how far it is; memory alone by default.
    """
    work = work or Workspace()
    torch_body = TorchBody(body)
    marked = with_points(crops, points)
    done: list[Finetuned] = []
    begun, worked = time.monotonic(), time.process_time()
    for number in range(rounds):
        try:
            last = done[-1] if done else None
            name = f"round-{number + 1}"
            tuned = finetune(
                model, torch_body, marked, settings, progress, edits, watch, last, weight, team, work, name
            )
        except TrainingError:
            if done:
                raise
            break  # nobody supervises: everybody is predicted with the points there are
        if done and not lowest_withheld(tuned) < _BETTER * lowest_withheld(done[-1]):
            break
        done.append(tuned)
        if team.agrees(watch.should_stop()):
            break
    last = done[-1] if done else None
    refiner = last.model if last else model
    tuned_until, tuned_for = time.monotonic(), time.process_time()
    everybody = _Everybody(body, torch_body, marked, team, work, progress)
    seen = everybody.predicted(model, lambda rows: torch.zeros_like(points[rows]))
    prior = everybody.predicted(model, keep="prior")
    supervised = (weight > 0).any(1) | edits.of_anybody
    lesson = None
    if last and isinstance(refiner, OpenCliff) and not supervised.all():
        teaching = Teaching(torch_body, marked, settings.seed, progress, watch.should_stop)
        lesson = teaching.teach(refiner, (weight > 0).any(1), work)
        lesson = lesson if team.agrees(lesson is not None) else None
    taught = torch.zeros_like(supervised) if not lesson or not lesson.epochs else ~supervised
    refined = everybody.predicted(refiner, keep="refined", others=(lesson.model, taught) if lesson else None)
    if last is None:
        chooser = prior
    else:
        known = torch.ones(points.shape[1])
        known[: len(torch_body.known["coco23"])] = torch_body.known["coco23"].float()

        def kept(rows) -> torch.Tensor:
            return known_points(points[rows], known).masked_fill(last.withheld[rows][..., None], 0.0)

        chooser = everybody.predicted(last.chooser, kept)
    nothing = torch.full((len(crops),), torch.nan)
    evidence = Evidence(
        seen=seen.joints,
        prior=prior.joints,
        refined=refined.joints,
        chooser=chooser.joints,
        withheld_before=(done[0].withheld_before if done else nothing).numpy().astype(np.float64),
        withheld_after=(last.withheld_after if last else nothing).numpy().astype(np.float64),
        fitted=refined.error,
        weight=points[..., 2].sum(1).numpy().astype(np.float64),
        betas=refined.betas,
        scale=refined.scale,
        supervised=supervised.numpy(),
        taught=taught.numpy(),
    )
    assert prior.bodies is not None
    assert refined.bodies is not None
    seconds = {"tuning": tuned_until - begun, "predicting": time.monotonic() - tuned_until}
    seconds |= {"tuning, processor": tuned_for - worked, "predicting, processor": time.process_time() - tuned_for}
    return RefinedPeople(prior.bodies, refined.bodies, tuple(done), lesson, evidence, judge(evidence), seconds)


@dataclass(frozen=True, slots=True)
class _Predicted:
    """What a network says of N people.

    Attributes:
        joints: (N, 24, 3) without translation, metres.
        error: (N,) weighted mean error of the points in crop units, NaN without any.
        betas: (N, 10), scale: (N,) of the crop camera.
        bodies: all of it, where it was to be kept.
    """

    joints: np.ndarray
    error: np.ndarray
    betas: np.ndarray
    scale: np.ndarray
    bodies: Bodies | None


@dataclass(frozen=True, slots=True)
class _Everybody:
    """Predictions of everybody, some hundred at a time, shared by a team."""

    body: Body
    torch_body: TorchBody
    marked: Crops
    team: Team
    work: Workspace
    progress: Progress

    @torch.no_grad()
    def predicted(
        self,
        model: nn.Module,
        points: Callable[[slice], torch.Tensor] | None = None,
        keep: str = "",
        others: tuple[nn.Module, torch.Tensor] | None = None,
    ) -> _Predicted:
        """Of one network.

        Args:
            model: the network.
            points: what it is given instead of all points.
            keep: a name for bodies that are to be kept.
            others: another network, and (N,) bool of whom that one is asked instead.
        """
        count, networks = len(self.marked), [(model, None)] if others is None else [(model, ~others[1]), others]
        joints, error, betas, scale = (np.empty((count, *shape)) for shape in ((24, 3), (), (10,), ()))
        numbers = self.work.rows(keep, count, [NUMBERS], "float64") if keep else None
        size = max(1, min(CHUNK, -(-count // self.team.size)))
        for everybodys, own, has_any in self.team.chunks(count, size):
            found = torch.zeros(everybodys.stop - everybodys.start, NUMBERS + 72 + 1, dtype=torch.float64)
            if has_any:
                crops = rows_of(self.marked, range(own.start, own.stop))
                if points is not None:
                    crops = replace(crops, points=points(own))
                into = own.start - everybodys.start
                for network, of_whom in networks:
                    rows = torch.arange(len(crops)) if of_whom is None else of_whom[own].nonzero()[:, 0]
                    if len(rows):
                        numbers_of_some = self._numbers(Predictor(network, self.body), rows_of(crops, rows.tolist()))
                        found[into + rows] = numbers_of_some
            self.team.sum(found)
            body, joint, errors = found.split([NUMBERS, 72, 1], 1)
            if numbers is not None:
                numbers.write(everybodys.start, body)
            joints[everybodys], error[everybodys] = joint.reshape(-1, 24, 3).numpy(), errors[:, 0].numpy()
            betas[everybodys], scale[everybodys] = body[:, 72:82].numpy(), body[:, 85].numpy()
            if keep:
                self.progress(everybodys.stop, count, _AGAIN)
        people = self.marked  # the points that the network was given are not the person's own
        bodies = None if numbers is None else Bodies(people, numbers, self.body.gender, model.name)
        return _Predicted(joints, error, betas, scale, bodies)

    def _numbers(self, predictor: Predictor, crops: Crops) -> torch.Tensor:
        """(n, 161) bodies, joints and errors."""
        found = regress(predictor.model, crops.features, crops.bbox_info, crops.points, crops.placed)
        bodies = _packed(predictor.placed_bodies(crops, *found))
        rotmat, betas, cam_crop = found
        posed = self.torch_body(rotmat, betas)
        known = torch.cat([self.torch_body.known["coco23"], torch.ones(24, dtype=torch.bool)])
        weight = crops.points[..., 2] * known
        error = (project_to_crop(posed.points(), cam_crop, crops.bbox_info) - crops.points[..., :2]).norm(dim=-1)
        total = weight.sum(1)
        errors = torch.where(total > 0, (error.clamp(max=1) * weight).sum(1) / total.clamp(min=1e-9), torch.nan)
        return torch.cat([bodies, posed.joints.flatten(1), errors[:, None]], 1)


def _packed(bodies: Sequence[Estimate]) -> torch.Tensor:
    """(n, 88) the numbers of bodies, as `Bodies` keeps them."""
    rows = [
        np.concatenate([each.params.pose_rotvec.ravel(), each.params.betas, each.params.transl, each.cam_crop])
        for each in bodies
    ]
    return torch.from_numpy(np.array(rows))


def lowest_withheld(tuned: Finetuned) -> float:
    """The lowest error of the withheld points; infinite where nothing was withheld."""
    return min((epoch.withheld for epoch in tuned.choosing if epoch.withheld is not None), default=float("inf"))


def with_points(crops: Crops, points: torch.Tensor, placed: torch.Tensor | None = None) -> Crops:
    """The same people with other points for the network; (N,) `placed`: whose are placed now, as before by default."""
    return replace(crops, points=points, placed=crops.placed if placed is None else placed)


def crops_with(placed: Placed, features: np.ndarray | Rows) -> Crops:
    """People with features that were computed before, (N, F) float32 in memory or in a file."""
    known: Any = torch.from_numpy(features) if isinstance(features, np.ndarray) else features
    return Crops(**_values(placed), features=known)


def trunk_key(predictor: Predictor) -> str:
    """A short name for what features follow from beside the crop: the trunk's weights and how they are computed."""
    digest = hashlib.sha256(f"{predictor.compute.precision}/{predictor.model.crop_spec}".encode())
    for name, value in predictor.model.state_dict().items():
        if name.startswith(("trunk.", "encoder.")):
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]


def save_model(model: nn.Module, path: Path, name: str) -> str:
    """Write a tuned network so that `load_cliff` reads it; returns the SHA-256 of its weights.

    Raises:
        OSError: it cannot be written.
    """
    model.name = name
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.numpy().tobytes())
    content = model.checkpoint() if hasattr(model, "checkpoint") else {"model": model.state_dict()}
    save_tensors(content, path)
    return digest.hexdigest()


def rows_of(crops: People, rows: Sequence[int]) -> People:
    """Some of the people."""
    values: dict[str, Any] = {}
    index = np.asarray(rows, dtype=np.int64)
    for name, value in _values(crops).items():
        values[name] = tuple(value[row] for row in rows) if isinstance(value, tuple) else value[index]
    return type(crops)(**values)


def _values(people: Placed) -> dict[str, Any]:
    return {each.name: getattr(people, each.name) for each in fields(people)}


def estimates_of(model: nn.Module, body: Body, crops: Crops, progress: Progress) -> list[Estimate]:
    """Bodies of everybody, some hundred at a time."""
    predictor, found = Predictor(model, body), list[Estimate]()
    for start in range(0, len(crops), _CHUNK):
        found += predictor.estimates(rows_of(crops, range(start, min(start + _CHUNK, len(crops)))))
        progress(len(found), len(crops), _AGAIN)
    return found
