"""Priors for people without pixels: bodies that are wrong in the ways in which predictions from photos are."""

from __future__ import annotations

import numpy as np
import torch

from cliff_core.geometry.camera import crop_camera
from cliff_core.geometry.rotations_torch import rotmat_to_rot6d, rotvec_to_rotmat
from cliff_core.models.open_cliff import BodyState, OpenCliff, Regressed
from cliff_core.synthetic.people import People
from cliff_core.training.labels import Labels

_TURN_RAD = 0.3  # a prediction from the image misses the facing by a median of sixteen degrees
_BACKWARD_SHARE = 0.05  # and now and then takes the back for the front
_JOINT_RAD = 0.25
_WILD_JOINT_RAD = 0.6
_BETAS_KNOWN = 0.3  # of the true shape
_SCALE_LOG = 0.08
_SHIFT_M = 0.04


def imagined_prior(
    model: OpenCliff,
    people: People,
    labels: Labels,
    otherwise: Regressed,
    has_prior: torch.Tensor,
    generator: torch.Generator,
) -> Regressed:
    """Predictions that somebody might have made of these people.

    Args:
        model: poses them.
        people: N with their true cameras.
        labels: of the same people.
        otherwise: what stands for people without a prior.
        has_prior: (N, 1) 0 or 1.
        generator: source of all randomness.
    """
    count = len(has_prior)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    def chance(probability, *shape):
        return torch.rand(*shape, generator=generator) < probability

    spread = torch.where(chance(0.2, count, 24, 1), _WILD_JOINT_RAD, _JOINT_RAD) * torch.rand(
        count, 1, 1, generator=generator
    )
    noise = normal(count, 24, 3) * spread
    noise[:, 0] = normal(count, 3) * _TURN_RAD
    backward = chance(_BACKWARD_SHARE, count, 1) * torch.tensor([0.0, torch.pi, 0.0])
    noise[:, 0] = torch.where(backward.abs().sum(1, keepdim=True) > 0, backward, noise[:, 0])
    rotmat = labels.rotmat @ rotvec_to_rotmat(noise)
    betas = _BETAS_KNOWN * labels.betas + 0.3 * normal(count, 10)
    views = people.views
    true_camera = crop_camera(
        views.transl, views.centre_px, views.box_height_px, views.focal_length_px, views.image_size_px
    )
    cam_crop = torch.as_tensor(np.asarray(true_camera), dtype=torch.float32)
    scale = cam_crop[:, :1] * torch.exp(_SCALE_LOG * normal(count, 1))
    cam_crop = torch.cat([scale, cam_crop[:, 1:] + _SHIFT_M * normal(count, 2)], 1)
    state = otherwise.state
    mixed = BodyState(
        *(
            torch.where(has_prior > 0, mine, theirs)
            for mine, theirs in (
                (rotmat_to_rot6d(rotmat).reshape(count, 144), state.pose_6d),
                (betas, state.betas),
                (cam_crop, state.cam_crop),
            )
        )
    )
    return model.posed(mixed, labels.bbox_info)
