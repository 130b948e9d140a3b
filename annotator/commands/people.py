"""Edits of who is on a photo."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from annotator.commands.together import touch
from annotator.project.draft import Draft
from annotator.project.fields import PERSON, PHOTO
from cliff_core.records import Box, Provenance


@dataclass(frozen=True, slots=True)
class AddPerson:
    """A person found someone on a photo.

    Attributes:
        photo: number of the photo.
        box: around them, if drawn.
        uid: what names them from now on.
        name: for the journal.
    """

    photo: int
    box: Box | None = None
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)
    name: str = field(default="AddPerson", init=False)
    label: str = field(default="Add person", init=False)

    def write(self, draft: Draft) -> None:
        """Add them."""
        person = draft.add_person(self.photo, self.uid)
        draft.set_person(person, {"state": "in progress", "box": None if self.box is None else _box(self.box)})


@dataclass(frozen=True, slots=True)
class DuplicatePerson:
    """A person wants somebody twice, to make someone similar of the copy.

    Attributes:
        person: number of the person.
        uid: what names the copy from now on.
        name: for the journal.
    """

    person: int
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)
    name: str = field(default="DuplicatePerson", init=False)
    label: str = field(default="Duplicate person", init=False)

    def write(self, draft: Draft) -> None:
        """Add one with everything that is set of them, but not what others said of their quality."""
        own = draft.own(PERSON, self.person)
        copy = draft.add_person(draft.person(self.person).photo_id, self.uid)
        mine = {name: value for name, value in own.items() if name not in ("present", "review", "state")}
        draft.set_person(copy, {**mine, "state": "in progress"})


@dataclass(frozen=True, slots=True)
class RemovePerson:
    """A person took someone away who is not there.

    Attributes:
        person: number of the person.
        name: for the journal.
    """

    person: int
    name: str = field(default="RemovePerson", init=False)
    label: str = field(default="Remove person", init=False)

    def write(self, draft: Draft) -> None:
        """Take them away; everything about them stays, for undo."""
        draft.set_person(self.person, {"present": None})


@dataclass(frozen=True, slots=True)
class SetBox:
    """A person drew someone's box.

    Attributes:
        person: number of the person.
        box: the new box.
        name: for the journal.
    """

    person: int
    box: Box
    name: str = field(default="SetBox", init=False)
    label: str = field(default="Draw box", init=False)

    def write(self, draft: Draft) -> None:
        """Set it."""
        touch(draft, self.person)
        draft.set_person(self.person, {"box": _box(self.box)})


@dataclass(frozen=True, slots=True)
class SetGender:
    """A person said which body someone has.

    Attributes:
        person: number of the person.
        gender: "neutral", "male" or "female".
        name: for the journal.
    """

    person: int
    gender: str
    name: str = field(default="SetGender", init=False)
    label: str = field(default="Set gender", init=False)

    def write(self, draft: Draft) -> None:
        """Set it."""
        touch(draft, self.person)
        draft.set_person(self.person, {"gender": self.gender})


@dataclass(frozen=True, slots=True)
class SetRank:
    """A person put the people of a photo in order.

    Attributes:
        person: number of the person.
        rank: people are sorted by it; 0 where nobody set one.
        name: for the journal.
    """

    person: int
    rank: float
    name: str = field(default="SetRank", init=False)
    label: str = field(default="Reorder people", init=False)

    def write(self, draft: Draft) -> None:
        """Set it."""
        draft.set_person(self.person, {"rank": self.rank})


@dataclass(frozen=True, slots=True)
class MarkEmpty:
    """A person looked at a photo and found nobody, or takes that back.

    Attributes:
        photo: number of the photo.
        empty: whether nobody is there.
        name: for the journal.
    """

    photo: int
    empty: bool = True
    name: str = field(default="MarkEmpty", init=False)
    label: str = field(default="Nobody here", init=False)

    def write(self, draft: Draft) -> None:
        """Set it."""
        draft.set(PHOTO, self.photo, "empty", self.empty or None)


@dataclass(frozen=True, slots=True)
class Exclude:
    """A person took a photo out of the work, or back in.

    Attributes:
        photo: number of the photo.
        excluded: whether it is out.
        name: for the journal.
    """

    photo: int
    excluded: bool = True
    name: str = field(default="Exclude", init=False)
    label: str = field(default="Exclude photo", init=False)

    def write(self, draft: Draft) -> None:
        """Set it."""
        draft.set(PHOTO, self.photo, "excluded", self.excluded or None)


def _box(box: Box) -> list:
    return [box.x0, box.y0, box.x1, box.y1, 1.0, Provenance.HUMAN.value]
