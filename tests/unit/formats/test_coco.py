import json

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats.coco import read_coco, write_coco
from cliff_core.records import Box, Camera, Keypoints, PhotoPerson, Provenance
from cliff_core.skeletons import COCO17, MPII16, SPIN24


def labelled(count=17, v=2):
    return [number for index in range(count) for number in (10.0 + index, 20.5 + index, v)]


def document(**changes):
    """A small valid file; `changes` replace values of its one annotation."""
    annotation = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [5, 6, 40, 90], "iscrowd": 0}
    annotation |= {"keypoints": labelled(), "num_keypoints": 17, "area": 1800.5}
    return {
        "images": [{"id": 1, "file_name": "street/día 1.jpg", "width": 640, "height": 480}],
        "annotations": [{key: value for key, value in (annotation | changes).items() if value is not ...}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.names)}, {"id": 3, "name": "dog"}],
    }


@pytest.fixture
def save(tmp_path):
    def write_file(content):
        path = tmp_path / "labels.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write_file


def test_a_person_comes_with_photo_box_and_points(save):
    people, report = read_coco(save(document(track_id=4)))

    (person,) = people
    assert (person.image_name, person.image_size_px, person.annotation_id) == ("street/día 1.jpg", (640, 480), 7)
    assert person.box == Box(5, 6, 45, 96, source=Provenance.IMPORTED)
    assert person.keypoints.joint_set == "coco17"
    np.testing.assert_array_equal(person.keypoints.points_px[3], [13, 23.5])
    assert person.keypoints.visibility.tolist() == [2] * 17
    assert set(person.keypoints.source) == {Provenance.IMPORTED}
    assert person.extra == {"area": 1800.5, "track_id": 4}
    assert (report.read, report.skipped) == (1, [])


def test_hidden_points_stay_hidden_and_unlabelled_ones_unlabelled(save):
    values = labelled()
    values[2], values[5] = 1, 0

    (person,), _ = read_coco(save(document(keypoints=values)))

    assert person.keypoints.visibility[:3].tolist() == [1, 0, 2]
    assert person.keypoints.confidence[:3].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iscrowd": 1, "keypoints": [0] * 51}, "annotation 7: is a crowd (street/día 1.jpg)"),
        ({"keypoints": [0] * 51}, "annotation 7: has no labelled keypoint (street/día 1.jpg)"),
        ({"keypoints": ...}, "annotation 7: has no labelled keypoint (street/día 1.jpg)"),
        ({"bbox": [5, 6, 0, 90]}, "annotation 7: has a box of 0 x 90 pixels (street/día 1.jpg)"),
        ({"category_id": 3}, "annotation 7: is a dog, not a person (street/día 1.jpg)"),
    ],
)
def test_what_is_left_out_is_reported(save, changes, reason):
    people, report = read_coco(save(document(**changes)))

    assert people == []
    assert (report.read, report.skipped) == (0, [reason])


def test_boxes_alone_are_enough_where_nobody_needs_points(save):
    (person,), report = read_coco(save(document(keypoints=...)), need_keypoints=False)

    assert person.keypoints is None
    assert report.skipped == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": labelled(16)}, "annotation 7: keypoints has 48 numbers, not 51"),
        ({"keypoints": "none"}, "annotation 7: keypoints is not a list of 51 numbers"),
        ({"keypoints": [None, *labelled()[1:]]}, "annotation 7: keypoints holds None"),
        ({"keypoints": [float("nan"), *labelled()[1:]]}, "annotation 7: keypoints holds nan"),
        ({"keypoints": labelled(v=0.87)}, "annotation 7: visibility of nose is 0.87; COCO knows 0, 1 and 2"),
        ({"bbox": ...}, "annotation 7: bbox is missing"),
        ({"bbox": [1, 2, 3]}, "annotation 7: bbox has 3 numbers, not 4"),
        ({"bbox": [1, 2, "3", 4]}, "annotation 7: bbox holds '3'"),
        ({"bbox": [1, 2, 10**400, 4]}, "annotation 7: bbox holds 1000"),
        ({"image_id": 99}, "annotation 7: image_id 99 is not among the images"),
        ({"image_id": [1]}, "annotation 7: image_id is \\[1\\]; it must be a number"),
        ({"category_id": 2}, "annotation 7: category_id 2 is not among the categories"),
        ({"id": ...}, "annotation number 1 in the file has no whole-number id"),
        ({"id": True}, "annotation number 1 in the file has no whole-number id"),
    ],
)
def test_a_wrong_annotation_is_named_with_what_is_wrong(save, changes, message):
    with pytest.raises(FormatError, match=rf"labels\.json: {message}"):
        read_coco(save(document(**changes)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, r"image 1 \(street/día 1.jpg\): width 0 and height 480 must be whole pixels"),
        ({"height": "480"}, "image 1 .*height '480' must be whole pixels"),
        ({"file_name": None}, "image 1: has no file_name"),
        ({"file_name": "../secret.jpg"}, "image 1: photo '../secret.jpg' must be a path inside the folder"),
        ({"file_name": "/home/me/a.jpg"}, "image 1: photo '/home/me/a.jpg' must be a path inside the folder"),
        ({"file_name": "C:\\photos\\a.jpg"}, "image 1: photo .* must be a path inside the folder"),
        ({"id": None}, "image number 1 in the file: id is None"),
    ],
)
def test_a_wrong_image_is_named_with_what_is_wrong(save, changes, message):
    content = document()
    content["images"][0] |= changes

    with pytest.raises(FormatError, match=message):
        read_coco(save(content))


