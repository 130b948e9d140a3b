"""The jobs of the project: how far each is, how long it takes, what it printed; pause, stop, cancel, go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from annotator.jobs import CAN_GO_ON, CANCELLED, DONE, FAILED, PAUSED, QUEUED, RUNNING, STOPPED, STOPPING
from annotator.qt.jobs_watch import JobsWatch, JobView, focal_words, kind_name, propose_words, time_left
from annotator.qt.start_page import when
from annotator.qt.strings import tr
from annotator.qt.widgets import EmptyState, button, column, label, row, set_role

_SHOWN = 20


def state_name(state: str) -> str:
    """What a state is called."""
    names = {
        QUEUED: tr("waiting"),
        RUNNING: tr("at work"),
        STOPPING: tr("ending"),
        DONE: tr("done"),
        STOPPED: tr("stopped"),
        PAUSED: tr("paused"),
        CANCELLED: tr("cancelled"),
        FAILED: tr("failed"),
    }
    return names.get(state, state)


def asked_at(name: str) -> float:
    """When a job was asked for, seconds since 1970, from its name; now where the name does not say."""
    try:
        return datetime.strptime(name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return time.time()


class JobsPanel(QScrollArea):
    """One card for each of the latest jobs.

    Args:
        watch: looks after them.
        show_refinement: opens the monitor of a refinement, by its id.
    """

    def __init__(self, watch: JobsWatch, show_refinement: Callable[[str], None]):
        super().__init__()
        self._watch = watch
        self._show = show_refinement
        self.cards: dict[str, JobCard] = {}
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(tr("Jobs"))
        self._empty = EmptyState(
            "list-dashes",
            tr("No jobs yet"),
            tr("Propose, Refine dataset, Import and Export work here, beside the window."),
        )
        self._layout = column(self._empty, margin=8)
        self._layout.addStretch(1)
        holder = QWidget()
        holder.setLayout(self._layout)
        self.setWidget(holder)
        watch.changed.connect(self._show_jobs)

    def _show_jobs(self) -> None:
        jobs = self._watch.jobs[-_SHOWN:]
        self._empty.setVisible(not jobs)
        for name in self.cards.keys() - {job.id for job in jobs}:
            card = self.cards.pop(name)
            card.hide()
            card.deleteLater()
        for job in jobs:
            if job.id not in self.cards:
                self.cards[job.id] = JobCard(self._watch, job, self._show)
                self._layout.insertWidget(0, self.cards[job.id])  # the latest first
            self.cards[job.id].show_job(job)


def _result_words(job: JobView) -> str:
    """What came of a job that is over; empty where its own words say it best."""
    said = job.result
    if job.kind in ("import", "export"):
        return str(said.get("report", ""))
    if job.kind == "focal":
        return focal_words(said) if job.state == DONE else ""
    if job.state == DONE and "people" in said and "photos" in said:
        return propose_words(said)
    return ""


class JobCard(QFrame):
    """One job.

    Args:
        watch: does what the buttons say.
        job: as it is now.
        show_refinement: opens the monitor.
    """

    def __init__(self, watch: JobsWatch, job: JobView, show_refinement: Callable[[str], None]):
        super().__init__()
        self.setProperty("role", "plain-card")
        self._watch = watch
        self._job = job
        self.title = label(kind_name(job.kind), "title")
        self.state = label("", "quiet", name="job_state")
        self.text = label("", "quiet", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.left = label("", "quiet")
        self.pause = button(
            tr("Pause"),
            lambda: watch.pause(job.id),
            role="flat",
            name="job_pause",
            tip=tr("End it for now; it goes on from there"),
        )
        self.stop = button(
            tr("Stop"),
            lambda: watch.stop(job.id),
            role="flat",
            name="job_stop",
            tip=tr("End it early and keep what it has"),
        )
        self.cancel = button(
            tr("Cancel"),
            lambda: watch.cancel(job.id),
            role="flat",
            name="job_cancel",
            tip=tr("End it and leave no trace of it"),
        )
        self.resume = button(
            tr("Resume"),
            lambda: watch.resume(job.id),
            role="flat",
            name="job_resume",
            tip=tr("Take it up again with what it has"),
        )
        self.show_button = button(tr("Look"), lambda: show_refinement(job.id), role="flat", name="job_look")
        self.clear = button(
            tr("Clear away"),
            lambda: watch.clear(job.id),
            role="flat",
            name="job_clear",
            tip=tr("Take it off the list, with its log and report; what came of it stays in the project"),
        )
        self.log_button = button(tr("Log"), self._toggle_log, role="flat", name="job_log")
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setFixedHeight(150)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setAccessibleName(tr("Log"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 8)
        layout.setSpacing(6)
        layout.addLayout(row(self.title, -1, self.state))
        layout.addWidget(self.text)
        layout.addLayout(row(self.bar, self.left))
        layout.addLayout(
            row(
                *(self.show_button, self.pause, self.stop, self.cancel, self.resume, self.clear, -1, self.log_button),
                spacing=2,
            )
        )
        layout.addWidget(self.log)
        self.log.hide()

    def show_job(self, job: JobView) -> None:
        """As it is now."""
        self._job = job
        ended = "" if job.is_active else f" · {when(job.ended or asked_at(job.id))}"
        self.state.setText(state_name(job.state) + ended)
        set_role(self.state, {FAILED: "bad", DONE: "good"}.get(job.state, "quiet"))
        report = _result_words(job)
        count = f"  {job.done:,} / {job.total:,}" if job.is_active and job.total else ""
        self.text.setText((report or tr(job.text)) + count)
        self.text.setVisible(bool(self.text.text()))
        self.bar.setVisible(job.state in (RUNNING, STOPPING))
        self.bar.setMaximum(job.total)
        self.bar.setValue(job.done)
        self.left.setText(time_left(job.seconds_left))
        self.left.setVisible(bool(self.left.text()))
        self.show_button.setVisible(job.kind == "refine")
        is_long = job.state == RUNNING and job.kind in ("propose", "refine", "focal")
        self.pause.setVisible(is_long)
        self.stop.setVisible(is_long or (job.state == RUNNING and job.kind == "boxes"))
        self.cancel.setVisible(job.state in (QUEUED, RUNNING))
        self.resume.setVisible(job.state in CAN_GO_ON)
        self.clear.setVisible(not job.is_active)
        if self.log.isVisible() and job.is_active:
            self._watch.read_log(job.id, self._show_log)

    def _toggle_log(self) -> None:
        self.log.setVisible(not self.log.isVisible())
        if self.log.isVisible():
            self._watch.read_log(self._job.id, self._show_log)

    def _show_log(self, text: str) -> None:
        text = text.strip() or tr("It has printed nothing.")
        if text != self.log.toPlainText():
            self.log.setPlainText(text)
            bar = self.log.verticalScrollBar()
            bar.setValue(bar.maximum())
