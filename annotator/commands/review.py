"""Edits of what annotator and reviewer say: states, verdicts, comments."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.project.draft import Draft
from annotator.project.fields import COMMENT, PERSON


@dataclass(frozen=True, slots=True)
class SetState:
    """The annotator said how far someone is.

    Attributes:
        person: number of the person.
        state: "proposed", "in progress" or "done".
        name: for the journal.
    """

    person: int
    state: str
    name: str = field(default="SetState", init=False)

    @property
    def label(self) -> str:
        """For the menu."""
        return f"Mark as {self.state}"

    def write(self, draft: Draft) -> None:
        """Set it. Who is done again is no longer what was rejected: the reviewer looks anew."""
        own = draft.own(PERSON, self.person)
        is_anew = self.state == "done" and (own.get("review") or {}).get("verdict") == "rejected"
        draft.set_person(self.person, {"state": self.state, **({"review": None} if is_anew else {})})


@dataclass(frozen=True, slots=True)
class Review:
    """The reviewer accepted or rejected someone, or took that back.

    Attributes:
        person: number of the person.
        verdict: "accepted", "rejected", or `None` to take it back.
        reason: why; a rejection needs one.
        name: for the journal.
    """

    person: int
    verdict: str | None
    reason: str = ""
    name: str = field(default="Review", init=False)

    @property
    def label(self) -> str:
        """For the menu."""
        return {"accepted": "Accept", "rejected": "Reject"}.get(self.verdict or "", "Take review back")

    def write(self, draft: Draft) -> None:
        """Set it. Who is rejected goes back to the annotator, and is no longer done."""
        review = None if self.verdict is None else {"verdict": self.verdict, "reason": self.reason}
        is_back = self.verdict == "rejected" and draft.own(PERSON, self.person).get("state") == "done"
        draft.set_person(self.person, {"review": review, **({"state": "in progress"} if is_back else {})})


@dataclass(frozen=True, slots=True)
class AddComment:
    """Somebody pinned a remark to a photo, a person or a point.

    Attributes:
        photo: number of the photo.
        text: the words.
        place: `person` (uid), `point_px`, `point` (name); empty for the whole photo.
        uid: what names it from now on.
        name: for the journal.
    """

    photo: int
    text: str
    place: Mapping[str, Any] = field(default_factory=dict)
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)
    name: str = field(default="AddComment", init=False)
    label: str = field(default="Comment", init=False)

    def write(self, draft: Draft) -> None:
        """Add it."""
        comment = draft.add_comment(self.photo, self.uid)
        draft.set(COMMENT, comment, "text", self.text)
        draft.set(COMMENT, comment, "place", dict(self.place) or None)


@dataclass(frozen=True, slots=True)
class EditComment:
    """Somebody changed the words of a comment.

    Attributes:
        comment: its number.
        text: the new words.
        name: for the journal.
    """

    comment: int
    text: str
    name: str = field(default="EditComment", init=False)
    label: str = field(default="Edit comment", init=False)

    def write(self, draft: Draft) -> None:
        """Set them."""
        draft.set(COMMENT, self.comment, "text", self.text)


@dataclass(frozen=True, slots=True)
class ResolveComment:
    """Somebody dealt with a comment, or opened it again.

    Attributes:
        comment: its number.
        resolved: whether it is dealt with.
        name: for the journal.
    """

    comment: int
    resolved: bool = True
    name: str = field(default="ResolveComment", init=False)
    label: str = field(default="Resolve comment", init=False)

    def write(self, draft: Draft) -> None:
        """Set it."""
        draft.set(COMMENT, self.comment, "resolved", self.resolved or None)


@dataclass(frozen=True, slots=True)
class RemoveComment:
    """Somebody took a comment away.

    Attributes:
        comment: its number.
        name: for the journal.
    """

    comment: int
    name: str = field(default="RemoveComment", init=False)
    label: str = field(default="Remove comment", init=False)

    def write(self, draft: Draft) -> None:
        """Take it away; it stays, for undo."""
        draft.set(COMMENT, self.comment, "present", None)
