import zipfile
from dataclasses import replace

import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.errors import FormatError
from cliff_core.formats import read
from cliff_core.formats.cliff_gt import read_cliff_gt, write_cliff_gt
from cliff_core.formats.spin_points import spin_columns, to_part
from cliff_core.geometry.crop import OFFICIAL_CROP, crop_frame
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import write_image
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, SmplParams
from cliff_core.skeletons import COCO17, JOINT_SETS, SPIN24


@pytest.fixture(scope="module")
def body():
    return load_body()


def make(seed=0, gender="neutral", joint_set="coco17", name="été/夏 1.jpg", annotation_id=-1, camera=None):
    rng = np.random.default_rng(seed)
    count = len(JOINT_SETS[joint_set])
    camera = camera or Camera.guess((1919, 1080))
    keypoints = Keypoints.uniform(joint_set, rng.uniform(0, 1000, (count, 2)), rng.integers(0, 3, count))
    box = Box(*rng.uniform(0, 300, 2), *rng.uniform(400, 900, 2))
    person = PhotoPerson(name, camera.image_size_px, box, keypoints, camera, annotation_id)
    params = SmplParams(rng.normal(0, 0.8, (24, 3)), rng.normal(0, 1, 10), rng.normal([0, 0, 30], 1), gender)
    return person, Estimate(box, params, camera, np.array([0.9, 0.0, 0.1]), model="test")


def write_one(path, body, **changes):
    person, estimate = make(**changes)
    write_cliff_gt(path, [person], [estimate], body)
    return person, estimate


def rewrite(path, **changes):
    """Replace arrays of a file; `...` removes one."""
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays = {key: value for key, value in (arrays | changes).items() if value is not ...}
    np.savez(path, **arrays)


def test_bodies_and_people_come_back_as_they_were_written(tmp_path, body):
    pairs = [make(seed, annotation_id=100 + seed, name=f"ordner/{seed} ü.jpg") for seed in range(3)]
    write_cliff_gt(tmp_path / "gt.npz", [p for p, _ in pairs], [e for _, e in pairs], body)

    back = read_cliff_gt(tmp_path / "gt.npz")

    for (person, estimate), (person_back, params) in zip(pairs, back, strict=True):
        np.testing.assert_allclose(params.pose_rotvec, estimate.params.pose_rotvec, atol=1e-6)
        np.testing.assert_allclose(params.betas, estimate.params.betas, atol=1e-6)
        np.testing.assert_allclose(params.transl, estimate.params.transl, atol=1e-6)
        before, after = (
            body.pose(rotvec_to_rotmat(each.pose_rotvec), each.betas, each.transl).vertices
            for each in (estimate.params, params)
        )
        assert np.abs(before - after).max() < 1e-6  # metres: a thousandth of a millimetre
        assert (person_back.image_name, person_back.image_size_px) == (person.image_name, person.image_size_px)
        assert (person_back.annotation_id, person_back.camera) == (person.annotation_id, person.camera)
        np.testing.assert_array_equal(person_back.box.xyxy, person.box.xyxy)
        part = to_part(person.keypoints)
        np.testing.assert_array_equal(to_part(person_back.keypoints), part)


def test_the_keys_are_those_of_the_published_files_and_five_of_ours(tmp_path, body):
    write_one(tmp_path / "gt.npz", body, annotation_id=5)

    with np.load(tmp_path / "gt.npz", allow_pickle=False) as archive:
        shapes = {key: archive[key].shape for key in archive.files}

    published = {"imgname": (1,), "center": (1, 2), "scale": (1,), "part": (1, 24, 3), "annot_id": (1,)}
    published |= {"pose": (1, 72), "shape": (1, 10), "has_smpl": (1,), "global_t": (1, 3), "focal_l": (1,)}
    published |= {"S": (1, 24, 4)}
    ours = {"image_size": (1, 2), "principal_point": (1, 2), "bbox": (1, 4), "gender": (1,), "model": (1,)}
    assert shapes == published | ours


