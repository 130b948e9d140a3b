"""Joint limits: what is inside, what is outside, and the wall in between."""

import numpy as np

from cliff_core.fitting.limits import BOXES, limited_joints, violations, wall, wall_cost
from cliff_core.fitting.manifold import rotvec_and_slope, turned
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.resources import resource_path
from cliff_core.skeletons import SMPL24

MIRROR = np.array([1.0, -1.0, -1.0])


def _poses():
    with np.load(resource_path("poses", "pybullet.npz")) as file:
        return file["poses"].astype(np.float64)


def test_poses_of_real_people_are_inside():
    beyond = np.array([violations(pose) for pose in _poses()[::10]])
    assert (beyond < np.radians(10)).mean() > 0.997
    assert np.degrees(beyond).max() < 40


def test_a_knee_bent_forwards_is_outside():
    pose = np.zeros((24, 3))
    pose[4, 0] = np.radians(-40)
    assert limited_joints(pose) == (4,)
    np.testing.assert_allclose(np.degrees(violations(pose)[4]), 35)


def test_an_elbow_bent_backwards_is_outside_on_both_sides():
    pose = np.zeros((24, 3))
    pose[18, 1], pose[19, 1] = np.radians(50), np.radians(-50)
    assert limited_joints(pose) == (18, 19)


def test_limits_of_the_right_mirror_those_of_the_left():
    for pose in _poses()[::100]:
        np.testing.assert_allclose(violations(pose)[SMPL24.flip], violations(pose[SMPL24.flip] * MIRROR), atol=1e-12)
    assert (BOXES[..., 0] < 0).all()
    assert (BOXES[..., 1] > 0).all()


def test_a_turn_around_the_back_counts_the_short_way():
    pose = np.zeros((24, 3))
    pose[4, 0] = np.radians(360 + 20)
    np.testing.assert_allclose(violations(pose), 0)


def test_slope_of_the_wall_is_that_of_finite_differences():
    rotmat = rotvec_to_rotmat(np.random.default_rng(2).normal(size=(24, 3)))
    cost, gradient, _ = wall(*rotvec_and_slope(rotmat))
    assert cost > 0.1
    for joint in range(24):
        for axis in range(3):
            step = np.zeros((24, 3))
            step[joint, axis] = 1e-6
            ahead, behind = (wall_cost(rotvec_and_slope(turned(rotmat, sign * step))[0]) for sign in (1, -1))
            np.testing.assert_allclose(gradient[joint, axis], (ahead - behind) / 2e-6, atol=1e-7)
