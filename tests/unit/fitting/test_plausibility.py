"""The pose prior: usual poses score low, odd ones high, and its slopes are right."""

import numpy as np
import pytest

from cliff_core.errors import ResourceError
from cliff_core.fitting import plausibility
from cliff_core.fitting.manifold import rotvec_and_slope, turned
from cliff_core.fitting.plausibility import PosePrior, score
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.resources import OVERRIDE_VARIABLE


def test_captured_poses_are_usual_and_random_ones_are_not(people):
    captured = [score(params.pose_rotvec) for params in people]
    random = np.random.default_rng(3)
    strange = [score(params.pose_rotvec + 0.6 * random.normal(size=(24, 3))) for params in people]
    assert np.median(captured) < 1
    assert np.median(strange) > 3
    assert np.mean(np.array(strange) > np.array(captured)) == 1


def test_a_knee_bent_sideways_is_less_plausible(people):
    for params in people[:10]:
        pose = params.pose_rotvec.copy()
        pose[4, 2] += 0.7
        assert score(pose) > score(params.pose_rotvec)


def test_direction_of_the_whole_body_does_not_count(people):
    pose = people[0].pose_rotvec.copy()
    pose[0] = (0.1, 2.0, -1.0)
    assert score(pose) == pytest.approx(score(people[0].pose_rotvec))


def test_slopes_of_the_prior_are_those_of_finite_differences(people):
    prior = PosePrior(0.7)
    rotmat = rotvec_to_rotmat(people[1].pose_rotvec)
    cost, gradient, curvature = prior.normal(*rotvec_and_slope(rotmat))
    assert cost == pytest.approx(prior.cost(rotvec_and_slope(rotmat)[0]))
    assert np.linalg.eigvalsh(curvature[3:, 3:]).min() > 0
    for column in range(72):
        step = np.zeros((24, 3))
        step.flat[column] = 1e-6
        ahead, behind = (prior.cost(rotvec_and_slope(turned(rotmat, sign * step))[0]) for sign in (1, -1))
        assert gradient[column] == pytest.approx((ahead - behind) / 2e-6, abs=1e-4)


def test_a_damaged_prior_is_named(tmp_path, monkeypatch):
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses" / "pose_prior.npz").write_bytes(b"nothing")
    monkeypatch.setenv(OVERRIDE_VARIABLE, str(tmp_path))
    plausibility._mixture.cache_clear()
    with pytest.raises(ResourceError, match=r"pose_prior.npz: not a pose prior"):
        PosePrior()
    monkeypatch.undo()
    plausibility._mixture.cache_clear()