def test_annot_id_is_there_only_where_the_people_have_one(tmp_path, body):
    write_one(tmp_path / "gt.npz", body)

    with np.load(tmp_path / "gt.npz") as archive:
        assert "annot_id" not in archive.files
    assert read_cliff_gt(tmp_path / "gt.npz")[0][0].annotation_id == -1


def test_scale_is_the_crop_height_of_cliffs_own_code(tmp_path, body):
    _, estimate = write_one(tmp_path / "gt.npz", body)
    box = estimate.box

    with np.load(tmp_path / "gt.npz") as archive:
        centre, scale = archive["center"][0], archive["scale"][0]

    np.testing.assert_allclose(centre, box.centre_px)
    assert 200 * scale == pytest.approx(1.1 * max(box.width * 4 / 3, box.height))


def test_a_published_file_without_our_keys_gives_the_same_crop_and_leaves_the_size_open(tmp_path, body):
    person, _ = write_one(tmp_path / "gt.npz", body)
    rewrite(tmp_path / "gt.npz", image_size=..., principal_point=..., bbox=..., gender=...)

    ((back, params),) = read_cliff_gt(tmp_path / "gt.npz")

    for ours, theirs in zip(
        crop_frame(back.box.xyxy[None], OFFICIAL_CROP), crop_frame(person.box.xyxy[None], OFFICIAL_CROP), strict=True
    ):
        np.testing.assert_allclose(ours, theirs)
    assert (back.image_size_px, back.camera) == ((0, 0), None)
    assert back.extra == {"focal_length_px": np.hypot(1919, 1080), "model": "test"}
    assert params.gender == "neutral"


def test_what_predicted_a_body_comes_back_and_is_the_format_where_nobody_says(tmp_path, body):
    write_one(tmp_path / "gt.npz", body)
    ((said, _),) = read_cliff_gt(tmp_path / "gt.npz")
    rewrite(tmp_path / "gt.npz", model=...)
    ((silent, _),) = read_cliff_gt(tmp_path / "gt.npz")

    assert (said.extra, silent.extra) == ({"model": "test"}, {"model": "cliff-gt"})


def test_with_the_photos_at_hand_their_size_and_camera_are_known(tmp_path, body):
    write_one(tmp_path / "gt.npz", body, name="a.png")
    rewrite(tmp_path / "gt.npz", image_size=..., principal_point=...)
    write_image(tmp_path / "photos" / "a.png", np.zeros((1080, 1919, 3), dtype=np.uint8))

    (person,) = read(tmp_path / "gt.npz", photos=tmp_path / "photos").people

    assert person.camera == Camera.guess((1919, 1080))


def test_a_calibrated_camera_keeps_its_principal_point(tmp_path, body):
    camera = Camera(1145.5, (1000, 1002), (512.5, 515.25))
    write_one(tmp_path / "gt.npz", body, camera=camera)

    assert read_cliff_gt(tmp_path / "gt.npz")[0][0].camera == camera


def test_s_is_the_body_around_its_pelvis_as_seen_by_the_camera(tmp_path, body):
    _, estimate = write_one(tmp_path / "gt.npz", body)
    params = estimate.params
    vertices = body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl).vertices
    points = body.keypoints(vertices, "spin24")

    with np.load(tmp_path / "gt.npz") as archive:
        joints = archive["S"][0]

    np.testing.assert_array_equal(joints[:, 3], np.isfinite(points[:, 0]))
    np.testing.assert_array_equal(joints[SPIN24.index("pelvis")], [0, 0, 0, 1])
    known = joints[:, 3] > 0
    np.testing.assert_allclose(joints[known, :3], (points - points[SPIN24.index("pelvis")])[known], atol=1e-5)
    assert known[: SPIN24.index("pelvis")].all()
    np.testing.assert_array_equal(joints[~known, :3], 0)


