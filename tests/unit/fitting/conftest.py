"""A skeleton of the open body, a camera, and people from the poses that ship with the program."""

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import Camera, SmplParams
from cliff_core.resources import resource_path


@pytest.fixture(scope="session")
def skeleton():
    return Skeleton(load_body())


@pytest.fixture(scope="session")
def camera():
    return Camera(1200.0, (1280, 800))


@pytest.fixture(scope="session")
def people():
    """Forty people in front of the camera, facing anywhere, upright or doing cartwheels."""
    random = np.random.default_rng(5)
    with np.load(resource_path("poses", "pybullet.npz")) as file:
        poses = file["poses"].astype(np.float64)
    people = []
    for pose in poses[random.integers(len(poses), size=40)]:
        upright = np.diag([1.0, -1.0, -1.0]) @ rotvec_to_rotmat([0, random.uniform(-np.pi, np.pi), 0])
        pose_rotvec = np.concatenate([rotmat_to_rotvec(upright @ rotvec_to_rotmat(pose[:1])), pose[1:]])
        place = random.normal(size=3) * (0.4, 0.2, 0) + (0, 0, random.uniform(3, 7))
        people.append(SmplParams(pose_rotvec, 0.7 * random.normal(size=10), place))
    return people


@pytest.fixture(scope="session")
def points_of(skeleton):
    """points_of(params): its 47 points in the camera frame."""
    return lambda params: skeleton.points(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl)


@pytest.fixture(scope="session")
def pixels_of(points_of, camera):
    """pixels_of(params): its 47 points in the photo."""

    def pixels(params):
        points = points_of(params)
        return points[:, :2] / points[:, 2:] * camera.focal_length_px + camera.centre_px

    return pixels
