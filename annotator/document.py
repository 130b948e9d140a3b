"""The open photo: one canonical state in memory, which views show and never change themselves.

What is on disk is the truth. A view writes by giving a command to `Document.edit`; it is written in the order asked,
off the window's thread, and the state that comes back replaces the one here. What a hand is just moving is shown on
top of it as `Live`, until what the hand did is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import Any, Protocol, TypeVar

from annotator.project import Edited, Project, RemovedPersonError
from annotator.project.draft import Command
from annotator.project.journal import HAND, Step
from annotator.project.state import Comment, Person, Photo
from cliff_core.records import Box, Keypoints, SmplParams

T = TypeVar("T")


class Change(Flag):
    """What is different from before; views look again at what concerns them."""

    PHOTO = auto()
    """Another photo is open, or none."""
    PEOPLE = auto()
    """Somebody on it changed, came or went."""
    SELECTION = auto()
    """Another person, point or joint is selected."""
    LIVE = auto()
    """A hand is moving something."""
    COMMENTS = auto()
    """Comments on it changed."""
    HISTORY = auto()
    """What undo and redo would do changed."""


class PartKind(Enum):
    """What a handle stands for."""

    POINT = "point"
    JOINT = "joint"


@dataclass(frozen=True, slots=True)
class Part:
    """A 2D point or an SMPL joint of the selected person.

    Attributes:
        kind: which of the two.
        name: of the point in the person's joint set, or of the joint in SMPL's.
    """

    kind: PartKind
    name: str


@dataclass(frozen=True, slots=True)
class Live:
    """What a hand shows of a person before it is written; `None` where it is as written.

    Attributes:
        params: the body.
        keypoints: the 2D points.
        box: the box.
    """

    params: SmplParams | None = None
    keypoints: Keypoints | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A photo and all that is on it, as it was read at one moment.

    Attributes:
        photo: the photo.
        people: on it, in their order.
        comments: on it, oldest first.
        undo_label, redo_label: what undo and redo would take back and do again; empty where there is nothing.
    """

    photo: Photo
    people: tuple[Person, ...]
    comments: tuple[Comment, ...]
    undo_label: str
    redo_label: str

    @classmethod
    def read(cls, project: Project, photo_id: int) -> Snapshot:
        """Read it."""
        undo, redo = project.journal.to_undo(), project.journal.to_redo()
        return cls(
            project.photo(photo_id),
            tuple(project.people_on(photo_id)),
            tuple(project.comments_on(photo_id)),
            "" if undo is None else undo.label,
            "" if redo is None else redo.label,
        )


def people_of(command: Command) -> frozenset[int]:
    """Numbers of the people whom a command is about."""
    parts = getattr(command, "commands", None)  # several edits as one
    if parts is not None:
        return frozenset().union(*map(people_of, parts))
    person = getattr(command, "person", None)
    return frozenset() if person is None else frozenset({person})


