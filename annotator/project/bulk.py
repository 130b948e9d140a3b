"""Bulk work: what a run predicted for many people, as one revertible step that changes nothing a person set.

The rules, for each person a run has something to say about:

- what a person set (and what a file brought as labels) stays, to the digit;
- someone who is `done`, or whom the reviewer accepted, stays as they are: the prediction is stored beside, to look at;
- for all others the person is taken from the new prediction, and what a solver had set on top of the old one goes.

Predictions are stored as they come, some hundred in one transaction, so a run that is stopped or killed keeps what it
had done, and that much can be reverted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.project.draft import Draft
from annotator.project.errors import EditError
from annotator.project.fields import FROM, PERSON, PHOTO, source_of
from annotator.project.journal import DO
from annotator.project.predictions import Prediction, store_predictions, store_run
from cliff_core.records import Camera, Provenance

if TYPE_CHECKING:
    from annotator.project.store import Project

_PORTION = 500
_BODY_FIELDS = ("pose/", "betas/", "transl")
Stored = tuple[int, tuple[str, ...], Provenance]
"""Number of a stored prediction, its parts, and the kind of its run."""

_OF_MACHINES = (Provenance.MODEL, Provenance.FIT)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of a run's predictions.

    Attributes:
        step_id: what reverts all of it.
        added: new people.
        changed: people who are taken from the new prediction now.
        kept: people who are done or accepted, and stayed as they were.
        protected: people of whom some part is a person's or a file's, and stayed.
    """

    step_id: int
    added: int
    changed: int
    kept: int
    protected: int


@dataclass(frozen=True, slots=True)
class _Item:
    photo_id: int
    person_id: int | None
    uid: str | None
    predictions: tuple[Prediction, ...]
    own: Mapping[str, Any]


