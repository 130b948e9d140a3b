"""BEDLAM and CameraHMR: the npz with a calibrated camera per person.

One row per person:

    imgname   (N,) str       photo, relative, forward slashes
    center    (N, 2)         centre of the box, pixels
    scale     (N,)           side of the square crop / 200: 1.2 times the longer side of the person's box
    pose_cam  (N, 72)        axis-angle, global orientation first, in the camera frame
    shape     (N, 10)        betas
    trans_cam (N, 3)         translation as `smplx` takes it; what moves the body is trans_cam + cam_ext[:3, 3]
    cam_int   (N, 3, 3)      focal lengths and principal point, pixels
    cam_ext   (N, 4, 4)      written as the identity: the world is the camera
    gtkps     (N, 44, 3)     2D points: BODY_25, then the first 19 of `skeletons.SPIN24`: x, y, confidence, as
                             CameraHMR trains on them (BEDLAM's own files have SMPL-X joints there, and more of them)
    gender    (N,) str       neutral, male or female

Read as well: `pose` for pose_cam, and `cam_t` for trans_cam without cam_ext, as CameraHMR's labels of real photos have
it; more betas than 10, of which the first ten count. Poses of SMPL-X (165 numbers) are no bodies of SMPL: their people
are read without them.

A record's camera has one focal length. Where the file has two that differ, their mean is taken and counted in the
report. The photo's size is twice the principal point unless our own key `image_size` or the photo itself says
otherwise. Our keys `image_size`, `bbox`, `model` and `annot_id` are ignored by other readers (see `own_values`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather, relative_name
from cliff_core.formats.humans4d import EXTRA_POINTS, points_2d
from cliff_core.formats.own_values import (
    SHAPES,
    TEXT,
    WHOLE,
    box_around,
    own_values,
    params_of,
    read_own,
    shapes_for,
)
from cliff_core.formats.placement import Placer, camera_of_matrix
from cliff_core.formats.rows import Shapes, read_rows, write_rows
from cliff_core.formats.spin_points import from_both
from cliff_core.formats.subjects import SQUARE_MARGIN, Subject, subjects
from cliff_core.records import Estimate, PhotoPerson

_POINTS = 25 + EXTRA_POINTS
_SMPL_NUMBERS = 72
_REQUIRED: dict[str, Shapes] = {"imgname": (), "center": (2,), "scale": (), "cam_int": (3, 3), "shape": (None,)}
_POSE: Shapes = [(_SMPL_NUMBERS,), (None,)]
_OPTIONAL: dict[str, Shapes] = {
    "pose_cam": _POSE,
    "pose": _POSE,
    "trans_cam": (3,),
    "cam_t": (3,),
    "cam_ext": (4, 4),
    "gtkps": (None, 3),
}
_WRITTEN = {
    "imgname": (), "center": (2,), "scale": (), "pose_cam": (72,), "shape": (10,), "trans_cam": (3,),
    "cam_int": (3, 3), "cam_ext": (4, 4), "gtkps": (_POINTS, 3), "gender": (),
}  # fmt: skip
_OURS = ("image_size", "bbox", "model", "annot_id")


def recognises(source: SourceFile) -> bool:
    """Whether the file is an npz archive with BEDLAM's camera and a pose."""
    return source.array_names.issuperset(_REQUIRED) and not source.array_names.isdisjoint({"pose_cam", "pose"})


def read(source: SourceFile) -> Annotations:
    """People of a BEDLAM or CameraHMR npz.

    Raises:
        FormatError: missing or damaged file, missing keys, wrong shapes, values that are no bodies; names the row.
    """
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a BEDLAM or CameraHMR npz one by one; errors as in `read`."""
    ours = {name: SHAPES[name] for name in (*_OURS, "gender")}
    rows = read_rows(source, _REQUIRED, {**_OPTIONAL, **ours}, TEXT, WHOLE)
    if rows.arrays.keys().isdisjoint({"pose_cam", "pose"}):
        raise FormatError(f"{source.path}: has no array 'pose_cam' or 'pose'")
    placer = Placer(source)
    for index in range(len(rows)):
        yield _person(rows.row(index), rows.where(index), source, placer)
        report.read += 1
    report.notes += placer.notes


def _person(row: dict[str, Any], where: str, source: SourceFile, placer: Placer) -> Read:
    name = relative_name(row["imgname"], where)
    own = read_own(row, where, source.photo_size(name))
    camera = camera_of_matrix(row["cam_int"], own.image_size_px, where, placer)
    side = 200 * row["scale"] / SQUARE_MARGIN
    points: Any = row.get("gtkps", ())
    person = PhotoPerson(
        image_name=name,
        image_size_px=camera.image_size_px,
        box=own.box or box_around(row["center"], side, side, where),
        keypoints=from_both(points[:25], points[25:]) if len(points) == _POINTS else None,
        camera=camera,
        annotation_id=own.annotation_id,
        extra={"model": own.model or "bedlam"},
    )
    pose: Any = row["pose_cam"] if "pose_cam" in row else row["pose"]
    transl: Any = row.get("trans_cam", row.get("cam_t"))
    if "trans_cam" in row and "cam_ext" in row:
        transl = transl + row["cam_ext"][:3, 3]
    if transl is None:
        placer.count("body left out, as the file does not say where it stands")
        return person, None
    if pose.size != _SMPL_NUMBERS:
        placer.count(f"body left out, as its pose has {pose.size} numbers (SMPL-X?) and SMPL's has {_SMPL_NUMBERS}")
        return person, None
    return person, params_of(pose, row["shape"], transl, own.gender or "neutral", where)


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None = None,
) -> None:
    """Write people with their bodies.

    Args:
        path: of the npz; replaced only when the new one is complete.
        people: names, sizes, ids and 2D points; a person's own points go before those of the estimate.
        estimates: the body of each person, with the box and the camera that it was predicted for.
        body: not needed.

    Raises:
        FormatError: people without bodies, and what `subjects` refuses.
    """
    ready = subjects(path, people, estimates, body, "a BEDLAM file", posed=False)
    shapes = {**_WRITTEN, **shapes_for(ready, *_OURS)}
    write_rows(path, len(ready), map(_row, ready), shapes, ("imgname", *TEXT))


def _row(subject: Subject) -> dict[str, Any]:
    centre, side = subject.square_crop()
    focal, (x, y) = float(subject.camera.focal_length_px), subject.camera.centre_px
    return {
        **own_values(subject),
        "imgname": subject.person.image_name,
        "center": centre,
        "scale": side / 200,
        "pose_cam": subject.pose_rotvec.reshape(72),
        "shape": subject.betas,
        "trans_cam": subject.transl,
        "cam_int": np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]]),
        "cam_ext": np.eye(4),
        "gtkps": np.concatenate(points_2d(subject)),
    }
