"""3DPW: sequence files of the data set's layout, and the field's numbers on them."""

import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cliff_core.body import load_body
from cliff_core.errors import FormatError
from cliff_core.evaluation import pw3d
from cliff_core.evaluation.field_sets import bodies_by_gender
from cliff_core.evaluation.metrics import Root
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import SmplParams
from cliff_core.skeletons import H36M17

FRAMES = 3
INTRINSICS = np.array([[1960.0, 0, 540], [0, 1970.0, 960], [0, 0, 1]])


@pytest.fixture(scope="module")
def bodies():
    return bodies_by_gender()


@pytest.fixture(scope="module")
def sequence():
    """Two people for three frames; the second frame's camera is wrong for the first of them."""
    rng = np.random.default_rng(2)
    cameras = np.tile(np.eye(4), (FRAMES, 1, 1))
    cameras[:, :3, :3] = Rotation.from_euler("zyx", rng.normal(0, 0.3, (FRAMES, 3))).as_matrix()
    cameras[:, :3, 3] = rng.normal(0, 0.2, (FRAMES, 3)) + np.array([0, 0, 4])
    return {
        "sequence": "downtown_walk_00",
        "poses": [rng.normal(0, 0.2, (FRAMES, 72)) for _ in range(2)],
        "trans": [rng.normal(0, 0.2, (FRAMES, 3)) for _ in range(2)],
        "betas": [rng.normal(size=10) for _ in range(2)],
        "poses2d": [np.full((FRAMES, 3, 18), 500.0) + rng.normal(0, 90, (FRAMES, 3, 18)) for _ in range(2)],
        "cam_poses": cameras,
        "cam_intrinsics": INTRINSICS,
        "campose_valid": [np.array([1, 0, 1]), np.array([1, 1, 1])],
        "genders": ["m", "f"],
        "img_frame_ids": np.arange(FRAMES),
    }


@pytest.fixture
def file(tmp_path, sequence):
    path = tmp_path / "downtown_walk_00.pkl"
    path.write_bytes(pickle.dumps(sequence, protocol=2))
    return path


def test_people_of_a_sequence_stand_before_the_camera_of_their_frame(file, sequence, bodies):
    people = pw3d.read_truth(file, bodies)
    assert len(people) == 5  # one frame of the first person has no valid camera
    third = people[1]
    assert third.person.image_name == "imageFiles/downtown_walk_00/image_00002.jpg"
    assert third.truth.gender == "male"
    assert third.person.camera.focal_length_px == pytest.approx(1965)
    np.testing.assert_allclose(third.person.camera.centre_px, [540, 960])
    male = bodies["male"]
    pose = rotvec_to_rotmat(sequence["poses"][0][2].reshape(24, 3))
    world = male.pose(pose, sequence["betas"][0], sequence["trans"][0][2]).vertices
    camera = sequence["cam_poses"][2]
    seen = male.pose(rotvec_to_rotmat(third.truth.pose_rotvec), third.truth.betas, third.truth.transl).vertices
    np.testing.assert_allclose(seen, world @ camera[:3, :3].T + camera[:3, 3], atol=1e-4)


def test_numbers_are_those_of_the_field(file, bodies):
    """Worked out again here, joint by joint."""
    truth = pw3d.read_truth(file, bodies)
    rng = np.random.default_rng(0)
    predicted = [
        SmplParams(each.truth.pose_rotvec + rng.normal(0, 0.1, (24, 3)), rng.normal(size=10), np.zeros(3))
        for each in truth
    ]
    neutral = bodies["neutral"]
    by_hips = pw3d.score(neutral, predicted, truth, bodies)
    by_pelvis = pw3d.score(neutral, predicted, truth, bodies, Root.PELVIS)

    def mesh(body, params):
        return body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas).vertices.astype(float)

    lsp = [
        *(
            "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder"
        ).split(),
        *("left_shoulder left_elbow left_wrist neck head_top").split(),
    ]
    for row, (ours, each) in enumerate(zip(predicted, truth, strict=True)):
        meshes = mesh(neutral, ours), mesh(bodies[each.truth.gender], each.truth)
        joints = [
            body.keypoint_regressor("h36m17")[0] @ vertices
            for body, vertices in zip((neutral, bodies[each.truth.gender]), meshes, strict=True)
        ]
        named = [{name: these[i] for i, name in enumerate(H36M17.names)} for these in joints]
        errors, pelvis_errors = [], []
        for name in lsp:
            hips = [(these["left_hip"] + these["right_hip"]) / 2 for these in named]
            errors.append(np.linalg.norm((named[0][name] - hips[0]) - (named[1][name] - hips[1])))
            pelvis = [these["pelvis"] for these in named]
            pelvis_errors.append(np.linalg.norm((named[0][name] - pelvis[0]) - (named[1][name] - pelvis[1])))
        assert by_hips.scores["mpjpe"][row] == pytest.approx(1000 * np.mean(errors), abs=0.01)
        assert by_pelvis.scores["mpjpe"][row] == pytest.approx(1000 * np.mean(pelvis_errors), abs=0.01)
        distance = np.linalg.norm(meshes[0] - meshes[1], axis=1)
        assert by_hips.scores["pve"][row] == pytest.approx(1000 * distance.mean(), abs=0.01)
    assert (by_hips.scores["pa_mpjpe"] < by_hips.scores["mpjpe"]).all()
    assert "mid-hip" in str(by_hips)
    assert "regressor's pelvis" in str(by_pelvis)


def test_the_truth_predicted_has_no_error_but_its_shape(file, bodies):
    truth = pw3d.read_truth(file, bodies)
    same = dict.fromkeys(bodies, bodies["neutral"])
    scores = pw3d.score(bodies["neutral"], [each.truth for each in truth], truth, same).scores
    assert all(values.max() < 1e-3 for values in scores.values())


def test_a_folder_is_all_its_sequences(tmp_path, sequence, bodies):
    for name in ("a", "b"):
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps({**sequence, "sequence": name}, protocol=2))
    people = pw3d.read_truth(tmp_path, bodies)
    assert len(people) == 10
    assert {each.person.image_name.split("/")[1] for each in people} == {"a", "b"}


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path, sequence, bodies):
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({**sequence, "sequence": print}, protocol=2))
    with pytest.raises(FormatError, match=r"evil\.pkl.*print"):
        pw3d.read_truth(path, bodies)


def test_as_many_predictions_as_people_are_needed(file, bodies):
    truth = pw3d.read_truth(file, bodies)
    with pytest.raises(FormatError, match="4 predictions for 5 people"):
        pw3d.score(load_body(), [each.truth for each in truth[:4]], truth, bodies)
