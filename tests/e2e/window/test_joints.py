"""A hand on SMPL joints, in the photo and from the side: targets are met, other limbs rest, one drag is one step."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from annotator.commands import AddPerson, SetPose
from annotator.document import Part, PartKind
from annotator.project import Run
from annotator.qt.canvas.options import Handles
from annotator.qt.canvas.side_view import SideView
from cliff_core.records import Box, Provenance
from cliff_core.skeletons import SMPL24

from .conftest import Mouse, prediction

WRIST = SMPL24.index("left_wrist")
OTHERS = [SMPL24.index(name) for name in ("right_wrist", "left_ankle", "right_ankle", "head", "pelvis")]


@pytest.fixture
def joints(bench, saved, window):
    """Hands take hold of joints of somebody whose left elbow is bent, so that the wrist can go anywhere near."""
    workspace = bench.canvas.workspace
    workspace.show(handles=Handles.JOINTS)
    bend = {"left_elbow": (0.0, -1.2, 0.0), "left_shoulder": (0.2, -0.3, -0.6)}
    workspace.document.edit(SetPose(workspace.document.selected, bend, Provenance.IMPORTED))
    saved(window)
    return workspace


@pytest.fixture
def side(window, joints, qtbot) -> SideView:
    """The side view, large enough for a hand."""
    view = window.findChild(SideView)
    view.frame_person()
    qtbot.wait(10)
    return view


def test_a_joint_dragged_in_the_photo_meets_the_cursor_and_other_limbs_rest(bench, joints, mouse, saved, window):
    canvas, before = bench.canvas, joints.figure.posed.joints.copy()
    start = canvas.joint_place(joints.figure, "left_wrist")
    mouse.drag(start, start + (-20, -30), steps=15)
    saved(window)
    after = joints.figure.posed.joints
    assert canvas.joint_place(joints.figure, "left_wrist") == pytest.approx(start + (-20, -30), abs=0.5)
    assert np.abs(after[OTHERS] - before[OTHERS]).max() < 0.002
    assert joints.document.undo_label == "Move left wrist"


def test_from_the_side_a_joint_moves_in_depth_to_within_a_millimetre(side, joints, saved, window):
    mouse, before = Mouse(side), joints.figure.posed.joints.astype(float)
    start = side.joint_place(joints.figure, "left_wrist")
    mouse.press(start)
    mouse.move(start + (12, -6), steps=15)
    wanted = side.eye.reach(*(start + (12, -6)), before[WRIST])
    mouse.release()
    saved(window)
    after = joints.figure.posed.joints
    assert np.linalg.norm(after[WRIST] - wanted) < 0.001
    assert abs(after[WRIST, 2] - before[WRIST, 2]) > 0.02
    assert np.abs(after[OTHERS] - before[OTHERS]).max() < 0.002
    sources = joints.figure.person.body.pose_source
    assert sources[SMPL24.index("left_elbow")] is Provenance.HUMAN
    assert sources[SMPL24.index("right_elbow")] is not Provenance.HUMAN


def test_the_wheel_moves_a_held_joint_towards_the_camera(bench, joints, mouse, saved, window):
    start = bench.canvas.joint_place(joints.figure, "left_wrist")
    depth = joints.figure.posed.joints[WRIST, 2]
    mouse.press(start)
    mouse.move(start + (1, 0), steps=1)
    mouse.wheel(start + (1, 0), 2)
    mouse.release()
    saved(window)
    assert depth - joints.figure.posed.joints[WRIST, 2] == pytest.approx(0.04, abs=0.003)


def test_a_target_out_of_reach_is_told(bench, joints, mouse, qtbot):
    start = bench.canvas.joint_place(joints.figure, "left_wrist")
    mouse.press(start)
    mouse.move(start + (320, -200), steps=10)
    assert "out of reach" in bench.canvas.words
    qtbot.keyClick(bench.canvas, Qt.Key.Key_Escape)
    mouse.release()


def test_a_pinned_foot_stands_while_the_hips_are_dragged(bench, joints, mouse, saved, window, qtbot):
    joints.document.select(joints.document.selected, Part(PartKind.JOINT, "left_ankle"))
    qtbot.keyClick(bench.canvas, Qt.Key.Key_R)
    assert joints.pinned(joints.document.selected) == {"left_ankle"}
    joints.document.select(joints.document.selected, None)
    before = joints.figure.posed.joints.copy()
    start = bench.canvas.joint_place(joints.figure, "pelvis")
    mouse.drag(start, start + (0, 14), steps=10)
    saved(window)
    after = joints.figure.posed.joints
    left, right = SMPL24.index("left_ankle"), SMPL24.index("right_ankle")
    assert np.linalg.norm(after[left] - before[left]) < 0.001
    assert after[right, 1] - before[right, 1] == pytest.approx(after[0, 1] - before[0, 1], abs=1e-4)
    assert after[0, 1] - before[0, 1] > 0.02
    assert joints.document.undo_label == "Move pelvis"


def test_another_photo_lets_go_of_what_the_side_view_holds(bench, side, joints, saved, window, qtbot):
    mouse, label = Mouse(side), joints.document.undo_label
    start = side.joint_place(joints.figure, "left_wrist")
    mouse.press(start)
    mouse.move(start + (8, -4), steps=4)
    qtbot.keyClick(bench.canvas, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: joints.document.photo.name == "photo1.png")
    mouse.move(start + (16, -8), steps=4)
    mouse.release()
    saved(window)
    assert side.hand.gesture is None
    assert not joints.document.live
    assert joints.document.undo_label == label


def test_a_ring_turns_its_joint_only(bench, joints, mouse, saved, window):
    joints.document.select(joints.document.selected, Part(PartKind.JOINT, "left_elbow"))
    canvas, before = bench.canvas, joints.figure.params.pose_rotvec.copy()
    ring = max(canvas.rings(), key=lambda ring: abs(ring.axis @ canvas.eye_of(joints.figure).towards(ring.centre_m)))
    others = canvas.eye_of(joints.figure).project(joints.figure.posed.joints)
    free = max(range(len(ring.shown)), key=lambda k: np.nanmin(np.hypot(*(others - ring.shown[k]).T)))
    centre = canvas.joint_place(joints.figure, "left_elbow")
    start = ring.shown[free]
    along = np.array([-(start - centre)[1], (start - centre)[0]])
    mouse.drag(start, start + 0.6 * along, steps=12)
    saved(window)
    changed = np.flatnonzero(np.abs(joints.figure.params.pose_rotvec - before).max(axis=1) > 1e-9)
    assert [SMPL24.names[k] for k in changed] == ["left_elbow"]
    assert joints.document.undo_label == "Turn left elbow"


def test_rings_are_out_of_the_way_while_a_joint_moves_and_come_back(bench, side, joints, mouse, saved, window):
    canvas = bench.canvas
    joints.document.select(joints.document.selected, Part(PartKind.JOINT, "left_wrist"))
    assert len(canvas.rings_shown()) == len(side.rings_shown()) == 3
    start = canvas.joint_place(joints.figure, "left_wrist")
    mouse.press(start)
    mouse.move(start + (-10, -15), steps=3)
    assert not canvas.rings_shown()
    assert not side.rings_shown()
    mouse.release()
    saved(window)
    assert len(canvas.rings_shown()) == len(side.rings_shown()) == 3


def test_typed_angles_come_out_as_typed(window, joints, saved):
    from annotator.qt.panels.body import BodyPanel

    panel = window.findChild(BodyPanel).pose
    joints.document.select(joints.document.selected, Part(PartKind.JOINT, "left_elbow"))
    panel.angles["bend"].setValue(70)
    saved(window)
    assert panel.angles["bend"].value() == pytest.approx(70, abs=0.6)
    assert joints.document.undo_label == "Turn left elbow"


def test_a_locked_joint_keeps_its_rotation_to_the_digit(bench, joints, mouse, saved, window, qtbot):
    canvas = bench.canvas
    joints.document.select(joints.document.selected, Part(PartKind.JOINT, "left_elbow"))
    qtbot.keyClick(canvas, Qt.Key.Key_L)
    before = joints.figure.params.pose_rotvec[SMPL24.index("left_elbow")].copy()
    joints.document.select(joints.document.selected, None)
    start = canvas.joint_place(joints.figure, "left_wrist")
    mouse.drag(start, start + (-10, -14), steps=8)
    saved(window)
    assert np.array_equal(joints.figure.params.pose_rotvec[SMPL24.index("left_elbow")], before)


def test_somebody_whose_body_comes_later_stands_in_the_middle_of_the_side_view(bench, window, qtbot):
    session, workspace, side = window.area.session, bench.canvas.workspace, window.findChild(SideView)
    someone = []
    session.document.edit(AddPerson(session.document.photo.id, Box(150, 30, 240, 220)), someone.append)
    qtbot.waitUntil(lambda: bool(someone))
    added = someone[0].subjects[0].id
    session.document.select(added)
    assert workspace.figure.posed is None

    def propose(project) -> frozenset[int]:
        with project.batch("Propose", Run.new(Provenance.MODEL, "open-cliff 1")) as batch:
            batch.apply(added, prediction(7, 150))
        return frozenset({session.document.photo.id})

    session.desk.project(propose, session.changed_by_others)
    qtbot.waitUntil(lambda: workspace.figure.posed is not None)
    vertices = workspace.figure.posed.vertices
    middle = side.eye.project((vertices.min(axis=0, keepdims=True) + vertices.max(axis=0, keepdims=True)) / 2)[0]
    np.testing.assert_allclose(middle, side._middle, atol=1)


def test_dragging_beside_the_body_walks_around_it(side):
    mouse, before = Mouse(side), side.azimuth_deg
    mouse.drag((6, 6), (66, 6))
    assert side.azimuth_deg == pytest.approx(before + 30)


def test_a_depth_alternative_looks_the_same_in_the_photo(bench, joints, saved, window, qtbot):
    from annotator.qt.panels.alternatives import Alternatives

    strip = window.findChild(Alternatives)
    joints.document.select(joints.document.selected, Part(PartKind.JOINT, "left_wrist"))
    qtbot.waitUntil(lambda: len(strip.found) > 1, timeout=10_000)
    shown, depth = joints.figure.joints_px.copy(), joints.figure.posed.joints[WRIST, 2]
    qtbot.keyClick(bench.canvas, Qt.Key.Key_X)
    saved(window)
    limb = [SMPL24.index(name) for name in ("left_shoulder", "left_elbow", "left_wrist")]
    assert np.linalg.norm(joints.figure.joints_px[limb] - shown[limb], axis=1).max() < 1.0
    assert abs(joints.figure.posed.joints[WRIST, 2] - depth) > 0.02
