"""Exact SMPL truth of synthetic people, in the frames and units in which networks answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.crop import bbox_info
from cliff_core.geometry.crop_units import to_crop_units
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.synthetic.people import People


@dataclass(frozen=True, slots=True)
class Labels:
    """Exact SMPL truth of a batch, as the losses need it.

    Attributes:
        rotmat: (B, 24, 3, 3), joint 0 in the camera frame.
        betas: (B, 10).
        points: (B, 47, 3) metres, without translation (`PosedBatch.points`).
        projected: (B, 47, 2) points in crop units.
        inside: (B, 47) bool, points within the photo.
        bbox_info: (B, 3).
    """

    rotmat: torch.Tensor
    betas: torch.Tensor
    points: torch.Tensor
    projected: torch.Tensor
    inside: torch.Tensor
    bbox_info: torch.Tensor

    @property
    def joints(self) -> torch.Tensor:
        """(B, 24, 3) SMPL's joints."""
        return self.points[:, -24:]

    @classmethod
    def joined(cls, parts: Sequence[Labels]) -> Labels:
        """All people of several batches."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def rows(self, chosen) -> Labels:
        """Some of the people."""
        return Labels(*(getattr(self, field.name)[chosen] for field in fields(self)))


def label_people(body: TorchBody, people: People) -> Labels:
    """Exact labels of people, projected with their true cameras."""
    views = people.views
    rotmat = torch.as_tensor(rotvec_to_rotmat(people.pose_rotvec), dtype=torch.float32)
    betas = torch.as_tensor(people.betas, dtype=torch.float32)
    with torch.no_grad():
        points = body(rotmat, betas).points()
    placed = points.numpy() + views.transl[:, None]
    pixels = placed[..., :2] / np.maximum(placed[..., 2:], 0.1) * views.focal_length_px[:, None, None]
    pixels = pixels + views.image_size_px[:, None] / 2
    inside = ((pixels > 0) & (pixels < views.image_size_px[:, None])).all(-1)
    crop_units = to_crop_units(pixels, views.centre_px, views.box_height_px)
    info = bbox_info(views.centre_px, views.box_height_px, views.focal_length_px, views.image_size_px)

    def tensor(array):
        return torch.as_tensor(array, dtype=torch.float32)

    return Labels(rotmat, betas, points, tensor(crop_units), torch.as_tensor(inside), tensor(info))
