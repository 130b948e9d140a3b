"""One photo of several copies: who is who, which value counts, and what is therefore to be changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from annotator.project.copies import Changed, Copy
from annotator.project.deciding import Tolerance, decide
from annotator.project.documents import Document
from annotator.project.fields import COMMENT, FROM, PERSON, PHOTO, is_by_hand
from annotator.project.importing import iou

_SAME_PERSON_IOU = 0.6

Change = tuple[str, str, str, Any]
"""Kind, uid, field, value; pointers are names of predictions."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A place where two people differ.

    Attributes:
        photo: its name.
        who: uid of the person or comment; empty for the photo itself.
        field: what they differ in.
        mine: value here, or of the copy that was joined first.
        theirs: value there.
        other: the copy.
    """

    photo: str
    who: str
    field: str
    mine: Any
    theirs: Any
    other: str

    def __str__(self) -> str:
        """One line."""
        subject = f" {self.who[:8]}" if self.who else ""
        return f"{self.photo}{subject}, {self.field}: here {self.mine}, in {self.other} {self.theirs}"


class PhotoMerge:
    """A photo while other copies are joined to it, one after the other.

    Args:
        photo_id: in this project.
        mine: its document here.
        absent: uids of people who were here once: removed, or their creation was undone.
        tolerance: within which two people mean the same.
        prefer: whose value counts in a conflict; mine while it is not said.
    """

    def __init__(
        self,
        photo_id: int,
        mine: Document,
        absent: set[str],
        tolerance: Tolerance,
        prefer: Literal["mine", "theirs"] | None,
    ):
        self.photo_id = photo_id
        self.conflicts: list[Conflict] = []
        self.predictions: dict[str, Any] = dict(mine.content["predictions"])
        self._tolerance = tolerance
        self._prefer = prefer
        self._before = _flat(mine.content)
        self._now = copy.deepcopy(self._before)
        self._name: str = mine.content["photo"]["name"]
        self._photo_uid = mine.uid
        self._is_touched = _has_hand(self._before[PHOTO][mine.uid]) or any(
            _has_hand(fields) for fields in self._before[PERSON].values()
        )
        self._absent = absent
        self._removed = set(mine.content["removed"])
        self._origins: dict[str, Copy] = {}
        self._joined: set[tuple[str, str, str]] = set()  # fields that an earlier copy has set

    def join(self, other: Copy, theirs: Document) -> dict[str, str]:
        """Join another copy; returns uid there -> uid here of the people on both."""
        content = _flat(theirs.content)
        self.predictions |= theirs.content["predictions"]
        for name in theirs.content["predictions"]:
            self._origins.setdefault(name, other)
        self._fields(PHOTO, self._photo_uid, self._photo_uid, content[PHOTO][theirs.uid], other)
        matched = self._match(content[PERSON])
        for uid, fields in content[PERSON].items():
            if uid in matched:
                self._fields(PERSON, matched[uid], uid, fields, other)
            else:
                self._newcomer(uid, fields, other)
        for uid in theirs.content["removed"]:
            self._removal(uid, other)
        for uid, fields in content[COMMENT].items():
            self._fields(COMMENT, uid, uid, fields, other)
        return matched

    def new_people(self) -> list[str]:
        """Uids of people whom this project does not know yet."""
        return [uid for uid in self._now[PERSON] if uid not in self._before[PERSON] and uid not in self._absent]

    def changes(self) -> list[Change]:
        """Everything that is to be set."""
        found: list[Change] = []
        for kind, subjects in self._now.items():
            for uid, fields in subjects.items():
                before = self._before[kind].get(uid, {})
                found += [
                    (kind, uid, name, fields.get(name))
                    for name in sorted(set(before) | set(fields))
                    if before.get(name) != fields.get(name)
                ]
        return found

    def origin(self, prediction: str) -> Copy | None:
        """The copy that a prediction comes from; `None` for one of this project."""
        return self._origins.get(prediction)

    def _fields(self, kind: str, uid: str, their_uid: str, theirs: Mapping[str, Any], other: Copy) -> None:
        mine = self._now[kind].setdefault(uid, {})
        size = _longer_side(mine, self.predictions) or _longer_side(theirs, self.predictions) or 1.0
        for name in sorted(set(mine) | set(theirs)):
            value, their_value = mine.get(name), theirs.get(name)
            if value == their_value:
                continue
            changed = other.changed(kind, uid, name, value, their_value) if uid == their_uid else Changed()
            if (kind, uid, name) in self._joined:
                changed = Changed(True, changed.theirs)
            side, chosen = decide(
                name,
                value,
                their_value,
                changed,
                size_px=size,
                tolerance=self._tolerance,
                predictions=self.predictions,
            )
            if side == "conflict":
                self._conflict(kind, uid, name, value, their_value, other)
                chosen = their_value if self._prefer == "theirs" else value
            self._set(kind, uid, name, chosen)

    def _newcomer(self, uid: str, fields: Mapping[str, Any], other: Copy) -> None:
        """Someone who is there and not here."""
        if uid in self._absent:
            changed = other.worked_on(PERSON, uid)
            if changed.theirs is False or (changed.theirs is None and not _has_hand(fields)):
                return  # gone here, and nobody has worked on them there since
            if uid in self._removed:
                self._conflict(PERSON, uid, "present", None, True, other)
                if self._prefer != "theirs":
                    return
        elif not _has_hand(fields) and not self._is_label(fields) and self._is_touched and self._now[PERSON]:
            return  # only proposed there, on a photo that somebody has worked on here
        self._now[PERSON][uid] = dict(fields)
        self._joined |= {(PERSON, uid, name) for name in fields}

    def _removal(self, uid: str, other: Copy) -> None:
        """Someone who is here, and whom a person took away there."""
        mine = self._now[PERSON].get(uid)
        if mine is None or "present" not in mine:
            return
        if other.changed(PERSON, uid, "present", True, None).theirs is False:
            return
        worked_on = other.worked_on(PERSON, uid).mine
        is_worked_on = _has_hand(mine) if worked_on is None else worked_on
        if is_worked_on or any(key[:2] == (PERSON, uid) for key in self._joined):
            self._conflict(PERSON, uid, "present", True, None, other)
            if self._prefer != "theirs":
                return
        self._set(PERSON, uid, "present", None)

    def _match(self, theirs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """People by their uid, and those who are left by their boxes, the best overlap first."""
        matched = {uid: uid for uid in theirs if uid in self._now[PERSON]}
        overlaps = []
        for uid, fields in theirs.items():
            box = None if uid in matched or uid in self._absent else _box(fields, self.predictions)
            for mine, own in self._now[PERSON].items():
                other = None if box is None or mine in theirs else _box(own, self.predictions)
                if box is not None and other is not None and "present" in own:
                    overlaps.append((iou(box, other), uid, mine))
        for overlap, uid, mine in sorted(overlaps, reverse=True):
            if overlap >= _SAME_PERSON_IOU and uid not in matched and mine not in matched.values():
                matched[uid] = mine
        return matched

    def _is_label(self, fields: Mapping[str, Any]) -> bool:
        taken = [value for name, value in fields.items() if name.startswith(FROM)]
        return any(self.predictions[name]["run"]["kind"] == "imported" for name in taken)

    def _set(self, kind: str, uid: str, name: str, value: Any) -> None:
        fields = self._now[kind][uid]
        if fields.get(name) == value:
            return
        self._joined.add((kind, uid, name))
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value

    def _conflict(self, kind: str, uid: str, name: str, mine: Any, theirs: Any, other: Copy) -> None:
        who = "" if kind == PHOTO else uid
        self.conflicts.append(Conflict(self._name, who, name, mine, theirs, other.name))


def _flat(content: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Kind -> uid -> field -> value; pointers among the fields, as names of predictions."""
    people = {
        uid: {**block["set"], **{FROM + part: name for part, name in block["from"].items()}}
        for uid, block in content["people"].items()
    }
    return {
        PHOTO: {content["photo"]["uid"]: dict(content["photo"]["set"])},
        PERSON: people,
        COMMENT: {uid: dict(own) for uid, own in content["comments"].items()},
    }


def _has_hand(fields: Mapping[str, Any]) -> bool:
    return any(is_by_hand(name, value) for name, value in fields.items())


def _box(fields: Mapping[str, Any], predictions: Mapping[str, Any]) -> np.ndarray | None:
    value = fields.get("box")
    if value is None and FROM + "box" in fields:
        value = predictions[fields[FROM + "box"]].get("box")
    return None if value is None else np.array(value[:4], dtype=np.float64)


def _longer_side(fields: Mapping[str, Any], predictions: Mapping[str, Any]) -> float | None:
    box = _box(fields, predictions)
    return None if box is None else float((box[2:] - box[:2]).max())
