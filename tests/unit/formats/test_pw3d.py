import pickle

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, write
from cliff_core.formats.pickles import dumps
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat

OURS = ("image_names", "image_size", "bbox", "model", "annot_id")


@pytest.fixture(scope="module")
def group(crowd):
    return crowd(("male", "female"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, group):
    folder = tmp_path_factory.mktemp("3dpw")
    write("3dpw", folder, group.people, group.estimates, group.bodies)
    return folder


@pytest.fixture
def values(folder):
    """The content of the pickle about b.jpg, as any Python loads it."""
    return pickle.loads((folder / "b.pkl").read_bytes(), encoding="latin1")


def save(path, values):
    path.write_bytes(dumps(values))
    return path


def foreign(values):
    return {key: value for key, value in values.items() if key not in OURS}


def test_each_photo_is_a_sequence_of_one_frame(folder):
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.pkl")) == [
        "b.pkl", "c.pkl", "street/day 1.pkl"
    ]  # fmt: skip


def test_the_keys_are_those_of_the_data_set(values, group):
    assert [array.shape for array in values["poses"]] == [(1, 72)] * 2
    assert [array.shape for array in values["trans"]] == [(1, 3)] * 2
    assert [array.shape for array in values["betas"]] == [(10,)] * 2
    assert [array.shape for array in values["poses2d"]] == [(1, 3, 18)] * 2
    assert [array.shape for array in values["jointPositions"]] == [(1, 72)] * 2
    assert (values["sequence"], values["genders"]) == ("b", ["m", "f"])
    np.testing.assert_array_equal(values["cam_poses"], np.eye(4)[None])
    np.testing.assert_array_equal(values["cam_intrinsics"], [[1145.5, 0, 512.5], [0, 1145.5, 515.25], [0, 0, 1]])
    joints = group.bodies["male"].pose(rotvec_to_rotmat(group.estimates[2].params.pose_rotvec),
                                       group.estimates[2].params.betas).joints  # fmt: skip
    np.testing.assert_allclose(values["jointPositions"][0].reshape(24, 3), joints + group.estimates[2].params.transl,
                               atol=1e-6)  # fmt: skip


def test_2d_points_are_in_openposes_older_order(values, group):
    keypoints = group.people[2].keypoints
    coco = ("nose", None, "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
            "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
            "right_ear", "left_ear")  # fmt: skip
    from cliff_core.skeletons import COCO17

    for column, point in enumerate(coco):
        written = values["poses2d"][0][0][:, column]
        if point is None:
            np.testing.assert_array_equal(written, 0)
        else:
            np.testing.assert_array_equal(written[:2], keypoints.points_px[COCO17.index(point)])


def test_a_moving_camera_is_taken_into_account(tmp_path, values, group, bodies, largest_difference_mm):
    """The same bodies described in a world that the camera looks at from elsewhere."""
    rotation, shift = rotvec_to_rotmat(np.array([0.4, -1.1, 0.3])), np.array([0.5, -1.0, 2.0])
    cam_pose = np.eye(4)
    cam_pose[:3, :3], cam_pose[:3, 3] = rotation, shift
    world = foreign(values) | {"cam_poses": cam_pose[None], "poses": [], "trans": []}
    for number, estimate in enumerate(group.estimates[2:4]):
        params = estimate.params
        pelvis = bodies[params.gender].rest_joints(params.betas)[0]
        pose = params.pose_rotvec.copy()
        pose[0] = rotmat_to_rotvec(rotation.T @ rotvec_to_rotmat(pose[0]))
        world["poses"].append(pose.reshape(1, 72))
        world["trans"].append((rotation.T @ (params.transl + pelvis - shift) - pelvis)[None])
        assert world["genders"][number] == params.gender[0]

    annotations = read(save(tmp_path / "w.pkl", world), body=bodies)

    for estimate, params in zip(group.estimates[2:4], annotations.params, strict=True):
        assert largest_difference_mm(estimate.params, params) < 1e-3
    assert annotations.report.notes == ["2 people: size of the photo unknown; twice the principal point is taken"]


def test_without_the_body_model_the_open_body_lends_its_pelvis_and_is_named(tmp_path, values):
    moved = foreign(values) | {"cam_poses": np.diag([-1.0, -1, 1, 1])[None]}

    notes = read(save(tmp_path / "w.pkl", moved)).report.notes

    assert "1 person: joints of the open male body stand for those of the file's own; give its body model" in notes


