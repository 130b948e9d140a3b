"""A refinement while it runs and afterwards: curves, the comparison on held-out points, apply or keep."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QColor, QDesktopServices
from PySide6.QtWidgets import QDialog, QFrame, QGridLayout, QProgressBar, QWidget

from annotator.apply import Applied
from annotator.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, STOPPED
from annotator.qt import theme
from annotator.qt.jobs_watch import JobsWatch, JobView, time_left
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row, set_role

_COLOURS = {"fitted": "#56B4E9", "withheld": "#E69F00", "prior_distance": "#009E73"}


class RefineMonitor(QDialog):
    """Follows one job; closing it leaves the job at work.

    Args:
        parent: the window.
        watch: looks after the job.
        name: of the job.
    """

    def __init__(self, parent: QWidget, watch: JobsWatch, name: str):
        super().__init__(parent)
        self.setWindowTitle(tr("Refine dataset"))
        self.setObjectName("refine_monitor")
        self.resize(760, 600)
        self._watch, self._name = watch, name
        self._drawn = -1
        self._is_judged = False
        self.title = label(tr("Refine dataset"), "heading")
        self.text = label("", "quiet", wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.left = label("", "quiet")
        legend = [(_COLOURS["fitted"], tr("points it learns from")), (_COLOURS["withheld"], tr("held-out points"))]
        self.errors = _plot(tr("Distance of points, % of half a crop"), legend)
        self.distance = _plot(tr("Distance to the prior"), [])
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
        self.cancel = button(tr("Cancel"), lambda: watch.cancel(name), name="cancel_refine", tip=tr("Leave no trace"))
        self.report = button(tr("Report"), self._open_report, picture="file-text", name="report")
        self.apply = button(tr("Apply"), self._apply, name="apply")
        self.keep = button(tr("Keep the old"), self.reject, name="keep")
        plots = row(self.errors, self.distance, spacing=12)
        layout = column(self.title, self.text, margin=20, spacing=10)
        layout.addLayout(row(self.bar, self.left))
        layout.addLayout(plots, 1)
        layout.addWidget(self.verdict)
        layout.addLayout(row(self.stop, self.cancel, self.report, -1, self.keep, self.apply))
        self.setLayout(layout)
        watch.changed.connect(self._look)
        self._look()

    def _look(self) -> None:
        job = next((each for each in self._watch.jobs if each.id == self._name), None)
        if job is None:
            return
        is_over = not job.is_active
        count = f"  {job.done:,} / {job.total:,}" if job.is_active and job.total else ""
        self.text.setText(tr(job.text) + count if job.is_active or job.state == FAILED else "")
        self.text.setVisible(bool(self.text.text()))
        self.bar.setVisible(job.is_active)
        self.bar.setMaximum(job.total)
        self.bar.setValue(job.done)
        self.left.setText(time_left(job.seconds_left))
        self.stop.setVisible(job.state == RUNNING)
        self.cancel.setVisible(job.state in (QUEUED, RUNNING))
        self.report.setVisible(bool(job.result.get("report")))
        has_result = job.state in (DONE, STOPPED) and bool(job.result.get("people"))
        self.apply.setVisible(has_result)
        self.keep.setVisible(has_result)
        self._draw(job)
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
            for key, plot, scale in (
                ("fitted", self.errors, 100.0),
                ("withheld", self.errors, 100.0),
                ("prior_distance", self.distance, 1.0),
            ):
                points = [(entry["epoch"], scale * entry[key]) for entry in rows if entry.get(key) is not None]
                if points:
                    self._curve(key, stage, number, plot).setData(*zip(*points, strict=True))

    def _curve(self, key: str, stage: str, number: int, plot: Any) -> Any:
        known = self._curves.get((key, stage))
        if known is None:
            import pyqtgraph

            dash = Qt.PenStyle.SolidLine if number == 0 else Qt.PenStyle.DashLine
            pen = pyqtgraph.mkPen(QColor(_COLOURS[key]), width=2, style=dash)
            known = self._curves[key, stage] = plot.plot([], [], pen=pen)
        return known

    def _judge(self, job: JobView, has_result: bool) -> None:
        """The comparison; "apply" is the default only where the held-out points say that it is better."""
        said = job.result
        self.verdict.setVisible(True)
        if not has_result:
            words = {FAILED: tr("It failed."), CANCELLED: tr("Cancelled; nothing is left of it.")}
            self.judgement.setText(words.get(job.state, tr("It was stopped before there was a result.")))
            return
        better = bool(said.get("better"))
        before, after = said.get("withheld_before"), said.get("withheld_after")
        if better and before:
            self.judgement.setText(
                tr("Better: held-out points lie {share} % nearer.", share=f"{100 * (1 - after / before):.0f}")
            )
            set_role(self.judgement, "good")
        else:
            self.judgement.setText(tr("Held-out points do not say that it is better. Keeping the old is safe."))
        facts = (
            (tr("People with a refined body"), f"{said.get('refined', 0):,} / {said.get('people', 0):,}"),
            (tr("People whose old body is kept, because theirs got worse"), f"{said.get('kept', 0):,}"),
            (tr("Held-out points, % of half a crop"), f"{_percent(before)}  ›  {_percent(after)}"),
            (
                tr("People whose held-out points came nearer"),
                f"{said.get('withheld_nearer', 0):,} / {said.get('withheld_people', 0):,}",
            ),
            (tr("Joints move by (median)"), f"{said.get('moved_mm') or 0:.0f} mm"),
        )
        for place, (what, value) in enumerate(facts):
            self._table.addWidget(label(what, "quiet"), place, 0)
            self._table.addWidget(label(value), place, 1)
        self._table.setColumnStretch(0, 1)
        first = self.apply if better else self.keep
        set_role(first, "primary")
        first.setDefault(True)
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _apply(self) -> None:
        self.apply.setEnabled(False)

        def applied(found: Applied) -> None:
            self.judgement.setText(
                tr(
                    "Applied to {count} people; {kept} stayed as people had left them. Undo takes it back.",
                    count=f"{found.changed + found.added:,}",
                    kept=f"{found.kept:,}",
                )
            )
            self.keep.setText(tr("Close"))

        self._watch.take_in(self._name, applied)

    def _open_report(self) -> None:
        job = next((each for each in self._watch.jobs if each.id == self._name), None)
        if job is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(job.result.get("report", ""))))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _plot(title: str, legend: list[tuple[str, str]]) -> Any:
    """An empty plot in the colours of the theme; what its colours mean stands above it, where no curve runs."""
    import pyqtgraph

    roles = theme.current()
    plot = pyqtgraph.PlotWidget(background=roles.background)
    words = " · ".join(f"<span style='color:{colour}'>{text}</span>" for colour, text in legend) or "&nbsp;"
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
