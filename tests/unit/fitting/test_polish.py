"""The polish: nearer to the truth, what a person set to the digit, and no harm from hostile points."""

from dataclasses import replace

import numpy as np
import pytest

from cliff_core.fitting.alternatives import depth_alternatives
from cliff_core.fitting.depth_flips import turned_round
from cliff_core.fitting.interactive import state_of
from cliff_core.fitting.kinematics import FIRST_JOINT
from cliff_core.fitting.polish import PolishCase, PolishSettings, estimate_noise, polish
from cliff_core.geometry.rotations import rotmat_to_rotvec
from cliff_core.records import SmplParams

QUICK = PolishSettings(noise_m=0.005, depth_sides=False)


@pytest.fixture(scope="module")
def disturbed(people):
    """The people as a network might have predicted them."""
    random = np.random.default_rng(6)
    spread = np.full((24, 3), 0.12)
    spread[[0, 10, 11, 22, 23]] = 0.05
    return [
        SmplParams(params.pose_rotvec + spread * random.normal(size=(24, 3)), 0.6 * params.betas,
                   params.transl + random.normal(size=3) * (0.01, 0.01, 0.1))
        for params in people
    ]  # fmt: skip


def _case(params, pixels, camera, rows=slice(FIRST_JOINT, None), **fixed):
    keypoints = np.zeros((47, 3))
    keypoints[rows, :2], keypoints[rows, 2] = pixels[rows], 1.0
    return PolishCase(params, camera, keypoints, params, **fixed)


def _error_mm(points_of, found, truth):
    found, truth = (points_of(params)[FIRST_JOINT:] for params in (found, truth))
    return 1000 * np.linalg.norm((found - found[0]) - (truth - truth[0]), axis=1).mean()


@pytest.mark.parametrize("rows", [slice(0, 17), slice(FIRST_JOINT, None)])
def test_points_bring_bodies_nearer_to_the_truth_in_space(
    skeleton, camera, people, disturbed, points_of, pixels_of, rows
):
    cases = [_case(params, pixels_of(truth), camera, rows) for params, truth in zip(disturbed, people, strict=True)]
    polished = polish(skeleton, cases, QUICK)
    before = [_error_mm(points_of, *pair) for pair in zip(disturbed, people, strict=True)]
    after = [_error_mm(points_of, one.params, truth) for one, truth in zip(polished, people, strict=True)]
    assert np.mean(after) < 0.7 * np.mean(before)
    assert all(one.after <= one.before for one in polished)


def test_what_a_person_set_stays_to_the_digit(skeleton, camera, people, disturbed, pixels_of):
    fixed = {"fixed_joints": frozenset({0, 5, 18}), "fixed_betas": True, "fixed_transl": True}
    for settings in (QUICK, replace(QUICK, depth_sides=True)):
        case = _case(disturbed[0], pixels_of(people[0]), camera, **fixed)
        found = polish(skeleton, [case], settings)[0].params
        np.testing.assert_array_equal(found.pose_rotvec[[0, 5, 18]], disturbed[0].pose_rotvec[[0, 5, 18]])
        np.testing.assert_array_equal(found.betas, disturbed[0].betas)
        np.testing.assert_array_equal(found.transl, disturbed[0].transl)
        assert not np.allclose(found.pose_rotvec[4], disturbed[0].pose_rotvec[4])
    everything = _case(disturbed[0], pixels_of(people[0]), camera, fixed_joints=frozenset(range(24)),
                       fixed_betas=True, fixed_transl=True)  # fmt: skip
    assert polish(skeleton, [everything], QUICK)[0].params is disturbed[0]


def test_from_the_wrong_side_in_depth_the_way_is_found_that_starts_at_the_truth(skeleton, camera, people, pixels_of):
    stuck, arrived, tried = 0, 0, 0
    settings = replace(QUICK, prior=0.1)
    for truth in people[:20]:
        for wrong in depth_alternatives(skeleton, camera, truth, "left_leg")[1:]:
            if wrong.score < 2:  # hardly less plausible than the truth: nothing could tell
                continue
            case = _case(wrong.params, pixels_of(truth), camera)
            alone = polish(skeleton, [case], settings)[0]
            both_sides = polish(skeleton, [case], replace(settings, depth_sides=True))[0]
            from_truth = polish(skeleton, [replace(case, params=truth)], settings)[0]
            stuck += alone.after > from_truth.after + 1  # nats
            arrived += both_sides.after < from_truth.after + 1
            tried += 1
    assert tried >= 8
    assert stuck >= 0.8 * tried
    assert arrived >= 0.9 * tried


