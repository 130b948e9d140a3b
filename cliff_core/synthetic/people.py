"""Synthetic people without pixels: poses, shapes, cameras and places in the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.synthetic.poses import PoseBank
from cliff_core.synthetic.views import Views, place, sample_orientations

_BETA_LIMIT = 3.0


@dataclass(frozen=True, slots=True)
class People:
    """N synthetic people before their cameras, as arrays: all there is to know about them but pixels.

    Attributes:
        pose_rotvec: (N, 24, 3), row 0 in the camera frame.
        betas: (N, 10).
        views: cameras, translations and crops.
    """

    pose_rotvec: np.ndarray
    betas: np.ndarray
    views: Views


def sample_people(rng: np.random.Generator, poses: PoseBank, body: TorchBody, count: int, rescale: float) -> People:
    """Draw people with poses, shapes, cameras and places in the frame.

    Args:
        rng: source of all randomness.
        poses: where poses come from.
        body: the body, with the keypoints of "coco23".
        count: N.
        rescale: size of the crop relative to the person's box.
    """
    rotmat = rotvec_to_rotmat(poses.sample(rng, count))
    rotmat[:, 0] = sample_orientations(rng, count) @ rotmat[:, 0]
    betas = np.clip(rng.normal(0, 1.1, (count, 10)), -_BETA_LIMIT, _BETA_LIMIT)
    with torch.no_grad():
        posed = body(torch.as_tensor(rotmat, dtype=torch.float32), torch.as_tensor(betas, dtype=torch.float32))
    views = place(rng, posed.points().numpy().astype(np.float64), rescale)
    return People(rotmat_to_rotvec(rotmat), betas, views)
