"""3DPW: one pickle per sequence, with people P, frames F, and a world of its own.

    sequence        str                name of the sequence
    poses           P x (F, 72)        axis-angle, global orientation first, in the world
    trans           P x (F, 3)         translation in the world, added after skinning
    betas           P x (10 or more,)  of which the first ten count
    genders         P x str            m or f; n where we write neutral people, which 3DPW does not have
    poses2d         P x (F, 3, 18)     2D points in OpenPose's older order: rows x, y, confidence
    cam_poses       (F, 4, 4)          world to camera
    cam_intrinsics  (3, 3)             focal lengths and principal point, pixels
    campose_valid   P x (F,)           whether the camera of a frame is right
    jointPositions  P x (F, 72)        SMPL's 24 joints in the world, metres; written, not read
    img_frame_ids   (F,)               written as 0 to F - 1

We write one pickle per photo: one frame, its people, and the camera for a world, so that `trans` is what `smplx` takes.
Four keys of ours are ignored by others: `image_names` (F), `image_size` (F, 2), `bbox` P x (F, 4), `model` P x str and
`annot_id` P x int.

Bodies of a world turn around their pelvis, so bringing them into the camera needs the pelvis of the shaped body before
posing. It comes from the body model that is given, else from the open body (counted in the report). Frames without a
valid camera are left out. Photos are called `imageFiles/SEQUENCE/image_00000.jpg`, as the data set has them.

Only plain values are read from the pickle (`pickles`); nothing of it is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.files import (
    Annotations,
    Read,
    ReadReport,
    SourceFile,
    check_people,
    gather,
    relative_name,
    write_bytes,
)
from cliff_core.formats.folders import files_below, people_of_files, photo_paths
from cliff_core.formats.own_values import Own, box_of, params_of, read_own, text_of, vector
from cliff_core.formats.pickles import dumps, loads
from cliff_core.formats.placement import Placer, camera_of_matrix
from cliff_core.formats.points import box_of_points, points_table, scored_points
from cliff_core.formats.subjects import GENDER_LETTERS, Subject, each, per_photo, subjects
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, SmplParams
from cliff_core.skeletons import BODY25

_SUFFIX = ".pkl"
_KIND = "a 3DPW file"
_SIGNS = (b"cam_intrinsics", b"campose_valid", b"poses")
_LARGEST_FILE = 1 << 30
_REQUIRED = ("poses", "trans", "betas", "genders", "cam_poses", "cam_intrinsics")
_OPTIONAL = (
    "sequence", "poses2d", "campose_valid", "image_names", "image_size", "bbox", "model", "annot_id",
)  # fmt: skip
_BODY18 = [index for index, name in enumerate(BODY25.names[:19]) if name != "mid_hip"]
_LEAST_POINTS = 4
_MARGIN = 0.15  # around the joints of a body without 2D points: flesh, head and feet lie beyond them


def recognises(source: SourceFile) -> bool:
    """Whether a file is a pickle with 3DPW's keys, or a folder has one."""
    if source.is_folder:
        return any(_has_signs(file) for file in files_below(source.path, _SUFFIX))
    return _has_signs(source.path)


