"""Long work runs beside the window: started, followed, taken in, undone; the window may close meanwhile."""

import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton

from annotator.commands import RemovePerson, SetPoints
from annotator.jobs import DONE, PAUSED, RUNNING
from annotator.project import open_project
from annotator.project.exporting import export_project
from annotator.qt.files_dialogs import ExportDialog, ImportDialog
from annotator.qt.focal_dialog import FocalDialog
from annotator.qt.jobs_watch import JobView
from annotator.qt.refine_dialog import RefineDialog
from annotator.refine_result import ChangePicture, write_changes

LONG = 40_000


def jobs(window):
    return {job.kind: job for job in window.area.jobs.jobs}


def ended(window, qtbot, kind: str):
    qtbot.waitUntil(lambda: kind in jobs(window) and not jobs(window)[kind].is_active, timeout=LONG)
    return jobs(window)[kind]


def take_back(window, qtbot):
    """Say that a step on several photos is meant."""
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "undo_question") is not None)
    box = window.findChild(QMessageBox, "undo_question")
    qtbot.mouseClick(next(each for each in box.buttons() if each.text() == "Take it back"), Qt.MouseButton.LeftButton)


def test_an_export_is_written_and_said(window, qtbot, tmp_path):
    window.actions_["file.export"].trigger()
    dialog = window.findChild(ExportDialog)
    out = tmp_path / "people.json"
    dialog.format.setCurrentIndex(dialog.format.findData("coco"))
    dialog.place.clear()
    qtbot.keyClicks(dialog.place, str(out))
    qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)

    assert ended(window, qtbot, "export").state == DONE
    assert out.is_file()
    assert out.with_name("people.json.manifest.json").is_file()
    qtbot.waitUntil(lambda: "8 people on 4 photos" in window.notices.words.text())

    assert "manifest" not in window.notices.words.text()

    window.area.docks.raise_("jobs")
    card = window.area.jobs_panel.cards[jobs(window)["export"].id]
    assert "just now" in card.state.text()
    qtbot.mouseClick(card.clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "export" not in jobs(window), timeout=LONG)
    assert out.is_file()


def test_an_import_comes_in_as_one_step_of_undo(window, qtbot, tmp_path, repository, folder, saved):
    out = tmp_path / "people.json"
    with open_project(folder, read_only=True) as project:
        export_project(project, folder, "coco", out)
    document = window.area.session.document
    for person in document.people:
        document.edit(RemovePerson(person.id))
    saved(window)
    assert document.people == ()

    window.actions_["file.import"].trigger()
    dialog = window.findChild(ImportDialog)
    qtbot.keyClicks(dialog.file, str(out))
    qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)

    assert ended(window, qtbot, "import").state == DONE
    qtbot.waitUntil(lambda: len(document.people) == 2, timeout=10_000)
    qtbot.waitUntil(lambda: "Import" in document.undo_label)
    window.actions_["edit.undo"].trigger()
    take_back(window, qtbot)
    qtbot.waitUntil(lambda: document.people == ())


def test_a_missing_file_cannot_be_imported(window, qtbot, tmp_path):
    window.actions_["file.import"].trigger()
    dialog = window.findChild(ImportDialog)
    qtbot.keyClicks(dialog.file, str(tmp_path / "nothing.json"))
    assert not dialog.start.isEnabled()
    assert dialog.problem.text()
    dialog.reject()


@pytest.mark.slow
def test_a_job_goes_on_while_the_window_is_closed_and_is_found_again(window, make_window, folder, qtbot):
    window.actions_["dataset.propose"].trigger()
    qtbot.waitUntil(lambda: "propose" in jobs(window), timeout=LONG)
    window.close()

    again = make_window()
    again.open(folder)
    qtbot.waitUntil(lambda: again.area is not None and "propose" in jobs(again), timeout=LONG)

    job = ended(again, qtbot, "propose")
    assert job.state == DONE
    again.area.docks.raise_("jobs")
    card = again.area.jobs_panel.cards[job.id]
    log = card.findChild(QPushButton, "job_log")
    qtbot.mouseClick(log, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(card.log.toPlainText()))
    if sys.platform != "win32":  # a child of this process, but nobody's any more since the first window closed
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)


@pytest.mark.slow
def test_a_cancelled_job_leaves_no_trace(window, qtbot, folder):
    window.actions_["dataset.propose"].trigger()
    qtbot.waitUntil(lambda: "propose" in jobs(window) and bool(window.area.jobs_panel.cards), timeout=LONG)
    window.area.docks.raise_("jobs")
    name = jobs(window)["propose"].id
    qtbot.mouseClick(window.area.jobs_panel.cards[name].cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "propose" not in jobs(window), timeout=LONG)
    assert not (folder / "runs" / name).exists()


def test_a_double_click_looks_for_people_once(window, qtbot):
    area = window.area
    for _ in range(2):
        window.actions_["dataset.propose"].trigger()
    assert window.status.last.text() == "People are being looked for already"
    qtbot.waitUntil(lambda: bool(area.jobs.jobs), timeout=LONG)
    window.actions_["dataset.propose"].trigger()
    qtbot.wait(300)
    assert [job.kind for job in area.jobs.jobs] == ["propose"]
    area.jobs.cancel(area.jobs.jobs[0].id)
    qtbot.waitUntil(lambda: not area.jobs.jobs, timeout=LONG)


