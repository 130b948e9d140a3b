"""A hand on 2D points: the body follows within a pixel, one drag is one step, keys do what they say."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from annotator.document import Part, PartKind
from annotator.qt.workspace import Tool
from annotator.quality import point_errors_px
from cliff_core.records import Provenance
from cliff_core.skeletons import COCO17

WRIST = COCO17.index("left_wrist")


@pytest.fixture
def standing(bench, saved, window):
    """Points where the body's own are, so that a fitted body has a chance to stay."""
    from annotator.commands import SetPoints
    from annotator.rig import point_rows
    from cliff_core.fitting.kinematics import Skeleton
    from cliff_core.geometry.rotations import rotvec_to_rotmat
    from cliff_core.records import Keypoints

    workspace = bench.canvas.workspace
    figure = workspace.figure
    params = figure.params
    points = Skeleton(figure.body).points(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl)
    shown = points[:, :2] / points[:, 2:] * figure.camera.focal_length_px + figure.camera.centre_px
    keypoints = Keypoints.uniform("coco17", shown[point_rows("coco17")], np.full(17, 2), source=Provenance.IMPORTED)
    workspace.document.edit(SetPoints(figure.person.id, keypoints, source=Provenance.IMPORTED))
    saved(window)
    bench.canvas.fit_person(glide=False)
    return workspace


def place(bench, row=WRIST):
    return bench.canvas.points_shown(bench.canvas.workspace.figure)[row]


def test_dragging_a_point_moves_it_and_the_body_meets_it_within_a_pixel(bench, mouse, standing, saved, window):
    standing.rig.trust = 1.0
    start = place(bench)
    mouse.press(start)
    mouse.move(start + (30, -45), steps=15)
    assert standing.document.live  # the body follows while the hand moves
    mouse.release()
    saved(window)
    assert place(bench) == pytest.approx(start + (30, -45), abs=0.01)
    assert point_errors_px(standing.figure)[WRIST] <= 1.0
    assert standing.figure.keypoints.source[WRIST] is Provenance.HUMAN
    assert not standing.document.live


