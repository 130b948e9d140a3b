"""A refinement while it runs and afterwards: curves, whom it changes most, the comparison, apply or keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QColor, QDesktopServices, QImage, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QWidget,
)

from annotator.apply import Applied
from annotator.jobs import CANCELLED, DONE, FAILED, PAUSED, QUEUED, RUNNING, STOPPED
from annotator.qt import theme
from annotator.qt.desk import Desk, Ticket
from annotator.qt.jobs_watch import JobsWatch, JobView, time_left
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row, set_role
from annotator.refine_result import BETTER, SAME, UNKNOWN, WORSE, is_nearer, is_worth_applying, read_changes, verdict_of

_COLOURS = {"fitted": "#56B4E9", "withheld": "#E69F00", "prior_deg": "#009E73"}


class RefineMonitor(QDialog):
    """Follows one job; closing it leaves the job at work.

    Args:
        parent: the window.
        watch: looks after the job.
        desk: reads the pictures.
        name: of the job.
    """

    def __init__(self, parent: QWidget, watch: JobsWatch, desk: Desk, name: str):
        super().__init__(parent)
        self.setWindowTitle(tr("Refine dataset"))
        self.setObjectName("refine_monitor")
        self.resize(860, 700)
        self._watch, self._desk, self._name = watch, desk, name
        self._ticket: Ticket | None = None
        self._drawn = self._pictured = -1
        self._is_judged = False
        self.title = label(tr("Refine dataset"), "heading")
        self.text = label("", "quiet", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.left = label("", "quiet")
        learns, held, away = (_COLOURS[key] for key in ("fitted", "withheld", "prior_deg"))
        of_points = [(learns, "━━", tr("points it learns from")), (held, "━━", tr("held-out points"))]
        of_runs = [(away, "━━", tr("choosing how long to tune")), (away, "╍╍", tr("tuning with all points"))]
        self.errors = _plot(tr("Distance of points, % of half a crop"), of_points)
        self.distance = _plot(tr("Joints turned away from the prior, °"), of_runs)
        self._curves: dict[tuple[str, str], Any] = {}
        self.verdict = QFrame()
        self.verdict.setProperty("role", "plain-card")
        self.judgement = label("", "title", wrap=True, name="judgement")
        self._table = QGridLayout()
        self._table.setHorizontalSpacing(24)
        self._table.setVerticalSpacing(4)
        inside = column(self.judgement, margin=14)
        inside.addLayout(self._table)
        self.verdict.setLayout(inside)
        self.verdict.hide()
        self.stop = button(
            tr("Stop early"), lambda: watch.stop(name), name="stop_early", tip=tr("Keep the best so far")
        )
        self.pause = button(
            tr("Pause"), lambda: watch.pause(name), name="pause", tip=tr("End it for now; it goes on from there")
        )
        self.resume = button(tr("Resume"), lambda: watch.resume(name), name="resume", role="primary")
        self.cancel = button(tr("Cancel"), lambda: watch.cancel(name), name="cancel_refine", tip=tr("Leave no trace"))
        self.report = button(tr("Report"), self._open_report, picture="file-text", name="report")
        self.apply = button(tr("Apply"), self._apply, name="apply")
        self.keep = button(tr("Keep the old"), self._keep, name="keep")
        plots = QWidget()
        plots.setLayout(row(self.errors, self.distance, spacing=12))
        wall, scroll = QWidget(), QScrollArea()
        self._wall = column(margin=8)
        wall.setLayout(self._wall)
        scroll.setWidget(wall)
        scroll.setWidgetResizable(True)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.addTab(plots, tr("How it went"))
        self.pages.addTab(scroll, tr("Who changes most"))
        self.pages.setTabVisible(1, False)
        layout = column(self.title, self.text, margin=20, spacing=10)
        layout.addLayout(row(self.bar, self.left))
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.verdict)
        layout.addLayout(row(self.pause, self.stop, self.cancel, self.report, -1, self.resume, self.keep, self.apply))
        self.setLayout(layout)
        watch.changed.connect(self._look)
        self._look()

    def _look(self) -> None:
        job = next((each for each in self._watch.jobs if each.id == self._name), None)
        if job is None:
            return
        is_over = not job.is_active
        count = f"  {job.done:,} / {job.total:,}" if job.is_active and job.total else ""
        words = tr("Paused; Resume goes on from here.") if job.state == PAUSED else tr(job.text) + count
        self.text.setText(words if job.is_active or job.state in (FAILED, PAUSED) else "")
        self.text.setVisible(bool(self.text.text()))
        self.bar.setVisible(job.is_active)
        self.bar.setMaximum(job.total)
        self.bar.setValue(job.done)
        self.left.setText(time_left(job.seconds_left))
        self.left.setVisible(job.is_active)
        self.pause.setVisible(job.state == RUNNING)
        self.resume.setVisible(job.state == PAUSED)
        self.stop.setVisible(job.state == RUNNING)
        self.cancel.setVisible(job.state in (QUEUED, RUNNING))
        self.report.setVisible(bool(job.result.get("report")))
        has_result = job.state in (DONE, STOPPED) and bool(job.result.get("people"))
        self.apply.setVisible(has_result)
        self.keep.setVisible(has_result)
        self._draw(job)
        self._picture(job)
        if job.state == PAUSED:
            return
        if is_over and not self._is_judged:
            self._is_judged = True
            self._judge(job, has_result)

    def _draw(self, job: JobView) -> None:
        if len(job.curves) == self._drawn:
            return
        self._drawn = len(job.curves)
        stages: dict[str, list[Any]] = {}
        for entry in job.curves:
            stages.setdefault(str(entry.get("stage", "")), []).append(entry)
        for number, (stage, rows) in enumerate(stages.items()):
            begun, epochs = 0, list[int]()  # a further round begins with epoch 0 again
            for entry in rows:
                begun = epochs[-1] if epochs and entry["epoch"] == 0 else begun
                epochs.append(begun + entry["epoch"])
            for key, plot, scale in (
                ("fitted", self.errors, 100.0),
                ("withheld", self.errors, 100.0),
                ("prior_deg", self.distance, 1.0),
            ):
                values = zip(epochs, (entry.get(key) for entry in rows), strict=True)
                points = [(epoch, scale * value) for epoch, value in values if value is not None]
                if points:
                    self._curve(key, stage, number, plot).setData(*zip(*points, strict=True))

    def _picture(self, job: JobView) -> None:
        """The wall, whenever there are new pictures, and those of the report at the end."""
        times = job.pictures + (1 if job.result.get("report") else 0)
        if times and times != self._pictured:
            self._pictured, is_over = times, not job.is_active
            self._ticket = self._desk.read(
                lambda: _read_pictures(job.folder), lambda pictures: self._show_pictures(pictures, is_over)
            )

    def _curve(self, key: str, stage: str, number: int, plot: Any) -> Any:
        known = self._curves.get((key, stage))
        if known is None:
            import pyqtgraph

            dash = Qt.PenStyle.SolidLine if number == 0 else Qt.PenStyle.DashLine
            pen = pyqtgraph.mkPen(QColor(_COLOURS[key]), width=2, style=dash)
            known = self._curves[key, stage] = plot.plot([], [], pen=pen)
        return known

    def _judge(self, job: JobView, has_result: bool) -> None:
        """The comparison; "apply" is the default only where points say that it is better."""
        said = job.result
        self.verdict.setVisible(True)
        if not has_result:
            words = {FAILED: tr("It failed."), CANCELLED: tr("Cancelled; nothing is left of it.")}
            self.judgement.setText(words.get(job.state, tr("It was stopped before there was a result.")))
            return
        verdict, bodiless = verdict_of(said), said.get("bodiless", 0)
        before, after = said.get("withheld_before"), said.get("withheld_after")
        share = f"{abs(100 * (said.get('withheld_gain') or 0)):.1f}"
        spread = f"{200 * (said.get('withheld_gain_error') or 0):.1f}"
        words = {
            BETTER: tr("Better: held-out points lie {share} % nearer (± {spread}).", share=share, spread=spread),
            SAME: tr(
                "About the same: held-out points changed by {share} %, chance is ± {spread}.",
                share=share,
                spread=spread,
            )
            if said.get("withheld_gain")
            else tr("Nothing was learned: held-out points lie where they lay."),
            WORSE: tr("Worse: held-out points lie {share} % farther off (± {spread}).", share=share, spread=spread),
            UNKNOWN: tr("Too few people have held-out points to say whether it is better."),
        }
        advice = "" if verdict == BETTER else " " + tr("Keeping the old is safe.")
        if verdict in (SAME, UNKNOWN) and is_nearer(said):
            advice = " " + tr("But the bodies of now are farther from the placed points than the new ones.")
        self.judgement.setText(words[verdict] + advice)
        set_role(self.judgement, {BETTER: "good", WORSE: "bad"}.get(verdict, "title"))
        facts = (
            (tr("People with a refined body"), f"{said.get('refined', 0):,} / {said.get('people', 0):,}"),
            (tr("People whose old body is kept, because theirs got worse"), f"{said.get('kept', 0):,}"),
            (tr("Held-out points, % of half a crop"), f"{_percent(before)}  ›  {_percent(after)}"),
            (
                tr("People whose held-out points came nearer"),
                f"{said.get('withheld_nearer', 0):,} / {said.get('withheld_people', 0):,}",
            ),
            (
                tr("Placed points from the bodies of now › the new ones, %"),
                f"{_percent(said.get('placed_now'))}  ›  {_percent(said.get('placed_new'))}",
            ),
            (tr("Joints move by (median)"), f"{said.get('moved_mm') or 0:.0f} mm"),
            *([(tr("People without a body, who get one anyway"), f"{bodiless:,}")] if bodiless else ()),
        )
        for place, (what, value) in enumerate(facts):
            self._table.addWidget(label(what, "quiet"), place, 0)
            self._table.addWidget(label(value), place, 1)
        self._table.setColumnStretch(0, 1)
        self._take_first(self.apply if is_worth_applying(said) else self.keep)

    @staticmethod
    def _take_first(choice: QPushButton) -> None:
        """What Return does."""
        set_role(choice, "primary")
        choice.setDefault(True)
        choice.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_pictures(self, pictures: list[tuple[str, QImage]], is_over: bool) -> None:
        """A wall of those whom it changes most, before and after; at the end it comes to the front."""
        if not pictures:
            return
        while self._wall.count():
            old = self._wall.takeAt(0).widget()  # none in the stretch at the end
            if old is not None:
                old.deleteLater()
        width = max(320, self.width() - 90)
        for words, image in pictures:
            shown = QLabel()
            pixmap = QPixmap.fromImage(image)
            scale = min(1.0, width / image.width()) * self.devicePixelRatioF()
            if scale != 1.0:
                smooth = Qt.TransformationMode.SmoothTransformation
                pixmap = pixmap.scaledToWidth(round(image.width() * scale), smooth)
            pixmap.setDevicePixelRatio(self.devicePixelRatioF())
            shown.setPixmap(pixmap)
            shown.setAccessibleName(words)
            self._wall.addWidget(label(words, "quiet", wrap=True))
            self._wall.addWidget(shown)
        self._wall.addStretch(1)
        self.pages.setTabVisible(1, True)
        if is_over:
            self.pages.setCurrentIndex(1)

    def done(self, result: int) -> None:
        """No pictures are wanted any more."""
        if self._ticket is not None:
            self._ticket.cancel()
        super().done(result)

    def _apply(self) -> None:
        self.apply.setEnabled(False)

        def applied(found: Applied) -> None:
            self.judgement.setText(_applied_words(found))
            self.keep.setText(tr("Close"))
            self._take_first(self.keep)

        self._watch.take_in(self._name, applied)

    def _keep(self) -> None:
        """Nothing more of it; who had no body has nothing to keep."""
        self._watch.take_in_bodiless(self._name)
        self.reject()

    def _open_report(self) -> None:
        job = next((each for each in self._watch.jobs if each.id == self._name), None)
        if job is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(job.result.get("report", ""))))


def _applied_words(found: Applied) -> str:
    """What became of everybody."""
    changed, kept = found.changed + found.added, found.kept
    if not changed:
        return tr("Nothing was changed: everybody's body is done, or fits at least as well as the new one.")
    if not kept:
        return tr("Applied: all {count} people have a new body now. Undo takes it back.", count=f"{changed:,}")
    return tr(
        "Applied: {count} of {all} people have a new body now, the others keep theirs. Undo takes it back.",
        count=f"{changed:,}",
        all=f"{changed + kept:,}",
    )


def _read_pictures(folder: Path) -> list[tuple[str, QImage]]:
    """What is said of each picture, and the picture; beside the window."""
    found = []
    for shown, file in read_changes(folder):
        image = QImage(str(file))
        if not image.isNull():
            known = {"name": shown.name, "moved": f"{shown.moved_mm:.0f}"}
            if shown.suspicion_mm is None:
                words = tr("{name}: joints move by {moved} mm so far", **known)
            else:
                known["expected"] = f"{shown.suspicion_mm:.0f}"
                words = tr("{name}: joints move by {moved} mm, expected error {expected} mm", **known)
            found.append((words, image))
    return found


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _plot(title: str, legend: list[tuple[str, str, str]]) -> Any:
    """An empty plot in the colours of the theme; what its lines mean (colour, line, words) stands above it."""
    import pyqtgraph

    roles = theme.current()
    plot = pyqtgraph.PlotWidget(background=roles.background)
    words = " &nbsp; ".join(f"<span style='color:{colour}'>{line}</span> {text}" for colour, line, text in legend)
    plot.setTitle(f"{title}<br>{words}", color=roles.text, size="10pt")
    plot.setLabel("bottom", tr("epoch"), color=roles.quiet_text)
    plot.setMenuEnabled(False)
    plot.setMouseEnabled(False, False)
    plot.hideButtons()
    plot.showGrid(x=False, y=True, alpha=0.15)
    for side in ("left", "bottom"):
        plot.getAxis(side).setPen(roles.hairline)
        plot.getAxis(side).setTextPen(roles.quiet_text)
    plot.setAccessibleName(title)
    return plot