def read(source: SourceFile) -> Annotations:
    """People of a 3DPW pickle, or of all in a folder: one per frame in which they are seen.

    Raises:
        FormatError: damaged, holding more than plain values, missing keys, values that are no bodies; names the person
            and the frame.
    """
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a pickle or a folder one by one; errors as in `read`."""
    placer = Placer(source)
    yield from people_of_files(
        source, _SUFFIX, _KIND, lambda file, report: _Sequence(file, source, placer).people(report), report
    )
    report.notes += placer.notes


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None,
) -> None:
    """Write one pickle per photo.

    Args:
        path: a folder; or a path that ends with `.pkl`, where all people are on one photo.
        people: names, sizes, ids and 2D points; a person's own points go before those of the estimate.
        estimates: the body of each person, with the box and the camera that it was predicted for.
        body: the body model that gives the joints, or one per gender.

    Raises:
        FormatError: people without bodies, several photos for one file, people of one photo with different cameras,
            and what `subjects` refuses.
    """
    grouped = per_photo(subjects(path, people, estimates, body, _KIND))
    if not grouped and path.suffix.lower() == _SUFFIX:
        write_bytes(path, dumps(_sequence(path.stem, [])))
    for name, place in photo_paths(path, list(grouped), _SUFFIX, _KIND).items():
        write_bytes(place, dumps(_sequence(place.stem, grouped[name])))


def _has_signs(file: Path) -> bool:
    """Whether the keys stand in a file of moderate size that may be a pickle; in all protocols they are plain text."""
    try:
        with file.open("rb") as stream:
            head = stream.read(1)
            if head not in (b"\x80", b"(", b"}") or file.stat().st_size > _LARGEST_FILE:
                return False
            content = head + stream.read()
    except OSError:
        return False
    return all(sign in content for sign in _SIGNS)


class _Sequence:
    """One pickle, opened."""

    def __init__(self, file: Path, source: SourceFile, placer: Placer):
        self._file = file
        self._source = source
        self._placer = placer
        try:
            if file.stat().st_size > _LARGEST_FILE:
                raise FormatError(f"{file}: larger than any sequence of 3DPW; split it")
            content = file.read_bytes()
        except OSError as error:
            raise FormatError(f"{file}: cannot be read ({error.strerror})") from error
        values = loads(content, str(file), frozenset(_REQUIRED + _OPTIONAL))
        if not isinstance(values, dict):
            raise FormatError(f"{file}: not a 3DPW file: a {type(values).__name__} instead of a dictionary")
        missing = [key for key in _REQUIRED if key not in values]
        if missing:
            raise FormatError(f"{file}: not a 3DPW file: has no {', '.join(missing)}")
        self._values: dict[str, Any] = values
        frames = sum(len(poses) for poses in self._listed("poses") if hasattr(poses, "__len__"))
        check_people(frames, len(content), str(file))
        self._name = text_of(values.get("sequence", file.stem), f"{file}: sequence")

    def people(self, report: ReadReport) -> Iterator[Read]:
        """One person per frame in which somebody is seen."""
        count = len(self._listed("poses"))
        for person in range(count):
            poses = self._listed("poses")[person]
            frames = len(poses) if hasattr(poses, "__len__") else 0
            for frame in range(frames):
                where = f"{self._file}: person {person + 1}, frame {frame}"
                if not self._is_valid(person, frame):
                    report.skipped.append(f"{where}: its camera is not valid")
                    continue
                found = self._person(person, frame, where)
                if isinstance(found, str):
                    report.skipped.append(f"{where}: {found}")
                    continue
                report.read += 1
                yield found

    def _person(self, person: int, frame: int, where: str) -> Read | str:
        """The person and the body in the camera's frame, or why there is none."""
        name = self._photo(frame, where)
        own = self._own(person, frame, name, where)
        camera = camera_of_matrix(self._values["cam_intrinsics"], own.image_size_px, where, self._placer)
        params = params_of(
            self._of(person, frame, "poses", where),
            self._of(person, None, "betas", where),
            self._of(person, frame, "trans", where),
            own.gender or "neutral",
            where,
        )
        params = self._into_camera(params, vector(self._frame("cam_poses", frame, where), 16, f"{where}: cam_poses"))
        keypoints = self._points(person, frame, where)
        box = own.box or self._box(params, camera, keypoints, where)
        if box is None:
            return "stands behind its camera, or has no extent on the photo"
        extra = {"model": own.model or "3dpw"}
        found = PhotoPerson(name, camera.image_size_px, box, keypoints, camera, own.annotation_id, extra)
        return found, params

    def _own(self, person: int, frame: int, name: str, where: str) -> Own:
        values: dict[str, Any] = {"gender": self._of(person, None, "genders", where)}
        if "image_size" in self._values:
            values["image_size"] = self._frame("image_size", frame, where)
        if "bbox" in self._values:
            values["bbox"] = self._of(person, frame, "bbox", where)
        for key in ("model", "annot_id"):
            if key in self._values:
                values[key] = self._of(person, None, key, where)
        return read_own(values, where, self._source.photo_size(name))

    def _into_camera(self, params: SmplParams, cam_pose: np.ndarray) -> SmplParams:
        """The same body in the camera's axes: it turns around its pelvis, and the camera around its own centre."""
        matrix = cam_pose.reshape(4, 4)
        rotation, shift = matrix[:3, :3], matrix[:3, 3]
        if np.array_equal(rotation, np.eye(3)):
            return SmplParams(params.pose_rotvec, params.betas, params.transl + shift, params.gender)
        pelvis = self._placer.body(params.gender).rest_joints(params.betas)[0]
        pose = params.pose_rotvec.copy()
        pose[0] = rotmat_to_rotvec(rotation @ rotvec_to_rotmat(pose[0]))
        transl = rotation @ (pelvis + params.transl) + shift - pelvis
        return SmplParams(pose, params.betas, transl, params.gender)

    def _points(self, person: int, frame: int, where: str) -> Keypoints | None:
        if "poses2d" not in self._values:
            return None
        rows = vector(self._of(person, frame, "poses2d", where), 54, f"{where}: poses2d").reshape(3, 18)
        table = np.zeros((len(BODY25), 3))
        table[_BODY18] = rows.T
        return scored_points(BODY25.name, table)

    def _box(self, params: SmplParams, camera: Camera, keypoints: Keypoints | None, where: str) -> Box | None:
        """Around the 2D points, or around the projected joints where there are too few."""
        if keypoints is not None and (keypoints.visibility > 0).sum() >= _LEAST_POINTS:
            return box_of_points(keypoints)
        rotmat = rotvec_to_rotmat(params.pose_rotvec)
        joints = self._placer.body(params.gender).forward_kinematics(rotmat, params.betas)[0] + params.transl
        if joints[:, 2].min() <= 0:
            return None
        pixels = project(joints[None], np.array([camera.focal_length_px]), camera.centre_px[None])[0]
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        margin = _MARGIN * (high - low).max()
        return box_of((*(low - margin), *(high + margin)), where) if margin > 0 else None

    def _photo(self, frame: int, where: str) -> str:
        if "image_names" not in self._values:
            return relative_name(f"imageFiles/{self._name}/image_{frame:05d}.jpg", where)
        name = self._frame("image_names", frame, where)
        if not isinstance(name, str):
            raise FormatError(f"{where}: image_names holds no text")
        return relative_name(name, where)

    def _is_valid(self, person: int, frame: int) -> bool:
        where = f"{self._file}: person {person + 1}, frame {frame}"
        if "campose_valid" not in self._values:
            return True
        flag = self._of(person, frame, "campose_valid", where)
        return bool(vector(flag, 1, f"{where}: campose_valid")[0])

    def _listed(self, key: str) -> Any:
        values = self._values[key]
        if not isinstance(values, list | np.ndarray) or (isinstance(values, np.ndarray) and values.ndim == 0):
            raise FormatError(f"{self._file}: '{key}' is not a list")
        return values

    def _frame(self, key: str, frame: int, where: str) -> Any:
        """A frame's entry."""
        values = self._listed(key)
        if frame >= len(values):
            raise FormatError(f"{where}: '{key}' ends before")
        return values[frame]

    def _of(self, person: int, frame: int | None, key: str, where: str) -> Any:
        """A person's entry, of a frame or of the whole sequence."""
        values = self._listed(key)
        if person >= len(values):
            raise FormatError(f"{where}: '{key}' ends before")
        value = values[person]
        if frame is None:
            return value.item() if isinstance(value, np.str_) else value
        if not hasattr(value, "__len__") or isinstance(value, str) or frame >= len(value):
            raise FormatError(f"{where}: '{key}' ends before")
        return value[frame]


