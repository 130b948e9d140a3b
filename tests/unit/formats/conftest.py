"""The open bodies, people with bodies that every format of bodies must bring back, and what the documents promise."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import write_image
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, SmplParams

GENDERS = ("neutral", "male", "female")


@pytest.fixture(scope="session")
def bodies():
    """The three open bodies by gender."""
    return {gender: load_body(gender=gender) for gender in GENDERS}


@dataclass(frozen=True)
class Crowd:
    """People, their bodies, and the models that pose them."""

    people: list
    estimates: list
    bodies: dict


@pytest.fixture(scope="session")
def crowd(bodies):
    """crowd(genders): five people on three photos of different sizes: wild poses, one far off the middle, one photo
    with a calibrated camera whose principal point is not in its middle, and 2D points where the bodies are."""
    cameras = {
        "street/day 1.jpg": Camera.guess((1919, 1080)),
        "b.jpg": Camera(1145.5, (1000, 1002), (512.5, 515.25)),
        "c.jpg": Camera(820.0, (480, 640)),
    }
    places = [
        ("street/day 1.jpg", (-1.4, -0.3, 4.2)),
        ("street/day 1.jpg", (1.3, 0.4, 6.5)),
        ("b.jpg", (0.1, 0.2, 3.1)),
        ("b.jpg", (-0.4, 0.3, 2.7)),
        ("c.jpg", (0.3, -0.2, 4.4)),
    ]

    def make(genders=GENDERS):
        people, estimates = [], []
        for number, (name, place) in enumerate(places):
            random = np.random.default_rng(number)
            gender, camera = genders[number % len(genders)], cameras[name]
            pose = random.normal(0, 0.3, (24, 3))
            pose[0] = np.array([np.pi, 0, 0]) + random.normal(0, 0.4, 3)  # upright: the camera looks down on y
            params = SmplParams(pose, random.normal(0, 1, 10), np.array(place), gender)
            vertices = vertices_cam(params, bodies)
            points = bodies[gender].keypoints(vertices.astype(np.float32), "coco17")
            pixels = project(points[None], np.array([camera.focal_length_px]), camera.centre_px[None])[0]
            keypoints = Keypoints.uniform("coco17", pixels, np.where(random.random(17) < 0.8, 2, 1))
            low, high = pixels.min(axis=0) - 20, pixels.max(axis=0) + 20
            box = Box(*low, *high)
            person = PhotoPerson(name, camera.image_size_px, box, keypoints, camera, annotation_id=40 + number)
            people.append(person)
            estimates.append(Estimate(box, params, camera, np.array([0.9, 0.0, 0.1]), model=f"test {number}"))
        return Crowd(people, estimates, bodies)

    return make


@pytest.fixture(scope="session")
def crowd_photos(tmp_path_factory, crowd):
    """A folder with the photos of the crowd, grey."""
    folder = tmp_path_factory.mktemp("photos")
    for person in crowd().people:
        width, height = person.image_size_px
        write_image(folder / person.image_name, np.full((height, width, 3), 128, dtype=np.uint8))
    return folder


def vertices_cam(params, bodies):
    """(V, 3) float64: posed in float32 around the origin and moved in float64, so that depth costs no digits."""
    posed = bodies[params.gender].pose(rotvec_to_rotmat(params.pose_rotvec), np.asarray(params.betas))
    return posed.vertices.astype(np.float64) + params.transl


@pytest.fixture(scope="session")
def largest_difference_mm(bodies):
    """largest_difference_mm(a, b): the farthest that any vertex of one body is from the same of the other."""

    def measure(before, after):
        return float(np.abs(vertices_cam(before, bodies) - vertices_cam(after, bodies)).max() * 1000)

    return measure


PROMISED_MM = 1e-3
_ROW = re.compile(r"^\| `(?P<name>[\w-]+)` \| yes \|\s*(?P<back>[\d.]*)\s*\|(?P<foreign>.*)\|$", re.MULTILINE)


@pytest.fixture(scope="session")
def documented_mm():
    """documented_mm(format, "read back" or a loader): the largest vertex difference that docs/formats.md admits."""
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text("utf-8").partition("## Round trips")[2]
    rows = {}
    for row in _ROW.finditer(text):
        loaders = dict(re.findall(r"(\w+) ([\d.]+)", row["foreign"]))
        rows[row["name"]] = {"read back": row["back"], **loaders}

    def look_up(name, reader):
        largest = float(rows[name][reader])
        assert largest <= PROMISED_MM
        return largest

    return look_up
