"""Where a person stands in a photo: cameras, viewing angles and places in the frame, as varied as real photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

_FRAME_SIZES = np.array(
    [
        (640, 480),
        (480, 640),
        (1280, 720),
        (1920, 1080),
        (1000, 1000),
        (1080, 1920),
        (640, 427),
        (2048, 2048),
        (4000, 3000),
    ]
)
_MIN_DEPTH_M = 0.3
_MIN_VISIBLE = 8


@dataclass(frozen=True, slots=True)
class Views:
    """N people, each before a camera of its own.

    Attributes:
        transl: (N, 3) metres, as `SmplParams.transl`.
        focal_length_px: (N,).
        image_size_px: (N, 2) width, height.
        centre_px: (N, 2) centre of the crop, with a detector's jitter.
        box_height_px: (N,) side of the square crop, with jitter.
    """

    transl: np.ndarray
    focal_length_px: np.ndarray
    image_size_px: np.ndarray
    centre_px: np.ndarray
    box_height_px: np.ndarray


def sample_orientations(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3, 3) from a y-up world into the camera frame: any yaw, a camera a little above, a few odd angles."""
    pitch = np.radians(rng.normal(8, 13, count))
    odd = rng.random(count) < 0.06
    pitch[odd] = np.radians(rng.uniform(-50, 85, int(odd.sum())))
    roll = np.radians(rng.normal(0, 6, count))
    rolled = rng.random(count) < 0.04
    roll[rolled] = rng.uniform(-np.pi, np.pi, int(rolled.sum()))
    yaw = rng.uniform(-np.pi, np.pi, count)
    upright_to_camera = Rotation.from_euler("x", np.pi)
    turn = Rotation.from_euler("ZXY", np.column_stack([roll, pitch, yaw]))
    return (upright_to_camera * turn).as_matrix()


def place(rng: np.random.Generator, points: np.ndarray, rescale: float) -> Views:
    """Cameras and places for people whose shape is given by a few points.

    Args:
        points: (N, P, 3) joints and keypoints in camera axes, without translation.
        rescale: size of the crop relative to the person's box.
    """
    count = len(points)
    low, high = points.min(1), points.max(1)
    middle, extent = (low + high) / 2, (high - low)[:, :2].max(1) * 1.08  # flesh reaches further than joints
    fields = {
        "transl": np.zeros((count, 3)),
        "focal_length_px": np.zeros(count),
        "image_size_px": np.zeros((count, 2)),
        "centre_px": np.zeros((count, 2)),
        "box_height_px": np.zeros(count),
    }
    todo = np.arange(count)
    while len(todo):
        drawn = _draw_places(rng, points[todo], middle[todo], extent[todo], rescale)
        good = drawn.pop("valid")
        for name, values in drawn.items():
            fields[name][todo[good]] = values[good]
        todo = todo[~good]
    return Views(**fields)


def _draw_places(rng, points, middle, extent, rescale):
    count = len(points)
    size = _FRAME_SIZES[rng.integers(len(_FRAME_SIZES), size=count)].astype(np.float64)
    focal = np.hypot(*size.T) * np.exp(np.clip(rng.normal(0.1, 0.25, count), -0.45, 0.75))
    person = size[:, 1] * np.exp(rng.uniform(np.log(0.15), np.log(1.1), count))
    depth = np.maximum(focal * extent / np.minimum(person, size[:, 0] * 1.2), 1.2)
    margin = np.where(rng.random(count) < 0.75, 0.12, -0.05)[:, None]  # a quarter may be cut by the frame
    where = (margin + rng.random((count, 2)) * (1 - 2 * margin)) * size
    ray = np.column_stack([(where - size / 2) / focal[:, None], np.ones(count)])
    transl = ray * depth[:, None] - middle
    placed = points + transl[:, None]
    deep = placed[..., 2].min(1) > _MIN_DEPTH_M
    pixels = placed[..., :2] / np.maximum(placed[..., 2:], 1e-3) * focal[:, None, None] + size[:, None] / 2
    inside = ((pixels > 0) & (pixels < size[:, None])).all(-1)
    low, high = np.clip(pixels.min(1), 0, size), np.clip(pixels.max(1), 0, size)
    box = (high - low).max(1)
    jitter = np.exp(np.clip(rng.normal(0.06, 0.09, count), -0.18, 0.3))
    return {
        "transl": transl,
        "focal_length_px": focal,
        "image_size_px": size,
        "centre_px": (low + high) / 2 + rng.normal(0, 0.035, (count, 2)) * box[:, None],
        "box_height_px": box * rescale * jitter,
        "valid": deep & (inside.sum(1) >= _MIN_VISIBLE + points.shape[1] // 3) & (box > 20),
    }
