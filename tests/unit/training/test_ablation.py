"""CLIFF's two ideas taken away: people with the same crop, a fair comparison, and results that survive a restart."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.errors import TrainingError
from cliff_core.geometry.rotations import geodesic_deg
from cliff_core.models.open_cliff import FEATURE_SIZE, OpenCliff
from cliff_core.synthetic.appearance import Wardrobe
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.synthetic.same_crop import same_crops, upright_people
from cliff_core.training import ablation
from cliff_core.training.ablation import CLIFF, HMR, NO_BOX, NO_FULL_FRAME, VARIANTS, AblationSettings, run, train
from cliff_core.training.ablation_scores import MEASURES, Outcome, Scores, off_axis_deg, over_seeds, score, turns_deg
from cliff_core.training.labels import label_people
from cliff_core.training.renders import Encoded

PLACES_DEG = (-18.0, 0.0, 18.0)


def _silent(done, total, text):
    pass


def _people(seed, count):
    """People whose features are what a perfect trunk would see in their crops, and no more: points in crop units."""
    body = OpenCliff().body
    labels = label_people(body, sample_people(np.random.default_rng(seed), PoseBank(), body, count, 1.2))
    features = np.zeros((count, FEATURE_SIZE), np.float16)
    features[:, : labels.projected[0].numel()] = labels.projected.flatten(1).numpy()
    return Encoded(labels, features)


@pytest.fixture(scope="module")
def people():
    return _people(0, 1000)


@pytest.fixture(scope="module")
def others():
    return _people(1, 60)


@pytest.fixture(scope="module")
def triple():
    """A person three times on one photo, turned with the ray to him."""
    body = load_body()
    rotmats, betas = upright_people(body, PoseBank(heldout=True), np.random.default_rng(2), 1)
    return same_crops(body, Wardrobe(body), rotmats[0], betas[0], PLACES_DEG, 0)


def _settings(out, **changes):
    return replace(AblationSettings(out, steps=1, batch=8, points_only_share=0.5, learning_rate=2e-3), **changes)


def test_people_turned_with_their_ray_look_the_same_in_their_crops(triple):
    rotations = triple.rotmat[:, 0]
    np.testing.assert_allclose(geodesic_deg(rotations[[0, 1]], rotations[[1, 2]]), 18.0)
    left, middle, right = (crop.astype(float) for crop in triple.crops)
    empty = np.broadcast_to(middle[:, :1], middle.shape)  # the crop without the person: every row is of one colour
    unlike = np.abs(middle - empty).mean()
    assert np.abs(left - middle).mean() < 0.5 * unlike
    assert np.abs(right - middle).mean() < 0.5 * unlike
    angles = off_axis_deg(torch.as_tensor(triple.bbox_info))
    np.testing.assert_allclose(angles, [18, 0, 18], atol=2.5)  # boxes are centred on the outline, not on the pelvis


def test_the_same_crop_further_right_is_a_body_turned_to_the_right(tmp_path, people, others):
    """The paper's first figure, with crops that are the same to the last bit."""
    settings = _settings(tmp_path, steps=100, batch=64, points_only_share=0.0)
    cliff = train(settings, CLIFF, 0, people, _silent)
    turns = turns_deg(cliff, CLIFF.see, others)
    assert np.mean(turns > 0) > 0.9
    assert turns.mean() > 2
    np.testing.assert_array_equal(turns_deg(cliff, HMR.see, others), 0)  # who is not told, cannot tell


@pytest.mark.parametrize("variant", [HMR, NO_BOX])
def test_without_the_box_as_input_the_place_in_the_photo_changes_nothing(people, variant):
    torch.manual_seed(0)
    model = OpenCliff().eval()
    torch.nn.init.normal_(model.from_image.state_out.weight, std=0.1)
    features, info = people.tensor(slice(5)), people.labels.bbox_info[:5]
    here, there = (variant.see(model, features, each)[-1] for each in (info, info + 1))
    torch.testing.assert_close(here.rotmat, there.rotmat, atol=0, rtol=0)
    moved = CLIFF.see(model, features, info + 1)[-1]
    assert (moved.rotmat - CLIFF.see(model, features, info)[-1].rotmat).abs().max() > 1e-3


def test_the_crop_camera_and_the_full_camera_agree_in_the_middle_of_a_far_photo():
    model = OpenCliff().eval()
    features, far = torch.zeros(1, FEATURE_SIZE), torch.tensor([[0.0, 0.0, -3.9]])  # a long lens: b = 0.006 f
    full, crop = (variant.see(model, features, far)[-1].projected for variant in (CLIFF, NO_FULL_FRAME))
    torch.testing.assert_close(full, crop, atol=5e-3, rtol=0)
    aside = torch.tensor([[1.0, 0.0, 0.0]])
    full, crop = (variant.see(model, features, aside)[-1].projected for variant in (CLIFF, NO_FULL_FRAME))
    assert (full - crop).abs().max() > 0.02


