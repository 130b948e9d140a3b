"""Before and after of those whom a refinement changes most: a wall while it tunes, and the pictures of its report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from annotator.console import Progress
from annotator.project import EditError, Project
from annotator.refine_cast import Cast
from annotator.refine_result import ChangePicture, write_changes
from annotator.runs import PICTURES, News
from cliff_core.body import Body
from cliff_core.errors import CliffError
from cliff_core.evaluation.scores import posed_vertices
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import read_image
from cliff_core.inference import Predictor
from cliff_core.records import Camera, Estimate, Keypoints, SmplParams
from cliff_core.rendering.sheets import before_after
from cliff_core.training.guard import distance_mm
from cliff_core.training.refining import RefinedPeople, rows_of

if TYPE_CHECKING:
    from torch import nn

_SHOWN, _SHOWN_LIVE = 12, 6
_ASKED_LIVE = 64  # people, evenly drawn, among whom those who move most are shown while it tunes
_LIVE_SHARE = 0.03  # of the time, at most, for pictures while it tunes
_JPEG_QUALITY = 88
_HEIGHT_PX = 360


@dataclass(frozen=True, slots=True)
class Changed:
    """Somebody to show before and after.

    Attributes:
        file: the photo.
        name: headline.
        before, after: the bodies.
        camera: of the photo.
        keypoints: their 2D points, if any.
        suspicion_mm: what the guard expects the error to be; `None` while nobody has asked it.
    """

    file: Path
    name: str
    before: SmplParams
    after: SmplParams
    camera: Camera
    keypoints: Keypoints | None
    suspicion_mm: float | None = None


def most_changed(project: Project, cast: Cast, people: RefinedPeople) -> Iterator[Changed]:
    """Those whose body changes most, with what they have now and will have."""
    moved = np.where(people.verdict.takes_refined, distance_mm(people.evidence.prior, people.evidence.refined), -1.0)
    for row in np.argsort(-moved, kind="stable")[:_SHOWN].tolist():
        if moved[row] < 0:
            return
        suspicion_mm = float(people.verdict.suspicion_mm[row])
        yield from _changed(project, cast, row, people.refined[row], people.prior[row].params, suspicion_mm)


def write_pictures(
    folder: Path, changed: Sequence[Changed], body: Body, progress: Progress
) -> tuple[list[tuple[ChangePicture, bytes]], list[str]]:
    """Draw people, those first who change most, and write them down.

    Args:
        folder: of the job.
        changed: who.
        body: of the bodies.
        progress: told picture by picture.

    Returns:
        What was drawn, as JPEG, and what is to be said of photos that cannot be read.
    """
    shown: list[tuple[ChangePicture, bytes]] = []
    problems = []
    ways_mm = [_way_mm(body, each) for each in changed]
    for number, place in enumerate(sorted(range(len(changed)), key=lambda place: -ways_mm[place]), 1):
        each = changed[place]
        progress(number, len(changed), "drawing the report")
        try:
            picture = _drawn(each, body)
        except CliffError as problem:
            problems.append(str(problem))
            continue
        shown.append((ChangePicture(f"{number:02}.jpg", each.name, ways_mm[place], each.suspicion_mm), picture))
    write_changes(folder, shown)
    return shown, problems


class LiveWall:
    """While a network learns: now and then pictures of those whose body it changes most so far.

    Args:
        project: of the people.
        cast: everybody; those who supervise are asked, some of them where they are many.
        body: of the bodies.
        folder: of the job.
        news: told when there are new ones.
    """

    def __init__(self, project: Project, cast: Cast, body: Body, folder: Path, news: News):
        assert cast.known is not None
        supervised = np.flatnonzero(((cast.known.weight > 0).any(1) | cast.known.edits.of_anybody).numpy())
        some = np.linspace(0, len(supervised) - 1, min(_ASKED_LIVE, len(supervised))).astype(int)
        self._rows: list[int] = supervised[some].tolist()
        self._project, self._cast, self._body, self._folder, self._news = project, cast, body, folder, news
        self._not_before = 0.0

    def __call__(self, model: nn.Module) -> None:
        """Show what it predicts now; nothing where that was done a moment ago."""
        begun = time.monotonic()
        if begun < self._not_before:
            return
        assert self._cast.known is not None
        estimates = Predictor(model, self._body).estimates(rows_of(self._cast.known.crops, self._rows))
        changed = [
            each
            for row, estimate in zip(self._rows, estimates, strict=True)
            for each in _changed(self._project, self._cast, row, estimate, None, None)
        ]
        changed.sort(key=lambda each: -_way_mm(self._body, each))
        if changed:
            write_pictures(self._folder, changed[:_SHOWN_LIVE], self._body, lambda *_: None)
            self._news.tell(PICTURES)
        self._not_before = time.monotonic() + (time.monotonic() - begun) / _LIVE_SHARE


def _changed(
    project: Project,
    cast: Cast,
    row: int,
    after: Estimate,
    before: SmplParams | None,
    suspicion_mm: float | None,
) -> Iterator[Changed]:
    """Somebody, unless they are gone meanwhile; `before` stands in for a body that they have not got yet."""
    try:
        person = project.person(cast.person_ids[row])
        photo = project.photo(cast.photo_ids[row])
        file = project.photo_file(photo.id)
    except EditError:
        return
    if person.body is not None:
        before = person.body.params
    if before is not None and np.isfinite(after.params.pose_rotvec).all() and np.isfinite(after.params.transl).all():
        name = f"{photo.name}, person {person.id}"
        yield Changed(file, name, before, after.params, after.camera, person.main_keypoints, suspicion_mm)


def _way_mm(body: Body, changed: Changed) -> float:
    """How far the joints are from those of the body that somebody has now: mean after joining the pelvises, mm."""
    joints = []
    for params in (changed.before, changed.after):
        places, _ = body.forward_kinematics(rotvec_to_rotmat(params.pose_rotvec), params.betas)
        joints.append(places - places[0])
    return float(1000 * np.linalg.norm(joints[1] - joints[0], axis=1).mean())


def _drawn(changed: Changed, body: Body) -> bytes:
    """Before and after as JPEG."""
    before, after = ([posed_vertices(body, params)] for params in (changed.before, changed.after))
    points = [] if changed.keypoints is None else [changed.keypoints]
    photo = read_image(changed.file)
    rgb = before_after(photo, before, after, body.faces, changed.camera, points, height_px=_HEIGHT_PX)
    return jpeg_of(rgb)


def jpeg_of(rgb: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
