"""`bench effort`: what is counted, and annotators who act through the window's own gestures."""

import numpy as np
import pytest

from annotator.bench_annotators import Hands
from annotator.bench_effort import Effort, actions_to, best_order, effort_picture, measure_effort, yielded
from annotator.bench_work import ALTERNATIVES, BUDGET, PLANS, POINTS, SIDE, Trial


def trial(courses, order):
    return Trial(0, dict.fromkeys(PLANS, courses), order, [0.0] * len(courses))


def test_actions_are_counted_until_a_body_is_near_enough():
    counted = trial([[80, 60, 24, 30], [20.0], [90, 80]], [0, 1, 2])
    assert actions_to(counted, PLANS[0], 25).tolist() == [2, 0, np.inf]


def test_the_order_that_knows_the_gains_yields_most():
    courses = [[90.0, 90.0 - gain] for gain in (2, 4, 60, 8, 6)]
    counted = trial(courses, [3, 0, 1, 2, 4])
    assert yielded(counted, PLANS[0], counted.order) == pytest.approx(8 / 80)
    assert best_order(counted, PLANS[0])[0] == 2
    assert yielded(counted, PLANS[0], best_order(counted, PLANS[0])) == pytest.approx(60 / 80)


def test_hands_bring_rendered_people_nearer_to_the_truth():
    effort = measure_effort(3, lambda *_: None, people=2, seeds=1, hands=Hands(0.5, 0.5, 0.03))
    (found,) = effort.trials
    for plan in PLANS:
        assert all(1 <= len(course) <= BUDGET + 1 for course in found.errors[plan])
    start = np.mean([course[0] for course in found.errors[POINTS,]])
    for plan in ((ALTERNATIVES,), (SIDE,), (SIDE, POINTS)):
        assert np.mean([course[-1] for course in found.errors[plan]]) < 0.9 * start
    # plans that begin alike share their beginning: what one did was taken back before the next
    begun = found.errors[POINTS,]
    for plan in PLANS:
        if plan[0] == POINTS:
            assert [course[: len(first)] for course, first in zip(found.errors[plan], begun, strict=True)] == begun
    assert sorted(found.order) == [0, 1]
    text = str(Effort([found]))
    assert "points, alternatives, side view" in text
    assert effort_picture(effort).shape[2] == 3
