"""An open project in the window: where the person is, what the list shows, and where to go next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from annotator.document import Change, Document
from annotator.project import Project, open_project, queries
from annotator.project.queries import Counts, Show, View
from annotator.project.state import Person
from annotator.qt.background import Background
from annotator.qt.browsing import Browsing
from annotator.qt.desk import Desk
from annotator.qt.settings import Recent, Settings
from annotator.qt.strings import tr
from annotator.qt.thumbnails import thumbnail_path
from annotator.worklist import INSIDE, Advice, Entry, advice, next_people, own_share

T = TypeVar("T")

_WORST_LISTED, _PORTION = 20_000, 500
_ADVISE_MS, _ADVISE_SHARE = 3000, 20  # of rest; and times as long as it took, a second in a large project


class Session(QObject):
    """Joins document, desk and list; its methods are what the keys do.

    Signals:
        listed: the numbers of the photos in the list are there (`ids`).
        counted: how far the work is (`counts`).
        touched: numbers of photos that changed; a set, or `None` for all.
        said: a short sentence about what was done, for the status bar.
        advised: what pays off next (`worklist.Advice`).
        went_on: somebody else is to be worked on now; the keys are about them, and no more about a list or a field.

    Args:
        project: open; the session closes it.
        settings: where the place in the project is remembered.
    """

    listed = Signal()
    counted = Signal()
    touched = Signal(object)
    said = Signal(str)
    advised = Signal(object)
    went_on = Signal()

    def __init__(self, project: Project, settings: Settings, parent: QObject | None = None):
        super().__init__(parent)
        self.settings = settings
        self.folder = project.folder
        self.held_by = project.held_by
        self.notices = list(project.notices)
        self.joint_set = project.setting("joint_set", "coco17")
        self.name = project.setting("name") or project.folder.name
        self.desk = Desk(project, self)
        self._beside = Background(self)
        self.document = Document(self.desk.project)
        self.browsing = Browsing.of_place(self.place)
        self.ids: list[int] = []
        self.rows: dict[int, int] = {}
        self.counts: Counts | None = None
        self.last_touched: int | None = None
        self._listing = 0
        self._counting = False
        self._trail: list[int] = []
        self._advising = QTimer(self, singleShot=True, interval=_ADVISE_MS)
        self._advising.timeout.connect(self.advise)
        self._heading: int | None = None
        self._passed: list[int] = []
        self.document.observe(self._changed)

    @property
    def read_only(self) -> bool:
        """Whether edits are refused."""
        return self.desk.read_only

    @property
    def place(self) -> dict[str, Any]:
        """Where the person was in this project when it was last open."""
        return dict(self.settings.get("places", {}).get(str(self.folder.resolve()), {}))

    def begin(self) -> None:
        """Read the list and the counts, and go where the person was."""
        name = self.place.get("photo", "")

        def found(photo_id: int | None) -> None:
            if photo_id is not None and self.document.photo is None:
                self.document.open_photo(photo_id)
            self.browse(self.browsing, open_first=photo_id is None)
            self.count()

        def look(project: Project) -> int | None:
            photo = project.photo_named(name) if name else None
            if photo is None:
                photo = next(iter(queries.photo_page(project.database, self.browsing.view, limit=1)), None)
            return None if photo is None else photo.id

        self.desk.project(look, found)

    def close(self) -> None:
        """Remember the place, and close the project. Waits for the disk."""
        self._advising.stop()
        self._beside.close()
        self.remember()
        self.desk.close()

    def remember(self) -> None:
        """Note the place in the project, for the next time."""
        places = dict(self.settings.get("places", {}))
        photo = self.document.photo
        places[str(self.folder.resolve())] = {
            "photo": "" if photo is None else photo.name,
            "show": self.browsing.view.show.value,
            "worst_first": self.browsing.worst_first,
            "criterion": self.browsing.criterion,
        }
        self.settings.set("places", dict(list(places.items())[-50:]))
        counts = self.counts
        known = next((each for each in self.settings.recent if each.folder == str(self.folder.resolve())), None)
        picture = "" if known is None else known.picture
        if photo is not None:
            picture = str(thumbnail_path(self.folder.resolve(), photo.sha256))
        numbers = (0, 0, 0) if counts is None else (counts.photos, counts.people, counts.done)
        self.settings.remember_project(
            Recent(str(self.folder.resolve()), self.name, time.time(), *numbers, picture=picture)
        )

    # --- the list

    def browse(self, browsing: Browsing, *, open_first: bool = False) -> None:
        """Show other photos in the list, or the same ones anew."""
        self.browsing = browsing
        self._listing += 1
        asked = self._listing

        def read(project: Project) -> list[int]:
            if browsing.worst_first:
                above = 0.0 if browsing.criterion == INSIDE else float("-inf")  # most bodies are nowhere inside
                rows = queries.worst_first(project.database, browsing.criterion, above=above, limit=_WORST_LISTED)
                ids = list(dict.fromkeys(photo for _, _, photo in rows))
                if browsing.view != View():
                    shown = set(queries.photo_ids(project.database, browsing.view))
                    ids = [number for number in ids if number in shown]
                return ids
            return queries.photo_ids(project.database, browsing.view)

        def arrived(ids: list[int]) -> None:
            if asked != self._listing:  # another filter was chosen meanwhile
                return
            self.ids = ids
            self.rows = {number: row for row, number in enumerate(ids)}
            self.listed.emit()
            if open_first and ids and self.document.photo is None:
                self.document.open_photo(ids[0])

        self._beside.run(lambda: self._read_beside(read), arrived)

    def _read_beside(self, work: Callable[[Project], T]) -> T:
        """What takes a moment in a large project is read through a door of its own, and holds up no edit."""
        with open_project(self.folder, read_only=True) as project:
            return work(project)

    def show(self, show: Show) -> None:
        """Choose a filter."""
        self.browse(replace(self.browsing, view=replace(self.browsing.view, show=show)))

    def search(self, letters: str) -> None:
        """Only photos whose name has these letters."""
        self.browse(replace(self.browsing, view=replace(self.browsing.view, containing=letters)))

    def sort(self, worst_first: bool, criterion: str | None = None) -> None:
        """By a measure of `browsing.CRITERIA`, the last one if not given, or by name."""
        criterion = criterion or self.browsing.criterion
        self.browse(replace(self.browsing, worst_first=worst_first, criterion=criterion))

    def count(self) -> None:
        """Count how far the work is; quick, and asked at most once at a time."""
        if self._counting:
            return
        self._counting = True

        def arrived(counts: Counts) -> None:
            self._counting = False
            self.counts = counts
            self.counted.emit()
            if not self._advising.isActive():  # a job may bring news without a rest
                self._advising.start()

        def failed(error: Exception) -> None:
            self._counting = False
            raise error  # to whoever shows problems

        self.desk.project(lambda project: queries.progress_of(project.database), arrived, failed)

    def look_again(self) -> None:
        """Somebody else wrote, such as a job: list, counts and the open photo are read anew."""
        self.browse(self.browsing, open_first=True)
        self.count()
        self.touched.emit(None)
        self.document.reload()

    def changed_by_others(self, photos: frozenset[int]) -> None:
        """A job's results came in for some photos; the person is not moved."""
        self.count()
        self.touched.emit(set(photos))
        if self.document.photo is not None and self.document.photo.id in photos:
            self.document.reload()
        if self.browsing != Browsing():
            self.browse(self.browsing)

    def jump(self, step_id: int) -> None:
        """To the state right after a step: later ones are undone, or undone ones up to it done again."""

        def flip(project: Project) -> int:
            flipped = 0
            while (step := project.journal.to_undo()) is not None and step.id > step_id:
                project.undo()
                flipped += 1
            while (step := project.journal.to_redo()) is not None and step.id <= step_id:
                project.redo()
                flipped += 1
            return flipped

        def done(flipped: int) -> None:
            self.said.emit(tr("{count} steps", count=flipped))
            self.look_again()

        self.desk.project(flip, done)

    # --- where to go

    @property
    def row(self) -> int:
        """The place of the open photo in the list; -1 where it is not in it."""
        photo = self.document.photo
        return -1 if photo is None else self.rows.get(photo.id, -1)

    @property
    def _row_ahead(self) -> int:
        """Of the photo that is on its way, or open: two quick presses are two steps."""
        return self.row if self._heading is None else self.rows.get(self._heading, -1)

    def go(self, photo_id: int, person: int | None = None) -> None:
        """Open a photo."""
        photo = self.document.photo
        if photo is not None and photo.id != photo_id:
            self._trail = [*self._trail[-99:], photo.id]
        self._heading = photo_id
        self.document.open_photo(photo_id, person)

    def step(self, by: int) -> None:
        """To the next or previous photo of the list; from a photo outside of it, to its neighbour by name."""
        photo = self.document.photo
        if self._row_ahead >= 0:
            row = self._row_ahead + by
            if 0 <= row < len(self.ids):
                self.go(self.ids[row])
            else:
                self.said.emit(
                    tr("This is the last photo of the list") if by > 0 else tr("This is the first photo of the list")
                )
        elif photo is not None:
            self._go_to_neighbour(self.browsing.view, photo.name, backwards=by < 0)

    def back(self) -> None:
        """To the photo that was open before."""
        self.went_on.emit()
        if self._trail:
            self.document.open_photo(self._trail.pop())

    def next_edited(self) -> None:
        """To the next photo on which a person set something."""
        if self.document.photo is not None:
            self._go_to_neighbour(View(Show.EDITED), self.document.photo.name)

    def to_last_touched(self) -> None:
        """To where the latest edit was, of this session or, before the first, of the one before."""

        def look(project: Project) -> int | None:
            row = project.database.row(
                "SELECT person.photo_id FROM change JOIN person ON person.id = subject WHERE change.kind = 'person' "
                "AND change.step_id IS NOT NULL ORDER BY seq DESC LIMIT 1"
            )
            return None if row is None else row[0]

        if self.last_touched is not None:
            self.go(self.last_touched)
        else:
            self.desk.project(look, lambda found: self._go_or_say(found, None, tr("Nothing was edited yet")))

    def suggest(self) -> None:
        """To whoever a look is worth most, and say why; those who were passed over wait for the next round.

        Where photos are assigned to whoever sits here, only on those.
        """
        self.went_on.emit()
        here = self.document.selected
        if here is not None:
            self._passed.append(here)
        passed = tuple(self._passed)

        def look(project: Project) -> Entry | None:
            theirs = own_share(project)
            found = next_people(project, 1, skip=passed, annotator=theirs)
            if not found and len(passed) > 1:
                found = next_people(project, 1, skip=passed[-1:], annotator=theirs)
            return found[0] if found else None

        def arrived(entry: Entry | None) -> None:
            if entry is None:
                self.said.emit(tr("Everybody is done"))
                return
            if entry.person_id in passed:  # once around
                self._passed = [entry.person_id]
            self.said.emit(tr(entry.why))
            self.go(entry.photo_id, entry.person_id)

        self.desk.project(look, arrived)

    def advise(self) -> None:
        """Ask whether labelling, refining or accepting pays off now; answered by `advised`."""
        began = time.monotonic()

        def arrived(found: Advice) -> None:
            self._advising.setInterval(max(_ADVISE_MS, round(_ADVISE_SHARE * 1000 * (time.monotonic() - began))))
            self.advised.emit(found)

        self._beside.run(lambda: self._read_beside(advice), arrived)

    def go_on(self, *, reviewing: bool = False) -> None:
        """After somebody is finished: the next unfinished person here, else the next photo of the list with one."""
        self.went_on.emit()

        def is_left(person: Person) -> bool:
            return (person.state == "done" and not person.verdict) if reviewing else person.state != "done"

        here = [person.id for person in self.document.people]
        left = [person.id for person in self.document.people if is_left(person)]
        selected = self.document.selected
        if left:
            at = here.index(selected) if selected in here else -1
            self.document.select(next((number for number in left if here.index(number) > at), left[0]))
            return
        row, ids = self.row, self.ids
        condition = "state = 'done' AND verdict = ''" if reviewing else "state <> 'done'"

        def look(project: Project) -> tuple[int, int] | None:
            further = [*ids[row + 1 :], *ids[: max(row, 0)]]
            for start in range(0, len(further), _PORTION):
                portion = further[start : start + _PORTION]
                marks = ", ".join("?" * len(portion))
                found = dict(
                    project.database.rows(
                        "SELECT photo_id, min(id) FROM person "
                        f"WHERE photo_id IN ({marks}) AND present AND {condition} GROUP BY photo_id",
                        portion,
                    )
                )
                for photo_id in portion:
                    if photo_id in found:
                        return photo_id, found[photo_id]
            return None

        def arrived(found: tuple[int, int] | None) -> None:
            number, person = found if found is not None else (None, None)
            self._go_or_say(number, person, tr("Everybody in this list is finished"))

        self.desk.project(look, arrived)

    def _go_to_neighbour(self, view: View, name: str, *, backwards: bool = False) -> None:
        def look(project: Project) -> int | None:
            found = queries.neighbour(project.database, view, name, backwards=backwards)
            return None if found is None else found.id

        self.desk.project(look, lambda found: self._go_or_say(found, None, tr("There is none further on")))

    def _go_or_say(self, photo_id: int | None, person: int | None, otherwise: str) -> None:
        if photo_id is None:
            self.said.emit(otherwise)
        else:
            self.go(photo_id, person)

    def _changed(self, change: Change) -> None:
        photo = self.document.photo
        if self._advising.isActive():
            self._advising.start()
        if photo is not None and photo.id == self._heading:
            self._heading = None
        if Change.PEOPLE in change and photo is not None:
            written = self.document.written_on
            if Change.PHOTO not in change:
                self.last_touched = photo.id if photo.id in written else min(written, default=photo.id)
                self.count()
            self.touched.emit({photo.id, *written})
