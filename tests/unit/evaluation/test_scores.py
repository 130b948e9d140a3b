"""Scores of bodies against truth, in the conventions that are named beside them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cliff_core.body import load_body
from cliff_core.evaluation.metrics import MPJAE_JOINTS
from cliff_core.evaluation.scores import (
    CONVENTIONS,
    SMPL14,
    body_scores,
    oks_scores,
    point_scores,
    posed_vertices,
    truth_scores,
)
from cliff_core.evaluation.summaries import Summary, frame_groups, off_axis_deg, summarise
from cliff_core.geometry.camera import project
from cliff_core.records import Box, Camera, Estimate, Keypoints, SmplParams
from cliff_core.skeletons import SMPL24


@pytest.fixture(scope="module")
def body():
    return load_body()


def person(seed=0, gender="neutral", **changes):
    rng = np.random.default_rng(seed)
    params = {"pose_rotvec": rng.normal(0, 0.2, (24, 3)), "betas": rng.normal(size=10), "transl": [0.3, 0.1, 4.0]}
    params |= changes
    return SmplParams(*(np.asarray(value, dtype=np.float64) for value in params.values()), gender)


def turned(params, joint, degrees):
    """The same person with one joint turned about its own z."""
    pose = params.pose_rotvec.copy()
    turn = Rotation.from_euler("z", degrees, degrees=True)
    pose[joint] = (Rotation.from_rotvec(pose[joint]) * turn).as_rotvec()
    return SmplParams(pose, params.betas, params.transl, params.gender)


def test_the_truth_itself_has_no_error(body):
    people = [person(seed) for seed in range(70)]  # more than are held in memory at a time
    scores = body_scores(body, people, people)
    assert scores.keys() == CONVENTIONS.keys() - {"pck", "oks"}
    assert all(values.shape == (70,) and values.max() < 1e-3 for values in scores.values())


def test_a_body_elsewhere_has_no_error_but_one_that_is_turned_has(body):
    truth = person()
    moved = SmplParams(truth.pose_rotvec, truth.betas, truth.transl + np.array([1.0, -2.0, 3.0]))
    scores = body_scores(body, [moved, turned(truth, 0, 30)], [truth, truth])
    assert all(values[0] < 0.01 for values in scores.values())
    assert scores["mpjae"][1] == pytest.approx(30)  # a turn of the whole body turns every joint by as much
    assert scores["mpjpe_smpl14"][1] > 50
    assert scores["pa_mpjpe_smpl14"][1] < 0.01
    assert scores["pa_mpjpe"][1] < 0.01


def test_a_bent_elbow_is_counted_as_named(body):
    """By hand: only the wrist of the fourteen joints moves, and of the nine orientations that of the elbow."""
    truth = person()
    elbow, wrist = SMPL24.index("left_elbow"), SMPL24.index("left_wrist")
    bent = turned(truth, elbow, 40)
    scores = body_scores(body, [bent], [truth])
    forearm = body.rest_joints(truth.betas)[wrist] - body.rest_joints(truth.betas)[elbow]
    moved = np.linalg.norm(Rotation.from_euler("z", 40, degrees=True).apply(forearm) - forearm)
    assert scores["mpjpe_smpl14"][0] == pytest.approx(1000 * moved / len(SMPL14), rel=1e-4)
    assert scores["mpjae"][0] == pytest.approx(40 / len(MPJAE_JOINTS))


def test_the_truth_may_be_of_another_body(body):
    male = load_body(gender="male")
    truth = [person(gender="male")]
    same = body_scores(male, truth, truth, {"male": male})
    other = body_scores(body, truth, truth, {"male": male})
    assert same["pve"][0] < 1e-3
    assert other["pve"][0] > 10
    assert other["mpjae"][0] < 1e-3


def test_2d_scores_see_the_photo_with_its_camera(body):
    camera, truth = Camera(900.0, (640, 480)), person()
    pixels = project(body.keypoints(posed_vertices(body, truth), "coco17")[None], [900.0], camera.centre_px[None])[0]
    low, high = pixels.min(0), pixels.max(0)
    estimate = Estimate(Box(*low, *high), truth, camera, np.zeros(3))
    size = (high - low).max()
    exact = Keypoints.uniform("coco17", pixels, np.full(17, 2))
    off = pixels.copy()
    off[0, 0] += 0.06 * size
    one_off = Keypoints.uniform("coco17", off, np.full(17, 2))
    assert point_scores(body, [estimate, estimate], [exact, None], 0.05)[0] == 1
    assert point_scores(body, [estimate], [one_off], 0.05)[0] == pytest.approx(16 / 17)
    area = np.array([size**2 / 2])
    assert oks_scores(body, [estimate], [exact], area)[0] == pytest.approx(1)
    nose = np.exp(-((0.06 * size) ** 2) / (2 * area[0] * (2 * 0.026) ** 2))
    assert oks_scores(body, [estimate], [one_off], area)[0] == pytest.approx((16 + nose) / 17)
    assert truth_scores(body, [estimate], [truth])["pve"][0] < 1e-3


def test_summaries_are_of_groups_and_leave_out_what_is_missing():
    camera = Camera(1000.0, (2000, 1000))
    boxes = [Box(990, 490, 1010, 510), Box(1990, 490, 2010, 510), Box(1090, 490, 1110, 510)]
    angles = off_axis_deg(boxes, [camera] * 3)
    np.testing.assert_allclose(angles, [0, 45, np.degrees(np.arctan(0.1))])
    groups = frame_groups(angles, np.array([True, False, False]))
    table = summarise({"error": np.array([1.0, np.nan, 5.0])}, groups)
    assert table["all"]["error"] == Summary(2, 3.0, 3.0)
    assert table["whole body in frame"]["error"].mean == 1
    assert table["cut by the frame"]["error"] == Summary(1, 5.0, 5.0)
    assert table["15 deg off axis or more"]["error"].people == 0
    assert table["less than 15 deg off axis"]["error"].median == 3
