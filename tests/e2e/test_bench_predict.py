"""`bench predict`: what it compares gives the same bodies; how fast they come is for the benchmark to say."""

import math
from dataclasses import replace

import numpy as np
import pytest

from annotator.bench_predict import Case, is_plain, make_runs, measure_case, sample_photos, vertex_distances
from cliff_core.body import load_body
from cliff_core.execution.device import Precision, choose_compute
from cliff_core.records import Box, Camera, Estimate, SmplParams

AS_MEASURED = {str(choose_compute(precision).precision) for precision in Precision}


def silent(done, total, text):
    pass


@pytest.fixture(scope="module")
def given():
    return measure_case(Case("given", "open", photos=2, passes=2), silent, rounds=1)


def test_the_plain_way_is_compared_with_every_precision_of_this_machine(given):
    plain = [name for name in given.ways if is_plain(name)]
    assert set(given.ways) == {*plain, *AS_MEASURED}
    assert max(given.ways[name].ratio for name in plain) == 1
    assert all(math.isfinite(value) for value in given.values().values())
    assert all(name in str(given) for name in given.ways)


def test_in_float32_both_ways_give_the_same_bodies(given):
    _, people = sample_photos(given.case)
    assert given.people == sum(len(each) for each in people.values())
    assert given.ways["float32"].worst_mm < 0.01


def test_found_people_and_points_are_the_same_in_both_ways():
    case = Case("found", "open", photos=4, detect=True)
    runs = make_runs(case, *sample_photos(case))
    plain, ours = runs["plain, 1 thread"].predict(), runs["float32"].predict()
    np.testing.assert_allclose([each.box.xyxy for each in ours], [each.box.xyxy for each in plain], atol=1e-2)
    in_camera, _ = vertex_distances(load_body(), plain, ours)
    assert in_camera.max() < 0.1  # boxes may differ in their last bits


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["res50", "hr48"])
def test_the_official_networks_give_the_plain_way_s_bodies_too(backbone):
    speed = measure_case(Case(backbone, backbone, photos=1), silent, rounds=1)
    assert speed.ways["float32"].worst_mm < 0.1


def test_distances_are_those_by_which_a_body_was_moved():
    params = SmplParams(np.zeros((24, 3)), np.zeros(10), np.array([0.0, 0, 5]))
    camera = Camera.guess((640, 480))
    here = Estimate(Box(0, 0, 10, 10), params, camera, np.zeros(3), None, "none")
    there = replace(here, params=replace(params, transl=params.transl + np.array([0.003, 0, 0.004])))
    in_camera, aligned = vertex_distances(load_body(), [here], [there])
    np.testing.assert_allclose(in_camera, 5.0, rtol=1e-3)
    np.testing.assert_allclose(aligned, 0.0, atol=1e-3)
