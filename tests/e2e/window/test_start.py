"""The start page: drop photos or a video, try the sample, go on where one was; every state is designed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from annotator.qt.files_dialogs import ImportDialog
from annotator.qt.making import NewProject, free_folder, make_project, suggest_name
from annotator.qt.new_dialog import NewDialog
from annotator.qt.start_page import RecentCard, when
from annotator.qt.tour import Tour
from cliff_core.images import write_image

LONG = 30_000


def drop(widget, paths: list[Path]) -> None:
    """Drag files over a widget and let go."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(widget, QDragEnterEvent(QPoint(20, 20), copy, mime, left, none))
    QApplication.sendEvent(widget, QDropEvent(QPointF(20, 20), copy, mime, left, none))


def dialog_of(window) -> NewDialog:
    return window.findChild(NewDialog)


def shown(window) -> bool:
    return window.area is not None and window.area.session.document.photo is not None


def test_newcomers_see_how_it_goes(make_window):
    window = make_window()
    words = [each.text() for each in window.start.findChildren(QLabel)]
    assert "How it goes" in words
    assert not window.start.findChildren(RecentCard)


def test_dropped_photos_become_a_project_after_one_return(make_window, folder, tmp_path, qtbot):
    window = make_window()
    drop(window.start.drop, [folder.parent / "photos"])
    dialog = dialog_of(window)
    dialog.propose.setChecked(False)
    assert dialog.make.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Return)

    qtbot.waitUntil(lambda: shown(window), timeout=LONG)
    qtbot.waitUntil(lambda: len(window.area.session.ids) == 6, timeout=LONG)
    assert window.area.session.folder.parent == tmp_path / "documents"


def test_single_photos_are_copied_into_the_project(folder, tmp_path):
    photo = folder.parent / "photos" / "photo2.png"
    with make_project(NewProject(tmp_path / "new", (photo,)), lambda *news: None) as project:
        (only,) = project.photos()
        assert project.photo_file(only.id).read_bytes() == photo.read_bytes()
        assert tmp_path / "new" in project.photo_file(only.id).parents


def test_a_video_becomes_photos(tmp_path):
    video = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), 10 * number, np.uint8))
    writer.release()
    with make_project(NewProject(tmp_path / "new", (video,), frames_per_second=5), lambda *news: None) as project:
        assert len(list(project.photos())) == 10


def test_a_folder_without_photos_leaves_nothing_behind(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(Exception, match="no pictures"):
        make_project(NewProject(tmp_path / "new", (tmp_path / "empty",)), lambda *news: None)
    assert not (tmp_path / "new").exists()


def test_names_and_places_are_suggested(tmp_path):
    (tmp_path / "holiday").mkdir()
    assert suggest_name([tmp_path / "holiday"]) == "holiday"
    assert suggest_name([tmp_path / "walk.mp4"]) == "walk"
    (tmp_path / "projects" / "holiday").mkdir(parents=True)
    assert free_folder(tmp_path / "projects", "holiday").name == "holiday 2"


def test_the_dialog_says_what_is_missing(make_window, folder, qtbot):
    window = make_window()
    qtbot.mouseClick(window.start.findChild(QPushButton, "new"), Qt.MouseButton.LeftButton)
    dialog = dialog_of(window)
    assert not dialog.make.isEnabled()
    dialog.take([folder.parent / "photos"])
    dialog.place.clear()
    qtbot.keyClicks(dialog.place, str(folder))
    assert "project in that folder already" in dialog.problem.text()
    assert not dialog.make.isEnabled()
    dialog.reject()


def test_return_makes_the_project_once_photos_are_chosen(make_window, folder, tmp_path, qtbot):
    window = make_window()
    qtbot.mouseClick(window.start.findChild(QPushButton, "new"), Qt.MouseButton.LeftButton)
    dialog = dialog_of(window)
    dialog.propose.setChecked(False)
    dialog.findChild(QPushButton, "choose_folder").setFocus()
    dialog.take([folder.parent / "photos"])
    qtbot.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown(window), timeout=LONG)


def test_a_recent_project_opens_with_a_click_or_return(window, folder, qtbot):
    window.close_project()
    card = window.start.findChild(RecentCard)
    assert card.accessibleName() == "project"
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown(window), timeout=LONG)
    window.close_project()
    qtbot.mouseClick(window.start.findChild(RecentCard), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(window), timeout=LONG)


def test_the_sample_is_copied_proposed_and_shown_around(make_window, tmp_path, qtbot):
    window = make_window()
    qtbot.mouseClick(window.start.findChild(QPushButton, "sample"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(window) and len(window.area.session.ids) == 19, timeout=LONG)
    assert tmp_path in window.area.session.folder.parents

    tour = window.findChild(Tour)
    assert tour.isVisible()
    for _ in range(6):
        qtbot.mouseClick(tour.next, Qt.MouseButton.LeftButton)
        assert window.rect().contains(tour.geometry())
    assert tour.next.text() == "Start"
    qtbot.mouseClick(tour.next, Qt.MouseButton.LeftButton)
    assert not tour.isVisible()

    qtbot.waitUntil(lambda: bool(window.area.jobs.jobs), timeout=LONG)
    window.area.jobs.cancel(window.area.jobs.jobs[0].id)
    qtbot.waitUntil(lambda: not window.area.jobs.jobs, timeout=LONG)


def test_a_folder_dropped_on_a_project_adds_its_photos(window, tmp_path, qtbot):
    write_image(tmp_path / "more" / "new.png", np.full((24, 32, 3), 90, np.uint8))
    drop(window, [tmp_path / "more"])
    qtbot.waitUntil(lambda: len(window.area.session.ids) == 7, timeout=LONG)
    assert "1 photos added" in window.notices.words.text()


def test_a_project_dropped_on_the_window_opens(make_window, folder, qtbot):
    window = make_window()
    drop(window, [folder])
    qtbot.waitUntil(lambda: shown(window), timeout=LONG)


def test_labels_dropped_on_a_project_are_offered_for_import(window, tmp_path, qtbot):
    labels = tmp_path / "labels.json"
    labels.write_text("{}")
    drop(window, [labels])
    dialog = window.findChild(ImportDialog)
    assert dialog.file.text() == str(labels)
    dialog.reject()


def test_how_long_ago_is_said_in_words(qapp):
    assert when(1000, now=1010) == "just now"
    assert when(0, now=7200) == "2 hours ago"
    assert when(0, now=3 * 86400) == "3 days ago"


def test_notices_can_be_closed_and_their_report_copied(make_window, qtbot):
    window = make_window()
    try:
        raise ValueError("something odd")
    except ValueError as error:
        window.report(error)
    bar = window.notices
    assert bar.isVisible()
    assert "your work is safe" in bar.words.text()
    qtbot.mouseClick(bar.details_button, Qt.MouseButton.LeftButton)
    assert "ValueError: something odd" in bar.details.toPlainText()
    qtbot.mouseClick(bar.copy_button, Qt.MouseButton.LeftButton)
    assert "ValueError: something odd" in QApplication.clipboard().text()
    qtbot.mouseClick(bar.close_button, Qt.MouseButton.LeftButton)
    assert not bar.isVisible()
