"""CropBodies as the peers pass them on, and the geometry of a crop's camera in metres.

`bbox_info` says where a crop lies in the full frame in units of the focal length; so a place in metres, a line of sight
and a point in crop units follow from each other without knowing a photo's size or focal length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cliff_core.geometry.crop import OFFSET_GAIN, SIZE_MEAN, SIZE_SPREAD
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Estimate

CROP_PX = 224.0
"""Height of the crop in whose pixels SMPLify and SPIN weigh their terms."""


@dataclass(frozen=True, slots=True)
class CropBodies:
    """N bodies before crops.

    Attributes:
        rotmat: (N, 24, 3, 3) rotations relative to the parent; the first is the orientation in the camera frame.
        betas: (N, 10) shape.
        cam_crop: (N, 3) CLIFF's crop camera.
    """

    rotmat: torch.Tensor
    betas: torch.Tensor
    cam_crop: torch.Tensor

    def __len__(self) -> int:
        return len(self.betas)

    def __getitem__(self, rows) -> CropBodies:
        """Some of them."""
        return CropBodies(self.rotmat[rows], self.betas[rows], self.cam_crop[rows])

    @classmethod
    def of(cls, estimates: Sequence[Estimate]) -> CropBodies:
        """The bodies of estimates, float32."""
        return cls(
            torch.from_numpy(rotvec_to_rotmat(np.stack([each.params.pose_rotvec for each in estimates]))).float(),
            torch.from_numpy(np.stack([each.params.betas for each in estimates])).float(),
            torch.from_numpy(np.stack([each.cam_crop for each in estimates])).float(),
        )

    @classmethod
    def join(cls, parts: Sequence[CropBodies]) -> CropBodies:
        """Several people's bodies as one."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__slots__))


def frame_of(bbox_info: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 2) crop centres and (N, 1) crop heights, both over the focal length and from the optical axis."""
    return bbox_info[:, :2] / OFFSET_GAIN, (bbox_info[:, 2:] * SIZE_SPREAD + SIZE_MEAN).clamp(min=1e-3)


def place_of(cam_crop: torch.Tensor, bbox_info: torch.Tensor) -> torch.Tensor:
    """(N, 3) translation in metres of (N, 3) crop cameras: CLIFF's eq. 8."""
    centre, size = frame_of(bbox_info)
    depth = 2 / (size * cam_crop[:, :1])
    return torch.cat([cam_crop[:, 1:] + centre * depth, depth], 1)


def camera_of(transl: torch.Tensor, bbox_info: torch.Tensor) -> torch.Tensor:
    """(N, 3) crop cameras of (N, 3) translations in front of the camera, metres: the inverse of `place_of`."""
    centre, size = frame_of(bbox_info)
    depth = transl[:, 2:]
    return torch.cat([2 / (size * depth), transl[:, :2] - centre * depth], 1)


def slopes_of(points: torch.Tensor, bbox_info: torch.Tensor) -> torch.Tensor:
    """(N, K, 2) x / z and y / z of the lines of sight through points in crop units."""
    centre, size = frame_of(bbox_info)
    return points * size[:, None] / 2 + centre[:, None]


def crop_units_of(slopes: torch.Tensor, bbox_info: torch.Tensor) -> torch.Tensor:
    """(N, K, 2) crop units of x / z and y / z: the inverse of `slopes_of`."""
    centre, size = frame_of(bbox_info)
    return (slopes - centre[:, None]) * 2 / size[:, None]
