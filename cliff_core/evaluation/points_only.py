"""The open benchmark without pixels: bodies, cameras and their 2D points, for solvers and for regressors of points.

People are drawn as for training (`synthetic.people`), but from held-out poses and from seeds that training never uses.
Half of what makes photos hard is absent: points are exact unless noise is asked for, and nothing hides anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import GeometryError
from cliff_core.geometry.camera import project
from cliff_core.geometry.crop import bbox_info
from cliff_core.geometry.crop_units import to_crop_units
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.models.open_cliff import OPEN_CROP, confidence_of
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams
from cliff_core.skeletons import COCO17, COCO23, SMPL24
from cliff_core.synthetic.people import People, sample_people
from cliff_core.synthetic.poses import PoseBank

POINT_ROWS = {
    "coco17": slice(0, len(COCO17)),
    "coco23": slice(0, len(COCO23)),
    "smpl24": slice(len(COCO23), len(COCO23) + len(SMPL24)),
}
"""Where joint sets lie among the 47 points: COCO-23 (of which COCO-17 is the beginning), then SMPL's 24 joints."""

_STREAM = 0xBE7C5  # first word of every seed here; training's begin with the run's own small seed
_NOISE_CROP_PX = 256


@dataclass(frozen=True, slots=True)
class PointsOnly:
    """N people without pixels.

    Attributes:
        people: poses, shapes, cameras, places and crops (`rescale` of the open model's crops).
        points_px: (N, 47, 2) true points, COCO-23 then SMPL's joints, pixels of the photo.
        observed_px: (N, 47, 2) the same with noise, if any was asked for.
        inside: (N, 47) bool, true point within the photo.
        noise_px: standard deviation of the noise in x and y, pixels of a crop 256 px high.
    """

    people: People
    points_px: np.ndarray
    observed_px: np.ndarray
    inside: np.ndarray
    noise_px: float = 0.0

    def __len__(self) -> int:
        return len(self.people.betas)

    @property
    def truth(self) -> list[SmplParams]:
        """Bodies in their cameras' frames, of the neutral open body."""
        rows = zip(self.people.pose_rotvec, self.people.betas, self.people.views.transl, strict=True)
        return [SmplParams(*row) for row in rows]

    @property
    def cameras(self) -> list[Camera]:
        """True cameras, principal points in the middle."""
        views = self.people.views
        sizes = views.image_size_px.astype(int).tolist()
        return [
            Camera(float(focal), (width, height))
            for focal, (width, height) in zip(views.focal_length_px, sizes, strict=True)
        ]

    @property
    def boxes(self) -> list[Box]:
        """Square person boxes whose crops (`OPEN_CROP`) are the people's crops."""
        views = self.people.views
        half = views.box_height_px[:, None] / OPEN_CROP.rescale / 2
        edges = np.concatenate([views.centre_px - half, views.centre_px + half], 1).tolist()
        return [Box(x0, y0, x1, y1, source=Provenance.IMPORTED) for x0, y0, x1, y1 in edges]

    @property
    def bbox_info(self) -> np.ndarray:
        """(N, 3) float64 as CLIFF's networks take it."""
        views = self.people.views
        return bbox_info(views.centre_px, views.box_height_px, views.focal_length_px, views.image_size_px)

    def keypoints(self, joint_set: str, inside_only: bool = True) -> list[Keypoints]:
        """Observed points of each person; a key of `POINT_ROWS`. Outside the photo not labelled, unless all are asked.

        Raises:
            GeometryError: another joint set.
        """
        rows = _rows(joint_set)
        known = self.inside[:, rows] | (not inside_only)
        return [
            Keypoints.uniform(joint_set, points, 2 * labelled, source=Provenance.IMPORTED)
            for points, labelled in zip(self.observed_px[:, rows], known, strict=True)
        ]

    def crop_points(self, joint_set: str, inside_only: bool = True) -> np.ndarray:
        """(N, 47, 3) float32 observed x, y in crop units and how exact they are said to be (`confidence_of`).

        Zeros outside the joint set (and the photo).

        Raises:
            GeometryError: another joint set.
        """
        given = np.zeros_like(self.inside)
        given[:, _rows(joint_set)] = self.inside[:, _rows(joint_set)] | (not inside_only)
        views = self.people.views
        units = to_crop_units(self.observed_px, views.centre_px, views.box_height_px)
        confidence = given * confidence_of(2 * self.noise_px / _NOISE_CROP_PX)
        return np.concatenate([units * given[..., None], confidence[..., None]], -1).astype(np.float32)


def sample_points_only(count: int, seed: int = 0, poses: Path | None = None, noise_px: float = 0.0) -> PointsOnly:
    """Draw the people of the benchmark; the same for the same arguments.

    Args:
        count: N.
        seed: another one is another benchmark.
        poses: npz of poses (`PoseBank`), of which the held-out ones are taken; the bundled clips by default.
        noise_px: standard deviation of Gaussian noise on observed points, in pixels of a crop 256 px high.

    Raises:
        TrainingError: a file without held-out poses.
    """
    body = TorchBody(load_body())
    rng = np.random.default_rng([_STREAM, seed])
    people = sample_people(rng, PoseBank(poses, heldout=True), body, count, OPEN_CROP.rescale)
    with torch.no_grad():
        rotmat = torch.as_tensor(rotvec_to_rotmat(people.pose_rotvec), dtype=torch.float32)
        posed = body(rotmat, torch.as_tensor(people.betas, dtype=torch.float32))
    points = torch.cat([posed.keypoints["coco23"], posed.joints], 1).double().numpy()
    views = people.views
    size = views.image_size_px
    pixels = project(points + views.transl[:, None], views.focal_length_px, size / 2)
    inside = ((pixels >= 0) & (pixels < size[:, None])).all(-1)
    noise = rng.normal(0, noise_px, pixels.shape) * (views.box_height_px / _NOISE_CROP_PX)[:, None, None]
    return PointsOnly(people, pixels, pixels + noise, inside, noise_px)


def _rows(joint_set: str) -> slice:
    if joint_set not in POINT_ROWS:
        raise GeometryError(f"no points of {joint_set} in the benchmark; take one of {', '.join(POINT_ROWS)}")
    return POINT_ROWS[joint_set]
