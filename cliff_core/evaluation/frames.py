"""Frames of the rendered benchmark as records, and as files that hold exactly the same.

A frame's pixels are what its JPEG says, whether it was just made or read from disk, so that a kept frame and a fresh
one give the same numbers.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cliff_core.errors import FormatError
from cliff_core.records import Box, Camera, Keypoints, PhotoPerson, Provenance, SmplParams


@dataclass(frozen=True, slots=True)
class RenderedPerson:
    """A person of a frame, with all that is to know about them.

    Attributes:
        person: name of the frame, tight box of what is visible, all COCO-23 points, true camera.
        joints: SMPL's 24 joints in the frame, with visibility.
        truth: the body in the camera frame; `gender` says of which open body.
        visible_share: visible pixels over the pixels of the whole silhouette within the frame.
        area_px2: visible pixels, COCO's `area`.
    """

    person: PhotoPerson
    joints: Keypoints
    truth: SmplParams
    visible_share: float
    area_px2: float

    @property
    def points(self) -> Keypoints:
        """COCO-23 points; visibility 0 outside the frame, 1 hidden, 2 visible."""
        assert self.person.keypoints is not None
        return self.person.keypoints

    @property
    def camera(self) -> Camera:
        """The frame's true camera."""
        assert self.person.camera is not None
        return self.person.camera

    @property
    def whole(self) -> bool:
        """Whether every point of the body is within the frame, hidden or not."""
        return bool((self.points.visibility > 0).all() and (self.joints.visibility > 0).all())


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """A photo and its people.

    Attributes:
        index: its number in the benchmark.
        rgb: (H, W, 3) uint8.
        camera: true focal length.
        people: those who can be seen well enough to count; others may be in the picture.
    """

    index: int
    rgb: np.ndarray
    camera: Camera
    people: tuple[RenderedPerson, ...]

    @property
    def boxes(self) -> list[Box]:
        """Tight boxes of the people."""
        return [each.person.box for each in self.people]


def frame_name(index: int) -> str:
    """What a frame is called in records and files."""
    return f"rendered/{index:05d}.jpg"


def from_jpeg(jpeg: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an encoded picture."""
    return cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def save_frame(path: Path, frame: RenderedFrame, jpeg: np.ndarray) -> None:
    """Keep a frame; the file appears when it is complete."""
    people = frame.people
    arrays = {
        "index": frame.index,
        "jpeg": jpeg,
        "focal_length_px": frame.camera.focal_length_px,
        "image_size_px": frame.camera.image_size_px,
        "annotation_id": [each.person.annotation_id for each in people],
        "box": [each.person.box.xyxy for each in people],
        "gender": [each.truth.gender for each in people],
        "pose_rotvec": [each.truth.pose_rotvec for each in people],
        "betas": [each.truth.betas for each in people],
        "transl": [each.truth.transl for each in people],
        "points_px": [each.points.points_px for each in people],
        "points_visibility": [each.points.visibility for each in people],
        "joints_px": [each.joints.points_px for each in people],
        "joints_visibility": [each.joints.visibility for each in people],
        "visible_share": [each.visible_share for each in people],
        "area_px2": [each.area_px2 for each in people],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    with unfinished.open("wb") as file:
        np.savez(file, **{name: np.asarray(value) for name, value in arrays.items()})
    unfinished.replace(path)


def load_frame(path: Path) -> RenderedFrame:
    """A frame that `save_frame` kept.

    Raises:
        FormatError: damaged, or another kind of file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        width, height = (int(side) for side in held["image_size_px"])
        camera = Camera(float(held["focal_length_px"]), (width, height))
        index = int(held["index"])
        people = tuple(_person(held, row, camera, index) for row in range(len(held["annotation_id"])))
        return RenderedFrame(index, from_jpeg(held["jpeg"]), camera, people)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, cv2.error) as error:
        raise FormatError(
            f"{path}: a damaged benchmark frame ({error}); remove it, and it will be made again"
        ) from None


def _person(held, row, camera, index) -> RenderedPerson:
    x0, y0, x1, y1 = (float(value) for value in held["box"][row])
    box = Box(x0, y0, x1, y1, source=Provenance.IMPORTED)
    points, joints = (
        Keypoints.uniform(
            joint_set, held[f"{name}_px"][row], held[f"{name}_visibility"][row], source=Provenance.IMPORTED
        )
        for joint_set, name in (("coco23", "points"), ("smpl24", "joints"))
    )
    number = int(held["annotation_id"][row])
    person = PhotoPerson(frame_name(index), camera.image_size_px, box, points, camera, number)
    truth = SmplParams(held["pose_rotvec"][row], held["betas"][row], held["transl"][row], str(held["gender"][row]))
    return RenderedPerson(person, joints, truth, float(held["visible_share"][row]), float(held["area_px2"][row]))
