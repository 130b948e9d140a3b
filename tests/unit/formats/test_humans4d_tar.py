import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cliff_core.errors import FormatError, ImageError
from cliff_core.formats import read, write
from cliff_core.formats.pickles import dumps


@pytest.fixture(scope="module")
def group(crowd):
    return crowd()


@pytest.fixture(scope="module")
def path(tmp_path_factory, group, crowd_photos):
    path = tmp_path_factory.mktemp("tar") / "h.tar"
    write("4d-humans-tar", path, group.people, group.estimates, group.bodies, photos=crowd_photos)
    return path


def entries(path):
    with tarfile.open(path) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}


def save(path, contents):
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def foreign(values):
    """A person's dictionary as 4D-Humans' own tars have it."""
    ours = {
        "pose",
        "shape",
        "imgname",
        "image_size",
        "principal_point",
        "bbox",
        "gender",
        "model",
        "annot_id",
        "transl",
    }
    return {key: value for key, value in values.items() if key not in ours | {"focal_length"}}


def test_each_photo_stands_before_its_people_under_one_key(path, crowd_photos):
    contents = entries(path)

    assert list(contents) == [
        "street/day 1.jpg", "street/day 1.data.pyd", "b.jpg", "b.data.pyd", "c.jpg", "c.data.pyd"
    ]  # fmt: skip
    assert contents["b.jpg"] == (crowd_photos / "b.jpg").read_bytes()


def test_the_dictionaries_are_what_the_training_takes(path):
    people = pickle.loads(entries(path)["b.data.pyd"])

    assert len(people) == 2
    shapes = {"center": (2,), "scale": (2,), "body_pose": (72,), "betas": (10,), "keypoints_2d": (44, 3)}
    shapes |= {"keypoints_3d": (44, 4), "has_body_pose": (), "has_betas": ()}
    for values in people:
        assert {key: values[key].shape for key in shapes} == shapes
        assert {values[key].dtype for key in shapes} == {np.dtype(np.float32)}
        assert values["extra_info"] == {}


def test_scale_is_divided_by_200_unlike_in_the_npz(path, group):
    values = pickle.loads(entries(path)["b.data.pyd"])[0]

    box = group.people[2].box
    np.testing.assert_allclose(200 * values["scale"], [box.width, box.height], rtol=1e-6)


def test_single_precision_is_within_some_micrometres(path, group, tmp_path, largest_difference_mm):
    contents = entries(path)
    changed = [{key: value for key, value in values.items() if key not in ("pose", "shape")}
               for values in pickle.loads(contents["b.data.pyd"])]  # fmt: skip
    save(tmp_path / "s.tar", {"b.jpg": contents["b.jpg"], "b.data.pyd": dumps(changed)})

    for estimate, params in zip(group.estimates[2:4], read(tmp_path / "s.tar").params, strict=True):
        assert 0 < largest_difference_mm(estimate.params, params) < 5e-3


def test_a_pose_that_somebody_changed_goes_before_our_exact_one(path, tmp_path):
    contents = entries(path)
    values = pickle.loads(contents["c.data.pyd"])
    values[0]["body_pose"] = np.zeros(72, dtype=np.float32)
    save(tmp_path / "c.tar", {"c.jpg": contents["c.jpg"], "c.data.pyd": dumps(values)})

    np.testing.assert_array_equal(read(tmp_path / "c.tar").params[0].pose_rotvec, np.zeros((24, 3)))


@pytest.mark.parametrize("order", [("b.jpg", "b.data.pyd"), ("b.data.pyd", "b.jpg")])
def test_tars_of_4d_humans_own_are_read_with_the_photos_in_them(path, tmp_path, order):
    contents = entries(path)
    people = dumps([foreign(values) for values in pickle.loads(contents["b.data.pyd"])])
    save(tmp_path / "f.tar", {name: contents[name] if name.endswith("jpg") else people for name in order})

    annotations = read(tmp_path / "f.tar")

    assert [person.image_name for person in annotations.people] == ["b.jpg", "b.jpg"]
    assert {person.image_size_px for person in annotations.people} == {(1000, 1002)}
    assert all(params is not None for params in annotations.params)
    assert annotations.report.notes[0] == "2 people: focal length unknown; the photo's diagonal is taken"


def test_masks_and_photos_without_people_are_passed_over(path, tmp_path):
    contents = {name: content for name, content in entries(path).items() if name != "c.data.pyd"}
    save(tmp_path / "m.tar", contents | {"c.detection.npz": b"anything"})

    assert len(read(tmp_path / "m.tar").people) == 4