def _sequence(name: str, group: Sequence[Subject]) -> dict[str, Any]:
    """One photo as a sequence of a single frame."""
    camera = group[0].camera if group else Camera(1.0, (0, 0))
    focal, (x, y) = float(camera.focal_length_px), camera.centre_px
    frames = 1 if group else 0
    return {
        "sequence": name,
        "poses": [subject.pose_rotvec.reshape(1, 72) for subject in group],
        "trans": [subject.transl[None] for subject in group],
        "poses_60Hz": [subject.pose_rotvec.reshape(1, 72) for subject in group],
        "trans_60Hz": [subject.transl[None] for subject in group],
        "betas": [subject.betas for subject in group],
        "genders": [GENDER_LETTERS[subject.params.gender] for subject in group],
        "poses2d": [points_table(subject.keypoints, BODY25.name, "confidence")[_BODY18].T[None] for subject in group],
        "cam_poses": np.tile(np.eye(4), (frames, 1, 1)),
        "cam_intrinsics": np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]]),
        "campose_valid": [np.ones(1, dtype=bool) for _ in group],
        "jointPositions": [subject.joints_cam.reshape(1, 72) for subject in each(group)],
        "img_frame_ids": np.arange(frames),
        "image_names": [group[0].person.image_name] if group else [],
        "image_size": np.array(camera.image_size_px).reshape(1, 2)[:frames],
        "bbox": [subject.box.xyxy[None] for subject in group],
        "model": [subject.estimate.model for subject in group],
        "annot_id": [subject.person.annotation_id for subject in group],
    }
