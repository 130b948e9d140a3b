"""The CLIFF network (Li et al., ECCV 2022): a crop and its place in the full frame to one SMPL body.

Parameter names and arithmetic are those of the official release, so that its checkpoints load with `strict=True`
and give its numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cliff_core.geometry.crop import OFFICIAL_CROP
from cliff_core.geometry.rotations_torch import rot6d_to_rotmat
from cliff_core.models.hrnet import HrNetW48
from cliff_core.models.resnet import ResNet50

BACKBONES: dict[str, type[nn.Module]] = {"res50": ResNet50, "hr48": HrNetW48}

_FEATURES, _FRAME, _POSE, _SHAPE, _CAMERA = 2048, 3, 24 * 6, 10, 3


class Cliff(nn.Module):
    """CLIFF with one of its two official backbones.

    A vector of features is joined by `bbox_info` and by the body as it is so far; from these the head reads a
    correction of pose, shape and crop camera, three times over, starting from the mean body. Dropout is the only
    thing between the head's linear layers: there is no activation, as in the official code.

    Args:
        backbone: "res50" or "hr48".

    Attributes:
        crop_spec: the input that the weights were trained with.
        name: for `Estimate.model` and messages.
    """

    crop_spec = OFFICIAL_CROP

    def __init__(self, backbone: str):
        super().__init__()
        self.backbone = backbone
        self.name = f"cliff-{backbone}"
        self.encoder = BACKBONES[backbone]()
        self.fc1 = nn.Linear(_FEATURES + _FRAME + _POSE + _SHAPE + _CAMERA, 1024)
        self.drop1 = nn.Dropout()
        self.fc2 = nn.Linear(1024, 1024)
        self.drop2 = nn.Dropout()
        self.decpose = nn.Linear(1024, _POSE)
        self.decshape = nn.Linear(1024, _SHAPE)
        self.deccam = nn.Linear(1024, _CAMERA)
        # the mean body; every official checkpoint brings its own
        self.register_buffer("init_pose", torch.tensor([[1.0, 0, 0, -1, 0, 0] + [1.0, 0, 0, 1, 0, 0] * 23]))
        self.register_buffer("init_shape", torch.zeros(1, _SHAPE))
        self.register_buffer("init_cam", torch.tensor([[0.9, 0, 0]]))

    def encode(self, images: Tensor) -> Tensor:
        """(B, 3, 256, 192) crops from `normalise` -> (B, 2048) features, which depend on nothing but the crop."""
        expected = (3, self.crop_spec.height_px, self.crop_spec.width_px)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise ValueError(f"{self.name} takes images of shape (B, 3, 256, 192), got {tuple(images.shape)}")
        return self.encoder(images)

    def regress(
        self,
        features: Tensor,
        bbox_info: Tensor,
        init_pose: Tensor | None = None,
        init_shape: Tensor | None = None,
        init_cam: Tensor | None = None,
        n_iter: int = 3,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features and the crop's place in the full frame -> body and crop camera.

        Args:
            features: (B, 2048) from `encode`.
            bbox_info: (B, 3).
            init_pose: (B, 144) interleaved 6D rotations to start from; the mean by default, as for the next two.
            init_shape: (B, 10) betas.
            init_cam: (B, 3) crop camera.
            n_iter: corrections; the released weights were trained with 3.

        Returns:
            rotmat (B, 24, 3, 3), joint 0 being the orientation in the full camera frame; betas (B, 10);
            cam_crop (B, 3) scale s, tx, ty.
        """
        batch = len(features)
        pose = self.init_pose.expand(batch, -1) if init_pose is None else init_pose
        betas = self.init_shape.expand(batch, -1) if init_shape is None else init_shape
        cam = self.init_cam.expand(batch, -1) if init_cam is None else init_cam
        for _ in range(n_iter):
            x = torch.cat([features, bbox_info, pose, betas, cam], dim=1)
            x = self.drop1(self.fc1(x))
            x = self.drop2(self.fc2(x))
            pose = pose + self.decpose(x)
            betas = betas + self.decshape(x)
            cam = cam + self.deccam(x)
        return rot6d_to_rotmat(pose.reshape(batch, 24, 6)), betas, cam

    def forward(
        self,
        images: Tensor,
        bbox_info: Tensor,
        init_pose: Tensor | None = None,
        init_shape: Tensor | None = None,
        init_cam: Tensor | None = None,
        n_iter: int = 3,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (B, 3, 256, 192) and `bbox_info` (B, 3) -> rotmat, betas, cam_crop; see `regress`."""
        return self.regress(self.encode(images), bbox_info, init_pose, init_shape, init_cam, n_iter)
