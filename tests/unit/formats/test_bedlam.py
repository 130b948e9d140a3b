import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, write


def rewrite(path, **changes):
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not ...})


@pytest.fixture
def group(crowd):
    return crowd()


@pytest.fixture
def path(tmp_path, group):
    write("bedlam", tmp_path / "b.npz", group.people, group.estimates, group.bodies)
    return tmp_path / "b.npz"


def test_the_keys_are_those_that_camerahmr_asks_for(path, group):
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)

    shapes = {"imgname": (5,), "center": (5, 2), "scale": (5,), "pose_cam": (5, 72), "shape": (5, 10)}
    shapes |= {"trans_cam": (5, 3), "cam_int": (5, 3, 3), "cam_ext": (5, 4, 4), "gtkps": (5, 44, 3), "gender": (5,)}
    assert {key: arrays[key].shape for key in shapes} == shapes
    np.testing.assert_array_equal(arrays["cam_int"][2], [[1145.5, 0, 512.5], [0, 1145.5, 515.25], [0, 0, 1]])
    # its dataset adds the two translations
    moved = arrays["cam_ext"][:, :3, 3] + arrays["trans_cam"]
    np.testing.assert_array_equal(moved, [estimate.params.transl for estimate in group.estimates])


def test_no_body_model_is_needed(tmp_path, group):
    write("bedlam", tmp_path / "b.npz", group.people, group.estimates)

    assert len(read(tmp_path / "b.npz").people) == 5


def test_a_world_that_is_not_the_camera_is_taken_into_account(path, group):
    ext = np.tile(np.eye(4), (5, 1, 1))
    ext[:, :3, 3] = (0, 0, 2)
    rewrite(path, cam_ext=ext)

    for estimate, params in zip(group.estimates, read(path).params, strict=True):
        np.testing.assert_array_equal(params.transl, estimate.params.transl + np.array([0, 0, 2]))


def test_camerahmrs_labels_of_real_photos_are_read(path, group):
    with np.load(path) as archive:
        pose, trans = archive["pose_cam"], archive["trans_cam"]
    rewrite(path, pose=pose, cam_t=trans, pose_cam=..., trans_cam=..., cam_ext=..., gtkps=..., image_size=...)

    annotations = read(path)

    np.testing.assert_array_equal(annotations.params[3].transl, group.estimates[3].params.transl)
    assert annotations.report.notes == ["5 people: size of the photo unknown; twice the principal point is taken"]
    assert annotations.people[0].image_size_px == (1919, 1080)


def test_bodies_of_smplx_are_left_out_with_a_note(path):
    rewrite(path, pose_cam=np.zeros((5, 165)), shape=np.zeros((5, 11)))

    annotations = read(path)

    assert annotations.params == [None] * 5
    assert annotations.report.notes == [
        "5 people: body left out, as its pose has 165 numbers (SMPL-X?) and SMPL's has 72"
    ]


def test_two_focal_lengths_become_their_mean_with_a_note(path):
    matrix = np.tile([[1000.0, 0, 500], [0, 1010, 400], [0, 0, 1]], (5, 1, 1))
    rewrite(path, cam_int=matrix)

    annotations = read(path)

    assert annotations.people[0].camera.focal_length_px == 1005
    assert annotations.report.notes == [
        "5 people: focal lengths of the file differ between x and y; their mean is taken"
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cam_int": np.zeros((5, 3, 3))}, r"row 0 .*camera matrix: focal length is 0; it must be positive"),
        ({"shape": np.zeros((5, 3))}, r"row 0 .*betas has shape \(3,\), not \(10,\)"),
        (
            {"cam_int": np.tile(np.diag([9.0, 9, 1]), (5, 1, 1)), "image_size": ...},
            r"row 0 .*is in the middle of no photo",
        ),
        ({"gtkps": np.zeros((4, 44, 3))}, r"'gtkps' has shape \(4, 44, 3\), not \(5, any, 3\)"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(path, changes, message):
    rewrite(path, **changes)

    with pytest.raises(FormatError, match=rf"b\.npz: {message}"):
        read(path)