def test_a_drag_is_one_step_that_undo_takes_back_whole(bench, mouse, standing, saved, window, qtbot):
    before, pose = place(bench), standing.figure.params.pose_rotvec.copy()
    mouse.drag(before, before + (25, 25), steps=12)
    saved(window)
    assert standing.document.undo_label == "Move left wrist"
    qtbot.keyClick(bench.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    saved(window)
    assert place(bench) == pytest.approx(before)
    assert np.array_equal(standing.figure.params.pose_rotvec, pose)


def test_alt_keeps_the_body_and_shift_is_finer(bench, mouse, standing, saved, window):
    start, pose = place(bench), standing.figure.params.pose_rotvec.copy()
    mouse.drag(start, start + (20, 0), keys=Qt.KeyboardModifier.AltModifier)
    saved(window)
    assert np.array_equal(standing.figure.params.pose_rotvec, pose)
    start = place(bench)
    mouse.drag(start, start + (50, 0), keys=Qt.KeyboardModifier.ShiftModifier)
    saved(window)
    assert place(bench) == pytest.approx(start + (10, 0), abs=0.5)


def test_a_press_without_a_movement_changes_nothing(bench, mouse, standing, saved, window, on_disk):
    label = standing.document.undo_label
    mouse.press(place(bench))
    mouse.release()
    saved(window)
    assert standing.document.undo_label == label
    assert standing.document.part == Part(PartKind.POINT, "left_wrist")


def test_escape_gives_a_drag_up(bench, mouse, standing, saved, window, qtbot):
    start, label = place(bench), standing.document.undo_label
    mouse.press(start)
    mouse.move(start + (40, 40))
    qtbot.keyClick(bench.canvas, Qt.Key.Key_Escape)
    mouse.release()
    saved(window)
    assert place(bench) == pytest.approx(start)
    assert standing.document.undo_label == label


def test_keys_say_whether_a_point_is_seen(bench, mouse, standing, saved, window, qtbot):
    def press(key, keys=Qt.KeyboardModifier.NoModifier):
        qtbot.keyClick(bench.canvas, key, keys)
        saved(window)
        return int(standing.figure.keypoints.visibility[WRIST])

    standing.document.select(standing.document.selected, Part(PartKind.POINT, "left_wrist"))
    assert press(Qt.Key.Key_2) == 1
    assert press(Qt.Key.Key_1) == 2
    assert press(Qt.Key.Key_0) == 0
    assert press(Qt.Key.Key_V) == 2
    before = standing.figure.keypoints.points_px[WRIST].copy()
    press(Qt.Key.Key_Right)
    press(Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert standing.figure.keypoints.points_px[WRIST] == pytest.approx(before + (1, 10))


def test_held_arrow_keys_lose_no_step(bench, standing, saved, window, qtbot):
    standing.document.select(standing.document.selected, Part(PartKind.POINT, "left_wrist"))
    before = standing.figure.keypoints.points_px[WRIST].copy()
    for _ in range(5):
        qtbot.keyClick(bench.canvas, Qt.Key.Key_Left)
    saved(window)
    assert standing.figure.keypoints.points_px[WRIST] == pytest.approx(before - (5, 0))


def test_swapping_legs_exchanges_their_points_and_nothing_else(bench, standing, saved, window, qtbot):
    before = standing.figure.keypoints.points_px.copy()
    qtbot.keyClick(bench.canvas, Qt.Key.Key_M, Qt.KeyboardModifier.ShiftModifier)
    saved(window)
    after = standing.figure.keypoints.points_px
    knee = COCO17.index("left_knee"), COCO17.index("right_knee")
    assert after[knee[0]] == pytest.approx(before[knee[1]])
    assert after[WRIST] == pytest.approx(before[WRIST])


def test_back_to_the_detection(bench, mouse, saved, window, qtbot):
    workspace = bench.canvas.workspace
    workspace.rig.follow = False
    detected = workspace.figure.keypoints.points_px[WRIST].copy()
    start = place(bench)
    mouse.drag(start, start + (15, 5))
    saved(window)
    assert workspace.figure.keypoints.points_px[WRIST] != pytest.approx(detected)
    qtbot.keyClick(bench.canvas, Qt.Key.Key_S)
    saved(window)
    assert workspace.figure.keypoints.points_px[WRIST] == pytest.approx(detected)


def test_points_are_placed_one_by_one_on_somebody_who_has_none(bench, mouse, saved, window, qtbot):
    workspace = bench.canvas.workspace
    workspace.rig.follow = False
    qtbot.keyClick(bench.canvas, Qt.Key.Key_B)
    mouse.drag((20, 20), (120, 220))
    saved(window)
    figure = workspace.figure
    assert figure.box is not None
    assert not figure.keypoints.visibility.any()
    qtbot.keyClick(bench.canvas, Qt.Key.Key_P)
    for place_px in ((40, 60), (60, 60)):
        mouse.press(place_px)
        mouse.release()
        saved(window)
    qtbot.keyClick(bench.canvas, Qt.Key.Key_Escape)
    placed = workspace.figure.keypoints
    assert [COCO17.names[row] for row in np.flatnonzero(placed.visibility)] == ["nose", "left_eye"]
    assert placed.points_px[1] == pytest.approx(bench.canvas.view.to_photo(60, 60))
    assert workspace.tool is Tool.DRAG


def test_the_wheel_keeps_what_is_under_the_cursor_and_the_overlay_stays_sharp(bench, mouse):
    here = np.array([300.0, 260.0])
    before = bench.canvas.view.to_photo(*here)
    mouse.wheel(here, 3)
    assert bench.canvas.view.to_photo(*here) == pytest.approx(before)
    mouse.drag((4, 4), (64, 34))
    assert bench.canvas.view.to_photo(*(here + (60, 30))) == pytest.approx(before)


def test_holding_the_overlay_key_peeks_at_the_photo(bench, qtbot):
    canvas = bench.canvas
    shown = canvas.grab().toImage()
    qtbot.keyPress(canvas, Qt.Key.Key_H)
    qtbot.wait(300)
    peeked = canvas.grab().toImage()
    assert peeked != shown
    x, y = (int(value) for value in canvas.joint_place(canvas.workspace.figure, "spine2"))
    assert QColor(peeked.pixel(x, y)) != QColor(shown.pixel(x, y))
    qtbot.keyRelease(canvas, Qt.Key.Key_H)
    assert not canvas.workspace.options.peek
