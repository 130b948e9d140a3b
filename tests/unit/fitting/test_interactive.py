"""Dragging: what is aimed at is reached, what is locked stays, and the rest is at rest."""

import numpy as np
import pytest

from cliff_core.fitting.interactive import HARD, Aim, InteractiveSolver, chain_of, descendants
from cliff_core.fitting.kinematics import FIRST_JOINT
from cliff_core.fitting.limits import BOXES
from cliff_core.records import SmplParams
from cliff_core.skeletons import SMPL24

WRIST, ELBOW, SHOULDER, COLLAR = (SMPL24.index(f"left_{part}") for part in ("wrist", "elbow", "shoulder", "collar"))


def _disturbed(params, random, amount=0.15):
    return SmplParams(params.pose_rotvec + amount * random.normal(size=(24, 3)), params.betas,
                      params.transl + amount * random.normal(size=3) * (0.2, 0.2, 1))  # fmt: skip


def _aims(pixels, rows=range(17)):
    return [Aim(row, tuple(pixels[row]), None, 1.0) for row in rows]


@pytest.mark.parametrize("row", [9, 10, 7, 15, 16, 0])
def test_a_dragged_keypoint_arrives_within_a_pixel(skeleton, camera, people, pixels_of, row):
    random = np.random.default_rng(row)
    for params in people[:6]:
        aims = _aims(pixels_of(params) + 2 * random.normal(size=(47, 2)))
        solver = InteractiveSolver(skeleton, camera, _disturbed(params, random), trust=1.0)
        now = solver.solve(solver.prior, aims).params
        goal = pixels_of(params)[row] + 60 * _direction(random, 2)
        for step in np.linspace(0, 1, 12):  # as a hand moves
            here = (1 - step) * pixels_of(params)[row] + step * goal
            aims[row] = Aim(row, tuple(here), None, HARD)
            solved = solver.solve(now, aims)
            assert solved.residual_px[row] <= 1
            assert not solved.stretched
            now = solved.params
        np.testing.assert_allclose(pixels_of(now)[row], goal, atol=1)


def _direction(random, count):
    vector = random.normal(size=count)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("trust", [0.5, 1.0])
def test_a_keypoint_arrives_after_a_wild_jump_of_the_mouse_too(skeleton, camera, people, pixels_of, trust):
    random = np.random.default_rng(12)
    for number, params in enumerate(people[:15]):
        aims, row = _aims(pixels_of(params)), number % 17
        aims[row] = Aim(row, tuple(pixels_of(params)[row] + 300 * _direction(random, 2)), None, HARD)
        solved = InteractiveSolver(skeleton, camera, _disturbed(params, random), trust=trust).solve(params, aims)
        assert solved.residual_px[row] <= 1
        assert solved.iterations <= 22


def test_all_points_pull_the_body_to_where_they_are(skeleton, camera, people, pixels_of, points_of):
    random = np.random.default_rng(1)
    before, after = [], []
    for params in people[:10]:
        prior = _disturbed(params, random)
        solved = InteractiveSolver(skeleton, camera, prior, trust=0.9).solve(
            prior, _aims(pixels_of(params), range(47)), iterations=30
        )
        before.append(np.nanmean(np.linalg.norm(pixels_of(prior) - pixels_of(params), axis=1)))
        after.append(np.nanmean(solved.residual_px))
    assert np.median(after) < 0.02 * np.median(before)


def test_trust_chooses_between_prior_and_points(skeleton, camera, people, pixels_of):
    random = np.random.default_rng(2)
    prior = _disturbed(people[3], random)
    errors, turns = [], []
    for trust in (0.0, 0.25, 0.5, 0.75, 1.0):
        solver = InteractiveSolver(skeleton, camera, prior, trust=trust)
        solved = solver.solve(prior, _aims(pixels_of(people[3])), iterations=40)
        errors.append(np.nanmean(solved.residual_px))
        turns.append(np.linalg.norm(solved.params.pose_rotvec - prior.pose_rotvec))
    assert errors == sorted(errors, reverse=True)
    assert turns == sorted(turns)
    assert turns[0] < 0.01 * 24  # radians, all joints together: a hundredth each
    assert errors[-1] < 0.5


@pytest.mark.parametrize("joint", [20, 21, 7, 8, 18, 5, 22, 10])
def test_a_dragged_joint_reaches_within_a_millimetre_and_the_rest_stays(skeleton, camera, people, points_of, joint):
    random = np.random.default_rng(joint)
    chain = chain_of(joint)
    moving = frozenset().union(*(descendants(turned) for turned in chain))
    still = [FIRST_JOINT + other for other in range(24) if other not in moving]
    for params in people[:15]:
        pose = params.pose_rotvec.copy()
        for turned in chain:  # a place that this limb can reach
            pose[turned] = np.clip(pose[turned] + 0.6 * random.normal(size=3), *BOXES[turned].T)
        goal = points_of(SmplParams(pose, params.betas, params.transl))[FIRST_JOINT + joint]
        solved = InteractiveSolver(skeleton, camera, params).solve(
            params, [Aim(FIRST_JOINT + joint, None, tuple(goal), HARD)], movable=chain
        )
        assert solved.residual_mm[FIRST_JOINT + joint] <= 1
        assert not solved.stretched
        moved = np.linalg.norm(points_of(solved.params) - points_of(params), axis=1)
        assert moved[still].max() < 1e-9


