"""COCO's 17 points of people in given boxes: MoveNet Thunder, top-down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cliff_core.detection.patches import Square, apply_affine, grown, sample
from cliff_core.detection.session import load_session
from cliff_core.detection.visibility import model_keypoints
from cliff_core.records import Box, Keypoints

_MODEL = "movenet-thunder.onnx"
_INPUT, _OUTPUT = "input:0", "Identity:0"
_SIZE = 256
_FACTOR = 1.15  # side of the crop, in the longer side of the box
_MARGIN = 0.05  # kept around the box; all beyond is black, or MoveNet prefers a neighbour nearer to the middle
_SURE = 0.4  # mean confidence below which the person may be lying or upside down
# Against human labels, points from 0.3 on are right (within 0.1 of the box) nine times in ten, those between 0.2 and
# 0.3 four times in ten, those below one time in five.
_VISIBLE_FROM, _PLAUSIBLE_FROM = 0.3, 0.2
_TURNS = np.deg2rad([90.0, 180.0, 270.0])


class KeypointDetector:
    """Finds the 17 COCO points of people whose boxes are known.

    Args:
        threads: cores one call may use.

    Raises:
        ResourceError: the bundled model is missing or damaged.
    """

    def __init__(self, threads: int = 1):
        self._session = load_session(_MODEL, threads)

    def detect(self, rgb: np.ndarray, boxes: Sequence[Box]) -> list[Keypoints]:
        """Points of each person.

        MoveNet knows people who stand. Where it is unsure, the crop is also read turned by 90, 180 and 270 degrees and
        the most confident reading counts.

        Args:
            rgb: (H, W, 3) uint8 photo, upright.
            boxes: one per person, may reach beyond the photo.

        Returns:
            `coco17` points with the network's confidence, in the order of the boxes; visibility 2 from 0.3 on,
            1 from 0.2 on, 0 below and outside the photo.
        """
        return [self._detect_one(rgb, box) for box in boxes]

    def _detect_one(self, rgb: np.ndarray, box: Box) -> Keypoints:
        points_px, confidence = self._read(rgb, box, angle=0.0)
        if confidence.mean() < _SURE:
            readings = [(points_px, confidence), *(self._read(rgb, box, angle) for angle in _TURNS)]
            points_px, confidence = max(readings, key=lambda reading: reading[1].mean())
        return model_keypoints("coco17", points_px, confidence, rgb.shape, _VISIBLE_FROM, _PLAUSIBLE_FROM)

    def _read(self, rgb: np.ndarray, box: Box, angle: float) -> tuple[np.ndarray, np.ndarray]:
        """(17, 2) points in pixels of the photo and (17,) confidence from one crop, turned by `angle`."""
        square = Square.around(box, _FACTOR, angle)
        patch = sample(rgb, square, _SIZE, within=grown(box, _MARGIN))
        [output] = self._session.run([_OUTPUT], {_INPUT: patch[None].astype(np.int32)})
        y, x, confidence = output[0, 0].astype(np.float64).T  # y and x as shares of the patch
        return apply_affine(square.to_photo(_SIZE), np.column_stack([x, y]) * _SIZE), confidence
