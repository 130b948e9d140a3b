"""The benchmark without pixels: exact points of known bodies under known cameras."""

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.errors import GeometryError
from cliff_core.evaluation.points_only import POINT_ROWS, sample_points_only
from cliff_core.evaluation.scores import posed_vertices
from cliff_core.geometry.camera import project
from cliff_core.geometry.crop import crop_frame
from cliff_core.geometry.crop_units import to_crop_units
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.models.open_cliff import OPEN_CROP

COUNT = 60


@pytest.fixture(scope="module")
def benchmark():
    return sample_points_only(COUNT, seed=4)


def test_points_are_the_true_bodies_seen_by_the_true_cameras(benchmark):
    body = load_body()
    for row in range(0, COUNT, 7):
        params, camera = benchmark.truth[row], benchmark.cameras[row]
        joints = body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl).joints
        keypoints = body.keypoints(posed_vertices(body, params), "coco23")
        placed = np.concatenate([keypoints, joints]).astype(np.float64)
        pixels = project(placed[None], np.array([camera.focal_length_px]), camera.centre_px[None])[0]
        np.testing.assert_allclose(benchmark.points_px[row], pixels, atol=0.05)


def test_boxes_give_the_crops(benchmark):
    centre, height = crop_frame(np.stack([box.xyxy for box in benchmark.boxes]), OPEN_CROP)
    np.testing.assert_allclose(centre, benchmark.people.views.centre_px)
    np.testing.assert_allclose(height, benchmark.people.views.box_height_px)


def test_only_points_within_the_photo_are_given_unless_all_are_asked_for(benchmark):
    rows = POINT_ROWS["coco17"]
    given, every = (benchmark.crop_points("coco17", inside_only) for inside_only in (True, False))
    np.testing.assert_array_equal(given[:, rows, 2], benchmark.inside[:, rows])
    assert not given[:, 17:].any()
    assert (every[:, rows, 2] == 1).all()
    assert not benchmark.inside[:, rows].all()
    views = benchmark.people.views
    units = to_crop_units(benchmark.points_px, views.centre_px, views.box_height_px)
    np.testing.assert_allclose(every[:, rows, :2], units[:, rows], atol=1e-5)
    known = np.stack([each.visibility for each in benchmark.keypoints("smpl24")]) > 0
    np.testing.assert_array_equal(known, benchmark.inside[:, POINT_ROWS["smpl24"]])


def test_noise_is_as_large_as_it_says_in_a_crop_of_256_pixels(benchmark):
    noisy = sample_points_only(COUNT, seed=4, noise_px=3.0)
    np.testing.assert_array_equal(noisy.points_px, benchmark.points_px)
    scale = 256 / benchmark.people.views.box_height_px[:, None, None]
    assert ((noisy.observed_px - noisy.points_px) * scale).std() == pytest.approx(3.0, rel=0.05)


def test_the_seed_decides(benchmark):
    np.testing.assert_array_equal(sample_points_only(COUNT, seed=4).points_px, benchmark.points_px)
    assert not np.array_equal(sample_points_only(COUNT, seed=5).points_px, benchmark.points_px)


def test_an_unknown_joint_set_is_refused_by_name(benchmark):
    with pytest.raises(GeometryError, match="body25"):
        benchmark.keypoints("body25")
