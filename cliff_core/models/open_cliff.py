"""Open CLIFF: CLIFF's regression with an open trunk, and 2D keypoints as an optional input.

Two regressors in a row. The first is CLIFF: it sees the crop's features together with where the crop sits in the full
frame (`bbox_info`) and refines pose, shape and crop camera from a mean in a few iterations. The second is asked only
for people with 2D points, a detector's guesses or a person's corrections, any subset of them. It starts from the first
one's body and sees in each iteration how far the body projects from the points, under the full-frame perspective
camera, so that a point pulls on the limb it belongs to. Without points the model is plain CLIFF.

Both speak of the same body, but not of the same frame: CLIFF regresses the orientation in the full camera frame, as
the paper has it; the follower regresses it relative to the ray through the crop's centre, in which a person who walks
through the photo keeps the orientation that his points show.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import nn

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import CheckpointError
from cliff_core.geometry.crop import OFFSET_GAIN, CropSpec
from cliff_core.geometry.crop_units import project_to_crop
from cliff_core.geometry.rotations_torch import rot6d_to_rotmat
from cliff_core.models.blazepose import FEATURE_SIZE, BlazePoseTrunk, state_dict_from_onnx
from cliff_core.models.gauss_newton import GaussNewton
from cliff_core.models.two_starts import believed
from cliff_core.resources import resource_path
from cliff_core.skeletons import COCO23, SMPL24

OPEN_CROP = CropSpec(256, 256, 1.2, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), True)
FORMAT = "open-cliff"
_VERSION = 4
_STATE = 144 + 10 + 3
POINTS = len(COCO23) + len(SMPL24)
_FEATURE_LIMIT = 6.0  # standard deviations
_MEAN_SCALE = 0.9
_HALF_SURE = 4 / 128  # error at which a placed point's confidence is 0.5, crop units: 4 px of a 256 px crop
_POINT_LIMIT = 3.0  # a point further than this many half crops outside tells no more than that it is outside
_STEP_GAIN, _FIRST_GAIN = 4.0, 0.3
_COARSE_GAIN, _FINE_GAIN = 4.0, 40.0  # residuals of an almost fitted body are small against the other inputs


@dataclass(frozen=True, slots=True)
class OpenCliffConfig:
    """Sizes of the regressors; part of every checkpoint.

    Attributes:
        image_width, points_width: hidden units of the two regressors.
        blocks: residual blocks per iteration.
        image_iterations, points_iterations: refinements of the two regressors.
        dropout: share of the first regressor's hidden units dropped in training.
        image_dropout: share of image features dropped in training.
    """

    image_width: int = 512
    points_width: int = 1024
    blocks: int = 2
    image_iterations: int = 3
    points_iterations: int = 6
    dropout: float = 0.1
    image_dropout: float = 0.3


@dataclass(frozen=True, slots=True)
class BodyState:
    """What the regressors refine.

    Attributes:
        pose_6d: (B, 144), `betas`: (B, 10), `cam_crop`: (B, 3).
    """

    pose_6d: torch.Tensor
    betas: torch.Tensor
    cam_crop: torch.Tensor

    @classmethod
    def of(cls, flat: torch.Tensor) -> BodyState:
        """What `flat` gave."""
        return cls(*flat.split([144, 10, 3], 1))

    def flat(self) -> torch.Tensor:
        """(B, 157) all of it."""
        return torch.cat([self.pose_6d, self.betas, self.cam_crop], 1)

    def changed(self, change: torch.Tensor) -> BodyState:
        """The state plus a (B, 157) change."""
        return BodyState.of(self.flat() + change)

    def turned(self, rotmat: torch.Tensor) -> BodyState:
        """The state with its orientation turned by (B, 3, 3) rotations; columns of 6D turn as such."""
        orientation = (rotmat @ self.pose_6d[:, :6].unflatten(1, (3, 2))).flatten(1)
        return BodyState(torch.cat([orientation, self.pose_6d[:, 6:]], 1), self.betas, self.cam_crop)


@dataclass(frozen=True, slots=True)
class Regressed:
    """A body that a regressor has in mind after an iteration.

    Attributes:
        state: as regressed.
        rotmat: (B, 24, 3, 3), joint 0 in the full camera frame.
        points: (B, 47, 3) metres, without translation (`PosedBatch.points`).
        projected: (B, 47, 2) points in crop units (`geometry.crop_units`).
        rotations: (B, 24, 3, 3) of all joints in the full camera frame.
    """

    state: BodyState
    rotmat: torch.Tensor
    points: torch.Tensor
    projected: torch.Tensor
    rotations: torch.Tensor

    @property
    def joints(self) -> torch.Tensor:
        """(B, 24, 3) SMPL's joints."""
        return self.points[:, -24:]

    @property
    def betas(self) -> torch.Tensor:
        """(B, 10) shape."""
        return self.state.betas

    @property
    def cam_crop(self) -> torch.Tensor:
        """(B, 3) scale s, tx, ty of the crop camera."""
        return self.state.cam_crop

    def rows(self, some) -> Regressed:
        """The bodies of some people."""
        state, *others = (getattr(self, each.name) for each in fields(self))
        return Regressed(BodyState.of(state.flat()[some]), *(each[some] for each in others))

    def and_those(self, of: Regressed) -> Regressed:
        """These people, then others."""
        pairs = [(getattr(self, each.name), getattr(of, each.name)) for each in fields(self)[1:]]
        state = BodyState.of(torch.cat([self.state.flat(), of.state.flat()]))
        return Regressed(state, *(torch.cat(pair) for pair in pairs))


