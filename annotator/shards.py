"""Finished results of a job as files: predictions of some photos, written whole or not at all.

A shard is an npz of two arrays and nothing that would have to be unpickled: the text of a JSON object that says whom
each prediction is for, and the numbers of all predictions one after the other, as the database stores them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from annotator.project.filesystem import write_whole
from annotator.project.predictions import Prediction, Run, packed, unpacked
from annotator.runs import JobError
from cliff_core.records import Camera, Provenance

BODILESS = "bodiless"
"""Note of a shard: whether it is of people who had no body when the job began."""

_BLOBS = (0, 2, 3, 5, 6)  # columns of a packed prediction that are bytes
_VERSION = 1


@dataclass(frozen=True, slots=True)
class ShardRow:
    """What a job says of one person.

    Attributes:
        photo_id: number of the photo.
        predictions: of one that names no run the job's own counts.
        person_id: number of the person; `None` for someone new.
        uid: what names a new person in every copy.
        suspicion: how much they should be looked at, 0 and more; `None` if nothing was measured.
        inside_mm: how deep the body is inside itself; `None` if nothing was measured.
    """

    photo_id: int
    predictions: tuple[Prediction, ...]
    person_id: int | None = None
    uid: str | None = None
    suspicion: float | None = None
    inside_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """The results of some photos.

    Attributes:
        rows: people.
        nobody: numbers of photos that were looked at and have nobody.
        refused: number of a photo -> why it was left out.
        notes: what else is to be known; plain JSON.
        cameras: of photos whose camera the job knows.
    """

    rows: tuple[ShardRow, ...] = ()
    nobody: tuple[int, ...] = ()
    refused: Mapping[int, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    cameras: Mapping[int, Camera] = field(default_factory=dict)


def shard_key(*parts: Any) -> str:
    """A short name for everything that a shard follows from: plain JSON in, 12 letters out."""
    content = json.dumps(parts, sort_keys=True, ensure_ascii=False).encode("utf-8")
    return hashlib.sha256(content).hexdigest()[:12]


def write_shard(path: Path, shard: Shard) -> None:
    """Write a shard in one step.

    Raises:
        EditError: numbers that are not finite.
        OSError: it cannot be written; nothing is there then.
    """
    numbers: list[bytes] = []
    rows, runs = [], {}
    for row in shard.rows:
        predictions = []
        for prediction in row.predictions:
            columns = list(packed(prediction))
            for place in _BLOBS:
                if columns[place] is not None:
                    numbers.append(columns[place])
                    columns[place] = len(columns[place]) // 8
            if prediction.run is not None:
                runs[prediction.run.uid] = asdict(prediction.run)
            predictions.append({"columns": columns, "run": prediction.run and prediction.run.uid})
        rows.append([row.photo_id, row.person_id, row.uid, row.suspicion, predictions])
    content = {
        "version": _VERSION,
        "rows": rows,
        "inside_mm": [row.inside_mm for row in shard.rows],
        "runs": runs,
        "nobody": list(shard.nobody),
        "refused": sorted(shard.refused.items()),
        "notes": dict(shard.notes),
        "cameras": [
            [photo_id, camera.focal_length_px, camera.image_size_px, camera.principal_point_px]
            for photo_id, camera in shard.cameras.items()
        ],
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")
    stream = io.BytesIO()
    np.savez(
        stream,
        content=np.frombuffer(text, np.uint8),
        numbers=np.frombuffer(b"".join(numbers), np.dtype("<f8")),
    )
    write_whole(path, stream.getvalue())


def read_shard(path: Path) -> Shard:
    """Read a shard.

    Raises:
        JobError: it is gone, damaged, or of another version of the program.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            content = json.loads(file["content"].tobytes().decode("utf-8"))
            numbers = file["numbers"]
        if content["version"] != _VERSION:
            raise JobError(f"{path}: written by another version of the program; run the job again")
        runs = {uid: _run(values) for uid, values in content["runs"].items()}
        rows, at = [], 0
        inside_mm = content.get("inside_mm") or [None] * len(content["rows"])
        for (photo_id, person_id, uid, suspicion, entries), inside in zip(content["rows"], inside_mm, strict=True):
            predictions = []
            for entry in entries:
                at, columns = _with_numbers(entry["columns"], numbers, at)
                predictions.append(unpacked(columns, run=runs[entry["run"]] if entry["run"] else None))
            rows.append(ShardRow(photo_id, tuple(predictions), person_id, uid, suspicion, inside))
        refused = {int(photo_id): str(why) for photo_id, why in content["refused"]}
        cameras = {
            int(photo_id): Camera(focal, (size[0], size[1]), None if centre is None else (centre[0], centre[1]))
            for photo_id, focal, size, centre in content["cameras"]
        }
        return Shard(tuple(rows), tuple(content["nobody"]), refused, content["notes"], cameras)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise JobError(f"{path}: damaged ({error}); remove the file and resume the job") from error


def _run(values: Mapping[str, Any]) -> Run:
    return Run(0, values["uid"], Provenance(values["kind"]), values["name"], values["started"], values["settings"])


def _with_numbers(columns: Sequence[Any], numbers: np.ndarray, at: int) -> tuple[int, list[Any]]:
    """The columns with their bytes again, and where the next prediction's numbers begin."""
    filled = list(columns)
    for place in _BLOBS:
        if filled[place] is not None:
            end = at + int(filled[place])
            if end > len(numbers):
                raise ValueError("numbers are missing")
            filled[place] = numbers[at:end].tobytes()
            at = end
    return at, filled
