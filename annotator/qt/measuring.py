"""Keeps what is measured of a body up to date with what a hand does to it."""

from __future__ import annotations

from PySide6.QtCore import QObject

from annotator.document import Change
from annotator.project import Project
from annotator.project.state import Person
from annotator.qt.desk import Desk
from annotator.qt.workspace import Workspace
from annotator.quality import inside_mm
from annotator.worklist import INSIDE

_Form = tuple[str, bytes, bytes]
_SAME_MM = 0.5


class Measuring(QObject):
    """Measures again how deep a body is inside itself when its pose or shape was edited, beside the window's thread.

    Args:
        workspace: whose people.
        desk: has the project.
    """

    def __init__(self, workspace: Workspace, desk: Desk, parent: QObject | None = None):
        super().__init__(parent)
        self._workspace, self._desk = workspace, desk
        self._forms: dict[int, _Form] = {}
        if not desk.read_only:
            workspace.document.observe(self._changed)

    def _changed(self, change: Change) -> None:
        if not change & (Change.PHOTO | Change.PEOPLE):
            return
        before, people = self._forms, self._workspace.document.people
        self._forms = {person.id: form for person in people if (form := _form(person)) is not None}
        if Change.PHOTO in change or not self._workspace.is_ready:
            return
        for person in people:
            if person.id in self._forms and self._forms[person.id] != before.get(person.id):
                self._measure(person)

    def _measure(self, person: Person) -> None:
        body, form, written = self._workspace.figures.body_of(person), self._forms[person.id], person.body
        assert written is not None

        def measured(depth_mm: float) -> None:
            if self._forms.get(person.id, form) == form:  # else a later one is on its way
                self._desk.project(lambda project: _note(project, person.id, depth_mm))

        self._desk.read(lambda: inside_mm(body, written.params), measured)


def _form(person: Person) -> _Form | None:
    """What a body's overlaps follow from: where it stands does not count."""
    body = person.body
    return None if body is None else (person.gender, body.params.pose_rotvec.tobytes(), body.params.betas.tobytes())


def _note(project: Project, person_id: int, depth_mm: float) -> None:
    """Write it if it is news of somebody who is still there."""
    row = project.database.row(
        "SELECT value FROM person LEFT JOIN measure ON person_id = person.id AND name = ? WHERE person.id = ?",
        [INSIDE, person_id],
    )
    if row is not None and (row[0] is None or abs(row[0] - depth_mm) >= _SAME_MM):
        project.set_measures(INSIDE, {person_id: depth_mm})
