import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cliff_core.errors import GeometryError
from cliff_core.evaluation import metrics
from cliff_core.evaluation.metrics import H36M_TO_LSP14, Root, mpjae, mpjpe, oks, pa_mpjpe, pck, pve, similarity
from cliff_core.skeletons import H36M17, LSP14, SMPL24

seeds = st.integers(0, 2**32 - 1)


def people(seed, joints=17, count=4):
    return np.random.default_rng(seed).normal(0, 0.4, (count, joints, 3))


# MPJPE


def test_mpjpe_is_the_mean_distance_in_millimetres_after_the_roots_meet():
    truth = np.zeros((1, 17, 3))
    predicted = truth + np.array([1.0, 2.0, 3.0])  # a shift that the root takes away
    predicted[0, H36M17.index("left_wrist")] += [0.03, 0.04, 0]

    assert mpjpe(predicted, truth, "h36m17", Root.PELVIS) == pytest.approx([50 / 17])


def test_each_root_rule_is_another_number():
    truth = np.zeros((1, 17, 3))
    predicted = truth.copy()
    predicted[0, H36M17.index("pelvis"), 0] = 0.017
    predicted[0, H36M17.index("left_hip"), 1] = 0.034

    by_pelvis = mpjpe(predicted, truth, "h36m17", Root.PELVIS)
    by_hips = mpjpe(predicted, truth, "h36m17", Root.MID_HIP)
    in_camera = mpjpe(predicted, truth, "h36m17", Root.NONE)

    assert by_pelvis == pytest.approx([(15 * 17 + np.hypot(17, 34)) / 17])
    assert by_hips == pytest.approx([(14 * 17 + np.hypot(17, 17) + 17 + 17) / 17])
    assert in_camera == pytest.approx([(17 + 34) / 17])


def test_a_root_outside_the_averaged_joints_is_still_the_root():
    truth = people(0)
    predicted = truth.copy()
    predicted[:, H36M17.index("pelvis"), 2] += 0.01

    assert mpjpe(predicted, truth, "h36m17", Root.PELVIS, over=H36M_TO_LSP14) == pytest.approx([10] * 4)


def test_the_fourteen_joints_are_those_of_lsp_in_its_order():
    assert [H36M17.names[index] for index in H36M_TO_LSP14] == list(LSP14.names)


def test_missing_joints_do_not_count_and_a_missing_root_gives_no_number():
    truth, predicted = people(1, count=2), people(2, count=2)
    truth[0, 5] = np.nan
    predicted[0, 7, 1] = np.nan
    truth[1, 0] = np.nan
    kept = [index for index in range(17) if index not in (5, 7)]

    errors = mpjpe(predicted, truth, "h36m17", Root.PELVIS)

    assert errors[0] == pytest.approx(mpjpe(predicted[:1], truth[:1], "h36m17", Root.PELVIS, over=kept)[0])
    assert np.isnan(errors[1])


def test_a_set_without_the_root_and_arrays_of_another_set_are_refused():
    with pytest.raises(GeometryError, match="coco17 has no pelvis"):
        mpjpe(people(0), people(1), "coco17", Root.PELVIS)
    with pytest.raises(GeometryError, match="h36m17 has 17 joints"):
        mpjpe(people(0, 14), people(1, 14), "h36m17", Root.PELVIS)
    with pytest.raises(GeometryError, match="same shape"):
        mpjpe(people(0, 17), people(1, 14), "h36m17", Root.PELVIS)


@given(seeds)
@settings(deadline=None)
def test_mpjpe_ignores_where_bodies_stand_and_grows_with_their_size(seed):
    rng = np.random.default_rng(seed)
    predicted, truth = people(seed), people(seed + 1)
    expected = mpjpe(predicted, truth, "h36m17", Root.MID_HIP)

    moved = mpjpe(predicted + rng.normal(0, 5, (4, 1, 3)), truth + rng.normal(0, 5, (4, 1, 3)), "h36m17", Root.MID_HIP)

    assert moved == pytest.approx(expected)
    assert mpjpe(3 * predicted, 3 * truth, "h36m17", Root.MID_HIP) == pytest.approx(3 * expected)
    assert mpjpe(truth, predicted, "h36m17", Root.MID_HIP) == pytest.approx(expected)


# PA-MPJPE


