"""HumanData: the npz of MMHuman3D, which SMPLer-X and its kin train on too (`HumanData.fromfile` is its reader).

    image_path        (N,) str        photo, relative, forward slashes
    bbox_xywh         (N, 5)          left, top, width, height in pixels, and a score
    keypoints2d       (N, 190, 3)     points of the convention `human_data`: x, y, confidence (`human_data_points`)
    keypoints2d_mask  (190,)          1 where the file has the point for anybody
    keypoints3d       (N, 190, 4)     the body's joints in metres, pelvis at the origin, and confidence
    keypoints3d_mask  (190,)
    smpl              dictionary      body_pose (N, 23, 3), global_orient (N, 3), betas (N, 10), transl (N, 3):
                                      axis-angle and metres in the camera of the full photo (OpenCV's axes), as
                                      `smplx` takes them
    meta              dictionary      gender (N,) m, f or n; height, width (N,); focal_length, principal_point (N, 2)
    misc              dictionary      smpl_source; ours: model (N,) str, annot_id (N,)
    config            str             name of the data set

The two flags `__key_strict__` and `__keypoints_compressed__` are written false; files with compressed points (only
those of the mask) are read. Points are read from `keypoints2d`, `keypoints2d_original` or `keypoints2d_smpl`. Bodies of
SMPL-X are no bodies of SMPL: their people are read without them. Without `transl` a body is placed by its 2D points
(`placement`), if the photo's size is known.

Dictionaries are pickles inside the archive. They are read as plain values (`pickles`), and nothing of them is run.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.files import Annotations, Read, ReadReport, SourceFile, gather, write_atomically
from cliff_core.formats.human_data_points import COUNT, from_human_data, joints_to_human_data, to_human_data
from cliff_core.formats.own_values import box_of, vector
from cliff_core.formats.pickles import dump_object_array, loads
from cliff_core.formats.placement import CroppedPeople
from cliff_core.formats.points import box_of_points
from cliff_core.formats.rows import Rows, Shapes, read_rows
from cliff_core.formats.subjects import GENDER_LETTERS, SQUARE_MARGIN, Subject, each, subjects
from cliff_core.formats.values import short
from cliff_core.records import Estimate, Keypoints, PhotoPerson

_POINTS = ("keypoints2d", "keypoints2d_original", "keypoints2d_smpl")
_SIGNS = frozenset({"bbox_xywh", "smpl", "smplx", *_POINTS})
_SMPL = frozenset({"body_pose", "global_orient", "betas", "transl"})
_META = frozenset({"gender", "height", "width", "focal_length", "principal_point"})
_MISC = frozenset({"smpl_source", "model", "annot_id", "focal_length", "principal_point"})


def recognises(source: SourceFile) -> bool:
    """Whether the file is an npz archive with HumanData's keys."""
    return "image_path" in source.array_names and not source.array_names.isdisjoint(_SIGNS)


def read(source: SourceFile) -> Annotations:
    """People of a HumanData file, with a body of SMPL where the file has one that can be placed.

    Raises:
        FormatError: missing or damaged file, wrong shapes, a dictionary that holds more than plain values, values that
            are no bodies; names the row.
    """
    return gather(source, people)


def people(source: SourceFile, report: ReadReport) -> Iterator[Read]:
    """The people of a HumanData file one by one; errors as in `read`."""
    reader = _Reader(source, report)
    for index in range(len(reader.rows)):
        found = reader.person(index)
        if found is not None:
            yield found
    reader.cropped.finish()


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
    ready = subjects(path, people, estimates, body, "a HumanData file")
    arrays, dictionaries = _arrays(ready), _dictionaries(ready)

    def fill(stream: BinaryIO):
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
            for name, dictionary in dictionaries.items():
                archive.writestr(f"{name}.npy", dump_object_array(dictionary))

    write_atomically(path, fill)


