"""What COCO files carry beyond COCO, and files too large for memory."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import ReadReport, read, read_people, write
from cliff_core.formats.coco import read_coco, write_coco
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, Provenance, SmplParams
from cliff_core.skeletons import COCO17


def document(**changes):
    annotation = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [5, 6, 40, 90], "iscrowd": 0, "num_keypoints": 17}
    annotation |= {"keypoints": [number for index in range(17) for number in (10 + index, 20.5, 2)], "area": 1800.5}
    return {
        "images": [{"id": 1, "file_name": "street/día 1.jpg", "width": 640, "height": 480}],
        "annotations": [annotation | changes],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.names)}],
    }


def save(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def person(name="père/été 夏.jpg", seed=0, **more):
    rng = np.random.default_rng(seed)
    keypoints = Keypoints.uniform("coco17", rng.uniform(0, 400, (17, 2)), rng.integers(0, 3, 17))
    return PhotoPerson(name, (500, 400), Box(1.25, 2.5, 99.75, 300.125), keypoints, **more)


def estimate(seed=0, size=(500, 400), **changes):
    rng = np.random.default_rng(seed)
    params = SmplParams(rng.normal(0, 0.8, (24, 3)), rng.normal(0, 1, 10), rng.normal([0, 0, 30], 1), "female")
    camera = Camera(612.25, size, (251.5, 190.25))
    return replace(Estimate(Box(0, 0, 9, 9), params, camera, np.zeros(3), model="open-cliff 1"), **changes)


def test_bodies_come_back_exactly_with_the_camera_they_stand_in(tmp_path):
    people = [person(seed=1, annotation_id=1), person(seed=2, annotation_id=2), person(name="b.jpg", annotation_id=3)]
    estimates = [estimate(1), None, estimate(3, camera=Camera.guess((500, 400)), model="")]

    write("coco", tmp_path / "o.json", people, estimates)
    back = read(tmp_path / "o.json")

    assert [params is not None for params in back.params] == [True, False, True]
    for before, after in ((estimates[0], back.params[0]), (estimates[2], back.params[2])):
        np.testing.assert_array_equal(after.pose_rotvec, before.params.pose_rotvec)
        np.testing.assert_array_equal(after.betas, before.params.betas)
        np.testing.assert_array_equal(after.transl, before.params.transl)
        assert after.gender == before.params.gender
    assert [each.camera for each in back.people] == [estimates[0].camera, None, estimates[2].camera]
    assert [each.extra.get("model") for each in back.people] == ["open-cliff 1", None, None]


def test_a_body_has_the_names_that_smplx_takes(tmp_path):
    write("coco", tmp_path / "o.json", [person()], [estimate()])

    smpl = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))["annotations"][0]["smpl"]

    shapes = {"global_orient": 3, "body_pose": 69, "betas": 10, "transl": 3}
    assert {name: len(smpl[name]) for name in shapes} == shapes
    assert (smpl["gender"], smpl["focal_length_px"], smpl["principal_point_px"]) == ("female", 612.25, [251.5, 190.25])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"betas": [0] * 9}, "annotation 7: smpl: betas has 9 numbers, not 10"),
        ({"transl": None}, "annotation 7: smpl: transl is missing"),
        ({"gender": "robot"}, "annotation 7: smpl: gender 'robot' is none of neutral, male, female"),
        ({"focal_length_px": -1}, "annotation 7: smpl: focal_length_px is -1; it must be positive"),
        ({"body_pose": [float("inf")] * 69}, "annotation 7: smpl: body_pose holds inf"),
        ({"model": 3}, "annotation 7: smpl: model 3 is no name"),
    ],
)
def test_a_wrong_body_is_named_with_what_is_wrong(tmp_path, changes, message):
    smpl = {"global_orient": [0] * 3, "body_pose": [0] * 69, "betas": [0] * 10, "transl": [0] * 3}

    with pytest.raises(FormatError, match=message):
        read(save(tmp_path / "a.json", document(smpl=smpl | {"focal_length_px": 500.0} | changes)))


def test_bodies_must_belong_to_the_people_and_their_photos(tmp_path):
    with pytest.raises(FormatError, match="1 people but 0 bodies"):
        write("coco", tmp_path / "o.json", [person()], [])
    with pytest.raises(FormatError, match="is 500 x 400 pixels, but its body was predicted for 9 x 9"):
        write("coco", tmp_path / "o.json", [person()], [estimate(size=(9, 9))])
    assert list(tmp_path.iterdir()) == []


def test_who_set_a_point_and_how_sure_a_detector_was_come_back(tmp_path):
    sources = (*(Provenance.HUMAN, Provenance.MODEL) * 8, Provenance.FIT)
    confidence = np.linspace(0.5, 1, 17)
    keypoints = Keypoints("coco17", np.full((17, 2), 9.0), np.array([1, 2] * 8 + [0]), confidence, sources)

    write_coco(tmp_path / "o.json", [PhotoPerson("a.jpg", (99, 99), Box(0, 0, 9, 9), keypoints)])
    (back,), _ = read_coco(tmp_path / "o.json")

    assert back.keypoints.source[:16] == sources[:16]
    np.testing.assert_array_equal(back.keypoints.confidence[:16], confidence[:16])
    assert back.extra == {"area": 81.0}


def test_points_of_a_file_are_written_as_they_came_without_keys_of_ours(tmp_path):
    people, _ = read_coco(save(tmp_path / "a.json", document()))

    write_coco(tmp_path / "o.json", people)

    again = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))["annotations"][0]
    assert again.keys() == document()["annotations"][0].keys()


def test_a_person_without_points_gets_those_of_the_body(tmp_path):
    keypoints = Keypoints.uniform("coco17", np.full((17, 2), 9.0), np.full(17, 2), source=Provenance.MODEL)
    unlabelled = PhotoPerson("a.jpg", (500, 400), Box(0, 0, 9, 9))

    write("coco", tmp_path / "o.json", [unlabelled], [estimate(keypoints=keypoints)])

    np.testing.assert_array_equal(read_coco(tmp_path / "o.json")[0][0].keypoints.points_px, keypoints.points_px)


def test_what_json_cannot_hold_is_left_out_of_what_a_file_brought(tmp_path):
    deep = []
    for _ in range(2000):
        deep = [deep]
    extra = {"area": float("nan"), "note": "\ud800", "deep": deep, "kept": [1, "ü"]}

    write_coco(tmp_path / "o.json", [person(extra=extra)])

    assert read_coco(tmp_path / "o.json")[0][0].extra == {"kept": [1, "ü"]}


# Large files


def take_ids(people, found):
    for one, _ in people:
        found.append(one.annotation_id)


def test_people_come_before_the_file_is_read_to_its_end(tmp_path):
    content = document()
    content["annotations"] += [{**content["annotations"][0], "id": 8}, {"id": 9}]
    found, report = [], ReadReport()

    people = read_people(save(tmp_path / "a.json", content), report=report)
    with pytest.raises(FormatError, match="annotation 9: image_id is None"):
        take_ids(people, found)

    assert found == [7, 8]
    assert report.read == 2


def test_people_one_by_one_are_those_of_the_whole(tmp_path):
    write("coco", tmp_path / "o.json", [person(seed=seed) for seed in range(5)], [estimate()] * 5)
    report = ReadReport()

    pairs = list(read_people(tmp_path / "o.json", report=report))

    whole = read(tmp_path / "o.json")
    assert [one.annotation_id for one, _ in pairs] == [one.annotation_id for one in whole.people]
    assert report == whole.report


@pytest.mark.parametrize("order", [("images", "annotations", "categories"), ("annotations", "categories", "images")])
def test_the_tables_may_stand_in_any_order(tmp_path, order):
    content = document()

    people, _ = read_coco(save(tmp_path / "a.json", {key: content[key] for key in order}))

    assert [each.image_name for each in people] == ["street/día 1.jpg"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory as Linux reports it")
def test_memory_does_not_grow_with_the_number_of_people(tmp_path):
    code = (
        "import pathlib, re, sys\n"
        "from cliff_core.formats import read_people\n"
        "count = sum(1 for _ in read_people(sys.argv[1]))\n"
        "print(count, re.search(r'VmHWM:\\s*(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])"
    )  # the peak of this program alone, which getrusage mixes with its parent's
    annotation, peaks = json.dumps(document()["annotations"][0]), []
    head = json.dumps({key: document()[key] for key in ("images", "categories")})[:-1]
    for count in (2_000, 12_000):
        rest = ", ".join(annotation.replace('"id": 7', f'"id": {index}') for index in range(count))
        (tmp_path / "a.json").write_text(f'{head}, "annotations": [{rest}]}}', encoding="utf-8")
        command = [sys.executable, "-c", code, tmp_path / "a.json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        number, peak = map(int, done.stdout.split())
        assert number == count
        peaks.append(peak / 1024)

    assert peaks[1] - peaks[0] < 6  # MB; the records of 10,000 people alone would take 15
