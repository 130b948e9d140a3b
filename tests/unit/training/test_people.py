"""Synthetic people: poses, views, labels and spoilt points."""

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.errors import TrainingError
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.skeletons import COCO23, SMPL24
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank, mirror_pose
from cliff_core.training.labels import label_people
from cliff_core.training.points import corrupt_points


@pytest.fixture(scope="module")
def body():
    return TorchBody(load_body())


@pytest.fixture(scope="module")
def people(body):
    return sample_people(np.random.default_rng(3), PoseBank(), body, 300, 1.2)


def test_a_mirrored_pose_mirrors_the_joints(body):
    poses = PoseBank().sample(np.random.default_rng(0), 20)
    poses[:, 0] = 0
    rotmat, mirrored = (
        torch.as_tensor(rotvec_to_rotmat(each), dtype=torch.float32) for each in (poses, mirror_pose(poses))
    )
    joints = body(rotmat, torch.zeros(20, 10)).joints
    reflected = body(mirrored, torch.zeros(20, 10)).joints[:, SMPL24.flip.tolist()] * torch.tensor([-1.0, 1, 1])
    # the body itself is symmetric to a few millimetres
    torch.testing.assert_close(reflected - reflected[:, :1], joints - joints[:, :1], atol=0.012, rtol=0)


def test_held_out_poses_are_never_trained_on(tmp_path):
    poses = np.random.default_rng(0).normal(size=(10, 24, 3))
    heldout = np.arange(10) >= 7
    np.savez(tmp_path / "poses.npz", poses=poses, heldout=heldout)
    training, measuring = (PoseBank(tmp_path / "poses.npz", held) for held in (False, True))
    np.testing.assert_array_equal(training.captured, poses[:7])
    np.testing.assert_array_equal(measuring.captured, poses[7:])
    assert not np.isin(measuring.procedural[:, 12, 0], training.procedural[:, 12, 0]).any()


def test_a_file_without_poses_is_refused_by_name(tmp_path):
    np.savez(tmp_path / "other.npz", betas=np.zeros(10))
    with pytest.raises(TrainingError, match=r"other\.npz"):
        PoseBank(tmp_path / "other.npz")


def test_the_same_seed_draws_the_same_people(body, people):
    again = sample_people(np.random.default_rng(3), PoseBank(), body, 300, 1.2)
    np.testing.assert_array_equal(again.pose_rotvec, people.pose_rotvec)
    np.testing.assert_array_equal(again.views.centre_px, people.views.centre_px)


def test_people_stand_before_their_cameras_and_mostly_in_the_crop(body, people):
    labels = label_people(body, people)
    assert (people.views.transl[:, 2] > 0.5).all()
    assert labels.inside.sum(1).min() >= 5
    in_crop = (labels.projected.abs() < 1).all(-1)
    assert in_crop[labels.inside].float().mean() > 0.97


def test_labels_turn_with_the_camera_frame(body, people):
    """Upright people have their heads above their feet: y points down."""
    labels = label_people(body, people)
    head, feet = labels.joints[:, SMPL24.index("head"), 1], labels.joints[:, SMPL24.index("left_foot"), 1]
    assert (head < feet).float().mean() > 0.6


def test_points_outside_the_photo_are_given_to_few(body, people):
    labels = label_people(body, people)
    nose = COCO23.index("nose")
    inside = corrupt_points(labels.projected, labels.inside, torch.Generator().manual_seed(0))
    labels.inside[:, nose] = False
    outside = corrupt_points(labels.projected, labels.inside, torch.Generator().manual_seed(0))
    assert 0 < (outside[:, nose, 2] > 0).float().mean() < 0.25 * (inside[:, nose, 2] > 0).float().mean()
    assert (outside[..., :2][outside[..., 2] == 0] == 0).all()


def test_some_have_joints_and_some_only_what_a_detector_gives(body, people):
    labels = label_people(body, people)
    given = corrupt_points(labels.projected, labels.inside, torch.Generator().manual_seed(0))[..., 2] > 0
    keypoints, joints = given[:, :17].any(1), given[:, 23:].any(1)
    assert 0.1 < (joints & ~keypoints).float().mean() < 0.4
    assert 0.4 < (keypoints & ~joints).float().mean() < 0.8
    assert (keypoints & joints).any()


def test_given_points_are_mostly_near_the_truth_and_sometimes_not(body, people):
    labels = label_people(body, people)
    points = corrupt_points(labels.projected, labels.inside, torch.Generator().manual_seed(0))
    error = (points[..., :2] - labels.projected).norm(dim=-1)[points[..., 2] > 0]
    assert error.median() < 0.03
    assert (error > 0.1).float().mean() > 0.005
    assert 0.3 < (points[..., 2] > 0).float().mean() < 0.9
