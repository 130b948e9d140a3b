"""The last step after fine-tuning: each refined body polished on its points, what a person set held to the digit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from cliff_core.body import Body
from cliff_core.errors import GeometryError
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.fitting.polish import PolishCase, PolishSettings, estimate_noise, polish
from cliff_core.geometry.camera import crop_camera
from cliff_core.inference import Crops
from cliff_core.records import Estimate, SmplParams
from cliff_core.training.points import SPREAD
from cliff_core.training.supervision import PersonEdits


def polish_people(
    body: Body,
    crops: Crops,
    weight: torch.Tensor,
    estimates: Sequence[Estimate],
    edits: Sequence[PersonEdits],
    rows: Sequence[int],
    progress: Callable[[int, int, str], None],
    should_stop: Callable[[], bool],
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

    Returns:
        Bodies of everybody; those that were not polished, or whose polish gave no body, as they came.
    """
    skeleton = Skeleton(body)
    points = crops.points.numpy().astype(np.float64)
    found = list(estimates)
    cases = {
        row: _case(estimates[row], edits[row], _in_pixels(points[row], weight[row].numpy(), crops, row)) for row in rows
    }
    if not cases:
        return found
    settings = PolishSettings(noise_m=estimate_noise(skeleton, list(cases.values())))
    for done, (row, case) in enumerate(cases.items(), 1):
        if should_stop():
            break
        params = polish(skeleton, [case], settings)[0].params
        estimate = _as_estimate(estimates[row], params, crops, row)
        if estimate is not None:
            found[row] = estimate
        progress(done, len(cases), "polishing bodies")
    return found


def _in_pixels(points: np.ndarray, weight: np.ndarray, crops: Crops, row: int) -> np.ndarray:
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
