import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, write
from cliff_core.formats.spin_points import to_part
from cliff_core.records import Camera


def rewrite(path, **changes):
    """Save the arrays of a file again, some changed, `...` for left out."""
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not ...})


OURS = ("annot_id", "image_size", "principal_point", "bbox", "model", "transl", "focal_length")


@pytest.fixture
def group(crowd):
    return crowd(("neutral",))


@pytest.fixture
def path(tmp_path, group):
    write("spin", tmp_path / "s.npz", group.people, group.estimates, group.bodies)
    return tmp_path / "s.npz"


def test_the_keys_are_those_of_spins_dataset_and_ours(path):
    with np.load(path, allow_pickle=False) as archive:
        shapes = {key: archive[key].shape[1:] for key in archive.files}

    spin = {"imgname": (), "center": (2,), "scale": (), "part": (24, 3), "openpose": (25, 3), "pose": (72,)}
    spin |= {"shape": (10,), "has_smpl": (), "S": (24, 4)}
    assert set(shapes) == {*spin, *OURS}
    assert {key: shapes[key] for key in spin} == spin


def test_scale_is_the_square_crop_of_spin(path, group):
    with np.load(path) as archive:
        centre, scale = archive["center"], archive["scale"]

    for row, person in enumerate(group.people):
        np.testing.assert_allclose(centre[row], person.box.centre_px)
        assert 200 * scale[row] == pytest.approx(1.2 * max(person.box.width, person.box.height))


def test_genders_are_spins_letters_and_absent_where_all_are_neutral(tmp_path, path, crowd):
    with np.load(path) as archive:
        assert "gender" not in archive.files
    group = crowd(("male", "female"))
    write("spin", tmp_path / "g.npz", group.people, group.estimates, group.bodies)

    with np.load(tmp_path / "g.npz") as archive:
        assert archive["gender"].tolist() == ["m", "f", "m", "f", "m"]
    assert [params.gender for params in read(tmp_path / "g.npz").params] == ["male", "female", "male", "female", "male"]


def test_neutral_people_beside_others_are_refused_by_name(tmp_path, crowd):
    group = crowd(("male", "neutral"))

    with pytest.raises(FormatError, match=r"g\.npz: person 2 \(street/day 1.jpg\) is neutral beside male or female"):
        write("spin", tmp_path / "g.npz", group.people, group.estimates, group.bodies)
    assert list(tmp_path.iterdir()) == []


def test_people_come_back_with_their_points_boxes_and_cameras(path, group):
    annotations = read(path, "spin")

    assert annotations.report.read == 5
    assert annotations.report.notes == []
    for before, after, estimate in zip(group.people, annotations.people, group.estimates, strict=True):
        assert (after.image_name, after.image_size_px) == (before.image_name, before.image_size_px)
        assert (after.camera, after.annotation_id) == (before.camera, before.annotation_id)
        np.testing.assert_array_equal(after.box.xyxy, before.box.xyxy)
        np.testing.assert_array_equal(to_part(after.keypoints), to_part(before.keypoints))
        assert after.extra == {"model": estimate.model}


def test_a_file_of_spins_own_is_placed_by_its_points(path, group, crowd_photos, largest_difference_mm):
    rewrite(path, **dict.fromkeys(OURS, ...))

    annotations = read(path, photos=crowd_photos)

    assert annotations.report.notes == [
        "5 people: focal length unknown; the photo's diagonal is taken",
        "5 people: joints of the open neutral body stand for those of the file's own; give its body model",
        "5 people: no translation in the file; placed by the 2D points",
    ]
    assert annotations.people[0].camera == Camera.guess((1919, 1080))
    # The first two were written under that very camera: their place is found again from the points, up to the
    # difference between the joints of the body and those that its 2D points regress.
    for estimate, params in zip(group.estimates[:2], annotations.params, strict=False):
        np.testing.assert_array_equal(params.pose_rotvec, estimate.params.pose_rotvec)
        assert largest_difference_mm(estimate.params, params) < 0.05 * 1000 * estimate.params.transl[2]
    assert all(person.extra == {"model": "spin"} for person in annotations.people)


