"""The bundled sample: photos, points and truth that belong together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.formats import read
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import read_image
from cliff_core.resources import resource_path

CLICK_SHARE = (
    0.01  # of the box, for the average joint; the builder's own numbers are in resources/build/sample_build/marks.py
)
LARGEST_SLIP = 2.5
GUESS_FACTOR = 2.0
OKS_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


@pytest.fixture(scope="module")
def labels():
    return {person.annotation_id: person for person in read(resource_path("sample", "keypoints.json")).people}


@pytest.fixture(scope="module")
def truth():
    found = read(resource_path("sample", "truth.npz"))
    return {person.annotation_id: (person, params) for person, params in zip(found.people, found.params, strict=True)}


@pytest.fixture(scope="module")
def body():
    return load_body()


def true_pixels(body, params, camera):
    vertices = body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl).vertices
    points = body.keypoints(vertices, "coco17").astype(np.float64)
    return project(points[None], [camera.focal_length_px], camera.centre_px[None])[0]


def test_every_true_body_has_its_labels_and_only_the_portrait_has_no_truth(labels, truth):
    assert len(truth) >= 30
    assert truth.keys() <= labels.keys()
    assert [labels[number].image_name for number in labels.keys() - truth.keys()] == ["astronaut.jpg"]
    for number, (person, _) in truth.items():
        assert (person.image_name, person.image_size_px) == (labels[number].image_name, labels[number].image_size_px)
        np.testing.assert_allclose(person.box.xyxy, labels[number].box.xyxy)


def test_the_true_cameras_are_in_the_label_file_and_vary(labels, truth):
    shares = set()
    for number, (person, _) in truth.items():
        assert labels[number].camera == person.camera
        shares.add(round(person.camera.focal_length_px / np.hypot(*person.image_size_px), 2))
    assert len(shares) >= 6
    assert min(shares) < 0.7
    assert max(shares) > 1.5


def test_true_bodies_project_onto_their_labels_within_a_hands_noise(labels, truth, body):
    slips = []
    for number, (person, params) in truth.items():
        box, keypoints = labels[number].box, labels[number].keypoints
        sigma = CLICK_SHARE * np.sqrt(box.width * box.height) * OKS_SIGMAS / OKS_SIGMAS.mean()
        sigma = sigma * np.where(keypoints.visibility == 2, 1, GUESS_FACTOR)
        marked = keypoints.visibility > 0
        slip = ((keypoints.points_px - true_pixels(body, params, person.camera)) / sigma[:, None])[marked]
        assert np.abs(slip).max() < LARGEST_SLIP + 0.2, (number, person.image_name)  # + rounding to 0.01 px
        slips.append(slip.ravel())
    assert np.concatenate(slips).std() == pytest.approx(1, abs=0.1)


def test_some_points_are_hidden_and_some_lie_outside_the_photo(labels):
    visibility = np.concatenate([person.keypoints.visibility for person in labels.values()])

    assert (visibility == 2).mean() > 0.6
    assert (visibility == 1).sum() >= 20
    assert (visibility == 0).sum() >= 5


def test_points_lie_in_the_photo_and_boxes_hold_what_is_visible(labels):
    for person in labels.values():
        size = np.array(person.image_size_px)
        points, visible = person.keypoints.points_px, person.keypoints.visibility
        assert ((points[visible > 0] >= 0) & (points[visible > 0] < size)).all()
        slack = 0.06 * max(person.box.width, person.box.height)
        low, high = person.box.xyxy[:2] - slack, person.box.xyxy[2:] + slack
        assert ((points[visible == 2] >= low) & (points[visible == 2] <= high)).all(), person.image_name
        assert (person.box.xyxy >= 0).all()
        assert (person.box.xyxy[2:] <= size).all()


def test_every_photo_is_readable_used_and_as_large_as_it_says(labels):
    photos = {path.name: path for path in resource_path("sample", "photos").iterdir()}
    sizes = {person.image_name: person.image_size_px for person in labels.values()}

    assert photos.keys() == sizes.keys()
    assert len(photos) >= 15
    for name, path in photos.items():
        assert read_image(path).shape == (*sizes[name][::-1], 3)


def test_the_label_file_is_plain_coco():
    document = json.loads(resource_path("sample", "keypoints.json").read_text(encoding="utf-8"))

    assert document.keys() == {"images", "annotations", "categories"}
    for entry in document["annotations"]:
        assert entry["num_keypoints"] == sum(v > 0 for v in entry["keypoints"][2::3])
        assert 0 < entry["area"] <= entry["bbox"][2] * entry["bbox"][3] + 1


def test_the_sample_stays_small_and_says_where_it_comes_from():
    folder = resource_path("sample")

    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 3_000_000
    assert (folder / "README.md").is_file()
    assert (folder / "LICENSE").is_file()


@pytest.mark.slow
def test_a_photo_of_the_sample_can_be_built_again(tmp_path):
    pytest.importorskip("skimage")
    repository = Path(__file__).resolve().parents[2]
    command = [sys.executable, repository / "resources/build/sample.py", "--only", "studio_spar", "--out", tmp_path]

    subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(repository)})

    again = read_image(tmp_path / "photos" / "studio_spar.jpg").astype(float)
    bundled = read_image(resource_path("sample", "photos", "studio_spar.jpg")).astype(float)
    assert np.abs(again - bundled).mean() < 1.5  # of 255: the noise of another version of NumPy at most
