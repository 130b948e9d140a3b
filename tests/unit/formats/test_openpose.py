import json

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, recognise, write
from cliff_core.images import write_image
from cliff_core.records import Box, Keypoints, PhotoPerson
from cliff_core.skeletons import BODY25, COCO17


def pose(count=25, missing=(3,)):
    table = np.array([(100.0 + index, 200.0 + 2 * index, 0.25 + index / 100) for index in range(count)])
    table[list(missing)] = 0
    return table.ravel().tolist()


def document(*people):
    """As OpenPose 1.7 writes it with `--face --hand` switched off."""
    empty = {f"{part}_keypoints_{d}d": [] for part in ("face", "hand_left", "hand_right") for d in (2, 3)}
    return {
        "version": 1.3,
        "people": [{"person_id": [-1], "pose_keypoints_3d": [], **empty, **person} for person in people],
    }


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def person(name="a.jpg", size=(640, 480), joint_set="body25", seed=0, **more):
    rng = np.random.default_rng(seed)
    count = len(BODY25) if joint_set == "body25" else 17
    keypoints = Keypoints.uniform(
        joint_set, rng.uniform(0, 400, (count, 2)), np.full(count, 2), rng.uniform(0.1, 1, count)
    )
    return PhotoPerson(name, size, Box(1.25, 2.5, 99.75, 300.125), keypoints, **more)


def test_people_have_body25s_points_and_a_box_around_them(tmp_path):
    save(tmp_path / "000042_keypoints.json", document({"pose_keypoints_2d": pose()}))

    annotations = read(tmp_path / "000042_keypoints.json")

    (one,) = annotations.people
    assert (one.image_name, one.image_size_px, one.keypoints.joint_set) == ("000042", (0, 0), "body25")
    assert one.keypoints.visibility.tolist() == [2, 2, 2, 0] + [2] * 21
    np.testing.assert_allclose(one.keypoints.confidence[4], 0.29)
    assert one.keypoints.points_px[BODY25.index("right_wrist")].tolist() == [104, 208]  # right before left
    np.testing.assert_allclose(one.box.xyxy, [100 - 2.4, 200 - 4.8, 124 + 2.4, 248 + 4.8])
    assert annotations.report.notes == [
        "the files do not name their photos: people belong to the photo with the name of their file"
    ]


def test_a_folder_is_read_with_all_below_and_photos_give_name_and_size(tmp_path):
    save(
        tmp_path / "poses" / "b_keypoints.json", document({"pose_keypoints_2d": pose()}, {"pose_keypoints_2d": pose()})
    )
    save(tmp_path / "poses" / "in" / "c_keypoints.json", document({"pose_keypoints_2d": pose()}))
    save(tmp_path / "poses" / "empty_keypoints.json", document())
    write_image(tmp_path / "photos" / "b.png", np.zeros((48, 64, 3), np.uint8))
    write_image(tmp_path / "photos" / "in" / "c.jpg", np.zeros((30, 20, 3), np.uint8))

    people = read(tmp_path / "poses", photos=tmp_path / "photos").people

    assert recognise(tmp_path / "poses") == "openpose"
    names = [(each.image_name, each.image_size_px) for each in people]
    assert names == [("b.png", (64, 48)), ("b.png", (64, 48)), ("in/c.jpg", (20, 30))]


def test_a_damaged_file_of_a_folder_is_left_out_by_name(tmp_path):
    save(tmp_path / "a_keypoints.json", document({"pose_keypoints_2d": pose()}))
    save(tmp_path / "b_keypoints.json", '{"people": [')
    save(tmp_path / "c.json", {"something": "else"})

    report = read(tmp_path).report

    assert report.read == 1
    assert [line.partition("_keypoints")[0][-1:] or line for line in report.skipped[:1]] == ["b"]
    assert "not valid JSON" in report.skipped[0]
    assert "c.json: not an OpenPose file: it has no 'people'" in report.skipped[1]


def test_a_file_that_is_about_none_of_the_photos_is_left_out_by_name(tmp_path):
    for name in ("in/c", "d"):
        save(tmp_path / "poses" / f"{name}_keypoints.json", document({"pose_keypoints_2d": pose()}))
    write_image(tmp_path / "photos" / "c.jpg", np.zeros((30, 20, 3), np.uint8))

    annotations = read(tmp_path / "poses", photos=tmp_path / "photos")

    assert [each.image_name for each in annotations.people] == ["c.jpg"]  # wherever the one of this name lies
    (line,) = annotations.report.skipped
    assert "d_keypoints.json: no photo is named 'd', as this file is; name it as its photo" in line


