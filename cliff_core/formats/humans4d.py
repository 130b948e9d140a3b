"""4D-Humans (HMR 2.0): the npz that its `ImageDataset` trains and evaluates on.

One row per person:

    imgname            (N,) str      photo, relative, forward slashes
    center             (N, 2)        centre of the box, pixels
    scale              (N, 2)        width and height of the box in pixels; the loader divides by 200. One number is
                                     read as the side of a square. (In the tar of the same project they are already
                                     divided: see `humans4d_tar`.)
    body_pose          (N, 72)       axis-angle, global orientation first although the name says body, camera frame
    has_body_pose      (N,)          1 where it means something
    betas              (N, 10)
    has_betas          (N,)          1 where they mean something
    body_keypoints_2d  (N, 25, 3)    2D points in BODY_25's order: x, y, confidence; zeros = missing
    extra_keypoints_2d (N, 19, 3)    the first 19 of `skeletons.SPIN24`
    body_keypoints_3d  (N, 25, 4)    the body's joints in metres, pelvis at the origin, and confidence
    extra_keypoints_3d (N, 19, 4)

Everything but the first three may be absent. There is no camera; our own keys (`transl`, `focal_length`, `image_size`,
`principal_point`, `bbox`, `gender`, `model`, `annot_id`; see `own_values`) keep it. Without them a body is placed by
its 2D points (`placement`), if the photo's size is known. `extra_info`, an array of Python objects, is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.body import Body
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather
from cliff_core.formats.own_values import SHAPES, TEXT, WHOLE, own_values, shapes_for
from cliff_core.formats.placement import CroppedPeople
from cliff_core.formats.rows import Shapes, read_rows, write_rows
from cliff_core.formats.spin_points import from_both, from_pelvis, to_openpose, to_part
from cliff_core.formats.subjects import Subject, each, subjects
from cliff_core.records import Estimate, PhotoPerson
from cliff_core.skeletons import BODY25, SPIN24

EXTRA_POINTS = 19
"""How many of SPIN's 24 points the files of 4D-Humans hold."""

_REQUIRED: dict[str, Shapes] = {"imgname": (), "center": (2,), "scale": [(2,), (1,), ()]}
_OPTIONAL: dict[str, Shapes] = {
    "body_pose": (72,),
    "has_body_pose": (),
    "betas": (10,),
    "has_betas": (),
    "body_keypoints_2d": (25, 3),
    "extra_keypoints_2d": (EXTRA_POINTS, 3),
}
_WRITTEN = {
    "imgname": (), "center": (2,), "scale": (2,), "body_pose": (72,), "has_body_pose": (), "betas": (10,),
    "has_betas": (), "body_keypoints_2d": (25, 3), "extra_keypoints_2d": (EXTRA_POINTS, 3),
    "body_keypoints_3d": (25, 4), "extra_keypoints_3d": (EXTRA_POINTS, 4),
}  # fmt: skip
_OWN_SIGNS = {"body_pose", "body_keypoints_2d", "extra_keypoints_2d"}


def recognises(source: SourceFile) -> bool:
    """Whether the file is an npz archive with the keys of 4D-Humans."""
    return source.array_names.issuperset(_REQUIRED) and not source.array_names.isdisjoint(_OWN_SIGNS)


def read(source: SourceFile) -> Annotations:
    """People of a 4D-Humans npz, with a body where the file has one that can be placed.

    Raises:
        FormatError: missing or damaged file, missing keys, wrong shapes, values that are no bodies; names the row.
    """
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a 4D-Humans npz one by one; errors as in `read`."""
    rows = read_rows(source, _REQUIRED, {**_OPTIONAL, **SHAPES}, TEXT, WHOLE)
    cropped = CroppedPeople(source, report, "4d-humans")
    for index in range(len(rows)):
        row = rows.row(index)
        yield person_of(cropped, row, rows.where(index), row.get("body_keypoints_2d"), row.get("extra_keypoints_2d"))
    cropped.finish()


def person_of(
    cropped: CroppedPeople,
    values: Mapping[str, Any],
    where: str,
    openpose: np.ndarray | None,
    extra: np.ndarray | None,
) -> Read:
    """One person of the npz or the tar, whose other keys have the same names.

    Args:
        cropped: of the file.
        values: by name; `scale` in pixels.
        where: for errors: file and person.
        openpose: (25, 3) points in BODY_25's order.
        extra: (19, 3) points in SPIN's order.
    """
    width, height = (float(side) for side in np.broadcast_to(values["scale"], 2))
    has_pose = "body_pose" in values and bool(values.get("has_body_pose", True))
    has_betas = "betas" in values and bool(values.get("has_betas", True))
    betas = values["betas"] if has_betas else np.zeros(10)
    return cropped.person(
        values,
        where,
        keypoints=from_both(openpose, extra),
        body=(values["body_pose"], betas) if has_pose else None,
        crop=(values["center"], max(width, height)),
        box_size=(width, height),
    )


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None,
) -> None:
    """Write people with their bodies.

    Args:
        path: of the npz; replaced only when the new one is complete.
        people: names, sizes, ids and 2D points; a person's own points go before those of the estimate.
        estimates: the body of each person, with the box and the camera that it was predicted for.
        body: the body model that gives the 3D points, or one per gender.

    Raises:
        FormatError: people without bodies, and what `subjects` refuses.
    """
    ready = subjects(path, people, estimates, body, "a 4D-Humans file")
    shapes = {**_WRITTEN, **shapes_for(ready, *SHAPES)}
    write_rows(path, len(ready), map(_row, each(ready)), shapes, ("imgname", *TEXT))


def common_values(subject: Subject) -> dict[str, Any]:
    """What the npz and the tar say of a person under the same names; `scale` in pixels."""
    return {
        **own_values(subject),
        "center": subject.box.centre_px,
        "scale": np.array([subject.box.width, subject.box.height]),
        "body_pose": subject.pose_rotvec.reshape(72),
        "has_body_pose": 1.0,
        "betas": subject.betas,
        "has_betas": 1.0,
    }


def points_2d(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """(25, 3) and (19, 3) a person's 2D points: BODY_25's, then the first of SPIN's."""
    return to_openpose(subject.keypoints), to_part(subject.keypoints)[:EXTRA_POINTS]


def points_3d(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """(25, 4) and (19, 4) a body's joints around its pelvis, in metres, and 1 where the body knows them."""
    return from_pelvis(subject, BODY25.name), from_pelvis(subject, SPIN24.name)[:EXTRA_POINTS]


def _row(subject: Subject) -> dict[str, Any]:
    body_2d, extra_2d = points_2d(subject)
    body_3d, extra_3d = points_3d(subject)
    return {
        **common_values(subject),
        "imgname": subject.person.image_name,
        "body_keypoints_2d": body_2d,
        "extra_keypoints_2d": extra_2d,
        "body_keypoints_3d": body_3d,
        "extra_keypoints_3d": extra_3d,
    }