def test_people_without_3d_labels_teach_nothing_but_their_visible_points(people):
    torch.manual_seed(0)
    model = OpenCliff()
    labels = people.labels.rows(slice(6))
    bodies = CLIFF.see(model.eval(), people.tensor(slice(6)), labels.bbox_info)
    loss = ablation._loss(bodies, labels, 3)
    lost = replace(
        labels,
        rotmat=torch.cat([labels.rotmat[:3], torch.zeros(3, 24, 3, 3)]),
        points=torch.cat([labels.points[:3], torch.zeros(3, 47, 3)]),
        betas=torch.cat([labels.betas[:3], torch.zeros(3, 10)]),
        projected=torch.where((labels.inside | (torch.arange(6) < 3)[:, None])[..., None], labels.projected, 9.0),
    )
    torch.testing.assert_close(ablation._loss(bodies, lost, 3), loss)
    moved = replace(lost, projected=lost.projected + 0.1)
    assert (ablation._loss(bodies, moved, 3) - loss).abs() > 1e-3


def test_all_variants_start_alike_and_see_the_same_people(tmp_path, people, monkeypatch):
    seen = {}

    def watch(bodies, labels, labelled):
        seen.setdefault(labels.betas.sum().item(), []).append(bodies[0].betas.sum().item())
        return (bodies[-1].betas * 0).sum()

    monkeypatch.setattr(ablation, "_loss", watch)
    for variant in (NO_FULL_FRAME, CLIFF):  # the same input: the same bodies at the start
        train(_settings(tmp_path, steps=2), variant, 4, people, _silent)
    assert [len(values) for values in seen.values()] == [2, 2]
    assert all(first == second for first, second in seen.values())


def test_a_perfect_model_has_no_error(others):
    class Perfect:
        def __init__(self):
            self.row = 0

        def see(self, model, features, bbox_info):
            rows = slice(0, len(features))
            body = OpenCliff().mean_body(bbox_info)
            state = replace(body.state, betas=others.labels.betas[rows])
            return [replace(body, rotmat=others.labels.rotmat[rows], state=state)]

    scores = score(OpenCliff().eval(), Perfect().see, others)
    assert scores.people["all"] == 60
    assert sum(count for zone, count in scores.people.items() if zone != "all") == 60
    assert max(scores.errors[measure]["all"] for measure in MEASURES) < 0.01


def test_spread_is_over_seeds_and_differences_are_between_the_same_seeds():
    def outcome(variant, seed, value):
        return Outcome(variant, seed, Scores({"all": 1}, {"mpjpe": {"all": value}}, 0.0))

    outcomes = [
        outcome("hmr", 0, 100.0),
        outcome("hmr", 1, 120.0),
        outcome("cliff", 0, 95.0),
        outcome("cliff", 1, 115.0),
    ]
    assert str(over_seeds(outcomes, "hmr", "mpjpe", "all")) == "110.0 ± 14.1"
    assert str(over_seeds(outcomes, "cliff", "mpjpe", "all", "hmr")) == "-5.0 ± 0.0"


def test_what_is_finished_is_not_trained_again_and_other_settings_are_refused(tmp_path, monkeypatch):
    settings = _settings(tmp_path, people=4, heldout_people=4, batch=4, seeds=(0,), workers=1)
    first = run(settings, _silent)
    assert [each.variant for each in first] == [variant.key for variant in VARIANTS]
    (tmp_path / "hmr-seed0.json").unlink()
    trained = []
    plain = ablation.train
    monkeypatch.setattr(ablation, "train", lambda *given: (trained.append(given[1].key), plain(*given))[1])
    assert run(settings, _silent) == first  # the same seed gives the same weights
    assert trained == ["hmr"]
    assert json.loads((tmp_path / "hmr-seed0.json").read_text())["settings"]["steps"] == "1"
    with pytest.raises(TrainingError, match=r"hmr-seed0\.json.*other settings \(steps\)"):
        run(replace(settings, steps=2), _silent)


def test_a_damaged_result_is_refused_by_name(tmp_path):
    (tmp_path / "hmr-seed0.json").write_text('{"variant": ')
    with pytest.raises(TrainingError, match=r"hmr-seed0\.json"):
        run(_settings(tmp_path), _silent)
