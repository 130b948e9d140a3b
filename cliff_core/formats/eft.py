"""EFT: the JSON of Exemplar Fine-Tuning's pseudo annotations, with a weak-perspective camera of a square crop.

An object `{"ver": 0.1, "data": [...]}`, and in an entry of `data`

    imageName                 photo, its base name alone
    bbox_center               [x, y], pixels
    bbox_scale                side of the square crop / 200: 1.2 times the longer side of the person's box
    parm_pose                 24 x 3 x 3 rotation matrices, global orientation first, in the camera frame
    parm_shape                10 betas
    parm_cam                  [s, tx, ty]: a point of the body is at `s x + t` of half the crop. CLIFF, SPIN and HMR
                              mean `s (x + t)`: their t is EFT's t / s
    joint_validity_openpose18 18 flags in OpenPose's older order
    gt_keypoint_2d            49 points: BODY_25, then `skeletons.SPIN24`: x, y, confidence
    smpltype                  "smpl"
    annotId                   COCO's annotation id

Weak perspective has no depth. Reading, CLIFF's formula brings a body into the full photo under a guessed focal length
(its diagonal), which is counted in the report; the photo's size must be known. Our own keys keep what is lost:
`image_path` (the name with folders), and `transl`, `focal_length`, `image_size`, `principal_point`, `bbox`, `gender`,
`model` (see `own_values`). Written, the crop camera is that of the body's depth. Bodies of SMPL-X are no bodies of
SMPL: their people are read without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.files import (
    Annotations,
    Read,
    ReadReport,
    SourceFile,
    gather,
    json_bytes,
    relative_name,
    write_atomically,
)
from cliff_core.formats.json_pieces import pieces
from cliff_core.formats.own_values import SHAPES, own_values, rotvec_of, text_of, vector
from cliff_core.formats.placement import CroppedPeople
from cliff_core.formats.spin_points import from_both, to_openpose, to_part
from cliff_core.formats.subjects import SQUARE_MARGIN, Subject, subjects
from cliff_core.geometry.camera import crop_camera
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Estimate, PhotoPerson
from cliff_core.skeletons import BODY25

_REQUIRED = ("imageName", "bbox_center", "bbox_scale", "parm_pose", "parm_shape", "parm_cam")
_OURS = tuple(name for name in SHAPES if name != "annot_id")
_POINTS = 49
_BODY18 = [index for index, name in enumerate(BODY25.names[:19]) if name != "mid_hip"]


def recognises(source: SourceFile) -> bool:
    """Whether the file is a JSON whose `data` has entries with EFT's parameters."""
    if not source.looks_like_json:
        return False
    return any(isinstance(entry, dict) and "parm_pose" in entry for entry in source.look.first("data")) or (
        source.look.has("ver") and source.look.has("data")
    )