@given(seeds, st.floats(0.05, 20))
@settings(deadline=None)
def test_pa_mpjpe_of_a_similar_body_is_zero_and_the_similarity_is_found(seed, size):
    rng = np.random.default_rng(seed)
    predicted, turn, shift = people(seed), Rotation.random(4, rng=rng).as_matrix(), rng.normal(0, 3, (4, 3))
    truth = size * predicted @ np.swapaxes(turn, 1, 2) + shift[:, None]

    scale, rotmat, transl = similarity(predicted, truth)

    assert pa_mpjpe(predicted, truth) == pytest.approx(np.zeros(4), abs=1e-6)
    assert scale == pytest.approx([size] * 4)
    assert rotmat == pytest.approx(turn, abs=1e-7)
    assert transl == pytest.approx(shift, abs=1e-6)


@given(seeds)
@settings(deadline=None)
def test_pa_mpjpe_does_not_change_with_any_similarity_of_the_prediction(seed):
    rng = np.random.default_rng(seed)
    predicted, truth = people(seed), people(seed + 1)
    turned = 0.3 * predicted @ Rotation.random(rng=rng).as_matrix() + rng.normal(0, 2, 3)

    assert pa_mpjpe(turned, truth) == pytest.approx(pa_mpjpe(predicted, truth))


@given(seeds)
@settings(deadline=None)
def test_no_other_similarity_fits_better(seed):
    rng = np.random.default_rng(seed)
    predicted, truth = people(seed, count=1), people(seed + 1, count=1)
    (scale,), (rotmat,), (transl,) = similarity(predicted, truth)

    def squared(factor, turn, shift):
        return ((factor * predicted[0] @ turn.T + shift - truth[0]) ** 2).sum()

    best = squared(scale, rotmat, transl)
    nudge = Rotation.from_rotvec(rng.normal(0, 0.05, 3)).as_matrix()
    assert best <= squared(scale, nudge @ rotmat, transl) + 1e-12
    assert best <= squared(scale * (1 + rng.normal(0, 0.05)), rotmat, transl) + 1e-12
    assert best <= squared(scale, rotmat, transl + rng.normal(0, 0.02, 3)) + 1e-12


@given(seeds)
@settings(deadline=None)
def test_a_mirrored_body_is_not_a_match(seed):
    truth = people(seed)

    _, rotmat, _ = similarity(truth * [-1, 1, 1], truth)

    assert np.linalg.det(rotmat) == pytest.approx(np.ones(4))
    assert (pa_mpjpe(truth * [-1, 1, 1], truth) > 1).all()


def test_a_flat_body_is_aligned_with_a_proper_rotation():
    flat = people(3)
    flat[..., 2] = 0
    turn = Rotation.from_euler("xyz", [40, 170, -80], degrees=True).as_matrix()

    assert pa_mpjpe(flat @ turn.T, flat) == pytest.approx(np.zeros(4), abs=1e-6)
    assert np.linalg.det(similarity(flat @ turn.T, flat)[1]) == pytest.approx(np.ones(4))


def test_pa_mpjpe_leaves_missing_joints_out_and_needs_three():
    predicted, truth = people(4, count=3), people(5, count=3)
    truth[0, [3, 8]] = np.nan
    truth[1, 2:] = np.nan
    truth[2] = np.nan
    kept = [index for index in range(17) if index not in (3, 8)]

    errors = pa_mpjpe(predicted, truth)

    assert errors[0] == pytest.approx(pa_mpjpe(predicted[:1], truth[:1], over=kept)[0])
    assert np.isnan(errors[1:]).all()


def test_a_prediction_that_is_one_point_is_as_wrong_as_the_body_is_wide():
    truth = people(6, count=1)
    from_centre = np.linalg.norm(truth[0] - truth[0].mean(0), axis=-1).mean() * 1000

    assert pa_mpjpe(np.ones((1, 17, 3)), truth) == pytest.approx([from_centre])


# PVE


def test_pve_subtracts_roots_only_when_given():
    truth = people(7, joints=300)
    predicted = truth + np.array([0, 0, 0.012])

    assert pve(predicted, truth) == pytest.approx([12] * 4)
    assert pve(predicted, truth, predicted[:, 0], truth[:, 0]) == pytest.approx([0] * 4, abs=1e-9)


def test_pve_refuses_other_meshes_and_a_single_root():
    with pytest.raises(GeometryError, match="same shape"):
        pve(people(0, 30), people(0, 31))
    with pytest.raises(GeometryError, match="both or neither"):
        pve(people(0, 30), people(0, 30), predicted_root=np.zeros((4, 3)))


