"""Everything that the window shows of an open project, made when it opens and taken away when it closes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QImageReader
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QMainWindow, QWidget

from annotator.apply import Applied
from annotator.document import Change
from annotator.jobs import DONE, FAILED
from annotator.qt.actions import Actions
from annotator.qt.bars import MainBar, StatusBar, ToolStrip
from annotator.qt.docks import Docks
from annotator.qt.files_dialogs import ExportDialog, ImportDialog
from annotator.qt.focal_dialog import FocalDialog
from annotator.qt.jobs_watch import JobsWatch, JobView, focal_words, kind_name, propose_words, time_left
from annotator.qt.notices import NoticeBar
from annotator.qt.panels.campaign import CampaignPanel
from annotator.qt.panels.history import HistoryPanel
from annotator.qt.panels.jobs import JobsPanel
from annotator.qt.panels.people import PeoplePanel
from annotator.qt.panels.photo_list import PhotoList
from annotator.qt.panels.review import ReviewPanel
from annotator.qt.refine_dialog import RefineDialog
from annotator.qt.refine_monitor import RefineMonitor
from annotator.qt.session import Session
from annotator.qt.settings import Settings
from annotator.qt.shape_dialog import ShapeDialog
from annotator.qt.strings import tr
from annotator.qt.thumbnails import Thumbnails
from annotator.qt.tour import Stop, Tour
from annotator.qt.undo_question import ask_undo
from annotator.qt.work import Work
from annotator.qt.workbench import make_workbench


class ProjectArea(QObject):
    """Canvas, docks, bars and actions of one project.

    Args:
        window: that shows it.
        session: of the project; closed with the area.
        actions: of the window.
        settings: for the layout.
        status: where hints go.
        notices: where news of jobs go.
    """

    def __init__(
        self,
        window: QMainWindow,
        session: Session,
        actions: Actions,
        settings: Settings,
        status: StatusBar,
        notices: NoticeBar,
    ):
        super().__init__(window)
        self.session = session
        self._window, self._actions = window, actions
        self._status, self._notices = status, notices
        actions.begin_project()
        self.thumbnails = Thumbnails(session.desk, session.folder, session)
        self.jobs = JobsWatch(session)
        self._tour: Tour | None = None
        self._taken, self._found = Applied(None), ""
        bench = make_workbench(session, actions, status.show_hint)
        self.canvas, self.side, self.asking = bench.photo, bench.side, bench.asking
        if not session.read_only:
            bench.workspace.proposal_wanted.connect(lambda person: self.jobs.start("boxes", {"people": [person]}))
        self.bar = MainBar(session, actions)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.bar)
        self.page = QWidget()
        layout = QHBoxLayout(self.page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.tools = ToolStrip(actions)
        layout.addWidget(self.tools)
        layout.addWidget(bench.photo, 1)
        self.photos = PhotoList(session, self.thumbnails)
        self.people = PeoplePanel(session.document, actions)
        self.history = HistoryPanel(session)
        self.review = ReviewPanel(session, actions)
        self.review.raised = lambda: self.docks.raise_("review")  # type: ignore[method-assign]
        self.campaign = CampaignPanel(session)
        self.jobs_panel = JobsPanel(self.jobs, self.show_refinement)
        self.work = Work(session, actions, self._ask_reason, lambda step: ask_undo(window, session.document, step))
        self.docks = Docks(window, settings)
        self.docks.add("photos", tr("Photos"), self.photos)
        self.docks.add("side", tr("Side view"), bench.side)
        self.docks.add("body", tr("Body"), bench.body, tabbed=True)
        self.docks.add("people", tr("People"), self.people, tabbed=True)
        self.docks.add("review", tr("Review"), self.review, tabbed=True)
        self.docks.add("history", tr("History"), self.history, tabbed=True)
        self.docks.add("jobs", tr("Jobs"), self.jobs_panel, tabbed=True)
        self.docks.add("campaign", tr("Campaign"), self.campaign, behind="photos")
        self._join()

    def _join(self) -> None:
        actions, docks, session = self._actions, self.docks, self.session
        for name in ("photos", "side"):
            toggle = docks[name].toggleViewAction()
            actions.on(f"view.{name}", lambda is_on, dock=docks[name]: dock.setVisible(is_on))
            toggle.toggled.connect(actions[f"view.{name}"].setChecked)
        for name, dock in {"inspector": "body"}.items() | {
            (each, each) for each in ("people", "review", "history", "jobs", "campaign")
        }:
            actions.on(f"view.{name}", lambda dock=dock: docks.raise_(dock))
        actions.on("view.next_panel", docks.go_to_next)
        actions.on("view.reset", docks.reset)
        actions.on("photo.find", self._find)
        actions.on("help.tour", self.show_around)
        actions.on("dataset.propose", self.propose)
        actions.on("dataset.refine", self._refine)
        actions.on("dataset.focal", lambda: self._ask(FocalDialog(self._window, self.jobs)))
        actions.on("file.export", lambda: self._ask(ExportDialog(self._window, session, self.jobs)))
        actions.on("file.import", lambda: self._ask(ImportDialog(self._window, self.jobs)))
        actions.on("file.add_photos", self._ask_photos)
        actions.on("body.share_shape", self._share_shape)
        actions["review.mode"].toggled.connect(self._raise_review)
        session.said.connect(self._status.show_last)
        session.went_on.connect(self.canvas.setFocus)
        session.document.observe(self._changed)
        self.photos.refine.clicked.connect(actions["dataset.refine"].trigger)
        self.jobs.changed.connect(self._show_job)
        self.jobs.ended.connect(self._job_ended)
        self.jobs.taken.connect(self._job_taken)
        self._status.jobs_clicked.connect(self._show_jobs)

    def show(self) -> None:
        """Put everything in its place, and the cursor on the canvas."""
        self.docks.arrange()
        self.canvas.setFocus(Qt.FocusReason.OtherFocusReason)
        self.session.begin()
        self.jobs.begin()

    def propose(self) -> None:
        """Look for people and predict their bodies, beside the window."""
        if self.jobs.is_at_work("propose"):
            self._status.show_last(tr("People are being looked for already"))
        else:
            self.jobs.start("propose")

    def show_refinement(self, name: str) -> None:
        """Open the monitor of a refinement."""
        self._ask(RefineMonitor(self._window, self.jobs, self.session.desk, name), modal=False)

    def show_around(self) -> None:
        """Begin the tour."""
        if self._tour is not None:
            self._tour.end()
        tour = self._tour = Tour(self._window, self._stops())
        tour.destroyed.connect(self._tour_ended)

    def _tour_ended(self) -> None:
        self._tour = None

    def _stops(self) -> list[Stop]:
        docks, canvas = self.docks, self.canvas
        return [
            Stop(
                docks["photos"],
                tr("Your photos"),
                tr("One mark for each person: a ring is proposed, a disc is done. Press D and A to turn pages."),
                lambda: docks.raise_("photos"),
            ),
            Stop(
                canvas,
                tr("Drag a point, the body follows"),
                tr("Blue is left, orange is right. The wheel zooms, F fits the person, H hides all to see the photo."),
            ),
            Stop(
                docks["side"],
                tr("From the side"),
                tr("A photo hides how far a hand is away. Here you see it, and can drag it."),
                docks["side"].show,
            ),
            Stop(
                docks["body"],
                tr("What is said of the body"),
                tr("Whether to trust the prior or the points, pose and shape, the camera, and what looks wrong."),
                lambda: docks.raise_("body"),
            ),
            Stop(
                canvas,
                tr("Return: done, on to the next"),
                tr("Space goes where a look is worth most. Everything is saved at once, and Ctrl+Z takes it back."),
            ),
            Stop(
                self.bar,
                tr("Refine dataset"),
                tr("After some corrections CLIFF learns from them and predicts everybody anew. You decide."),
            ),
            Stop(
                self.bar,
                tr("Everything else"),
                tr("Ctrl+K finds any action by typing, ? shows all keys. Have fun!"),
            ),
        ]

    def take_in(self, paths: list[Path]) -> None:
        """What was dropped: folders of photos are added, a file of labels is offered for import."""
        files = [path for path in paths if path.is_file()]
        for folder in paths:
            if folder.is_dir():
                self.add_photos(folder)
        if files and QImageReader.imageFormat(str(files[0])):
            self._notices.show_notice(tr("Drop the folder of these photos: a project refers to photos where they are."))
        elif files:
            dialog = ImportDialog(self._window, self.jobs)
            dialog.take(files[0])
            self._ask(dialog)

    def add_photos(self, folder: Path) -> None:
        """Reference the pictures of a folder, and show them."""

        def added(report) -> None:
            self.session.look_again()
            self._notices.show_notice(" ".join(str(report).split("\n")))

        self.session.desk.project(lambda project: project.add_photos(folder), added)

    def full_screen(self, is_on: bool) -> None:
        """Only canvas and side view."""
        self.docks.full_screen(is_on)
        self.bar.setVisible(not is_on)
        self.tools.setVisible(not is_on)

    def close(self) -> None:
        """Take everything away and close the project; waits for the disk. Jobs go on by themselves."""
        if self._tour is not None:
            self._tour.end()
        self.docks.remember()
        self.jobs.close()
        self.asking.close()
        self.campaign.close_reading()
        self.thumbnails.forget()
        self._actions.check("review.mode", False)
        self._actions.end_project()
        self._actions.set_facts(())
        self._status.jobs_clicked.disconnect(self._show_jobs)
        self._actions["review.mode"].toggled.disconnect(self._raise_review)  # the action outlives the project
        self.docks.close()
        self._window.removeToolBar(self.bar)
        self.bar.deleteLater()
        self.session.close()
        self._status.show_hint("")
        self._status.show_last("")
        self._status.job.hide()

    def _ask(self, dialog: QDialog, *, modal: bool = True) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if modal:
            dialog.open()
        else:
            dialog.show()

    def _refine(self) -> None:
        self._ask(RefineDialog(self._window, self.session, self.jobs, self.show_refinement))

    def _share_shape(self) -> None:
        figure = self.canvas.workspace.figure
        if figure is None or figure.params is None:
            self._status.show_hint(tr("Select a person with a body"))
            return
        self._ask(ShapeDialog(self._window, self.canvas.workspace, self.session.desk))

    def _ask_photos(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self._window, tr("Folder with photos"))
        if chosen:
            self.add_photos(Path(chosen))

    def _ask_reason(self) -> None:
        self.docks.raise_("review")
        self.review.ask_reason()

    def _raise_review(self, is_on: bool) -> None:
        if is_on:
            self.docks.raise_("review")

    def _find(self) -> None:
        self.docks["photos"].show()
        self.photos.begin_search()

    def _changed(self, change: Change) -> None:
        document = self.session.document
        if Change.HISTORY in change and not document.pending and Change.PHOTO not in change:
            self._status.show_last(tr("Redo: {what}", what=tr(document.redo_label)) if document.redo_label else "")

    # --- jobs

    def _show_jobs(self) -> None:
        self.docks.raise_("jobs")

    def _show_job(self) -> None:
        active = [job for job in self.jobs.jobs if job.is_active]
        counts = self.session.counts
        # Nobody is told to look for people while that goes on.
        self.photos.advice.setHidden(bool(active) and counts is not None and not counts.people)
        if not active:
            self._status.job.hide()
            return
        job = active[0]
        found = self._found if job.kind == "propose" else ""
        parts = [f"{kind_name(job.kind)}: {tr(job.text)}", found, time_left(job.seconds_left)]
        if len(active) > 1:
            parts.append(tr("{count} more waiting", count=len(active) - 1))
        self._status.job.show_job(" · ".join(part for part in parts if part), job.done, job.total)

    def _job_ended(self, job: JobView) -> None:
        if job.state == FAILED:
            self._notices.show_failure(f"{kind_name(job.kind)}: {tr(job.text)}")
        elif job.state == DONE and job.kind in ("export", "import"):
            lines = str(job.result.get("report", "")).split("\n")
            shown = lines[:-1] if job.kind == "export" else lines  # the dialog has told of the manifest
            self._notices.show_notice("; ".join(shown[:2]))
        elif job.state == DONE and job.kind == "propose":
            self._status.show_last(self._found if job.result.get("photos") else propose_words({"photos": 0}))
        elif job.state == DONE and job.kind == "focal":
            self._notices.show_notice(focal_words(job.result))
        elif job.state == DONE and job.kind == "refine":
            self.show_refinement(job.id) if not self._is_monitored() else None

    def _is_monitored(self) -> bool:
        return any(dialog.isVisible() for dialog in self._window.findChildren(RefineMonitor))

    def _job_taken(self, applied: Applied) -> None:
        self._taken = self._taken + applied if self._taken.step == applied.step else applied
        added, changed = self._taken.added, self._taken.changed
        parts = (
            [tr("1 person found") if added == 1 else tr("{count} people found", count=f"{added:,}")] if added else []
        )
        parts += (
            [tr("1 new body") if changed == 1 else tr("{count} new bodies", count=f"{changed:,}")] if changed else []
        )
        if applied.added or applied.changed:
            self._found = ", ".join(parts)
            if not self.jobs.is_at_work("propose"):  # else it stands beside the job, and is no news of the hand's
                self._status.show_last(self._found)
        for line in applied.refused[:1]:
            self._notices.show_notice(line)