def test_with_its_body_model_nothing_is_noted_about_joints(path, crowd_photos, bodies):
    rewrite(path, **dict.fromkeys(OURS, ...))

    notes = read(path, photos=crowd_photos, body=bodies).report.notes

    assert not [note for note in notes if "open neutral body" in note]


def test_without_points_a_body_stands_in_the_middle_of_its_crop(path, crowd_photos):
    rewrite(path, **dict.fromkeys((*OURS, "part", "openpose"), ...))

    annotations = read(path, photos=crowd_photos)

    assert "too few 2D points" in annotations.report.notes[-1]
    for person, params in zip(annotations.people, annotations.params, strict=True):
        camera = person.camera
        seen = camera.focal_length_px * params.transl[:2] / params.transl[2] + camera.centre_px
        np.testing.assert_allclose(seen, person.box.centre_px, atol=1e-6)
        assert params.transl[2] == pytest.approx(2 * camera.focal_length_px / (0.9 * 1.2 * person.box.height))


def test_without_the_photos_people_are_read_and_their_bodies_noted(path):
    rewrite(path, **dict.fromkeys(OURS, ...))

    annotations = read(path)

    assert annotations.params == [None] * 5
    assert annotations.report.notes == [
        "5 people: body left out, as the size of its photo is unknown; read again with the photos"
    ]


def test_people_without_a_body_are_read_as_such(path):
    rewrite(path, has_smpl=np.array([1, 0, 1, 0, 1]))

    assert [params is None for params in read(path).params] == [False, True, False, True, False]


def test_points_of_a_detector_with_feet_come_back_in_its_order(tmp_path, path):
    rewrite(path, part=np.zeros((5, 24, 3)))

    assert {person.keypoints.joint_set for person in read(path).people} == {"body25"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"center": ...}, "of none of the known formats"),
        ({"pose": np.zeros((5, 66))}, r"'pose' has shape \(5, 66\), not \(5, 72\)"),
        ({"scale": np.array([1, 1, 0, 1, 1.0]), "bbox": ...}, r"row 2 \(b.jpg\): box .* has no area"),
        ({"shape": np.full((5, 10), 1e30)}, r"row 0 .*: 'shape' holds 1e\+30, which cannot be meant"),
        ({"shape": np.full((5, 10), 1e6)}, r"row 0 .*: betas holds 1e\+06, which cannot be meant"),
        ({"openpose": np.full((5, 25, 3), 1e300)}, r"row 0 .*: 'openpose' holds 1e\+300, which cannot be meant"),
        ({"transl": np.full((5, 3), np.nan)}, r"row 0 .*'transl' is not finite"),
        ({"focal_length": np.zeros(5)}, r"row 0 .*focal_length is 0; it must be positive"),
        ({"image_size": np.full((5, 2), 10.5)}, r"row 0 .*image_size 10.5 x 10.5 must be whole pixels"),
        ({"gender": np.array(list("mfx"))}, r"'gender' has shape \(3,\), not \(5,\)"),
        ({"model": np.array(["x" * 300] * 5)}, r"row 0 .*model 'xxx.* is no name"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(path, changes, message):
    rewrite(path, **changes)

    with pytest.raises(FormatError, match=rf"s\.npz: {message}"):
        read(path)


def test_more_people_than_the_file_can_mean_are_refused_at_once(tmp_path):
    count = 500_000
    arrays = {
        "imgname": np.full(count, "a"),
        "center": np.ones((count, 2), np.uint8),
        "scale": np.ones(count, np.uint8),
    }
    np.savez_compressed(tmp_path / "s.npz", **arrays, pose=np.zeros((count, 72), np.uint8))

    with pytest.raises(FormatError, match=r"s\.npz: announces 500,000 people in .* bytes, which cannot be meant"):
        read(tmp_path / "s.npz")