@pytest.mark.parametrize("noise_m", [0.008, 0.02])
def test_noise_of_points_is_estimated_from_the_people(skeleton, camera, people, disturbed, pixels_of, noise_m):
    random = np.random.default_rng(9)
    cases = []
    for params, truth in zip(disturbed, people, strict=True):
        noise_px = noise_m * camera.focal_length_px / truth.transl[2]
        cases.append(_case(params, pixels_of(truth) + noise_px * random.normal(size=(47, 2)), camera))
    assert estimate_noise(skeleton, cases) == pytest.approx(noise_m, rel=0.25)


def test_noise_is_that_of_a_point_of_precision_one(skeleton, camera, people, disturbed, pixels_of):
    random, cases = np.random.default_rng(9), []
    precision = np.where(np.arange(47) % 2, 0.25, 4.0)
    for params, truth in zip(disturbed, people, strict=True):
        noise_px = 0.012 * camera.focal_length_px / truth.transl[2] / np.sqrt(precision)[:, None]
        case = _case(params, pixels_of(truth) + noise_px * random.normal(size=(47, 2)), camera)
        case.keypoints[:, 2] *= precision
        cases.append(case)
    assert estimate_noise(skeleton, cases) == pytest.approx(0.012, rel=0.3)


def test_one_wild_point_counts_as_none(skeleton, camera, people, points_of, pixels_of):
    wrist = FIRST_JOINT + 20
    for truth in people[:6]:
        wild, without = (_case(truth, pixels_of(truth), camera) for _ in range(2))
        wild.keypoints[wrist, :2] += (300, -200)
        without.keypoints[wrist, 2] = 0
        found, expected = (points_of(one.params) for one in polish(skeleton, [wild, without], QUICK))
        assert np.linalg.norm(found - expected, axis=1).max() < 0.01


def test_hostile_points_give_finite_bodies(skeleton, camera, people):
    nothing = np.zeros((47, 3))
    broken, far, same = nothing.copy(), nothing.copy(), nothing.copy()
    broken[:] = np.nan
    far[:17] = (1e8, -1e8, 1)
    same[:] = (640, 400, 1)
    behind = replace(people[0], transl=np.array([0.0, 0.0, -4.0]))
    for params in (people[0], behind):
        for keypoints in (nothing, broken, far, same):
            case = PolishCase(params, camera, keypoints, params)
            for settings in (None, QUICK):
                found = polish(skeleton, [case], settings)[0].params
                for array in (found.pose_rotvec, found.betas, found.transl):
                    assert np.isfinite(array).all()
    assert polish(skeleton, [PolishCase(people[0], camera, nothing, people[0])], QUICK)[0].params is people[0]


def test_progress_is_told(skeleton, camera, people, pixels_of):
    told = []
    cases = [_case(params, pixels_of(params), camera) for params in people[:3]]
    polish(skeleton, cases, QUICK, lambda *said: told.append(said))
    assert [said[:2] for said in told] == [(1, 3), (2, 3), (3, 3)]
    assert polish(skeleton, [], QUICK) == []
    assert polish(skeleton, []) == []


def test_somebody_who_was_seen_from_the_wrong_side_is_turned_round(
    skeleton, camera, people, disturbed, points_of, pixels_of
):
    settings, righted = PolishSettings(noise_m=0.02), 0
    for params, truth in zip(disturbed, people, strict=True):
        for turned in turned_round(state_of(params)):
            wrong = replace(params, pose_rotvec=rotmat_to_rotvec(turned.rotmat))
            case = replace(_case(wrong, pixels_of(truth), camera), prior=params)
            found, stuck = (
                polish(skeleton, [case], each)[0] for each in (settings, replace(settings, depth_sides=False))
            )
            assert found.after <= stuck.after + 1e-6
            righted += _error_mm(points_of, found.params, truth) < 100 < _error_mm(points_of, stuck.params, truth)
    assert righted >= 3
