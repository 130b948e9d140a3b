"""People as views show them: what is written, with what a hand is moving on top, posed and projected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from annotator.document import Document, Live
from annotator.project.state import Person, PersonBody, Photo
from cliff_core.body import Body, PosedBody
from cliff_core.errors import GeometryError
from cliff_core.fitting.editing import refocus
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams
from cliff_core.skeletons import COCO17, JOINT_SETS


@dataclass(frozen=True)
class Figure:
    """One person on the open photo.

    Attributes:
        person: as written.
        number: place among the photo's people; decides the colour.
        body: what their parameters pose.
        camera: under which they stand.
        box, params: with what a hand is moving; `None` where there is none.
        keypoints: the same; all absent where somebody has none.
        written: the body as written; it takes a while to put together.
        is_live: whether a hand is on it.
    """

    person: Person
    number: int
    body: Body
    camera: Camera
    box: Box | None
    keypoints: Keypoints
    params: SmplParams | None
    written: PersonBody | None
    is_live: bool

    @cached_property
    def posed(self) -> PosedBody | None:
        """Mesh and joints in the camera frame, metres."""
        if self.params is None:
            return None
        return self.body.pose(rotvec_to_rotmat(self.params.pose_rotvec), self.params.betas, self.params.transl)

    @cached_property
    def joints_px(self) -> np.ndarray | None:
        """(24, 2) SMPL's joints in pixels of the photo; NaN behind the camera."""
        return None if self.posed is None else project(self.posed.joints, self.camera)

    @cached_property
    def predicted_vertices(self) -> np.ndarray | None:
        """(V, 3) the body as a model predicted it, where that was predicted; `None` without a prediction."""
        prediction = self.person.predictions.get("body")
        if prediction is None or prediction.params is None:
            return None
        params = prediction.params
        return self.body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl).vertices


def project(points_m: np.ndarray, camera: Camera) -> np.ndarray:
    """(N, 3) camera frame, metres -> (N, 2) pixels; NaN for what is not in front of the camera."""
    points = np.asarray(points_m, np.float64)
    depth = np.where(points[:, 2:] > 1e-3, points[:, 2:], np.nan)
    return points[:, :2] / depth * camera.focal_length_px + camera.centre_px


class Figures:
    """The figures of a document's photo; what did not change is not posed again.

    Args:
        document: the open photo.
        bodies: by gender; nobody is shown while it is empty.
        joint_set: in which points are placed for people who have none.
    """

    def __init__(self, document: Document, bodies: dict[str, Body], joint_set: str = COCO17.name):
        self._document = document
        self._bodies = bodies
        self._nothing = Keypoints.uniform(joint_set, *_no_points(joint_set))
        self._made: dict[int, tuple[Person, Photo, Live | None, Figure]] = {}
        self._written: dict[int, tuple[Person, Photo, Figure]] = {}

    def all(self) -> list[Figure]:
        """Everybody on the photo, in their order."""
        photo, made, written = self._document.photo, {}, {}
        if photo is None or not self._bodies:
            return []
        for number, person in enumerate(self._document.people):
            live = self._document.live.get(person.id)
            known = self._made.get(person.id)
            # Records are immutable, so the same ones give the same figure; comparing their arrays would take longer.
            if known is None or any(a is not b for a, b in zip(known, (person, photo, live), strict=False)):
                known = (person, photo, live, self._figure(person, photo, live, number))
            made[person.id] = known
            written[person.id] = self._written[person.id]
        self._made, self._written = made, written
        return [entry[3] for entry in made.values()]

    def of(self, person_id: int | None) -> Figure | None:
        """Somebody's figure by number."""
        return next((figure for figure in self.all() if figure.person.id == person_id), None)

    def body_of(self, person: Person) -> Body:
        """What somebody's parameters pose."""
        return self._bodies[person.gender]

    def elsewhere(self, person: Person, photo: Photo) -> Figure:
        """Somebody on another photo, as written."""
        return figure_of(person, photo, self._bodies[person.gender])

    def _figure(self, person: Person, photo: Photo, live: Live | None, number: int) -> Figure:
        known = self._written.get(person.id)
        if known is None or known[0] is not person or known[1] is not photo:  # what a hand moves is written later
            known = (person, photo, figure_of(person, photo, self._bodies[person.gender], number, self._nothing))
            self._written[person.id] = known
        figure = known[2]
        if live is None:
            return figure
        return replace(
            figure,
            box=live.box or figure.box,
            keypoints=live.keypoints or figure.keypoints,
            params=live.params or figure.params,
            is_live=True,
        )


def figure_of(
    person: Person, photo: Photo, body: Body, number: int = 0, without_points: Keypoints | None = None
) -> Figure:
    """Somebody as written, on any photo.

    Args:
        person: who.
        photo: the photo that they are on.
        body: of their gender.
        number: place among the photo's people.
        without_points: their points where they have none; all absent in COCO's joint set if not given.
    """
    camera = photo.camera or person.camera_on(photo)
    nothing = without_points or Keypoints.uniform(COCO17.name, *_no_points(COCO17.name))
    written = person.body
    return Figure(
        person=person,
        number=number,
        body=body,
        camera=camera,
        box=person.box,
        keypoints=person.main_keypoints or nothing,
        params=_under(camera, written, person, photo, body),
        written=written,
        is_live=False,
    )


def _no_points(joint_set: str) -> tuple[np.ndarray, np.ndarray]:
    count = len(JOINT_SETS[joint_set])
    return np.zeros((count, 2)), np.zeros(count, dtype=np.int8)


def _under(camera: Camera, written: PersonBody | None, person: Person, photo: Photo, body: Body) -> SmplParams | None:
    """Somebody's body under a camera, the one that a hand's edits are about.

    A place that was predicted before somebody set the photo's camera is taken over to it, so that it is seen where it
    was seen.
    """
    theirs = person.camera_on(photo)
    if written is None or (theirs.focal_length_px, *theirs.centre_px) == (camera.focal_length_px, *camera.centre_px):
        return None if written is None else written.params
    try:
        keep = written.pose_source[0] is Provenance.HUMAN
        return refocus(written.params, body, theirs, camera, keep_orientation=keep)
    except GeometryError:  # behind the camera: shown as it is, for the hand to put right
        return written.params
