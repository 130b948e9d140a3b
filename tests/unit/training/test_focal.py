"""What people say of the focal length of the camera that took them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.evaluation.points_only import sample_points_only
from cliff_core.execution.rows import Workspace
from cliff_core.geometry.crop_units import to_crop_units
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.inference import Crops
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import FEATURE_SIZE
from cliff_core.records import Box, Camera
from cliff_core.training.focal import USUAL_SPREAD, estimate_focals

COUNT, SIZE_PX = 24, (1280, 720)
DIAGONAL_PX = float(np.hypot(*SIZE_PX))


@pytest.fixture(scope="module")
def body():
    return load_body()


def silent(done, total, text):
    pass


def people_before(body, focal_px: float) -> tuple[Crops, torch.Tensor]:
    """People of the benchmark near one camera, all of their SMPL joints marked; nobody knows the camera."""
    drawn = sample_points_only(COUNT, 3)
    rng = np.random.default_rng(4)
    camera = Camera(focal_px, SIZE_PX)
    points, centres, heights = np.zeros((COUNT, 47, 3), dtype=np.float32), [], []
    for row, params in enumerate(drawn.truth):
        joints, _ = body.forward_kinematics(rotvec_to_rotmat(params.pose_rotvec), params.betas)
        joints = joints - joints[0]
        place = np.array([rng.uniform(-0.6, 0.6), rng.uniform(-0.2, 0.2), 1.0]) * rng.uniform(2.0, 3.5)
        pixels = (joints + place)[:, :2] / (joints + place)[:, 2:] * focal_px + camera.centre_px
        height = float(np.ptp(pixels, axis=0).max() * 1.2)
        centres.append((pixels.min(0) + pixels.max(0)) / 2)
        heights.append(height)
        points[row, 23:, :2] = to_crop_units(pixels[None], centres[-1][None], np.array([height]))[0]
        points[row, 23:, 2] = 1
    centre_px, height_px = np.array(centres), np.array(heights)
    boxes = tuple(Box(*(centre - 10), *(centre + 10)) for centre in centre_px)
    crops = Crops(
        boxes,
        (Camera.guess(SIZE_PX),) * COUNT,
        (None,) * COUNT,
        centre_px,
        height_px,
        torch.zeros(COUNT, 3),
        torch.from_numpy(points),
        torch.ones(COUNT, dtype=torch.bool),
        torch.zeros(COUNT, FEATURE_SIZE),
    )
    return crops.with_cameras(crops.cameras), torch.from_numpy(points[..., 2])


@pytest.mark.parametrize("ratio", [0.6, 1.6])
def test_people_of_one_camera_bring_its_focal_length_nearer_than_the_guess(body, ratio):
    crops, weight = people_before(body, ratio * DIAGONAL_PX)
    (found,) = estimate_focals(load_cliff(), body, crops, weight, [range(COUNT)], silent)
    assert found.people == COUNT
    error = abs(np.log(found.focal_length_px / (ratio * DIAGONAL_PX)))
    assert error < 0.5 * abs(np.log(ratio))
    assert error < 3 * found.spread
    assert found.spread < 0.5 * USUAL_SPREAD


def test_one_person_says_less_than_many_and_nobody_says_nothing(body):
    crops, weight = people_before(body, DIAGONAL_PX)
    weight = weight.clone()
    weight[5] = 0
    one, many, none = estimate_focals(load_cliff(), body, crops, weight, [[0], range(1, 13), [5]], silent)
    assert many.spread < one.spread < 1.05 * USUAL_SPREAD
    assert (one.people, many.people) == (1, 11)
    assert none is None


class Killed(BaseException):
    """As if the process had ended here."""


def test_cut_off_it_goes_on_after_the_cameras_that_are_done_to_the_same_digits(body, tmp_path):
    crops, weight = people_before(body, DIAGONAL_PX)
    weight = weight.clone()
    weight[1] = 0
    model, cameras, told = load_cliff(), [[0], [1], [2], [3], [4]], []
    calm = estimate_focals(model, body, crops, weight, cameras, silent)
    with pytest.raises(Killed):
        estimate_focals(model, body, crops, weight, cameras, cut_off, work=Workspace(tmp_path, seconds_between=0.0))
    rough = estimate_focals(
        model, body, crops, weight, cameras, lambda *news: told.append(news), work=Workspace(tmp_path)
    )
    assert rough == calm
    assert [done for done, _, _ in told] == [3, 4]
    weight[0] = 0  # other points: nothing of what was kept
    told.clear()
    estimate_focals(model, body, crops, weight, cameras, lambda *news: told.append(news), work=Workspace(tmp_path))
    assert [done for done, _, _ in told] == [1, 2, 3]


def cut_off(done, total, text):
    if done == 2:
        raise Killed


def test_it_stops_when_asked_and_bodies_that_cannot_be_fitted_are_left_out(body):
    crops, weight = people_before(body, DIAGONAL_PX)
    assert estimate_focals(load_cliff(), body, crops, weight, [[0], [1]], silent, lambda: True) == [None, None]
    features = crops.features.clone()
    features[0] = np.nan
    (found,) = estimate_focals(load_cliff(), body, replace(crops, features=features), weight, [[0, 1]], silent)
    assert found.people == 1
