import json

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import read, write
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Camera
from cliff_core.skeletons import COCO17

OURS = ("image_path", "transl", "focal_length", "image_size", "principal_point", "bbox", "gender", "model")


@pytest.fixture(scope="module")
def group(crowd):
    return crowd(("neutral",))


@pytest.fixture(scope="module")
def document(tmp_path_factory, group):
    path = tmp_path_factory.mktemp("eft") / "e.json"
    write("eft", path, group.people, group.estimates)
    return json.loads(path.read_text())


@pytest.fixture
def save(tmp_path):
    def save(content):
        (tmp_path / "e.json").write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path / "e.json"

    return save


def foreign(document, **changes):
    """The document without our keys, as EFT publishes such."""
    entries = [{key: value for key, value in entry.items() if key not in OURS} | changes for entry in document["data"]]
    return {"ver": 0.1, "data": entries}


def test_the_keys_are_those_of_the_published_files(document, group):
    entry = document["data"][2]

    assert np.shape(entry["parm_pose"]) == (24, 3, 3)
    assert np.shape(entry["parm_shape"]) == (10,)
    assert np.shape(entry["gt_keypoint_2d"]) == (49, 3)
    assert len(entry["joint_validity_openpose18"]) == 18
    assert (entry["smpltype"], entry["annotId"], entry["imageName"]) == ("smpl", 42, "b.jpg")
    assert 200 * entry["bbox_scale"] == pytest.approx(1.2 * max(group.people[2].box.width, group.people[2].box.height))
    np.testing.assert_allclose(entry["parm_pose"], rotvec_to_rotmat(group.estimates[2].params.pose_rotvec))


def test_the_crop_camera_brings_the_body_onto_its_points_as_eft_draws_it(document, group, bodies):
    """s x + t, in halves of the crop, as EFT's `convert_smpl_to_bbox` has it."""
    for entry, person, estimate in zip(document["data"], group.people, group.estimates, strict=True):
        params = estimate.params
        vertices = bodies["neutral"].pose(rotvec_to_rotmat(params.pose_rotvec), params.betas).vertices
        wrists = bodies["neutral"].keypoints(vertices, "coco17")[[COCO17.index("nose"), COCO17.index("left_hip")]]
        scale, tx, ty = entry["parm_cam"]
        half = 100 * entry["bbox_scale"]
        drawn = (scale * wrists[:, :2] + (tx, ty)) * half + entry["bbox_center"]

        seen = person.keypoints.points_px[[COCO17.index("nose"), COCO17.index("left_hip")]]
        # A camera without perspective is off by what perspective does within the body.
        assert np.linalg.norm(drawn - seen, axis=1).max() < 0.15 * 2 * half


def test_published_files_are_placed_under_a_guessed_camera(document, save, crowd_photos):
    path = save(foreign(document, imageName="b.jpg"))

    annotations = read(path, photos=crowd_photos)

    assert annotations.report.notes == ["5 people: focal length unknown; the photo's diagonal is taken"]
    assert annotations.people[2].camera == Camera.guess((1000, 1002))
    assert annotations.people[2].extra == {"model": "eft"}
    entry, params = document["data"][2], annotations.params[2]
    focal, side = np.hypot(1000, 1002), 200 * entry["bbox_scale"]
    scale, tx, ty = entry["parm_cam"]
    assert params.transl[2] == pytest.approx(2 * focal / (side * scale))
    offset = (np.array(entry["bbox_center"]) - (500, 501)) * params.transl[2] / focal
    np.testing.assert_allclose(params.transl[:2], offset + np.array([tx, ty]) / scale, atol=1e-9)


def test_without_the_photos_the_people_come_without_bodies(document, save):
    annotations = read(save(foreign(document)))

    assert annotations.params == [None] * 5
    assert "read again with the photos" in annotations.report.notes[0]


def test_bodies_of_smplx_are_left_out_with_a_note(document, save):
    annotations = read(save({"data": [entry | {"smpltype": "smplx"} for entry in document["data"]]}), "eft")

    assert annotations.params == [None] * 5
    assert annotations.report.notes == ["5 people: body left out, as it is no body of SMPL"]


def test_two_photos_of_one_base_name_are_refused_by_name(tmp_path, group):
    from dataclasses import replace

    people = [replace(group.people[2], image_name=f"{folder}/x.jpg") for folder in ("a", "b")]

    with pytest.raises(FormatError, match=r"person 2 \(b/x.jpg\): EFT knows photos by their base name alone, and a/x"):
        write("eft", tmp_path / "e.json", people, [group.estimates[2]] * 2)


def test_a_body_behind_the_camera_is_refused_by_name(tmp_path, group):
    from dataclasses import replace

    estimate = group.estimates[2]
    behind = replace(estimate, params=replace(estimate.params, transl=np.array([0, 0, -3.0])))

    with pytest.raises(
        FormatError, match=r"person 1 \(b.jpg\) stands -3 m in front of its camera, where no crop shows it"
    ):
        write("eft", tmp_path / "e.json", group.people[2:3], [behind])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parm_cam": None}, "entry 1: has no parm_cam"),
        ({"parm_cam": [0, 1, 1]}, "entry 1: parm_cam: scale 0 must be positive"),
        ({"parm_cam": [1, 2]}, r"entry 1: parm_cam has shape \(2,\), not \(3,\)"),
        ({"parm_pose": np.zeros((24, 3, 3)).tolist()}, "entry 1: parm_pose: the matrix of joint 0 is no rotation"),
        ({"parm_pose": (-np.tile(np.eye(3), (24, 1, 1))).tolist()}, "the matrix of joint 0 is no rotation"),
        ({"parm_pose": [[1, 2], [3]]}, "entry 1: parm_pose is .*, not 216 numbers"),
        ({"parm_shape": ["a"] * 10}, "entry 1: betas is .*, not 10 numbers"),
        ({"bbox_scale": -1, "bbox": None}, "entry 1: box .* has no area"),
        ({"imageName": 3, "image_path": 3}, "entry 1: imageName is no text"),
        ({"image_path": "../x.jpg"}, "entry 1: photo '../x.jpg' must be a path inside"),
        ({"annotId": "seven"}, "entry 1: annot_id 'seven' is no whole number"),
        ({"gt_keypoint_2d": [[1, 2, 3]]}, r"entry 1: gt_keypoint_2d has shape \(1, 3\), not \(147,\)"),
        ({"smpltype": 7}, "entry 1: smpltype 7 is no name"),
        ({"gender": "robot"}, "entry 1: gender 'robot' is none of"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_is_wrong(document, save, changes, message):
    entry = document["data"][0] | changes

    with pytest.raises(FormatError, match=rf"e\.json: .*{message}"):
        read(save({"ver": 0.1, "data": [entry]}), "eft")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"ver": 0.1}, "not an EFT file: it has no 'data'"),
        ({"ver": 0.1, "data": {}}, "not an EFT file: 'data' must be a list of objects"),
        ({"ver": 0.1, "data": [3]}, "not an EFT file: 'data' must be a list of objects"),
    ],
)
def test_a_file_that_is_no_eft_is_refused(save, content, message):
    with pytest.raises(FormatError, match=message):
        read(save(content), "eft")
