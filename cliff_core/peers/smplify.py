"""SMPLify: gradient descent on pose, shape and place (Bogo et al. 2016), as SPIN runs it: Adam, 100 steps a stage.

First orientation and place from the torso (shoulders and hips), the depth held near its first guess; then pose, shape
and orientation on all points: the sum of conf^2 GMoF(2D error, 100 px), 4.78^2 mixture prior, 15.2^2 exp(bend)^2 of
knees and elbows and 5^2 |betas|^2, in pixels of a crop 224 px high. These terms, weights, step size (0.01) and step
counts are the published ones (SPIN's `smplify`, the last of the four stages of the paper). The mixture is the bundled
one, since the published one comes with a licence; it has eight components as well. Ours are the full-frame camera with
the photo's focal length, that all points count for which the body has regressors (SPIN leaves out hips and neck, where
its points and its body disagree), and that without a prediction to start from the mean pose is tried with four yaws and
the lowest objective kept (the paper tries two).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from cliff_core.body.torch_body import TorchBody
from cliff_core.geometry.rotations_torch import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.inference import Crops
from cliff_core.peers.bodies import CROP_PX, CropBodies, camera_of, crop_units_of, place_of, slopes_of
from cliff_core.resources import resource_path
from cliff_core.skeletons import COCO23, SMPL24

YAWS_DEG = (0.0, 90.0, 180.0, 270.0)
_TORSO = tuple(f"{side}_{part}" for part in ("shoulder", "hip") for side in ("left", "right"))
_TORSO_ROWS = [COCO23.index(name) for name in _TORSO] + [len(COCO23) + SMPL24.index(name) for name in _TORSO]
_BENDS = [
    (SMPL24.index("left_elbow"), 1, 1.0),
    (SMPL24.index("right_elbow"), 1, -1.0),
    (SMPL24.index("left_knee"), 0, -1.0),
    (SMPL24.index("right_knee"), 0, -1.0),
]
_LEAST_TORSO = 3  # points; with fewer the first stage looks at all of them
_USUAL_SCALE = 0.9  # of a crop camera, where no torso says how far away somebody is
_MIN_DEPTH_M = 0.1


@dataclass(frozen=True, slots=True)
class SmplifySettings:
    """How to fit; all published but `moves`.

    Attributes:
        camera_steps, steps: of the two stages.
        step_size: of Adam.
        sigma_px: errors beyond count less and less.
        pose, bend, shape: roots of the weights of the priors.
        depth: root of the weight that holds the depth in the first stage, per metre.
        moves: the place stays free in the second stage. SPIN fixes it, at a focal length of 5,000 px, where depth
            hardly matters; with a real one that costs accuracy.
    """

    camera_steps: int = 100
    steps: int = 100
    step_size: float = 0.01
    sigma_px: float = 100.0
    pose: float = 4.78
    bend: float = 15.2
    shape: float = 5.0
    depth: float = 100.0
    moves: bool = True


class MixturePrior:
    """The bundled mixture over poses (`fitting.plausibility`) in torch: nats of the nearest component."""

    def __init__(self):
        with np.load(resource_path("poses", "pose_prior.npz"), allow_pickle=False) as file:
            self._means, self._roots, self._offsets = (
                torch.from_numpy(file[name]).float() for name in ("means", "roots", "offsets")
            )

    def nats(self, rotvec: torch.Tensor) -> torch.Tensor:
        """(N,) of (N, 24, 3) poses."""
        away = rotvec[:, 1:].reshape(1, len(rotvec), 69) - self._means[:, None]
        return (0.5 * (away @ self._roots).square().sum(2) + self._offsets[:, None]).amin(0)

    @property
    def mean_pose(self) -> torch.Tensor:
        """(23, 3) mean of the components, pelvis left out."""
        return self._means.mean(0).reshape(23, 3)


def fit_smplify(
    body: TorchBody,
    crops: Crops,
    points: torch.Tensor,
    start: CropBodies | None = None,
    settings: SmplifySettings | None = None,
) -> CropBodies:
    """Fit N people at once; each is an objective of its own.

    Args:
        body: with the keypoints of "coco23".
        crops: who.
        points: (N, 47, 3) x, y in crop units and confidence.
        start: predictions to start from; without, the mean pose in four yaws, placed by the torso.
        settings: how.
    """
    settings = settings or SmplifySettings()
    known = torch.cat([body.known["coco23"], torch.ones(24, dtype=torch.bool)])
    points = torch.cat([points[..., :2], points[..., 2:] * known[:, None]], -1)
    prior, info = MixturePrior(), crops.bbox_info
    if start is not None:
        begin = (rotmat_to_rotvec(start.rotmat), start.betas, place_of(start.cam_crop, info))
        return _descend(body, prior, points, info, begin, settings)[0]
    found, costs = [], []
    for yaw in YAWS_DEG:
        bodies, cost = _descend(body, prior, points, info, _mean_start(body, prior, points, info, yaw), settings)
        found.append(bodies)
        costs.append(cost)
    best = torch.stack(costs).nan_to_num(nan=torch.inf).argmin(0)
    rows = torch.arange(len(crops))
    return CropBodies(
        *(torch.stack([getattr(each, name) for each in found])[best, rows] for name in CropBodies.__slots__)
    )


def _mean_start(body, prior: MixturePrior, points, bbox_info, yaw_deg: float):
    """Mean pose and shape, turned, as far away as the torso looks long."""
    count = len(points)
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    turn = rotvec_to_rotmat(torch.tensor([0.0, math.radians(yaw_deg), 0.0]))
    pose = torch.cat([rotmat_to_rotvec(upright @ turn)[None], prior.mean_pose])
    betas = torch.zeros(count, 10)
    torso = _torso_points(body(rotvec_to_rotmat(pose)[None], betas[:1]).points())[0]
    long_m = (torso[:2].mean(0) - torso[2:].mean(0)).norm()
    slopes = torch.cat([slopes_of(points[..., :2], bbox_info), points[..., 2:]], -1)
    seen = _torso_points(slopes)
    weight = (seen[..., 2:] > 0).float()
    middles = (seen[..., :2] * weight).unflatten(1, (2, 2)).sum(2) / weight.unflatten(1, (2, 2)).sum(2).clamp(min=1)
    long_seen = (middles[:, 0] - middles[:, 1]).norm(dim=1)
    whole = (weight.unflatten(1, (2, 2)).sum(2) > 0).all(1)[:, 0] & (long_seen > 1e-3)
    usual = place_of(torch.tensor([[_USUAL_SCALE, 0.0, 0.0]]).expand(count, 3), bbox_info)
    depth = torch.where(whole, long_m / long_seen.clamp(min=1e-3), usual[:, 2])
    at = torch.where(whole[:, None], middles.mean(1), usual[:, :2] / usual[:, 2:])
    transl = torch.cat([at * depth[:, None], depth[:, None]], 1)
    transl = transl - torch.nn.functional.pad(torso.mean(0)[:2], (0, 1))
    return pose.expand(count, 24, 3), betas, transl


def _torso_points(values: torch.Tensor) -> torch.Tensor:
    """(N, 4, C) shoulders and hips of (N, 47, C) values; SMPL's joints where the surface points are not marked."""
    surface, joints = values[:, _TORSO_ROWS].unflatten(1, (2, 4)).unbind(1)
    return torch.where(surface[..., -1:] != 0, surface, joints)


