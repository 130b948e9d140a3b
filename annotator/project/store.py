"""A project that is open: every edit is on disk when the call returns, and can be taken back at any later time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.console import Progress
from annotator.project.backups import Backup, make_backup
from annotator.project.bulk import Batch
from annotator.project.database import Database
from annotator.project.draft import Command, Draft
from annotator.project.errors import EditError, ProjectError, ReadOnlyProjectError
from annotator.project.journal import BULK, DO, HAND, NOTE, REDO, UNDO, Entry, Step, Subject
from annotator.project.lock import Holder, WriterLock, this_user
from annotator.project.mirror import MirrorReport, MirrorThread, write_mirror
from annotator.project.photos import AddedPhotos, Relinked, add_photos, photo_files, relink
from annotator.project.predictions import Run, store_run
from annotator.project.reader import Reader


def silent(done: int, total: int, text: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit changed; who shows any of it must look again.

    Attributes:
        step: what undo would take back; `None` if nothing changed.
        subjects: what was changed.
        photos: numbers of the photos that these are on.
        kept: fields that an undo or redo left alone because somebody set them later.
    """

    step: Step | None
    subjects: tuple[Subject, ...] = ()
    photos: frozenset[int] = frozenset()
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A field that an undo left alone: what was set later counts.

    Attributes:
        subject: whose.
        field: which.
        by: the later step that set it.
    """

    subject: Subject
    field: str
    by: Step


class Project(Reader):
    """Reads a project and writes it, if nobody else does; made by `open_project` and `create_project`.

    Any thread may call any method. `edit`, `undo` and `redo` wait for the disk, a few milliseconds.

    Attributes:
        folder: of the project.
        read_only: whether every edit is refused.
        held_by: who has it open for writing, if that is why it is read-only.
        who: written into the journal with every edit.
        notices: sentences for the person, as they come up (a network folder, a crash repaired, a backup that failed).
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        *,
        lock: WriterLock | None,
        held_by: Holder | None,
        who: str,
        notices: list[str],
    ):
        super().__init__(database)
        self.folder = folder
        self.read_only = lock is None
        self.held_by = held_by
        self.who = who or this_user()
        self.notices = notices
        self._lock = lock
        self._open_step: int | None = None
        self._helpers: list[threading.Thread] = []
        self._mirror = None if self.read_only else MirrorThread(database, folder, self._notice)
        self._edited()  # what an earlier session left owing

    def __enter__(self) -> Project:
        """The project itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the session: the mirror is brought up to date, the log goes into the file, the lock is given back."""
        if self._mirror is not None:
            self._mirror.stop()
            self._mirror = None
            self.wait_for_backup()
            try:
                self.write_mirror()
                self.database.checkpoint(cut=True)
                self.database.rest()
            except (ProjectError, OSError) as error:  # everything is in the database; whoever opens it next repeats it
                self._notice(f"the mirror is behind: {error}")
        self.database.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # --- edits

    def edit(self, command: Command, onto: int | None = None) -> Edited:
        """Do one edit; when this returns, it is on disk.

        Inside `step` it belongs to that step, otherwise it is one of its own.

        Args:
            command: the edit.
            onto: number of the step to which it belongs, where a program adds to what a hand has done; nothing is
                done if that is no longer what undo would take back.

        Raises:
            EditError: it makes no sense; nothing was changed.
            ReadOnlyProjectError, StorageError: it could not be written; nothing was changed.
        """
        with self.writing():
            step_id = self._open_step
            if onto is not None:
                latest = self.journal.to_undo()
                if step_id is not None or latest is None or latest.id != onto or latest.kind != HAND:
                    return Edited(None)
                step_id = onto
            if step_id is None:
                step_id = self.journal.begin_step(HAND, command.label, self.who, is_open=False)
            draft = self.write(DO, command.name, step_id, command.write, by_hand=True)
            if not draft.subjects and self._open_step is None:
                self.journal.close_step(step_id)  # takes it away, if nothing else is in it
                return Edited(None)
            step = self.journal.step(step_id)
        self._edited()
        return Edited(step, tuple(draft.subjects), frozenset(draft.photos))

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        """Edits inside are one step of undo: a drag, a pose pasted on five people. Each is on disk when it returns."""
        with self.database.lock:
            if self._open_step is not None:
                raise EditError("a step is open already; steps are not nested")
            with self.writing():
                self._open_step = self.journal.begin_step(HAND, label, self.who, is_open=True)
        try:
            yield
        finally:
            with self.database.lock:
                step_id, self._open_step = self._open_step, None
                assert step_id is not None
                with self.writing():
                    self.journal.close_step(step_id)

    @contextmanager
    def batch(
        self,
        label: str,
        run: Run,
        *,
        command: str = "Apply",
        notes: Mapping[str, Any] | None = None,
        extend: int | None = None,
    ) -> Iterator[Batch]:
        """Bulk work as one revertible step; a backup is made before. Left by an error, what was done stays, as a step.

        Args:
            label: for menus and the history.
            run: where the predictions come from.
            command: what it is called in the journal.
            notes: what else the journal should say of it; plain JSON.
            extend: an earlier step of the same run that this belongs to, for work that comes in portions.

        Raises:
            EditError: the step to extend is not there, or is undone.
        """
        self._require_writable()
        if extend is None:
            self.backup("bulk")
        with self.writing():
            run_id = store_run(self.database, run)
            if extend is None:
                step_id = self.journal.begin_step(BULK, label, self.who, is_open=True, run_id=run_id)
            else:
                step_id = extend
                self.journal.open_step(step_id, run_id)
        batch = Batch(self, step_id, run_id, command, dict(notes or {}))
        try:
            yield batch
        finally:
            try:
                batch.commit()
            finally:
                with self.writing():
                    self.journal.close_step(step_id)
                self._edited()

    # --- undo

    def undo(self) -> Edited:
        """Take the latest step back; `Edited.step` is `None` if there is none."""
        with self.writing():
            step = self.journal.to_undo()
            return Edited(None) if step is None else self.revert(step.id)

    def redo(self) -> Edited:
        """Do the step again that was undone last; `Edited.step` is `None` if there is none, or an edit came since."""
        with self.writing():
            step = self.journal.to_redo()
            return Edited(None) if step is None else self.reapply(step.id)

    def revert(self, step_id: int) -> Edited:
        """Take any step back, however old. What was set after it stays, and is told in `Edited.kept`.

        Raises:
            EditError: no such step, one that is undone already, or one that still goes on.
        """
        return self._flip(step_id, UNDO)

    def reapply(self, step_id: int) -> Edited:
        """Do any undone step again. What was set after it stays, and is told in `Edited.kept`.

        Raises:
            EditError: no such step, or one that is not undone.
        """
        return self._flip(step_id, REDO)

    def _flip(self, step_id: int, action: str) -> Edited:
        done = action == REDO
        kept: list[Kept] = []
        with self.writing():
            if self._open_step is not None:
                raise EditError("an edit is still going on; finish it first")
            step = self.journal.step(step_id)
            if step is None or step.is_open or step.is_done == done:
                wrong = (
                    "is not there" if step is None else "still goes on" if step.is_open else f"is {action}ne already"
                )
                raise EditError(f"step {step_id} {wrong}")
            self.journal.mark(step_id, done=done)

            def follow(draft: Draft) -> None:
                for number, (subject, fields) in enumerate(self.journal.fields_of(step_id), 1):
                    presence = () if subject.kind == "photo" or "present" in fields else ("present",)
                    for field in (*fields, *presence):
                        value, by = self.journal.value_of(subject, field)
                        draft.set(subject.kind, subject.id, field, value)
                        if by is not None and by.id > step_id and field in fields:
                            kept.append(Kept(subject, field, by))
                    if number % 1000 == 0:
                        draft.flush()

            draft = self.write(action, action.capitalize(), step_id, follow, by_hand=step.kind != BULK, always=True)
            step = self.journal.step(step_id)
        self._edited()
        return Edited(step, tuple(draft.subjects), frozenset(draft.photos), tuple(kept))

    # --- housekeeping

    def set_setting(self, name: str, value: str) -> None:
        """Remember a text with the project; not part of undo."""
        with self.writing():
            self.database.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", [name, value])
            self.note("Setting", {"name": name})

    def set_measures(self, name: str, values: Mapping[int, float]) -> None:
        """Numbers to sort people by, by their number; replaces those of before. Not part of undo: they are computed."""
        with self.writing():
            self.database.execute_many(
                "INSERT OR REPLACE INTO measure (name, person_id, value) VALUES (?, ?, ?)",
                [(name, person_id, float(value)) for person_id, value in values.items()],
            )
            self.note("Measure", {"name": name, "people": len(values)})

    def add_photos(self, folder: Path, progress: Progress = silent) -> AddedPhotos:
        """Reference all pictures of a folder."""
        self._require_writable()
        return add_photos(self.database, self.folder, folder, self.who, progress)

    def relink(self, folder: Path, progress: Progress = silent) -> Relinked:
        """Look below a folder for photos that are not in their places."""
        self._require_writable()
        return relink(self.database, self.folder, folder, self.who, progress)

    def photo_file(self, photo_id: int) -> Path:
        """Where a photo lies; the file may be gone."""
        return photo_files(self.database, self.folder, [photo_id])[photo_id]

    def write_mirror(self, *, everything: bool = False, replace: bool = False) -> MirrorReport:
        """Bring the JSON mirror up to date now; `everything` also for photos that no hand touched."""
        return write_mirror(self.database, self, self.folder, everything=everything, replace=replace)

    def backup(self, reason: str) -> Backup | None:
        """Make a backup now, unless the newest one holds the same; a failure is a notice and no error."""
        try:
            return make_backup(self.folder, reason)
        except ProjectError as error:
            self._notice(f"no backup was made: {error}")
            return None

    def backup_beside(self, reason: str) -> None:
        """The same in a thread of its own."""
        helper = threading.Thread(target=self.backup, args=[reason], name="project-backup", daemon=True)
        self._helpers.append(helper)
        helper.start()

    def wait_for_backup(self) -> None:
        """Until backups that are being made are done; nobody has to wait for them."""
        for helper in self._helpers:
            helper.join()

    def note(self, command: str, detail: Mapping[str, Any]) -> None:
        """A line of the journal about what is no edit, inside a transaction."""
        Entry(self.database, NOTE, command, self.who, None, dict(detail)).finish()

    def write(
        self,
        action: str,
        command: str,
        step_id: int,
        fill: Callable[[Draft], None],
        *,
        by_hand: bool,
        always: bool = False,
        detail: Mapping[str, Any] | None = None,
    ) -> Draft:
        """One line of the journal with what `fill` sets in a draft, inside a transaction; for `edit` and `Batch`.

        Args:
            action, command, step_id: for the journal.
            fill: sets fields.
            by_hand: whether a person does it.
            always: write the line even where nothing changed.
            detail: for the journal.
        """
        entry = Entry(self.database, action, command, self.who, step_id, dict(detail or {}))
        draft = Draft(self, entry, by_hand=by_hand)
        fill(draft)
        draft.flush()
        if draft.subjects or always:
            entry.finish()
        return draft

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction for those who write lines of the journal themselves (`write`, `note`).

        Raises:
            ReadOnlyProjectError: the project is open for reading only.
        """
        self._require_writable()
        with self.database.transaction():
            yield

    def _require_writable(self) -> None:
        if self.read_only:
            why = f"{self.held_by} has it open" if self.held_by else "it was opened for reading only"
            raise ReadOnlyProjectError(f"{self.folder}: cannot be changed here, because {why}", self.held_by)

    def _edited(self) -> None:
        if self._mirror is not None:
            self._mirror.edited()

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)
