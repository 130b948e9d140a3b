"""AGORA: matching in the photo, errors of matched people, and what missing or inventing people costs."""

import pickle

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.errors import FormatError
from cliff_core.evaluation.agora import PHOTO_WIDTH_PX, read_truth, score
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Box, Camera, Estimate, SmplParams

CAMERA = Camera(3200.0, (PHOTO_WIDTH_PX, 2160))


@pytest.fixture(scope="module")
def body():
    return load_body()


def person(x, seed=0, transl=(0.0, 0.0, 8.0)):
    rng = np.random.default_rng(seed)
    pose = rng.normal(0, 0.1, (24, 3))
    pose[0] = [np.pi, 0, 0]
    return SmplParams(pose, rng.normal(size=10), np.array(transl) + np.array([x, 0, 0]))


def estimate(params, camera=CAMERA):
    return Estimate(Box(0, 0, 1, 1), params, camera, np.zeros(3))


def table(body, people, **columns):
    """AGORA's table, one row per person, as the documentation converts it."""
    posed = [body.pose(rotvec_to_rotmat(each.pose_rotvec), each.betas, each.transl) for each in people]
    joints = np.stack([each.joints for each in posed]).astype(float)
    pixels = project(joints, np.full(len(people), CAMERA.focal_length_px), np.tile(CAMERA.centre_px, (len(people), 1)))
    extra = np.zeros((len(people), 21))  # the published tables hold 45 joints
    arrays = {
        "imgPath": np.array(["a.png"] * len(people)),
        "gt_joints_3d": np.concatenate([joints, np.repeat(extra[..., None], 3, -1)], 1),
        "gt_joints_2d": np.concatenate([pixels, np.repeat(extra[..., None], 2, -1)], 1),
        "gt_verts": np.stack([each.vertices for each in posed]),
        "isValid": np.ones(len(people), bool),
        "occlusion": np.full(len(people), 10.0),
        "kid": np.zeros(len(people), bool),
    }
    return arrays | columns


def read(tmp_path, arrays):
    path = tmp_path / "agora.npz"
    np.savez(path, **arrays)
    return read_truth(path)


def test_exact_predictions_in_any_order_have_no_error(tmp_path, body):
    people = [person(-1.5, 1), person(0.2, 2), person(1.6, 3)]
    truth = read(tmp_path, table(body, people))
    scores = score(body, {"a.png": [estimate(each) for each in people[::-1]]}, truth)
    assert scores.f1 == 1
    assert (scores.matched, scores.missed, scores.false_positives) == (3, 0, 0)
    assert scores.mpjpe_mm.max() < 0.01
    assert scores.nmve_mm < 0.01


def test_missed_and_invented_people_raise_the_normalised_errors(tmp_path, body):
    """One of two is found, with every joint 1 cm off relative to the hips' middle; one prediction is of nobody."""
    people = [person(-1.5, 1), person(0.2, 2)]
    arrays = table(body, people)
    arrays["gt_joints_3d"] = arrays["gt_joints_3d"].copy()
    arrays["gt_joints_3d"][0, 1:3] += [0, 0, 0.01]  # both hips: all others move against them
    scores = score(body, {"a.png": [estimate(people[0]), estimate(person(2.5, 4))]}, read(tmp_path, arrays))
    assert (scores.matched, scores.missed, scores.false_positives) == (1, 1, 1)
    assert scores.f1 == pytest.approx(1 / (1 + 0.5 * 2))
    assert scores.mpjpe_mm[0] == pytest.approx(10 * 22 / 24, abs=0.01)
    assert scores.nmje_mm == pytest.approx(scores.mpjpe_mm[0] / scores.f1)
    assert scores.mve_mm[0] == pytest.approx(10, abs=0.01)
    assert "F1 0.500 (1 matched, 1 missed, 1 false positives)" in str(scores)


