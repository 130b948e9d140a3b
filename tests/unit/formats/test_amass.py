import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, write
from cliff_core.geometry.rotations import rotvec_to_rotmat


def rewrite(path, **changes):
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not ...})


@pytest.fixture(scope="module")
def group(crowd):
    return crowd()


@pytest.fixture
def path(tmp_path, group):
    """The third person, a woman on a photo with a principal point of its own."""
    write("amass", tmp_path / "a.npz", group.people[2:3], group.estimates[2:3], group.bodies)
    return tmp_path / "a.npz"


def test_each_person_has_a_file(tmp_path, group):
    write("amass", tmp_path, group.people, group.estimates, group.bodies)

    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.npz")) == [
        "b_1.npz", "b_2.npz", "c_1.npz", "street/day 1_1.npz", "street/day 1_2.npz"
    ]  # fmt: skip


def test_the_keys_are_those_that_blender_and_aitviewer_ask_for(path):
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)

    shapes = {"poses": (1, 165), "trans": (1, 3), "betas": (16,), "poses_root": (1, 3), "poses_body": (1, 69)}
    assert {key: arrays[key].shape for key in shapes} == shapes
    assert arrays["gender"].item() == "female"
    assert (int(arrays["mocap_frame_rate"]), arrays["mocap_framerate"].tolist()) == (30, 30.0)
    np.testing.assert_array_equal(arrays["poses"][0, :3], arrays["poses_root"][0])
    np.testing.assert_array_equal(arrays["poses"][0, 3:66], arrays["poses_body"][0, :63])


def test_the_world_stands_upright_with_z_up(path, group, bodies):
    """What a tool poses from the file's numbers is what the camera sees, turned."""
    with np.load(path) as archive:
        pose = np.concatenate([archive["poses_root"][0], archive["poses_body"][0]]).reshape(24, 3)
        betas, trans = archive["betas"][:10], archive["trans"][0]
    world = bodies["female"].pose(rotvec_to_rotmat(pose), betas).vertices + trans

    params = group.estimates[2].params
    camera = bodies["female"].pose(rotvec_to_rotmat(params.pose_rotvec), params.betas).vertices + params.transl
    expected = np.stack([camera[:, 0], camera[:, 2], -camera[:, 1]], axis=1)
    np.testing.assert_allclose(world, expected, atol=1e-6)
    head, foot = world[bodies["female"].vertex_names["nose"]], world[bodies["female"].vertex_names["LHeel"]]
    assert head[2] - foot[2] > 1.0


def test_a_motion_of_amass_itself_is_refused_as_it_is_about_no_photo(path):
    rewrite(path, imgname=...)

    with pytest.raises(FormatError, match=r"a\.npz: a motion file that names no photo"):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses_body": ...}, "has no array 'poses_body'"),
        ({"poses_body": np.zeros((2, 69))}, r"poses_body has shape \(2, 69\), not \(69,\)"),
        ({"trans": np.full((1, 3), np.inf)}, "trans holds inf, which cannot be meant"),
        ({"gender": np.array(["female", "male"])}, "'gender' is no single text"),
        ({"imgname": np.array("../a.jpg")}, "photo '../a.jpg' must be a path inside the folder"),
        ({"bbox": ...}, "says neither camera nor box"),
        ({"betas": np.array([None])}, "'betas' holds Python objects"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(path, changes, message):
    rewrite(path, **changes)

    with pytest.raises(FormatError, match=rf"a\.npz: {message}"):
        read(path)
