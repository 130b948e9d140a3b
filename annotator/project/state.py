"""What the project holds of a photo, a person and a comment, put together from what was set and what was predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotator.project.fields import BETAS, FROM, beta, joint, source_of
from annotator.project.predictions import Prediction
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams
from cliff_core.skeletons import JOINT_SETS, SMPL24


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the project; its file is only ever read.

    Attributes:
        id: number in this project.
        uid: from its content, the same in every project.
        name: as in records and exports: relative, forward slashes.
        size_px: width, height, upright.
        sha256: of the file.
        size_bytes: of the file.
        orientation: EXIF, 1..8.
        own: what was set, field by field (`fields`).
        touched: whether a hand was ever on it.
        revision: counts up with each edit.
        people, done, accepted, rejected, edited: how many people are on it, and of which kind.
    """

    id: int
    uid: str
    name: str
    size_px: tuple[int, int]
    sha256: str
    size_bytes: int
    orientation: int
    own: Mapping[str, Any]
    touched: bool
    revision: int
    people: int
    done: int
    accepted: int
    rejected: int
    edited: int

    @property
    def camera(self) -> Camera | None:
        """The camera that somebody set; `None` if nobody did."""
        value = self.own.get("camera")
        if value is None:
            return None
        focal, x, y, _ = value
        return Camera(focal, self.size_px, None if x is None else (x, y))

    @property
    def known_camera(self) -> Camera | None:
        """The camera that somebody knows; `None` where none is set, or CLIFF's guess as a model's word."""
        is_guess = source_of(self.own.get("camera")) is Provenance.MODEL and self.camera == Camera.guess(self.size_px)
        return None if is_guess else self.camera

    @property
    def is_empty(self) -> bool:
        """Whether a person looked and found nobody."""
        return bool(self.own.get("empty"))

    @property
    def is_excluded(self) -> bool:
        """Whether it is not part of the work."""
        return bool(self.own.get("excluded"))

    @property
    def assigned(self) -> tuple[str, ...]:
        """Who labels it; the first one's word counts. Empty where it was given to nobody in particular."""
        return tuple(name for name in (self.own.get("assigned") or "").split(",") if name)


@dataclass(frozen=True, slots=True)
class PersonBody:
    """A person's body, with who set what.

    Attributes:
        params: the body in the full camera frame.
        pose_source: 24 entries.
        betas_source: 10 entries.
        transl_source: one.
        model: what predicted the rest; empty if somebody set all of it.
        camera: for which the prediction's `transl` holds; `None` without a prediction.
    """

    params: SmplParams
    pose_source: tuple[Provenance, ...]
    betas_source: tuple[Provenance, ...]
    transl_source: Provenance
    model: str
    camera: Camera | None


