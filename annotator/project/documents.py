"""A photo with its people and comments as one JSON document: what the mirror writes, and what `merge` compares.

The same content gives the same bytes on every machine: keys are sorted, a list of numbers is one line, lines end with
a line feed. What a person, a solver on their behalf or a file set is written with all its digits; what a network
predicted is rounded to 0.001 pixel and 1e-7 radian or metre, because it can be made again.

    {"format": "cliff-annotator photo", "version": 1,
     "photo": {"uid", "name", "sha256", "size_bytes", "orientation", "size_px", "set": {fields}},
     "people": {UID: {"set": {fields}, "from": {part: "RUN/NUMBER"}}},
     "removed": [UIDs of people whom somebody took away],
     "comments": {UID: {fields}},
     "predictions": {"RUN/NUMBER": {"run": {...}, "box", "points", "pose", "betas", "transl", "gender", "camera", ...}}}

Fields and their values: `fields.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from annotator.project.errors import EditError, ProjectError
from annotator.project.fields import COMMENT, FROM, PERSON, PHOTO, checked
from annotator.project.journal import Subject
from annotator.project.predictions import Prediction, Run, packed
from annotator.project.reader import Reader
from annotator.project.state import Person
from cliff_core.errors import CliffError
from cliff_core.formats.values import relative_name
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams
from cliff_core.skeletons import JOINT_SETS, SMPL24

FORMAT, VERSION = "cliff-annotator photo", 1
_ENCODE = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False).encode
_PIXEL_DIGITS, _OTHER_DIGITS = 3, 7


@dataclass(frozen=True)
class Document:
    """A document, and what names its photo.

    Attributes:
        uid: of the photo.
        content: as above.
    """

    uid: str
    content: Mapping[str, Any]

    @cached_property
    def text(self) -> bytes:
        """The file."""
        return (_lines(self.content, "") + "\n").encode("utf-8")

    @cached_property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.text).hexdigest()

    @property
    def name(self) -> str:
        """Where it lies below `annotations/`: in 256 folders, so that none gets too full."""
        return f"{self.uid[:2]}/{self.uid}.json"


def document_of(reader: Reader, photo_id: int) -> Document:
    """The document of a photo as it is now."""
    photo = reader.photo(photo_id)
    everyone = reader.people_on(photo_id, removed=True)
    people = [person for person in everyone if person.is_present]
    removed = [
        person.uid
        for person in everyone
        if not person.is_present and reader.journal.value_of(Subject(PERSON, person.id), "present")[1] is not None
    ]
    predictions: dict[str, Any] = {}
    blocks = {person.uid: _person_block(reader, person, predictions) for person in people}
    return Document(
        photo.uid,
        {
            "format": FORMAT,
            "version": VERSION,
            "photo": {
                "uid": photo.uid,
                "name": photo.name,
                "sha256": photo.sha256,
                "size_bytes": photo.size_bytes,
                "orientation": photo.orientation,
                "size_px": list(photo.size_px),
                "set": dict(photo.own),
            },
            "people": blocks,
            "removed": sorted(removed),
            "comments": {comment.uid: dict(comment.own) for comment in reader.comments_on(photo_id)},
            "predictions": predictions,
        },
    )


def _person_block(reader: Reader, person: Person, predictions: dict[str, Any]) -> dict[str, Any]:
    taken = {}
    for part, prediction in person.predictions.items():
        run, number = reader.predictions.number(prediction.id)
        taken[part] = name = f"{run}/{number}"
        predictions.setdefault(name, prediction_block(prediction))
    fields = {field: value for field, value in person.own.items() if not field.startswith(FROM)}
    return {"set": fields, "from": taken}


def parse_document(text: bytes, where: str) -> Document:
    """A document from a file, every value of it checked.

    Args:
        text: of the file.
        where: the file, for errors.

    Raises:
        ProjectError: no such document, or a value that makes no sense; names it.
    """
    try:
        content = json.loads(text.decode("utf-8"), parse_constant=_refuse_number)
        json.dumps(content, ensure_ascii=False).encode("utf-8")  # half a character cannot be written again
        if content["format"] != FORMAT or content["version"] > VERSION:
            raise ProjectError(f"{where}: not a photo's annotations, or of a newer version of the program")
        photo = content["photo"]
        if not str(photo["uid"]).startswith(photo_uid(photo["sha256"])):
            raise ProjectError(f"{where}: the photo's uid does not belong to its hash")
        normal = {
            "format": FORMAT,
            "version": VERSION,
            "photo": {
                "uid": _uid(photo["uid"]),
                "sha256": str(photo["sha256"]),
                "name": relative_name(str(photo["name"]), where),
                "size_bytes": _whole(photo["size_bytes"], 0, 1 << 60),
                "orientation": _whole(photo["orientation"], 1, 8),
                "size_px": _size(photo["size_px"]),
                "set": _checked_fields(PHOTO, photo["set"]),
            },
            "people": {
                _uid(uid): {
                    "set": _checked_fields(PERSON, block["set"]),
                    "from": {str(part): str(name) for part, name in block["from"].items()},
                }
                for uid, block in content["people"].items()
            },
            "removed": sorted(_uid(uid) for uid in content["removed"]),
            "comments": {_uid(uid): _checked_fields(COMMENT, own) for uid, own in content["comments"].items()},
            "predictions": content["predictions"],
        }
        parts = {}
        for name, block in normal["predictions"].items():
            prediction, _ = prediction_of_block(block, name)
            packed(prediction)  # finite numbers, a whole body
            parts[name] = prediction.parts
        for block in normal["people"].values():
            for part, name in block["from"].items():
                if part not in parts.get(name, ()):
                    raise ProjectError(f"{where}: '{part}' is taken from prediction {name}, which does not have it")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, CliffError) as error:
        if isinstance(error, ProjectError) and not isinstance(error, EditError):
            raise
        raise ProjectError(f"{where}: not the annotations of a photo ({type(error).__name__}: {error})") from error
    return Document(normal["photo"]["uid"], normal)


def photo_uid(sha256: str, copy_named: str = "") -> str:
    """What names a photo everywhere: the beginning of its hash.

    Args:
        sha256: of the file.
        copy_named: its name, where the project has the same file under another name already.
    """
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError("not a SHA-256")
    tail = f"-{hashlib.sha256(copy_named.encode('utf-8')).hexdigest()[:8]}" if copy_named else ""
    return sha256[:20] + tail


def prediction_block(prediction: Prediction) -> dict[str, Any]:
    """A prediction as JSON."""
    run = prediction.run
    assert run is not None
    exact = run.kind is Provenance.IMPORTED

    def rounded(values: Any, digits: int) -> list[float]:
        numbers = np.ravel(values).tolist()
        return numbers if exact else [round(number, digits) + 0.0 for number in numbers]

    block: dict[str, Any] = {
        "run": {
            "uid": run.uid,
            "kind": run.kind.value,
            "name": run.name,
            "started": run.started,
            "settings": dict(run.settings),
        }
    }
    if prediction.box is not None:
        box = prediction.box
        edges = rounded(box.xyxy, _PIXEL_DIGITS)
        if not (edges[2] > edges[0] and edges[3] > edges[1]):  # too small to be rounded
            edges = box.xyxy.tolist()
        block["box"] = [*edges, *rounded(box.score, _OTHER_DIGITS), str(box.source)]
    if prediction.keypoints is not None:
        points = prediction.keypoints
        block["joint_set"] = points.joint_set
        block["points"] = {
            name: [
                *rounded(points.points_px[row], _PIXEL_DIGITS),
                int(points.visibility[row]),
                *rounded(points.confidence[row], _OTHER_DIGITS),
                str(points.source[row]),
            ]
            for row, name in enumerate(JOINT_SETS[points.joint_set].names)
        }
    if prediction.params is not None:
        params = prediction.params
        rows = np.reshape(params.pose_rotvec, (24, 3))
        block["pose"] = {name: rounded(row, _OTHER_DIGITS) for name, row in zip(SMPL24.names, rows, strict=True)}
        block["betas"] = rounded(params.betas, _OTHER_DIGITS)
        block["transl"] = rounded(params.transl, _OTHER_DIGITS)
        block["gender"] = params.gender
    if prediction.camera is not None:
        camera = prediction.camera
        centre = [] if camera.principal_point_px is None else rounded(camera.principal_point_px, _PIXEL_DIGITS)
        block["camera"] = [*rounded(camera.focal_length_px, _PIXEL_DIGITS), *camera.image_size_px, *centre]
    if prediction.cam_crop is not None:
        block["cam_crop"] = rounded(prediction.cam_crop, _OTHER_DIGITS)
    if prediction.extra:
        block["extra"] = dict(prediction.extra)
    return block


def prediction_of_block(block: Mapping[str, Any], name: str) -> tuple[Prediction, int]:
    """A prediction from its JSON, and its number within its run.

    Raises:
        KeyError, TypeError, ValueError, GeometryError: JSON that is none.
    """
    run_uid, _, number = name.partition("/")
    said = block["run"]
    if said["uid"] != run_uid:
        raise ValueError(f"prediction {name} says that its run is {said['uid']}")
    kind = Provenance(said["kind"])
    if kind is Provenance.HUMAN:
        raise ValueError(f"prediction {name} says that it is a person's")
    run = Run(0, _uid(run_uid), kind, str(said["name"]), str(said["started"]), dict(said["settings"]))
    box = keypoints = params = camera = cam_crop = None
    if "box" in block:
        *numbers, source = block["box"]
        x0, y0, x1, y1, score = (float(number) for number in numbers)
        box = Box(x0, y0, x1, y1, score, Provenance(source))
    if "points" in block:
        names = JOINT_SETS[block["joint_set"]].names
        rows = [block["points"][name] for name in names]
        values = np.array([row[:4] for row in rows], dtype=np.float64)
        sources = tuple(Provenance(row[4]) for row in rows)
        if not np.isin(values[:, 2], (0, 1, 2)).all():
            raise ValueError(f"prediction {name}: visibility is 0, 1 or 2")
        keypoints = Keypoints(block["joint_set"], values[:, :2], values[:, 2].astype(np.int8), values[:, 3], sources)
    if "pose" in block:
        pose = np.array([block["pose"][joint] for joint in SMPL24.names], dtype=np.float64).reshape(24, 3)
        betas, transl = (np.array(block[key], dtype=np.float64) for key in ("betas", "transl"))
        params = SmplParams(pose, betas.reshape(10), transl.reshape(3), str(block["gender"]))
    if "camera" in block:
        focal, width, height, *centre = (float(number) for number in block["camera"])
        camera = Camera(focal, (int(width), int(height)), (centre[0], centre[1]) if centre else None)
    if "cam_crop" in block:
        cam_crop = np.array(block["cam_crop"], dtype=np.float64).reshape(3)
    return Prediction(box, keypoints, params, camera, cam_crop, dict(block.get("extra", {})), 0, run), _whole(
        int(number), 0, 1 << 60
    )


def _uid(value: Any) -> str:
    """A name of ours, which is safe as the name of a file."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-zA-Z-]{1,80}", value):
        raise ValueError(f"{value!r:.100} is no uid")
    return value


def _whole(value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{value!r:.100} is no whole number from {least} to {most}")
    return value


def _size(value: Any) -> list[int]:
    width, height = value
    return [_whole(width, 1, 1 << 31), _whole(height, 1, 1 << 31)]


def _refuse_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _checked_fields(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    normal = {str(field): checked(kind, str(field), value) for field, value in fields.items()}
    if any(field.startswith(FROM) for field in normal):
        raise ValueError("a number of another project")
    return {field: value for field, value in normal.items() if value is not None}


def _lines(value: Any, indent: str) -> str:
    """JSON with sorted keys, an object's entries on lines of their own, and a list on one."""
    if not isinstance(value, dict) or not value:
        return _ENCODE(value)
    inner = indent + "  "
    entries = [f"{inner}{_ENCODE(key)}: {_lines(value[key], inner)}" for key in sorted(value)]
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