def test_people_who_do_not_count_are_no_misses(tmp_path, body):
    people = [person(-1.5, 1), person(0.2, 2), person(1.6, 3)]
    arrays = table(body, people, isValid=np.array([True, False, True]), occlusion=np.array([10.0, 10.0, 95.0]))
    truth = read(tmp_path, arrays)
    assert [each.counts for each in truth] == [True, False, False]
    scores = score(body, {"a.png": [estimate(people[0])]}, truth)
    assert (scores.matched, scores.missed, scores.false_positives) == (1, 0, 0)
    scores = score(body, {"a.png": [estimate(each) for each in people[:2]]}, truth)
    assert (scores.matched, scores.missed, scores.false_positives) == (1, 0, 1)


def test_photos_without_predictions_are_misses(tmp_path, body):
    arrays = table(body, [person(-1.5, 1), person(0.2, 2)], imgPath=np.array(["a.png", "b.png"]))
    scores = score(body, {}, read(tmp_path, arrays))
    assert (scores.matched, scores.missed, scores.f1) == (0, 2, 0.0)
    with pytest.raises(FormatError, match=r"c\.png"):
        score(body, {"c.png": []}, read(tmp_path, arrays))


def test_smaller_photos_match_the_same(tmp_path, body):
    people = [person(-1.5, 1), person(0.2, 2)]
    truth = read(tmp_path, table(body, people))
    small = Camera(CAMERA.focal_length_px / 3, (1280, 720))
    scores = score(body, {"a.png": [estimate(each, small) for each in people]}, truth)
    assert scores.f1 == 1


def test_some_vertices_may_be_left_out(tmp_path, body):
    people = [person(0.0)]
    arrays = table(body, people)
    arrays["gt_verts"] = arrays["gt_verts"].copy()
    arrays["gt_verts"][0, :100] += 1.0
    truth = read(tmp_path, arrays)
    predicted = {"a.png": [estimate(people[0])]}
    assert score(body, predicted, truth).mve_mm[0] == pytest.approx(1000 * np.sqrt(3) * 100 / 6890, abs=0.1)
    assert score(body, predicted, truth, np.arange(100, 6890)).mve_mm[0] < 0.01


def test_bodies_in_bedlams_layout_are_posed(tmp_path, body):
    people = [person(-1.5, 1), person(0.2, 2)]
    matrix = np.array([[CAMERA.focal_length_px, 0, 1920], [0, CAMERA.focal_length_px, 1080], [0, 0, 1]])
    path = tmp_path / "labels.npz"
    np.savez(
        path,
        imgname=np.array(["a.png", "a.png"]),
        center=np.full((2, 2), 1000.0),
        scale=np.full(2, 4.0),
        pose_cam=np.stack([each.pose_rotvec.reshape(72) for each in people]),
        shape=np.stack([each.betas for each in people]),
        trans_cam=np.stack([each.transl for each in people]),
        cam_int=np.tile(matrix, (2, 1, 1)),
    )
    truth = read_truth(path, body)
    assert all(each.photo_width_px == PHOTO_WIDTH_PX for each in truth)
    assert score(body, {"a.png": [estimate(each) for each in people]}, truth).nmje_mm < 0.01
    with pytest.raises(FormatError, match="give the neutral SMPL body"):
        read_truth(path)


def test_a_pickled_table_is_refused_with_the_way_to_convert_it(tmp_path):
    path = tmp_path / "validation_0_withjv.pkl"
    path.write_bytes(pickle.dumps({"imgPath": ["a.png"]}))
    with pytest.raises(FormatError, match=r"docs/benchmark\.md"):
        read_truth(path)


@pytest.mark.parametrize("key", ["gt_joints_3d", "gt_joints_2d", "gt_verts", "isValid"])
def test_arrays_that_do_not_fit_are_refused_by_name(tmp_path, body, key):
    arrays = table(body, [person(0.0), person(2.0)])
    arrays[key] = arrays[key][:, :5] if arrays[key].ndim > 2 and key != "gt_verts" else arrays[key][:1]
    with pytest.raises(FormatError, match=key):
        read(tmp_path, arrays)
