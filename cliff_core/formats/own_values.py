"""What a format of others has no place for, under names of our own that their readers ignore, one set for all formats.

    image_size (2)         width, height of the upright photo, pixels
    principal_point (2)    pixels
    bbox (4)               the person's own box: left, top, right, bottom
    gender                 neutral, male or female
    model                  what predicted the body
    annot_id               COCO's annotation id; only where the people came with one
    transl (3)             metres in the camera of the full photo, as `smplx` takes it
    focal_length           pixels of the upright photo

A format that has a place of its own for one of them leaves ours out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cliff_core.errors import FormatError, GeometryError
from cliff_core.formats.subjects import Subject
from cliff_core.formats.values import LARGEST_PIXEL, quoted
from cliff_core.geometry.rotations import rotmat_to_rotvec
from cliff_core.records import Box, Camera, Provenance, SmplParams

SHAPES: dict[str, tuple[int, ...]] = {
    "image_size": (2,),
    "principal_point": (2,),
    "bbox": (4,),
    "gender": (),
    "model": (),
    "annot_id": (),
    "transl": (3,),
    "focal_length": (),
}
TEXT = ("gender", "model")
WHOLE = ("annot_id",)

_GENDERS = {"n": "neutral", "m": "male", "f": "female"}
_LARGEST = 1e4  # radians, standard deviations
_FARTHEST_M = 1e6
_ROTATION_ERROR = 0.05  # of R R^T from the identity: beyond rounding of any kind


@dataclass(frozen=True, slots=True)
class Own:
    """Our own values of one person; `None` where the file has none.

    Attributes:
        image_size_px: width, height.
        principal_point_px: of the camera.
        box: the person's own.
        gender: "neutral", "male" or "female".
        model: what predicted the body; "" if nobody says.
        annotation_id: -1 if the file has none.
        transl: (3,) of the body.
        focal_length_px: of the camera.
    """

    image_size_px: tuple[int, int] | None = None
    principal_point_px: tuple[float, float] | None = None
    box: Box | None = None
    gender: str | None = None
    model: str = ""
    annotation_id: int = -1
    transl: np.ndarray | None = None
    focal_length_px: float | None = None

    def camera(self, focal_length_px: float | None = None) -> Camera | None:
        """The photo's camera, if size and focal length are known; the file's own focal length goes before ours."""
        focal = self.focal_length_px if focal_length_px is None else focal_length_px
        if self.image_size_px is None or focal is None:
            return None
        return camera_of(focal, self.image_size_px, self.principal_point_px)


def shapes_for(subjects: Sequence[Subject], *names: str) -> dict[str, tuple[int, ...]]:
    """The shapes of some of our values; `annot_id` only if any of the people has one."""
    with_ids = any(subject.person.annotation_id >= 0 for subject in subjects)
    return {name: SHAPES[name] for name in names if name != "annot_id" or with_ids}


def own_values(subject: Subject, names: Iterable[str] = tuple(SHAPES)) -> dict[str, Any]:
    """Our values of a person by name."""
    values = {
        "image_size": np.array(subject.camera.image_size_px),
        "principal_point": subject.camera.centre_px,
        "bbox": subject.box.xyxy,
        "gender": subject.params.gender,
        "model": subject.estimate.model,
        "annot_id": subject.person.annotation_id,
        "transl": subject.transl,
        "focal_length": float(subject.camera.focal_length_px),
    }
    return {name: values[name] for name in names}


def read_own(values: Mapping[str, Any], where: str, photo_size: tuple[int, int] | None = None) -> Own:
    """Our values among those of a file, checked.

    Args:
        values: whatever the file says about a person, by name.
        where: for errors: file and person.
        photo_size: width and height of the photo, from the photo itself, for files that do not say.

    Raises:
        FormatError: a value of another shape or kind, or one that nothing real has; names it.
    """
    size = photo_size
    if values.get("image_size") is not None:
        width, height = (float(side) for side in vector(values["image_size"], 2, f"{where}: image_size"))
        if not (width.is_integer() and height.is_integer() and min(width, height) >= 0):
            raise FormatError(f"{where}: image_size {width:g} x {height:g} must be whole pixels")
        size = (int(width), int(height)) if width and height else photo_size
    middle = None
    if values.get("principal_point") is not None:
        x, y = (float(value) for value in vector(values["principal_point"], 2, f"{where}: principal_point"))
        middle = (x, y)
    focal = values.get("focal_length")
    transl = values.get("transl")
    return Own(
        image_size_px=size,
        principal_point_px=middle,
        box=box_of(vector(values["bbox"], 4, f"{where}: bbox"), where) if values.get("bbox") is not None else None,
        gender=gender_of(values["gender"], where) if values.get("gender") is not None else None,
        model=text_of(values.get("model", ""), f"{where}: model"),
        annotation_id=_id(values.get("annot_id", -1), where),
        transl=None if transl is None else vector(transl, 3, f"{where}: transl", _FARTHEST_M),
        focal_length_px=None if focal is None else positive(focal, f"{where}: focal_length"),
    )


def camera_of(focal_px: float, size: tuple[int, int], middle: tuple[float, float] | None) -> Camera:
    """A camera; a principal point in the middle of the photo is none, as records have it."""
    return Camera(focal_px, size, None if middle is None or middle == (size[0] / 2, size[1] / 2) else middle)


def params_of(pose, betas, transl, gender: str, where: str) -> SmplParams:
    """A body from a file.

    Args:
        pose: (72,) or (24, 3) axis-angle, global orientation first.
        betas: (10,) or more, of which the first 10 are taken.
        transl: (3,).
        gender: "neutral", "male" or "female".
        where: for errors: file and person.

    Raises:
        FormatError: numbers that no body has.
    """
    return SmplParams(
        pose_rotvec=vector(pose, 72, f"{where}: pose", _LARGEST).reshape(24, 3),
        betas=vector(betas, 10, f"{where}: betas", _LARGEST, longer=True),
        transl=vector(transl, 3, f"{where}: translation", _FARTHEST_M),
        gender=gender,
    )


def rotvec_of(matrices, what: str) -> np.ndarray:
    """(72,) axis-angle of 24 rotation matrices.

    Args:
        matrices: (24, 3, 3), global orientation first.
        what: for errors: file, person and key.

    Raises:
        FormatError: a matrix that was never meant as a rotation; names the joint.
    """
    rotmat = vector(matrices, 216, what).reshape(24, 3, 3)
    errors = np.abs(rotmat @ rotmat.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    wrong = ~(errors <= _ROTATION_ERROR) | (np.linalg.det(rotmat) < 0)
    if wrong.any():
        raise FormatError(f"{what}: the matrix of joint {int(np.argmax(wrong))} is no rotation")
    return rotmat_to_rotvec(rotmat).reshape(72)


def vector(values, count: int, what: str, largest: float = LARGEST_PIXEL, longer: bool = False) -> np.ndarray:
    """(count,) float64, finite and within a bound; whatever nesting the file has is taken out.

    Args:
        values: as the file has them.
        count: how many numbers there must be.
        what: for errors: file, person and key.
        largest: no number may be beyond it.
        longer: whether more numbers may follow, which are left out.

    Raises:
        FormatError: something else.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{what} is {quoted(values)}, not {count} numbers") from error
    if array.size < count or (array.size > count and not longer):
        raise FormatError(f"{what} has shape {array.shape}, not {(count,)}")
    array = array.reshape(-1)[:count].astype(np.float64)
    wrong = ~(np.abs(array) <= largest)  # NaN is not
    if wrong.any():
        raise FormatError(f"{what} holds {array[wrong][0]:g}, which cannot be meant")
    return array


