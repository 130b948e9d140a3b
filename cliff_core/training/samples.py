"""Training people: poses, shapes and cameras without pixels, and their exact labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.crop import bbox_info
from cliff_core.geometry.crop_units import to_crop_units
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.training.losses import Labels
from cliff_core.training.synthetic.poses import PoseBank
from cliff_core.training.synthetic.views import Views, place, sample_orientations

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
    points = torch.cat([posed.joints, posed.keypoints["coco23"]], 1)
    views = place(rng, points.numpy().astype(np.float64), rescale)
    return People(rotmat_to_rotvec(rotmat), betas, views)


def label_people(body: TorchBody, people: People) -> Labels:
    """Exact labels of people, projected with their true cameras."""
    views = people.views
    rotmat = torch.as_tensor(rotvec_to_rotmat(people.pose_rotvec), dtype=torch.float32)
    betas = torch.as_tensor(people.betas, dtype=torch.float32)
    with torch.no_grad():
        posed = body(rotmat, betas)
    joints, keypoints = posed.joints, posed.keypoints["coco23"]
    placed = keypoints.numpy() + views.transl[:, None]
    pixels = placed[..., :2] / np.maximum(placed[..., 2:], 0.1) * views.focal_length_px[:, None, None]
    pixels = pixels + views.image_size_px[:, None] / 2
    inside = ((pixels > 0) & (pixels < views.image_size_px[:, None])).all(-1)
    crop_units = to_crop_units(pixels, views.centre_px, views.box_height_px)
    info = bbox_info(views.centre_px, views.box_height_px, views.focal_length_px, views.image_size_px)

    def tensor(array):
        return torch.as_tensor(array, dtype=torch.float32)

    return Labels(rotmat, betas, joints, keypoints, tensor(crop_units), torch.as_tensor(inside), tensor(info))
