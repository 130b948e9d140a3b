import json

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, recognise, write
from cliff_core.images import write_image
from cliff_core.records import Box, Keypoints, PhotoPerson
from cliff_core.skeletons import COCO17, MPII16


def entry(**changes):
    """The first person of the `train.json` that HRNet and MMPose read, in its own numbers."""
    joints = [[620.0, 394.0], [616.0, 269.0], [573.0, 185.0], [647.0, 188.0], [661.0, 221.0], [656.0, 231.0]]
    joints += [[610.0, 187.0], [647.0, 176.0], [637.0201, 189.8183], [695.9799, 108.1817], [606.0, 217.0]]
    joints += [[553.0, 161.0], [601.0, 167.0], [692.0, 185.0], [693.0, 240.0], [688.0, 313.0]]
    whole = {"joints_vis": [1] * 16, "joints": joints, "image": "015601864.jpg", "scale": 3.021046}
    whole |= {"center": [594.0, 257.0]}
    return {key: value for key, value in (whole | changes).items() if value is not ...}


def save(path, content):
    path.write_text(json.dumps(content))
    return path


def test_joints_are_counted_from_zero_and_the_box_is_the_bodys(tmp_path):
    path = save(tmp_path / "some.file", [entry()])

    (person,) = read(path).people

    assert recognise(path) == "mpii"
    assert (person.image_name, person.image_size_px, person.annotation_id) == ("015601864.jpg", (0, 0), -1)
    assert person.keypoints.joint_set == "mpii16"
    assert person.keypoints.points_px[MPII16.index("right_ankle")].tolist() == [619, 393]
    height, moved = 200 * 3.021046, 256 + 15 * 3.021046
    np.testing.assert_allclose(
        person.box.xyxy, [593 - height / 2, moved - height / 2, 593 + height / 2, moved + height / 2]
    )


def test_joints_that_are_not_labelled_stay_so(tmp_path):
    flags, joints = [1] * 16, entry()["joints"]
    flags[3], joints[3] = 0, [-1.0, -1.0]

    (person,) = read(save(tmp_path / "a.json", [entry(joints_vis=flags, joints=joints)])).people

    assert person.keypoints.visibility.tolist() == [2, 2, 2, 0] + [2] * 12


@pytest.mark.parametrize("changes", [{"center": [-1, -1], "scale": -1}, {"scale": ..., "center": ...}])
def test_without_centre_and_scale_the_box_is_around_the_joints(tmp_path, changes):
    (person,) = read(save(tmp_path / "a.json", [entry(**changes)])).people

    low, high = np.array([552, 107.1817]), np.array([694.9799, 393])
    np.testing.assert_allclose(person.box.xyxy, [*(low - 0.1 * (high - low)), *(high + 0.1 * (high - low))])


def test_people_of_the_test_set_are_left_out_by_number(tmp_path):
    path = save(tmp_path / "a.json", [entry(), entry(joints=..., joints_vis=...), entry(joints_vis=[0] * 16)])

    report = read(path).report

    assert (report.read, report.skipped) == (
        1,
        [f"person number {number}: has no labelled joint (015601864.jpg)" for number in (2, 3)],
    )


def test_photos_give_their_size(tmp_path):
    write_image(tmp_path / "015601864.jpg", np.zeros((48, 64, 3), np.uint8))

    (person,) = read(save(tmp_path / "a.json", [entry()]), photos=tmp_path).people

    assert person.image_size_px == (64, 48)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([entry(joints=[[1, 2]] * 15)], r"person number 1 .015601864.jpg.: joints is no list of 16 points"),
        ([entry(joints=[[1, 2, 3]] * 16)], "person number 1 .*: joints has 3 numbers, not 2"),
        ([entry(joints_vis=...)], "person number 1 .*: joints_vis is missing"),
        ([entry(), entry(center=[1])], "person number 2 .*: center has 1 numbers, not 2"),
        ([entry(scale="3")], "person number 1 .*: scale holds '3'"),
        ([entry(image="../../x.jpg")], "person number 1: photo '../../x.jpg' must be a path inside"),
        ([entry(image=5)], "person number 1: has no image"),
        ([entry(image_size=[640])], r"image_size is \[640\], not width and height"),
        ([7], "person number 1: is no object"),
        ({"image": "a"}, "not an MPII file; it must be a JSON list of people"),
        ({}, "not an MPII file; it must be a JSON list of people"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path, content, message):
    with pytest.raises(FormatError, match=message):
        read(save(tmp_path / "a.json", content), "mpii")


def test_what_is_written_has_loaders_own_numbers(tmp_path):
    write("mpii", tmp_path / "again.json", read(save(tmp_path / "a.json", [entry()])).people)

    (again,) = json.loads((tmp_path / "again.json").read_text())

    for key in ("joints", "center", "scale"):
        np.testing.assert_allclose(again[key], entry()[key], atol=1e-9)
    assert (again["joints_vis"], again["image"]) == (entry()["joints_vis"], entry()["image"])


def test_a_person_comes_back_with_the_own_box_and_size(tmp_path):
    keypoints = Keypoints.uniform("mpii16", np.random.default_rng(0).uniform(0, 400, (16, 2)), [2] * 15 + [0])
    before = PhotoPerson("été/a.jpg", (500, 400), Box(1.25, 2.5, 99.75, 300.125), keypoints, annotation_id=9)

    write("mpii", tmp_path / "a.json", [before])
    (after,) = read(tmp_path / "a.json").people

    assert (after.image_name, after.image_size_px, after.annotation_id) == ("été/a.jpg", (500, 400), 9)
    np.testing.assert_array_equal(after.box.xyxy, before.box.xyxy)
    np.testing.assert_allclose(after.keypoints.points_px[:15], keypoints.points_px[:15], atol=1e-9)
    assert after.keypoints.visibility.tolist() == [2] * 15 + [0]


def test_hips_of_another_set_are_another_place(tmp_path):
    keypoints = Keypoints.uniform("coco17", np.arange(34.0).reshape(17, 2), np.full(17, 2))
    write("mpii", tmp_path / "a.json", [PhotoPerson("a.jpg", (99, 99), Box(0, 0, 9, 9), keypoints)])

    (entry_,) = json.loads((tmp_path / "a.json").read_text())

    wrist = keypoints.points_px[COCO17.index("left_wrist")] + 1
    assert entry_["joints"][MPII16.index("left_wrist")] == wrist.tolist()
    assert entry_["joints"][MPII16.index("left_hip")] == [-1, -1]
    assert entry_["joints_vis"][MPII16.index("left_hip")] == 0