def test_photos_are_asked_for_and_must_be_those_of_the_people(tmp_path, group, crowd_photos):
    out = tmp_path / "h.tar"
    with pytest.raises(FormatError, match=r"h\.tar: a 4D-Humans tar carries the photos; name their folder"):
        write("4d-humans-tar", out, group.people, group.estimates, group.bodies)
    with pytest.raises(ImageError, match=r"street.day 1\.jpg"):
        write("4d-humans-tar", out, group.people, group.estimates, group.bodies, photos=tmp_path)
    (tmp_path / "b.jpg").write_bytes((crowd_photos / "c.jpg").read_bytes())
    with pytest.raises(
        FormatError, match=r"person 1 \(b.jpg\): the photo is 480 x 640 pixels, but its body was predic"
    ):
        write("4d-humans-tar", out, group.people[2:3], group.estimates[2:3], group.bodies, photos=tmp_path)
    assert not out.exists()


def test_photos_whose_names_differ_in_their_suffix_or_dots_stay_apart(tmp_path, group, crowd_photos):
    from dataclasses import replace

    names = ["a.jpg", "a.png", "A.jpeg", "a.b.jpg"]
    people = [replace(group.people[2], image_name=name) for name in names]
    for name in names:
        (tmp_path / name).write_bytes((crowd_photos / "b.jpg").read_bytes())

    write("4d-humans-tar", tmp_path / "h.tar", people, [group.estimates[2]] * 4, group.bodies, photos=tmp_path)

    assert [name for name in entries(tmp_path / "h.tar") if name.endswith(".jpg")] == [
        "a.jpg", "a_2.jpg", "A_3.jpg", "a_b.jpg"
    ]  # fmt: skip
    assert [person.image_name for person in read(tmp_path / "h.tar").people] == names


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Call(os.mkdir, ("witness",))), r"refused, it asks for \w+\.mkdir"),
        (pickle.dumps([Call(os.mkdir, ("witness",))]), r"refused, it asks for \w+\.mkdir"),
        (b"", "not a readable pickle"),
        (dumps("people"), "holds a str instead of a list of people"),
        (dumps([3]), "person 1: a int instead of a dictionary"),
        (dumps([{}]), "person 1: has no 'center'"),
        (dumps([{"center": [0, 0], "scale": np.zeros(2)}]), "person 1: box .* has no area"),
        (dumps([{"center": [0, "x"], "scale": 1}]), "person 1: center is .*, not 2 numbers"),
        (dumps([{"center": [0, 0], "scale": [1.0, [2.0], 3.0]}]), "person 1: scale is .*, not 1 numbers"),
        (dumps([{"center": [0, 0], "scale": [1.0, 2.0, 3.0]}]), "person 1: scale has shape"),
        (dumps([{"center": [0, 0], "scale": 1.0, "body_pose": np.full(72, np.nan)}]), "person 1: body_pose holds nan"),
        (
            dumps([{"center": [0, 0], "scale": 1.0, "keypoints_2d": np.zeros((49, 3))}]),
            r"keypoints_2d has shape \(49, 3\)",
        ),
        (dumps([{"center": [0, 0], "scale": 1.0, "imgname": "../../x.jpg"}]), "must be a path inside the folder"),
    ],
)
def test_wrong_people_are_refused_with_what_is_wrong(tmp_path, content, message):
    save(tmp_path / "w.tar", {"b.data.pyd": content})

    with pytest.raises(FormatError, match=rf"w\.tar: b\.data\.pyd: .*{message}|w\.tar: b\.data\.pyd.*: {message}"):
        read(tmp_path / "w.tar", "4d-humans-tar")
    assert not Path("witness").exists()


def test_a_path_that_leads_out_of_the_archive_is_refused(tmp_path):
    save(tmp_path / "w.tar", {"../x.data.pyd": dumps([{"center": [0, 0], "scale": 1.0}])})

    with pytest.raises(FormatError, match="photo '../x.jpg' must be a path inside the folder"):
        read(tmp_path / "w.tar")


def test_a_person_who_is_there_a_million_times_is_refused(tmp_path):
    person = {"center": [0, 0], "scale": 1.0}
    save(tmp_path / "w.tar", {"b.data.pyd": dumps([person] * 200_000)})

    with pytest.raises(FormatError, match=r"b\.data\.pyd: announces 200,000 people in .* bytes, which cannot be meant"):
        read(tmp_path / "w.tar")
