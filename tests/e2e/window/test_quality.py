"""The quality panel says what deserves a look, while it is seen."""

import pytest

from annotator.commands import SetPose
from annotator.qt.panels.body import BodyPanel
from annotator.qt.panels.body_quality import QualityPanel


@pytest.fixture
def quality(bench, window, qtbot) -> QualityPanel:
    window.area.docks.raise_("body")
    window.findChild(BodyPanel).tabs.setCurrentIndex(3)
    panel = window.findChild(QualityPanel)
    qtbot.waitUntil(panel.isVisible)
    return panel


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
