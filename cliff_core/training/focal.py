"""What people say of the focal length of the camera that took them, and how sure that is.

How large a person stands in a photo fixes focal length over distance, not either of them. What tells them apart is
weak: perspective within a body, and from where those beside the axis are seen. So everybody is fitted under each of
some focal lengths; how well points, limits, pose prior and CLIFF's own prediction then go together is summed over all
people of a camera. One person says little, thirty of one camera say it to about a seventh.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from cliff_core.body import Body
from cliff_core.execution.processes import Processes
from cliff_core.execution.rows import Workspace
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.fitting.polish import PolishCase, PolishSettings, estimate_noise
from cliff_core.fitting.polish_some import costs_of
from cliff_core.inference import Crops
from cliff_core.records import Camera
from cliff_core.training.polishing import in_pixels
from cliff_core.training.refining import estimates_of, rows_of

USUAL_SPREAD = 0.4
"""Standard deviation of the logarithm of focal length over CLIFF's guess, where nothing else is known."""

_LOGS = np.linspace(-0.9, 0.9, 7)  # focal lengths that are tried, over CLIFF's guess
_FINE = np.linspace(-0.9, 0.9, 181)
_EVIDENCE = 0.5  # of the costs: residuals of one person go together more than the fit believes
_SYSTEMATIC = 0.06  # what no number of people makes better
_ENOUGH = 60  # people of one camera who are looked at
_ITERATIONS = 10
_REMEMBERED = "focals"


@dataclass(frozen=True, slots=True)
class FocalEstimate:
    """The focal length of a camera.

    Attributes:
        focal_length_px: the best guess.
        spread: standard deviation of its logarithm: 0.15 says "about 15 % more or less".
        people: of how many people it follows.
    """

    focal_length_px: float
    spread: float
    people: int


def estimate_focals(
    model: nn.Module,
    body: Body,
    crops: Crops,
    weight: torch.Tensor,
    cameras: Sequence[Sequence[int]],
    progress: Callable[[int, int, str], None],
    should_stop: Callable[[], bool] = lambda: False,
    helpers: Processes[Skeleton] | None = None,
    work: Workspace | None = None,
) -> list[FocalEstimate | None]:
    """Estimate the focal lengths of some cameras from the people whom they took.

    Args:
        model: from `load_cliff`.
        body: that it predicts.
        crops: N people with features and points; of their cameras size and principal point are believed.
        weight: (N, 47) how much each point counts.
        cameras: for each camera its people, as rows of the N; their photos have one size.
        progress: told (done, total, what).
        should_stop: whether to leave the rest.
        helpers: processes that know the body's skeleton and share the work; this one by default.
        work: where to remember the cameras that are done, whose `token` says what features follow from; nowhere by
            default.

    Returns:
        One for each camera; `None` where nobody has points, or where it was to stop before.
    """
    has_points = (weight > 0).any(1).numpy()
    asked = [_some([row for row in rows if has_points[row]]) for rows in cameras]
    everybody = [row for rows in asked for row in rows]
    if not everybody:
        return [None] * len(cameras)
    helpers, sample = helpers or Processes(1, partial(Skeleton, body)), _some(everybody)
    cases = _cases(model, body, crops, weight, sample, 0.0)
    noise_m = estimate_noise(helpers.shared, cases, over=helpers.map)
    settings = PolishSettings(noise_m=noise_m, depth_sides=False, iterations=_ITERATIONS)
    work, key = work or Workspace(), _key(model, crops, weight, asked)
    found: list[FocalEstimate | None] = [None] * len(cameras)
    known = work.recall(_REMEMBERED)
    known = known if known.get("key") == f"{key}/{work.token}" else {"key": f"{key}/{work.token}", "done": []}
    for number, *values in known["done"]:
        found[number] = FocalEstimate(*values) if values else None
    seen = [number for number, rows in enumerate(asked) if rows][len(known["done"]) :]
    pieces = ([case for log in _LOGS for case in _cases(model, body, crops, weight, asked[n], log)] for n in seen)
    done = len(everybody) - sum(len(asked[number]) for number in seen)
    with closing(helpers.map(partial(costs_of, settings=settings), pieces)) as results:
        for number in seen:
            if should_stop():
                break
            rows = asked[number]
            found[number] = _believed(next(results).reshape(len(_LOGS), -1).T, crops.cameras[rows[0]].image_size_px)
            known["done"].append([number, *(astuple(each) if (each := found[number]) is not None else ())])
            if work.is_time:
                work.remember(_REMEMBERED, known)
            done += len(rows)
            progress(done, len(everybody), "estimating focal lengths")
    return found


def _key(model: nn.Module, crops: Crops, weight: torch.Tensor, cameras: Sequence[Sequence[int]]) -> str:
    """What the estimates follow from, beside the features."""
    digest = hashlib.sha256(repr((cameras, [camera.image_size_px for camera in crops.cameras])).encode())
    boxes = [torch.from_numpy(np.ascontiguousarray(each)) for each in (crops.centre_px, crops.box_height_px)]
    for each in (*model.state_dict().values(), crops.points, weight, *boxes):
        digest.update(each.contiguous().numpy())
    return digest.hexdigest()


def _cases(
    model: nn.Module, body: Body, crops: Crops, weight: torch.Tensor, rows: Sequence[int], log: float
) -> list[PolishCase]:
    """Some people as CLIFF sees them with exp(log) times its guess of the focal length, and their points."""
    some, ratio = rows_of(crops, rows), float(np.exp(log))
    guesses = [Camera.guess(camera.image_size_px).focal_length_px for camera in some.cameras]
    under = some.with_cameras(
        [replace(each, focal_length_px=ratio * guess) for each, guess in zip(some.cameras, guesses, strict=True)]
    )
    estimates = estimates_of(model, body, under, lambda *_: None)
    points, weights = some.points.numpy().astype(np.float64), weight[list(rows)].numpy()
    return [
        PolishCase(each.params, each.camera, in_pixels(points[row], weights[row], some, row), each.params)
        for row, each in enumerate(estimates)
    ]


def _believed(costs: np.ndarray, image_size_px: tuple[int, int]) -> FocalEstimate | None:
    """What (N, 7) costs of people under the tried focal lengths leave of what is usual."""
    costs = costs[np.isfinite(costs).all(1)]
    if not len(costs):
        return None
    doubt = np.interp(_FINE, _LOGS, _EVIDENCE * costs.sum(0)) + 0.5 * (_FINE / USUAL_SPREAD) ** 2
    belief = np.exp(doubt.min() - doubt)
    belief /= belief.sum()
    log = float(belief @ _FINE)
    spread = float(np.sqrt(belief @ (_FINE - log) ** 2 + _SYSTEMATIC**2))
    return FocalEstimate(Camera.guess(image_size_px).focal_length_px * float(np.exp(log)), spread, len(costs))


def _some(rows: Sequence[int]) -> list[int]:
    """At most enough of them, from all over."""
    return [rows[number] for number in np.linspace(0, len(rows) - 1, min(len(rows), _ENOUGH)).round().astype(int)]
