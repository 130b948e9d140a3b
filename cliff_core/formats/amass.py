"""AMASS: one npz per person, as animation tools load it (the SMPL add-ons for Blender, aitviewer, SMPL-X's tools).

One frame F, as a photo is one moment:

    poses                (F, 165)  axis-angle of SMPL-X: global orientation, 21 joints of the body, then face and
                                   fingers as zeros. Tools for SMPL-H find what they look for in the first 156. In
                                   AMASS's world: x to the right, y away from the camera, z up
    trans                (F, 3)    translation in that world, added after skinning
    betas                (16,)     the ten of SMPL, and zeros
    gender               str       neutral, male or female
    mocap_frame_rate               frames per second; a whole number, as Blender wants it
    mocap_framerate                the same, as the older files and aitviewer spell it
    dmpls                (F, 8)    zeros
    poses_root           (F, 3)    the global orientation alone, and
    poses_body           (F, 69)   all 23 other joints of SMPL, as aitviewer's `from_npz` takes them: SMPL-H and
                                   SMPL-X have no joints for SMPL's hands (22 and 23), so that only these bring the body
                                   back as it was

Ours, ignored by others: `imgname`, `rest_pelvis` (3), `image_size`, `principal_point`, `focal_length`, `bbox`, `model`,
`annot_id` (see `own_values`), and `keypoints_2d` (44, 3) as in `humans4d`.

A body turns around its pelvis, so changing the world moves `trans` by what the turn moves the rest pelvis:
`trans = Q (transl + pelvis) - pelvis`. `rest_pelvis` is the pelvis of the shaped body before posing, and lets the file
be read without its body model. Files of AMASS itself are about no photo: they are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.archives import NpzArchive
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather, relative_name, write_atomically
from cliff_core.formats.folders import files_below, people_of_files, person_paths
from cliff_core.formats.humans4d import EXTRA_POINTS, points_2d
from cliff_core.formats.own_values import own_values, params_of, read_own, shapes_for, vector
from cliff_core.formats.spin_points import from_both
from cliff_core.formats.subjects import Subject, subjects
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import Estimate, PhotoPerson

_SUFFIX = ".npz"
_KIND = "an AMASS file"
_SIGNS = {"poses", "trans", "betas", "gender"}
_REQUIRED = {"poses_root": 3, "poses_body": 69, "trans": 3, "rest_pelvis": 3}
_OURS = ("image_size", "principal_point", "focal_length", "bbox", "model", "annot_id")
_POINTS = 25 + EXTRA_POINTS
_POSE_NUMBERS = 165
_FRAMES_PER_SECOND = 30
_TO_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # from x right, y down, z forward


def recognises(source: SourceFile) -> bool:
    """Whether a file is an npz archive with AMASS's keys, or a folder has one."""
    if source.is_folder:
        return any(_has_signs(NpzArchive(file)) for file in files_below(source.path, _SUFFIX))
    return _has_signs(source.archive)


def read(source: SourceFile) -> Annotations:
    """The person of an AMASS file of ours, or the people of all in a folder.

    Raises:
        FormatError: damaged, about no photo, wrong shapes, or values that are no body.
    """
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a file or a folder one by one; errors as in `read`."""

    def of_file(file: Path, report: ReadReport) -> Iterator[Read]:
        yield _person(source.archive if file == source.path else NpzArchive(file), source)
        report.read += 1

    yield from people_of_files(source, _SUFFIX, _KIND, of_file, report)


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None,
) -> None:
    """Write one file per person.

    Args:
        path: a folder; or a path that ends with `.npz`, for a single person.
        people: names, sizes, ids and 2D points; a person's own points go before those of the estimate.
        estimates: the body of each person, with the box and the camera that it was predicted for.
        body: the body model whose rest pelvis it is, or one per gender.

    Raises:
        FormatError: people without bodies, several people for one file, and what `subjects` refuses.
    """
    ready = subjects(path, people, estimates, body, _KIND)
    for subject, place in zip(ready, person_paths(path, ready, _SUFFIX, _KIND), strict=True):
        write_atomically(place, partial(np.savez_compressed, allow_pickle=False, **_arrays(subject)))


def _has_signs(archive: NpzArchive) -> bool:
    return archive.names.issuperset(_SIGNS)


def _person(archive: NpzArchive, source: SourceFile) -> Read:
    where = str(archive.path)
    if "imgname" not in archive.names:
        raise FormatError(
            f"{where}: a motion file that names no photo (only AMASS files written here do); there is nobody to import"
        )
    text = {name: _text(archive, name) for name in ("imgname", "gender", "model") if name in archive.names}
    numbers = {name: vector(archive.array(name), count, f"{where}: {name}") for name, count in _REQUIRED.items()}
    name = relative_name(text["imgname"], where)
    values: dict[str, Any] = {key: archive.array(key) for key in _OURS if key in archive.names and key not in text}
    own = read_own(values | text, where, source.photo_size(name))
    camera = own.camera()
    if camera is None or own.box is None:
        raise FormatError(f"{where}: says neither camera nor box; export it again")
    pelvis = numbers["rest_pelvis"]
    pose = np.concatenate([numbers["poses_root"], numbers["poses_body"]]).reshape(24, 3)
    pose[0] = rotmat_to_rotvec(_TO_WORLD.T @ rotvec_to_rotmat(pose[0]))
    transl = _TO_WORLD.T @ (numbers["trans"] + pelvis) - pelvis
    params = params_of(pose, archive.array("betas"), transl, own.gender or "neutral", where)
    keypoints = None
    if "keypoints_2d" in archive.names:
        table = vector(archive.array("keypoints_2d"), 3 * _POINTS, f"{where}: keypoints_2d").reshape(_POINTS, 3)
        keypoints = from_both(table[:25], table[25:])
    extra = {"model": own.model or "amass"}
    return PhotoPerson(name, camera.image_size_px, own.box, keypoints, camera, own.annotation_id, extra), params


def _text(archive: NpzArchive, name: str) -> str:
    """A single text."""
    array = archive.array(name)
    if array.dtype.kind != "U" or array.size != 1:
        raise FormatError(f"{archive.path}: '{name}' is no single text")
    return str(array.reshape(()).item())


def _arrays(subject: Subject) -> dict[str, Any]:
    """The arrays of one person's file."""
    pose = subject.pose_rotvec.copy()
    pose[0] = rotmat_to_rotvec(_TO_WORLD @ rotvec_to_rotmat(pose[0]))
    poses = np.zeros((1, _POSE_NUMBERS))
    poses[0, :66] = pose[:22].reshape(-1)
    pelvis = subject.rest_pelvis
    return {
        **own_values(subject, shapes_for([subject], *_OURS)),
        "poses": poses,
        "trans": (_TO_WORLD @ (subject.transl + pelvis) - pelvis)[None],
        "betas": np.concatenate([subject.betas, np.zeros(6)]),
        "gender": subject.params.gender,
        "mocap_frame_rate": _FRAMES_PER_SECOND,
        "mocap_framerate": float(_FRAMES_PER_SECOND),
        "dmpls": np.zeros((1, 8)),
        "poses_root": pose[:1],
        "poses_body": pose[1:].reshape(1, 69),
        "imgname": subject.person.image_name,
        "rest_pelvis": pelvis,
        "keypoints_2d": np.concatenate(points_2d(subject)),
    }
