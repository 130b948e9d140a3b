"""One person on several photos gets one shape, in one step, and nobody else does."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication, QCheckBox

from annotator.commands import Review, SetBetas, SetState
from annotator.figures import figure_of, project
from annotator.qt.shape_dialog import Candidate, ShapeDialog, same_place
from cliff_core.fitting.editing import height_m
from cliff_core.records import Box


def shapes(opened) -> dict[int, float]:
    """Tallness of everybody, by number."""
    return {person.id: person.body.params.betas[0] for person in opened.people() if person.is_present}


@pytest.fixture
def tall(bench, window, saved):
    """The selected person is taller than all others."""
    document = window.area.session.document
    document.edit(SetBetas(document.selected, {0: 2.0}))
    saved(window)
    return document.selected


@pytest.fixture
def ask(window, qtbot):
    def open_dialog() -> ShapeDialog:
        window.actions_["body.share_shape"].trigger()
        dialog = window.findChild(ShapeDialog)
        qtbot.waitUntil(lambda: dialog.list.count() == 6)
        return dialog

    return open_dialog


def click(dialog, qtbot, place: int) -> None:
    item = dialog.list.item(place)
    dialog.list.scrollToItem(item)
    middle = dialog.list.visualItemRect(item).center()
    qtbot.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, pos=middle)


def test_clicked_people_get_the_shape_and_undo_takes_it_from_all(window, qtbot, tall, ask, saved, on_disk):
    document = window.area.session.document
    photo, before = document.photo.id, on_disk(shapes)
    dialog = ask()
    for place in (0, 2):
        click(dialog, qtbot, place)
    chosen = {each.person.id for each in dialog._chosen()}
    qtbot.mouseClick(dialog.give, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: document.undo_label == "Share shape")
    saved(window)

    after = on_disk(shapes)
    assert len(chosen) == 2
    assert {number for number in after if after[number] != before[number]} == chosen
    assert all(after[number] == 2.0 for number in chosen)
    assert document.photo.id == photo

    window.actions_["edit.undo"].trigger()
    saved(window)
    assert on_disk(shapes) == before


def test_they_keep_pose_and_size_in_the_photo(window, qtbot, tall, ask, saved, on_disk):
    workspace = window.area.canvas.workspace

    def look(opened):
        people = [person for person in opened.people() if person.photo_id != workspace.document.photo.id]
        return [figure_of(each, opened.photo(each.photo_id), workspace.figure.body) for each in people]

    before = on_disk(look)
    dialog = ask()
    qtbot.mouseClick(dialog.everybody, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dialog.give, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: workspace.document.undo_label == "Share shape")
    saved(window)
    for old, new in zip(before, on_disk(look), strict=True):
        assert height_m(new.body, new.params.betas) > height_m(old.body, old.params.betas) + 0.03
        np.testing.assert_allclose(new.params.pose_rotvec, old.params.pose_rotvec, atol=1e-9)
        seen = [project(each.posed.joints, each.camera) for each in (old, new)]
        np.testing.assert_allclose(seen[1][0], seen[0][0], atol=0.05)
        spans = [np.linalg.norm(np.ptp(each, axis=0)) for each in seen]
        assert spans[1] == pytest.approx(spans[0], rel=0.02)


def test_finished_people_are_only_changed_when_asked(window, qtbot, tall, ask, saved, on_disk):
    document = window.area.session.document
    others = [number for number in on_disk(shapes) if number not in {person.id for person in document.people}]
    document.edit(SetState(others[0], "done"))
    document.edit(Review(others[1], "accepted"))
    saved(window)
    dialog = ask()
    qtbot.mouseClick(dialog.everybody, Qt.MouseButton.LeftButton)
    assert {each.person.id for each in dialog._chosen()} == set(others[2:])
    box = dialog.findChild(QCheckBox)
    assert box.isVisible()
    box.click()
    qtbot.mouseClick(dialog.everybody, Qt.MouseButton.LeftButton)
    assert {each.person.id for each in dialog._chosen()} == set(others)


def test_everybody_has_a_picture(qtbot, tall, ask):
    dialog = ask()
    qtbot.waitUntil(lambda: dialog.list.item(5).icon().pixmap(96, 128).toImage().pixelColor(48, 64).alpha() != 0)


def test_whoever_stands_in_the_same_place_is_followed(on_disk, tall):
    def look(opened):
        people = list(opened.people())
        return people[0], people[2], people[3]

    source, near, far = on_disk(look)
    candidates = [Candidate(near, None, None, 1), Candidate(far, None, None, 1)]
    assert same_place(source.box, candidates) == {near.id}
    assert same_place(Box(500, 500, 510, 510), candidates) == set()
    assert same_place(None, candidates) == set()


def test_a_dialog_that_is_closed_at_once_is_no_problem(window, tall, qtbot, saved):
    problems = []
    window.area.session.desk.problem.connect(problems.append)
    for _ in range(3):
        window.actions_["body.share_shape"].trigger()
        window.findChild(ShapeDialog).reject()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    saved(window)
    qtbot.wait(300)
    assert not problems
