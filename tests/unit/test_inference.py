"""From photos to bodies in their cameras."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.errors import GeometryError
from cliff_core.evaluation.scores import posed_vertices
from cliff_core.evaluation.speed import PlainPredictor
from cliff_core.execution.device import Precision
from cliff_core.formats.coco import read_coco
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import read_image
from cliff_core.inference import Crops, Predictor, crop_points
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import OpenCliff, OpenCliffConfig
from cliff_core.records import Box, Camera, Keypoints, Provenance
from cliff_core.resources import resource_path
from cliff_core.skeletons import COCO23, JOINT_SETS


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    model = OpenCliff(OpenCliffConfig(image_width=16, points_width=32, blocks=1), "small")
    start = torch.eye(3).repeat(24, 1, 1)
    start[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    model.init_pose.copy_(start[:, :, :2].reshape(1, 144))
    return Predictor(model, load_body())


PHOTO = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)


def test_a_photo_without_boxes_gives_no_bodies(predictor):
    assert predictor.predict(PHOTO, []) == []


def test_the_predicted_body_projects_into_its_box(predictor):
    """An untrained model predicts about its mean, which stands in the middle of the crop whatever the box."""
    for box in (Box(300, 200, 380, 440), Box(10, 20, 60, 180), Box(500, 100, 700, 600)):
        (estimate,) = predictor.predict(PHOTO, [box])
        params = estimate.params
        posed = predictor.body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl)
        pixels = posed.vertices[:, :2] / posed.vertices[:, 2:] * estimate.camera.focal_length_px + [320, 240]
        assert np.linalg.norm(pixels.mean(0) - box.centre_px) < 0.25 * box.height
        assert 0.5 < np.ptp(pixels[:, 1]) / box.height < 1.6


def test_a_moved_principal_point_moves_with_the_box(predictor):
    """A photo cropped on the left: the same person, box and principal point shifted alike, is the same body."""
    box = Box(300, 200, 380, 440)
    (whole,) = predictor.predict(PHOTO, [box], camera=Camera(800.0, (640, 480)))
    cut = PHOTO[:, 100:]
    moved = Box(200, 200, 280, 440)
    (part,) = predictor.predict(cut, [moved], camera=Camera(800.0, (540, 480), (220.0, 240.0)))
    np.testing.assert_allclose(part.params.transl, whole.params.transl, atol=1e-5)
    np.testing.assert_allclose(part.params.pose_rotvec, whole.params.pose_rotvec, atol=1e-5)


def test_points_of_other_joint_sets_are_matched_by_name():
    count = len(JOINT_SETS["body25"])
    pixels = np.arange(count * 2, dtype=float).reshape(count, 2)
    keypoints = Keypoints.uniform("body25", pixels, np.full(count, 2))
    points = crop_points([keypoints, None], np.zeros((2, 2)), np.full(2, 2.0))
    wrist = JOINT_SETS["body25"].index("right_wrist")
    np.testing.assert_allclose(points[0, COCO23.index("right_wrist"), :2], pixels[wrist])
    assert (points[1] == 0).all()


def test_placed_points_say_how_exact_they_are_and_detected_ones_how_sure():
    pixels, sure = np.ones((17, 2)), np.full(17, 0.9)
    placed = Keypoints.uniform("coco17", pixels, np.full(17, 2))
    detected = Keypoints.uniform("coco17", pixels, np.full(17, 2), sure, Provenance.MODEL)
    where = np.zeros((2, 2)), np.full(2, 256.0)
    assert crop_points([placed, detected], *where, placed_error=4 / 128)[:, 0, 2].tolist() == pytest.approx([0.5, 0.9])
    assert crop_points([placed, detected], *where, placed_error=0)[:, 0, 2].tolist() == pytest.approx([1.0, 0.9])


def test_people_of_several_photos_are_joined_in_order(predictor):
    boxes = [Box(300, 200, 380, 440), Box(10, 20, 60, 180), Box(100, 100, 200, 400)]
    alone = [predictor.crops(PHOTO, [box]) for box in boxes]
    together = Crops.join(alone)
    assert together.boxes == tuple(boxes)
    for one, all_in_one in zip(boxes, predictor.estimates(together), strict=True):
        (single,) = predictor.predict(PHOTO, [one])
        np.testing.assert_allclose(all_in_one.params.transl, single.params.transl, rtol=1e-5)


def test_photos_with_many_few_and_no_people_come_back_in_order(predictor):
    """Seven people: more than go through the trunk at once."""
    rng = np.random.default_rng(1)
    photos = [rng.integers(0, 255, (height, 500, 3), dtype=np.uint8) for height in (300, 400, 200, 600)]
    boxes = [Box(50.0 * n, 20, 50.0 * n + 80, 180) for n in range(7)]
    groups = [boxes[:2], [], boxes[2:6], boxes[6:]]
    placed = [(rgb, predictor.place(rgb, group)) for rgb, group in zip(photos, groups, strict=True)]
    together = predictor.predict_photos(placed)
    assert [[estimate.box for estimate in estimates] for estimates in together] == groups
    for rgb, group, estimates in zip(photos, groups, together, strict=True):
        for alone, estimate in zip(predictor.predict(rgb, group), estimates, strict=True):
            np.testing.assert_allclose(estimate.params.transl, alone.params.transl, rtol=1e-5)
            np.testing.assert_allclose(estimate.params.pose_rotvec, alone.params.pose_rotvec, atol=1e-5)


def test_no_photos_give_no_bodies(predictor):
    assert predictor.predict_photos([]) == []


def test_a_box_without_area_is_refused_before_anything_is_cut(predictor):
    with pytest.raises(GeometryError, match="has no area"):
        predictor.place(PHOTO, [Box(300, 200, 380, 440), Box(10, 20, 10, 20)])


@pytest.fixture(scope="module")
def sample():
    """A photo of the sample with three people and their points."""
    people, _ = read_coco(resource_path("sample", "keypoints.json"))
    name = "gallery_three.jpg"
    members = [person for person in people if Path(person.image_name).name == name]
    assert len(members) == 3
    return read_image(resource_path("sample", "photos", name)), members


def predict_sample(predictor, sample):
    rgb, people = sample
    boxes, points = [person.box for person in people], [person.keypoints for person in people]
    return predictor.predict(rgb, boxes, points, people[0].camera)


def vertices(estimates):
    body = load_body()
    return np.stack([posed_vertices(body, estimate.params) for estimate in estimates])


def test_the_fast_way_gives_the_bodies_of_the_plain_way(sample):
    model, body = load_cliff(), load_body()
    fast = predict_sample(Predictor(model, body), sample)
    plain = predict_sample(PlainPredictor(model, body), sample)
    assert [estimate.box for estimate in fast] == [estimate.box for estimate in plain]
    np.testing.assert_allclose(vertices(fast), vertices(plain), atol=1e-4)  # a tenth of a millimetre


@pytest.mark.skipif(torch.cuda.is_available(), reason="about processors")
@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_moves_bodies_by_centimetres_at_most_and_only_where_it_is_native(sample, native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    model, body = load_cliff(), load_body()
    exact = vertices(predict_sample(Predictor(model, body), sample))
    rounded = Predictor(model, body, Precision.BFLOAT16)
    apart = np.linalg.norm(vertices(predict_sample(rounded, sample)) - exact, axis=-1).mean()
    assert rounded.compute.precision is (Precision.BFLOAT16 if native else Precision.FLOAT32)
    assert 0 < apart < 0.1 if native else apart == 0
