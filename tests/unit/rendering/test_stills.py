"""Stills show the whole body on dark ground from the side that was asked for, or say what is missing."""

import subprocess
import sys

import numpy as np
import pytest
import trimesh

from cliff_core.errors import GeometryError, ResourceError
from cliff_core.rendering.stills import front_and_side, render_still
from cliff_core.rendering.theme import BACKGROUND

RED = (220, 30, 30)


def plank():
    """Wide, tall and thin, upright before the camera."""
    mesh = trimesh.creation.box((1.0, 1.8, 0.2))
    return mesh.vertices + np.array([0.3, 0.1, 4.0]), mesh.faces


def red(picture):
    return picture[..., 0].astype(int) - picture[..., 2] > 40


@pytest.fixture(scope="module")
def stills():
    vertices, faces = plank()
    try:
        return {view: render_still(vertices, faces, view, (128, 192), RED) for view in ("front", "side")}
    except ResourceError as error:
        pytest.skip(str(error))


def test_a_still_shows_the_whole_body_in_the_middle(stills):
    mask = red(stills["front"])
    ys, xs = np.nonzero(mask)
    assert stills["front"].shape == (192, 128, 3)
    assert tuple(stills["front"][2, 2]) == pytest.approx(BACKGROUND, abs=2)
    assert (xs.min() + xs.max()) / 2 == pytest.approx(63.5, abs=3)
    assert xs.min() > 2
    assert ys.min() > 2
    assert ys.max() < 189
    assert 1.5 < np.ptp(ys) / np.ptp(xs) < 2.1


def test_from_the_side_a_thin_body_is_narrow(stills):
    front, side = red(stills["front"]).any(axis=0).sum(), red(stills["side"]).any(axis=0).sum()
    assert side < 0.5 * front


@pytest.mark.slow
def test_front_and_side_stand_beside_each_other(stills):
    vertices, faces = plank()
    picture = front_and_side(vertices, faces, 192, RED)
    assert picture.shape == (192, 256, 3)
    assert red(picture[:, :128]).any()
    assert red(picture[:, 128:]).any()


def test_without_pyrender_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrender", None)
    with pytest.raises(ResourceError, match="pip install pyrender"):
        render_still(*plank())


def test_wrong_input_is_refused_before_anything_is_opened():
    vertices, faces = plank()
    with pytest.raises(GeometryError, match="choose front, side or back"):
        render_still(vertices, faces, "top")
    with pytest.raises(GeometryError, match="not finite"):
        render_still(vertices * np.nan, faces)


def test_pyrender_is_not_imported_before_a_still_is_wanted():
    code = "import sys, cliff_core.rendering.stills, cliff_core.rendering.overlay; print('pyrender' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
