"""What flows through the program: frozen records, checked where they are made and never again.

Camera frame: OpenCV (x right, y down, z forward), metres. Image points: pixels of the upright photo, origin at the
top left corner of the top left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from cliff_core.errors import GeometryError
from cliff_core.skeletons import JOINT_SETS


class Provenance(StrEnum):
    """Who set a value: a network, a solver, a person, or a file."""

    MODEL = "model"
    FIT = "fit"
    HUMAN = "human"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Box:
    """A person's box in pixels of the upright photo.

    Attributes:
        x0, y0, x1, y1: left, top, right, bottom; may reach beyond the photo.
        score: 0..1; 1 for boxes a person drew.
        source: who drew it.

    Raises:
        GeometryError: not finite, or without width or height.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    score: float = 1.0
    source: Provenance = Provenance.MODEL

    def __post_init__(self):
        if not (np.isfinite([self.x0, self.y0, self.x1, self.y1]).all() and self.x1 > self.x0 and self.y1 > self.y0):
            raise GeometryError(
                f"box ({self.x0:g}, {self.y0:g}, {self.x1:g}, {self.y1:g}) has no area; draw it again or remove it"
            )

    @property
    def xyxy(self) -> np.ndarray:
        """(4,) float64 left, top, right, bottom."""
        return np.array([self.x0, self.y0, self.x1, self.y1], dtype=np.float64)

    @property
    def centre_px(self) -> np.ndarray:
        """(2,) float64 centre."""
        return np.array([(self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2])

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y1 - self.y0


@dataclass(frozen=True, slots=True)
class Keypoints:
    """2D points of one person in one joint set.

    Attributes:
        joint_set: name in `skeletons.JOINT_SETS`.
        points_px: (K, 2) float64 pixels of the upright photo; undefined where visibility is 0.
        visibility: (K,) COCO's 0 not labelled, 1 labelled but hidden, 2 visible.
        confidence: (K,) 0..1; 1 for points a person placed.
        source: who set each point, K entries.

    Raises:
        GeometryError: arrays that do not fit the joint set.
    """

    joint_set: str
    points_px: np.ndarray
    visibility: np.ndarray
    confidence: np.ndarray
    source: tuple[Provenance, ...]

    def __post_init__(self):
        count = len(JOINT_SETS[self.joint_set].names)
        shapes = (np.shape(self.points_px), np.shape(self.visibility), np.shape(self.confidence), (len(self.source),))
        if shapes != ((count, 2), (count,), (count,), (count,)):
            raise GeometryError(f"{self.joint_set} has {count} points; got arrays of shapes {shapes}")

    @classmethod
    def uniform(cls, joint_set, points_px, visibility, confidence=None, source=Provenance.HUMAN) -> Keypoints:
        """Points that share one source; confidence defaults to 1 where labelled."""
        visibility = np.asarray(visibility, dtype=np.int8)
        if confidence is None:
            confidence = (visibility > 0).astype(np.float64)
        points_px = np.asarray(points_px, dtype=np.float64)
        return cls(
            joint_set, points_px, visibility, np.asarray(confidence, dtype=np.float64), (source,) * len(visibility)
        )


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera of one photo, without distortion.

    Attributes:
        focal_length_px: focal length in pixels of the upright photo.
        image_size_px: width, height.
        principal_point_px: defaults to the middle of the photo.
    """

    focal_length_px: float
    image_size_px: tuple[int, int]
    principal_point_px: tuple[float, float] | None = None

    @property
    def centre_px(self) -> np.ndarray:
        """(2,) the principal point."""
        if self.principal_point_px is not None:
            return np.array(self.principal_point_px, dtype=np.float64)
        return np.array(self.image_size_px, dtype=np.float64) / 2

    @classmethod
    def guess(cls, image_size_px) -> Camera:
        """CLIFF's guess for an unknown camera: focal length = diagonal (a 53 degree diagonal field of view)."""
        width, height = image_size_px
        return cls(float(np.hypot(width, height)), (int(width), int(height)))

    @classmethod
    def of_35mm(cls, focal_mm: float, image_size_px) -> Camera:
        """A camera with the diagonal angle of view that this focal length has on a frame of 36 x 24 mm."""
        width, height = image_size_px
        return cls(float(focal_mm / np.hypot(36, 24) * np.hypot(width, height)), (int(width), int(height)))


@dataclass(frozen=True, slots=True)
class SmplParams:
    """One SMPL body in the full camera frame.

    Attributes:
        pose_rotvec: (24, 3) axis-angle in radians; row 0 is the global orientation.
        betas: (10,) shape.
        transl: (3,) translation as `smplx` and the official viewer use it: added after skinning, so that the pelvis
            stands at transl + rest pelvis.
        gender: "neutral", "male" or "female".
    """

    pose_rotvec: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    gender: str = "neutral"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A body predicted for one box of one photo; immutable, never edited in place.

    Attributes:
        box: the person's box.
        params: the body in the full camera frame.
        camera: the photo's camera under which `params.transl` holds.
        cam_crop: (3,) scale s, tx, ty as regressed (weak perspective on the crop).
        keypoints: the 2D points that were given to the model or detected, if any.
        model: name and version of what predicted it.
    """

    box: Box
    params: SmplParams
    camera: Camera
    cam_crop: np.ndarray
    keypoints: Keypoints | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class PhotoPerson:
    """One person on one photo as a file or a detector gives it: what prediction and fine-tuning start from.

    Attributes:
        image_name: path of the photo relative to its folder, with forward slashes.
        image_size_px: width, height of the upright photo.
        box: the person's box.
        keypoints: 2D points, if any.
        camera: the photo's camera; `None` if unknown.
        annotation_id: the file's own number for this person, -1 if it has none.
        extra: what else the file says about the person, for exporters.
    """

    image_name: str
    image_size_px: tuple[int, int]
    box: Box
    keypoints: Keypoints | None = None
    camera: Camera | None = None
    annotation_id: int = -1
    extra: dict = field(default_factory=dict)
