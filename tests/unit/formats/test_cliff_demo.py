import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import write_image
from cliff_core.records import Camera

POSE = np.random.default_rng(0).normal(0, 0.4, (3, 24, 3))


@pytest.fixture
def save(tmp_path):
    def save(**changes):
        arrays = {
            "imgname": np.array(["a.jpg", "street/b.jpg"]),
            "detection_all": np.array([[1, 10, 20, 110, 220, 0.9, 0.8, 0], [0, 1, 2, 31, 62, 0.9, 0.8, 0],
                                       [1, 5, 5, 60, 90, 0.9, 0.8, 0]]),
            "pose": POSE.reshape(3, 72),
            "shape": np.arange(30.0).reshape(3, 10) / 10,
            "global_t": np.array([[0.1, 0.2, 3.0], [0, 0, 4], [1, 0, 5]]),
            "focal_l": np.full(3, 800.0),
            "pred_joints": np.zeros((3, 45, 3)),
        }  # fmt: skip
        np.savez(tmp_path / "d.npz", **(arrays | changes))
        return tmp_path / "d.npz"

    return save


def test_each_detection_is_a_person_on_its_photo_with_its_body(save):
    annotations = read(save())

    assert [person.image_name for person in annotations.people] == ["street/b.jpg", "a.jpg", "street/b.jpg"]
    np.testing.assert_array_equal(annotations.people[0].box.xyxy, [10, 20, 110, 220])
    assert annotations.people[0].extra == {"model": "CLIFF", "focal_length_px": 800.0}
    for row, params in enumerate(annotations.params):
        np.testing.assert_array_equal(params.pose_rotvec, POSE[row])
    np.testing.assert_array_equal(annotations.params[0].transl, [0.1, 0.2, 3.0])
    assert (annotations.report.read, annotations.report.notes) == (3, [])


def test_matrices_are_the_same_pose(save):
    params = read(save(pose=rotvec_to_rotmat(POSE))).params

    np.testing.assert_allclose([each.pose_rotvec for each in params], POSE, atol=1e-12)


def test_with_the_photos_the_camera_is_known(save, tmp_path):
    write_image(tmp_path / "photos" / "a.jpg", np.zeros((480, 640, 3), np.uint8))

    people = read(save(), photos=tmp_path / "photos").people

    assert (people[1].camera, people[0].camera) == (Camera(800.0, (640, 480)), None)


def test_of_absolute_paths_the_base_name_is_taken_with_a_note(save):
    annotations = read(save(imgname=np.array(["/data/me/a.jpg", "..\\up\\b.jpg"])))

    assert [person.image_name for person in annotations.people] == ["b.jpg", "a.jpg", "b.jpg"]
    assert annotations.report.notes == ["2 photos: named by an absolute path, of which the base name is taken"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detection_all": np.full((3, 8), 7.0)}, "person 1: is on photo 7, and the file names 2"),
        ({"detection_all": np.full((3, 8), 0.5)}, "person 1: is on photo 0.5, and the file names 2"),
        ({"detection_all": np.zeros((3, 8))}, "person 1: box .* has no area"),
        ({"detection_all": np.zeros(8)}, r"'detection_all' has shape \(8,\), not \(8, 8\)"),
        ({"pose": np.zeros((3, 66))}, r"'pose' has shape \(3, 66\), not \(3, 72\)"),
        ({"pose": np.zeros((3, 24, 3, 3))}, "person 1: pose: the matrix of joint 0 is no rotation"),
        ({"shape": np.full((3, 10), np.nan)}, "person 1: betas holds nan"),
        ({"focal_l": np.zeros(3)}, "person 1: focal_l is 0; it must be positive"),
        ({"imgname": np.zeros(2)}, "'imgname' holds float64 instead of text"),
        ({"imgname": np.array([None, None])}, "'imgname' holds Python objects"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(save, changes, message):
    with pytest.raises(FormatError, match=rf"d\.npz: {message}"):
        read(save(**changes))
