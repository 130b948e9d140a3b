"""What a damped Gauss-Newton step would do to bring bodies nearer to their 2D points.

A regressor that sees residuals alone has to know by heart how each joint moves each point in each pose. Song, Chen and
Hilliges (ECCV 2020) show theirs the gradient; this goes one step further and solves for the change of all joints, the
shape and the camera at once. No gradient flows through it.
"""

from __future__ import annotations

import torch
from torch import nn

from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.crop_units import projection_jacobian

_ROTATION_RAD, _BETA, _CAMERA = 0.2, 1.0, 0.1  # a step as long as this costs as much as a point off by its error
_LEAST_ERROR = 1 / 128  # of a point that is said to be exact, crop units: what one step leaves
_OUTLIER = 3.0  # usual residuals at which a point's weight is halved
_RESIDUAL_LIMIT = 0.5  # crop units
_TURN_LIMIT_RAD = 1.0


class GaussNewton(nn.Module):
    """Steps of bodies towards points, as changes of what CLIFF regresses.

    Args:
        body: whose keypoints of "coco23", and joints, are the points.
    """

    def __init__(self, body: TorchBody):
        super().__init__()
        self._body = [body]  # not a part of this module: its parent has it
        under = body.kinematics.above  # a joint's turn moves what lies under it, not itself
        moves = torch.cat([body.bone_weights() @ under, under - torch.eye(24)])
        self.register_buffer("_moves", moves, persistent=False)
        reach = torch.tensor([_ROTATION_RAD] * 72 + [_BETA] * 10 + [_CAMERA] * 3)
        self.register_buffer("_reach", reach, persistent=False)

    @torch.no_grad()
    def forward(self, residual, error, points, rotmat, rotations, cam_crop, bbox_info):
        """One step.

        Args:
            residual: (B, 47, 2) from projected to observed points, crop units.
            error: (B, 47) how far off observed points usually are, crop units; infinite where missing.
            points: (B, 47, 3) of the bodies, metres, without translation.
            rotmat: (B, 24, 3, 3) relative to the parent.
            rotations: (B, 24, 3, 3) the same, relative to the camera.
            cam_crop: (B, 3).
            bbox_info: (B, 3).

        Returns:
            Changes of the 6D rotations (B, 144), the betas (B, 10) and the crop camera (B, 3); 0 for people of whom
            something is not finite.
        """
        body = self._body[0]
        with torch.autocast(residual.device.type, enabled=False):
            marked = torch.isfinite(error).any(0).nonzero()[:, 0]  # most people have a third of all points
            residual = residual[:, marked].float().clamp(-_RESIDUAL_LIMIT, _RESIDUAL_LIMIT)
            weight = _weights(residual, error[:, marked].float())
            by_point, by_camera = projection_jacobian(points[:, marked], cam_crop, bbox_info)
            arms = points[:, marked, None] - points[:, None, -24:]  # from joints to points
            moves = self._moves[marked, None, :, None]
            by_turn = torch.cross(arms[:, :, None], by_point[:, :, :, None], dim=-1) * moves
            by_shape = (by_point[..., None] * body.shape_directions(rotations)[:, marked, None]).sum(3)
            jacobian = torch.cat([by_turn.flatten(3), by_shape, by_camera], -1).flatten(1, 2)
            change = self._solve(jacobian.double(), residual.double().flatten(1, 2), weight.repeat_interleave(2, 1))
            turns, betas, camera = change.float().nan_to_num(0.0, 0.0, 0.0).split([72, 10, 3], 1)
            turns = turns.unflatten(1, (24, 3, 1)).clamp(-_TURN_LIMIT_RAD, _TURN_LIMIT_RAD)
            above = rotations[:, body.kinematics.parents]
            turns = torch.cat([turns[:, :1], above.mT @ turns[:, 1:]], 1)
            columns = rotmat[..., :2]
            return torch.cross(turns.expand_as(columns), columns, dim=2).flatten(1), betas, camera

    def _solve(self, jacobian, residual, weight):
        """The damped least squares step, with an unknown for each coordinate of a point: fewer than a body has, mostly.

        With A = W^1/2 J R, R the reach, (J'WJ + R^-2)^-1 J'W r is R A' (A A' + 1)^-1 W^1/2 r. In double precision: the
        curvature's spread would make visible who else is in the batch.
        """
        root = weight.sqrt()[..., None]
        weighed = jacobian * root * self._reach
        curvature = weighed @ weighed.mT
        curvature.diagonal(dim1=1, dim2=2).add_(1)
        factor, _ = torch.linalg.cholesky_ex(curvature)
        found = torch.cholesky_solve(residual[..., None] * root, factor)
        return (weighed.mT @ found)[..., 0] * self._reach


def _weights(residual: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    """(B, 47) of points in the sum of squares; those far worse than a person's other points count less."""
    weight = (error + _LEAST_ERROR).square().reciprocal()
    size, counts = residual.norm(dim=-1), weight > 0
    usual = (size * counts).sum(1, keepdim=True) / counts.sum(1, keepdim=True).clamp(min=1)
    return weight / (1 + (size / (_OUTLIER * usual + _LEAST_ERROR)).square())