class ProjectRunner(Protocol):
    """Runs work on the project in the order asked, and hands its result back where the document lives."""

    def __call__(
        self,
        work: Callable[[Project], T],
        then: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Do it some time; `failed` gets what was raised."""


class Document:
    """The open photo of a project.

    Attributes:
        photo: the open photo; `None` before one is open.
        people: on it, in their order.
        comments: on it.
        selected: number of the selected person.
        part: the selected point or joint of theirs.
        live: number of a person -> what a hand is moving of them.
        undo_label, redo_label: for menus.
        pending: edits that are on their way to the disk.
        written_on: numbers of the photos that the latest edit or undo was on.
        edited_step: the step of the latest edit; `None` after undo and redo.
    """

    def __init__(self, run: ProjectRunner):
        self._run = run
        self._observers: list[Callable[[Change], None]] = []
        self._wanted: int | None = None
        self.photo: Photo | None = None
        self.people: tuple[Person, ...] = ()
        self.comments: tuple[Comment, ...] = ()
        self.selected: int | None = None
        self.part: Part | None = None
        self.live: dict[int, Live] = {}
        self.undo_label = self.redo_label = ""
        self.pending = 0
        self.written_on: frozenset[int] = frozenset()
        self.edited_step: int | None = None

    def observe(self, callback: Callable[[Change], None]) -> None:
        """Be told of changes, after they are made; an observer never writes while it is being told."""
        self._observers.append(callback)

    def person(self, person_id: int | None) -> Person | None:
        """Somebody on the photo by number."""
        return next((person for person in self.people if person.id == person_id), None)

    @property
    def selected_person(self) -> Person | None:
        """Who is selected."""
        return self.person(self.selected)

    # --- reading

    def open_photo(self, photo_id: int, select: int | None = None) -> None:
        """Show another photo; somebody on it can be selected at once."""
        self._wanted = photo_id

        def arrived(snapshot: Snapshot) -> None:
            if self._wanted == photo_id:
                self._take(snapshot, select)

        self._run(lambda project: Snapshot.read(project, photo_id), arrived)

    def reload(self) -> None:
        """Read the open photo again: somebody else wrote, such as a job."""
        if self.photo is not None:
            self.open_photo(self.photo.id)

    # --- writing

    def edit(self, command: Command, then: Callable[[Edited], None] | None = None) -> None:
        """Write an edit, of other photos too; the open one stays open.

        What a hand showed of the people stays on the screen until it is written. An edit of somebody alone whom an edit
        before it removes, which the screen did not show yet, is nothing.
        """
        self._write(lambda project: project.edit(command), then, is_edit=True, about=people_of(command))

    def amend(self, step_id: int, command: Command) -> None:
        """Add to the latest edit what follows from it, as one step; nothing if a hand has done something else since."""
        self._write(lambda project: project.edit(command, onto=step_id), is_edit=True, about=people_of(command))

    def undo(self, ask: Callable[[Step], None] | None = None) -> None:
        """Take the latest step back, and show the photo that it was on.

        Args:
            ask: gets a bulk run or a merge on several photos, which is not taken back then.
        """
        asked: list[Step] = []

        def take_back(project: Project) -> Edited:
            step = project.journal.to_undo()
            if ask is None or step is None or step.kind == HAND or not project.journal.is_wide(step.id):
                return project.undo()
            asked.append(step)
            return Edited(None)

        def tell(_: Edited) -> None:
            if ask is not None and asked:
                ask(asked[0])

        self._write(take_back, tell)

    def redo(self) -> None:
        """Do the undone step again, and show the photo that it is on."""
        self._write(lambda project: project.redo())

    def revert(self, step_id: int) -> None:
        """Take any step back, however old."""
        self._write(lambda project: project.revert(step_id))

    def reapply(self, step_id: int) -> None:
        """Do any undone step again."""
        self._write(lambda project: project.reapply(step_id))

    def _write(
        self,
        work: Callable[[Project], Edited],
        then: Callable[[Edited], None] | None = None,
        *,
        is_edit: bool = False,
        about: frozenset[int] = frozenset(),
    ) -> None:
        photo_id = None if self.photo is None else self.photo.id
        shown = dict(self.live)

        def write(project: Project) -> tuple[Edited, Snapshot | None]:
            edited = work(project)
            photos = edited.photos
            target = photo_id if is_edit or photo_id in photos or not photos else min(photos)
            return edited, None if target is None else Snapshot.read(project, target)

        def written(result: tuple[Edited, Snapshot | None]) -> None:
            edited, snapshot = result
            self.pending -= 1
            self.written_on = edited.photos
            self.edited_step = edited.step.id if is_edit and edited.step is not None else None
            self._drop(shown)
            if snapshot is not None and self._wanted == photo_id:
                self._wanted = snapshot.photo.id
                self._take(snapshot, None)
            else:  # somebody who turned a page meanwhile is not pulled back, but told that it is written
                if snapshot is not None:
                    self.undo_label, self.redo_label = snapshot.undo_label, snapshot.redo_label
                self._tell(Change.PEOPLE | Change.HISTORY)
            if then is not None:
                then(edited)

        def failed(error: Exception) -> None:
            self.pending -= 1
            self._drop(shown)
            self._tell(Change.LIVE | Change.PEOPLE | Change.HISTORY)
            self.reload()
            if not (isinstance(error, RemovedPersonError) and about == {error.person}):
                raise error  # to whoever shows problems

        self.pending += 1
        self._tell(Change.HISTORY)
        self._run(write, written, failed)

    # --- what is on the screen only

    def select(self, person_id: int | None, part: Part | None = None) -> None:
        """Select somebody on the photo, and perhaps a part of them."""
        if (person_id, part) != (self.selected, self.part):
            self.selected, self.part = person_id, part
            self._tell(Change.SELECTION)

    def show_live(self, person_id: int, live: Live | None) -> None:
        """Show what a hand is moving; `None` to let go of it without an edit."""
        if live is None:
            self.live.pop(person_id, None)
        else:
            self.live[person_id] = live
        self._tell(Change.LIVE)

    def _drop(self, shown: Mapping[int, Live]) -> None:
        """Forget what was shown of an edit that is over; a newer movement stays."""
        for person_id, live in shown.items():
            if self.live.get(person_id) is live:
                del self.live[person_id]

    def _take(self, snapshot: Snapshot, select: int | None) -> None:
        turned = self.photo is None or self.photo.id != snapshot.photo.id
        before: tuple[Any, ...] = (self.people, self.comments, self.selected)
        self.photo, self.people, self.comments = snapshot.photo, snapshot.people, snapshot.comments
        self.undo_label, self.redo_label = snapshot.undo_label, snapshot.redo_label
        change = Change.PEOPLE | Change.HISTORY
        if turned:
            self.live.clear()
            self.part = None
            change |= Change.PHOTO
        here = [person.id for person in self.people]
        came = [number for number in here if number not in {person.id for person in before[0]}]
        if select in here:
            self.selected = select
        elif not turned and len(came) == 1:
            self.selected = came[0]  # whoever was just added is worked on next
        elif self.selected not in here:
            self.selected = here[0] if here else None
        if self.selected != before[2] or turned:
            self.part = None
            change |= Change.SELECTION
        if turned or self.comments != before[1]:
            change |= Change.COMMENTS
        self._tell(change)

    def _tell(self, change: Change) -> None:
        for callback in self._observers:
            callback(change)