def read(source: SourceFile) -> Annotations:
    """People of an EFT file, with a body where it can be placed.

    Raises:
        FormatError: anything that is not as EFT says; names the entry and what is wrong with it.
    """
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of an EFT file one by one, in bounded memory; errors as in `read`."""
    cropped = CroppedPeople(source, report, "eft")
    found = False
    for piece in pieces(source.path):
        if piece.key != "data":
            continue
        found = True
        if piece.position == -1:
            continue
        where = f"{source.path}: entry {(piece.position or 0) + 1}"
        if piece.position is None or not isinstance(piece.value, dict):
            raise FormatError(f"{where}: not an EFT file: 'data' must be a list of objects")
        yield _person(piece.value, where, cropped)
    if not found:
        raise FormatError(f"{source.path}: not an EFT file: it has no 'data'")
    cropped.finish()


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None = None,
) -> None:
    """Write people with their bodies.

    Args:
        path: of the JSON; replaced only when the new one is complete.
        people: names, sizes, ids and 2D points; a person's own points go before those of the estimate.
        estimates: the body of each person, with the box and the camera that it was predicted for.
        body: not needed.

    Raises:
        FormatError: people without bodies, a body that is not in front of its camera, two photos of one base name, and
            what `subjects` refuses.
    """
    ready = subjects(path, people, estimates, body, "an EFT file", posed=False)
    photos: dict[str, str] = {}
    for subject in ready:
        name = subject.person.image_name
        other = photos.setdefault(PurePosixPath(name).name, name)
        if other != name:
            raise FormatError(
                f"{subject.where}: EFT knows photos by their base name alone, and {other} has the same; rename one"
            )

    def fill(stream: BinaryIO):
        stream.write(b'{"ver": 0.1, "data": [')
        for position, subject in enumerate(ready):
            stream.write((b",\n" if position else b"\n") + json_bytes(path, _entry(subject)))
        stream.write(b"]}")

    write_atomically(path, fill)


def _person(entry: dict[str, Any], where: str, cropped: CroppedPeople) -> Read:
    missing = [key for key in _REQUIRED if entry.get(key) is None]
    if missing:
        raise FormatError(f"{where}: has no {', '.join(missing)}")
    values: dict[str, Any] = {key: entry[key] for key in _OURS if entry.get(key) is not None}
    name = entry.get("image_path", entry["imageName"])
    if not isinstance(name, str):
        raise FormatError(f"{where}: imageName is no text")
    values["imgname"] = relative_name(name, where)
    if entry.get("annotId") is not None:
        values["annot_id"] = entry["annotId"]
    side = 200 * float(vector(entry["bbox_scale"], 1, f"{where}: bbox_scale")[0])
    centre = vector(entry["bbox_center"], 2, f"{where}: bbox_center")
    keypoints = None
    if entry.get("gt_keypoint_2d") is not None:
        table = vector(entry["gt_keypoint_2d"], 3 * _POINTS, f"{where}: gt_keypoint_2d").reshape(_POINTS, 3)
        keypoints = from_both(table[:25], table[25:])
    body = None
    if text_of(entry.get("smpltype", "smpl"), f"{where}: smpltype").lower() == "smpl":
        body = (rotvec_of(entry["parm_pose"], f"{where}: parm_pose"), entry["parm_shape"])
    else:
        cropped.count("body left out, as it is no body of SMPL")
    return cropped.person(
        values,
        where,
        keypoints=keypoints,
        body=body,
        crop=(centre, side),
        box_size=(side / SQUARE_MARGIN, side / SQUARE_MARGIN),
        cam_crop=_cam_crop(entry["parm_cam"], where),
    )


def _cam_crop(values: Any, where: str) -> np.ndarray:
    """(3,) CLIFF's crop camera from EFT's."""
    scale, tx, ty = vector(values, 3, f"{where}: parm_cam")
    if scale <= 0:
        raise FormatError(f"{where}: parm_cam: scale {scale:g} must be positive")
    return np.array([scale, tx / scale, ty / scale])


def _entry(subject: Subject) -> dict[str, Any]:
    """One person."""
    centre, side = subject.square_crop()
    if subject.transl[2] <= 0:
        raise FormatError(
            f"{subject.where} stands {subject.transl[2]:g} m in front of its camera, where no crop shows it; move it "
            "forward"
        )
    camera = subject.camera
    ((scale, tx, ty),) = crop_camera(
        subject.transl[None], centre[None], np.array([side]), np.array([camera.focal_length_px]),
        np.array([camera.image_size_px]), camera.centre_px[None],
    )  # fmt: skip
    points = np.concatenate([to_openpose(subject.keypoints), to_part(subject.keypoints)])
    own = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in
           own_values(subject, _OURS).items()}  # fmt: skip
    ids = {"annotId": subject.person.annotation_id} if subject.person.annotation_id >= 0 else {}
    return {
        "imageName": PurePosixPath(subject.person.image_name).name,
        "image_path": subject.person.image_name,
        "bbox_center": centre.tolist(),
        "bbox_scale": side / 200,
        "parm_pose": rotvec_to_rotmat(subject.pose_rotvec).tolist(),
        "parm_shape": subject.betas.tolist(),
        "parm_cam": [float(scale), float(scale * tx), float(scale * ty)],
        "joint_validity_openpose18": (points[_BODY18, 2] > 0).astype(int).tolist(),
        "gt_keypoint_2d": points.tolist(),
        "smpltype": "smpl",
        **ids,
        **own,
    }
