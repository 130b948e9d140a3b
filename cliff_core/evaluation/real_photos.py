"""Real photos to measure on: an index of people with human 2D points and, where cameras were calibrated, 3D joints.

The index is one JSON (`"schema": "realdata/1"`): `formats` names the points of each joint format, `images` lists
photos with their camera and people. Nothing of it may be used for training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cliff_core.errors import FormatError
from cliff_core.evaluation.scores import coco_joints
from cliff_core.records import Box, Camera, Keypoints, PhotoPerson
from cliff_core.skeletons import COCO17

_SCHEMA = "realdata/1"


@dataclass(frozen=True, slots=True)
class RealPerson:
    """A person on a real photo, with what is known to measure against.

    Attributes:
        person: box, COCO-17 points (undistorted), camera.
        data_set: where the photo comes from.
        joints: (17, 3) COCO-17 joints in the camera frame, metres, NaN = not measured; `None` without calibration.
    """

    person: PhotoPerson
    data_set: str
    joints: np.ndarray | None


def read_real_photos(folder: Path) -> list[RealPerson]:
    """All people fit to measure on: big enough, with shoulders, hips, knees and ankles labelled.

    Args:
        folder: with `index.json` and the photos, or the index itself.

    Raises:
        FormatError: no such index, or one of another layout.
    """
    path = folder / "index.json" if folder.is_dir() else folder
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index.get("schema") != _SCHEMA:
            raise FormatError(f"{path}: schema {index.get('schema')!r}; expected {_SCHEMA!r}")
        people = []
        for image in index["images"]:
            for entry in image["persons"]:
                if entry["measure_ok"] and not entry["iscrowd"]:
                    people.append(_person(image, entry, index["formats"]))
        return people
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); give such an index or its folder") from None
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: not a photo index ({type(error).__name__}: {error})") from None


def _person(image: dict, entry: dict, formats: dict) -> RealPerson:
    size = (image["width"], image["height"])
    left, top, width, height = entry["bbox_xywh"]
    camera = None if image["camera"] is None else _camera(image["camera"], size)
    points, visibility = _points(formats[entry["keypoints_format"]], entry["keypoints"], image["camera"])
    person = PhotoPerson(
        image["file"],
        size,
        Box(left, top, left + width, top + height),
        Keypoints.uniform("coco17", points, visibility),
        camera,
        entry["id"],
    )
    measured = entry.get("joints3d_mm_cam")
    if measured is None:
        return RealPerson(person, image["set"], None)
    joints = np.array([[np.nan] * 3 if joint is None else joint for joint in measured], dtype=np.float64) / 1000
    return RealPerson(person, image["set"], coco_joints(formats[entry["joints3d_format"]], joints))


def _camera(camera: dict, size: tuple[int, int]) -> Camera:
    matrix = np.array(camera["K"])
    return Camera(float((matrix[0, 0] + matrix[1, 1]) / 2), size, (float(matrix[0, 2]), float(matrix[1, 2])))


def _points(names: list[str], keypoints: list, camera: dict | None) -> tuple[np.ndarray, np.ndarray]:
    """COCO-17 points without lens distortion, and their visibility."""
    named = np.array(keypoints, dtype=np.float64)
    pixels = named[:, :2]
    if camera is not None:
        matrix, distortion = np.array(camera["K"]), np.array(camera["dist_opencv"])
        pixels = cv2.undistortPoints(pixels[:, None], matrix, distortion, P=matrix)[:, 0]
    points, visibility = np.zeros((len(COCO17), 2)), np.zeros(len(COCO17), dtype=np.int8)
    for row, name in enumerate(names):
        if name in COCO17.names:
            points[COCO17.index(name)] = pixels[row]
            visibility[COCO17.index(name)] = int(named[row, 2])
    return points, visibility
