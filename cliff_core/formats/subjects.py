"""A person and a body on their way into a file, checked once for all formats of bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cliff_core.body import Body, PosedBody
from cliff_core.errors import FormatError
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, SmplParams

SQUARE_MARGIN = 1.2
"""How much larger than the box SPIN's square crops are, and with them the `scale` of its family of files."""

GENDER_LETTERS = {"neutral": "n", "male": "m", "female": "f"}


@dataclass(frozen=True)
class Subject:
    """One person with a body.

    Attributes:
        person: who it is, and on which photo.
        estimate: the body, with box and camera.
        body: the model of the body's gender; `None` where a format needs none.
        where: for errors: the file and the person.
    """

    person: PhotoPerson
    estimate: Estimate
    body: Body | None
    where: str

    @property
    def params(self) -> SmplParams:
        """The body in the full camera frame."""
        return self.estimate.params

    @property
    def camera(self) -> Camera:
        """The photo's camera."""
        return self.estimate.camera

    @property
    def box(self) -> Box:
        """The person's own box."""
        return self.estimate.box

    @property
    def keypoints(self) -> Keypoints | None:
        """The person's own 2D points, or those of the estimate."""
        return self.person.keypoints if self.person.keypoints is not None else self.estimate.keypoints

    @cached_property
    def pose_rotvec(self) -> np.ndarray:
        """(24, 3) float64."""
        return np.asarray(self.params.pose_rotvec, dtype=np.float64)

    @cached_property
    def betas(self) -> np.ndarray:
        """(10,) float64."""
        return np.asarray(self.params.betas, dtype=np.float64)

    @cached_property
    def transl(self) -> np.ndarray:
        """(3,) float64."""
        return np.asarray(self.params.transl, dtype=np.float64)

    @cached_property
    def posed(self) -> PosedBody:
        """Vertices and joints in the camera's axes, without translation, so that float32 keeps all its digits."""
        return self._model.pose(rotvec_to_rotmat(self.pose_rotvec), self.betas)

    @cached_property
    def vertices_cam(self) -> np.ndarray:
        """(V, 3) float64, metres in the camera of the full photo."""
        return self.posed.vertices.astype(np.float64) + self.transl

    @cached_property
    def joints_cam(self) -> np.ndarray:
        """(24, 3) float64 SMPL's joints, metres in the camera of the full photo."""
        return self.posed.joints.astype(np.float64) + self.transl

    @cached_property
    def rest_pelvis(self) -> np.ndarray:
        """(3,) where the shaped body's pelvis is before posing; rotations of a whole body go around it."""
        return self._model.rest_joints(self.betas)[0]

    def points_cam(self, joint_set: str) -> np.ndarray:
        """(K, 4) float64 keypoints of the body in the camera's axes, without translation, and 1 where it knows them."""
        points = self._model.keypoints(self.posed.vertices, joint_set).astype(np.float64)
        known = np.isfinite(points).all(axis=1)
        return np.concatenate([np.where(known[:, None], points, 0), known[:, None]], axis=1)

    def let_go(self):
        """Forget what was posed, once it is written: a mesh takes a hundred times the memory of its parameters."""
        for name in ("posed", "vertices_cam", "joints_cam"):
            self.__dict__.pop(name, None)

    def square_crop(self) -> tuple[np.ndarray, float]:
        """Centre (2,) and side of SPIN's square crop around the box, pixels."""
        return self.box.centre_px, SQUARE_MARGIN * max(self.box.width, self.box.height)

    @property
    def _model(self) -> Body:
        assert self.body is not None, "a format that poses bodies asks `subjects` for them"
        return self.body