def test_joints_that_a_body_does_not_know_have_no_confidence(tmp_path, body):
    limited = replace(
        body,
        regressors={"coco23": body.regressors["coco23"]},
        regressor_known={"coco23": body.regressor_known["coco23"]},
    )  # what an official SMPL file brings: no hips, neck, head or pelvis of LSP, MPII and H36M
    _, estimate = write_one(tmp_path / "gt.npz", limited)
    posed = body.pose(rotvec_to_rotmat(estimate.params.pose_rotvec), estimate.params.betas)
    nose = body.keypoints(posed.vertices, "coco17")[COCO17.index("nose")]

    with np.load(tmp_path / "gt.npz") as archive:
        joints = archive["S"][0]

    unknown = [name for name, row in zip(SPIN24.names, joints, strict=True) if row[3] == 0]
    assert unknown == "right_hip left_hip neck head_top pelvis thorax spine jaw head".split()
    np.testing.assert_array_equal(joints[joints[:, 3] == 0], 0)
    np.testing.assert_allclose(joints[SPIN24.index("nose"), :3], nose - posed.joints[0], atol=1e-6)


def test_each_gender_is_posed_with_its_own_body(tmp_path, body):
    pairs = [make(0, gender="female"), make(0)]
    people, estimates = [p for p, _ in pairs], [e for _, e in pairs]

    write_cliff_gt(tmp_path / "gt.npz", people, estimates, {"neutral": body, "female": load_body(gender="female")})

    assert [params.gender for _, params in read_cliff_gt(tmp_path / "gt.npz")] == ["female", "neutral"]
    with np.load(tmp_path / "gt.npz") as archive:
        female, neutral = archive["S"]
    assert np.abs(female - neutral).max() > 0.005
    with pytest.raises(FormatError, match="has a female body; load that body model"):
        write_cliff_gt(tmp_path / "gt.npz", people, estimates, body)


def test_no_people_make_an_empty_file(tmp_path, body):
    write_cliff_gt(tmp_path / "gt.npz", [], [], body)

    assert read_cliff_gt(tmp_path / "gt.npz") == []


def test_people_and_bodies_must_belong_together(tmp_path, body):
    person, estimate = make()
    small = PhotoPerson(person.image_name, (640, 480), person.box)

    with pytest.raises(FormatError, match="1 people but 0 bodies"):
        write_cliff_gt(tmp_path / "gt.npz", [person], [], body)
    with pytest.raises(FormatError, match="is 640 x 480 pixels, but its body was predicted for 1919 x 1080"):
        write_cliff_gt(tmp_path / "gt.npz", [small], [estimate], body)
    assert list(tmp_path.iterdir()) == []


# Points


def test_points_go_where_spin_puts_them():
    coco, mpii = [19, 20, 21, 22, 23, 9, 8, 10, 7, 11, 6, 3, 2, 4, 1, 5, 0], [0, 1, 2, 3, 4, 5, 14, 15]
    mpii += [12, 13, 6, 7, 8, 9, 10, 11]
    h36m = [14, 3, 4, 5, 2, 1, 0, 16, 12, 17, 18, 9, 10, 11, 8, 7, 6]  # SPIN's h36m_train.py, left leg first

    for joint_set, order in (("coco17", coco), ("mpii16", mpii), ("h36m17", h36m), ("lsp14", list(range(14)))):
        source, target = spin_columns(joint_set)
        assert source.tolist() == list(range(len(order)))
        assert target.tolist() == order


def test_a_detectors_neck_is_not_lsps():
    for joint_set in ("body25", "halpe26", "smpl24"):
        assert SPIN24.index("neck") not in spin_columns(joint_set)[1]


def test_confidence_is_zero_where_nothing_is_labelled():
    points = np.full((17, 2), 50.0)
    points[3] = np.nan
    visibility = np.full(17, 2)
    visibility[3] = 0
    keypoints = Keypoints("coco17", points, visibility, np.full(17, 0.6), ("model",) * 17)

    part = to_part(keypoints)

    np.testing.assert_array_equal(part[SPIN24.index(COCO17.names[3])], [0, 0, 0])
    np.testing.assert_array_equal(part[SPIN24.index("nose")], [50, 50, 0.6])
    np.testing.assert_array_equal(to_part(None), np.zeros((24, 3)))


