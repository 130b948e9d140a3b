"""The campaign's panel: who is next and why, and the curve of what corrections have brought."""

from annotator.commands import Review, SetPose


def test_the_panel_says_whom_to_look_at_and_goes_there(window, qtbot, saved):
    panel, document = window.area.campaign, window.area.session.document
    person = document.people[1].id
    document.edit(SetPose(person, {"left_knee": [1.2, 0.0, 0.0]}))
    document.edit(Review(person, "rejected", "left knee bends backwards"))
    saved(window)
    window.actions_["view.campaign"].trigger()
    first = "rejected: left knee bends backwards"
    qtbot.waitUntil(lambda: panel.list.count() > 0 and first in panel.list.item(0).text(), timeout=20_000)
    assert "People corrected: 1. Actions: 1." in panel.words.text()
    xs, ys = panel._curve.getData()
    assert xs.tolist() == [0, 1]
    assert ys[1] > 10
    document.select(document.people[0].id)
    panel.go_button.click()
    qtbot.waitUntil(lambda: document.selected == person)
