"""Copies of a project joined into one: what is new is taken, differences are decided or shown, nothing is lost.

Photos are matched by their content, people by what names them in every copy, and those who were proposed apart by where
they stand. Decisions are those of `deciding`. Everything is decided before anything is written; what is left undecided
is a list of conflicts, and then nothing is written unless the person says whose side counts. A merge is one step of
undo.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from annotator.console import Progress
from annotator.project.agreement import Agreement, Between, Pairs
from annotator.project.backups import make_backup
from annotator.project.copies import Copy, open_copy
from annotator.project.deciding import Tolerance
from annotator.project.documents import Document, document_of
from annotator.project.draft import Draft
from annotator.project.fields import FROM, PERSON, PHOTO
from annotator.project.journal import DO, MERGE
from annotator.project.photo_merge import Conflict, PhotoMerge
from annotator.project.rebuild import stored_prediction
from annotator.project.store import Project, silent
from cliff_core.body import Body

Prefer = Literal["mine", "theirs"]
ASSIGNMENT = "assignment"
"""Setting of a copy that was made for one annotator (`assigning`): their name."""

_PORTION = 100
_LISTED = 30


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What a merge did, or would do.

    Attributes:
        others: what was joined.
        written: whether anything was; false for a trial and for undecided conflicts.
        photos: how many have changes.
        people: how many were new.
        fields: how many values were taken over.
        conflicts: where two people differ.
        not_here: names of their photos that this project does not have; their work stays with them.
        refused: files that could not be read.
        agreement: between annotators, with each of the others.
        step: what takes the merge back.
    """

    others: list[str]
    written: bool
    photos: int
    people: int
    fields: int
    conflicts: list[Conflict]
    not_here: list[str]
    refused: list[str]
    agreement: list[Agreement] = field(default_factory=list)
    step: int | None = None

    def __str__(self) -> str:
        """What happened, where people differ, how well they agree."""
        did = "taken over" if self.written else "to take over"
        lines = [f"{did}: {self.fields} values on {self.photos} photos, {self.people} new people"]
        lines += [f"not in this project, and left where they are: {name}" for name in self.not_here[:_LISTED]]
        lines += [f"not read: {line}" for line in self.refused]
        if self.conflicts:
            lines.append(f"two people differ in {len(self.conflicts)} places:")
            lines += [f"  {conflict}" for conflict in self.conflicts[:_LISTED]]
            if len(self.conflicts) > _LISTED:
                lines.append(f"  and {len(self.conflicts) - _LISTED} more (--json lists all)")
            if not self.written:
                lines.append("nothing was written; decide with --prefer mine or --prefer theirs, or correct one copy")
        lines += [str(each) for each in self.agreement]
        return "\n".join(lines)


def merge_copies(
    project: Project,
    places: Sequence[Path],
    *,
    dry_run: bool = False,
    prefer: Prefer | None = None,
    tolerance: Tolerance | None = None,
    body: Body | None = None,
    progress: Progress = silent,
) -> MergeReport:
    """Join other copies into a project.

    Args:
        project: open for writing, unless it is a trial.
        places: project folders, or folders of mirror files; the project's own `annotations/` takes in what git brought.
        dry_run: decide and report, write nothing.
        prefer: whose value counts where two people differ; conflicts without it are reported and nothing is written.
        tolerance: within which two people mean the same.
        body: whose joints the agreement of bodies is measured at; the open body if not given.
        progress: told photo by photo.

    Raises:
        NotAProjectError: a place is neither.
        ProjectError: a copy cannot be read, or the project cannot be written.
    """
    tolerance = tolerance or Tolerance()
    with ExitStack() as stack:
        copies = [open_copy(project, place) for place in places]
        for each in copies:
            stack.callback(each.close)
        merger = _Merger(project, copies, tolerance, prefer, body)
        report = merger.survey(progress)
        if dry_run or (report.conflicts and prefer is None) or not report.photos:
            if not dry_run and not report.conflicts:
                merger.read()
            return report
        return merger.write(report, progress)


