"""BlazePose's 33 landmarks (COCO's points, hands and feet) of people in given boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cliff_core.detection.patches import Square, apply_affine, grown, sample
from cliff_core.detection.session import load_session
from cliff_core.detection.visibility import model_keypoints
from cliff_core.records import Box, Keypoints
from cliff_core.skeletons import COCO17

_MODEL = "pose-landmark-full.onnx"
_INPUT, _LANDMARKS = "input_1", "Identity"
_SIZE = 256
_COUNT = 33
_CENTRE, _RIM = 33, 34  # auxiliary landmarks: middle of the hips, and a point on the circle around the whole body
_ALIGNED_FACTOR = 1.25  # the crop's half side, in the radius of that circle, as the network was trained
_FIRST_FACTOR = 1.5
_MARGIN = 0.05
_VISIBLE_FROM, _PLAUSIBLE_FROM = 0.5, 0.2

_SHOULDERS = [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]
_HIPS = [COCO17.index("left_hip"), COCO17.index("right_hip")]
_LEAN_FROM = 0.2  # confidence of the keypoints that tell how a body leans


class LandmarkDetector:
    """Finds the 33 BlazePose landmarks of people whose boxes are known.

    Args:
        threads: cores one call may use.

    Raises:
        ResourceError: the bundled model is missing or damaged.
    """

    def __init__(self, threads: int = 1):
        self._session = load_session(_MODEL, threads)

    def detect(
        self, rgb: np.ndarray, boxes: Sequence[Box], keypoints: Sequence[Keypoints] | None = None
    ) -> list[Keypoints]:
        """Landmarks of each person.

        The network expects the hips in the middle and the body upright. A first look at the box finds both, a second
        look at the square aligned by them gives the landmarks. Someone lying or upside down is misread with high
        confidence, unless `keypoints` say how the body leans.

        Args:
            rgb: (H, W, 3) uint8 photo, upright.
            boxes: one per person, may reach beyond the photo.
            keypoints: `coco17` points of the same people, if known.

        Returns:
            `blazepose33` points in the order of the boxes; confidence is the network's visibility, which becomes
            COCO's 2 from 0.5 on, 1 from 0.2 on, 0 below and outside the photo.
        """
        leans = [0.0] * len(boxes) if keypoints is None else [_lean(one) for one in keypoints]
        return [self._detect_one(rgb, box, lean) for box, lean in zip(boxes, leans, strict=True)]

    def _detect_one(self, rgb: np.ndarray, box: Box, lean: float) -> Keypoints:
        look = self._look(rgb, box, Square.around(box, _FIRST_FACTOR, lean))
        spoke = look.points_px[_RIM] - look.points_px[_CENTRE]
        side_px = 2 * _ALIGNED_FACTOR * float(np.linalg.norm(spoke))
        if side_px >= 1:  # else the network saw nothing to align by
            x, y = look.points_px[_CENTRE]
            look = self._look(rgb, box, Square((float(x), float(y)), side_px, _clockwise_from_up(spoke)))
        points_px, confidence = look.points_px[:_COUNT], look.visibility[:_COUNT]
        return model_keypoints("blazepose33", points_px, confidence, rgb.shape, _VISIBLE_FROM, _PLAUSIBLE_FROM)

    def _look(self, rgb: np.ndarray, box: Box, square: Square) -> _Look:
        patch = sample(rgb, square, _SIZE, within=grown(box, _MARGIN))
        [output] = self._session.run([_LANDMARKS], {_INPUT: patch[None].astype(np.float32) / np.float32(255)})
        values = output.reshape(-1, 5).astype(np.float64)  # x, y, z, visibility, presence; 33 + 6 auxiliary
        return _Look(apply_affine(square.to_photo(_SIZE), values[:, :2]), 1 / (1 + np.exp(-values[:, 3])))


@dataclass(frozen=True, slots=True)
class _Look:
    """What one crop shows.

    Attributes:
        points_px: (39, 2) pixels of the photo.
        visibility: (39,) 0..1.
    """

    points_px: np.ndarray
    visibility: np.ndarray


def _lean(keypoints: Keypoints) -> float:
    """Radians by which a body leans clockwise from upright; 0 where its torso was not seen."""
    confidence = keypoints.confidence
    if min(confidence[_SHOULDERS].max(), confidence[_HIPS].max()) < _LEAN_FROM:
        return 0.0
    return _clockwise_from_up(keypoints.points_px[_SHOULDERS].mean(axis=0) - keypoints.points_px[_HIPS].mean(axis=0))


def _clockwise_from_up(vector: np.ndarray) -> float:
    return float(np.arctan2(vector[0], -vector[1]))
