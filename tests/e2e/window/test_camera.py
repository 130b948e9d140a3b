"""The photo's camera in the body's panel: bodies stay where they are seen, and the guess is nobody's word."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from annotator.project.fields import source_of
from annotator.qt.panels.body_camera import CameraPanel
from cliff_core.records import Camera, Provenance


def strongest(button) -> int:
    """How far the most colourful pixel of a button is from grey."""
    image = button.grab().toImage()
    pixels = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    return max(max(each.getRgb()[:3]) - min(each.getRgb()[:3]) for each in pixels)


@pytest.fixture
def panel(body_tab) -> CameraPanel:
    return body_tab(2, CameraPanel)


def test_back_to_the_guess_is_a_guess_again_and_nobodys_word(panel, bench, window, saved, qtbot):
    document = window.area.session.document
    seen = bench.canvas.workspace.figure.joints_px.copy()
    assert not panel.guess.isEnabled()
    panel.focal.setValue(900)
    saved(window)
    assert source_of(document.photo.own["camera"]) is Provenance.HUMAN
    assert panel.source.text() == "Set by hand"

    qtbot.mouseClick(panel.guess, Qt.MouseButton.LeftButton)
    saved(window)

    assert document.photo.camera == Camera.guess(document.photo.size_px)
    assert source_of(document.photo.own["camera"]) is Provenance.MODEL
    assert document.photo.known_camera is None
    assert panel.source.text().startswith("Guessed")
    assert not panel.guess.isEnabled()
    np.testing.assert_allclose(bench.canvas.workspace.figure.joints_px, seen, atol=2.0)


def test_a_link_that_leads_nowhere_has_not_the_colour_of_one(panel, window, saved):
    assert not panel.guess.isEnabled()
    grey = strongest(panel.guess)
    panel.focal.setValue(900)
    saved(window)
    assert panel.guess.isEnabled()
    assert strongest(panel.guess) > 2 * grey  # letters smoothed by subpixels have a little colour themselves
