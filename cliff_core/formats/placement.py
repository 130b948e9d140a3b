"""Where a body stands that a file gives without a camera of the full photo.

Files of crop-based regressors know a weak-perspective camera of the crop (EFT) or none at all (SPIN, 4D-Humans). Their
bodies are brought into the full camera frame under a guessed focal length, the photo's diagonal, and what was guessed
is counted for the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from cliff_core.body import Body, load_body
from cliff_core.errors import FormatError
from cliff_core.formats.files import Read, ReadReport, SourceFile, relative_name
from cliff_core.formats.own_values import box_around, camera_of, params_of, positive, read_own, vector
from cliff_core.geometry.camera import full_frame_translation
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Camera, Keypoints, PhotoPerson, SmplParams
from cliff_core.skeletons import shared_points

# HMR's mean camera, from which it and its family start their regression.
_MEAN_CAMERA = np.array([0.9, 0.0, 0.0])
_LEAST_POINTS = 4
_EQUAL_FOCALS = 1e-6
_NEAREST_M, _FARTHEST_M = 0.2, 1000.0


class CroppedPeople:
    """The people of a file that knows crops and bodies, and the full photo's camera only by our own keys.

    Args:
        source: the file.
        report: gets what was read and what was guessed.
        name: of the format, which stands for the model where the file names none.
    """

    def __init__(self, source: SourceFile, report: ReadReport, name: str):
        self._source = source
        self._report = report
        self._name = name
        self._placer = Placer(source)

    def person(
        self,
        values: Mapping[str, Any],
        where: str,
        *,
        keypoints: Keypoints | None,
        body: tuple[Any, Any] | None,
        crop: tuple[Any, float],
        box_size: tuple[float, float],
        cam_crop: np.ndarray | None = None,
    ) -> Read:
        """One person.

        Args:
            values: everything the file says about the person by name, with `imgname`.
            where: for errors: file and person.
            keypoints: 2D points, if any.
            body: pose (72,) and betas (10,), if there is a body.
            crop: centre (2,) and height of the crop, pixels.
            box_size: width and height of the box in its middle, where the file has no `bbox` of ours.
            cam_crop: (3,) CLIFF's camera of the crop, if the file has one.

        Raises:
            FormatError: values that no person has.
        """
        name = relative_name(values["imgname"], where)
        own = read_own(values, where, self._source.photo_size(name))
        box = own.box or box_around(crop[0], *box_size, where)
        params, camera = None, own.camera()
        extra: dict[str, Any] = {}
        if body is not None:
            gender = own.gender or "neutral"
            params = params_of(body[0], body[1], np.zeros(3) if own.transl is None else own.transl, gender, where)
            extra["model"] = own.model or self._name
            if camera is None and own.focal_length_px is not None:
                extra["focal_length_px"] = own.focal_length_px
            if own.transl is None and own.image_size_px is None:
                self._placer.count("body left out, as the size of its photo is unknown; read again with the photos")
                params = None
            elif own.transl is None:
                camera = camera or self._placer.guess_camera(own.image_size_px)
                height = positive(crop[1], f"{where}: height of the crop")
                if cam_crop is None:
                    params = self._placer.by_points(params, keypoints, crop[0], height, camera)
                else:
                    params = replace(params, transl=self._placer.by_crop(cam_crop, crop[0], height, camera))
        self._report.read += 1
        return PhotoPerson(
            image_name=name,
            image_size_px=own.image_size_px or (0, 0),
            box=box,
            keypoints=keypoints,
            camera=camera,
            annotation_id=own.annotation_id,
            extra=extra,
        ), params

    def count(self, note: str):
        """One more person that a note is about."""
        self._placer.count(note)

    def one_focal_length(self, both, where: str) -> float:
        """The focal length of a file that has one for x and one for y; see `Placer.one_focal_length`."""
        return self._placer.one_focal_length(both, where)

    def finish(self):
        """Put the notes into the report."""
        self._report.notes += self._placer.notes


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

    def one_focal_length(self, both, where: str) -> float:
        """The mean of two focal lengths, counted where they differ: a record's camera has one.

        Raises:
            FormatError: not two positive numbers.
        """
        fx, fy = (positive(value, where) for value in vector(both, 2, where))
        if abs(fx - fy) > _EQUAL_FOCALS * fx:
            self.count("focal lengths of the file differ between x and y; their mean is taken")
        return (fx + fy) / 2

    def guess_camera(self, image_size_px) -> Camera:
        """CLIFF's guess for a camera that the file does not know; counted."""
        self.count("focal length unknown; the photo's diagonal is taken")
        return Camera.guess(image_size_px)

    def by_crop(self, cam_crop, centre_px, height_px: float, camera: Camera) -> np.ndarray:
        """(3,) translation of a body with a crop camera, by CLIFF's formula.

        Args:
            cam_crop: (3,) scale s, tx, ty; a point of the body is at `s (x + t)` of half the crop.
            centre_px: (2,) of the crop.
            height_px: of the crop.
            camera: the full photo's.
        """
        (transl,) = full_frame_translation(
            np.reshape(cam_crop, (1, 3)), np.reshape(centre_px, (1, 2)), np.array([height_px]),
            np.array([camera.focal_length_px]), np.array([camera.image_size_px]), camera.centre_px[None],
        )  # fmt: skip
        return transl

    def by_points(
        self, params: SmplParams, keypoints: Keypoints | None, centre_px, height_px: float, camera: Camera
    ) -> SmplParams:
        """The body moved so that its joints come onto its 2D points, or into the crop's middle without points.

        Args:
            params: the body; its translation is not looked at.
            keypoints: 2D points of any joint set; knees, ankles, elbows, wrists and shoulders count.
            centre_px: (2,) of the crop.
            height_px: of the crop.
            camera: the full photo's.
        """
        if keypoints is not None:
            source, target = shared_points(keypoints.joint_set, "smpl24")
            labelled = (keypoints.visibility[source] > 0) & (keypoints.confidence[source] > 0)
            if labelled.sum() >= _LEAST_POINTS:
                rotmat = rotvec_to_rotmat(params.pose_rotvec)
                joints, _ = self.body(params.gender).forward_kinematics(rotmat, params.betas)
                points = keypoints.points_px[source[labelled]]
                transl = _translation_onto(joints[target[labelled]], points, camera)
                if transl is not None:
                    self.count("no translation in the file; placed by the 2D points")
                    return replace(params, transl=transl)
        self.count("no translation in the file and too few 2D points; placed in the middle of the crop, fit it again")
        transl = self.by_crop(_MEAN_CAMERA, centre_px, height_px, camera)
        return replace(params, transl=transl)


def camera_of_matrix(matrix, size: tuple[int, int] | None, where: str, placer: Placer) -> Camera:
    """A camera from a calibration matrix.

    Args:
        matrix: (3, 3) focal lengths and principal point, pixels.
        size: of the photo; twice the principal point if unknown (counted).
        where: for errors: file and person.
        placer: counts what was guessed, and focal lengths that differ between x and y: a record has one.

    Raises:
        FormatError: a matrix that no camera has.
    """
    what = f"{where}: camera matrix"
    values = vector(matrix, 9, what).reshape(3, 3)
    focal = placer.one_focal_length((values[0, 0], values[1, 1]), f"{what}: focal length")
    middle = (float(values[0, 2]), float(values[1, 2]))
    if size is None:
        size = (round(2 * middle[0]), round(2 * middle[1]))
        if min(size) < 1:
            raise FormatError(f"{what}: principal point {middle[0]:g}, {middle[1]:g} is in the middle of no photo")
        placer.count("size of the photo unknown; twice the principal point is taken")
    return camera_of(focal, size, middle)


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