def subjects(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None,
    kind: str,
    posed: bool = True,
) -> list[Subject]:
    """People with their bodies, ready to be written.

    Args:
        path: of the file, for errors.
        people: who.
        estimates: the body of each.
        body: the body model, or one per gender.
        kind: what the file is called in errors ("a CLIFF-GT file").
        posed: whether the format needs joints or vertices, and so the body model.

    Raises:
        FormatError: lists of different length, a person without a body, a body for a photo of another size, with
            numbers that are no body's, or of a gender whose model is not there; names the person.
    """
    if estimates is None or (posed and body is None):
        raise FormatError(f"{path}: {kind} holds bodies; none were given")
    if len(people) != len(estimates):
        raise FormatError(f"{path}: {len(people)} people but {len(estimates)} bodies; they must belong together")
    bodies = body if isinstance(body, Mapping) else {} if body is None else {body.gender: body}
    ready = []
    for number, (person, estimate) in enumerate(zip(people, estimates, strict=True)):
        where = f"{path}: person {number + 1} ({person.image_name})"
        if estimate is None:
            raise FormatError(f"{where} has no body, and {kind} holds bodies; predict it, or leave the person out")
        _check(person, estimate, path, where)
        gender = estimate.params.gender
        if posed and gender not in bodies:
            raise FormatError(f"{path}: {person.image_name} has a {gender} body; load that body model to write it")
        ready.append(Subject(person, estimate, bodies.get(gender) if posed else None, where))
    return ready


def per_photo(ready: Sequence[Subject]) -> dict[str, list[Subject]]:
    """The same people by photo, in the order in which photos come up.

    Raises:
        FormatError: two people of one photo with different cameras.
    """
    photos: dict[str, list[Subject]] = {}
    for subject in ready:
        others = photos.setdefault(subject.person.image_name, [])
        if others and not _same(others[0].camera, subject.camera):
            raise FormatError(
                f"{subject.where} and another one on the same photo have different cameras; give all of them the same"
            )
        others.append(subject)
    return photos


def _same(one: Camera, other: Camera) -> bool:
    """Whether two cameras see alike; a principal point may be said or be the middle."""
    return one.focal_length_px == other.focal_length_px and np.array_equal(one.centre_px, other.centre_px)


def each(ready: Iterable[Subject]) -> Iterator[Subject]:
    """One person after the other; what was posed for one is let go before the next, so that memory stays flat."""
    for subject in ready:
        yield subject
        subject.let_go()


def check_photo(subject: Subject, size_px: tuple[int, int]):
    """Refuse a photo that is not the one a body was predicted for.

    Args:
        subject: one of the photo's people.
        size_px: width and height of the photo itself.

    Raises:
        FormatError: another size than the camera's.
    """
    said = subject.camera.image_size_px
    if tuple(size_px) != tuple(said):
        raise FormatError(
            f"{subject.where}: the photo is {size_px[0]} x {size_px[1]} pixels, but its body was predicted for "
            f"{said[0]} x {said[1]}; predict it again"
        )


def _check(person: PhotoPerson, estimate: Estimate, path: Path, where: str):
    params, camera = estimate.params, estimate.camera
    if tuple(person.image_size_px) != tuple(camera.image_size_px):
        raise FormatError(
            f"{path}: {person.image_name} is {person.image_size_px[0]} x {person.image_size_px[1]} pixels, but its "
            f"body was predicted for {camera.image_size_px[0]} x {camera.image_size_px[1]}; predict it again"
        )
    for name, values, shape in (
        ("pose", params.pose_rotvec, (24, 3)),
        ("betas", params.betas, (10,)),
        ("translation", params.transl, (3,)),
    ):
        if np.shape(values) != shape:
            raise FormatError(f"{where}: its {name} has shape {np.shape(values)}, not {shape}; predict it again")
        if not np.isfinite(values).all():
            raise FormatError(f"{where}: its {name} is not finite; predict it again")
    if not (np.isfinite(camera.focal_length_px) and camera.focal_length_px > 0):
        raise FormatError(f"{where}: focal length {camera.focal_length_px:g} px is not positive; correct its camera")
    if params.gender not in GENDER_LETTERS:
        raise FormatError(f"{where}: gender '{params.gender}' is none of {', '.join(GENDER_LETTERS)}")