class _Reader:
    """One HumanData file, opened."""

    def __init__(self, source: SourceFile, report: ReadReport):
        self._path = source.path
        self._names = source.array_names
        self._source = source
        self._report = report
        self.cropped = CroppedPeople(source, report, "humandata")
        self.rows = self._read_rows()
        self._points = self._keypoints()
        self._smpl = self._dictionary("smpl", _SMPL)
        self._meta = self._dictionary("meta", _META)
        self._misc = self._dictionary("misc", _MISC)
        if not self._smpl and "smplx" in self._names:
            report.notes.append(f"{len(self.rows)} people: bodies left out, as they are SMPL-X's and not SMPL's")

    def person(self, index: int) -> Read | None:
        """A person, `None` for one with neither a box nor points."""
        row, where = self.rows.row(index), self.rows.where(index)
        keypoints = from_human_data(self._points[index]) if self._points is not None else None
        box = self._box(row, keypoints, where)
        if box is None:
            self._report.skipped.append(f"{where}: has neither a box nor points")
            return None
        x0, y0, x1, y1 = box
        values: dict[str, Any] = {"imgname": row["imgname"], "bbox": box}
        values |= self._camera(index, where)
        if "gender" in self._meta:
            values["gender"] = self._at(self._meta, "gender", index, where)
        for key in ("model", "annot_id"):  # ours; another file may mean something else by them
            if self._is_per_person(self._misc.get(key)):
                values[key] = self._at(self._misc, key, index, where)
        if "model" not in values and isinstance(self._misc.get("smpl_source"), str):
            values["model"] = short(self._misc["smpl_source"])
        body = None
        if self._smpl and bool(row.get("has_smpl", True)):
            pose = vector(self._at(self._smpl, "body_pose", index, where), 69, f"{where}: body_pose")
            orient = vector(self._at(self._smpl, "global_orient", index, where), 3, f"{where}: global_orient")
            body = (np.concatenate([orient, pose]), self._at(self._smpl, "betas", index, where))
            if "transl" in self._smpl:
                values["transl"] = self._at(self._smpl, "transl", index, where)
        crop = SQUARE_MARGIN * max(x1 - x0, y1 - y0)
        middle = np.array([x0 + x1, y0 + y1]) / 2
        return self.cropped.person(
            values, where, keypoints=keypoints, body=body, crop=(middle, crop), box_size=(x1 - x0, y1 - y0)
        )

    def _read_rows(self) -> Rows:
        """Names, boxes and flags; `image_path` under the name that all tables of people have."""
        optional: dict[str, Shapes] = {"bbox_xywh": [(5,), (4,)], "has_smpl": ()}
        return read_rows(self._source, {}, optional, names="image_path")

    def _keypoints(self) -> np.ndarray | None:
        """(N, 190, 3) points, compressed ones in their places."""
        name = next((name for name in _POINTS if name in self._names), None)
        if name is None:
            return None
        mask_name = f"{name}_mask"
        table = read_rows(self._source, {name: (None, 3)}, {}, names="image_path").arrays[name]
        if table.shape[1] == COUNT:
            return table
        mask = np.zeros(0) if mask_name not in self._names else self._source.array(mask_name)
        if mask.shape != (COUNT,) or (mask > 0).sum() != table.shape[1]:
            raise FormatError(
                f"{self._path}: '{name}' has {table.shape[1]} points, and no mask says which of {COUNT} they are; "
                "decompress the keypoints in MMHuman3D"
            )
        points = np.zeros((len(table), COUNT, 3))
        points[:, mask > 0] = table
        return points

    def _dictionary(self, name: str, wanted: frozenset[str]) -> dict[str, Any]:
        """A dictionary of the archive, empty if it is not there."""
        if name not in self._names:
            return {}
        values = loads(self._source.archive.pickle(name), f"{self._path}: '{name}'")
        if not isinstance(values, dict):
            raise FormatError(f"{self._path}: '{name}' holds a {type(values).__name__} instead of a dictionary")
        return {key: value for key, value in values.items() if key in wanted}

    def _at(self, values: dict[str, Any], key: str, index: int, where: str) -> Any:
        """A person's entry of a dictionary's list."""
        if key not in values:
            raise FormatError(f"{where}: the file's body has no '{key}'")
        listed = values[key]
        if not self._is_per_person(listed):
            raise FormatError(f"{where}: '{key}' is no list with one entry for each of the {len(self.rows)} people")
        value = listed[index]
        return value.item() if isinstance(value, np.generic) else value

    def _is_per_person(self, listed: Any) -> bool:
        """Whether a value is a list or an array with an entry for everyone."""
        if isinstance(listed, np.ndarray) and not listed.ndim:
            return False
        return isinstance(listed, list | np.ndarray) and len(listed) == len(self.rows)

    def _camera(self, index: int, where: str) -> dict[str, Any]:
        """What the file says about the photo's camera, under our own names."""
        values: dict[str, Any] = {}
        if "height" in self._meta and "width" in self._meta:
            values["image_size"] = [self._at(self._meta, side, index, where) for side in ("width", "height")]
        for key in ("focal_length", "principal_point"):
            for source in (self._meta, self._misc):
                if self._is_per_person(source.get(key)):
                    values[key] = source[key][index]
                    break
        if "focal_length" in values and np.size(values["focal_length"]) == 2:
            values["focal_length"] = self.cropped.one_focal_length(values["focal_length"], f"{where}: focal_length")
        return values

    @staticmethod
    def _box(row: dict[str, Any], keypoints: Keypoints | None, where: str) -> tuple[float, ...] | None:
        """Left, top, right and bottom."""
        if "bbox_xywh" in row:
            x, y, width, height = (float(value) for value in row["bbox_xywh"][:4])
            return tuple(box_of((x, y, x + width, y + height), where).xyxy.tolist())
        box = box_of_points(keypoints) if keypoints is not None else None
        return None if box is None else tuple(box.xyxy.tolist())


