"""From a photo and boxes to bodies in its camera: crops, CLIFF, and the way back into the full frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import Self

import numpy as np
import torch

from cliff_core.body import Body
from cliff_core.execution.device import Precision, choose_compute
from cliff_core.geometry.camera import full_frame_translation
from cliff_core.geometry.crop import bbox_info, crop_corners, crop_frame, crop_image
from cliff_core.geometry.crop_units import to_crop_units
from cliff_core.geometry.rotations import rotmat_to_rotvec
from cliff_core.models.fast_trunk import FastTrunk
from cliff_core.models.open_cliff import confidence_of
from cliff_core.records import Box, Camera, Estimate, Keypoints, Provenance, SmplParams
from cliff_core.skeletons import COCO23, SMPL24, shared_points

PLACED_ERROR = 1 / 128
"""How far off placed points usually are, crop units: 1 px of a 256 px crop."""

_PLACED = (Provenance.HUMAN, Provenance.IMPORTED)


@dataclass(frozen=True, slots=True)
class Placed:
    """N people and where a network will look for them; nothing of it depends on a pixel.

    Attributes:
        boxes: N person boxes.
        cameras: N cameras, that of each person's photo.
        keypoints: N 2D observations, or `None` where there are none.
        centre_px: (N, 2) and box_height_px: (N,) crop frames.
        bbox_info: (N, 3) float32.
        points: (N, 47, 3) float32 x, y in crop units and confidence, in the order of `PosedBatch.points`; 0 = missing.
        placed: (N,) bool whose points were placed by people or files rather than detected (`mostly_placed`).
    """

    boxes: tuple[Box, ...]
    cameras: tuple[Camera, ...]
    keypoints: tuple[Keypoints | None, ...]
    centre_px: np.ndarray
    box_height_px: np.ndarray
    bbox_info: torch.Tensor
    points: torch.Tensor
    placed: torch.Tensor

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """People of several photos as one batch."""

        def joined(name):
            values = [getattr(part, name) for part in parts]
            if isinstance(values[0], tuple):
                return sum(values, ())
            return torch.cat(values) if isinstance(values[0], torch.Tensor) else np.concatenate(values)

        return cls(*(joined(field.name) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class Crops(Placed):
    """N people cut out for one network; all that the regressor needs once the features are known.

    Attributes:
        features: (N, F) float32 trunk features.
    """

    features: torch.Tensor

    def with_keypoints(self, keypoints: Sequence[Keypoints | None], placed_error: float = PLACED_ERROR) -> Crops:
        """The same people with other 2D points; boxes, cameras and features stay. See `crop_points`."""
        points = crop_points(keypoints, self.centre_px, self.box_height_px, placed_error)
        return replace(self, keypoints=tuple(keypoints), points=points, placed=mostly_placed(keypoints))

    def with_cameras(self, cameras: Sequence[Camera]) -> Crops:
        """The same people in front of other cameras; boxes, points and features stay."""
        info = _bbox_info(self.centre_px, self.box_height_px, cameras)
        return replace(self, cameras=tuple(cameras), bbox_info=info)


def _bbox_info(centre_px: np.ndarray, box_height_px: np.ndarray, cameras: Sequence[Camera]) -> torch.Tensor:
    """(N, 3) where the boxes of N people sit in front of their cameras."""
    size = np.array([camera.image_size_px for camera in cameras], dtype=np.float64).reshape(-1, 2)
    axis = np.array([camera.centre_px for camera in cameras]).reshape(-1, 2)
    focal = np.array([camera.focal_length_px for camera in cameras])
    # the networks know a camera whose axis goes through the photo's middle: move the box, not the axis
    info = bbox_info(centre_px - axis + size / 2, box_height_px, focal, size)
    return torch.from_numpy(info.astype(np.float32))


def crop_points(
    keypoints: Sequence[Keypoints | None], centre_px, box_height_px, placed_error: float = PLACED_ERROR
) -> torch.Tensor:
    """(N, 47, 3) float32 x, y in crop units and confidence, as `PosedBatch.points` orders them; 0 where missing.

    SMPL's joints are points of their own; those of other sets are mapped to "coco23" by name (`shared_points`).

    Args:
        keypoints: one set per person.
        centre_px: (N, 2) and box_height_px: (N,) crop frames.
        placed_error: how far off points usually are that a person or a file placed, crop units; the open CLIFF reads
            it as their confidence.
    """
    placed_confidence = confidence_of(placed_error)
    count = len(COCO23) + len(SMPL24)
    pixels, confidence = np.zeros((len(keypoints), count, 2)), np.zeros((len(keypoints), count, 1))
    for row, person in enumerate(keypoints):
        if person is not None:
            if person.joint_set == SMPL24.name:
                theirs = np.arange(len(SMPL24))
                ours = len(COCO23) + theirs
            else:
                theirs, ours = shared_points(person.joint_set, COCO23.name)
            pixels[row, ours] = person.points_px[theirs]
            by_source = np.where(np.isin(person.source, _PLACED), placed_confidence, 1.0)
            confidence[row, ours, 0] = (person.confidence * by_source * (person.visibility > 0))[theirs]
    marked = confidence > 0
    points = np.where(marked, to_crop_units(pixels, centre_px, box_height_px), 0.0)
    return torch.from_numpy(np.concatenate([points, confidence], -1).astype(np.float32))


def mostly_placed(keypoints: Sequence[Keypoints | None]) -> torch.Tensor:
    """(N,) bool: of whom at least half of the points were placed by people or files."""
    found = []
    for person in keypoints:
        marked = [] if person is None else np.asarray(person.source)[person.visibility > 0]
        found.append(len(marked) > 0 and np.isin(marked, _PLACED).mean() >= 0.5)
    return torch.tensor(found, dtype=torch.bool)


class Predictor:
    """Predicts SMPL bodies for the boxes of photos. Several threads may share one.

    Args:
        model: from `load_cliff`.
        body: from `load_body`; the body that the model's pose and shape are for.
        precision: of the trunk; what it comes to on this machine is `compute`.
    """

    def __init__(self, model: torch.nn.Module, body: Body, precision: Precision = Precision.FLOAT32):
        self.model = model.eval()
        self.body = body
        self.compute = choose_compute(precision)
        self._making_trunk = Lock()

    def predict(
        self,
        image_rgb: np.ndarray,
        boxes: Sequence[Box],
        keypoints: Sequence[Keypoints | None] | None = None,
        camera: Camera | None = None,
    ) -> list[Estimate]:
        """Bodies for all boxes of one photo.

        Args:
            image_rgb: (H, W, 3) uint8, upright.
            boxes: one for each person.
            keypoints: their 2D points; used by models that take them (the open CLIFF).
            camera: of the photo; CLIFF's guess by default.

        Returns:
            One estimate per box, in order.
        """
        return self.predict_photos([(image_rgb, self.place(image_rgb, boxes, keypoints, camera))])[0]

    def predict_photos(self, photos: Sequence[tuple[np.ndarray, Placed]]) -> list[list[Estimate]]:
        """Bodies for the people of several photos in one batch, which costs a head as much as one person.

        Args:
            photos: (H, W, 3) uint8 pictures and who is to be predicted on them, from `place`.

        Returns:
            Per photo, one estimate per person.
        """
        ends = np.cumsum([0, *(len(people) for _, people in photos)])
        estimates = self.estimates(self.crops_of(photos)) if ends[-1] else []
        return [estimates[start:end] for start, end in pairwise(ends)]

    def place(self, image_rgb, boxes, keypoints=None, camera=None) -> Placed:
        """Where the network will look on a photo; arguments as of `predict`.

        With a camera the photo itself may be `None`: nothing depends on its pixels.

        Raises:
            GeometryError: a box without area, or one that is too large.
        """
        camera = camera or Camera.guess((image_rgb.shape[1], image_rgb.shape[0]))
        keypoints = tuple(keypoints) if keypoints is not None else (None,) * len(boxes)
        centre, height = crop_frame(np.array([box.xyxy for box in boxes]), self.model.crop_spec)
        crop_corners(centre, height, self.model.crop_spec)  # raises now what cutting would raise later
        cameras = (camera,) * len(boxes)
        info, points = _bbox_info(centre, height, cameras), crop_points(keypoints, centre, height)
        return Placed(tuple(boxes), cameras, keypoints, centre, height, info, points, mostly_placed(keypoints))

    def crops(self, image_rgb, boxes, keypoints=None, camera=None) -> Crops:
        """Cut out the people of one photo and compute their features: the slow part, which fine-tuning does once."""
        return self.crops_of([(image_rgb, self.place(image_rgb, boxes, keypoints, camera))])

    def crops_of(self, photos: Sequence[tuple[np.ndarray, Placed]]) -> Crops:
        """The same for the people of several photos, at least one person; see `predict_photos`."""
        spec = self.model.crop_spec
        people = Placed.join([placed for _, placed in photos])
        where = [
            (rgb, centre, height)
            for rgb, placed in photos
            for centre, height in zip(placed.centre_px, placed.box_height_px, strict=True)
        ]
        rows = self.compute.people_at_once  # a crowd's patches would fill the memory
        features = [
            self.trunk(np.stack([crop_image(*each, spec) for each in where[start : start + rows]]))
            for start in range(0, len(where), rows)
        ]
        return Crops(features=torch.cat(features), **{each.name: getattr(people, each.name) for each in fields(people)})

    @property
    def trunk(self) -> FastTrunk:
        """The model's trunk as it is computed here; made when it is first needed, and so with the weights of then."""
        with self._making_trunk:
            return self._trunk

    @cached_property
    def _trunk(self) -> FastTrunk:
        return FastTrunk(self.model, self.compute)

    @torch.inference_mode()
    def estimates(self, crops: Crops) -> list[Estimate]:
        """Bodies in their photos' cameras."""
        found = regress(self.model, crops.features, crops.bbox_info, crops.points, crops.placed)
        return self.placed_bodies(crops, *found)

    def placed_bodies(
        self, crops: Placed, rotmat: torch.Tensor, betas: torch.Tensor, cam_crop: torch.Tensor
    ) -> list[Estimate]:
        """What a network regressed of people, in their photos' cameras; arguments as of `regress`."""
        cam_crop = cam_crop.double().numpy()
        transl = full_frame_translation(
            cam_crop,
            crops.centre_px,
            crops.box_height_px,
            np.array([camera.focal_length_px for camera in crops.cameras]),
            np.array([camera.image_size_px for camera in crops.cameras]),
            np.array([camera.centre_px for camera in crops.cameras]),
        )
        rotvec = rotmat_to_rotvec(rotmat.double().numpy())
        betas = betas.double().numpy()
        return [
            Estimate(
                crops.boxes[i],
                SmplParams(rotvec[i], betas[i], transl[i], self.body.gender),
                crops.cameras[i],
                cam_crop[i],
                crops.keypoints[i],
                self.model.name,
            )
            for i in range(len(crops))
        ]


def regress(model, features, bbox_info, points, placed=None):
    """Rotations, betas and crop cameras from a model's regressor, giving it the points if it takes them."""
    if getattr(model, "takes_keypoints", False):
        return model.regress(features, bbox_info, points, placed)
    return model.regress(features, bbox_info)