def _descend(body, prior: MixturePrior, points, bbox_info, begin, settings: SmplifySettings):
    """Both stages from one start; bodies and (N,) objectives."""
    pose, betas, transl = (each.detach().clone() for each in begin)
    orient, joints = pose[:, :1].clone(), pose[:, 1:].clone()
    weight = points[..., 2].square()
    torso = torch.zeros(points.shape[1])
    torso[_TORSO_ROWS] = 1.0
    enough = ((points[..., 2] > 0) * torso).sum(1, keepdim=True) >= _LEAST_TORSO
    torso_weight = torch.where(enough, torso, 1.0) * (points[..., 2] > 0)
    depth = transl[:, 2].clone()

    def squared_px(pose, betas, transl):
        posed = body(rotvec_to_rotmat(pose), betas, transl).points()
        slopes = posed[..., :2] / posed[..., 2:].clamp(min=_MIN_DEPTH_M)
        return ((crop_units_of(slopes, bbox_info) - points[..., :2]) * (CROP_PX / 2)).square()

    def camera_cost():
        off = squared_px(torch.cat([orient, joints], 1), betas, transl).sum(-1)
        return (off * torso_weight).sum(1) + (settings.depth * (transl[:, 2] - depth)).square()

    def body_cost():
        pose = torch.cat([orient, joints], 1)
        square, sigma2 = squared_px(pose, betas, transl), settings.sigma_px**2
        robust = (sigma2 * square / (sigma2 + square)).sum(-1)
        bends = sum(torch.exp(sign * pose[:, joint, axis]).square() for joint, axis, sign in _BENDS)
        return (
            (weight * robust).sum(1)
            + settings.pose**2 * prior.nats(pose)
            + settings.bend**2 * bends
            + settings.shape**2 * betas.square().sum(1)
        )

    _minimise(camera_cost, [orient, transl], settings.camera_steps, settings.step_size)
    free = [orient, joints, betas] + ([transl] if settings.moves else [])
    _minimise(body_cost, free, settings.steps, settings.step_size)
    with torch.no_grad():
        cost = body_cost()
        transl = torch.cat([transl[:, :2], transl[:, 2:].clamp(min=_MIN_DEPTH_M)], 1)
        return CropBodies(rotvec_to_rotmat(torch.cat([orient, joints], 1)), betas, camera_of(transl, bbox_info)), cost


def _minimise(cost, variables, steps: int, step_size: float) -> None:
    """Adam on all people's costs at once."""
    for variable in variables:
        variable.requires_grad_(True)
    optimiser = torch.optim.Adam(variables, step_size)
    for _ in range(steps):
        optimiser.zero_grad()
        cost().sum().backward()
        optimiser.step()
    for variable in variables:
        variable.requires_grad_(False)