def _arrays(ready: Sequence[Subject]) -> dict[str, Any]:
    """Everything of the file that is an array."""
    count = len(ready)
    boxes = [[s.box.x0, s.box.y0, s.box.width, s.box.height, s.box.score] for s in ready]
    points, joints = np.zeros((count, COUNT, 3)), np.zeros((count, COUNT, 4))
    for row, subject in enumerate(each(ready)):
        points[row], joints[row] = to_human_data(subject.keypoints), joints_to_human_data(subject)
    return {
        "image_path": np.array([subject.person.image_name for subject in ready], dtype=None if ready else "U1"),
        "bbox_xywh": np.array(boxes, dtype=np.float64).reshape(count, 5),
        "keypoints2d": points,
        "keypoints2d_mask": (points[..., 2] > 0).any(axis=0).astype(np.uint8),
        "keypoints2d_convention": "human_data",
        "keypoints3d": joints,
        "keypoints3d_mask": (joints[..., 3] > 0).any(axis=0).astype(np.uint8),
        "keypoints3d_convention": "human_data",
        "config": "cliff-annotator",
        "__key_strict__": False,
        "__keypoints_compressed__": False,
    }


def _dictionaries(ready: Sequence[Subject]) -> dict[str, dict[str, Any]]:
    """Everything of the file that is a dictionary."""
    count = len(ready)
    pose = np.array([subject.pose_rotvec for subject in ready]).reshape(count, 24, 3)
    cameras = [subject.camera for subject in ready]
    smpl = {
        "global_orient": pose[:, 0],
        "body_pose": pose[:, 1:],
        "betas": np.array([subject.betas for subject in ready]).reshape(count, 10),
        "transl": np.array([subject.transl for subject in ready]).reshape(count, 3),
    }
    meta = {
        "gender": [GENDER_LETTERS[subject.params.gender] for subject in ready],
        "width": np.array([camera.image_size_px[0] for camera in cameras], dtype=np.int64),
        "height": np.array([camera.image_size_px[1] for camera in cameras], dtype=np.int64),
        "focal_length": np.array([[camera.focal_length_px] * 2 for camera in cameras]).reshape(count, 2),
        "principal_point": np.array([camera.centre_px for camera in cameras]).reshape(count, 2),
    }
    misc: dict[str, Any] = {
        "smpl_source": "cliff_annotator",
        "cam_param_source": "cliff_annotator",
        "bbox_source": "cliff_annotator",
        "kps3d_root_aligned": True,
        "model": [subject.estimate.model for subject in ready],
    }
    if any(subject.person.annotation_id >= 0 for subject in ready):
        misc["annot_id"] = np.array([subject.person.annotation_id for subject in ready])
    return {"smpl": smpl, "meta": meta, "misc": misc}
