import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, write
from cliff_core.formats.human_data_points import from_human_data, to_human_data
from cliff_core.formats.pickles import dump_object_array
from cliff_core.records import Keypoints


@pytest.fixture(scope="module")
def group(crowd):
    return crowd()


@pytest.fixture(scope="module")
def original(tmp_path_factory, group):
    path = tmp_path_factory.mktemp("humandata") / "h.npz"
    write("humandata", path, group.people, group.estimates, group.bodies)
    return path


@pytest.fixture
def path(tmp_path, original):
    (tmp_path / "h.npz").write_bytes(original.read_bytes())
    return tmp_path / "h.npz"


def loaded(path):
    """As MMHuman3D loads it: single values and dictionaries are items."""
    with np.load(path, allow_pickle=True) as archive:
        return {name: archive[name].item() if archive[name].ndim == 0 else archive[name] for name in archive.files}


def save(path, content, **changes):
    """Save a file again, some keys changed, `...` for left out; bytes go in as they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in (content | changes).items():
            if value is ...:
                continue
            if isinstance(value, bytes):
                entry = value
            elif isinstance(value, dict):
                entry = dump_object_array(value)
            else:
                stream = io.BytesIO()
                np.lib.format.write_array(stream, np.asarray(value))
                entry = stream.getvalue()
            archive.writestr(f"{name}.npy", entry)


def test_the_keys_are_those_that_mmhuman3d_knows(path):
    content = loaded(path)

    assert {key: content[key].shape for key in ("image_path", "bbox_xywh", "keypoints2d", "keypoints3d")} == {
        "image_path": (5,), "bbox_xywh": (5, 5), "keypoints2d": (5, 190, 3), "keypoints3d": (5, 190, 4)
    }  # fmt: skip
    assert content["keypoints2d_mask"].shape == content["keypoints3d_mask"].shape == (190,)
    assert {key: array.shape for key, array in content["smpl"].items()} == {
        "global_orient": (5, 3), "body_pose": (5, 23, 3), "betas": (5, 10), "transl": (5, 3)
    }  # fmt: skip
    assert content["meta"]["gender"] == ["n", "m", "f", "n", "m"]
    assert (content["__key_strict__"], content["__keypoints_compressed__"]) == (False, False)
    assert (content["config"], content["keypoints2d_convention"]) == ("cliff-annotator", "human_data")


def test_names_of_numpy_2_are_not_in_it(path):
    with zipfile.ZipFile(path) as archive:
        assert not any(b"numpy._core" in archive.read(name) for name in archive.namelist())


def test_hips_of_labels_stand_where_mmhuman3d_maps_those_of_coco(path, group):
    points = loaded(path)["keypoints2d"][0]

    keypoints = group.people[0].keypoints
    np.testing.assert_array_equal(points[145, :2], keypoints.points_px[11])  # left_hip_extra
    np.testing.assert_array_equal(points[1], 0)  # SMPL's left_hip is another place
    np.testing.assert_array_equal(points[55, :2], keypoints.points_px[0])  # nose


@pytest.mark.parametrize("joint_set", ["coco17", "coco23", "body25", "spin24", "mpii16"])
def test_points_of_any_set_come_back_where_they_have_a_place(joint_set):
    from cliff_core.skeletons import JOINT_SETS

    names = JOINT_SETS[joint_set].names
    points = np.random.default_rng(0).uniform(0, 500, (len(names), 2))
    back = from_human_data(to_human_data(Keypoints.uniform(joint_set, points, np.full(len(names), 2))))

    theirs = JOINT_SETS[back.joint_set].names
    shared = [name for name in theirs if name in names and back.visibility[theirs.index(name)]]
    assert len(shared) >= min(len(names), 15)
    for name in shared:
        np.testing.assert_array_equal(back.points_px[theirs.index(name)], points[names.index(name)])


def test_compressed_points_are_put_where_the_mask_says(path):
    content = loaded(path)
    mask = content["keypoints2d_mask"]
    before = [person.keypoints for person in read(path).people]
    save(path, content, keypoints2d=content["keypoints2d"][:, mask > 0], __keypoints_compressed__=True)

    for keypoints, person in zip(before, read(path).people, strict=True):
        np.testing.assert_array_equal(person.keypoints.points_px, keypoints.points_px)


def test_a_file_without_places_is_placed_by_its_points(path, crowd_photos):
    content = loaded(path)
    smpl = {key: value for key, value in content["smpl"].items() if key != "transl"}
    save(path, content, smpl=smpl, meta=..., misc={"smpl_source": "eft"})

    annotations = read(path, photos=crowd_photos)

    assert all(params is not None for params in annotations.params)
    assert {person.extra["model"] for person in annotations.people} == {"eft"}
    assert annotations.report.notes[-1] == "5 people: no translation in the file; placed by the 2D points"


def test_cameras_may_stand_in_misc(path):
    content = loaded(path)
    meta = {key: value for key, value in content["meta"].items() if key not in ("focal_length", "principal_point")}
    misc = {"focal_length": np.tile([900.0, 910.0], (5, 1)), "principal_point": np.full((5, 2), 300.0)}
    save(path, content, meta=meta, misc=misc)

    annotations = read(path)

    assert annotations.people[0].camera.focal_length_px == 905
    assert annotations.people[0].camera.principal_point_px == (300.0, 300.0)
    assert annotations.report.notes == [
        "5 people: focal lengths of the file differ between x and y; their mean is taken"
    ]


def test_people_of_smplx_come_without_bodies(path):
    content = loaded(path)
    save(path, content, smpl=..., smplx={"betas": np.zeros((5, 10))})

    annotations = read(path)

    assert annotations.params == [None] * 5
    assert annotations.report.notes == ["5 people: bodies left out, as they are SMPL-X's and not SMPL's"]


def test_without_boxes_they_are_drawn_around_the_points(path):
    content = loaded(path)
    points = content["keypoints2d"].copy()
    points[3] = 0
    save(path, content, bbox_xywh=..., keypoints2d=points)

    annotations = read(path)

    assert len(annotations.people) == 4
    assert annotations.report.skipped == [f"{path}: row 3 (b.jpg): has neither a box nor points"]


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def objects(value):
    """An entry of Python objects as NumPy itself writes it."""
    array = np.empty((), dtype=object)
    array[()] = value
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def test_dictionaries_that_numpy_itself_wrote_are_read(path, group, largest_difference_mm):
    content = loaded(path)
    save(path, content, **{name: objects(content[name]) for name in ("smpl", "meta", "misc")})

    for estimate, params in zip(group.estimates, read(path).params, strict=True):
        assert largest_difference_mm(estimate.params, params) == 0


@pytest.mark.parametrize("name", ["smpl", "meta", "misc"])
def test_a_dictionary_that_calls_something_is_refused(path, name):
    save(path, loaded(path), **{name: objects({"betas": Call(os.mkdir, ("witness",))})})

    with pytest.raises(FormatError, match=rf"h\.npz: '{name}': refused, it asks for \w+\.mkdir"):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smpl": objects([1, 2])}, "'smpl' holds a list instead of a dictionary"),
        ({"smpl": np.zeros(3)}, "array 'smpl' is damaged"),
        ({"smpl": pickle.dumps({})}, "array 'smpl' is damaged"),
        ({"smpl": {"body_pose": np.zeros((5, 23, 3))}}, "row 0 .*the file's body has no 'global_orient'"),
        ({"smpl": {"body_pose": np.zeros((4, 69))}}, "row 0 .*'body_pose' is no list with one entry for each of the 5"),
        ({"meta": {"gender": "m", "height": [1] * 5}}, "row 0 .*'gender' is no list with one entry"),
        ({"meta": {"width": ["x"] * 5, "height": [1] * 5}}, "row 0 .*image_size is .*, not 2 numbers"),
        ({"bbox_xywh": np.zeros((5, 5))}, "row 0 .*box .* has no area"),
        ({"keypoints2d": np.zeros((5, 16, 3))}, "'keypoints2d' has 16 points, and no mask says which"),
        ({"image_path": np.array(["/etc/passwd"] * 5)}, "row 0 .*photo '/etc/passwd' must be a path inside the folder"),
        ({"image_path": np.zeros(5)}, "'image_path' holds float64 instead of text"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(path, changes, message):
    save(path, loaded(path), **changes)

    with pytest.raises(FormatError, match=rf"h\.npz: {message}"):
        read(path)