def test_a_straight_arm_bends_when_its_wrist_is_pushed_home(skeleton, camera, people, points_of):
    pose = people[0].pose_rotvec.copy()
    pose[[COLLAR, SHOULDER, ELBOW]] = 0
    straight = SmplParams(pose, people[0].betas, people[0].transl)
    points = points_of(straight)
    for share in (0.02, 0.1, 0.3, 0.5):
        goal = points[FIRST_JOINT + WRIST] * (1 - share) + points[FIRST_JOINT + SHOULDER] * share
        solved = InteractiveSolver(skeleton, camera, straight).solve(
            straight, [Aim(FIRST_JOINT + WRIST, None, tuple(goal), HARD)], movable=frozenset({SHOULDER, ELBOW})
        )
        assert solved.residual_mm[FIRST_JOINT + WRIST] <= 1, share


def test_an_arm_is_stretched_when_it_cannot_reach(skeleton, camera, people, points_of):
    params = people[1]
    points = points_of(params)
    goal = points[FIRST_JOINT + WRIST] + (0, -1.5, 0)
    solved = InteractiveSolver(skeleton, camera, params).solve(
        params, [Aim(FIRST_JOINT + WRIST, None, tuple(goal), HARD)], movable=chain_of(WRIST)
    )
    assert solved.stretched
    arm = points_of(solved.params)[[FIRST_JOINT + SHOULDER, FIRST_JOINT + ELBOW, FIRST_JOINT + WRIST]]
    reach = np.linalg.norm(arm[2] - arm[0]) / np.linalg.norm(np.diff(arm, axis=0), axis=1).sum()
    assert reach > 0.995


def test_pins_hold_while_the_pelvis_is_dragged(skeleton, camera, people, points_of):
    params = people[2]
    points = points_of(params)
    feet = [FIRST_JOINT + 7, FIRST_JOINT + 8]
    goal = points[FIRST_JOINT + 0] + (0.03, 0.08, 0.05)
    aims = [Aim(foot, None, tuple(points[foot]), HARD) for foot in feet]
    aims.append(Aim(FIRST_JOINT + 0, None, tuple(goal), HARD))
    solved = InteractiveSolver(skeleton, camera, params).solve(params, aims, movable=frozenset({0, 1, 2, 4, 5}))
    assert np.nanmax(solved.residual_mm) <= 1


def test_locked_joints_and_shape_stay_to_the_digit(skeleton, camera, people, pixels_of):
    random = np.random.default_rng(8)
    prior = _disturbed(people[4], random)
    locked = frozenset({0, 4, 16, 18})
    solved = InteractiveSolver(skeleton, camera, prior, trust=1.0, locked=locked).solve(
        prior, _aims(pixels_of(people[4]))
    )
    np.testing.assert_array_equal(solved.params.pose_rotvec[sorted(locked)], prior.pose_rotvec[sorted(locked)])
    np.testing.assert_array_equal(solved.params.betas, prior.betas)
    assert np.abs(solved.params.pose_rotvec[5] - prior.pose_rotvec[5]).max() > 1e-4
    still = InteractiveSolver(skeleton, camera, prior).solve(prior, _aims(pixels_of(people[4])), move_transl=False)
    np.testing.assert_array_equal(still.params.transl, prior.transl)


def test_shape_follows_when_it_may(skeleton, camera, people, pixels_of):
    wide = SmplParams(people[5].pose_rotvec, people[5].betas + 1.5, people[5].transl)
    solver = InteractiveSolver(skeleton, camera, people[5], trust=1.0, fix_betas=False)
    solved = solver.solve(people[5], _aims(pixels_of(wide), range(47)), iterations=40)
    assert np.abs(solved.params.betas - people[5].betas).max() > 0.1
    assert np.nanmean(solved.residual_px) < 0.3


def test_nothing_wanted_changes_nothing(skeleton, camera, people):
    solved = InteractiveSolver(skeleton, camera, people[0]).solve(people[0], [])
    np.testing.assert_allclose(solved.params.pose_rotvec, people[0].pose_rotvec, atol=1e-12)
    assert solved.iterations == 0
    assert not solved.stretched


def test_hostile_aims_give_a_finite_body(skeleton, camera, people):
    behind = SmplParams(people[0].pose_rotvec, people[0].betas, np.array([0.0, 0.0, -3.0]))
    far = [Aim(row, (1e7 * (row - 8), -1e7), None, 1.0) for row in range(17)]
    same = [Aim(row, (640.0, 400.0), None, HARD) for row in range(47)]
    for start in (people[0], behind):
        for aims in (far, same, far[:1], [Aim(0, None, (0.0, 0.0, 0.0), HARD)]):
            solved = InteractiveSolver(skeleton, camera, start, trust=1.0).solve(start, aims)
            for array in (solved.params.pose_rotvec, solved.params.betas, solved.params.transl):
                assert np.isfinite(array).all()


def test_limbs_are_told_their_chains():
    assert chain_of(WRIST) == {COLLAR, SHOULDER, ELBOW}
    assert chain_of(8) == {2, 5}
    assert chain_of(SMPL24.index("right_foot")) == {2, 5, 8}
    assert chain_of(0) == {0}
    for joint in range(1, 24):
        assert all(joint in descendants(turned) for turned in chain_of(joint))