def test_ids_that_are_there_twice_are_refused(save):
    content = document()
    content["annotations"] *= 2
    with pytest.raises(FormatError, match="annotation id 7 is there twice"):
        read_coco(save(content))
    content = document()
    content["images"] *= 2
    with pytest.raises(FormatError, match="image id 1 is there twice"):
        read_coco(save(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not valid JSON \\(line 1, column 1"),
        ('{"images": [],\n "annotations": [', "not valid JSON \\(line 2, column"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "not a COCO file: a list instead of an object"),
        ({"people": []}, "not a COCO file: 'images' must be a list of objects"),
        ({"images": [], "annotations": {}}, "not a COCO file: 'annotations' must be a list of objects"),
        ({"images": [1], "annotations": []}, "not a COCO file: 'images' must be a list of objects"),
    ],
)
def test_a_file_that_is_no_coco_is_refused(save, content, message):
    with pytest.raises(FormatError, match=rf"labels\.json: {message}"):
        read_coco(save(content))


def test_text_in_another_encoding_is_refused_and_a_byte_order_mark_is_not(tmp_path):
    path = tmp_path / "labels.json"
    path.write_bytes(json.dumps(document(), ensure_ascii=False).encode("latin-1"))
    with pytest.raises(FormatError, match="not UTF-8 text"):
        read_coco(path)
    path.write_text(json.dumps(document()), encoding="utf-8-sig")
    assert read_coco(path)[1].read == 1


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(FormatError, match=r"absent\.json: no such file"):
        read_coco(tmp_path / "absent.json")


def test_windows_separators_become_slashes(save):
    content = document()
    content["images"][0]["file_name"] = "street\\a.jpg"

    assert read_coco(save(content))[0][0].image_name == "street/a.jpg"


def test_a_file_without_people_is_fine(save):
    content = document()
    content["annotations"] = []

    assert read_coco(save(content)) == ([], read_coco(save(content))[1])
    assert read_coco(save(content))[1].read == 0


def test_another_known_joint_set_is_told_by_its_names(save):
    content = document(keypoints=labelled(16))
    content["categories"][0]["keypoints"] = [name.replace("_", " ").title() for name in MPII16.names]

    (person,), _ = read_coco(save(content))

    assert person.keypoints.joint_set == "mpii16"


def test_unknown_names_or_another_order_are_refused(save):
    content = document()
    content["categories"][0]["keypoints"] = list(reversed(COCO17.names))

    with pytest.raises(FormatError, match="annotation 7: its category lists 17 keypoints .right_ankle"):
        read_coco(save(content))


# Writing


def person(joint_set="coco17", name="père/été 夏.jpg", annotation_id=-1, seed=0, **more):
    rng = np.random.default_rng(seed)
    count = len(SPIN24) if joint_set == "spin24" else 17
    keypoints = Keypoints.uniform(joint_set, rng.uniform(0, 400, (count, 2)), rng.integers(0, 3, count))
    return PhotoPerson(name, (500, 400), Box(1.25, 2.5, 99.75, 300.125), keypoints, None, annotation_id, **more)


def test_people_come_back_as_they_were_written(tmp_path):
    people = [
        person(annotation_id=12, seed=1, extra={"area": 77.5, "segmentation": [[1, 2, 3, 4, 5, 6]]}),
        person(name="b.jpg", annotation_id=12, seed=2),
        person(seed=3),
    ]

    write_coco(tmp_path / "new folder" / "o.json", people)
    back, report = read_coco(tmp_path / "new folder" / "o.json")

    assert (report.read, report.skipped) == (3, [])
    assert [each.annotation_id for each in back] == [12, 13, 14]
    assert back[0].extra == people[0].extra
    assert back[1].extra == {"area": people[1].box.width * people[1].box.height}
    for before, after in zip(people, back, strict=True):
        assert (after.image_name, after.image_size_px) == (before.image_name, before.image_size_px)
        np.testing.assert_array_equal(after.box.xyxy, before.box.xyxy)
        np.testing.assert_array_equal(after.keypoints.visibility, before.keypoints.visibility)
        shown = before.keypoints.visibility > 0
        np.testing.assert_array_equal(after.keypoints.points_px[shown], before.keypoints.points_px[shown])


def test_the_file_is_what_cocos_own_tools_expect(tmp_path):
    one = person(annotation_id=5)
    write_coco(tmp_path / "o.json", [one, person(annotation_id=6)])

    content = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))

    assert [each["file_name"] for each in content["images"]] == ["père/été 夏.jpg"]
    assert [each["image_id"] for each in content["annotations"]] == [1, 1]
    annotation = content["annotations"][0]
    assert annotation["bbox"] == [1.25, 2.5, 98.5, 297.625]
    assert len(annotation["keypoints"]) == 51
    assert annotation["num_keypoints"] == (one.keypoints.visibility > 0).sum()
    hidden = [index for index in range(17) if one.keypoints.visibility[index] == 0]
    assert all(annotation["keypoints"][3 * index : 3 * index + 3] == [0, 0, 0] for index in hidden)
    assert content["categories"][0]["skeleton"][0] == [1, 2]  # COCO counts from 1


