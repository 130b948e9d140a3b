"""What a model, a solver or a file said of a person: written once, never changed, and pointed to by people.

Arrays are stored as little-endian float64, the numbers as they were computed: 680 bytes for a body, and a tenth of the
time that JSON takes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from annotator.project.database import Database
from annotator.project.errors import EditError
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, Provenance, SmplParams
from cliff_core.skeletons import JOINT_SETS

_SOURCES = tuple(Provenance)
_CODES = {source: code for code, source in enumerate(_SOURCES)}
_COLUMNS = "box, joint_set, points, body, gender, camera, cam_crop, extra"
_FLOAT64 = np.dtype("<f8")


@dataclass(frozen=True, slots=True)
class Run:
    """Where predictions come from: one run of a model or a solver, or one imported file.

    Attributes:
        id: number in this project; 0 before it is stored.
        uid: the same in every copy of the project.
        kind: `Provenance.MODEL`, `FIT` or `IMPORTED`: what the values of its predictions count as.
        name: model and version, or the format of the file.
        started: when, ISO 8601 in UTC.
        settings: what is needed to do it again (file, hash, options); plain JSON.
    """

    id: int
    uid: str
    kind: Provenance
    name: str
    started: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def new(cls, kind: Provenance, name: str, settings: Mapping[str, Any] | None = None) -> Run:
        """A run that begins now."""
        if kind is Provenance.HUMAN:
            raise EditError("what a person sets is an edit, not a prediction")
        return cls(0, uuid.uuid4().hex, kind, name, utc_now(), settings or {})


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one run says of one person; each part may be missing.

    Attributes:
        box: the person's box.
        keypoints: 2D points.
        params: the body in the full camera frame.
        camera: under which `params.transl` holds.
        cam_crop: (3,) as regressed.
        extra: what else a file says of the person, for exporters; plain JSON.
        id: number in this project; 0 before it is stored.
        run: where it comes from; `None` before it is stored.
    """

    box: Box | None = None
    keypoints: Keypoints | None = None
    params: SmplParams | None = None
    camera: Camera | None = None
    cam_crop: np.ndarray | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0
    run: Run | None = None

    @classmethod
    def of_estimate(cls, estimate: Estimate) -> Prediction:
        """What a network predicted; points that a person or a file had given to it are theirs, and left out."""
        points = estimate.keypoints
        given = points is not None and {Provenance.HUMAN, Provenance.IMPORTED} & set(points.source)
        return cls(
            estimate.box,
            None if given else points,
            estimate.params,
            estimate.camera,
            np.asarray(estimate.cam_crop, dtype=np.float64),
        )

    @classmethod
    def of_person(cls, person: PhotoPerson, params: SmplParams | None = None) -> Prediction:
        """What a file says of a person."""
        extra = dict(person.extra)
        if person.annotation_id >= 0:
            extra["annotation_id"] = person.annotation_id
        return cls(person.box, person.keypoints, params, person.camera, extra=extra)

    @property
    def parts(self) -> tuple[str, ...]:
        """What it can be taken for: "box", "points/SET", "body"."""
        points = () if self.keypoints is None else (f"points/{self.keypoints.joint_set}",)
        box = () if self.box is None else ("box",)
        return (*box, *points, *(() if self.params is None else ("body",)))


