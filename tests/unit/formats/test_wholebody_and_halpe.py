import json

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, recognise, write
from cliff_core.records import Box, Keypoints, PhotoPerson
from cliff_core.skeletons import COCO17, COCO23, HALPE26

SIZE = {"width": 640, "height": 480}


def points(count, first=10.0, v=2):
    return [number for index in range(count) for number in (first + index, 20.5 + index, v)]


def wholebody(**changes):
    """As COCO-WholeBody's `data_format.md` has it; `...` removes a key."""
    annotation = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [5, 6, 40, 90], "iscrowd": 0, "area": 1800.5}
    annotation |= {"keypoints": points(17), "num_keypoints": 17, "foot_kpts": points(6, 100), "foot_valid": True}
    annotation |= {"face_kpts": points(68, 200, 1.4), "face_valid": True, "face_box": [1, 2, 3, 4]}
    annotation |= {"lefthand_kpts": points(21, 300, 0.8), "lefthand_valid": True, "lefthand_box": [1, 2, 3, 4]}
    annotation |= {"righthand_kpts": [0] * 63, "righthand_valid": False, "righthand_box": [0, 0, 0, 0]}
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.names)}
    annotation = {key: value for key, value in (annotation | changes).items() if value is not ...}
    return {"images": [{"id": 1, "file_name": "a.jpg", **SIZE}], "annotations": [annotation], "categories": [category]}


def halpe(count=136, names=None, **changes):
    annotation = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [5, 6, 40, 90], "keypoints": points(count)}
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": names or [], "skeleton": []}
    images = [{"id": 1, "file_name": "a.jpg", **SIZE}]
    return {"images": images, "annotations": [annotation | changes], "categories": [category]}


@pytest.fixture
def save(tmp_path):
    def write_file(document):
        (tmp_path / "some.file").write_text(json.dumps(document), encoding="utf-8")
        return tmp_path / "some.file"

    return write_file


def test_wholebody_gives_body_and_feet_in_their_own_order(save):
    path = save(wholebody())

    annotations = read(path)

    (person,) = annotations.people
    assert recognise(path) == "coco-wholebody"
    assert person.keypoints.joint_set == "coco23"
    np.testing.assert_array_equal(person.keypoints.points_px[COCO23.index("nose")], [10, 20.5])
    np.testing.assert_array_equal(person.keypoints.points_px[COCO23.index("left_big_toe")], [100, 20.5])
    np.testing.assert_array_equal(person.keypoints.points_px[COCO23.index("left_heel")], [102, 22.5])
    np.testing.assert_array_equal(person.keypoints.points_px[COCO23.index("right_big_toe")], [103, 23.5])
    assert annotations.report.notes == [
        "carried along: the points of faces and hands (110 of 133), which cannot be edited"
    ]


def test_wholebodys_faces_and_hands_are_written_again(save, tmp_path):
    people = read(save(wholebody())).people

    write("coco-wholebody", tmp_path / "again.json", people)

    before = wholebody()["annotations"][0]
    after = json.loads((tmp_path / "again.json").read_text())["annotations"][0]
    for key in before:
        assert after[key] == before[key], key


def test_visibility_between_cocos_numbers_means_how_reliable_a_point_is(save):
    values = points(17)
    values[2], values[5], values[8] = 0.3, 1.6, 1

    (person,) = read(save(wholebody(keypoints=values))).people

    assert person.keypoints.visibility[:4].tolist() == [2, 2, 1, 2]
    assert person.keypoints.confidence[:4].tolist() == [0.3, 1, 1, 1]


@pytest.mark.parametrize("changes", [{"foot_valid": False}, {"foot_kpts": [0] * 18}])
def test_feet_that_are_not_valid_are_not_labelled(save, changes):
    (person,) = read(save(wholebody(**changes))).people

    assert person.keypoints.visibility.tolist() == [2] * 17 + [0] * 6


def test_parts_that_nobody_labelled_are_written_as_not_valid(tmp_path):
    keypoints = Keypoints.uniform("coco17", np.full((17, 2), 9.0), np.full(17, 2))
    write("coco-wholebody", tmp_path / "a.json", [PhotoPerson("a.jpg", (64, 48), Box(1, 2, 9, 9), keypoints)])

    annotation = json.loads((tmp_path / "a.json").read_text())["annotations"][0]

    for part, count in (("face", 68), ("lefthand", 21), ("righthand", 21)):
        assert annotation[f"{part}_kpts"] == [0] * 3 * count
        assert annotation[f"{part}_valid"] is False
        assert annotation[f"{part}_box"] == [0, 0, 0, 0]
    assert (annotation["foot_valid"], annotation["foot_kpts"]) == (False, [0] * 18)
    assert recognise(tmp_path / "a.json") == "coco-wholebody"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"foot_kpts": points(5)}, "annotation 7: foot_kpts has 15 numbers, not 18"),
        ({"foot_kpts": points(6, v=3)}, "annotation 7: foot_kpts: visibility of left_big_toe is 3"),
        ({"keypoints": points(133)}, "annotation 7: keypoints has 399 numbers, not 51"),
        ({"foot_kpts": "none"}, "annotation 7: foot_kpts is not a list of 18 numbers"),
    ],
)
def test_a_wrong_wholebody_annotation_is_named(save, changes, message):
    with pytest.raises(FormatError, match=message):
        read(save(wholebody(**changes)), "coco-wholebody")


HALPES_OWN = (
    "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee Rknee LAnkle RAnkle Head "
    "Neck Hip LBigToe RBigToe LSmallToe RSmallToe LHeel RHeel"
)


@pytest.mark.parametrize("names", [None, list(HALPE26.names), HALPES_OWN.split()])
@pytest.mark.parametrize("count", [26, 136])
def test_halpe_gives_body_and_feet_with_left_and_right_in_turns(save, count, names):
    path = save(halpe(count, names))

    (person,) = read(path).people

    assert recognise(path) == "halpe"
    assert person.keypoints.joint_set == "halpe26"
    for name, index in (("head_top", 17), ("mid_hip", 19), ("left_big_toe", 20), ("right_big_toe", 21)):
        assert person.keypoints.points_px[HALPE26.index(name), 0] == 10 + index
    assert person.keypoints.points_px[HALPE26.index("right_heel"), 0] == 35


def test_halpes_faces_and_hands_are_carried_along_and_written_again(save, tmp_path):
    annotations = read(save(halpe()))
    assert annotations.report.notes == [
        "carried along: the points of faces and hands (110 of 136), which cannot be edited"
    ]

    write("halpe", tmp_path / "again.json", annotations.people)

    after = json.loads((tmp_path / "again.json").read_text())["annotations"][0]
    assert after["keypoints"] == points(136)
    assert "halpe_face_hands" not in after


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (halpe(136, keypoints=points(50)), "annotation 7: keypoints has 150 numbers, not 78 or 408"),
        (halpe(136, keypoints={}), "annotation 7: keypoints has no list, not 78 or 408"),
        (halpe(136, keypoints=[*points(135), None, 0, 0]), "annotation 7: keypoints holds None"),
        (halpe(26, ["left_eye", "nose"]), "its category lists 2 keypoints .left_eye, nose"),
    ],
)
def test_a_wrong_halpe_annotation_is_named(save, document, message):
    with pytest.raises(FormatError, match=message):
        read(save(document), "halpe")


def test_plain_coco_is_neither_of_them(save):
    document = wholebody(foot_kpts=...)

    assert recognise(save(document)) == "coco"