def published_trunk() -> BlazePoseTrunk:
    """The trunk with its published weights, from the bundled landmark detector (needs `onnx`, extra `train`)."""
    trunk = BlazePoseTrunk()
    trunk.load_state_dict(state_dict_from_onnx(resource_path("detectors", "pose-landmark-full.onnx")))
    return trunk.eval()


def confidence_of(error):
    """Confidence of placed points that are usually so far off, crop units: 1 exact, 0.5 at 4 px of a 256 px crop."""
    return 1 / (1 + error / _HALF_SURE)


def error_of(confidence: torch.Tensor) -> torch.Tensor:
    """Error of points of such a confidence, crop units (`confidence_of`); infinite at 0."""
    return _HALF_SURE * (1 / confidence - 1)


def turn_to_ray(bbox_info: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3) the shortest rotations from the camera's axis to the rays through the centres of crops.

    Seen from a camera turned by it, a crop lies in the middle of the photo.
    """
    x, y = (bbox_info[:, :2].float() / OFFSET_GAIN).unbind(1)
    length = (1 + x**2 + y**2).sqrt()
    x, y, z = x / length, y / length, 1 / length
    rows = [1 - x * x / (1 + z), -x * y / (1 + z), x, -x * y / (1 + z), 1 - y * y / (1 + z), y, -x, -y, z]
    return torch.stack(rows, 1).unflatten(1, (3, 3))


class _Block(nn.Module):
    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, width)
        self.fall = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return x + self.fall(self.dropout(nn.functional.gelu(self.rise(self.norm(x)))))


class _Regressor(nn.Module):
    """Iterative error feedback as in HMR and CLIFF: from context, state and feedback to a change of the state."""

    def __init__(self, context: int, feedback: int, width: int, blocks: int, dropout: float):
        super().__init__()
        self.context_in = nn.Linear(context, width)
        self.state_in = nn.Linear(_STATE + feedback, width)
        self.blocks = nn.ModuleList(_Block(width, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.state_out = nn.Linear(width, _STATE)
        nn.init.normal_(self.state_out.weight, std=1e-3)
        nn.init.zeros_(self.state_out.bias)

    def forward(self, context, inputs):
        """(B, context) embedded once and (B, 157 + feedback) to a (B, 157) change."""
        hidden = context + self.state_in(inputs)
        for block in self.blocks:
            hidden = block(hidden)
        return self.state_out(self.norm(hidden))


class OpenCliff(nn.Module):
    """The open model: BlazePose-full trunk, CLIFF's regressor, and one more for keypoints.

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
        self.trunk = BlazePoseTrunk()
        self.body = TorchBody(load_body())
        self.register_buffer("feature_mean", torch.zeros(FEATURE_SIZE))
        self.register_buffer("feature_std", torch.ones(FEATURE_SIZE))
        self.register_buffer("init_pose", torch.zeros(1, 144))
        self.image_dropout = nn.Dropout(self.config.image_dropout)
        blocks, dropout = self.config.blocks, self.config.dropout
        self.from_image = _Regressor(FEATURE_SIZE + 3, 0, self.config.image_width, blocks, dropout)
        # trained on people without number: nothing to drop out
        context, feedback = POINTS * 3 + 3 + _STATE + 1, POINTS * 2 * 2 + 72 + _STATE
        self.from_points = _Regressor(context, feedback, self.config.points_width, blocks, 0.0)
        self.gauss_newton = GaussNewton(self.body)
        self.step_gain = nn.Parameter(torch.full((_STATE,), _FIRST_GAIN))

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

    def see(self, features: torch.Tensor, bbox_info: torch.Tensor) -> list[Regressed]:
        """CLIFF: bodies after each iteration, from (B, 3768) features of `encode` and (B, 3) bbox_info."""
        normalised = ((features - self.feature_mean) / self.feature_std).clamp(-_FEATURE_LIMIT, _FEATURE_LIMIT)
        context = self.from_image.context_in(torch.cat([self.image_dropout(normalised), bbox_info], 1))
        steps = [self.mean_body(bbox_info)]
        for _ in range(self.config.image_iterations):
            state = steps[-1].state
            steps.append(self.posed(state.changed(self.from_image(context, state.flat())), bbox_info))
        return steps[1:]

    def follow(
        self,
        keypoints: torch.Tensor,
        bbox_info: torch.Tensor,
        start: Regressed,
        has_prior: torch.Tensor,
        iterations: int | None = None,
        unlearnt: int = 0,
    ) -> list[Regressed]:
        """Bodies after each iteration of fitting them to 2D points.

        Args:
            keypoints: (B, 47, 3) x, y in crop units and confidence 0..1, 0 = missing.
            bbox_info: (B, 3).
            start: bodies to start from.
            has_prior: (B, 1) 1 where the start says something about the person, 0 where it is the mean body.
            iterations: as many as the config says by default.
            unlearnt: iterations before these, through which no gradient flows and which are not returned.
        """
        confidence = keypoints[..., 2:]
        points = keypoints[..., :2].clamp(-_POINT_LIMIT, _POINT_LIMIT) * (confidence > 0)
        marked = torch.cat([points, confidence], -1).flatten(1)
        to_ray = turn_to_ray(bbox_info)
        prior = start.state.turned(to_ray.mT).flat() * has_prior
        context = self.from_points.context_in(torch.cat([marked, bbox_info, prior, has_prior], 1))
        steps, learning = [start], torch.is_grad_enabled()
        for number in range(unlearnt + (iterations or self.config.points_iterations)):
            with torch.set_grad_enabled(learning and number >= unlearnt):
                body, state = steps[-1], steps[-1].state.turned(to_ray.mT)
                residual = points - body.projected
                coarse = residual.clamp(-1, 1) * (confidence * _COARSE_GAIN)
                fine = (residual * _FINE_GAIN).clamp(-1, 1) * confidence
                skeleton = (body.joints - body.joints[:, :1]) @ to_ray
                step = self._step(body, residual, confidence, bbox_info).turned(to_ray.mT).flat()
                seen = [state.flat(), coarse.flatten(1), skeleton.flatten(1), fine.flatten(1), step * _STEP_GAIN]
                change = self.from_points(context, torch.cat(seen, 1)) + self.step_gain * step
                state = state.changed(change).turned(to_ray)
                steps.append(self.posed(state, bbox_info))
        return steps[1 + unlearnt :]

    def _step(self, body: Regressed, residual, confidence, bbox_info) -> BodyState:
        """The change that a Gauss-Newton step asks for."""
        error = error_of(confidence[..., 0])
        return BodyState(
            *self.gauss_newton(residual, error, body.points, body.rotmat, body.rotations, body.cam_crop, bbox_info)
        )

    def regress(self, features, bbox_info, keypoints=None, placed=None):
        """Features, and points where there are any, to SMPL.

        Args:
            features: (B, 3768) from `encode`.
            bbox_info: (B, 3).
            keypoints: (B, 47, 3) x, y in crop units and confidence 0..1, 0 = missing; people without any are predicted
                from the image alone.
            placed: (B,) bool whose points were placed by people or files rather than detected. They are also followed
                from the mean body, and the better explanation counts more (`two_starts`); a detector's mistakes are
                explained well too, so its points are followed from what the image says alone. Nobody's by default.

        Returns:
            (B, 24, 3, 3) rotations, (B, 10) betas, (B, 3) crop cameras.
        """
        seen = self.see(features, bbox_info)[-1]
        if keypoints is None:
            return seen.rotmat, seen.betas, seen.cam_crop
        marked = (keypoints[..., 2] > 0).any(1)
        twice = marked.new_zeros(0, dtype=torch.long) if placed is None else (marked & placed).nonzero()[:, 0]
        followed = self._followed(keypoints, bbox_info, seen, twice)
        return tuple(
            torch.where(marked.view(-1, *[1] * (a.dim() - 1)), a, b)
            for a, b in (
                (followed.rotmat, seen.rotmat),
                (followed.betas, seen.betas),
                (followed.cam_crop, seen.cam_crop),
            )
        )

    def _followed(self, keypoints, bbox_info, seen: Regressed, twice: torch.Tensor) -> Regressed:
        """The bodies that follow the points, of the people in the rows `twice` from two starts."""
        has_prior = bbox_info.new_ones(len(bbox_info), 1)
        if not len(twice):
            return self.follow(keypoints, bbox_info, seen, has_prior)[-1]
        points, info = keypoints[twice], bbox_info[twice]
        ends = self.follow(
            torch.cat([keypoints, points]),
            torch.cat([bbox_info, info]),
            seen.and_those(self.mean_body(info)),
            torch.cat([has_prior, torch.zeros_like(has_prior[twice])]),
        )[-1]
        first, second = ends.rows(slice(len(seen.rotmat))), ends.rows(slice(len(seen.rotmat), None))
        error = error_of(points[..., 2])
        flat = first.state.flat().clone()
        flat[twice] = torch.cat(believed(first.rows(twice), second, seen.rows(twice), points[..., :2], error), 1)
        return self.posed(BodyState.of(flat), bbox_info)

    def forward(self, images, bbox_info, keypoints=None):
        """Crops (B, 3, 256, 256) RGB in 0..1 and their place in the frame to SMPL; see `regress`."""
        return self.regress(self.encode(images), bbox_info, keypoints)

    def mean_body(self, bbox_info: torch.Tensor) -> Regressed:
        """The body that the first regressor starts from, for each of B crops."""
        batch = len(bbox_info)
        cam_crop = bbox_info.new_tensor([_MEAN_SCALE, 0, 0]).expand(batch, -1)
        return self.posed(
            BodyState(self.init_pose.expand(batch, -1), bbox_info.new_zeros(batch, 10), cam_crop), bbox_info
        )

    def posed(self, state: BodyState, bbox_info: torch.Tensor) -> Regressed:
        """The body of a state, posed and projected; in float32 whatever the network computes in."""
        state = BodyState(state.pose_6d.float(), state.betas.float(), state.cam_crop.float())
        rotmat = rot6d_to_rotmat(state.pose_6d.reshape(-1, 24, 6))
        posed = self.body(rotmat, state.betas)
        points = posed.points()
        projected = project_to_crop(points, state.cam_crop, bbox_info.float())
        return Regressed(state, rotmat, points, projected, posed.rotations)
