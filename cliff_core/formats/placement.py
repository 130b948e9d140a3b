"""Where a body stands that a file gives without a camera of the full photo.

Files of crop-based regressors know a weak-perspective camera of the crop (EFT) or none at all (SPIN, 4D-Humans). Their
bodies are brought into the full camera frame under a guessed focal length, the photo's diagonal, and what was guessed
is counted for the report.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np

from cliff_core.body import Body, load_body
from cliff_core.formats.files import SourceFile
from cliff_core.geometry.camera import full_frame_translation
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Camera, Keypoints
from cliff_core.skeletons import shared_points

# HMR's mean camera, from which it and its family start their regression.
_MEAN_CAMERA = np.array([0.9, 0.0, 0.0])
_LEAST_POINTS = 4
_NEAREST_M, _FARTHEST_M = 0.2, 1000.0


class Placer:
    """Places the bodies of one file and counts what was guessed.

    Args:
        source: the file; its `body` goes before the open bodies.
    """

    def __init__(self, source: SourceFile):
        self._given = source.body
        self._counts: Counter[str] = Counter()

    def count(self, note: str):
        """One more person that a note is about."""
        self._counts[note] += 1

    @property
    def notes(self) -> list[str]:
        """One line per kind of guess, with how many people it is about."""
        return [f"{count} {'people' if count > 1 else 'person'}: {note}" for note, count in self._counts.items()]

    def body(self, gender: str) -> Body:
        """The body model of a gender: the one that was given, else the open one (counted, as its joints differ)."""
        given = {self._given.gender: self._given} if isinstance(self._given, Body) else self._given or {}
        if gender in given:
            return given[gender]
        self.count(f"joints of the open {gender} body stand for those of the file's own; give its body model")
        return _open_body(gender)

    def by_crop(self, cam_crop, centre_px, height_px: float, camera: Camera, guessed: bool) -> np.ndarray:
        """(3,) translation of a body with a crop camera, by CLIFF's formula.

        Args:
            cam_crop: (3,) scale s, tx, ty; a point of the body is at `s (x + t)` of half the crop.
            centre_px: (2,) of the crop.
            height_px: of the crop.
            camera: the full photo's.
            guessed: whether its focal length is a guess, which is then counted.
        """
        if guessed:
            self.count("focal length unknown; the photo's diagonal is taken")
        (transl,) = full_frame_translation(
            np.reshape(cam_crop, (1, 3)), np.reshape(centre_px, (1, 2)), np.array([height_px]),
            np.array([camera.focal_length_px]), np.array([camera.image_size_px]), camera.centre_px[None],
        )  # fmt: skip
        return transl

    def by_points(
        self, pose_rotvec, betas, gender: str, keypoints: Keypoints | None, centre_px, height_px: float, camera: Camera
    ) -> np.ndarray:
        """(3,) translation that brings the body's joints onto its 2D points, or HMR's mean camera without points.

        Args:
            pose_rotvec: (24, 3).
            betas: (10,).
            gender: of the body.
            keypoints: 2D points of any joint set; knees, ankles, elbows, wrists and shoulders count.
            centre_px: (2,) of the crop.
            height_px: of the crop.
            camera: the full photo's; its focal length is a guess.
        """
        if keypoints is not None:
            source, target = shared_points(keypoints.joint_set, "smpl24")
            labelled = (keypoints.visibility[source] > 0) & (keypoints.confidence[source] > 0)
            if labelled.sum() >= _LEAST_POINTS:
                joints, _ = self.body(gender).forward_kinematics(rotvec_to_rotmat(pose_rotvec), betas)
                points = keypoints.points_px[source[labelled]]
                transl = _translation_onto(joints[target[labelled]], points, camera)
                if transl is not None:
                    self.count("no camera in the file; placed by the 2D points, the photo's diagonal as focal length")
                    return transl
        self.count("no camera in the file and too few 2D points; placed in the middle of the crop, fit the body again")
        return self.by_crop(_MEAN_CAMERA, centre_px, height_px, camera, guessed=False)


def _translation_onto(joints: np.ndarray, points_px: np.ndarray, camera: Camera) -> np.ndarray | None:
    """Translation of least squares: with depth multiplied out, projection is linear in it (as SPIN does it).

    Args:
        joints: (K, 3) metres, without translation.
        points_px: (K, 2).
        camera: the full photo's.

    Returns:
        (3,) metres; `None` where the points put the body nowhere in front of the camera.
    """
    focal, offset = camera.focal_length_px, points_px - camera.centre_px
    rows, known = [], []
    for axis in range(2):
        row = np.zeros((len(joints), 3))
        row[:, axis], row[:, 2] = focal, -offset[:, axis]
        rows.append(row)
        known.append(offset[:, axis] * joints[:, 2] - focal * joints[:, axis])
    transl, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate(known), rcond=None)
    return transl if np.isfinite(transl).all() and _NEAREST_M < transl[2] < _FARTHEST_M else None


@cache
def _open_body(gender: str) -> Body:
    return load_body(gender=gender)