def positive(value, what: str) -> float:
    """A focal length, a scale: a finite number above zero.

    Raises:
        FormatError: something else.
    """
    (number,) = vector(value, 1, what)
    if number <= 0:
        raise FormatError(f"{what} is {number:g}; it must be positive")
    return float(number)


def box_of(xyxy, where: str) -> Box:
    """A box from left, top, right, bottom.

    Raises:
        FormatError: a box without area.
    """
    x0, y0, x1, y1 = (float(value) for value in xyxy)
    try:
        return Box(x0, y0, x1, y1, source=Provenance.IMPORTED)
    except GeometryError as error:
        raise FormatError(f"{where}: {error}") from error


def box_around(centre, width: float, height: float, where: str) -> Box:
    """A box from its centre and size."""
    half = np.array([width, height]) / 2
    return box_of(np.concatenate([np.asarray(centre) - half, np.asarray(centre) + half]), where)


def gender_of(value, where: str) -> str:
    """A gender from a word or its first letter.

    Raises:
        FormatError: another word.
    """
    gender = _GENDERS.get(value.strip().lower()[:1]) if isinstance(value, str) else None
    if gender is None:
        raise FormatError(f"{where}: gender {quoted(value)} is none of {', '.join(_GENDERS.values())}")
    return gender


def text_of(value, what: str) -> str:
    """A word or a name of moderate length.

    Raises:
        FormatError: something else.
    """
    if not isinstance(value, str) or len(value) > 200:
        raise FormatError(f"{what} {quoted(value)} is no name")
    return value


def _id(value, where: str) -> int:
    try:
        number = int(value)
        if number != value or abs(number) >= 1 << 63:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{where}: annot_id {quoted(value)} is no whole number") from error
    return number
