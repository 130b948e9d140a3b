"""Edits of a body: each does what its name says and nothing else, and can be taken back."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cliff_core.errors import GeometryError
from cliff_core.fitting import editing
from cliff_core.geometry.rotations import geodesic_deg, rotvec_to_rotmat
from cliff_core.records import Camera
from cliff_core.skeletons import SMPL24

ROTVECS = arrays(np.float64, 3, elements=st.floats(-1.8, 1.8))
AXES = ROTVECS.filter(lambda axis: np.linalg.norm(axis) > 0.1).map(lambda axis: axis / np.linalg.norm(axis))


def test_mirroring_twice_changes_nothing(people):
    for params in people:
        for mirror in (editing.mirror_pose, lambda p: editing.mirror_limb(p, "left_arm"),
                       lambda p: editing.mirror_limb(p, "right_leg")):  # fmt: skip
            once = mirror(params)
            assert not np.allclose(once.pose_rotvec, params.pose_rotvec)
            np.testing.assert_array_equal(mirror(once).pose_rotvec, params.pose_rotvec)


def test_a_mirrored_body_is_its_mirror_image(skeleton, people):
    for params in people[:5]:
        rotmat, mirrored = (rotvec_to_rotmat(p.pose_rotvec) for p in (params, editing.mirror_pose(params)))
        rotmat[0] = mirrored[0] = np.eye(3)
        one, other = (skeleton.body.forward_kinematics(r, np.zeros(10))[0] for r in (rotmat, mirrored))
        np.testing.assert_allclose(other[SMPL24.flip] * (-1, 1, 1), one, atol=0.03)  # the open body is not quite even


def test_mirroring_keeps_place_and_direction(people):
    mirrored = editing.mirror_pose(people[0])
    np.testing.assert_array_equal(mirrored.pose_rotvec[0], people[0].pose_rotvec[0])
    np.testing.assert_array_equal(mirrored.transl, people[0].transl)


def test_a_limb_is_copied_and_nothing_else(people):
    source, target = people[0], people[1]
    copied = editing.copy_limb(source, target, "left_arm")
    rows = list(editing.LIMBS["left_arm"])
    np.testing.assert_array_equal(copied.pose_rotvec[rows], source.pose_rotvec[rows])
    others = sorted(set(range(24)) - set(rows))
    np.testing.assert_array_equal(copied.pose_rotvec[others], target.pose_rotvec[others])


def test_a_limb_copied_to_the_other_side_is_its_mirror_image(people):
    both = editing.copy_limb(people[0], people[0], "left_leg", "right_leg")
    np.testing.assert_array_equal(editing.mirror_limb(both, "left_leg").pose_rotvec, both.pose_rotvec)
    with pytest.raises(GeometryError, match="arms go onto arms"):
        editing.copy_limb(people[0], people[0], "left_leg", "left_arm")


@given(rotvec=ROTVECS, axis=AXES)
def test_swing_and_twist_compose_to_the_rotation(rotvec, axis):
    swing, twist = editing.swing_twist(rotvec, axis)
    assert abs(swing @ axis) < 1e-9
    rotation = rotvec_to_rotmat(rotvec)
    np.testing.assert_allclose(rotvec_to_rotmat(editing.compose(swing, axis, twist)), rotation, atol=1e-6)


def test_typed_angles_come_back(people):
    for joint in range(1, 24):
        params = editing.with_joint_angles(people[0], joint, np.array([0.3, -0.5, 0.2]))
        np.testing.assert_allclose(editing.joint_angles(params, joint), [0.3, -0.5, 0.2], atol=1e-9)
        same = editing.with_joint_angles(people[0], joint, editing.joint_angles(people[0], joint))
        angle = geodesic_deg(rotvec_to_rotmat(same.pose_rotvec[joint]), rotvec_to_rotmat(people[0].pose_rotvec[joint]))
        assert angle < 1e-5


def test_joints_flex_forwards_and_move_away_from_the_body(skeleton):
    rest = skeleton.body.forward_kinematics(np.tile(np.eye(3), (24, 1, 1)), np.zeros(10))[0]

    def moved(name, axis, end):
        angles = [0.5 * (axis == move) for move in editing.MOVES]
        params = editing.with_joint_angles(_rest(), SMPL24.index(name), np.array(angles))
        joints, _ = skeleton.body.forward_kinematics(rotvec_to_rotmat(params.pose_rotvec), np.zeros(10))
        return (joints - rest)[SMPL24.index(end)]

    for side, sign in (("left", 1), ("right", -1)):  # the body's left is +x, forward is +z, up is +y
        assert moved(f"{side}_hip", "bend", f"{side}_knee")[2] > 0.1
        assert moved(f"{side}_knee", "bend", f"{side}_ankle")[2] < -0.1
        assert moved(f"{side}_shoulder", "bend", f"{side}_wrist")[2] > 0.1
        assert moved(f"{side}_elbow", "bend", f"{side}_wrist")[2] > 0.1
        assert sign * moved(f"{side}_hip", "side", f"{side}_ankle")[0] > 0.1
        assert moved(f"{side}_shoulder", "side", f"{side}_wrist")[1] > 0.1
        assert moved(f"{side}_wrist", "bend", f"{side}_hand")[1] < -0.02
        assert moved(f"{side}_ankle", "bend", f"{side}_foot")[1] > 0.02
        assert np.linalg.norm(moved(f"{side}_shoulder", "twist", f"{side}_elbow")) < 0.05
    assert moved("spine1", "bend", "head")[2] > 0.1


def _rest():
    from cliff_core.records import SmplParams

    return SmplParams(np.zeros((24, 3)), np.zeros(10), np.zeros(3))


@pytest.mark.parametrize("joint", [0, 7, 15])
def test_a_levelled_joint_is_upright_and_the_pelvis_stays(skeleton, people, points_of, joint):
    for params in people[:10]:
        levelled = editing.level(params, skeleton.body, joint)
        rotations = skeleton.body.forward_kinematics(rotvec_to_rotmat(levelled.pose_rotvec), levelled.betas)[1]
        np.testing.assert_allclose(rotations[joint][:, 1], (0, -1, 0), atol=1e-9)
        np.testing.assert_allclose(points_of(levelled)[23], points_of(params)[23], atol=1e-12)


def test_another_camera_keeps_the_pelvis_on_its_pixel_and_the_person_its_size(skeleton, people, points_of, camera):
    def pixels(params, camera):
        points = points_of(params)
        return points[:, :2] / points[:, 2:] * camera.focal_length_px + camera.centre_px

    moves, stiff = [], []
    for focal in (700.0, 2500.0):
        other = replace(camera, focal_length_px=focal, principal_point_px=(600.0, 430.0))
        for params in people:
            before = pixels(params, camera)
            after = pixels(editing.refocus(params, skeleton.body, camera, other), other)
            np.testing.assert_allclose(after[23], before[23], atol=1e-6)
            size = np.ptp(before, axis=0).max()
            assert abs(np.ptp(after, axis=0).max() / size - 1) < 0.15  # perspective itself changes
            moves.append(np.linalg.norm(after - before, axis=1).mean() / size)
            kept = editing.refocus(params, skeleton.body, camera, other, keep_orientation=True)
            np.testing.assert_array_equal(kept.pose_rotvec, params.pose_rotvec)
            stiff.append(np.linalg.norm(pixels(kept, other) - before, axis=1).mean() / size)
        back = editing.refocus(editing.refocus(params, skeleton.body, camera, other), skeleton.body, other, camera)
        np.testing.assert_allclose(points_of(back), points_of(params), atol=1e-9)
    assert np.mean(moves) < 0.7 * np.mean(stiff)


def test_a_body_behind_the_camera_is_not_refocused(skeleton, people, camera):
    behind = replace(people[0], transl=np.array([0.0, 0.0, -2.0]))
    with pytest.raises(GeometryError, match="in front of the camera"):
        editing.refocus(behind, skeleton.body, camera, Camera(500.0, (100, 100)))


def test_what_an_edit_does_not_concern_is_untouched(people):
    before = people[6].pose_rotvec.copy(), people[6].betas.copy(), people[6].transl.copy()
    editing.with_joint_angles(people[6], 3, np.array([0, 0.2, 0]))
    editing.mirror_pose(people[6])
    editing.copy_limb(people[6], people[6], "left_arm", "right_arm")
    for was, now in zip(before, (people[6].pose_rotvec, people[6].betas, people[6].transl), strict=True):
        np.testing.assert_array_equal(was, now)


def test_opposite_directions_are_half_a_turn_apart():
    for direction in np.eye(3):
        np.testing.assert_allclose(editing.between(direction, -direction) @ direction, -direction, atol=1e-12)
