"""A refinement is called better only where chance would not give as much."""

import numpy as np
import pytest

from annotator.refine_report import _table
from annotator.refine_result import (
    BETTER,
    SAME,
    UNKNOWN,
    WORSE,
    is_worth_applying,
    placed_gain,
    verdict_of,
    withheld_gain,
)

_SAID = """people photos supervising points labelled_points edited_joints edited_betas edited_places withheld_before
withheld_after withheld_nearer withheld_people refined kept moved_mm suspicion_mm taught asked_before_mm
asked_after_mm""".split()


def people(gain: float, spread: float, count: int = 50) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    before = random.uniform(0.05, 0.3, count)
    return before, before - gain - spread * random.normal(size=count)


def test_what_helps_nearly_everybody_is_better():
    said = withheld_gain(*people(0.02, 0.02))
    assert verdict_of(said) == BETTER
    assert said["withheld_gain"] == pytest.approx(0.02 / 0.175, abs=0.05)


def test_a_hundredth_among_people_who_differ_is_about_the_same():
    assert verdict_of(withheld_gain(*people(0.001, 0.05))) == SAME


def test_what_harms_nearly_everybody_is_worse():
    assert verdict_of(withheld_gain(*people(-0.02, 0.02))) == WORSE


def test_chance_is_rarely_called_a_change():
    random = np.random.default_rng(1)
    called = 0
    for _ in range(400):
        before = random.uniform(0.05, 0.3, 40)
        called += verdict_of(withheld_gain(before, before + 0.03 * random.normal(size=40))) != SAME
    assert called / 400 < 0.08


def test_people_without_withheld_points_do_not_count():
    before, after = people(0.02, 0.01)
    more = np.full(20, np.nan)
    assert withheld_gain(np.append(before, more), np.append(after, more)) == withheld_gain(before, after)


def test_of_too_few_nothing_is_said():
    assert verdict_of(withheld_gain(np.array([0.1, 0.2]), np.array([0.05, 0.1]))) == UNKNOWN
    assert verdict_of(withheld_gain(np.full(5, np.nan), np.full(5, np.nan))) == UNKNOWN
    assert verdict_of({}) == UNKNOWN


def test_of_one_person_the_report_says_the_gain_without_a_spread():
    said = withheld_gain(np.array([0.2]), np.array([0.1])) | dict.fromkeys(_SAID, 0) | {"rounds": []}
    assert said["withheld_gain_error"] is None
    assert "<td>50.0 %</td>" in _table(said)


def test_bodies_that_are_older_than_the_points_are_worth_replacing_unless_the_network_got_worse():
    same, worse = withheld_gain(*people(0.001, 0.05)), withheld_gain(*people(-0.02, 0.02))
    stale = placed_gain(np.full(20, 0.1) + 0.001 * np.arange(20), np.full(20, 0.02))
    fresh = placed_gain(np.full(20, 0.1) + 0.001 * np.arange(20), np.full(20, 0.095))

    assert is_worth_applying(same | stale)
    assert not is_worth_applying(same | fresh)
    assert not is_worth_applying(worse | stale)
    assert stale["placed_new"] == pytest.approx(0.02)
