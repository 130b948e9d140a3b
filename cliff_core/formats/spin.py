"""SPIN and HMR: the npz of `datasets/preprocess`, which many regressors train on (SPIN's `BaseDataset` is the reader).

One row per person:

    imgname  (N,) str      photo, relative, forward slashes
    center   (N, 2)        centre of the box, pixels
    scale    (N,)          side of the square crop / 200: 1.2 times the longer side of the person's box
    part     (N, 24, 3)    2D points in the order of `skeletons.SPIN24`: x, y, confidence; zeros = missing
    openpose (N, 25, 3)    2D points of a detector in BODY_25's order
    pose     (N, 72)       axis-angle, global orientation first, in the camera frame
    shape    (N, 10)       betas
    has_smpl (N,)          1 where pose and shape mean something
    S        (N, 24, 4)    the 24 joints in metres, pelvis at the origin, and confidence
    gender   (N,) str      m or f; absent means neutral

Everything but the first three may be absent. SPIN takes every gender that is not "m" for female, so that neutral people
are written without the key, and cannot stand beside others.

There is no camera: SPIN trains on crops. Our own keys (`transl`, `focal_length`, `image_size`, `principal_point`,
`bbox`, `model`, `annot_id`; see `own_values`) keep it; without them a body is placed by its 2D points
(`placement`), if the photo's size is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather
from cliff_core.formats.own_values import SHAPES, TEXT, WHOLE, own_values, shapes_for
from cliff_core.formats.placement import CroppedPeople
from cliff_core.formats.rows import Shapes, read_rows, write_rows
from cliff_core.formats.spin_points import from_both, spin_joints, to_openpose, to_part
from cliff_core.formats.subjects import GENDER_LETTERS, SQUARE_MARGIN, Subject, each, subjects
from cliff_core.records import Estimate, PhotoPerson

_REQUIRED: dict[str, Shapes] = {"imgname": (), "center": (2,), "scale": ()}
_OPTIONAL: dict[str, Shapes] = {
    "part": (24, 3),
    "openpose": (25, 3),
    "pose": (72,),
    "shape": (10,),
    "has_smpl": (),
    "gender": (),
}
_WRITTEN = {
    "imgname": (), "center": (2,), "scale": (), "part": (24, 3), "openpose": (25, 3), "pose": (72,), "shape": (10,),
    "has_smpl": (), "S": (24, 4),
}  # fmt: skip
_OURS = ("annot_id", "image_size", "principal_point", "bbox", "model", "transl", "focal_length")
_OF_OTHERS = {"global_t", "cam_int", "body_pose", "body_keypoints_2d"}


def recognises(source: SourceFile) -> bool:
    """Whether the file is an npz archive with SPIN's keys and none of the formats that grew out of it."""
    names = source.array_names
    return names.issuperset(_REQUIRED) and names.isdisjoint(_OF_OTHERS) and not names.isdisjoint(_OPTIONAL)


def read(source: SourceFile) -> Annotations:
    """People of a SPIN file, with a body where the file has one that can be placed.

    Raises:
        FormatError: missing or damaged file, missing keys, wrong shapes, values that are no bodies; names the row.
    """
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a SPIN file one by one; errors as in `read`."""
    rows = read_rows(source, _REQUIRED, {**_OPTIONAL, **{name: SHAPES[name] for name in _OURS}}, TEXT, WHOLE)
    cropped = CroppedPeople(source, report, "spin")
    for index in range(len(rows)):
        row, where = rows.row(index), rows.where(index)
        side = 200 * row["scale"]
        has_body = "pose" in row and "shape" in row and bool(row.get("has_smpl", True))
        yield cropped.person(
            row,
            where,
            keypoints=from_both(row.get("openpose"), row.get("part")),
            body=(row["pose"], row["shape"]) if has_body else None,
            crop=(row["center"], side),
            box_size=(side / SQUARE_MARGIN, side / SQUARE_MARGIN),
        )
    cropped.finish()


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
        body: the body model that gives `S`, or one per gender.

    Raises:
        FormatError: people without bodies, neutral people beside others, and what `subjects` refuses.
    """
    ready = subjects(path, people, estimates, body, "a SPIN file")
    shapes = {**_WRITTEN, **shapes_for(ready, *_OURS)}
    neutral = [subject for subject in ready if subject.params.gender == "neutral"]
    if len(neutral) < len(ready):
        if neutral:
            raise FormatError(
                f"{neutral[0].where} is neutral beside male or female people; SPIN's reader would take them for "
                "female, so export each kind into its own file"
            )
        shapes["gender"] = ()
    write_rows(path, len(ready), map(_row, each(ready)), shapes, ("imgname", *TEXT))


def _row(subject: Subject) -> dict[str, Any]:
    centre, side = subject.square_crop()
    return {
        **own_values(subject),
        "imgname": subject.person.image_name,
        "center": centre,
        "scale": side / 200,
        "part": to_part(subject.keypoints),
        "openpose": to_openpose(subject.keypoints),
        "pose": subject.pose_rotvec.reshape(72),
        "shape": subject.betas,
        "has_smpl": 1,
        "S": spin_joints(subject),
        "gender": GENDER_LETTERS[subject.params.gender],
    }