class _Merger:
    """Everything about one merge: surveyed once, then written."""

    def __init__(
        self, project: Project, copies: list[Copy], tolerance: Tolerance, prefer: Prefer | None, body: Body | None
    ):
        self._project = project
        self._copies = copies
        self._tolerance = tolerance
        self._prefer = prefer
        self._pairs = [Pairs(each.name, body) for each in copies]
        self._between = {
            (one, other): Pairs(copies[other].name, body, copies[one].name)
            for other in range(len(copies))
            for one in range(other)
        }
        self._theirs: list[dict[int, str]] = []  # for each copy: number of the photo here -> uid there
        self._not_here: list[str] = []
        self._match_photos()
        self._photos = sorted({number for photos in self._theirs for number in photos})

    def survey(self, progress: Progress) -> MergeReport:
        """Decide everything, write nothing."""
        photos = people = fields = 0
        conflicts: list[Conflict] = []
        for done, photo_id in enumerate(self._photos, 1):
            progress(done, len(self._photos), "comparing")
            merged = self._merge(photo_id, compare=True)
            conflicts += merged.conflicts
            changes = merged.changes()
            photos += bool(changes)
            people += len(merged.new_people())
            fields += len(changes)
        return MergeReport(
            [each.name for each in self._copies],
            False,
            photos,
            people,
            fields,
            conflicts,
            self._not_here,
            [line for each in self._copies for line in each.refused],
            [
                agreement
                for pairs in (*self._pairs, *self._between.values())
                if (agreement := pairs.agreement()) is not None
            ],
        )

    def write(self, report: MergeReport, progress: Progress) -> MergeReport:
        """Write what was decided, as one step of undo."""
        project = self._project
        make_backup(project.folder, "merge")
        label = f"Merge {', '.join(Path(each.name).name for each in self._copies)}"
        with project.writing():
            step_id = project.journal.begin_step(MERGE, label, project.who, is_open=True)
        detail = {"copies": [each.marks() for each in self._copies]}
        try:
            for start in range(0, len(self._photos), _PORTION):
                progress(start, len(self._photos), "merging")
                portion = [self._merge(photo_id) for photo_id in self._photos[start : start + _PORTION]]

                def fill(draft: Draft, portion: list[PhotoMerge] = portion) -> None:
                    for merged in portion:
                        self._write(draft, merged)

                with project.writing():
                    project.write(DO, "Merge", step_id, fill, by_hand=True, detail=detail)
        finally:
            with project.writing():
                project.journal.close_step(step_id)
        self.read()
        return replace(report, written=True, step=step_id)

    def read(self) -> None:
        """Note that the copies' content is here now."""
        for each in self._copies:
            each.read_by(self._project)

    def _match_photos(self) -> None:
        """By uid, which comes from the content, and of photos that are there twice by the content alone."""
        by_uid: dict[str, int] = {}
        by_content: dict[str, list[int]] = defaultdict(list)
        for number, uid, sha256 in self._project.database.rows("SELECT id, uid, sha256 FROM photo ORDER BY id"):
            by_uid[uid] = number
            by_content[sha256].append(number)
        is_part = bool(self._project.setting(ASSIGNMENT))
        for each in self._copies:
            theirs = each.photos()
            matched = {by_uid[photo.uid]: photo.uid for photo in theirs if photo.uid in by_uid}
            for photo in theirs:
                if photo.uid in by_uid:
                    continue
                free = [number for number in by_content[photo.sha256] if number not in matched]
                if free:
                    matched[free[0]] = photo.uid
                elif not is_part:  # a copy for one annotator has only some of the photos, on purpose
                    self._not_here.append(photo.name)
            self._theirs.append(matched)

    def _merge(self, photo_id: int, *, compare: bool = False) -> PhotoMerge:
        mine = document_of(self._project, photo_id)
        rows = self._project.database.rows("SELECT uid FROM person WHERE photo_id = ? AND NOT present", [photo_id])
        merged = PhotoMerge(photo_id, mine, {uid for (uid,) in rows}, self._tolerance, self._prefer)
        joined: list[tuple[int, Document, dict[str, str]]] = []
        for number, each in enumerate(self._copies):
            uid = self._theirs[number].get(photo_id)
            if uid is not None:
                theirs = each.document(uid)
                joined.append((number, theirs, merged.join(each, theirs)))
        if compare:
            self._compare(mine, joined)
        return merged

    def _compare(self, mine: Document, joined: list[tuple[int, Document, dict[str, str]]]) -> None:
        """Gather how well annotators agree: each copy with what is here, and the copies with each other."""
        for place, (number, theirs, matched) in enumerate(joined):
            self._pairs[number].add(mine.content, theirs.content, matched, self._copies[number])
            for other, before, matched_before in joined[:place]:
                there = {uid: their_uid for their_uid, uid in matched_before.items()}
                both = {their_uid: there[uid] for their_uid, uid in matched.items() if uid in there}
                between = Between(mine.content, self._copies[other], self._copies[number])
                self._between[other, number].add(before.content, theirs.content, both, between)

    def _write(self, draft: Draft, merged: PhotoMerge) -> None:
        photo_id = merged.photo_id
        ids: dict[tuple[str, str], int] = {}
        for kind, uid, name, value in merged.changes():
            if kind == PHOTO:
                draft.set(PHOTO, photo_id, name, value)
                continue
            if (kind, uid) not in ids:
                ids[kind, uid] = self._subject(draft, photo_id, kind, uid)
            number = ids[kind, uid]
            if name.startswith(FROM) and value is not None:
                value = self._number(photo_id, value, merged.origin(value), merged.predictions[value])
            draft.set(kind, number, name, value)

    def _subject(self, draft: Draft, photo_id: int, kind: str, uid: str) -> int:
        """Number of a person or comment of a photo, new unless it was ever there."""
        database = self._project.database
        row = database.row(f"SELECT id, photo_id FROM {kind} WHERE uid = ?", [uid])
        if row is not None and row[1] == photo_id:
            return row[0]
        # the uid of somebody on another photo: a file that was copied by hand
        free = uid if row is None else None
        return draft.add_person(photo_id, free) if kind == PERSON else draft.add_comment(photo_id, free)

    def _number(self, photo_id: int, name: str, origin: Copy | None, block: Mapping[str, Any]) -> int:
        """Number in the project of a prediction by its name, stored unless it is there."""
        database = self._project.database
        run, _, place = name.partition("/")
        found = database.value(
            "SELECT prediction.id FROM prediction JOIN run ON run.id = run_id WHERE run.uid = ? AND number = ?",
            [run, int(place)],
        )
        if found is not None:
            return found
        assert origin is not None
        prediction, number = origin.prediction(name, copy.deepcopy(block))
        return stored_prediction(database, photo_id, prediction, number)
