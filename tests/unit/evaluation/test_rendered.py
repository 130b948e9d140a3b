"""The rendered benchmark: the same frames for the same seed, with labels that fit the pixels."""

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.errors import FormatError
from cliff_core.evaluation.frames import load_frame
from cliff_core.evaluation.rendered import RenderedBenchmark
from cliff_core.evaluation.scores import posed_vertices
from cliff_core.evaluation.visibility import flesh_depths, point_visibility, tight_box
from cliff_core.geometry.camera import project
from cliff_core.records import Camera
from cliff_core.rendering.rasteriser import Canvas, Viewport
from cliff_core.skeletons import COCO23, SMPL24
from cliff_core.synthetic.poses import PoseBank


@pytest.fixture(scope="module")
def benchmark():
    return RenderedBenchmark(seed=5)


@pytest.fixture(scope="module")
def frames(benchmark):
    return list(benchmark.frames(40))


@pytest.fixture(scope="module")
def people(frames):
    return [person for frame in frames for person in frame.people]


def pixels(camera, points):
    return project(points[None], np.array([camera.focal_length_px]), camera.centre_px[None])[0]


def test_a_frame_depends_on_seed_and_number_alone(benchmark, frames):
    again = RenderedBenchmark(seed=5).frame(3)
    np.testing.assert_array_equal(again.rgb, frames[3].rgb)
    np.testing.assert_array_equal(again.people[0].truth.transl, frames[3].people[0].truth.transl)
    other = RenderedBenchmark(seed=6)
    other.poses = benchmark.poses
    assert other.frame(3).camera != frames[3].camera


def test_points_are_the_true_body_seen_by_the_true_camera(benchmark, people):
    for person in people:
        body = benchmark.bodies[person.truth.gender]
        vertices = posed_vertices(body, person.truth).astype(np.float64)
        np.testing.assert_allclose(
            pixels(person.camera, body.keypoints(vertices, "coco23")), person.points.points_px, atol=0.02
        )


def test_boxes_hold_what_is_visible_and_little_more(benchmark, people):
    """Clothes, hair and what hides a person make the box differ from the body's own extent, by little mostly."""
    slack = []
    for person in people:
        box, (width, height) = person.person.box, person.camera.image_size_px
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
        seen = person.points.points_px[person.points.visibility == 2]
        margin = 0.03 * max(box.width, box.height) + 1
        assert (seen > box.xyxy[:2] - margin).all()
        assert (seen < box.xyxy[2:] + margin).all()
        if person.visible_share > 0.99 and person.whole:
            vertices = posed_vertices(benchmark.bodies[person.truth.gender], person.truth)
            bare = pixels(person.camera, vertices.astype(np.float64))
            low, high = np.clip(bare.min(0), 0, (width, height)), np.clip(bare.max(0), 0, (width, height))
            slack.append(np.abs(box.xyxy - [*low, *high]).max() / max(box.width, box.height))
    assert len(slack) >= 8
    assert np.median(slack) < 0.02
    assert max(slack) < 0.15


def test_points_outside_the_frame_are_not_labelled(people):
    for person in people:
        for points in (person.points, person.joints):
            inside = ((points.points_px >= 0) & (points.points_px < person.camera.image_size_px)).all(1)
            np.testing.assert_array_equal(points.visibility > 0, inside)


def test_the_benchmark_is_as_varied_as_it_says(frames, people):
    assert len(people) == 40
    assert {person.truth.gender for person in people} == {"neutral", "male", "female"}
    assert {len(frame.people) for frame in frames} >= {1, 2, 3}
    diagonals = [frame.camera.focal_length_px / np.hypot(*frame.camera.image_size_px) for frame in frames]
    assert min(diagonals) < 0.8
    assert max(diagonals) > 1.6
    assert 0.2 < np.mean([person.whole for person in people]) < 0.8
    assert 0.1 < np.mean([person.visible_share < 0.9 for person in people]) < 0.6
    depth = [person.truth.transl[2] for person in people]
    assert np.quantile(depth, 0.1) < 3.5
    assert np.quantile(depth, 0.9) > 9
    visibility = np.concatenate([person.points.visibility for person in people])
    assert all((visibility == value).mean() > 0.05 for value in (0, 1, 2))


def test_kept_frames_are_the_same_as_made_ones(tmp_path):
    benchmark = RenderedBenchmark(seed=2, cache=tmp_path)
    made = benchmark.frame(3)
    kept = benchmark.frame(3)
    [path] = tmp_path.rglob("*.npz")
    np.testing.assert_array_equal(kept.rgb, made.rgb)
    for one, other in zip(made.people, kept.people, strict=True):
        assert one.person.box == other.person.box
        assert one.truth.gender == other.truth.gender
        np.testing.assert_array_equal(one.truth.pose_rotvec, other.truth.pose_rotvec)
        np.testing.assert_array_equal(one.points.points_px, other.points.points_px)
        np.testing.assert_array_equal(one.joints.visibility, other.joints.visibility)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FormatError, match=r"00003\.npz"):
        load_frame(path)


def test_only_held_out_poses_are_shown(tmp_path):
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 0.1, (10, 24, 3))
    poses[:7, SMPL24.index("left_knee"), 0] = 2.0  # bent in every training pose
    np.savez(tmp_path / "poses.npz", poses=poses, heldout=np.arange(10) >= 7)
    benchmark = RenderedBenchmark(poses=tmp_path / "poses.npz")
    np.testing.assert_array_equal(benchmark.poses.captured, PoseBank(tmp_path / "poses.npz", heldout=True).captured)


def plate(depth, low=-3.0, high=3.0):
    """A square that faces the camera."""
    corners = np.array([[low, low, depth], [high, low, depth], [high, high, depth], [low, high, depth]])
    return corners, np.array([[0, 2, 1], [0, 3, 2]]), np.full((4, 3), 200.0)


def test_a_point_is_hidden_by_others_in_front_and_by_thick_flesh_of_its_own():
    canvas = Canvas(Viewport.of_camera(Camera(100.0, (100, 100))).scaled(2))
    canvas.draw(*plate(4.0))  # the person, label 1
    canvas.draw(*plate(2.0, 0.0, 3.0))  # somebody nearer, lower right
    covered = np.zeros((100, 100), bool)
    covered[:10] = True
    points = np.array(
        [[-0.5, -0.5, 4.05], [-0.5, -0.5, 4.5], [0.5, 0.5, 4.05], [-0.5, -1.9, 4.05], [9, 0, 4], [-0.5, -0.5, 3.9]]
    )
    at = pixels(Camera(100.0, (100, 100)), points)
    visibility = point_visibility(points, at, np.full(6, 0.1), canvas, 1, covered)
    #                 within flesh, too deep, behind somebody, under a cut-out, outside, in front of the skin
    np.testing.assert_array_equal(visibility, [2, 1, 1, 1, 0, 2])


def test_the_box_is_tight_to_the_half_pixel():
    mask = np.zeros((20, 30), bool)
    mask[4:9, 7:20] = True
    np.testing.assert_allclose(tight_box(mask, 2).xyxy, [3.5, 2, 10, 4.5])
    assert tight_box(mask & False, 2) is None


def test_surface_points_lie_less_deep_than_hips():
    depths = flesh_depths(load_body())
    assert depths.shape == (47,)
    assert depths[COCO23.index("nose")] < 0.07 < depths[COCO23.index("left_hip")] < 0.25
