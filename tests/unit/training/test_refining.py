"""Refining people: whose point counts, edits as direct supervision, the guard, and hostile data without a NaN."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cliff_core.body import load_body
from cliff_core.execution.processes import Processes
from cliff_core.execution.rows import Workspace
from cliff_core.fitting.polish_some import skeleton_of
from cliff_core.geometry.camera import full_frame_translation
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.inference import PLACED_ERROR, Crops, Predictor
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import FEATURE_SIZE, OpenCliff, OpenCliffConfig, confidence_of
from cliff_core.records import Box, Camera, Keypoints, Provenance
from cliff_core.skeletons import COCO17, COCO23, SMPL24
from cliff_core.training.finetune import FinetuneSettings, Watch
from cliff_core.training.guard import UNSUPERVISED, Evidence, expected_error_mm, judge
from cliff_core.training.polishing import polish_people
from cliff_core.training.refining import estimates_of, refine_crops, rows_of, save_model, with_points
from cliff_core.training.supervision import BodyEdits, PersonEdits, body_edits, weighed_points

SIZE = (640, 480)
TUNING = FinetuneSettings(epochs=4, learning_rate=1e-3, min_points=1)
CENTRE, HEIGHT = np.array([[100.0, 200.0]]), np.array([200.0])


@pytest.fixture(scope="module")
def body():
    return load_body()


def model():
    torch.manual_seed(0)
    made = OpenCliff(OpenCliffConfig(image_width=64, points_width=128, blocks=1), "small")
    start = torch.eye(3).repeat(24, 1, 1)
    start[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    made.init_pose.copy_(start[:, :, :2].reshape(1, 144))
    made.step_gain.detach().zero_()  # untrained, it knows nothing of points
    return made.eval()


def silent(done, total, text):
    pass


def people(boxes, camera=None, seed=2):
    """Crops of boxes on one photo, with features of nobody."""
    placed = Predictor(model(), load_body()).place(None, boxes, camera=camera or Camera.guess(SIZE))
    features = torch.randn(len(boxes), FEATURE_SIZE, generator=torch.Generator().manual_seed(seed))
    return Crops(placed.boxes, placed.cameras, placed.keypoints, placed.centre_px, placed.box_height_px,
                 placed.bbox_info, placed.points, placed.placed, features)  # fmt: skip


def coco(points_px, seen=None, source=Provenance.HUMAN, confidence=None):
    seen = np.full(17, 2) if seen is None else seen
    return Keypoints.uniform("coco17", points_px, seen, confidence, source)


def refine(body, crops, points, edits=None, tuning=TUNING, rounds=1, watch=None):
    edits = BodyEdits.none(len(crops)) if edits is None else edits
    return refine_crops(model(), body, crops, points, edits, tuning, rounds, silent, watch or Watch(), points[..., 2])


# --- points


def test_a_persons_point_goes_before_a_files_and_that_before_a_detectors():
    detected = coco(np.full((17, 2), 110.0), source=Provenance.MODEL, confidence=np.full(17, 0.4))
    imported = Keypoints.uniform("coco23", np.full((23, 2), 120.0), 2 * (np.arange(23) < 5), source=Provenance.IMPORTED)
    human = coco(np.full((17, 2), 130.0), np.where(np.arange(17) == 0, 2, 0))
    points, weight, placed = weighed_points([[detected, imported, human]], CENTRE, HEIGHT)
    by_name = dict(zip(COCO23.names, points[0].tolist(), strict=False))
    placed_confidence = confidence_of(PLACED_ERROR)
    assert by_name["nose"] == pytest.approx([0.3, -0.7, placed_confidence])
    assert by_name["left_eye"] == pytest.approx([0.2, -0.8, placed_confidence])
    assert by_name["left_knee"] == pytest.approx([0.1, -0.9, 0.4])
    assert weight[0, [0, 1, COCO23.index("left_knee")]].tolist() == pytest.approx([1, 1, 0.4])
    assert placed[0, : len(COCO23)].tolist() == [True] * 5 + [False] * 18


def test_a_hidden_point_counts_half_and_still_goes_before_a_detectors():
    detected = coco(np.full((17, 2), 110.0), source=Provenance.MODEL, confidence=np.full(17, 0.9))
    human = coco(np.full((17, 2), 130.0), np.where(np.arange(17) == 0, 1, 0))

    points, weight, placed = weighed_points([[detected, human]], CENTRE, HEIGHT)

    assert points[0, 0].tolist() == pytest.approx([0.3, -0.7, 0.5 * confidence_of(PLACED_ERROR)])
    assert weight[0, 0] == 0.5
    assert placed[0, 0]


def test_smpl_joints_are_points_of_their_own():
    joints = Keypoints.uniform("smpl24", np.full((24, 2), 150.0), np.full(24, 2))
    points, weight, placed = weighed_points([[joints]], CENTRE, HEIGHT)
    assert not points[0, : len(COCO23)].any()
    assert np.allclose(points[0, len(COCO23) :, :2], [0.5, -0.5])
    assert (weight[0, len(COCO23) :] == 1).all()
    assert placed[0].sum() == 24


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e12, -5000.0])
def test_points_that_cannot_be_the_persons_are_not_used(wrong):
    points_px = np.full((17, 2), 120.0)
    points_px[3] = wrong
    points, _, _ = weighed_points([[coco(points_px)]], CENTRE, HEIGHT)
    assert torch.isfinite(points).all()
    assert int((points[..., 2] > 0).sum()) == 16


def test_people_without_points_have_none():
    points, _, placed = weighed_points([[], [coco(np.full((17, 2), 120.0))]], CENTRE.repeat(2, 0), HEIGHT.repeat(2))
    assert (points[..., 2] > 0).sum(1).tolist() == [0, 17]
    assert not placed[0].any()


# --- edits


def test_edits_become_rotations_shape_numbers_and_a_crop_camera():
    crops = people([Box(100, 100, 200, 400)])
    rotvec, transl = np.array([0.1, -0.5, 0.2]), np.array([0.3, 0.1, 6.0])
    edits = body_edits([PersonEdits({18: rotvec}, {2: 1.5}, transl)], crops)
    assert np.allclose(edits.rotmat[0, 18], rotvec_to_rotmat(rotvec), atol=1e-6)
    assert (edits.rotmat_set.sum(), edits.betas_set.sum(), edits.betas[0, 2]) == (1, 1, 1.5)
    camera = crops.cameras[0]
    back = full_frame_translation(
        edits.cam_crop.double().numpy(), crops.centre_px, crops.box_height_px,
        np.array([camera.focal_length_px]), np.array([SIZE]), camera.centre_px[None],
    )  # fmt: skip
    assert np.allclose(back[0], transl, atol=1e-4)


def test_a_place_behind_the_camera_supervises_nothing():
    crops = people([Box(100, 100, 200, 400)])
    assert not body_edits([PersonEdits({}, {}, np.array([0.0, 0.0, -3.0]))], crops).of_anybody.any()


def test_what_a_person_set_pulls_exactly_that(body):
    crops = people([Box(100, 100, 200, 400)] * 6)
    points = torch.zeros(6, 47, 3)
    elbow = SMPL24.index("left_elbow")
    edits = body_edits([PersonEdits({elbow: np.array([0.0, -1.2, 0.0])}, {0: 2.0})] * 6, crops)
    tuning = replace(TUNING, epochs=15, unwatched_epochs=15)
    done = refine(body, crops, points, edits, tuning)

    def turned(estimate, joint):
        return rotvec_to_rotmat(estimate.params.pose_rotvec[joint])

    target = rotvec_to_rotmat(np.array([0.0, -1.2, 0.0]))
    before, after = (np.linalg.norm(turned(each, elbow) - target) for each in (done.prior[0], done.refined[0]))
    assert after < 0.6 * before
    knee = SMPL24.index("right_knee")
    drift = np.linalg.norm(turned(done.refined[0], knee) - turned(done.prior[0], knee))
    assert drift < 0.5 * before
    assert abs(done.refined[0].params.betas[0] - 2.0) < abs(done.prior[0].params.betas[0] - 2.0)
    assert all(done.verdict.takes_refined)


# --- refining


def test_nobody_who_teaches_means_that_all_keep_what_they_have(body):
    done = refine(body, people([Box(100, 100, 200, 400)] * 3), torch.zeros(3, 47, 3))
    assert (done.rounds, done.model) == ((), None)
    assert not done.verdict.takes_refined.any()
    assert set(done.verdict.why) == {UNSUPERVISED}
    assert np.isfinite(done.verdict.suspicion_mm).all()


def test_the_same_seed_gives_the_same_bodies(body):
    crops = people([Box(100 + 10 * n, 100, 200 + 10 * n, 400) for n in range(5)])
    points, _, _ = weighed_points([[coco(np.random.default_rng(n).uniform(100, 400, (17, 2)))] for n in range(5)],
                               crops.centre_px, crops.box_height_px)  # fmt: skip
    one, two = (refine(body, crops, points) for _ in range(2))
    for first, second in zip(one.refined, two.refined, strict=True):
        assert np.array_equal(first.params.pose_rotvec, second.params.pose_rotvec)


def test_a_round_goes_on_from_the_one_before_and_never_sees_what_is_withheld(body):
    crops = people([Box(100 + 10 * n, 100, 200 + 10 * n, 400) for n in range(6)])
    points, _, _ = weighed_points([[coco(np.random.default_rng(n).uniform(100, 400, (17, 2)))] for n in range(6)],
                               crops.centre_px, crops.box_height_px)  # fmt: skip
    done = refine(body, crops, points, rounds=3)
    assert 1 <= len(done.rounds) <= 3
    withheld = [min(epoch.withheld for epoch in each.choosing) for each in done.rounds]
    assert withheld == sorted(withheld, reverse=True)
    kept = [each.withheld for each in done.rounds]
    assert all(torch.equal(kept[0], each) for each in kept)


def test_stopped_early_it_keeps_the_best_so_far(body):
    crops = people([Box(100, 100, 200, 400)] * 4)
    points, _, _ = weighed_points([[coco(np.random.default_rng(n).uniform(100, 400, (17, 2)))] for n in range(4)],
                               crops.centre_px, crops.box_height_px)  # fmt: skip
    seen = []
    watch = Watch(lambda stage, epoch: seen.append(stage), lambda: len(seen) >= 2)
    done = refine(body, crops, points, tuning=replace(TUNING, epochs=50), watch=watch)
    assert len(done.rounds) == 1
    assert len(done.rounds[0].choosing) == 2
    assert all(np.isfinite(each.params.pose_rotvec).all() for each in done.refined)


def test_refined_weights_can_be_read_again(body, tmp_path):
    tuned = model()
    key = save_model(tuned, tmp_path / "weights.pt", "small-refined")
    again = load_cliff(tmp_path / "weights.pt")
    assert (again.name, len(key)) == ("small-refined", 64)
    assert not (tmp_path / "weights.pt.unfinished").exists()


_BOXES = st.sampled_from(
    [
        Box(100, 100, 200, 400),
        Box(10, 10, 10.001, 10.001),
        Box(0, 0, 1e5, 1e5),
        Box(-5000, -5000, -4900, -4800),
        Box(0, 0, 640, 1),
    ]
)
_POINTS = st.sampled_from(["one", "outside", "swapped", "nan", "same", "none", "good"])
_FOCALS = st.sampled_from([1.0, 50.0, 800.0, 1e7])


def hostile_points(kind, box):
    points = np.random.default_rng(0).uniform([box.x0, box.y0], [box.x1, box.y1], (17, 2))
    seen = np.full(17, 2)
    if kind == "one":
        seen = np.where(np.arange(17) == 9, 2, 0)
    elif kind == "outside":
        points = points + 1e6
    elif kind == "swapped":
        points = points[COCO17.flip]
    elif kind == "nan":
        points[::2] = np.nan
    elif kind == "same":
        points[:] = points[0]
    return [] if kind == "none" else [coco(points, seen)]


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.lists(st.tuples(_BOXES, _POINTS), min_size=1, max_size=5), _FOCALS, st.booleans())
def test_hostile_people_spoil_nothing(rows, focal, edited):
    body, camera = load_body(), Camera(focal, SIZE)
    crops = people([box for box, _ in rows], camera)
    points, _, _ = weighed_points(
        [hostile_points(kind, box) for box, kind in rows], crops.centre_px, crops.box_height_px
    )
    edits = body_edits([PersonEdits({3: np.array([9.0, 0.0, 0.0])} if edited else {}, {})] * len(rows), crops)
    done = refine(body, crops, points, edits, replace(TUNING, epochs=2, unwatched_epochs=2))
    for taken, estimate in zip(done.verdict.takes_refined, done.refined, strict=True):
        assert not taken or np.isfinite(estimate.params.pose_rotvec).all()
    assert np.isfinite(done.verdict.suspicion_mm).all()
    if done.model is not None:
        assert all(torch.isfinite(value).all() for value in done.model.state_dict().values())


def test_one_person_whose_features_are_no_numbers_spoils_nobody(body):
    crops = people([Box(100, 100, 200, 400)] * 3)
    crops.features[1] = torch.nan
    points, _, _ = weighed_points([[coco(np.random.default_rng(n).uniform(100, 400, (17, 2)))] for n in range(3)],
                               crops.centre_px, crops.box_height_px)  # fmt: skip
    done = refine(body, crops, points)
    assert done.verdict.takes_refined.tolist() == [True, False, True]
    assert done.verdict.why[1] == "it is no body"


# --- the guard


def evidence(count=3, **changes):
    joints = np.random.default_rng(0).normal(size=(count, 24, 3)) * 0.3
    values = {
        "seen": joints, "prior": joints, "refined": joints + 0.001, "chooser": joints,
        "withheld_before": np.full(count, 0.05), "withheld_after": np.full(count, 0.04),
        "fitted": np.full(count, 0.02), "weight": np.full(count, 17.0), "betas": np.zeros((count, 10)),
        "scale": np.full(count, 0.9), "supervised": np.ones(count, dtype=bool),
        "taught": np.zeros(count, dtype=bool),
    }  # fmt: skip
    return Evidence(**{**values, **changes})


def test_the_guard_takes_what_is_better_and_keeps_what_is_not():
    joints = evidence().refined.copy()
    joints[2, 5] = np.nan
    found = judge(evidence(refined=joints, withheld_after=np.array([0.03, 0.3, 0.03])))
    assert found.takes_refined.tolist() == [True, False, False]
    assert "farther off" in found.why[1]
    assert found.why[2] == "it is no body"


def test_a_body_that_nobody_has_is_not_taken():
    betas = np.zeros((3, 10))
    betas[0, 3] = 9.0
    found = judge(evidence(betas=betas, scale=np.array([0.9, -0.1, 0.9])))
    assert found.takes_refined.tolist() == [False, False, True]


def test_worse_points_fewer_points_and_disagreement_are_more_suspicious():
    calm = judge(evidence()).suspicion_mm[0]
    assert judge(evidence(fitted=np.full(3, 0.1))).suspicion_mm[0] > calm
    assert judge(evidence(weight=np.full(3, 3.0))).suspicion_mm[0] > calm
    apart = evidence().prior + np.random.default_rng(1).normal(size=(3, 24, 3)) * 0.1
    assert judge(evidence(prior=apart)).suspicion_mm[0] > calm
    assert expected_error_mm(np.array([np.nan]), np.zeros(1))[0] > expected_error_mm(np.array([0.03]), np.ones(1))[0]


def test_some_of_the_people_are_those_people():
    crops = people([Box(100 + n, 100, 200, 400) for n in range(4)])
    some = rows_of(crops, [2, 0])
    assert some.boxes == (crops.boxes[2], crops.boxes[0])
    assert torch.equal(some.features, crops.features[[2, 0]])
    assert np.array_equal(some.centre_px, crops.centre_px[[2, 0]])


def test_polish_keeps_what_a_person_set_to_the_digit(body):
    crops = people([Box(100, 100, 200, 400)] * 2)
    points, _, _ = weighed_points([[coco(np.random.default_rng(n).uniform(100, 400, (17, 2)))] for n in range(2)],
                               crops.centre_px, crops.box_height_px)  # fmt: skip
    marked, elbow = with_points(crops, points), np.array([0.125, -0.5, 0.25])
    refined = estimates_of(model(), body, marked, silent)
    edits = [PersonEdits({18: elbow}, {2: 1.5}, np.array([0.25, 0.125, 6.0])), PersonEdits({}, {})]
    found = polish_people(body, marked, points[..., 2], refined, edits, [0, 1], silent, lambda: False)
    assert np.array_equal(found[0].params.pose_rotvec[18], elbow)
    assert found[0].params.betas[2] == 1.5
    assert np.array_equal(found[0].params.transl, [0.25, 0.125, 6.0])
    assert not np.array_equal(found[1].params.pose_rotvec, refined[1].params.pose_rotvec)
    kept = polish_people(body, marked, points[..., 2], refined, edits, [0, 1], silent, lambda: True)
    assert kept == refined


def test_a_polish_that_several_share_or_that_goes_on_gives_the_same_bits(body, tmp_path):
    crops = people([Box(100, 100, 200, 400)] * 9)
    points, _, _ = weighed_points([[coco(np.random.default_rng(n).uniform(100, 400, (17, 2)))] for n in range(9)],
                               crops.centre_px, crops.box_height_px)  # fmt: skip
    marked = with_points(crops, points)
    refined, edits = estimates_of(model(), body, marked, silent), [PersonEdits({}, {})] * 9
    work = Workspace(tmp_path)

    def polish(progress=silent, **how):
        found = polish_people(body, marked, points[..., 2], refined, edits, range(9), progress, lambda: False, **how)
        return np.array([np.r_[each.params.pose_rotvec.ravel(), each.params.transl, each.cam_crop] for each in found])

    expected = polish()
    with Processes(2, skeleton_of) as helpers:
        assert np.array_equal(polish(helpers=helpers, work=work), expected)
    told = []
    assert np.array_equal(polish(lambda *news: told.append(news), work=work), expected)
    assert not told