# Files that are not what they should be


def nan_in_row_two():
    pose = np.zeros((3, 72))
    pose[2, 5] = np.nan
    return pose


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pose": ...}, "has no array 'pose'"),
        ({"pose": np.zeros((3, 24, 3, 3))}, r"'pose' has shape \(3, 24, 3, 3\), not \(3, 72\)"),
        ({"shape": np.zeros((2, 10))}, r"'shape' has shape \(2, 10\), not \(3, 10\)"),
        ({"pose": nan_in_row_two()}, r"row 2 \(été/夏 1.jpg\): 'pose' is not finite"),
        ({"scale": np.array([1.0, 0, 1])}, r"row 1 .*scale 0|row 1 .*box .* has no area"),
        ({"focal_l": np.array([1.0, 2, -3])}, r"row 2 .*focal_l is -3; it must be positive"),
        ({"has_smpl": np.array([1, 0, 1])}, r"row 1 .*has no body \(has_smpl is 0\)"),
        ({"gender": np.array(["neutral", "robot", "f"])}, r"row 1 .*gender 'robot' is none of neutral, male, female"),
        ({"imgname": np.array(["a", "../b", "c"])}, r"row 1 .*photo '../b' must be a path inside the folder"),
        ({"imgname": np.array([1, 2, 3])}, "'imgname' holds int64 instead of text"),
        ({"imgname": np.array([b"\xff", b"b", b"c"])}, "'imgname' holds bytes that are not UTF-8"),
        ({"global_t": np.array([["1", "2", "3"]] * 3)}, "'global_t' holds <U1 instead of numbers"),
        ({"center": np.array([None, 1, 2], dtype=object)}, "'center' holds Python objects, .* can run code"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path, body, changes, message):
    pairs = [make(seed) for seed in range(3)]
    path = tmp_path / "gt.npz"
    write_cliff_gt(path, [p for p, _ in pairs], [e for _, e in pairs], body)
    rewrite(path, **({"bbox": ...} | changes))

    with pytest.raises(FormatError, match=rf"gt\.npz: {message}"):
        read_cliff_gt(path)


def test_objects_in_keys_that_nobody_needs_do_no_harm(tmp_path, body):
    write_one(tmp_path / "gt.npz", body)
    rewrite(tmp_path / "gt.npz", maskname=np.array([None], dtype=object))

    assert len(read_cliff_gt(tmp_path / "gt.npz")) == 1


def test_names_and_genders_of_older_files_are_understood(tmp_path, body):
    write_one(tmp_path / "gt.npz", body)
    rewrite(tmp_path / "gt.npz", imgname=np.array([b"images\\1.jpg"]), gender=np.array(["m"]))

    ((person, params),) = read_cliff_gt(tmp_path / "gt.npz")

    assert (person.image_name, params.gender) == ("images/1.jpg", "male")


def test_a_file_that_is_cut_short_or_no_archive_is_refused(tmp_path, body):
    path = tmp_path / "gt.npz"
    write_one(path, body)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="not a complete npz archive"):
        read_cliff_gt(path)
    path.write_text("no archive")
    with pytest.raises(FormatError, match="not a complete npz archive"):
        read_cliff_gt(path)
    with pytest.raises(FormatError, match=r"absent\.npz: no such file"):
        read_cliff_gt(tmp_path / "absent.npz")


def test_a_file_with_a_damaged_array_is_refused_by_its_name(tmp_path, body):
    path = tmp_path / "gt.npz"
    write_one(path, body)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("pose.npy")
    content = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len("pose.npy") + 20
    content[start + 40 : start + 120] = bytes(80)
    path.write_bytes(bytes(content))

    with pytest.raises(FormatError, match=r"gt\.npz: array 'pose' is damaged"):
        read_cliff_gt(path)
