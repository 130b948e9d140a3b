"""Crop camera, full camera and projection against the official code, and each other."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cliff_core.errors import GeometryError
from cliff_core.geometry.camera import crop_camera, full_frame_translation, project


@pytest.fixture
def cases(golden_geom):
    """The 16 golden cameras, float64."""
    g = {name: np.asarray(golden_geom[f"geo_{name}"], dtype=np.float64) for name in ("center", "scale", "focal")}
    size = np.stack([golden_geom["geo_W"], golden_geom["geo_H"]], axis=1).astype(np.float64)
    return g["center"], 200 * g["scale"], g["focal"], size


def test_full_frame_translation_is_the_official_one(golden_geom, cases):
    transl = full_frame_translation(golden_geom["geo_cam_crop"], *cases)

    assert transl.dtype == np.float64
    np.testing.assert_allclose(transl, golden_geom["geo_cam_full"], rtol=2e-6, atol=1e-6)  # golden is float32


def test_projection_is_the_official_one(golden_geom, cases):
    pixels = project(golden_geom["proj_points"], cases[2], cases[3] / 2)

    np.testing.assert_allclose(pixels, golden_geom["proj_out"], rtol=1e-6, atol=1e-3)  # golden is float32 pixels


def test_crop_camera_gives_back_the_golden_crop_cameras(golden_geom, cases):
    transl = full_frame_translation(golden_geom["geo_cam_crop"], *cases)

    np.testing.assert_allclose(crop_camera(transl, *cases), golden_geom["geo_cam_crop"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", [full_frame_translation, crop_camera])
def test_tensors_give_the_same_numbers_and_their_own_type(golden_geom, cases, function):
    transl = full_frame_translation(golden_geom["geo_cam_crop"], *cases)
    expected = function(transl, *cases, principal_point_px=cases[3] / 2 + 7)

    result = function(torch.from_numpy(transl), *cases, principal_point_px=torch.from_numpy(cases[3] / 2 + 7))

    assert result.dtype == torch.float64
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-14)
    assert function(torch.from_numpy(transl).float(), *cases).dtype == torch.float32


def test_projection_of_tensors_is_differentiable(golden_geom, cases):
    points = torch.tensor(golden_geom["proj_points"], dtype=torch.float64, requires_grad=True)

    pixels = project(points, cases[2], cases[3] / 2)
    pixels.sum().backward()

    np.testing.assert_allclose(
        pixels.detach().numpy(), project(points.detach().numpy(), cases[2], cases[3] / 2), rtol=1e-14
    )
    assert torch.isfinite(points.grad).all()


def test_a_point_on_the_axis_lies_on_the_principal_point():
    np.testing.assert_array_equal(project([[[0, 0, 3.0]]], [500], [[321, 123]]), [[[321, 123]]])


def test_the_body_stands_where_the_weak_camera_saw_it():
    """At its own depth, both cameras put the crop's middle at the same pixel."""
    cam = np.array([[0.8, 0.0, 0.0]])
    transl = full_frame_translation(cam, [[900, 300]], [400], [1500], [[1280, 720]])

    np.testing.assert_allclose(project(transl[:, None], [1500], [[640, 360]])[0, 0], [900, 300], atol=1e-6)


@given(
    scale=st.floats(0.05, 5),
    shift=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    centre=st.tuples(st.floats(-500, 4000), st.floats(-500, 4000)),
    height=st.floats(5, 5000),
    focal=st.floats(100, 10000),
)
def test_crop_camera_inverts_full_frame_translation(scale, shift, centre, height, focal):
    cam = np.array([[scale, *shift]])
    frame = ([centre], [height], [focal], [[1920, 1080]])

    transl = full_frame_translation(cam, *frame)

    # metres of shift cancel in the subtraction: the tolerance is relative to the largest of them
    np.testing.assert_allclose(crop_camera(transl, *frame), cam, rtol=1e-8, atol=1e-11 * (1 + np.abs(transl).max()))


def test_a_box_without_height_is_an_error():
    with pytest.raises(GeometryError, match="box height 0 px"):
        full_frame_translation([[1, 0, 0]], [[5, 5]], [0], [100], [[10, 10]])


@pytest.mark.parametrize("depth", [0.0, -2.0])
def test_a_body_that_is_not_in_front_has_no_crop_camera(depth):
    with pytest.raises(GeometryError, match="not in front of the camera"):
        crop_camera([[0, 0, depth]], [[5, 5]], [10], [100], [[10, 10]])


def test_the_window_can_use_cameras_and_crops_without_torch(repository):
    program = (
        "import sys; from cliff_core.geometry import camera, crop, rotations;"
        "camera.full_frame_translation([[1, 0, 0]], [[5, 5]], [9], [100], [[10, 10]]);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=repository).returncode == 0