def test_photos_have_the_names_of_the_data_set_and_invalid_frames_are_left_out(tmp_path, values):
    many = foreign(values) | {
        "sequence": "downtown",
        "poses": [np.tile(array, (3, 1)) for array in values["poses"]],
        "trans": [np.tile(array, (3, 1)) for array in values["trans"]],
        "poses2d": [np.tile(array, (3, 1, 1)) for array in values["poses2d"]],
        "cam_poses": np.tile(np.eye(4), (3, 1, 1)),
        "campose_valid": [np.array([1, 0, 1]), np.array([0, 0, 1])],
    }

    annotations = read(save(tmp_path / "d.pkl", many))

    assert [person.image_name for person in annotations.people] == [
        "imageFiles/downtown/image_00000.jpg", "imageFiles/downtown/image_00002.jpg",
        "imageFiles/downtown/image_00002.jpg",
    ]  # fmt: skip
    assert len(annotations.report.skipped) == 3
    assert annotations.report.skipped[0].endswith("d.pkl: person 1, frame 1: its camera is not valid")
    assert {person.extra["model"] for person in annotations.people} == {"3dpw"}


def test_pickles_of_python_2_are_read(tmp_path, values):
    """Python 2 wrote text as bytes; Latin-1 brings them back."""
    content = dumps(foreign(values)).replace(b"X\x05\x00\x00\x00poses", b"U\x05poses")

    (tmp_path / "p.pkl").write_bytes(content)

    assert len(read(tmp_path / "p.pkl").people) == 2


def test_without_2d_points_the_box_is_around_the_joints(tmp_path, values, group):
    bare = {key: value for key, value in values.items() if key not in ("poses2d", "bbox")}

    (person, _) = read(save(tmp_path / "n.pkl", bare)).people

    ours = group.people[2].box
    assert person.keypoints is None
    np.testing.assert_allclose(person.box.xyxy, ours.xyxy, atol=0.3 * ours.height)


def test_several_photos_do_not_fit_one_file(tmp_path, group):
    with pytest.raises(FormatError, match=r"all\.pkl: a 3DPW file is about one photo, and these are 3; give a folder"):
        write("3dpw", tmp_path / "all.pkl", group.people, group.estimates, group.bodies)


def test_in_a_folder_a_damaged_file_is_left_out_with_a_line(tmp_path, folder):
    (tmp_path / "good.pkl").write_bytes((folder / "b.pkl").read_bytes())
    (tmp_path / "bad.pkl").write_bytes((folder / "b.pkl").read_bytes()[:300])

    annotations = read(tmp_path, "3dpw")

    assert annotations.report.read == 2
    assert len(annotations.report.skipped) == 1
    assert "bad.pkl: not a readable pickle" in annotations.report.skipped[0]


def test_a_folder_without_any_such_file_is_refused(tmp_path):
    with pytest.raises(FormatError, match="not a 3DPW file in this folder"):
        read(tmp_path, "3dpw")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": ...}, "not a 3DPW file: has no poses"),
        ({"poses": 3}, "'poses' is not a list"),
        ({"poses": [np.zeros((1, 66))] * 2}, r"person 1, frame 0: pose has shape \(66,\), not \(72,\)"),
        ({"trans": [np.zeros((0, 3))] * 2}, "person 1, frame 0: 'trans' ends before"),
        ({"betas": [np.zeros(4)] * 2}, r"person 1, frame 0: betas has shape \(4,\), not \(10,\)"),
        ({"genders": ["x", "m"]}, "person 1, frame 0: gender 'x' is none of"),
        ({"genders": []}, "person 1, frame 0: 'genders' ends before"),
        ({"cam_intrinsics": np.zeros((3, 3))}, "person 1, frame 0: camera matrix: focal length is 0"),
        ({"cam_poses": np.full((1, 4, 4), np.inf)}, "person 1, frame 0: cam_poses holds inf"),
        ({"image_names": ["../../etc/passwd"]}, "person 1, frame 0: photo .* must be a path inside"),
        ({"image_names": [3]}, "person 1, frame 0: image_names holds no text"),
        ({"campose_valid": [np.zeros(0)] * 2}, "person 1, frame 0: 'campose_valid' ends before"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path, values, changes, message):
    changed = {key: value for key, value in (values | changes).items() if value is not ...}

    with pytest.raises(FormatError, match=rf"w\.pkl: {message}"):
        read(save(tmp_path / "w.pkl", changed), "3dpw")


def test_a_frame_that_is_there_a_million_times_is_refused(tmp_path, values):
    poses = np.zeros((100, 72))

    path = save(tmp_path / "w.pkl", values | {"poses": [poses] * 100_000})

    with pytest.raises(FormatError, match=r"w\.pkl: announces 10,000,000 people in .* bytes, which cannot be meant"):
        read(path)
