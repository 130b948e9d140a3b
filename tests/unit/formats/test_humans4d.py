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
    write("4d-humans", tmp_path / "h.npz", group.people, group.estimates, group.bodies)
    return tmp_path / "h.npz"


def test_the_keys_are_those_that_its_dataset_asks_for(path):
    with np.load(path, allow_pickle=False) as archive:
        shapes = {key: archive[key].shape for key in archive.files}

    wanted = {"imgname": (5,), "center": (5, 2), "scale": (5, 2), "body_pose": (5, 72), "has_body_pose": (5,)}
    wanted |= {"betas": (5, 10), "has_betas": (5,), "body_keypoints_2d": (5, 25, 3), "extra_keypoints_2d": (5, 19, 3)}
    wanted |= {"body_keypoints_3d": (5, 25, 4), "extra_keypoints_3d": (5, 19, 4)}
    assert {key: shapes[key] for key in wanted} == wanted


def test_scale_is_in_pixels_as_the_loader_divides_it_by_200(path, group):
    with np.load(path) as archive:
        scale = archive["scale"]

    np.testing.assert_allclose(scale, [[person.box.width, person.box.height] for person in group.people])


def test_body_pose_starts_with_the_global_orientation(path, group):
    with np.load(path) as archive:
        pose = archive["body_pose"]

    np.testing.assert_array_equal(pose[:, :3], [estimate.params.pose_rotvec[0] for estimate in group.estimates])


def test_points_in_three_dimensions_lie_around_the_pelvis(path):
    with np.load(path) as archive:
        body, extra = archive["body_keypoints_3d"], archive["extra_keypoints_3d"]

    np.testing.assert_array_equal(extra[:, 14], np.tile([0, 0, 0, 1], (5, 1)))  # the loader subtracts this one
    assert (body[..., 3] == 1).all()
    assert 0.3 < np.linalg.norm(body[:, 0, :3], axis=1).mean() < 1.0  # nose to pelvis


@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_number_is_the_side_of_a_square(path, shape):
    rewrite(path, scale=np.full((5, *shape), 300.0), bbox=...)

    assert {(person.box.width, person.box.height) for person in read(path).people} == {(300.0, 300.0)}


def test_bodies_that_mean_nothing_are_left_out(path):
    rewrite(path, has_body_pose=np.array([1.0, 0, 1, 1, 1]), has_betas=np.array([1.0, 1, 0, 1, 1]))

    params = read(path).params

    assert params[1] is None
    np.testing.assert_array_equal(params[2].betas, np.zeros(10))


def test_python_objects_beside_the_arrays_are_never_opened(path):
    rewrite(path, extra_info=np.array([{}] * 5, dtype=object))

    assert len(read(path).people) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": np.zeros((5, 3))}, r"'scale' has shape \(5, 3\), not \(5, 2\) or \(5, 1\) or \(5,\)"),
        ({"body_keypoints_2d": np.zeros((5, 44, 3))}, r"'body_keypoints_2d' has shape \(5, 44, 3\), not \(5, 25, 3\)"),
        ({"scale": np.zeros((5, 2)), "bbox": ...}, r"row 0 .*box .* has no area"),
        ({"body_pose": np.full((5, 72), 1e9)}, r"row 0 .*pose holds 1e\+09, which cannot be meant"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(path, changes, message):
    rewrite(path, **changes)

    with pytest.raises(FormatError, match=rf"h\.npz: {message}"):
        read(path)
