"""What a person would annotate on a photo whose truth is known: box, points with a hand's noise, hidden points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cliff_core.body import Body
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Box, Camera, Keypoints, SmplParams
from sample_build.stage import SUPERSAMPLING, Picture

CLICK_SIGMA = 0.01
"""Deviation of a click, as a share of the box (root of its area), for the average joint."""

GUESS_FACTOR = 2.0
"""Points that cannot be seen are guessed this much less exactly."""

_LARGEST_SIGMAS = 2.5  # a hand that slips farther notices and clicks again
# COCO's own per-point spread of human annotators (keypoint evaluation), in the order of COCO-17.
_OKS_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


@dataclass(frozen=True)
class Marked:
    """One person's annotation.

    Attributes:
        box: around what can be seen.
        keypoints: COCO-17.
        area_px: of what can be seen.
    """

    box: Box
    keypoints: Keypoints
    area_px: float


def mark(
    rng: np.random.Generator, picture: Picture, number: int, params: SmplParams, camera: Camera, body: Body
) -> Marked:
    """Annotate one person.

    Args:
        rng: the hand's noise.
        picture: the photo and who is where in it.
        number: of the person, as drawn.
        params: the true body.
        camera: the true camera.
        body: the body model.
    """
    rows, columns = np.nonzero(picture.label == number + 1)
    edges = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / SUPERSAMPLING
    box = Box(*(float(value) for value in edges.round(2)))
    vertices = body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl).vertices
    points = body.keypoints(vertices, "coco17").astype(np.float64)
    pixels = project(points[None], [camera.focal_length_px], camera.centre_px[None])[0]
    visible = _visible(picture, number, vertices, points, pixels)
    sigma = CLICK_SIGMA * np.sqrt(box.width * box.height) * _OKS_SIGMAS / _OKS_SIGMAS.mean()
    sigma = sigma * np.where(visible, 1.0, GUESS_FACTOR)
    slip = rng.standard_normal((17, 2))
    clicked = pixels + np.clip(slip, -_LARGEST_SIGMAS, _LARGEST_SIGMAS) * sigma[:, None]
    size = np.array(camera.image_size_px)
    inside = ((pixels >= 0) & (pixels < size) & (clicked >= 0) & (clicked < size)).all(axis=1)
    visibility = np.where(inside, np.where(visible, 2, 1), 0)
    clicked = np.where(inside[:, None], clicked.round(2), 0.0)
    return Marked(box, Keypoints.uniform("coco17", clicked, visibility), round(len(rows) / SUPERSAMPLING**2, 1))


def _visible(picture, number, vertices, points, pixels):
    """(17,) whether nothing but the point's own flesh lies in front of it.

    Joints lie inside the body: what is seen where they project is the surface, nearer by about the limb's radius.
    """
    radius = np.array([np.linalg.norm(vertices - point, axis=1).min() for point in points])
    column, row = np.floor(pixels.T * SUPERSAMPLING).astype(int)
    height, width = picture.label.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = np.where(inside, column, 0), np.where(inside, row, 0)
    in_front = points[:, 2] - picture.depth[row, column]
    return inside & (picture.label[row, column] == number + 1) & (in_front < 1.6 * radius + 0.045)
