"""Before a refinement: who teaches, what is held out, how long it may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtWidgets import QDialog, QFormLayout, QSpinBox, QWidget

from annotator.project import Project
from annotator.project.queries import Counts, progress_of
from annotator.qt.jobs_watch import JobsWatch, JobView
from annotator.qt.session import Session
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row

_SECONDS_A_PERSON = 0.35  # of a machine with two cores and no graphics card, photos read for the first time


@dataclass(frozen=True, slots=True)
class Supervision:
    """What a refinement can learn from.

    Attributes:
        counts: of the project.
        by_hand: people of whom a person set something.
        points: 2D points that people placed.
        joints: joints that people turned.
        from_files: people who have points of a file.
    """

    counts: Counts
    by_hand: int
    points: int
    joints: int
    from_files: int


_SET_BY_HAND = """
SELECT count(DISTINCT person.id),
       sum(key LIKE 'points/%'),
       sum(key LIKE 'pose/%')
FROM person, json_each(person.own)
WHERE present AND edited AND value LIKE '%"human"]'
  AND (key LIKE 'points/%' OR key LIKE 'pose/%' OR key LIKE 'betas/%' OR key = 'transl')
"""

_FROM_FILES = """
SELECT count(DISTINCT person.id)
FROM person, json_each(person.own)
JOIN prediction ON prediction.id = value
JOIN run ON run.id = run_id
WHERE present AND key LIKE 'from/points/%' AND run.kind = 'imported'
"""


def read_supervision(project: Project) -> Supervision:
    """Count it in the database, which alone is quick enough for a large project."""
    by_hand, points, joints = project.database.row(_SET_BY_HAND) or (0, 0, 0)
    (from_files,) = project.database.row(_FROM_FILES) or (0,)
    return Supervision(progress_of(project.database), by_hand, points or 0, joints or 0, from_files)


def expected_seconds(people: int, jobs: Sequence[JobView]) -> float:
    """How long a round may take: as the last one did, else as on a usual machine."""
    for job in reversed(jobs):
        seconds, before = job.result.get("seconds"), job.result.get("people")
        if job.kind == "refine" and seconds and before:
            return float(seconds) / int(before) * people
    return _SECONDS_A_PERSON * people


class RefineDialog(QDialog):
    """Explains, and starts the job.

    Args:
        parent: the window.
        session: of the project.
        watch: starts the job.
        show: opens the monitor of a job, by its id.
    """

    def __init__(self, parent: QWidget, session: Session, watch: JobsWatch, show):
        super().__init__(parent)
        self.setWindowTitle(tr("Refine dataset"))
        self.setObjectName("refine")
        self.setMinimumWidth(520)
        self._watch, self._show = watch, show
        self._is_over = False
        self.teachers = label("…", wrap=True, name="teachers")
        self.held = label(
            tr("A fifth of everybody's points is kept out of the first run. It says when to stop, and if it helped."),
            wrap=True,
        )
        self.time = label("…", wrap=True)
        self.safe = label(
            tr("Nothing that a person set changes. A comparison comes before anything is applied; undo takes it back."),
            wrap=True,
        )
        self.rounds = QSpinBox()
        self.rounds.setRange(1, 5)
        self.rounds.setToolTip(tr("At most; one that helps no more is the last"))
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        form.addRow(tr("Who teaches"), self.teachers)
        form.addRow(tr("Held out"), self.held)
        form.addRow(tr("Time"), self.time)
        form.addRow(tr("Safe"), self.safe)
        form.addRow(tr("Rounds"), self.rounds)
        self.start = button(tr("Refine"), self._start, role="primary", picture="trend-up", name="start_refine")
        self.start.setDefault(True)
        self.start.setEnabled(False)
        heading = label(tr("Refine dataset"), "heading")
        lead = label(tr("CLIFF learns from your points and predicts everybody anew."), "quiet", wrap=True)
        layout = column(heading, lead, margin=24, spacing=12)
        layout.addLayout(form)
        layout.addLayout(row(-1, button(tr("Cancel"), self.reject), self.start))
        self.setLayout(layout)
        session.desk.project(read_supervision, self._counted)

    def done(self, result: int) -> None:
        """Nobody waits for the counts any more."""
        self._is_over = True
        super().done(result)

    def _counted(self, known: Supervision) -> None:
        if self._is_over:
            return
        people = known.counts.people
        taught = {"count": known.by_hand, "points": known.points, "joints": known.joints}
        words = tr(
            "Set by a person: points {points}, joints {joints}, people {count}",
            **{name: f"{value:,}" for name, value in taught.items()},
        )
        files = tr("Points of files: people {count}", count=f"{known.from_files:,}")
        parts = [*([words] if known.by_hand else []), *([files] if known.from_files else [])]
        parts = parts or [tr("Nobody has points set by a person or a file yet")]
        parts += [tr("Detected points: only on people done, accepted or corrected")]
        self.teachers.setText("\n".join(parts))
        seconds = expected_seconds(people, self._watch.jobs)
        about = tr("{count} minutes", count=round(seconds / 60)) if seconds > 90 else tr("a minute or two")
        self.time.setText(
            tr("About {time} for {people} people; you can go on labelling.", time=about, people=f"{people:,}")
        )
        self.start.setEnabled(people > 0)
        if not people:
            self.teachers.setText(tr("Nobody is in the project yet: propose first."))
        self.adjustSize()

    def _start(self) -> None:
        self._watch.start("refine", {"rounds": self.rounds.value()}, self._show)
        self.accept()
