"""Bodies follow what CLIFF says of points that a hand has placed: a real process beside a real window."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt

from annotator.asking import AskedProcess, question_of
from annotator.commands import SetPose
from annotator.project import Prediction, Run, create_project
from annotator.quality import point_errors_px
from annotator.rig import predicted
from cliff_core.body import load_body
from cliff_core.images import read_image
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.records import Box, Camera, Keypoints, Provenance
from cliff_core.skeletons import COCO17

SAMPLE = Path(__file__).resolve().parents[3] / "resources" / "sample" / "photos"
PHOTO = "gym_kick.jpg"
WRIST, ANKLE = COCO17.index("left_wrist"), COCO17.index("right_ankle")
ANSWER = 60_000
_BOX = (140, 342, 482, 813, 0.9)
_TRUE_PX = (  # noses first, as COCO counts
    (262, 408), (269, 396), (255, 400), (286, 382), (253, 394), (323, 437),
    (254, 423), (379, 473), (185, 437), (433, 501), (183, 381), (315, 587),
    (254, 575), (359, 522), (191, 664), (404, 454), (208, 786),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> Path:
    """A project of one real picture with CLIFF's body on it."""
    (tmp_path / "photos").mkdir()
    shutil.copyfile(SAMPLE / PHOTO, tmp_path / "photos" / PHOTO)
    rgb = read_image(SAMPLE / PHOTO)
    project, _ = create_project(tmp_path / "project", tmp_path / "photos")
    with project:
        photo = next(iter(project.photos()))
        box, camera = Box(*_BOX), Camera.guess(photo.size_px)
        points = Keypoints.uniform("coco17", _points(), np.full(17, 2), np.full(17, 0.7), Provenance.MODEL)
        (found,) = Predictor(load_cliff(), load_body()).predict(rgb, [box], [points], camera)
        with project.batch("Propose", Run.new(Provenance.MODEL, "open-cliff")) as batch:
            batch.add_person(photo.id, Prediction.of_estimate(found))
    return tmp_path / "project"


@pytest.fixture
def asked(bench):
    """The workspace of a window that asks."""
    return bench.canvas.workspace


def _points() -> np.ndarray:
    """(17, 2) where they are in the picture."""
    return np.array(_TRUE_PX, dtype=float)


def place(bench, row):
    return bench.canvas.points_shown(bench.canvas.workspace.figure)[row]


def answered(qtbot, workspace, before=None):
    """Wait until what CLIFF says of the selected person is there, and what follows is written."""
    number = workspace.document.selected

    def has_come() -> bool:
        said = workspace.rig.said.get(number)
        return said is not None and said is not before

    qtbot.waitUntil(has_come, timeout=ANSWER)
    qtbot.waitUntil(lambda: workspace.document.pending == 0)
    return workspace.rig.said[number]


def test_a_body_follows_what_cliff_says_of_the_placed_point_in_the_same_step(bench, asked, mouse, qtbot):
    document, figure = asked.document, asked.figure
    before, first = figure.params, predicted(figure)
    pose_of = lambda: asked.figure.params.pose_rotvec  # noqa: E731
    start = place(bench, ANKLE)
    mouse.drag(start, start + (0, -60), steps=10)
    qtbot.waitUntil(lambda: document.pending == 0)
    alone = pose_of().copy()  # it has followed the point, with the prior of before
    said = answered(qtbot, asked)
    qtbot.waitUntil(lambda: not np.array_equal(pose_of(), alone), timeout=5000)
    assert np.abs(said.pose_rotvec - first.pose_rotvec).max() > 0.01
    assert point_errors_px(asked.figure)[ANKLE] < 2.0  # the point under the hand is met, whatever CLIFF says

    qtbot.keyClick(bench.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)  # both are one step
    qtbot.waitUntil(lambda: document.pending == 0)
    assert np.array_equal(pose_of(), before.pose_rotvec)
    assert place(bench, ANKLE) == pytest.approx(start)
    assert not document.undo_label.startswith("Move")


def test_what_a_person_turned_stays_and_a_body_that_was_left_behind_too(bench, asked, mouse, qtbot):
    document, number = asked.document, asked.document.selected
    elbow = [0.1, 0.2, 0.3]
    document.edit(SetPose(number, {"left_elbow": elbow}))
    qtbot.waitUntil(lambda: document.pending == 0)
    start = place(bench, WRIST)
    mouse.drag(start, start + (30, 20), steps=6, keys=Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: document.pending == 0)
    left = asked.figure.params.pose_rotvec.copy()
    said = answered(qtbot, asked)
    assert np.array_equal(asked.figure.params.pose_rotvec, left)

    start = place(bench, ANKLE)
    mouse.drag(start, start + (0, -60), steps=6)
    answered(qtbot, asked, said)
    qtbot.waitUntil(lambda: not np.array_equal(asked.figure.params.pose_rotvec, left), timeout=5000)
    assert asked.figure.params.pose_rotvec[18].tolist() == elbow


def test_a_process_that_ends_is_told_of_once_and_bodies_follow_points_as_before(
    bench, asked, mouse, qtbot, monkeypatch
):
    monkeypatch.setattr("annotator.asking.COMMAND", "no-such-command")
    start = place(bench, ANKLE)
    with qtbot.captureExceptions() as told:
        for _ in range(2):
            mouse.drag(place(bench, ANKLE), place(bench, ANKLE) + (0, -20), steps=6)
            qtbot.waitUntil(lambda: bool(told), timeout=ANSWER)
    assert ["CLIFF cannot be asked" in str(error) for _, error, _ in told] == [True]
    qtbot.waitUntil(lambda: asked.document.pending == 0)
    assert place(bench, ANKLE) == pytest.approx(start + (0, -40), abs=0.1)
    assert point_errors_px(asked.figure)[ANKLE] < 2.0


def test_nobody_asks_about_points_that_nobody_placed(bench, asked):
    figure = asked.figure
    assert question_of(figure.person, asked.document.photo, figure.camera) is None
    assert AskedProcess().is_running is False


def test_a_project_can_be_closed_while_cliff_is_asked(bench, asked, mouse, qtbot, window):
    start = place(bench, ANKLE)
    mouse.drag(start, start + (0, -60), steps=6)
    qtbot.waitUntil(lambda: asked.document.pending == 0)
    qtbot.wait(300)  # the process starts
    window.close()  # the fixtures look for what is left behind
    assert not bench.asking._process.is_running
