"""The loop all solvers share: gradients are right, steps are safe, what is not free stays."""

import numpy as np
import pytest

from cliff_core.fitting.interactive import ROTATION_WEIGHT, state_of
from cliff_core.fitting.least_squares import Anchor, PhotoPoints, Problem, SpacePoints, minimise
from cliff_core.fitting.plausibility import PosePrior

EVERYTHING = np.arange(85)


def _problem(skeleton, camera, people, pixels_of, points_of, robust_m, tail):
    rows = np.arange(0, 47, 3)
    photo = PhotoPoints(rows, pixels_of(people[1])[rows], np.linspace(50, 90, len(rows)), camera, 4.0, robust_m)
    space = SpacePoints(rows[::4], points_of(people[1])[rows[::4]], np.full(4, 30.0))
    anchor = Anchor(state_of(people[2]), ROTATION_WEIGHT, np.full(10, 2.0), np.array([3.0, 4.0, 5.0]), tail)
    return Problem(skeleton, EVERYTHING, (photo, space), (anchor,), 7.0, PosePrior(0.5))


@pytest.mark.parametrize(("robust_m", "tail"), [(None, np.inf), (0.1, 2.0)])
def test_gradient_of_the_whole_cost_is_that_of_finite_differences(
    skeleton, camera, people, pixels_of, points_of, robust_m, tail
):
    problem = _problem(skeleton, camera, people, pixels_of, points_of, robust_m, tail)
    state = state_of(people[0])
    cost, gradient, matrix = problem.normal(state)
    assert cost == pytest.approx(problem.cost(state))
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-9, atol=1e-9)
    assert np.linalg.eigvalsh(matrix).min() > 0
    for column in range(85):
        step = np.zeros(85)
        step[column] = 1e-6
        slope = (problem.cost(state.moved(step)) - problem.cost(state.moved(-step))) / 2e-6
        assert gradient[column] == pytest.approx(slope, abs=2e-4 * max(1.0, abs(slope)))


def test_the_cost_falls_to_a_place_without_slope(skeleton, camera, people, pixels_of, points_of):
    problem = _problem(skeleton, camera, people, pixels_of, points_of, None, np.inf)
    start = state_of(people[0])
    found, cost, used = minimise(problem, start, 200, 1e-14)
    assert cost < 0.5 * problem.cost(start)
    assert used < 200
    assert np.abs(problem.normal(found)[1]).max() < 1e-3 * np.abs(problem.normal(start)[1]).max()


def test_what_is_not_free_stays(skeleton, camera, people, pixels_of):
    rows = np.arange(17)
    points = PhotoPoints(rows, pixels_of(people[1])[rows], np.ones(17), camera, 4.0)
    free = np.array([12, 13, 14, 83])  # the left knee and the height
    start = state_of(people[0])
    found, _, _ = minimise(Problem(skeleton, free, (points,)), start, 20)
    moved = np.abs(found.rotmat - start.rotmat).max(axis=(1, 2)) > 1e-12
    assert np.flatnonzero(moved).tolist() == [4]
    np.testing.assert_array_equal(found.betas, start.betas)
    np.testing.assert_array_equal(found.transl[[0, 2]], start.transl[[0, 2]])
    assert found.transl[1] != start.transl[1]


def test_an_anchor_pulls_the_short_way_round(skeleton, people):
    there = state_of(people[0])
    anchor = Anchor(there, ROTATION_WEIGHT, np.ones(10), np.ones(3))
    step = np.zeros(85)
    step[:72] = np.random.default_rng(1).normal(size=72) * 1.2
    found, cost, _ = minimise(Problem(skeleton, EVERYTHING, (), (anchor,)), there.moved(step), 100, 1e-12)
    np.testing.assert_allclose(found.rotmat, there.rotmat, atol=1e-4)
    assert cost < 1e-6