class Batch:
    """Bulk work while it goes on; made by `Project.batch`."""

    def __init__(self, project: Project, step_id: int, run_id: int, command: str, notes: dict[str, Any]):
        self._project = project
        self._step_id = step_id
        self._run = project.predictions.run(run_id)
        self._command = command
        self._notes = notes
        self._waiting: list[_Item] = []
        self._cameras: dict[int, Camera] = {}
        self._next: dict[int, int] = {}
        self._added = self._changed = self._kept = self._protected = 0

    @property
    def report(self) -> BatchReport:
        """What became of it so far; complete once the block has ended."""
        return BatchReport(self._step_id, self._added, self._changed, self._kept, self._protected)

    def add_person(
        self, photo_id: int, *predictions: Prediction, uid: str | None = None, own: Mapping[str, Any] | None = None
    ) -> None:
        """Someone whom the project does not know yet.

        Args:
            photo_id: the photo.
            predictions: what the batch's run says, or the run that a prediction names; of two with the same part the
                last one counts.
            uid: what names the person in every copy; given anew if left out.
            own: fields to set besides (`fields`).
        """
        self._append(_Item(photo_id, None, uid, predictions, own or {}))

    def apply(self, person_id: int, *predictions: Prediction) -> None:
        """Someone whom the project knows.

        Args:
            person_id: who.
            predictions: as of `add_person`.

        Raises:
            EditError: the project does not know them.
        """
        photo_id = self._project.database.value("SELECT photo_id FROM person WHERE id = ?", [person_id])
        if photo_id is None:
            raise EditError(f"the project has no person {person_id}")
        self._append(_Item(photo_id, person_id, None, predictions, {}))

    def set_camera(self, photo_id: int, camera: Camera) -> None:
        """A photo's camera as a model or a file knows it; one that a person set stays."""
        self._cameras[photo_id] = camera
        if len(self._cameras) >= _PORTION:
            self.commit()

    def commit(self, *, always: bool = False) -> None:
        """Write what waits; when this returns, it is on disk. `always`: a line of the journal even if nothing does."""
        items, cameras = self._waiting, self._cameras
        self._waiting, self._cameras = [], {}
        if not items and not cameras and not always:
            return
        project = self._project
        with project.database.transaction():
            following, stored = self._store(items)
            counts: list[int] = [0, 0, 0, 0]

            def fill(draft: Draft) -> None:
                for item, predictions in zip(items, stored, strict=True):
                    self._write(draft, item, predictions, counts)
                for photo_id, camera in cameras.items():
                    self._write_camera(draft, photo_id, camera)

            project.write(
                DO, self._command, self._step_id, fill, by_hand=False, always=True,
                detail={**self._notes, "predictions": len(items)},
            )  # fmt: skip
        self._next = following
        self._added += counts[0]
        self._changed += counts[1]
        self._kept += counts[2]
        self._protected += counts[3]

    def _append(self, item: _Item) -> None:
        self._waiting.append(item)
        if len(self._waiting) >= _PORTION:
            self.commit()

    def _store(self, items: Sequence[_Item]) -> tuple[dict[int, int], list[list[Stored]]]:
        """Write the predictions; returns the next number of each run, and for each item what was stored of it."""
        database, following = self._project.database, dict(self._next)
        of_run: dict[int, list[tuple[int, int, Prediction]]] = defaultdict(list)
        for place, item in enumerate(items):
            for prediction in item.predictions:
                run_id = store_run(database, prediction.run) if prediction.run is not None else self._run.id
                of_run[run_id].append((place, item.photo_id, prediction))
        stored: list[list[Stored]] = [[] for _ in items]
        for run_id, entries in of_run.items():
            if run_id not in following:
                last = "SELECT coalesce(max(number), -1) + 1 FROM prediction WHERE run_id = ?"
                following[run_id] = database.value(last, [run_id])
            photo_ids, predictions = [entry[1] for entry in entries], [entry[2] for entry in entries]
            numbers = store_predictions(database, run_id, following[run_id], photo_ids, predictions)
            following[run_id] += len(entries)
            kind = self._project.predictions.run(run_id).kind
            for (place, _, prediction), number in zip(entries, numbers, strict=True):
                stored[place].append((number, prediction.parts, kind))
        return following, stored

    def _write(self, draft: Draft, item: _Item, stored: Sequence[Stored], counts: list[int]) -> None:
        if item.person_id is None:
            person_id = draft.add_person(item.photo_id, item.uid)
            taken = [(FROM + part, number) for number, parts, _ in stored for part in parts]
            for field, value in [*taken, *item.own.items()]:
                draft.set(PERSON, person_id, field, value)
            counts[0] += 1
            return
        own = draft.own(PERSON, item.person_id)
        if (
            not own.get("present")
            or own.get("state") == "done"
            or (own.get("review") or {}).get("verdict") == "accepted"
        ):
            counts[2] += 1
            return
        protected = False
        for number, parts, kind in stored:
            for part in parts:
                if part != "body" and kind is not Provenance.IMPORTED and self._is_label(own.get(FROM + part)):
                    protected = True
                else:
                    draft.set(PERSON, item.person_id, FROM + part, number)
        has_body = any("body" in parts for _, parts, _ in stored)
        for field, value in own.items():
            source = source_of(value)
            if source is not None and source not in _OF_MACHINES:
                protected = True
            elif has_body and field.startswith(_BODY_FIELDS):
                draft.set(PERSON, item.person_id, field, None)
        counts[1] += 1
        counts[3] += protected

    def _write_camera(self, draft: Draft, photo_id: int, camera: Camera) -> None:
        source = source_of(draft.get(PHOTO, photo_id, "camera"))
        if source is Provenance.HUMAN or (source is Provenance.IMPORTED and self._run.kind is not Provenance.IMPORTED):
            return
        centre = camera.principal_point_px or (None, None)
        draft.set(PHOTO, photo_id, "camera", [camera.focal_length_px, *centre, self._run.kind.value])

    def _is_label(self, prediction_id: int | None) -> bool:
        """Whether a part is taken from a file's labels, which no model replaces."""
        if prediction_id is None:
            return False
        kind = self._project.database.value(
            "SELECT kind FROM run JOIN prediction ON run.id = run_id WHERE prediction.id = ?", [prediction_id]
        )
        return kind == Provenance.IMPORTED.value