# MPJAE


def poses(seed, count=2):
    turns = Rotation.random(count * 24, rng=np.random.default_rng(seed))
    return turns.as_matrix().reshape(count, 24, 3, 3)


def test_a_turn_of_the_pelvis_turns_all_nine_joints_and_one_of_the_left_hip_two():
    truth = np.broadcast_to(np.eye(3), (2, 24, 3, 3))
    predicted = truth.copy()
    predicted[0, 0] = Rotation.from_euler("y", 30, degrees=True).as_matrix()
    predicted[1, SMPL24.index("left_hip")] = Rotation.from_euler("x", 45, degrees=True).as_matrix()

    assert mpjae(predicted, truth) == pytest.approx([30, 45 * 2 / 9])


def test_joints_below_the_elbow_and_knee_have_no_say():
    truth = poses(0)
    predicted = truth.copy()
    for name in ("left_wrist", "right_hand", "left_ankle", "right_foot", "head"):
        predicted[:, SMPL24.index(name)] = np.eye(3)

    assert mpjae(predicted, truth) == pytest.approx([0, 0], abs=1e-5)


@given(seeds)
@settings(deadline=None, max_examples=25)
def test_mpjae_after_alignment_does_not_see_a_common_turn(seed):
    truth = poses(seed)
    turn = Rotation.random(2, rng=np.random.default_rng(seed)).as_matrix()
    predicted = truth.copy()
    predicted[:, 0] = np.swapaxes(turn, 1, 2) @ truth[:, 0]

    assert mpjae(predicted, truth, alignment=turn) == pytest.approx([0, 0], abs=1e-5)


# PCK and OKS


def test_pck_counts_points_nearer_than_the_threshold():
    truth = np.zeros((1, 4, 2))
    predicted = np.array([[[9.9, 0], [10, 0], [0, 3], [500, 500]]])

    assert pck(predicted, truth, [100], 0.1) == pytest.approx([0.5])
    assert pck(predicted, truth, [100], 0.1, counted=[[True, True, True, False]]) == pytest.approx([2 / 3])


def test_pck_of_a_person_without_points_is_no_number():
    truth = np.full((2, 4, 2), np.nan)
    truth[1, 0] = 0

    values = pck(np.zeros((2, 4, 2)), truth, [10, 10], 0.1)

    assert np.isnan(values[0])
    assert values[1] == 1


@given(seeds, st.floats(0.1, 50))
@settings(deadline=None)
def test_pck_and_oks_do_not_change_with_the_size_of_the_photo(seed, factor):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 500, (3, 17, 2))
    predicted = truth + rng.normal(0, 15, truth.shape)
    visibility, area = rng.integers(1, 3, (3, 17)), rng.uniform(5e3, 5e4, 3)

    assert pck(factor * predicted, factor * truth, factor * np.full(3, 200.0), 0.1) == pytest.approx(
        pck(predicted, truth, np.full(3, 200.0), 0.1), abs=1 / 17
    )  # a point exactly on the threshold may fall on either side
    assert oks(factor * predicted, factor * truth, visibility, factor**2 * area, "coco17") == pytest.approx(
        oks(predicted, truth, visibility, area, "coco17")
    )


def test_oks_by_hand():
    truth = np.zeros((1, 17, 2))
    predicted = truth.copy()
    predicted[0, 0] = [3, 4]  # the nose, sigma 0.026
    predicted[0, 1] = [1e4, 0]  # not labelled
    visibility = np.full((1, 17), 2)
    visibility[0, 1] = 0
    expected = (15 + np.exp(-25 / (2 * 1000 * 0.052**2))) / 16

    assert oks(predicted, truth, visibility, [1000], "coco17") == pytest.approx([expected])
    assert np.isnan(oks(predicted, truth, np.zeros((1, 17)), [1000], "coco17")[0])


def test_oks_refuses_sets_and_areas_it_cannot_use():
    points = np.zeros((1, 24, 2))
    with pytest.raises(GeometryError, match="no published OKS sigmas for spin24"):
        oks(points, points, np.ones((1, 24)), [1000], "spin24")
    with pytest.raises(GeometryError, match="area of a person is 0"):
        oks(points[:, :17], points[:, :17], np.ones((1, 17)), [0], "coco17")


def test_every_set_of_sigmas_fits_its_joints():
    assert {name: len(values) for name, values in metrics.OKS_SIGMAS.items()} == {"coco17": 17, "coco23": 23}
