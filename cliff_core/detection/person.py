"""Person boxes: NanoDet-g on the whole photo, a closer look where someone small may be, and on turned photos."""

from __future__ import annotations

import cv2
import numpy as np

from cliff_core.detection.overlaps import merge_boxes
from cliff_core.detection.session import load_session
from cliff_core.records import Box, Provenance

_MODEL = "nanodet-g-416.onnx"
_INPUT = "input_1:0"
_SIDE = 416
_BINS = 11  # a distance is a distribution over 0..10 strides
_PERSON = 0  # first of COCO's 80 classes
# (class scores, distances, stride) of the three levels of the feature pyramid
_LEVELS = (
    ("Identity:0", "Identity_3:0", 8),
    ("Identity_1:0", "Identity_4:0", 16),
    ("Identity_2:0", "Identity_5:0", 32),
)
_OUTPUTS = [name for scores, distances, _ in _LEVELS for name in (scores, distances)]
_MEAN_BGR = np.array([103.53, 116.28, 123.675], dtype=np.float32)
_STD_BGR = np.array([57.375, 57.12, 58.395], dtype=np.float32)

_VOTING_SCORE = 0.1  # raw boxes below it say nothing; above it they help to place a better one
_SMALLEST_PX = 2.0

# A closer look: photos of at least twice the network's side, tiles of 0.42 of the longer side (3 x 3 with overlap),
# and of these only the ones in which the whole photo already shows a trace of someone small.
_LARGE_PHOTO_PX = 2 * _SIDE
_TILE_SHARE = 0.42
_TRACE_SCORE = 0.15
_SMALL_SHARE = 0.2  # of the photo's longer side
_LARGEST_IN_TILE = 0.6  # of the tile's side; larger people are seen better on the whole photo
_TILE_DOUBT = 0.05  # taken from scores in tiles: seen from near, textures look like people more often
_CUT_SHARE = 0.01  # boxes this near to an inner edge of a tile are cut people

# A photo on which nobody stands out is looked at turned by 90, 180 and 270 degrees too.
_SURE_SCORE = 0.6
_TURNED_SCORE = 0.45

_Found = tuple[np.ndarray, np.ndarray]  # (N, 4) boxes x0, y0, x1, y1 and (N,) scores


class PersonDetector:
    """Finds people on photos.

    Args:
        threads: cores one call may use.

    Raises:
        ResourceError: the bundled model is missing or damaged.
    """

    def __init__(self, threads: int = 1):
        self._session = load_session(_MODEL, threads)

    def detect(self, rgb: np.ndarray, min_score: float = 0.35) -> list[Box]:
        """Boxes of the people on one photo, best first; a photo without people gives none.

        The network sees a photo 416 pixels wide. On larger photos, places where it suspects someone small are looked
        at again three times as large. If its best box scores below 0.6, the photo may lie on its side (a camera that
        stores no orientation): the direction with the highest sum of scores then counts.

        Args:
            rgb: (H, W, 3) uint8 photo, upright.
            min_score: lowest score kept, 0..1. Lower finds more people and more boxes that are none.

        Returns:
            Boxes inside the photo.
        """
        boxes, scores = self._find(rgb, min_score, quarter_turns=0)
        if scores.max(initial=0) < _SURE_SCORE:
            turned = [self._find(rgb, min_score, turns) for turns in (1, 2, 3)]
            candidates = [found for found in turned if found[1].max(initial=0) >= _TURNED_SCORE]
            boxes, scores = max([(boxes, scores), *candidates], key=lambda found: found[1].sum())
        return [
            Box(float(x0), float(y0), float(x1), float(y1), score=float(score), source=Provenance.MODEL)
            for (x0, y0, x1, y1), score in zip(boxes, scores, strict=True)
        ]

    def _find(self, rgb: np.ndarray, min_score: float, quarter_turns: int) -> _Found:
        """People seen with the photo turned counter-clockwise, one box each, in pixels of the photo as it is."""
        height, width = rgb.shape[:2]
        whole = self._look(rgb, quarter_turns)
        boxes, scores = _joined([whole, *self._closer_looks(rgb, whole, quarter_turns)])
        boxes, scores = merge_boxes(boxes, scores)
        boxes = np.clip(boxes, 0, (width, height, width, height))
        good = (scores >= min_score) & ((boxes[:, 2:] - boxes[:, :2]) >= _SMALLEST_PX).all(axis=1)
        return boxes[good], scores[good]

    def _closer_looks(self, rgb: np.ndarray, whole: _Found, quarter_turns: int) -> list[_Found]:
        size = np.array([rgb.shape[1], rgb.shape[0]])
        if size.max() < _LARGE_PHOTO_PX:
            return []
        boxes, scores = whole
        trace = (scores > _TRACE_SCORE) & (_longer_sides(boxes) < _SMALL_SHARE * size.max())
        middles = (boxes[trace, :2] + boxes[trace, 2:]) / 2
        looks = []
        for low, high in _tiles(size, round(_TILE_SHARE * size.max())):
            if ((middles > low) & (middles < high)).all(axis=1).any():
                tile = rgb[low[1] : high[1], low[0] : high[0]]
                looks.append(_complete_in_tile(self._look(tile, quarter_turns), low, high, size))
        return looks

    def _look(self, rgb: np.ndarray, quarter_turns: int) -> _Found:
        """What the network says about one picture, in pixels of that picture; many boxes per person."""
        square, scale, offset = _letterbox(rgb)
        turned = np.rot90(square, quarter_turns)
        normalised = (turned[..., ::-1].astype(np.float32) - _MEAN_BGR) / _STD_BGR
        outputs = self._session.run(_OUTPUTS, {_INPUT: np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])})
        boxes, scores = _joined(
            [
                _decode(class_scores[0], distances[0], stride)
                for class_scores, distances, (_, _, stride) in zip(outputs[::2], outputs[1::2], _LEVELS, strict=True)
            ]
        )
        for _ in range(quarter_turns):  # a point (x, y) of the square was turned to (y, side - x)
            x0, y0, x1, y1 = boxes.T
            boxes = np.column_stack([_SIDE - y1, x0, _SIDE - y0, x1])
        return (boxes - np.tile(offset, 2)) / np.tile(scale, 2), scores


