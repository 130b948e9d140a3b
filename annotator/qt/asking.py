"""Lets bodies follow what CLIFF makes of points, not only the points: asked anew whenever a hand has changed some."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject

from annotator import edits
from annotator.asking import AskedProcess, question_of
from annotator.document import Change
from annotator.project.state import Person
from annotator.qt.background import Background
from annotator.qt.desk import Desk
from annotator.qt.workspace import Workspace
from cliff_core.records import Camera, SmplParams

_Question = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, and what to do with the answer.

    Attributes:
        person: whom it is about.
        photo: they are on.
        question: as `question_of` gives it.
        step: the edit to which a body that follows belongs; `None` where the body stays.
        placed: row of the one point that the edit placed.
    """

    person: int
    photo: int
    question: _Question
    step: int | None = None
    placed: int | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """Somebody as they were when they were last looked at.

    Attributes:
        person: as written.
        camera: of the photo.
        question: what would be asked, if anything.
        body: pose and place, as bytes.
    """

    person: Person
    camera: Camera
    question: _Question | None
    body: tuple[bytes, ...]


class Asking(QObject):
    """Asks about the selected person after an edit of their points; when the answer comes, the body follows it.

    The edit is written before, as it always is, and what follows belongs to the same step of undo. A body that the
    edit left where it was (a point dragged with Alt, one that was marked as hidden) stays where it is, and so does one
    that a hand is on again. Only the latest question counts.

    Args:
        workspace: whose people.
        desk: has the project.
    """

    def __init__(self, workspace: Workspace, desk: Desk, parent: QObject | None = None):
        super().__init__(parent)
        self._workspace, self._desk = workspace, desk
        self._document = workspace.document
        self._process = AskedProcess()
        self._beside = Background(self)
        self._known: dict[int, _Seen] = {}
        self._next: _Asked | None = None
        self._is_waiting = False
        self._is_over = desk.read_only
        self._document.observe(self._changed)

    def close(self) -> None:
        """Ask no more."""
        self._is_over = True
        self._process.close()
        self._beside.close()

    def _changed(self, change: Change) -> None:
        if self._is_over or not change & (Change.PHOTO | Change.PEOPLE | Change.SELECTION):
            return
        if Change.PHOTO in change:
            self._known.clear()
            self._workspace.rig.said.clear()
        before = self._known
        self._known = {person.id: self._look(person, before.get(person.id)) for person in self._document.people}
        chosen, photo, said = self._document.selected, self._document.photo, self._workspace.rig.said
        for number in list(said):
            if number not in self._known or self._known[number].question is None:
                del said[number]
        now = None if chosen is None else self._known.get(chosen)
        if now is None or now.question is None or photo is None:
            return
        was = before.get(now.person.id)
        if was is not None and now.question != was.question:
            step = self._document.edited_step if now.body != was.body else None
            self._ask(_Asked(now.person.id, photo.id, now.question, step, _placed(was.person, now.person)))
        elif now.person.id not in said and self._process.is_running and not self._is_waiting:
            # before a hand is on them
            self._ask(_Asked(now.person.id, photo.id, now.question))

    def _look(self, person: Person, before: _Seen | None) -> _Seen:
        """What would be asked about somebody, and the body that they have."""
        photo, body = self._document.photo, person.body
        assert photo is not None
        camera = photo.camera or person.camera_on(photo)
        if before is not None and before.person is person and before.camera == camera:
            return before
        numbers = () if body is None else (body.params.pose_rotvec.tobytes(), body.params.transl.tobytes())
        return _Seen(person, camera, question_of(person, photo, camera), numbers)

    def _ask(self, asked: _Asked) -> None:
        self._next = asked
        if not self._is_waiting:
            self._go_on()

    def _go_on(self) -> None:
        """The latest question, if there is one."""
        asked, self._next = self._next, None
        self._is_waiting = asked is not None
        if asked is None:
            return

        def found(file: Path) -> None:
            self._beside.run(
                lambda: self._process.ask(asked.question, file), lambda said: self._answered(asked, said), self._failed
            )

        self._desk.project(lambda project: project.photo_file(asked.photo), found, self._failed)

    def _answered(self, asked: _Asked, said: SmplParams | None) -> None:
        if self._is_over:  # an answer was on its way while the project was closed
            return
        now = self._known.get(asked.person)
        if said is not None and now is not None and now.question == asked.question:
            self._workspace.rig.said[asked.person] = said
            if asked.step is not None and not self._document.pending and asked.person not in self._document.live:
                self._follow(asked.person, asked.step, asked.placed)
        self._go_on()

    def _follow(self, person: int, step: int, placed: int | None) -> None:
        figure = self._workspace.figures.of(person)
        command = None if figure is None else edits.follow(figure, self._workspace.rig, placed)
        if command is not None:
            self._document.amend(step, command)

    def _failed(self, error: Exception) -> None:
        """Bodies follow points alone from now on, and that is said once."""
        if self._is_over:
            return
        self._is_over, self._is_waiting = True, False
        self._workspace.rig.said.clear()
        raise error  # to whoever shows problems


def _placed(before: Person, now: Person) -> int | None:
    """The one point that is elsewhere than it was; `None` where several are, or none."""
    was, points = before.main_keypoints, now.main_keypoints
    if was is None or points is None or was.joint_set != points.joint_set:
        return None
    rows = np.flatnonzero((was.points_px != points.points_px).any(axis=1) & (points.visibility > 0))
    return int(rows[0]) if len(rows) == 1 else None
