"""The quality panel says what deserves a look, while it is seen."""

import pytest
from PySide6.QtCore import Qt

from annotator.commands import SetPose
from annotator.project.queries import worst_first
from annotator.qt.panels.body import BodyPanel
from annotator.qt.panels.body_quality import QualityPanel
from annotator.worklist import INSIDE


@pytest.fixture
def quality(body_tab) -> QualityPanel:
    return body_tab(3, QualityPanel)


def test_an_arm_inside_the_trunk_is_named_with_its_depth(quality, window, saved):
    document = window.area.session.document
    assert quality.rows["inside"].text() == "nowhere"
    document.edit(SetPose(document.selected, {"left_shoulder": (0.0, 0.0, -1.8), "left_elbow": (0.0, -1.4, 0.0)}))
    saved(window)
    assert quality.rows["inside"].text().startswith("left forearm ")
    assert quality.rows["inside"].text().endswith(" mm in trunk")
    assert quality.rows["inside"].property("role") == "bad"
    window.actions_["edit.undo"].trigger()
    saved(window)
    assert quality.rows["inside"].text() == "nowhere"


def test_what_changed_unseen_is_there_when_it_is_seen(quality, window, saved, qtbot):
    document = window.area.session.document
    window.findChild(BodyPanel).tabs.setCurrentIndex(0)
    document.edit(SetPose(document.selected, {"left_knee": (-1.0, 0.0, 0.0)}))
    saved(window)
    window.findChild(BodyPanel).tabs.setCurrentIndex(3)
    qtbot.waitUntil(lambda: "left knee" in quality.rows["limits"].text())


def test_whoever_a_hand_puts_inside_themselves_is_listed_worst_first_and_not_after_undo(
    bench, window, saved, qtbot, on_disk
):
    session, order = window.area.session, window.area.photos.order
    document = session.document
    document.edit(SetPose(document.selected, {"left_shoulder": (0.0, 0.0, -1.8), "left_elbow": (0.0, -1.4, 0.0)}))
    saved(window)
    person, photo = document.selected, document.photo.id
    qtbot.waitUntil(
        lambda: any(row[1] == person for row in on_disk(lambda it: worst_first(it.database, INSIDE, above=0)))
    )

    order.menu().actions()[1].trigger()

    qtbot.waitUntil(lambda: session.ids == [photo])
    assert order.isChecked()
    window.actions_["edit.undo"].trigger()
    saved(window)
    qtbot.waitUntil(lambda: not on_disk(lambda project: worst_first(project.database, INSIDE, above=0)))
    qtbot.mouseClick(order, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(session.ids) == 6)
    qtbot.mouseClick(order, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.area.photos.empty.isVisible)
    assert "inside itself" in window.area.photos.empty.title.text()
