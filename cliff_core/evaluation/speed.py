"""The plain way to predict, and the network on its own: what the speed of prediction is measured by.

The plain way is that of a demo script: photo by photo, one crop at a time, in float32, with as many threads per
operation as the libraries take by themselves. It shares with `inference.Predictor` the arithmetic of crops and cameras,
and nothing of how the work is arranged; both give the same bodies.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from cliff_core.body import Body
from cliff_core.errors import ImageError
from cliff_core.geometry.camera import full_frame_translation
from cliff_core.geometry.crop import bbox_info, crop_frame, crop_image, normalise
from cliff_core.geometry.rotations import rotmat_to_rotvec
from cliff_core.inference import Placed, Predictor, crop_points, mostly_placed, regress
from cliff_core.records import Box, Camera, Estimate, Keypoints, SmplParams


class PlainPredictor:
    """Predicts bodies one after the other.

    Args:
        model: from `load_cliff`.
        body: from `load_body`.
    """

    def __init__(self, model: torch.nn.Module, body: Body):
        self.body = body
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = model.eval() if self._device == "cpu" else copy.deepcopy(model).eval().to(self._device)

    @staticmethod
    def read(path: Path) -> np.ndarray:
        """(H, W, 3) uint8 RGB of a photo.

        Raises:
            ImageError: OpenCV cannot read it.
        """
        bgr = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ImageError(f"{path}: not a picture that OpenCV reads; give another one")
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)

    def predict(
        self,
        rgb: np.ndarray,
        boxes: Sequence[Box],
        keypoints: Sequence[Keypoints | None],
        camera: Camera | None = None,
    ) -> list[Estimate]:
        """One estimate per box of one photo; see `Predictor.predict`."""
        camera = camera or Camera.guess((rgb.shape[1], rgb.shape[0]))
        return [self._body(rgb, box, points, camera) for box, points in zip(boxes, keypoints, strict=True)]

    def _body(self, rgb: np.ndarray, box: Box, keypoints: Keypoints | None, camera: Camera) -> Estimate:
        spec = self._model.crop_spec
        centre, height = crop_frame(box.xyxy, spec)
        patch = crop_image(rgb, centre[0], height[0], spec)
        size, focal = np.array([camera.image_size_px], dtype=np.float64), np.array([camera.focal_length_px])
        info = torch.from_numpy(bbox_info(centre - camera.centre_px + size / 2, height, focal, size).astype(np.float32))
        regressed = self.network(patch, info, crop_points([keypoints], centre, height), mostly_placed([keypoints]))
        rotmat, betas, cam_crop = (value.double().numpy() for value in regressed)
        transl = full_frame_translation(cam_crop, centre, height, focal, size, np.array([camera.centre_px]))
        params = SmplParams(rotmat_to_rotvec(rotmat)[0], betas[0], transl[0], self.body.gender)
        return Estimate(box, params, camera, cam_crop[0], keypoints, self._model.name)

    @torch.no_grad()
    def network(
        self, patch: np.ndarray, info: torch.Tensor, points: torch.Tensor, placed: torch.Tensor
    ) -> list[torch.Tensor]:
        """Rotations (1, 24, 3, 3), betas (1, 10) and crop camera (1, 3) of one person.

        Args:
            patch: (H, W, 3) float32, 0..255.
            info: (1, 3) bbox_info.
            points: (1, K, 3) in crop units with confidence.
            placed: (1,) bool, whether they were placed.
        """
        images = torch.from_numpy(normalise(patch[None], self._model.crop_spec)).to(self._device)
        info, points, placed = (each.to(self._device) for each in (info, points, placed))
        return [value.cpu() for value in regress(self._model, self._model.encode(images), info, points, placed)]


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """N people as a network gets them.

    Attributes:
        patches: (N, H, W, 3) float32, 0..255.
        info: (N, 3) bbox_info.
        points: (N, K, 3) in crop units with confidence.
        placed: (N,) bool whose points were placed.
    """

    patches: np.ndarray
    info: torch.Tensor
    points: torch.Tensor
    placed: torch.Tensor

    def __len__(self) -> int:
        return len(self.patches)

    @classmethod
    def of(cls, predictor: Predictor, photos: Sequence[tuple[np.ndarray, Placed]]) -> NetworkInput:
        """Everybody on some photos; arguments as of `Predictor.predict_photos`."""
        spec = predictor.model.crop_spec
        people = Placed.join([placed for _, placed in photos])
        patches = [
            crop_image(rgb, centre, height, spec)
            for rgb, placed in photos
            for centre, height in zip(placed.centre_px, placed.box_height_px, strict=True)
        ]
        return cls(np.stack(patches), people.bbox_info, people.points, people.placed)


def network_one_by_one(plain: PlainPredictor, people: NetworkInput) -> None:
    """The plain way's network for everybody, nothing before and after it."""
    for row in range(len(people)):
        one = slice(row, row + 1)
        plain.network(people.patches[row], people.info[one], people.points[one], people.placed[one])


@torch.inference_mode()
def network_together(predictor: Predictor, people: NetworkInput, rows: range) -> None:
    """The fast way's network for some people in one batch, nothing before and after it."""
    step = predictor.compute.people_at_once
    features = [predictor.trunk(people.patches[row : min(row + step, rows.stop)]) for row in rows[::step]]
    some = slice(rows.start, rows.stop)
    regress(predictor.model, torch.cat(features), people.info[some], people.points[some], people.placed[some])
