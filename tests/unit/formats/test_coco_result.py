import json
from dataclasses import replace

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, recognise, write
from cliff_core.images import write_image
from cliff_core.records import Box, Keypoints, PhotoPerson
from cliff_core.skeletons import COCO23, HALPE26


def scored(count, score=0.5):
    return [number for index in range(count) for number in (100.0 + index, 200.0 + 2 * index, score)]


def vitpose(**changes):
    """An entry as ViTPose and MMPose write it for COCO's evaluation."""
    return {"image_id": 397133, "category_id": 1, "keypoints": scored(17), "score": 0.87} | changes


def alphapose(**changes):
    whole = {"image_id": "street/1.jpg", "category_id": 1, "keypoints": scored(17, 3.5), "score": 3.1}
    return whole | {"box": [10.0, 20.0, 30.0, 40.0], "idx": [4]} | changes


def mmpose(**changes):
    """A person of the list that MMPose 1.x writes for a photo."""
    whole = {"keypoints": [[100.0 + i, 200.0 + i] for i in range(17)], "keypoint_scores": [0.5] * 17}
    return whole | {"bbox": [[10.0, 20.0, 110.0, 220.0]], "bbox_score": 0.9} | changes


def photo_list(path):
    images = [{"id": 397133, "file_name": "val2017/000000397133.jpg", "width": 640, "height": 427}]
    return save(path, {"images": images, "annotations": []})


def save(path, content):
    path.write_text(json.dumps(content))
    return path


def test_a_number_is_a_photo_of_the_coco_file_beside_it(tmp_path):
    path = save(tmp_path / "result", [vitpose()])

    annotations = read(path, photos=photo_list(tmp_path / "coco.json"))

    (person,) = annotations.people
    assert recognise(path) == "coco-result"
    assert (person.image_name, person.image_size_px) == ("val2017/000000397133.jpg", (640, 427))
    assert person.keypoints.joint_set == "coco17"
    assert person.keypoints.confidence.tolist() == [0.5] * 17
    assert person.extra == {"score": 0.87}
    np.testing.assert_allclose(person.box.xyxy, [100 - 1.6, 200 - 3.2, 116 + 1.6, 232 + 3.2])


@pytest.mark.parametrize("name", ["000000397133.jpg", "COCO_val2014_000000397133.jpg"])
def test_a_number_is_a_photo_of_cocos_folder(tmp_path, name):
    write_image(tmp_path / "photos" / name, np.zeros((42, 64, 3), np.uint8))

    (person,) = read(save(tmp_path / "r.json", [vitpose()]), photos=tmp_path / "photos").people

    assert (person.image_name, person.image_size_px) == (name, (64, 42))


def test_a_number_alone_is_refused_with_what_is_needed(tmp_path):
    path = save(tmp_path / "r.json", [vitpose()])

    with pytest.raises(FormatError, match=r"person number 1: image_id 397133 is a number, .* give the COCO file"):
        read(path)
    with pytest.raises(FormatError, match="image_id 5 is not among the photos"):
        read(save(path, [vitpose(image_id=5)]), photos=photo_list(tmp_path / "coco.json"))
    with pytest.raises(FormatError, match=r"nowhere: no such folder of photos"):
        read(path, photos=tmp_path / "nowhere")


def test_alphapose_names_its_photos_and_its_scores_go_beyond_one(tmp_path):
    (person,) = read(save(tmp_path / "r.json", [alphapose()])).people

    assert (person.image_name, person.image_size_px) == ("street/1.jpg", (0, 0))
    assert person.keypoints.confidence.tolist() == [1] * 17
    assert person.box.xyxy.tolist() == [10, 20, 40, 60]
    assert person.extra == {"score": 3.1, "idx": [4]}


@pytest.mark.parametrize(
    ("count", "joint_set", "name", "index"),
    [
        (23, "coco23", "right_heel", 22),
        (26, "halpe26", "right_heel", 25),
        (133, "coco23", "left_big_toe", 17),
        (136, "halpe26", "left_big_toe", 20),
        (16, "mpii16", "right_ankle", 0),
    ],
)
def test_the_number_of_points_says_which_they_are(tmp_path, count, joint_set, name, index):
    annotations = read(save(tmp_path / "r.json", [alphapose(keypoints=scored(count))]))

    keypoints = annotations.people[0].keypoints
    names = {"coco23": COCO23, "halpe26": HALPE26}
    assert keypoints.joint_set == joint_set
    if joint_set in names:
        assert keypoints.points_px[names[joint_set].index(name), 0] == 100 + index
    rest = {133: ["left out: the points of faces and hands (110 of 133)"]}
    rest[136] = ["left out: the points of faces and hands (110 of 136)"]
    assert annotations.report.notes == rest.get(count, [])


def test_mmposes_list_belongs_to_the_photo_of_its_name(tmp_path):
    write_image(tmp_path / "photos" / "in" / "street 1.png", np.zeros((48, 64, 3), np.uint8))
    path = save(tmp_path / "street 1.json", [mmpose(), mmpose(bbox=[1, 2, 3, 5])])

    annotations = read(path, photos=tmp_path / "photos")

    assert recognise(path) == "coco-result"
    assert [each.image_name for each in annotations.people] == ["in/street 1.png"] * 2
    assert annotations.people[0].image_size_px == (64, 48)
    assert annotations.people[0].box.xyxy.tolist() == [10, 20, 110, 220]  # corners, unlike COCO's
    assert annotations.people[1].box.xyxy.tolist() == [1, 2, 3, 5]
    assert annotations.people[0].extra == {"score": 0.9}
    assert [each.image_name for each in read(path).people] == ["street 1"] * 2
    with pytest.raises(FormatError, match="no photo is named 'other'"):
        read(path.rename(tmp_path / "other.json"), photos=tmp_path / "photos")


