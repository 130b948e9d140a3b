"""CLIFF-GT: the npz in which CLIFF's authors published their pseudo ground truth (cliffGT_v1, `coco2014part_cliffGT`).

One row per person. The keys of the published files, with the conventions of their viewer and of CLIFF's code:

    imgname  (N,) str      photo, relative, forward slashes
    center   (N, 2)        centre of the crop, pixels
    scale    (N,)          height b of the 4:3 crop / 200, CLIFF's margin of 1.1 included: 200 * scale is the `b` of
                           bbox_info and of the crop camera, as in CLIFF's `process_image`
    part     (N, 24, 3)    2D points in the order of `skeletons.SPIN24`: x, y, confidence; zeros = missing
    annot_id (N,)          COCO's annotation id; only in files about COCO
    pose     (N, 72)       axis-angle, global orientation first, in the camera frame
    shape    (N, 10)       betas
    has_smpl (N,)          true
    global_t (N, 3)        translation in the camera of the full photo. The published README calls it the pelvis, but
                           the viewer passes it as `smplx`'s transl, which is what we read and write
    focal_l  (N,)          focal length; the photo's diagonal where nobody knew
    S        (N, 24, 4)    the same 24 joints in metres, pelvis at the origin, and confidence 0 or 1. Regenerated from
                           pose and shape when written and ignored when read: in published files it is off for many rows

The published files do not say how large a photo is, and assume a principal point in its middle. We add keys that their
readers ignore and ours uses, so that nothing is lost on the way: `image_size`, `principal_point`, `bbox`, `gender` and
`model` (see `own_values`). Results of CLIFF's demo, which have other keys, are read as well: see `cliff_demo`.

Pixel coordinates are written as they are in the program: origin at the top left corner of the top left pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats import cliff_demo
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather, relative_name
from cliff_core.formats.own_values import (
    SHAPES,
    TEXT,
    WHOLE,
    box_around,
    own_values,
    params_of,
    positive,
    read_own,
    shapes_for,
)
from cliff_core.formats.rows import read_rows, write_rows
from cliff_core.formats.spin_points import from_part, spin_joints, to_part
from cliff_core.formats.subjects import Subject, each, subjects
from cliff_core.records import Estimate, PhotoPerson, SmplParams

_REQUIRED: dict[str, tuple[int, ...]] = {
    "imgname": (),
    "center": (2,),
    "scale": (),
    "part": (24, 3),
    "pose": (72,),
    "shape": (10,),
    "has_smpl": (),
    "global_t": (3,),
    "focal_l": (),
}
_OURS = ("annot_id", "image_size", "principal_point", "bbox", "gender", "model")


def recognises(source: SourceFile) -> bool:
    """Whether the file is an npz archive with CLIFF-GT's keys, or with those of CLIFF's demo."""
    return source.array_names.issuperset(_REQUIRED) or cliff_demo.recognises(source)


def read(source: SourceFile) -> Annotations:
    """People and bodies of a CLIFF-GT file; see `read_cliff_gt`."""
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a CLIFF-GT file one by one, as they are asked for; of the demo's results too (`cliff_demo`).

    Raises:
        FormatError: as `read_cliff_gt`.
    """
    if "part" not in source.array_names and cliff_demo.recognises(source):
        yield from cliff_demo.people(source, report)
        return
    rows = read_rows(source, _REQUIRED, {name: SHAPES[name] for name in _OURS}, TEXT, WHOLE)
    for index in range(len(rows)):
        yield _person(rows.row(index), rows.where(index), source)
        report.read += 1


def read_cliff_gt(path: str | Path) -> list[tuple[PhotoPerson, SmplParams]]:
    """People and bodies of a CLIFF-GT file.

    A file without our own keys leaves the photo's size open: `image_size_px` is then (0, 0), `camera` is `None`, and
    the focal length stands in `extra["focal_length_px"]`; its box is the largest that gives the file's crop. What
    predicted the bodies stands in `extra["model"]`.

    Raises:
        FormatError: missing or damaged file, missing keys, wrong shapes, values that are no bodies; names the row.
    """
    return [(person, params) for person, params in people(SourceFile(path), ReadReport()) if params is not None]


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None,
) -> None:
    """Write people with their bodies; see `write_cliff_gt`."""
    ready = subjects(path, people, estimates, body, "a CLIFF-GT file")
    shapes = {**_REQUIRED, "S": (24, 4), **shapes_for(ready, *_OURS)}
    write_rows(path, len(ready), map(_row, each(ready)), shapes, ("imgname", *TEXT))


def write_cliff_gt(
    path: str | Path, people: Sequence[PhotoPerson], estimates: Sequence[Estimate], body: Body | Mapping[str, Body]
) -> None:
    """Write people with their bodies.

    Args:
        path: of the npz; replaced only when the new one is complete.
        people: names, sizes, ids and 2D points; a person's own points go before those of the estimate.
        estimates: the body of each person, with the box and the camera that it was predicted for.
        body: the body model that regenerates `S`, or one per gender. Joints it does not know get confidence 0; where
            it does not know the pelvis of `SPIN24`, SMPL's own pelvis is the origin.

    Raises:
        FormatError: lists of different length, an estimate for a photo of another size, a gender without a body, or
            a place that cannot be written.
    """
    write(Path(path), people, estimates, body)


def _row(subject: Subject) -> dict[str, Any]:
    """One person's values by key."""
    from cliff_core.geometry.crop import OFFICIAL_CROP, crop_frame  # brings OpenCV, which listing formats must not

    centre, height = crop_frame(subject.box.xyxy[None], OFFICIAL_CROP)
    return {
        **own_values(subject),
        "imgname": subject.person.image_name,
        "center": centre[0],
        "scale": height[0] / 200,
        "part": to_part(subject.keypoints),
        "pose": subject.pose_rotvec.reshape(72),
        "shape": subject.betas,
        "has_smpl": True,
        "global_t": subject.transl,
        "focal_l": float(subject.camera.focal_length_px),
        "S": spin_joints(subject),
    }


def _person(row: dict[str, Any], where: str, source: SourceFile) -> tuple[PhotoPerson, SmplParams]:
    if not row["has_smpl"]:
        raise FormatError(f"{where}: has no body (has_smpl is 0), and CLIFF-GT is about bodies; drop the row")
    focal = positive(row["focal_l"], f"{where}: focal_l")
    name = relative_name(row["imgname"], where)
    own = read_own(row, where, source.photo_size(name))
    camera = own.camera(focal)
    person = PhotoPerson(
        image_name=name,
        image_size_px=own.image_size_px or (0, 0),
        box=own.box or _box_of_crop(row, where),
        keypoints=from_part(row["part"]),
        camera=camera,
        annotation_id=own.annotation_id,
        extra={"model": own.model or "cliff-gt"} | ({} if camera else {"focal_length_px": focal}),
    )
    return person, params_of(row["pose"], row["shape"], row["global_t"], own.gender or "neutral", where)


def _box_of_crop(row: dict[str, Any], where: str):
    """The 4:3 box whose crop is the file's."""
    from cliff_core.geometry.crop import OFFICIAL_CROP

    height = 200 * row["scale"] / OFFICIAL_CROP.rescale
    return box_around(row["center"], height * OFFICIAL_CROP.width_px / OFFICIAL_CROP.height_px, height, where)