def utc_now() -> str:
    """This moment, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def store_run(database: Database, run: Run) -> int:
    """Write a run inside a transaction, unless it is there; returns its number."""
    known = database.value("SELECT id FROM run WHERE uid = ?", [run.uid])
    if known is not None:
        return known
    try:
        settings = json.dumps(dict(run.settings), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise EditError(f"the settings of run {run.name} are no JSON ({error})") from error
    values = [run.uid, run.kind.value, run.name, run.started, settings]
    sql = "INSERT INTO run (uid, kind, name, started, settings) VALUES (?, ?, ?, ?, ?)"
    return int(database.execute(sql, values).lastrowid or 0)


def store_predictions(
    database: Database, run_id: int, first: int, photo_ids: Sequence[int], predictions: Sequence[Prediction]
) -> list[int]:
    """Write predictions of a run inside a transaction.

    Args:
        database: of the project.
        run_id: of a stored run.
        first: number within the run of the first of them.
        photo_ids: one for each prediction.
        predictions: what to write.

    Returns:
        Their numbers in the project.

    Raises:
        EditError: numbers that are not finite, or `extra` that is no JSON.
    """
    start = database.value("SELECT coalesce(max(id), 0) + 1 FROM prediction")
    rows = [
        (start + n, run_id, first + n, photo_id, *packed(prediction))
        for n, (photo_id, prediction) in enumerate(zip(photo_ids, predictions, strict=True))
    ]
    database.execute_many(
        f"INSERT INTO prediction (id, run_id, number, photo_id, {_COLUMNS}) VALUES ({', '.join('?' * 12)})", rows
    )
    return [row[0] for row in rows]


def packed(prediction: Prediction) -> tuple:
    """The columns of a prediction, in the order of `_COLUMNS`.

    Raises:
        EditError: numbers that are not finite, shapes that are none of a body, or `extra` that is no JSON.
    """
    box, points, params, camera = prediction.box, prediction.keypoints, prediction.params, prediction.camera
    box_blob = None if box is None else _blob("box", [*box.xyxy, box.score, _CODES[box.source]], 6)
    points_blob = None
    if points is not None:
        table = np.zeros((len(points.visibility), 5))
        labelled = np.asarray(points.visibility) > 0
        table[labelled, :2] = np.asarray(points.points_px)[labelled]
        table[:, 2] = points.visibility
        table[labelled, 3] = np.asarray(points.confidence)[labelled]
        table[:, 4] = [_CODES[source] for source in points.source]
        points_blob = _blob("keypoints", table.ravel(), table.size)
    body_blob = None
    if params is not None:
        parts = [np.ravel(params.pose_rotvec), np.ravel(params.betas), np.ravel(params.transl)]
        if [part.size for part in parts] != [72, 10, 3]:
            raise EditError(f"a body has 72 + 10 + 3 numbers, not {' + '.join(str(part.size) for part in parts)}")
        body_blob = _blob("body", np.concatenate(parts), 85)
    camera_blob = None
    if camera is not None:
        centre = camera.principal_point_px
        # no number: the middle of the photo
        values = [camera.focal_length_px, *camera.image_size_px, *(centre if centre is not None else (-1e9, -1e9))]
        camera_blob = _blob("camera", values, 5)
    crop_blob = None if prediction.cam_crop is None else _blob("cam_crop", prediction.cam_crop, 3)
    extra = None
    if prediction.extra:
        try:
            extra = json.dumps(dict(prediction.extra), sort_keys=True, allow_nan=False, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise EditError(f"what a file says beside the person is no JSON ({error})") from error
    joint_set = None if points is None else points.joint_set
    gender = None if params is None else params.gender
    return (box_blob, joint_set, points_blob, body_blob, gender, camera_blob, crop_blob, extra)


def _blob(what: str, values: Any, count: int) -> bytes:
    array = np.asarray(values, dtype=_FLOAT64)
    if array.size != count or not np.isfinite(array).all():
        raise EditError(f"the {what} of a prediction is not {count} finite numbers; nothing of it is stored")
    return array.tobytes()


class Predictions:
    """Reads predictions by number; runs are kept, predictions are not."""

    def __init__(self, database: Database):
        self._database = database
        self._runs: dict[int, Run] = {}

    def run(self, run_id: int) -> Run:
        """A run by its number."""
        if run_id not in self._runs:
            row = self._database.row("SELECT uid, kind, name, started, settings FROM run WHERE id = ?", [run_id])
            if row is None:
                raise EditError(f"no run {run_id}")
            uid, kind, name, started, settings = row
            self._runs[run_id] = Run(run_id, uid, Provenance(kind), name, started, json.loads(settings))
        return self._runs[run_id]

    def by_id(self, ids: Sequence[int]) -> dict[int, Prediction]:
        """Predictions by their numbers."""
        found: dict[int, Prediction] = {}
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), 500):
            some = wanted[start : start + 500]
            marks = ", ".join("?" * len(some))
            rows = self._database.rows(f"SELECT id, run_id, {_COLUMNS} FROM prediction WHERE id IN ({marks})", some)
            found |= {row[0]: self._unpacked(row) for row in rows}
        return found

    def of_photo(self, photo_id: int) -> list[Prediction]:
        """Everything that was ever predicted on a photo, oldest first."""
        rows = self._database.rows(
            f"SELECT id, run_id, {_COLUMNS} FROM prediction WHERE photo_id = ? ORDER BY id", [photo_id]
        )
        return [self._unpacked(row) for row in rows]

    def number(self, prediction_id: int) -> tuple[str, int]:
        """(run's uid, number within the run): what names a prediction in every copy of the project."""
        row = self._database.row(
            "SELECT run.uid, number FROM prediction JOIN run ON run.id = run_id WHERE prediction.id = ?",
            [prediction_id],
        )
        if row is None:
            raise EditError(f"no prediction {prediction_id}")
        return row[0], row[1]

    def _unpacked(self, row: tuple) -> Prediction:
        number, run_id, *columns = row
        return unpacked(columns, number, self.run(run_id))


def unpacked(columns: Sequence[Any], number: int = 0, run: Run | None = None) -> Prediction:
    """A prediction from its columns, as `packed` gives them."""
    box, joint_set, points, body, gender, camera, cam_crop, extra = columns
    return Prediction(
        _unpacked_box(box),
        _unpacked_points(joint_set, points),
        _unpacked_body(body, gender),
        _unpacked_camera(camera),
        None if cam_crop is None else np.frombuffer(cam_crop, _FLOAT64),
        {} if extra is None else json.loads(extra),
        number,
        run,
    )


def _unpacked_box(blob: bytes | None) -> Box | None:
    if blob is None:
        return None
    x0, y0, x1, y1, score, source = np.frombuffer(blob, _FLOAT64).tolist()
    return Box(x0, y0, x1, y1, score, _SOURCES[int(source)])


def _unpacked_points(joint_set: str | None, blob: bytes | None) -> Keypoints | None:
    if blob is None or joint_set is None:
        return None
    table = np.frombuffer(blob, _FLOAT64).reshape(len(JOINT_SETS[joint_set]), 5)
    sources = tuple(_SOURCES[int(code)] for code in table[:, 4])
    return Keypoints(joint_set, table[:, :2], table[:, 2].astype(np.int8), table[:, 3], sources)


def _unpacked_body(blob: bytes | None, gender: str | None) -> SmplParams | None:
    if blob is None:
        return None
    values = np.frombuffer(blob, _FLOAT64)
    return SmplParams(values[:72].reshape(24, 3), values[72:82], values[82:], gender or "neutral")


def _unpacked_camera(blob: bytes | None) -> Camera | None:
    if blob is None:
        return None
    focal, width, height, x, y = np.frombuffer(blob, _FLOAT64).tolist()
    return Camera(focal, (int(width), int(height)), None if x == -1e9 else (x, y))
