"""What the keys do in an open project: where to go, what to mark, which panel to see."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from annotator.commands import Exclude, MarkEmpty, RemovePerson, Review, SetRank, SetState, Together
from annotator.document import Change
from annotator.project.journal import Step
from annotator.qt.actions import Actions
from annotator.qt.session import Session
from annotator.qt.strings import tr


class Work(QObject):
    """Joins the actions about photos and people to the session, and says what is possible.

    Args:
        session: of the open project.
        actions: of the window.
        ask_reason: shows where the reviewer says why somebody is rejected.
        ask_undo: asks whether a step on many photos shall be taken back.
    """

    def __init__(self, session: Session, actions: Actions, ask_reason, ask_undo: Callable[[Step], None]):
        super().__init__(session)
        self._session = session
        self._actions = actions
        self._document = session.document
        self._ask_reason = ask_reason
        self.reviewing = False
        for name, do in {
            "edit.undo": lambda: self._document.undo(ask_undo),
            "edit.redo": self._document.redo,
            "photo.previous": lambda: session.step(-1),
            "photo.next": lambda: session.step(1),
            "photo.suggested": session.suggest,
            "photo.suggested_back": session.back,
            "photo.next_edited": session.next_edited,
            "photo.last_touched": session.to_last_touched,
            "photo.empty": self._toggle_empty,
            "photo.exclude": self._toggle_excluded,
            "person.next": lambda: self._select_by(1),
            "person.previous": lambda: self._select_by(-1),
            "person.done": self.finish,
            "person.reject": self.reject,
            "person.reopen": lambda: self._set_state("in progress"),
            "person.remove": self._remove,
            "person.earlier": lambda: self._move_by(-1),
            "person.later": lambda: self._move_by(1),
            "review.mode": self._review,
            "review.next": lambda: session.go_on(reviewing=True),
            "review.accept": self.accept,
            "review.reject": ask_reason,
        }.items():
            actions.on(name, do)
        self._document.observe(self._changed)
        self._changed(Change.PHOTO)

    def finish(self) -> None:
        """The selected person is right: done, or accepted while reviewing; then on to the next."""
        person = self._document.selected_person
        if person is None:
            return
        if self.reviewing:
            self.accept()
        else:
            self._document.edit(SetState(person.id, "done"), lambda _: self._session.go_on())

    def accept(self) -> None:
        """The reviewer accepts the selected person, and goes on."""
        person = self._document.selected_person
        if person is not None:
            self._document.edit(Review(person.id, "accepted"), lambda _: self._session.go_on(reviewing=True))

    def reject(self) -> None:
        """The proposal is nobody: it is taken away; while reviewing: the reviewer says why it is wrong."""
        if self.reviewing:
            self._ask_reason()
            return
        person = self._document.selected_person
        if person is not None:
            self._document.edit(RemovePerson(person.id), lambda _: self._session.go_on())

    def _remove(self) -> None:
        if self._document.selected is not None:
            self._document.edit(RemovePerson(self._document.selected))

    def _set_state(self, state: str) -> None:
        if self._document.selected is not None:
            self._document.edit(SetState(self._document.selected, state))

    def _toggle_empty(self) -> None:
        photo = self._document.photo
        if photo is None:
            return
        if photo.people:
            self._session.said.emit(tr("Somebody is here; remove them first"))
            return
        step = (lambda _: self._session.step(1)) if not photo.is_empty else None
        self._document.edit(MarkEmpty(photo.id, not photo.is_empty), step)

    def _toggle_excluded(self) -> None:
        photo = self._document.photo
        if photo is not None:
            self._document.edit(Exclude(photo.id, not photo.is_excluded))

    def _select_by(self, by: int) -> None:
        here = [person.id for person in self._document.people]
        if here:
            at = here.index(self._document.selected) if self._document.selected in here else -by
            self._document.select(here[(at + by) % len(here)])

    def _move_by(self, by: int) -> None:
        """Exchange places with a neighbour; everybody gets the rank of their place, in one edit."""
        people = list(self._document.people)
        at = next((row for row, person in enumerate(people) if person.id == self._document.selected), -1)
        if at < 0 or not 0 <= at + by < len(people):
            return
        people[at], people[at + by] = people[at + by], people[at]
        ranks = [SetRank(person.id, row) for row, person in enumerate(people) if person.own.get("rank") != row]
        self._document.edit(Together("Reorder people", tuple(ranks)))

    def _review(self, is_on: bool) -> None:
        self.reviewing = is_on
        self._actions.set_text("person.done", tr("Accept, go on") if is_on else tr("Done, go on"))
        self._actions.set_text("person.reject", tr("Reject…") if is_on else tr("Not a person, go on"))

    def _changed(self, change: Change) -> None:
        document = self._document
        facts = {"project"}
        if document.photo is not None:
            facts.add("photo")
        if document.selected is not None:
            facts.add("person")
        if document.part is not None:
            facts.add("part")
        if not self._session.read_only:
            facts.add("writable")
        if document.undo_label:
            facts.add("undo")
        if document.redo_label:
            facts.add("redo")
        self._actions.set_facts(facts)
        if Change.HISTORY in change and document.photo is not None:
            self._actions.set_text(
                "photo.empty", tr("Somebody may be here") if document.photo.is_empty else tr("Nobody here")
            )
            self._actions.set_text(
                "photo.exclude",
                tr("Take this photo back in") if document.photo.is_excluded else tr("Leave this photo out"),
            )
