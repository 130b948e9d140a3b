"""The reviewer accepts and rejects, remarks are pinned, and the next one comes by itself."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QPushButton

from annotator.commands import SetState
from annotator.document import Part, PartKind
from annotator.project import open_project


@pytest.fixture
def reviewing(folder, make_window, qtbot, request):
    """A window in review mode; everybody on the first two photos is done."""
    with open_project(folder) as project:
        for photo in list(project.photos())[:2]:
            for person in project.people_on(photo.id):
                project.edit(SetState(person.id, "done"))
    window = make_window()
    window.open(folder)
    qtbot.waitUntil(lambda: window.area is not None and bool(window.area.session.document.people), timeout=10_000)
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    window.area.canvas.setFocus()
    return window


def test_return_accepts_and_goes_on(reviewing, qtbot, saved, on_disk):
    window, document = reviewing, reviewing.area.session.document
    first, second = (person.id for person in document.people)

    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: document.selected == second)
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: document.photo.name == "photo1.png")

    saved(window)
    assert on_disk(lambda project: [project.person(each).verdict for each in (first, second)]) == ["accepted"] * 2


def test_backspace_asks_for_the_reason_and_return_rejects(reviewing, qtbot, saved, on_disk):
    window, document = reviewing, reviewing.area.session.document
    first = document.people[0].id

    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Backspace)
    reason = window.area.review.reason.lineEdit()
    assert reason.hasFocus()
    qtbot.keyClicks(reason, "left knee bends backwards")
    qtbot.keyClick(reason, Qt.Key.Key_Return)

    qtbot.waitUntil(lambda: document.selected == document.people[1].id)
    qtbot.waitUntil(window.area.canvas.hasFocus)  # the next Return is about the next person
    saved(window)
    person = on_disk(lambda project: project.person(first))
    assert (person.verdict, person.reason) == ("rejected", "left knee bends backwards")


def test_nobody_is_rejected_without_a_reason(reviewing, qtbot):
    window = reviewing
    window.actions_["review.reject"].trigger()
    assert not window.area.review.reject_button.isEnabled()
    qtbot.keyClick(window.area.review.reason.lineEdit(), Qt.Key.Key_Return)
    qtbot.wait(50)
    assert window.area.session.document.people[0].verdict == ""


def test_review_mode_works_in_the_second_project_too(reviewing, folder, qtbot):
    window = reviewing
    window.close_project()
    window.open(folder)
    qtbot.waitUntil(lambda: window.area is not None and bool(window.area.session.document.people), timeout=10_000)
    window.actions_.check("review.mode", True)
    assert window.area.review.isVisible()
    qtbot.wait(50)
    assert not window.notices.isVisible()


def test_w_finds_the_next_to_review_also_from_elsewhere(reviewing, qtbot):
    window, session = reviewing, reviewing.area.session
    session.go(session.ids[4])
    qtbot.waitUntil(lambda: session.document.photo.name == "photo4.png")
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_W)
    qtbot.waitUntil(lambda: session.document.photo.name == "photo0.png")


def test_a_remark_is_pinned_to_the_selected_point_and_leads_back_to_it(reviewing, qtbot, saved, on_disk):
    window, document = reviewing, reviewing.area.session.document
    person = document.people[1]
    document.select(person.id, Part(PartKind.POINT, "left_wrist"))
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_K)
    text = window.area.review.text
    assert text.hasFocus()
    qtbot.keyClicks(text, "is this the wrist?")
    qtbot.keyClick(text, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(document.comments) == 1)
    saved(window)
    (comment,) = on_disk(lambda project: project.comments_on(document.photo.id))
    assert (comment.text, comment.place) == ("is this the wrist?", {"person": person.uid, "point": "left_wrist"})

    document.select(document.people[0].id)
    card = window.area.review.findChild(QFrame, "comment")
    qtbot.mouseClick(card.findChild(QPushButton, "where"), Qt.MouseButton.LeftButton)
    assert (document.selected, document.part) == (person.id, Part(PartKind.POINT, "left_wrist"))

    qtbot.mouseClick(card.findChild(QPushButton, "resolve"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: document.comments[0].is_resolved)
