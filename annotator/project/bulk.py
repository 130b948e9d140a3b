"""Bulk work: what a run predicted for many people, as one revertible step that changes nothing a person set.

The rules, for each person a run has something to say about:

- what a person set (and what a file brought as labels) stays, to the digit;
- someone who is `done`, or whom the reviewer accepted, stays as they are: the prediction is stored beside, to look at;
- for all others the person is taken from the new prediction, and what a solver had set on top of the old one goes.

Predictions are stored as they come, some hundred in one transaction, so a run that is stopped or killed keeps what it
had done, and that much can be reverted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.project.draft import Draft
from annotator.project.errors import EditError
from annotator.project.fields import FROM, PERSON, PHOTO, source_of
from annotator.project.journal import DO
from annotator.project.predictions import Prediction, store_predictions
from cliff_core.records import Camera, Provenance

if TYPE_CHECKING:
    from annotator.project.store import Project

_PORTION = 500
_BODY_FIELDS = ("pose/", "betas/", "transl")
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
    prediction: Prediction
    own: Mapping[str, Any]


class Batch:
    """Bulk work while it goes on; made by `Project.batch`."""

    def __init__(self, project: Project, step_id: int, run_id: int, command: str, notes: dict[str, Any]):
        self._project = project
        self._step_id = step_id
        self._run_id = run_id
        self._kind = project.predictions.run(run_id).kind
        self._command = command
        self._notes = notes
        self._waiting: list[_Item] = []
        self._cameras: dict[int, Camera] = {}
        first = "SELECT coalesce(max(number), -1) + 1 FROM prediction WHERE run_id = ?"
        self._next = project.database.value(first, [run_id])
        self._added = self._changed = self._kept = self._protected = 0

    @property
    def report(self) -> BatchReport:
        """What became of it so far; complete once the block has ended."""
        return BatchReport(self._step_id, self._added, self._changed, self._kept, self._protected)

    def add_person(
        self, photo_id: int, prediction: Prediction, *, uid: str | None = None, own: Mapping[str, Any] | None = None
    ) -> None:
        """Someone whom the project does not know yet.

        Args:
            photo_id: the photo.
            prediction: what the run says.
            uid: what names the person in every copy; given anew if left out.
            own: fields to set besides (`fields`).
        """
        self._append(_Item(photo_id, None, uid, prediction, own or {}))

    def apply(self, person_id: int, prediction: Prediction) -> None:
        """Someone whom the project knows.

        Raises:
            EditError: it does not.
        """
        photo_id = self._project.database.value("SELECT photo_id FROM person WHERE id = ?", [person_id])
        if photo_id is None:
            raise EditError(f"the project has no person {person_id}")
        self._append(_Item(photo_id, person_id, None, prediction, {}))

    def set_camera(self, photo_id: int, camera: Camera) -> None:
        """A photo's camera as a model or a file knows it; one that a person set stays."""
        self._cameras[photo_id] = camera
        if len(self._cameras) >= _PORTION:
            self.commit()

    def commit(self) -> None:
        """Write what waits; when this returns, it is on disk."""
        items, cameras = self._waiting, self._cameras
        self._waiting, self._cameras = [], {}
        if not items and not cameras:
            return
        project = self._project
        with project.database.transaction():
            photo_ids = [item.photo_id for item in items]
            predictions = [item.prediction for item in items]
            numbers = store_predictions(project.database, self._run_id, self._next, photo_ids, predictions)
            counts: list[int] = [0, 0, 0, 0]

            def fill(draft: Draft) -> None:
                for item, number in zip(items, numbers, strict=True):
                    self._write(draft, item, number, counts)
                for photo_id, camera in cameras.items():
                    self._write_camera(draft, photo_id, camera)

            project.write(
                DO, self._command, self._step_id, fill, by_hand=False, always=True,
                detail={**self._notes, "predictions": len(items)},
            )  # fmt: skip
        self._next += len(items)
        self._added += counts[0]
        self._changed += counts[1]
        self._kept += counts[2]
        self._protected += counts[3]

    def _append(self, item: _Item) -> None:
        self._waiting.append(item)
        if len(self._waiting) >= _PORTION:
            self.commit()

    def _write(self, draft: Draft, item: _Item, number: int, counts: list[int]) -> None:
        parts = item.prediction.parts
        if item.person_id is None:
            person_id = draft.add_person(item.photo_id, item.uid)
            for field, value in [*((FROM + part, number) for part in parts), *item.own.items()]:
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
        for part in parts:
            if part != "body" and self._kind is not Provenance.IMPORTED and self._is_label(own.get(FROM + part)):
                protected = True
                continue
            draft.set(PERSON, item.person_id, FROM + part, number)
        for field, value in own.items():
            source = source_of(value)
            if source is not None and source not in _OF_MACHINES:
                protected = True
            elif "body" in parts and field.startswith(_BODY_FIELDS):
                draft.set(PERSON, item.person_id, field, None)
        counts[1] += 1
        counts[3] += protected

    def _write_camera(self, draft: Draft, photo_id: int, camera: Camera) -> None:
        source = source_of(draft.get(PHOTO, photo_id, "camera"))
        if source is Provenance.HUMAN or (source is Provenance.IMPORTED and self._kind is not Provenance.IMPORTED):
            return
        centre = camera.principal_point_px or (None, None)
        draft.set(PHOTO, photo_id, "camera", [camera.focal_length_px, *centre, self._kind.value])

    def _is_label(self, prediction_id: int | None) -> bool:
        """Whether a part is taken from a file's labels, which no model replaces."""
        if prediction_id is None:
            return False
        kind = self._project.database.value(
            "SELECT kind FROM run JOIN prediction ON run.id = run_id WHERE prediction.id = ?", [prediction_id]
        )
        return kind == Provenance.IMPORTED.value
