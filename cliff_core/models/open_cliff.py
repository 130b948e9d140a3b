"""Open CLIFF: CLIFF's regression with an open trunk, and 2D keypoints as an optional input.

As in CLIFF, a regressor sees the crop's features together with where the crop sits in the full frame (`bbox_info`)
and refines pose, shape and crop camera from a mean in a few iterations. Two things are new. The crop's 2D keypoints
may be given too, any subset of them, none at all: a detector's guesses or a person's corrections. And each iteration
sees how far the body it has so far projects from those points, under the full-frame perspective camera, so that a
point pulls on the limb it belongs to.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import nn

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import CheckpointError
from cliff_core.geometry.crop import CropSpec
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.geometry.rotations_torch import rot6d_to_rotmat
from cliff_core.models.blazepose import FEATURE_SIZE, BlazePoseTrunk, state_dict_from_onnx
from cliff_core.resources import resource_path
from cliff_core.skeletons import JOINT_SETS

OPEN_CROP = CropSpec(256, 256, 1.2, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), True)
FORMAT = "open-cliff"
_VERSION = 1
_MEAN_SCALE = 0.9
_POINT_LIMIT = 3.0  # a point further than this many half crops outside tells no more than that it is outside
_RESIDUAL_GAIN = 4.0  # residuals of an almost fitted body are small against the other inputs


@dataclass(frozen=True, slots=True)
class OpenCliffConfig:
    """Sizes of the regressor; part of every checkpoint.

    Attributes:
        joint_set: the keypoints it takes.
        width: hidden units.
        image_width: units of the image embedding.
        blocks: residual blocks per iteration.
        iterations: refinements from the mean.
        dropout: share of hidden units dropped in training.
        image_dropout: share of image features dropped in training.
    """

    joint_set: str = "coco23"
    width: int = 1024
    image_width: int = 512
    blocks: int = 2
    iterations: int = 3
    dropout: float = 0.1
    image_dropout: float = 0.3


@dataclass(frozen=True, slots=True)
class Regressed:
    """What one iteration of the regressor holds.

    Attributes:
        rotmat: (B, 24, 3, 3), joint 0 in the full camera frame.
        betas: (B, 10).
        cam_crop: (B, 3) scale s, tx, ty of the crop camera.
        joints: (B, 24, 3) metres, without translation.
        keypoints: (B, K, 3) metres, without translation.
        projected: (B, K, 2) keypoints in crop units (see `project_to_crop`).
    """

    rotmat: torch.Tensor
    betas: torch.Tensor
    cam_crop: torch.Tensor
    joints: torch.Tensor
    keypoints: torch.Tensor
    projected: torch.Tensor


def published_trunk() -> BlazePoseTrunk:
    """The trunk with its published weights, from the bundled landmark detector (needs `onnx`, extra `train`)."""
    trunk = BlazePoseTrunk()
    trunk.load_state_dict(state_dict_from_onnx(resource_path("detectors", "pose-landmark-full.onnx")))
    return trunk.eval()


class _Block(nn.Module):
    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, width)
        self.fall = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return x + self.fall(self.dropout(nn.functional.gelu(self.rise(self.norm(x)))))


class OpenCliff(nn.Module):
    """The open model: BlazePose-full trunk, iterative regressor, keypoints as optional input.

    Same use as `Cliff`: `rotmat, betas, cam_crop = model(images, bbox_info)`.

    Args:
        config: sizes.
        name: name and version for `Estimate.model`.
    """

    crop_spec = OPEN_CROP
    takes_keypoints = True

    def __init__(self, config: OpenCliffConfig | None = None, name: str = "open-cliff"):
        super().__init__()
        self.config = config or OpenCliffConfig()
        self.name = name
        points = len(JOINT_SETS[self.config.joint_set])
        width = self.config.width
        self.trunk = BlazePoseTrunk()
        self.body = TorchBody(load_body(), (self.config.joint_set,))
        self.register_buffer("feature_mean", torch.zeros(FEATURE_SIZE))
        self.register_buffer("feature_std", torch.ones(FEATURE_SIZE))
        self.register_buffer("init_pose", torch.zeros(1, 144))
        self.image_dropout = nn.Dropout(self.config.image_dropout)
        self.image_in = nn.Linear(FEATURE_SIZE, self.config.image_width)
        self.image_out = nn.Linear(self.config.image_width, width)
        self.frame_in = nn.Linear(3, width)
        self.points_in = nn.Linear(points * 3, width)
        self.state_in = nn.Linear(144 + 10 + 3 + points * 2, width)
        self.blocks = nn.ModuleList(_Block(width, self.config.dropout) for _ in range(self.config.blocks))
        self.norm = nn.LayerNorm(width)
        self.state_out = nn.Linear(width, 144 + 10 + 3)
        nn.init.normal_(self.state_out.weight, std=1e-3)
        nn.init.zeros_(self.state_out.bias)

    @classmethod
    def from_checkpoint(cls, checkpoint: dict, path: Path) -> OpenCliff:
        """The model of a checkpoint that `checkpoint()` made.

        Raises:
            CheckpointError: made by another version, incomplete, or of other sizes than it says.
        """
        if checkpoint.get("version") != _VERSION:
            raise CheckpointError(
                f"{path}: open CLIFF checkpoint of version {checkpoint.get('version')}; this program reads version "
                f"{_VERSION}. Update the program or train the model again"
            )
        known = {field.name for field in fields(OpenCliffConfig)}
        try:
            config = OpenCliffConfig(**{key: value for key, value in checkpoint["config"].items() if key in known})
            model = cls(config, str(checkpoint["name"]))
            model.load_state_dict({key: value.float() for key, value in checkpoint["state"].items()})
        except (KeyError, AttributeError, TypeError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise CheckpointError(
                f"{path}: damaged open CLIFF checkpoint ({reason}); fetch or train it again"
            ) from None
        return model.eval()

    def checkpoint(self) -> dict:
        """All that `from_checkpoint` needs, weights in half precision; plain tensors, numbers and strings only."""
        state = {key: value.detach().half() for key, value in self.state_dict().items()}
        return {"format": FORMAT, "version": _VERSION, "name": self.name, "config": asdict(self.config), "state": state}

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, 256, 256) RGB in 0..1 -> (B, 3768) features of the trunk."""
        return self.trunk(images).features()

    def refine(self, features, bbox_info, keypoints=None, n_iter: int | None = None) -> list[Regressed]:
        """All iterations of the regressor.

        Args:
            features: (B, 3768) from `encode`, or `None` to predict from the keypoints alone.
            bbox_info: (B, 3).
            keypoints: (B, K, 3) x, y in crop units (`project_to_crop`) and confidence 0..1, 0 = missing.
            n_iter: number of refinements; the trained number by default.
        """
        batch = len(bbox_info)
        if keypoints is None:
            keypoints = bbox_info.new_zeros(batch, len(JOINT_SETS[self.config.joint_set]), 3)
        confidence = keypoints[..., 2:]
        points = keypoints[..., :2].clamp(-_POINT_LIMIT, _POINT_LIMIT) * (confidence > 0)
        context = self.frame_in(bbox_info) + self.points_in(torch.cat([points, confidence], -1).flatten(1))
        if features is not None:
            normalised = ((features - self.feature_mean) / self.feature_std).clamp(-6, 6)
            context = context + self.image_out(nn.functional.gelu(self.image_in(self.image_dropout(normalised))))
        pose_6d = self.init_pose.expand(batch, -1)
        betas = bbox_info.new_zeros(batch, 10)
        cam_crop = bbox_info.new_tensor([_MEAN_SCALE, 0, 0]).expand(batch, -1)
        steps = [self._posed(pose_6d, betas, cam_crop, bbox_info)]
        for _ in range(n_iter or self.config.iterations):
            residual = (points - steps[-1].projected).clamp(-1, 1) * (confidence * _RESIDUAL_GAIN)
            state = torch.cat([pose_6d, betas, cam_crop, residual.flatten(1)], 1)
            hidden = context + self.state_in(state)
            for block in self.blocks:
                hidden = block(hidden)
            change = self.state_out(self.norm(hidden))
            pose_6d, betas, cam_crop = pose_6d + change[:, :144], betas + change[:, 144:154], cam_crop + change[:, 154:]
            steps.append(self._posed(pose_6d, betas, cam_crop, bbox_info))
        return steps[1:]

    def regress(self, features, bbox_info, keypoints=None, n_iter: int | None = None):
        """Features (and points) to (B, 24, 3, 3) rotations, (B, 10) betas and (B, 3) crop cameras; see `refine`."""
        last = self.refine(features, bbox_info, keypoints, n_iter)[-1]
        return last.rotmat, last.betas, last.cam_crop

    def forward(self, images, bbox_info, keypoints=None):
        """Crops (B, 3, 256, 256) RGB in 0..1 and their place in the frame to SMPL; see `refine`."""
        return self.regress(self.encode(images), bbox_info, keypoints)

    def _posed(self, pose_6d, betas, cam_crop, bbox_info) -> Regressed:
        rotmat = rot6d_to_rotmat(pose_6d.float().reshape(-1, 24, 6))
        posed = self.body(rotmat, betas.float())
        keypoints = posed.keypoints[self.config.joint_set]
        projected = project_to_crop(keypoints, cam_crop.float(), bbox_info.float())
        return Regressed(rotmat, betas, cam_crop, posed.joints, keypoints, projected)