def test_a_folder_without_openpose_is_refused(tmp_path):
    save(tmp_path / "c.json", {"something": "else"})

    with pytest.raises(FormatError, match="of none of the known formats"):
        read(tmp_path)
    with pytest.raises(FormatError, match=r"no OpenPose JSON in this folder .*c\.json: not an OpenPose file"):
        read(tmp_path, "openpose")


def test_the_older_18_points_stand_where_body25_has_them(tmp_path):
    save(tmp_path / "a.json", document({"pose_keypoints_2d": pose(18, missing=())}))

    (one,) = read(tmp_path / "a.json").people

    order = "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    order += "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
    for index, name in enumerate(order.split()):
        assert one.keypoints.points_px[BODY25.index(name), 0] == 100 + index
    assert one.keypoints.visibility[[BODY25.index("mid_hip"), *range(19, 25)]].tolist() == [0] * 7


def test_whoever_has_too_little_is_left_out_by_number(tmp_path):
    one_point = [0.0] * 75
    one_point[:3] = [50, 60, 0.9]
    people = [{"pose_keypoints_2d": []}, {"pose_keypoints_2d": [0] * 75}, {"pose_keypoints_2d": one_point}]
    save(tmp_path / "a.json", document(*people, {"pose_keypoints_2d": pose()}))

    report = read(tmp_path / "a.json", "openpose").report

    assert report.read == 1
    assert [line.partition("person ")[2] for line in report.skipped] == [
        "number 1: has no points of the body",
        "number 2: has no point that was found",
        "number 3: has too few points for a box",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pose(15, ()), "has the 15 points of the MPI model; run OpenPose with its BODY_25 model"),
        (pose(19, ()), "has the 19 points of BODY_19"),
        (pose(20, ()), "has 60 numbers, not 75"),
        ((np.array(pose()) / 1000).tolist(), "is not in pixels; run OpenPose with --keypoint_scale 0"),
        ([None] * 75, "holds None"),
        ("x", "is not a list of 75 numbers"),
    ],
)
def test_wrong_points_are_refused_by_number(tmp_path, values, message):
    save(tmp_path / "a.json", document({"pose_keypoints_2d": values}))

    with pytest.raises(FormatError, match=rf"a\.json: person number 1: pose_keypoints_2d {message}"):
        read(tmp_path / "a.json")


def test_a_folder_comes_back_as_it_was_written(tmp_path):
    faces = {"face_keypoints_2d": [1.5] * 210, "person_id": 4}
    people = [person("été/b.jpg", annotation_id=12, extra=faces), person("été/b.jpg", seed=1), person("c.png", seed=2)]

    write("openpose", tmp_path / "out", people)
    back = read(tmp_path / "out").people

    files = sorted(file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.json"))
    assert files == ["c_keypoints.json", "été/b_keypoints.json"]
    for before, after in zip([people[2], *people[:2]], back, strict=True):
        assert (after.image_name, after.image_size_px) == (before.image_name, before.image_size_px)
        assert (after.annotation_id, after.extra) == (before.annotation_id, before.extra)
        np.testing.assert_array_equal(after.box.xyxy, before.box.xyxy)
        np.testing.assert_array_equal(after.keypoints.points_px, before.keypoints.points_px)
        np.testing.assert_array_equal(after.keypoints.confidence, before.keypoints.confidence)


def test_the_file_is_what_openpose_writes(tmp_path):
    write("openpose", tmp_path / "a.json", [person()])

    content = json.loads((tmp_path / "a.json").read_text())

    assert content["version"] == 1.3
    (one,) = content["people"]
    assert one["person_id"] == [-1]
    assert len(one["pose_keypoints_2d"]) == 75
    assert one["face_keypoints_2d"] == one["hand_left_keypoints_2d"] == one["hand_right_keypoints_2d"] == []


def test_neck_and_hip_of_other_sets_are_middles(tmp_path):
    coco = person(joint_set="coco17")
    write("openpose", tmp_path / "a.json", [coco])

    (back,) = read(tmp_path / "a.json").people

    for middle, ends in (("neck", "shoulder"), ("mid_hip", "hip")):
        left, right = (coco.keypoints.points_px[COCO17.index(f"{side}_{ends}")] for side in ("left", "right"))
        np.testing.assert_allclose(back.keypoints.points_px[BODY25.index(middle)], (left + right) / 2)


def test_one_file_is_about_one_photo(tmp_path):
    with pytest.raises(FormatError, match=r"a\.json: an OpenPose file is about one photo, and these are 2"):
        write("openpose", tmp_path / "a.json", [person("a.jpg"), person("b.jpg")])
    with pytest.raises(FormatError, match=r"a_keypoints\.json: would be about a\.jpg and a\.png"):
        write("openpose", tmp_path / "out", [person("a.jpg"), person("a.png")])
    assert list(tmp_path.iterdir()) == []