def test_mmposes_folder_is_read_file_by_file(tmp_path):
    for name in ("a", "in/b"):
        place = tmp_path / "predictions" / f"{name}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        save(place, [mmpose(), mmpose(keypoint_scores=[0] * 17)])
    (tmp_path / "predictions" / "other.json").write_text("{}")

    annotations = read(tmp_path / "predictions")

    assert recognise(tmp_path / "predictions") == "coco-result"
    assert [each.image_name for each in annotations.people] == ["a", "in/b"]
    for line, end in zip(
        annotations.report.skipped,
        ("a.json: person number 2: has no point that was found (a)", "b.json: person number 2: has no point that was "
         "found (in/b)", "other.json: not a list of detected people; it must be a JSON list of people"),
        strict=True,
    ):  # fmt: skip
        assert line.endswith(end)


def test_whoever_was_not_found_is_left_out_by_number(tmp_path):
    one_point = [5.0, 6.0, 0.9] + [0] * 48
    entries = [alphapose(category_id=3), alphapose(keypoints=[0] * 51)]
    path = save(tmp_path / "r.json", [*entries, vitpose(image_id="a.jpg", keypoints=one_point), alphapose()])

    report = read(path).report

    assert report.read == 1
    assert report.skipped == [
        "person number 1: is of category 3, not a person",
        "person number 2: has no point that was found (street/1.jpg)",
        "person number 3: has too few points for a box (a.jpg)",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (alphapose(keypoints=scored(20)), r"keypoints has 20 points; known are 17 .coco17., 23"),
        (alphapose(keypoints=[1, 2, 3, 4]), "keypoints has 4 numbers; it must have three per point"),
        (alphapose(keypoints=[float("nan")] * 51), "keypoints holds nan"),
        (alphapose(keypoints=7), "keypoints is no list"),
        (alphapose(image_id=None), "image_id is None; it must be a number"),
        (alphapose(image_id="C:\\a.jpg"), "photo .* must be a path inside the folder"),
        (alphapose(box=[1, 2, 0, 4]), "bbox: a box of 0 x 4 pixels has no area"),
        (mmpose(keypoint_scores=[0.5] * 16), "keypoint_scores has 16 numbers, not 17"),
        (mmpose(keypoints=[[1, 2, 3]] * 17), "keypoints has 3 numbers, not 2"),
        (mmpose(bbox=[[10, 20, 5, 30]]), "bbox: a box of -5 x 10 pixels has no area"),
        ("x", "is no object"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_wrong(tmp_path, entry, message):
    with pytest.raises(FormatError, match=rf"r\.json: person number 2.*: .*{message}|person number 2: {message}"):
        read(save(tmp_path / "r.json", [alphapose(), entry]), "coco-result")


def test_results_come_back_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    keypoints = Keypoints.uniform("halpe26", rng.uniform(0, 400, (26, 2)), np.full(26, 2), rng.uniform(0.1, 1, 26))
    box = Box(1.25, 2.5, 99.75, 300.125, score=0.75)
    before = PhotoPerson("été/a.jpg", (500, 400), box, keypoints, annotation_id=9)

    write("coco-result", tmp_path / "r.json", [before])
    (after,) = read(tmp_path / "r.json").people

    assert (after.image_name, after.image_size_px, after.annotation_id) == ("été/a.jpg", (500, 400), 9)
    np.testing.assert_array_equal(after.box.xyxy, before.box.xyxy)
    np.testing.assert_array_equal(after.keypoints.points_px, keypoints.points_px)
    np.testing.assert_array_equal(after.keypoints.confidence, keypoints.confidence)
    assert after.extra == {"score": 0.75}


def test_a_coco_file_gives_the_numbers_that_its_evaluation_wants(tmp_path):
    listed = photo_list(tmp_path / "coco.json")
    keypoints = Keypoints.uniform("coco17", np.full((17, 2), 9.0), np.full(17, 2))
    known = PhotoPerson("val2017/000000397133.jpg", (640, 427), Box(0, 0, 9, 9), keypoints)

    write("coco-result", tmp_path / "r.json", [known], photos=listed)

    assert json.loads((tmp_path / "r.json").read_text())[0]["image_id"] == 397133
    assert read(tmp_path / "r.json", photos=listed).people[0].image_name == known.image_name
    with pytest.raises(FormatError, match=r"other\.jpg is not in .*coco\.json; give the COCO file that lists it"):
        write("coco-result", tmp_path / "r.json", [replace(known, image_name="other.jpg")], photos=listed)


def test_people_with_different_points_are_written_with_cocos(tmp_path):
    people = []
    for joint_set, count in (("halpe26", 26), ("coco17", 17)):
        keypoints = Keypoints.uniform(joint_set, np.full((count, 2), 9.0), np.full(count, 2))
        people.append(PhotoPerson("a.jpg", (99, 99), Box(0, 0, 9, 9), keypoints))

    write("coco-result", tmp_path / "r.json", people)

    assert [len(entry["keypoints"]) for entry in json.loads((tmp_path / "r.json").read_text())] == [51, 51]
