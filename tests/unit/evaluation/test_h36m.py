"""Human3.6M: SPIN's npz, both protocols, and numbers that can be worked out by hand."""

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.errors import BodyFileError, FormatError
from cliff_core.evaluation.field_sets import h36m_joints
from cliff_core.evaluation.h36m import Protocol, read_truth, score
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import SmplParams
from cliff_core.skeletons import H36M17

# Where SPIN's preprocessing puts the seventeen joints among its 24.
TO_SPIN = [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6]
NAMES = [
    "images/S9_Directions.60457274_000001.jpg",
    "images/S9_Directions.54138969_000006.jpg",
    "images/S11_Walking_1.60457274_000011.jpg",
    "images/S11_Walking_1.60457274_000012.jpg",  # not every fifth frame
    "images/S5_Eating.60457274_000001.jpg",  # a training subject
]


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    return [SmplParams(rng.normal(0, 0.2, (24, 3)), rng.normal(size=10), np.zeros(3)) for _ in NAMES]


def joints_of(body, params):
    return h36m_joints(body, body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas).vertices.astype(float))


def write(path, body, people, spoil=lambda joints: None, seventeen=False):
    """A file as SPIN writes it: joints from the bodies themselves, pelvis at the origin."""
    joints = np.stack([joints_of(body, params) for params in people])
    joints -= joints[:, :1]
    spoil(joints)
    spin = np.zeros((len(people), 24, 4))
    spin[:, TO_SPIN, :3], spin[:, TO_SPIN, 3] = joints, 1
    np.savez(
        path,
        imgname=np.array(NAMES[: len(people)]),
        center=np.full((len(people), 2), 500.0),
        scale=np.full(len(people), 2.0),
        S=joints if seventeen else spin,
    )
    return path


def test_protocols_take_the_photos_they_are_about(tmp_path, body, people):
    path = write(tmp_path / "valid.npz", body, people)
    assert [each.person.image_name for each in read_truth(path, Protocol.P1)] == NAMES[:3]
    assert [each.person.image_name for each in read_truth(path, Protocol.P2)] == [NAMES[0], NAMES[2]]
    np.testing.assert_allclose(read_truth(path)[0].person.box.xyxy, [300, 300, 700, 700])


def test_one_wrong_wrist_is_a_fourteenth_of_its_error(tmp_path, body, people):
    def move_wrist(joints):
        joints[0, H36M17.index("left_wrist")] += [0.03, 0.0, 0.04]

    truth = read_truth(write(tmp_path / "valid.npz", body, people, move_wrist))
    result = score(body, people[:3], truth)
    np.testing.assert_allclose(result.scores["mpjpe"], [50 / 14, 0, 0], atol=1e-2)
    np.testing.assert_allclose(result.scores["mpjpe_17"], [50 / 17, 0, 0], atol=1e-2)
    assert result.scores["pa_mpjpe"][0] > 1
    assert result.scores["pa_mpjpe"][1] < 0.01
    assert "P1" in str(result)


def test_a_body_that_faces_elsewhere_is_wrong_in_mpjpe_alone(tmp_path, body, people):
    truth = read_truth(write(tmp_path / "valid.npz", body, people), Protocol.P2)
    turned = []
    for params in (people[0], people[2]):
        pose = params.pose_rotvec.copy()
        pose[0] = [0, 0.5, 0]
        turned.append(SmplParams(pose, params.betas, params.transl))
    result = score(body, turned, truth, Protocol.P2)
    assert (result.scores["mpjpe"] > 20).all()
    assert (result.scores["pa_mpjpe"] < 0.01).all()


def test_files_of_seventeen_joints_and_missing_joints_are_read(tmp_path, body, people):
    seventeen = read_truth(write(tmp_path / "a.npz", body, people, seventeen=True))
    twenty_four = read_truth(write(tmp_path / "b.npz", body, people))
    np.testing.assert_allclose(seventeen[0].joints, twenty_four[0].joints)
    with np.load(tmp_path / "b.npz") as arrays:
        held = dict(arrays)
    held["S"][0, 17, 3] = 0  # the jaw: Human3.6M's head
    np.savez(tmp_path / "c.npz", **held)
    assert np.isnan(read_truth(tmp_path / "c.npz")[0].joints[H36M17.index("head")]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"S": np.zeros((5, 20, 4))}, r"'S' has shape \(5, 20, 4\)"),
        ({"imgname": np.array(["a.jpg"] * 5)}, "none of its 5 photos belongs to P1"),
        ({"scale": np.zeros(3)}, "do not agree"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, body, people, change, message):
    path = write(tmp_path / "valid.npz", body, people)
    with np.load(path) as arrays:
        held = dict(arrays) | change
    np.savez(path, **held)
    with pytest.raises(FormatError, match=message):
        read_truth(path)


def test_a_body_without_the_regressor_says_what_is_missing(body):
    class Unknown:
        name = "SMPL_NEUTRAL"

        @staticmethod
        def keypoint_regressor(joint_set):
            matrix, known = body.keypoint_regressor(joint_set)
            return matrix, known & False

    with pytest.raises(BodyFileError, match=r"J_regressor_h36m\.npy"):
        h36m_joints(Unknown(), body.v_template)
