"""Depth alternatives: other poses, same picture."""

from dataclasses import replace

import numpy as np
import pytest

from cliff_core.errors import GeometryError
from cliff_core.fitting.alternatives import depth_alternatives
from cliff_core.fitting.editing import LIMBS
from cliff_core.fitting.interactive import descendants
from cliff_core.fitting.kinematics import FIRST_JOINT
from cliff_core.skeletons import SMPL24


@pytest.mark.parametrize("limb", list(LIMBS))
def test_alternatives_of_a_limb_look_the_same_and_move_nothing_else(
    skeleton, camera, people, pixels_of, points_of, limb
):
    rows = FIRST_JOINT + np.array(LIMBS[limb])
    still = [FIRST_JOINT + joint for joint in range(24) if joint not in LIMBS[limb]]
    counts = []
    for params in people[:8]:
        found = depth_alternatives(skeleton, camera, params, limb)
        counts.append(len(found))
        assert found[0].params is params
        assert found[0].flipped == ()
        for other in found[1:]:
            moved = np.linalg.norm(pixels_of(other.params) - pixels_of(params), axis=1)
            assert moved[rows].max() <= 1
            assert moved[still].max() < 1e-6
            assert np.linalg.norm(points_of(other.params) - points_of(params), axis=1)[rows].max() >= 0.04
            np.testing.assert_array_equal(other.params.betas, params.betas)
            np.testing.assert_array_equal(other.params.transl, params.transl)
    assert np.mean(counts) > 2.5
    assert max(counts) <= 4


def test_a_bone_said_to_be_flipped_points_the_other_way(skeleton, camera, people, points_of):
    elbow, wrist = FIRST_JOINT + SMPL24.index("left_elbow"), FIRST_JOINT + SMPL24.index("left_wrist")
    seen = 0
    for params in people[:15]:
        before = points_of(params)
        for other in depth_alternatives(skeleton, camera, params, "left_arm")[1:]:
            if other.flipped == ("left forearm",):
                after = points_of(other.params)
                np.testing.assert_allclose(after[elbow], before[elbow], atol=0.005)
                assert (after - before)[wrist, 2] * (before[wrist] - before[elbow])[2] < 0
                assert ("towards" in other.words) == (after[wrist, 2] < after[elbow, 2])
                seen += 1
    assert seen > 5


def test_the_most_plausible_comes_first_after_the_present(skeleton, camera, people):
    for params in people[:5]:
        scores = [one.score for one in depth_alternatives(skeleton, camera, params, "right_leg")]
        assert scores[1:] == sorted(scores[1:])


def test_a_wrong_forearm_is_found_again(skeleton, camera, people, points_of):
    """Whoever takes an alternative and asks again is offered the way back."""
    for params in people[:6]:
        for other in depth_alternatives(skeleton, camera, params, "right_arm")[1:]:
            back = depth_alternatives(skeleton, camera, other.params, "right_arm")
            wrist = FIRST_JOINT + SMPL24.index("right_wrist")
            away = [np.linalg.norm(points_of(one.params)[wrist] - points_of(params)[wrist]) for one in back]
            assert min(away) < 0.03


@pytest.mark.parametrize("limb", ["torso", "whole"])
def test_alternatives_of_a_whole_body_look_the_same(skeleton, camera, people, pixels_of, limb):
    joints = FIRST_JOINT + np.arange(24)
    for params in people[:3]:
        found = depth_alternatives(skeleton, camera, params, limb)
        assert len(found) <= 8
        for other in found[1:]:
            assert np.linalg.norm(pixels_of(other.params) - pixels_of(params), axis=1)[joints].max() <= 1
            assert other.words
    assert len(depth_alternatives(skeleton, camera, people[0], "whole", limit=3)) == 3


def test_limbs_have_names_and_bodies_stand_before_the_camera(skeleton, camera, people):
    with pytest.raises(GeometryError, match="left_arm"):
        depth_alternatives(skeleton, camera, people[0], "tail")
    with pytest.raises(GeometryError, match="in front of the camera"):
        depth_alternatives(skeleton, camera, replace(people[0], transl=np.array([0, 0, -1.0])), "left_arm")


def test_what_hangs_on_a_joint():
    assert descendants(16) == {16, 18, 20, 22}
