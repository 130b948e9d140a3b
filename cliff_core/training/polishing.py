"""The last step after fine-tuning: each refined body polished on its points, what a person set held to the digit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import torch

from cliff_core.body import Body
from cliff_core.errors import GeometryError
from cliff_core.execution.processes import Processes
from cliff_core.execution.rows import Workspace
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.fitting.polish import PolishCase, PolishSettings, estimate_noise
from cliff_core.fitting.polish_some import NUMBERS, polish_some
from cliff_core.geometry.camera import crop_camera
from cliff_core.inference import Crops
from cliff_core.records import Estimate, SmplParams
from cliff_core.training.points import SPREAD
from cliff_core.training.supervision import PersonEdits

_HANDFUL = 4  # people whom a process polishes at a time


def polish_people(
    body: Body,
    crops: Crops,
    weight: torch.Tensor,
    estimates: Sequence[Estimate],
    edits: Sequence[PersonEdits],
    rows: Sequence[int],
    progress: Callable[[int, int, str], None],
    should_stop: Callable[[], bool],
    helpers: Processes[Skeleton] | None = None,
    work: Workspace | None = None,
) -> list[Estimate]:
    """Polish some of N people.

    Args:
        body: of the estimates.
        crops: of everybody, with points.
        weight: (N, 47) how much each point counts.
        estimates: refined bodies of everybody.
        edits: what people set of each body.
        rows: whom to polish.
        progress: told (done, total, what).
        should_stop: whether to leave the rest as they are.
        helpers: processes that know the body's skeleton and share the work, to the same bits; this one by default.
        work: where to remember these people once they are polished; nowhere by default.

    Raises:
        TrainingError: a helper ended too early.

    Returns:
        Bodies of everybody; those that were not polished, or whose polish gave no body, as they came.
    """
    points = crops.points.numpy().astype(np.float64)
    found = list(estimates)
    cases = {
        row: _case(estimates[row], edits[row], in_pixels(points[row], weight[row].numpy(), crops, row)) for row in rows
    }
    if not cases:
        return found
    work, name = work or Workspace(), f"polished-{_digest(list(cases.values()))}"
    known = work.recall(name)
    polished = known["numbers"].numpy() if known else np.empty((0, NUMBERS))
    if not known:
        helpers = helpers or Processes(1, partial(Skeleton, body))
        settings = PolishSettings(noise_m=estimate_noise(helpers.shared, list(cases.values()), over=helpers.map))
        for each in _polished(list(cases.values()), settings, helpers):
            if should_stop():
                break
            polished = np.concatenate([polished, each])
            progress(len(polished), len(cases), "polishing bodies")
        if len(polished) == len(cases):
            work.remember(name, {"numbers": torch.from_numpy(polished)})
    for row, numbers in zip(cases, polished, strict=False):
        pose_rotvec, betas, transl = np.split(numbers, [72, 82])
        params = replace(estimates[row].params, pose_rotvec=pose_rotvec.reshape(24, 3), betas=betas, transl=transl)
        estimate = _as_estimate(estimates[row], params, crops, row)
        if estimate is not None:
            found[row] = estimate
    return found


def _polished(
    cases: Sequence[PolishCase], settings: PolishSettings, helpers: Processes[Skeleton]
) -> Iterator[np.ndarray]:
    """(n, 85) pose, shape and place of some after the other."""
    handfuls = (cases[start : start + _HANDFUL] for start in range(0, len(cases), _HANDFUL))
    with closing(helpers.map(partial(polish_some, settings=settings), handfuls)) as results:
        yield from results


def _digest(cases: Sequence[PolishCase]) -> str:
    """A short name for what polished bodies follow from."""
    digest = hashlib.sha256(json.dumps(asdict(PolishSettings())).encode())
    for case in cases:
        camera = case.camera
        fixed = [*sorted(case.fixed_joints), 24 * case.fixed_betas, 24 * case.fixed_transl]
        numbers = [case.keypoints, camera.focal_length_px, camera.centre_px, camera.image_size_px, len(fixed), fixed]
        for params in (case.params, case.prior):
            numbers += [params.pose_rotvec, params.betas, params.transl]
        digest.update(np.concatenate([np.ravel(np.asarray(each, np.float64)) for each in numbers]).tobytes())
    return digest.hexdigest()[:16]


def in_pixels(points: np.ndarray, weight: np.ndarray, crops: Crops, row: int) -> np.ndarray:
    """(47, 3) x, y in pixels and their precision: half way from all alike to COCO's annotators."""
    pixels = crops.centre_px[row] + points[:, :2] * crops.box_height_px[row] / 2
    return np.column_stack([pixels, np.where(points[:, 2] > 0, weight, 0.0) / SPREAD])


def _case(estimate: Estimate, edits: PersonEdits, keypoints: np.ndarray) -> PolishCase:
    """Somebody as they will be seen: what a person set on top of the refined body, and fixed."""
    pose_rotvec, betas = np.array(estimate.params.pose_rotvec), np.array(estimate.params.betas)
    for joint, rotvec in edits.rotvecs.items():
        pose_rotvec[joint] = rotvec
    for number, value in edits.betas.items():
        betas[number] = value
    transl = estimate.params.transl if edits.transl is None else edits.transl
    params = replace(estimate.params, pose_rotvec=pose_rotvec, betas=betas, transl=transl)
    return PolishCase(
        params,
        estimate.camera,
        keypoints,
        params,
        frozenset(edits.rotvecs),
        bool(edits.betas),
        edits.transl is not None,
    )


def _as_estimate(estimate: Estimate, params: SmplParams, crops: Crops, row: int) -> Estimate | None:
    """The polished body as an estimate; `None` if it is no body in front of the camera."""
    numbers = np.concatenate([params.pose_rotvec.ravel(), params.betas, params.transl])
    if not np.isfinite(numbers).all():
        return None
    camera = estimate.camera
    try:
        cam = crop_camera(
            params.transl[None],
            crops.centre_px[row : row + 1],
            crops.box_height_px[row : row + 1],
            np.array([camera.focal_length_px]),
            np.array([camera.image_size_px]),
            camera.centre_px[None],
        )
    except GeometryError:
        return None
    return replace(estimate, params=params, cam_crop=cam[0])
