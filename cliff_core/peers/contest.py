"""All methods on the same people: same network, same body, same camera, same points.

What a method starts from is computed once, and its time counts for everybody who starts there. Times are of the
processor (one core), so that other work on the machine does not count; features are given to all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from cliff_core.body import Body
from cliff_core.body.torch_body import TorchBody
from cliff_core.inference import PLACED_ERROR, Crops, Predictor
from cliff_core.models.open_cliff import confidence_of
from cliff_core.peers.bodies import CropBodies
from cliff_core.peers.eft import EftSettings, fit_eft
from cliff_core.peers.kitro import KitroSettings, fit_kitro
from cliff_core.peers.smplify import YAWS_DEG, SmplifySettings, fit_smplify
from cliff_core.records import Estimate
from cliff_core.training.finetune import FinetuneSettings, Watch
from cliff_core.training.polishing import polish_people
from cliff_core.training.refining import RefinedPeople, estimates_of, refine_crops, rows_of, with_points
from cliff_core.training.supervision import PersonEdits, SparseEdits

IMAGE, POINTS = "prior, image alone", "prior, points as input"
EFT, EFT_POINTS = "EFT", "EFT, points as input too"
SMPLIFY_MEAN, SMPLIFY, SMPLIFY_POINTS = "SMPLify, mean pose", "SMPLify, image prior", "SMPLify, points prior"
KITRO, KITRO_POINTS = "KITRO, image prior", "KITRO, points prior"
TUNED, REFINED, GUARDED = "ours, tuned: image alone", "ours, re-inferred", "ours, re-inferred, guard"
POLISHED, POLISHED_GUARDED = "ours, polished", "ours, polished, guard"
POLISHED_PRIOR = "ours, polished without tuning"

PRIORS = (IMAGE, POINTS)
PEERS = (EFT, EFT_POINTS, SMPLIFY_MEAN, SMPLIFY, SMPLIFY_POINTS, KITRO, KITRO_POINTS)
OURS = (TUNED, REFINED, GUARDED, POLISHED, POLISHED_GUARDED, POLISHED_PRIOR)
METHODS = PRIORS + PEERS + OURS
SLOW = (EFT, EFT_POINTS)
"""Run on some people only, the first ones."""

EFT_SETTINGS = {False: EftSettings(1e-4), True: EftSettings(3e-5)}
"""The best of 5e-6, 3e-5, 1e-4 and 3e-4 on 24 people of another seed, for a network that sees points, or does not."""


def settings_text() -> str:
    """What every method ran with."""
    return "\n".join(
        [
            f"EFT: {EFT_SETTINGS[False]}; with points as input {EFT_SETTINGS[True]}",
            f"SMPLify: {SmplifySettings()}; from the mean pose in yaws {YAWS_DEG}",
            f"KITRO: {KitroSettings()}",
            f"ours: {_tuning(0)}; polish as in the program",
        ]
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method says of people.

    Attributes:
        estimates: of the first people; of all but for slow methods.
        seconds: of one core per person, features not counted.
    """

    estimates: list[Estimate]
    seconds: float