def _letterbox(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a picture into the network's square: aspect kept, centred, black around.

    Returns:
        The (416, 416, 3) uint8 square, and (2,) scale and (2,) offset with square = picture * scale + offset.
    """
    size = np.array([rgb.shape[1], rgb.shape[0]])
    fitted = np.maximum(1, np.rint(size * (_SIDE / size.max()))).astype(int)
    interpolation = cv2.INTER_AREA if size.max() > _SIDE else cv2.INTER_LINEAR
    resized = cv2.resize(rgb, (int(fitted[0]), int(fitted[1])), interpolation=interpolation)
    left, top = (_SIDE - fitted) // 2
    square = np.zeros((_SIDE, _SIDE, 3), dtype=np.uint8)
    square[top : top + fitted[1], left : left + fitted[0]] = resized
    return square, fitted / size, np.array([left, top], dtype=np.float64)


def _decode(class_scores: np.ndarray, distance_logits: np.ndarray, stride: int) -> _Found:
    """Boxes of one pyramid level in pixels of the square.

    Every cell predicts the distances from its middle to the four sides, each as the mean of a distribution over bins
    one stride wide (Generalized Focal Loss, section 3.2).

    Args:
        class_scores: (cells, 80) probabilities.
        distance_logits: (cells, 4 * 11) left, top, right, bottom.
        stride: pixels per cell.

    Returns:
        The cells that may see a person.
    """
    scores = class_scores[:, _PERSON].astype(np.float64)
    cells = np.flatnonzero(scores > _VOTING_SCORE)
    logits = distance_logits[cells].reshape(-1, 4, _BINS).astype(np.float64)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    distances = (weights @ np.arange(_BINS)) / weights.sum(axis=-1) * stride
    rows, columns = np.divmod(cells, _SIDE // stride)
    middles = (np.column_stack([columns, rows]) + 0.5) * stride
    return np.hstack([middles - distances[:, :2], middles + distances[:, 2:]]), scores[cells]


def _tiles(size: np.ndarray, side: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Low and high corners of square tiles that cover a picture, neighbours sharing at least a quarter."""
    starts = []
    for length in size:
        count = 1 if length <= side else int(np.ceil((length - 0.25 * side) / (0.75 * side)))
        starts.append(np.rint(np.linspace(0, max(length - side, 0), count)).astype(int))
    corners = [np.array([x, y]) for y in starts[1] for x in starts[0]]
    return [(low, np.minimum(low + side, size)) for low in corners]


def _complete_in_tile(found: _Found, low: np.ndarray, high: np.ndarray, size: np.ndarray) -> _Found:
    """The boxes of a tile that are small in it and not cut by it, in pixels of the picture."""
    boxes, scores = found
    boxes = boxes + np.tile(low, 2)
    side = (high - low).max()
    cut_low = (boxes[:, :2] < low + _CUT_SHARE * side) & (low > 0)
    cut_high = (boxes[:, 2:] > high - _CUT_SHARE * side) & (high < size)
    good = ~(cut_low | cut_high).any(axis=1) & (_longer_sides(boxes) < _LARGEST_IN_TILE * side)
    return boxes[good], scores[good] - _TILE_DOUBT


def _longer_sides(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).max(axis=1)


def _joined(parts: list[_Found]) -> _Found:
    return np.concatenate([boxes for boxes, _ in parts]), np.concatenate([scores for _, scores in parts])
