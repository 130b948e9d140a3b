"""BlazePose's 33 landmarks (COCO's points, hands and feet) of people in given boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cliff_core.detection.patches import Square, apply_affine, grown, sample
from cliff_core.detection.session import load_session
from cliff_core.detection.visibility import model_keypoints
from cliff_core.records import Box, Keypoints

_MODEL = "pose-landmark-full.onnx"
_INPUT, _LANDMARKS, _PRESENCE = "input_1", "Identity", "Identity_1"
_SIZE = 256
_COUNT = 33
_CENTRE, _RIM = 33, 34  # auxiliary landmarks: middle of the hips, and a point on the circle around the whole body
_ALIGNED_FACTOR = 1.25  # the crop's half side, in the radius of that circle, as the network was trained
_FIRST_FACTOR = 1.5
_MARGIN = 0.05
_SURE = 0.5
_VISIBLE_FROM, _PLAUSIBLE_FROM = 0.5, 0.2
_TURNS = np.deg2rad([90.0, 180.0, 270.0])


class LandmarkDetector:
    """Finds the 33 BlazePose landmarks of people whose boxes are known.

    Args:
        threads: cores one call may use.

    Raises:
        ResourceError: the bundled model is missing or damaged.
    """

    def __init__(self, threads: int = 1):
        self._session = load_session(_MODEL, threads)

    def detect(self, rgb: np.ndarray, boxes: Sequence[Box]) -> list[Keypoints]:
        """Landmarks of each person.

        The network expects the hips in the middle and the body upright. A first look at the box finds both, a second
        look at the square aligned by them gives the landmarks. Where no person is seen in the upright box, the first
        look is tried turned by 90, 180 and 270 degrees.

        Args:
            rgb: (H, W, 3) uint8 photo, upright.
            boxes: one per person, may reach beyond the photo.

        Returns:
            `blazepose33` points in the order of the boxes; confidence is the network's visibility, which becomes
            COCO's 2 from 0.5 on, 1 from 0.2 on, 0 below and outside the photo.
        """
        return [self._detect_one(rgb, box) for box in boxes]

    def _detect_one(self, rgb: np.ndarray, box: Box) -> Keypoints:
        look = self._aligned(rgb, box, angle=0.0)
        if look.presence < _SURE:
            look = max([look, *(self._aligned(rgb, box, angle) for angle in _TURNS)], key=lambda one: one.presence)
        points_px, confidence = look.points_px[:_COUNT], look.visibility[:_COUNT]
        return model_keypoints("blazepose33", points_px, confidence, rgb.shape, _VISIBLE_FROM, _PLAUSIBLE_FROM)

    def _aligned(self, rgb: np.ndarray, box: Box, angle: float) -> _Look:
        first = self._look(rgb, box, Square.around(box, _FIRST_FACTOR, angle))
        spoke = first.points_px[_RIM] - first.points_px[_CENTRE]
        side_px = 2 * _ALIGNED_FACTOR * float(np.linalg.norm(spoke))
        if side_px < 1:  # the network saw nothing to align by
            return first
        x, y = first.points_px[_CENTRE]
        upright = Square((float(x), float(y)), side_px, float(np.arctan2(spoke[0], -spoke[1])))
        return self._look(rgb, box, upright)

    def _look(self, rgb: np.ndarray, box: Box, square: Square) -> _Look:
        patch = sample(rgb, square, _SIZE, within=grown(box, _MARGIN))
        landmarks, presence = self._session.run(
            [_LANDMARKS, _PRESENCE], {_INPUT: patch[None].astype(np.float32) / np.float32(255)}
        )
        values = landmarks.reshape(-1, 5).astype(np.float64)  # x, y, z, visibility, presence; 33 + 6 auxiliary
        points_px = apply_affine(square.to_photo(_SIZE), values[:, :2])
        return _Look(points_px, 1 / (1 + np.exp(-values[:, 3])), float(presence.item()))


@dataclass(frozen=True, slots=True)
class _Look:
    """What one crop shows.

    Attributes:
        points_px: (39, 2) pixels of the photo.
        visibility: (39,) 0..1.
        presence: 0..1, whether a person is in the crop.
    """

    points_px: np.ndarray
    visibility: np.ndarray
    presence: float