def test_points_of_another_set_are_written_where_they_are_the_same_place(tmp_path):
    keypoints = Keypoints.uniform("spin24", np.arange(48.0).reshape(24, 2), np.full(24, 2))
    write_coco(tmp_path / "o.json", [PhotoPerson("a.jpg", (99, 99), Box(0, 0, 9, 9), keypoints)])

    (back,), _ = read_coco(tmp_path / "o.json")

    np.testing.assert_array_equal(
        back.keypoints.points_px[COCO17.index("left_wrist")], keypoints.points_px[SPIN24.index("left_wrist")]
    )
    assert back.keypoints.visibility[COCO17.index("left_hip")] == 0  # LSP's hip is another place than COCO's


def test_one_photo_with_two_sizes_is_refused_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "o.json"
    path.write_text("old")
    other = PhotoPerson("a.jpg", (9, 9), Box(0, 0, 9, 9))

    with pytest.raises(FormatError, match=r"a\.jpg is 500 x 400 pixels for one person and 9 x 9 for another"):
        write_coco(path, [person(name="a.jpg"), other])
    with pytest.raises(FormatError, match="something that JSON cannot hold"):
        write_coco(path, [person(extra={"mask": np.zeros(3)})])

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_people_make_an_empty_file(tmp_path):
    write_coco(tmp_path / "o.json", [])

    assert read_coco(tmp_path / "o.json")[1].read == 0


def test_a_photos_focal_length_is_its_peoples_camera_and_survives_writing(save, tmp_path):
    content = document()
    content["images"][0]["focal_length_px"] = 812.5

    people, _ = read_coco(save(content))
    write_coco(tmp_path / "again.json", people)
    again, _ = read_coco(tmp_path / "again.json")

    assert people[0].camera == Camera(812.5, (640, 480))
    assert again[0].camera == Camera(812.5, (640, 480))


def test_without_a_focal_length_the_camera_stays_unknown(save):
    (person,), _ = read_coco(save(document()))

    assert person.camera is None


@pytest.mark.parametrize(
    ("value", "complaint"),
    [(0, "focal_length_px is 0; it must be positive"), ("50mm", "focal_length_px holds '50mm', which is no number")],
)
def test_an_impossible_focal_length_is_refused(save, value, complaint):
    content = document()
    content["images"][0]["focal_length_px"] = value

    with pytest.raises(FormatError, match=complaint):
        read_coco(save(content))


def test_one_photo_cannot_have_two_cameras(tmp_path):
    people = [
        PhotoPerson("a.jpg", (640, 480), Box(0, 0, 9, 9), camera=Camera(focal, (640, 480))) for focal in (500.0, 600.0)
    ]

    with pytest.raises(FormatError, match="a.jpg have different cameras"):
        write_coco(tmp_path / "out.json", people)