@pytest.mark.parametrize(("action", "kind"), [("dataset.refine", RefineDialog), ("dataset.focal", FocalDialog)])
def test_return_in_a_dialog_does_what_the_blue_button_says(window, qtbot, monkeypatch, action, kind):
    asked = []
    monkeypatch.setattr(window.area.jobs, "start", lambda name, *_: asked.append(name))
    window.actions_[action].trigger()
    dialog = window.findChild(kind)
    qtbot.waitUntil(dialog.start.isEnabled)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert asked == [action.removeprefix("dataset.")]


@pytest.mark.slow
def test_a_refinement_is_compared_before_it_is_applied(window, qtbot, saved):
    from annotator.qt.refine_monitor import RefineMonitor

    document = window.area.session.document
    for person in document.people:
        document.edit(SetPoints(person.id, person.main_keypoints))
    saved(window)
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    dialog = window.findChild(RefineDialog)
    qtbot.waitUntil(dialog.start.isEnabled)
    assert "people 2" in dialog.teachers.text()
    qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: window.findChild(RefineMonitor) is not None, timeout=LONG)
    monitor = window.findChild(RefineMonitor)
    assert ended(window, qtbot, "refine").state == DONE
    assert monitor.judgement.isVisible()
    assert monitor._curves
    qtbot.waitUntil(lambda: monitor.pages.isTabVisible(1), timeout=LONG)
    assert any(shown.pixmap().width() > 300 for shown in monitor.pages.widget(1).findChildren(QLabel))
    assert "Set points" in document.undo_label  # nothing of it is in the project yet
    qtbot.mouseClick(monitor.apply, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: monitor.judgement.text().startswith(("Applied", "Nothing was changed")), timeout=LONG)
    qtbot.waitUntil(lambda: "Refine" in document.undo_label or "Nothing" in monitor.judgement.text())
    qtbot.keyClick(monitor, Qt.Key.Key_Return)
    assert not monitor.isVisible()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_job_that_is_killed_is_told_of_and_goes_on_where_it_was(window, qtbot, folder):
    window.actions_["dataset.propose"].trigger()
    qtbot.waitUntil(lambda: "propose" in jobs(window) and jobs(window)["propose"].state == "running", timeout=LONG)
    job = jobs(window)["propose"]
    qtbot.waitUntil(lambda: "pid" in json.loads((job.folder / "job.json").read_text("utf-8")), timeout=LONG)

    os.kill(json.loads((job.folder / "job.json").read_text("utf-8"))["pid"], signal.SIGKILL)

    assert ended(window, qtbot, "propose").state == "failed"
    qtbot.waitUntil(window.notices.isVisible)
    window.area.docks.raise_("jobs")
    resume = window.area.jobs_panel.cards[job.id].resume
    assert resume.text().lower() in window.notices.words.text()  # it is called what the notice calls it
    qtbot.mouseClick(resume, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: jobs(window)["propose"].state == DONE, timeout=LONG)


def test_focal_lengths_come_in_as_one_step_of_undo(window, qtbot, on_disk):
    def cameras(project):
        return {photo.name: photo.camera for photo in project.photos()}

    document, before = window.area.session.document, on_disk(cameras)
    window.actions_["dataset.focal"].trigger()
    dialog = window.findChild(FocalDialog)
    qtbot.mouseClick(dialog.one, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)

    job = ended(window, qtbot, "focal")
    assert job.state == DONE, job.text
    assert job.result["count"] == 1  # all photos have one size
    qtbot.waitUntil(lambda: "focal length" in window.notices.words.text())
    taken = [each for each in job.result["cameras"] if each["taken"]]
    after = on_disk(cameras)
    assert sum(after[name] != before[name] for name in after) == job.result["photos"] == (4 if taken else 0)
    if taken:
        qtbot.waitUntil(lambda: document.photo.camera is not None)
        qtbot.waitUntil(lambda: document.undo_label == "Estimate focal lengths")
        window.actions_["edit.undo"].trigger()
        take_back(window, qtbot)
        qtbot.waitUntil(lambda: document.photo.camera is None)


def test_the_monitor_shows_who_changes_while_it_tunes_and_goes_on_after_a_pause(window, qtbot, tmp_path):
    from annotator.qt.refine_monitor import RefineMonitor

    area = window.area
    picture = Path(__file__).parents[3] / "resources" / "sample" / "photos" / "park_walk.jpg"
    write_changes(tmp_path, [(ChangePicture("01.jpg", "somebody", 42.0, None), picture.read_bytes())])
    curves = [{"stage": "s", "epoch": epoch, "fitted": 0.1, "prior_deg": 0.0} for epoch in (0, 1, 2, 0, 1)]
    running = JobView("a", "refine", RUNNING, "tuning", 2, 60, 0, None, tmp_path, curves=curves, pictures=1)

    def become(job):
        area.jobs.jobs = [job]
        area.jobs.changed.emit()

    area.jobs._timer.stop()
    area.jobs.jobs = [running]
    monitor = RefineMonitor(window, area.jobs, area.session.desk, "a")
    monitor.show()
    qtbot.waitUntil(lambda: monitor.pages.isTabVisible(1))
    assert monitor.pages.currentIndex() == 0  # nobody who looks at the curves is disturbed
    shown = [each.text() for each in monitor.pages.widget(1).findChildren(QLabel)]
    assert "somebody: joints move by 42 mm so far" in shown
    epochs, _ = monitor._curves["fitted", "s"].getData()
    assert epochs.tolist() == [0, 1, 2, 2, 3]  # a further round goes on to the right
    assert monitor.pause.isVisible()
    become(replace(running, state=PAUSED))
    assert monitor.resume.isVisible()
    assert not monitor.pause.isVisible()
    assert not monitor.judgement.isVisible()
    assert "Paused" in monitor.text.text()
    monitor.reject()
