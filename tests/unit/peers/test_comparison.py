"""The contest: what is observed under each condition, figures over seeds, and pupils."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.evaluation.rendered import RenderedBenchmark
from cliff_core.execution.array_cache import ArrayCache
from cliff_core.inference import Predictor
from cliff_core.models import load_cliff
from cliff_core.peers.comparison import BASE, CONDITIONS, MARKED, Figure
from cliff_core.peers.contest import EFT, GUARDED, IMAGE, KITRO_POINTS, POINTS, SMPLIFY_POINTS, Contest
from cliff_core.peers.people import ESTIMATED, Condition, observe, rendered_subjects
from cliff_core.peers.teaching import TRUTH, TeachingSettings, labels_of, train_pupil
from cliff_core.skeletons import COCO23

PEOPLE = 4


@pytest.fixture(scope="module")
def predictor():
    return Predictor(load_cliff(), load_body())


@pytest.fixture(scope="module")
def people(predictor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with ArrayCache(folder / "features.cache", 1 << 20) as features:
        benchmark = RenderedBenchmark(3, cache=folder)
        made = rendered_subjects(predictor, benchmark, PEOPLE, features, lambda done, total, text: None)
        kept = rendered_subjects(predictor, benchmark, PEOPLE, features, lambda done, total, text: None)
    assert torch.equal(made.crops.features, kept.crops.features)
    return made


def test_every_condition_has_a_name_of_its_own():
    assert len({str(each) for each in CONDITIONS}) == len(CONDITIONS)
    assert BASE in CONDITIONS


def test_points_are_marked_as_the_condition_says(predictor, people):
    _, exact = observe(predictor, people, Condition("coco17"), 0)
    _, noisy = observe(predictor, people, Condition("coco17", 5.0), 0)
    _, joints = observe(predictor, people, Condition("smpl24"), 0)
    _, fewer = observe(predictor, people, replace(MARKED, missing=0.3), 0)
    _, swapped = observe(predictor, people, replace(MARKED, swapped=1.0), 0)

    marked = exact[..., 2] > 0
    assert not marked[:, 17:].any()
    assert not (joints[:, : len(COCO23), 2] > 0).any()
    assert 1.0 < 128 * (noisy - exact)[marked][:, :2].std() < 9.0
    assert 0 < (fewer[..., 2] > 0).sum() < marked.sum()
    assert (swapped[..., 2].sum(1) == exact[..., 2].sum(1)).all()
    assert (swapped != exact).any(2).any(1).all()


def test_a_believed_focal_length_changes_where_a_crop_is_seen_to_lie_and_nothing_else(predictor, people):
    true, points = observe(predictor, people, MARKED, 0)
    double, same = observe(predictor, people, replace(MARKED, focal=2.0), 0)
    guessed, _ = observe(predictor, people, replace(MARKED, focal=None), 0)
    estimated, _ = observe(predictor, people, replace(MARKED, focal=ESTIMATED), 0)

    assert torch.equal(points, same)
    assert double.cameras[0].focal_length_px == 2 * true.cameras[0].focal_length_px
    assert guessed.cameras[0].focal_length_px == pytest.approx(np.hypot(*true.cameras[0].image_size_px))
    assert torch.allclose(double.bbox_info[:, :2], true.bbox_info[:, :2] / 2, atol=1e-6)
    focals = {camera: set() for camera in true.cameras}
    for camera, believed, guess in zip(true.cameras, estimated.cameras, guessed.cameras, strict=True):
        focals[camera].add(believed.focal_length_px)
        assert 0.4 < believed.focal_length_px / guess.focal_length_px < 2.5
    assert all(len(each) == 1 for each in focals.values())
    assert estimated.cameras != guessed.cameras


def test_methods_give_bodies_for_all_and_slow_ones_for_some(predictor, people):
    crops, points = observe(predictor, people, Condition("smpl24"), 0)
    contest = Contest(predictor.model, predictor.body, crops, points, 0, 1)

    found = {name: contest.run(name) for name in (IMAGE, POINTS, EFT, SMPLIFY_POINTS, KITRO_POINTS)}

    assert [len(each.estimates) for each in found.values()] == [PEOPLE, PEOPLE, 1, PEOPLE, PEOPLE]
    assert all(each.seconds > 0 for each in found.values())
    assert found[KITRO_POINTS].seconds > found[POINTS].seconds  # what it starts from counts


@pytest.mark.slow
def test_ours_is_the_programs_own_refinement(predictor, people):
    crops, points = observe(predictor, people, Condition("smpl24"), 0)
    guarded = Contest(predictor.model, predictor.body, crops, points, 0, 0).run(GUARDED)
    assert len(guarded.estimates) == PEOPLE
    assert all(np.isfinite(each.params.pose_rotvec).all() for each in guarded.estimates)


def test_a_figure_is_the_median_over_seeds_with_half_their_range():
    figure = Figure.of([np.array([1.0, 3.0]), np.array([2.0, np.nan, 8.0]), np.array([3.0])])
    assert (figure.mean, figure.spread, figure.median) == (3.0, 1.5, 3.0)
    assert str(Figure.of([np.array([np.nan])])) == "-"


def test_a_pupil_learns_what_it_is_taught(predictor, people):
    settings = TeachingSettings(width=32, steps=40, batch=8)
    labels = labels_of(predictor, people, 0, lambda done, total, text: None, (IMAGE, POINTS))
    assert set(labels) == {IMAGE, POINTS, TRUTH}

    def off(steps):
        pupil = train_pupil(predictor, people.crops, labels[TRUTH], replace(settings, steps=steps), 0)
        with torch.no_grad():
            rotmat = pupil.see(people.crops.features, people.crops.bbox_info)[-1].rotmat
        return (rotmat - labels[TRUTH].rotmat).square().mean()

    assert off(40) < 0.7 * off(1)