class Contest:
    """The methods on N people.

    Args:
        model: the prior's network; stays as it is.
        body: that it predicts.
        crops: N people with features, without points.
        points: (N, 47, 3) placed points, x, y in crop units and weight.
        seed: of our tuning; nothing else is random.
        slow_people: how many people methods of `SLOW` get.
    """

    def __init__(self, model: nn.Module, body: Body, crops: Crops, points: torch.Tensor, seed: int, slow_people: int):
        self.model, self.body, self.crops, self.points = model, body, crops, points
        self.seed, self._slow = seed, min(slow_people, len(crops))
        self._torch_body = TorchBody(body)
        confidence = points[..., 2:] * confidence_of(PLACED_ERROR)
        self._marked = with_points(crops, torch.cat([points[..., :2], confidence], -1), (points[..., 2] > 0).any(1))

    def run(self, name: str) -> Outcome:
        """One of `METHODS`."""
        if name in PRIORS:
            estimates, seconds = self._image if name == IMAGE else self._with_points
            return Outcome(estimates, seconds / len(self.crops))
        if name in SLOW:
            return self._eft(name == EFT_POINTS)
        return self._ours(name) if name in OURS else self._fit(name)

    @cached_property
    def _image(self) -> tuple[list[Estimate], float]:
        return _timed(lambda: estimates_of(self.model, self.body, self.crops, _silent))

    @cached_property
    def _with_points(self) -> tuple[list[Estimate], float]:
        return _timed(lambda: estimates_of(self.model, self.body, self._marked, _silent))

    @cached_property
    def _refined(self) -> tuple[RefinedPeople, float]:
        count = len(self.crops)
        return _timed(
            lambda: refine_crops(
                self.model,
                self.body,
                self._marked,
                self._marked.points,
                SparseEdits.none(count),
                _tuning(self.seed),
                1,
                _silent,
                Watch(),
                self.points[..., 2],
            )
        )

    @cached_property
    def _polished(self) -> tuple[list[Estimate], float]:
        people, seconds = self._refined
        polished, more = _timed(lambda: self._polish(people.refined))
        return polished, seconds + more

    def _polish(self, estimates: Sequence[Estimate]) -> list[Estimate]:
        count = len(self.crops)
        nothing_set = [PersonEdits({}, {}) for _ in range(count)]
        finite = [row for row in range(count) if np.isfinite(estimates[row].params.pose_rotvec).all()]
        return polish_people(
            self.body, self._marked, self.points[..., 2], estimates, nothing_set, finite, _silent, _never
        )

    def _ours(self, name: str) -> Outcome:
        count = len(self.crops)
        if name == POLISHED_PRIOR:
            estimates, before = self._with_points
            polished, seconds = _timed(lambda: self._polish(estimates))
            return Outcome(polished, (before + seconds) / count)
        people, seconds = self._refined
        if name == TUNED:
            model = people.model or self.model
            estimates, more = _timed(lambda: estimates_of(model, self.body, self.crops, _silent))
            return Outcome(estimates, (seconds + more) / count)
        refined = people.refined
        if name in (POLISHED, POLISHED_GUARDED):
            refined, seconds = self._polished
        if name in (GUARDED, POLISHED_GUARDED):
            takes = people.verdict.takes_refined
            refined = [mine if take else old for mine, old, take in zip(refined, people.prior, takes, strict=True)]
        return Outcome(list(refined), seconds / count)

    def _eft(self, sees_points: bool) -> Outcome:
        rows = range(self._slow)
        crops, points = rows_of(self._marked if sees_points else self.crops, rows), self.points[: self._slow]
        bodies, seconds = _timed(
            lambda: fit_eft(self.model, self._torch_body, crops, points, EFT_SETTINGS[sees_points])
        )
        return Outcome(self._estimates(bodies, crops), seconds / len(crops))

    def _fit(self, name: str) -> Outcome:
        body, crops, points = self._torch_body, self.crops, self.points
        if name == SMPLIFY_MEAN:
            bodies, seconds = _timed(lambda: fit_smplify(body, crops, points))
            return Outcome(self._estimates(bodies, crops), seconds / len(crops))
        estimates, before = self._image if name in (SMPLIFY, KITRO) else self._with_points
        fit = fit_kitro if name in (KITRO, KITRO_POINTS) else fit_smplify
        bodies, seconds = _timed(lambda: fit(body, crops, points, CropBodies.of(estimates)))
        return Outcome(self._estimates(bodies, crops), (before + seconds) / len(crops))

    def _estimates(self, bodies: CropBodies, crops: Crops) -> list[Estimate]:
        return Predictor(self.model, self.body).placed_bodies(crops, bodies.rotmat, bodies.betas, bodies.cam_crop)


def _tuning(seed: int) -> FinetuneSettings:
    """As `refine` of the program tunes."""
    return FinetuneSettings(seed=seed, min_points=1)


def _timed(work: Callable):
    """What it gives, and seconds of the processor."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def _silent(done: int, total: int, text: str) -> None:
    """Nobody looks on."""


def _never() -> bool:
    return False