@dataclass(frozen=True, slots=True)
class Person:
    """A person on a photo: the predictions it is taken from, and above them what was set.

    Attributes:
        id: number in this project.
        uid: given once, the same in every copy.
        photo_id: the photo.
        own: what was set, field by field (`fields`).
        predictions: what is not set, by part: "box", "body", "points/SET".
        revision: counts up with each edit.
    """

    id: int
    uid: str
    photo_id: int
    own: Mapping[str, Any]
    predictions: Mapping[str, Prediction]
    revision: int

    @property
    def is_present(self) -> bool:
        """Whether the person is there; false once removed."""
        return bool(self.own.get("present"))

    @property
    def state(self) -> str:
        """The annotator's word: "proposed", "in progress" or "done"."""
        return self.own.get("state") or "proposed"

    @property
    def verdict(self) -> str:
        """The reviewer's word: "accepted", "rejected", or empty."""
        return (self.own.get("review") or {}).get("verdict", "")

    @property
    def reason(self) -> str:
        """Why the reviewer rejected it."""
        return (self.own.get("review") or {}).get("reason", "")

    @property
    def box(self) -> Box | None:
        """The box; `None` if there is none."""
        value = self.own.get("box")
        if value is not None:
            x0, y0, x1, y1, score, source = value
            return Box(x0, y0, x1, y1, score, Provenance(source))
        prediction = self.predictions.get("box")
        return None if prediction is None else prediction.box

    @property
    def joint_sets(self) -> tuple[str, ...]:
        """Names of the joint sets in which it has points, sorted."""
        taken = {part.partition("/")[2] for part in self.predictions if part.startswith("points/")}
        return tuple(sorted(taken | {field.split("/")[1] for field in self.own if field.startswith("points/")}))

    def keypoints(self, joint_set: str) -> Keypoints | None:
        """Its points in one joint set; `None` if it has none there."""
        prediction = self.predictions.get(f"points/{joint_set}")
        base = None if prediction is None else prediction.keypoints
        head = f"points/{joint_set}/"
        own = {field.removeprefix(head): value for field, value in self.own.items() if field.startswith(head)}
        if not own:
            return base
        names = JOINT_SETS[joint_set].names
        points_px = np.zeros((len(names), 2)) if base is None else base.points_px.copy()
        visibility = np.zeros(len(names), dtype=np.int8) if base is None else base.visibility.copy()
        confidence = np.zeros(len(names)) if base is None else base.confidence.copy()
        source = [Provenance.MODEL] * len(names) if base is None else list(base.source)
        for name, (x, y, seen, sure, who) in own.items():
            row = names.index(name)
            points_px[row], visibility[row], confidence[row], source[row] = (x, y), seen, sure, Provenance(who)
        return Keypoints(joint_set, points_px, visibility, confidence, tuple(source))

    def camera_on(self, photo: Photo) -> Camera:
        """The camera under which the body stands: that of the photo, or for a predicted place that of the prediction.

        Where nobody set the photo's, a place that a hand set was set under the prediction's too. Without any it is
        CLIFF's guess.
        """
        prediction = self.predictions.get("body")
        place_is_predicted = self.own.get("transl") is None or photo.camera is None
        if place_is_predicted and prediction is not None and prediction.camera is not None:
            return prediction.camera
        return photo.camera or Camera.guess(photo.size_px)

    @property
    def main_keypoints(self) -> Keypoints | None:
        """Its points in the joint set with most points of a person, and among those with most points."""
        known = [keypoints for name in self.joint_sets if (keypoints := self.keypoints(name)) is not None]

        def worth(keypoints: Keypoints) -> tuple[int, int]:
            human = sum(source is Provenance.HUMAN for source in keypoints.source)
            return human, int((keypoints.visibility > 0).sum())

        return max(known, key=worth, default=None)

    @property
    def gender(self) -> str:
        """Which body it has."""
        prediction = self.predictions.get("body")
        predicted = None if prediction is None or prediction.params is None else prediction.params.gender
        return self.own.get("gender") or predicted or "neutral"

    @property
    def body(self) -> PersonBody | None:
        """Its body; `None` unless it is predicted or all of it is set."""
        prediction = self.predictions.get("body")
        base = None if prediction is None else prediction.params
        origin = Provenance.MODEL if prediction is None or prediction.run is None else prediction.run.kind
        rows = [self.own.get(joint(name)) for name in SMPL24.names]
        shape = [self.own.get(beta(number)) for number in range(BETAS)]
        transl = self.own.get("transl")
        if base is None and (transl is None or None in rows or None in shape):
            return None
        pose_rotvec = np.zeros((24, 3)) if base is None else base.pose_rotvec.copy()
        betas = np.zeros(BETAS) if base is None else base.betas.copy()
        for row, value in enumerate(rows):
            if value is not None:
                pose_rotvec[row] = value[:3]
        for number, value in enumerate(shape):
            if value is not None:
                betas[number] = value[0]
        moved = np.array(transl[:3]) if transl is not None else base.transl if base is not None else np.zeros(3)
        return PersonBody(
            SmplParams(pose_rotvec, betas, moved, self.gender),
            tuple(origin if value is None else Provenance(value[-1]) for value in rows),
            tuple(origin if value is None else Provenance(value[-1]) for value in shape),
            origin if transl is None else Provenance(transl[-1]),
            "" if prediction is None or prediction.run is None else prediction.run.name,
            None if prediction is None else prediction.camera,
        )


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark pinned to a photo, a person or a point.

    Attributes:
        id: number in this project.
        uid: given once, the same in every copy.
        photo_id: the photo.
        own: what was set (`fields`).
        revision: counts up with each edit.
    """

    id: int
    uid: str
    photo_id: int
    own: Mapping[str, Any]
    revision: int

    @property
    def is_present(self) -> bool:
        """False once it was removed."""
        return bool(self.own.get("present"))

    @property
    def text(self) -> str:
        """The words."""
        return self.own.get("text") or ""

    @property
    def is_resolved(self) -> bool:
        """Whether it is dealt with."""
        return bool(self.own.get("resolved"))

    @property
    def place(self) -> Mapping[str, Any]:
        """Where it is pinned: `person` (uid), `point_px`, `point` (name); empty for the whole photo."""
        return self.own.get("place") or {}


def pointers(own: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of the predictions that a person is taken from, by part."""
    return {field.removeprefix(FROM): value for field, value in own.items() if field.startswith(FROM)}
