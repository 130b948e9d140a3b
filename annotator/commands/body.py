"""Edits of bodies and cameras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from annotator.commands.together import touch
from annotator.project.draft import Draft
from annotator.project.errors import EditError
from annotator.project.fields import BETAS, FROM, PERSON, PHOTO, beta, joint
from cliff_core.records import Camera, Provenance, SmplParams
from cliff_core.skeletons import SMPL24


@dataclass(frozen=True, slots=True)
class SetPose:
    """Somebody turned joints.

    Attributes:
        person: number of the person.
        rotvecs: joint name -> (3,) axis-angle relative to the parent joint, radians; "pelvis" in the camera frame.
        source: a person's hand, or a solver that follows it.
        label: for the menu.
        name: for the journal.
    """

    person: int
    rotvecs: Mapping[str, Sequence[float]]
    source: Provenance = Provenance.HUMAN
    label: str = "Pose"
    name: str = field(default="SetPose", init=False)

    def write(self, draft: Draft) -> None:
        """Set them; a solver leaves alone what a person set."""
        touch(draft, self.person)
        for name, rotvec in self.rotvecs.items():
            _set_unless_held(draft, self.person, joint(name), rotvec, self.source)


@dataclass(frozen=True, slots=True)
class SetBetas:
    """Somebody set shape numbers.

    Attributes:
        person: number of the person.
        values: number of the beta -> value, standard deviations.
        source: a person's hand, or a solver that follows it.
        label: for the menu.
        name: for the journal.
    """

    person: int
    values: Mapping[int, float]
    source: Provenance = Provenance.HUMAN
    label: str = "Shape"
    name: str = field(default="SetBetas", init=False)

    def write(self, draft: Draft) -> None:
        """Set them; a solver leaves alone what a person set."""
        touch(draft, self.person)
        for number, value in self.values.items():
            _set_unless_held(draft, self.person, beta(number), [value], self.source)


@dataclass(frozen=True, slots=True)
class SetTransl:
    """Somebody moved a body.

    Attributes:
        person: number of the person.
        transl: (3,) metres, camera frame.
        source: a person's hand, or a solver that follows it.
        name: for the journal.
    """

    person: int
    transl: Sequence[float]
    source: Provenance = Provenance.HUMAN
    name: str = field(default="SetTransl", init=False)
    label: str = field(default="Move body", init=False)

    def write(self, draft: Draft) -> None:
        """Set it; a solver leaves alone what a person set."""
        touch(draft, self.person)
        _set_unless_held(draft, self.person, "transl", self.transl, self.source)


@dataclass(frozen=True, slots=True)
class SetBody:
    """Somebody set a whole body: pasted, copied from another photo, fitted.

    Attributes:
        person: number of the person.
        params: the body in the full camera frame.
        source: a person's hand, or a solver that follows it.
        label: for the menu.
        name: for the journal.
    """

    person: int
    params: SmplParams
    source: Provenance = Provenance.HUMAN
    label: str = "Set body"
    name: str = field(default="SetBody", init=False)

    def write(self, draft: Draft) -> None:
        """Set all of it; a solver leaves alone what a person set."""
        params = self.params
        rotvecs = {name: [float(v) for v in row] for name, row in zip(SMPL24.names, params.pose_rotvec, strict=True)}
        shape = {number: float(value) for number, value in enumerate(params.betas)}
        SetPose(self.person, rotvecs, self.source).write(draft)
        SetBetas(self.person, shape, self.source).write(draft)
        SetTransl(self.person, [float(value) for value in params.transl], self.source).write(draft)
        if self.source is Provenance.HUMAN:
            draft.set(PERSON, self.person, "gender", params.gender)


@dataclass(frozen=True, slots=True)
class ResetBody:
    """A person gave joints, or the whole body, back to what was predicted.

    Attributes:
        person: number of the person.
        joints: names; the whole body with shape and place if not given.
        name: for the journal.
    """

    person: int
    joints: Sequence[str] | None = None
    name: str = field(default="ResetBody", init=False)
    label: str = field(default="Reset body", init=False)

    def write(self, draft: Draft) -> None:
        """Unset them."""
        touch(draft, self.person)
        fields = [joint(name) for name in (SMPL24.names if self.joints is None else self.joints)]
        if self.joints is None:
            fields += ["transl", "gender", *(beta(number) for number in range(BETAS))]
        for each in fields:
            draft.set(PERSON, self.person, each, None)


@dataclass(frozen=True, slots=True)
class TakePrediction:
    """A person chose another prediction for someone; what they set themselves stays on top.

    Attributes:
        person: number of the person.
        prediction: its number.
        parts: what to take from it: "box", "body", "points/SET"; all that it has if not given.
        name: for the journal.
    """

    person: int
    prediction: int
    parts: Sequence[str] | None = None
    name: str = field(default="TakePrediction", init=False)
    label: str = field(default="Take prediction", init=False)

    def write(self, draft: Draft) -> None:
        """Point to it."""
        prediction = draft.prediction(self.prediction)
        parts = prediction.parts if self.parts is None else tuple(self.parts)
        if set(parts) - set(prediction.parts):
            raise EditError(f"prediction {self.prediction} has {', '.join(prediction.parts)}, not all of {parts}")
        touch(draft, self.person)
        for part in parts:
            draft.set(PERSON, self.person, FROM + part, self.prediction)


@dataclass(frozen=True, slots=True)
class SetCamera:
    """A person set a photo's camera; the bodies on it move along, so that they stay where they are seen.

    Attributes:
        photo: number of the photo.
        camera: the new camera; `None` to take theirs back.
        transl: number of the person -> (3,) their new place, metres.
        source: a person, or a model's guess that others may replace.
        name: for the journal.
    """

    photo: int
    camera: Camera | None
    transl: Mapping[int, Sequence[float]] = field(default_factory=dict)
    source: Provenance = Provenance.HUMAN
    name: str = field(default="SetCamera", init=False)
    label: str = field(default="Set camera", init=False)

    def write(self, draft: Draft) -> None:
        """Set the camera and the places of the bodies; a place that a person set stays theirs."""
        value = None
        if self.camera is not None:
            centre = self.camera.principal_point_px or (None, None)
            value = [self.camera.focal_length_px, *centre, self.source.value]
        draft.set(PHOTO, self.photo, "camera", value)
        for person, transl in self.transl.items():
            held = draft.get(PERSON, person, "transl")
            source = Provenance.FIT.value if held is None else held[-1]
            draft.set_person(person, {"transl": [*transl, source]})


def _set_unless_held(draft: Draft, person: int, name: str, numbers: Sequence[float], source: Provenance) -> None:
    held = draft.get(PERSON, person, name)
    if source is not Provenance.HUMAN and held is not None and held[-1] == Provenance.HUMAN.value:
        return
    draft.set(PERSON, person, name, [*numbers, source.value])
