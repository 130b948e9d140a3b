"""`predict`: photos in, one npz of bodies and a picture per photo out, whatever lies in the folder."""

import contextlib
import importlib.util
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from annotator.cli import main
from cliff_core.execution.device import Precision, choose_compute
from cliff_core.formats.cliff_gt import read_cliff_gt
from cliff_core.geometry.camera import full_frame_translation
from cliff_core.geometry.crop import OFFICIAL_CROP, bbox_info, crop_frame, crop_image, normalise
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.images import read_image
from cliff_core.models import load_cliff
from cliff_core.records import Camera
from cliff_core.resources import resource_path

REPOSITORY = Path(__file__).resolve().parents[2]
BROKEN = ("broken.jpg", "empty.jpg", "text.jpg")
NOBODY = ("dot.png", "nobody.jpg")
WITH_PEOPLE = ("astronaut.jpg", "cmyk.jpg", "deep.png", "grey.png", "ünïcode 人/фото.jpg", "turned.jpg")
SIZE = (400, 512)  # of the upright photos


@pytest.fixture(scope="module")
def folder(tmp_path_factory, portrait):
    """Photos as people have them, good and bad."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "ünïcode 人").mkdir()
    portrait.save(folder / "astronaut.jpg")
    portrait.save(folder / "ünïcode 人" / "фото.jpg")
    portrait.convert("L").save(folder / "grey.png")
    portrait.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.asarray(portrait.convert("L")).astype(np.uint16) * 257).save(folder / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    portrait.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif)
    Image.new("RGB", (1, 1), "white").save(folder / "dot.png")
    sky = np.linspace(120, 230, 300).astype(np.uint8)[:, None, None]
    Image.fromarray(np.tile(sky, (1, 400, 3))).save(folder / "nobody.jpg")
    (folder / "broken.jpg").write_bytes((folder / "astronaut.jpg").read_bytes()[:4000])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("Dear diary")
    return folder


def run(*arguments):
    """The real command in this process: exit code, stdout, stderr."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), errors.getvalue()


@pytest.fixture(scope="module")
def result(folder, tmp_path_factory):
    """One run over the whole folder: exit code, report, output folder."""
    out = tmp_path_factory.mktemp("out")
    code, text, _ = run("predict", folder, "--out", out, "--json")
    return code, json.loads(text), out


def arrays_of(out):
    with np.load(out / "predictions.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def overlays_of(out):
    return sorted(path.relative_to(out / "overlays").as_posix() for path in (out / "overlays").rglob("*.*"))


def test_every_photo_with_people_has_its_bodies_in_the_predictions(result):
    code, report, out = result
    arrays = arrays_of(out)
    people = report["people"]
    assert code == 0
    assert report["photos"] == len(WITH_PEOPLE) + len(NOBODY)
    assert sorted(set(arrays["imgname"])) == sorted(WITH_PEOPLE)
    assert people >= len(WITH_PEOPLE)
    shapes = {
        "imgname": (people,), "center": (people, 2), "scale": (people,), "focal_l": (people,), "has_smpl": (people,),
        "part": (people, 24, 3), "pose": (people, 72), "shape": (people, 10), "global_t": (people, 3),
        "S": (people, 24, 4),
    }  # fmt: skip
    assert {name: arrays[name].shape for name in shapes} == shapes
    assert all(np.isfinite(arrays[name]).all() for name in shapes if name != "imgname")
    assert (arrays["global_t"][:, 2] > 0).all()


def test_photos_are_upright_whatever_their_file_says(result):
    arrays = arrays_of(result[2])
    assert set(map(tuple, arrays["image_size"].astype(int))) == {SIZE}
    np.testing.assert_allclose(arrays["focal_l"], np.hypot(*SIZE))


def test_the_2d_points_are_on_the_person(result):
    arrays = arrays_of(result[2])
    marked = arrays["part"][:, :, 2] > 0.3
    assert (marked.sum(axis=1) >= 4).all()
    points = arrays["part"][marked][:, :2]
    assert (points > -0.2 * np.array(SIZE)).all()
    assert (points < 1.2 * np.array(SIZE)).all()


def test_each_photo_with_people_has_an_overlay_with_a_view_from_the_side(result, portrait):
    _, _, out = result
    assert overlays_of(out) == sorted(str(Path(name).with_suffix(".jpg").as_posix()) for name in WITH_PEOPLE)
    picture = read_image(out / "overlays" / "astronaut.jpg")
    assert picture.shape[0] == SIZE[1]
    assert picture.shape[1] > 1.5 * SIZE[0]
    over_photo = picture[:, : SIZE[0]].astype(int)
    changed = (abs(over_photo - np.asarray(portrait)).max(axis=2) > 40).mean()
    assert 0.005 < changed < 0.9  # something is drawn, and the photo still shows


def test_each_refused_photo_is_named_once_with_its_reason(result):
    _, report, _ = result
    assert len(report["refused"]) == len(BROKEN)
    for name in BROKEN:
        (line,) = [line for line in report["refused"] if name in line]
        assert line.count(name) == 1
        assert "not a readable picture" in line


def test_a_photo_without_people_is_no_error_and_listed(result):
    _, report, _ = result
    assert sorted(report["empty"]) == sorted(NOBODY)


def test_the_text_for_people_says_what_was_left_out_and_where_results_are(folder, tmp_path):
    code, text, progress = run(
        "predict", folder / "empty.jpg", folder / "dot.png", tmp_path / "gone.jpg", "--out", tmp_path
    )
    assert code == 0
    assert "0 people on 1 photos" in text
    assert "empty.jpg: not a readable picture (the file is empty)" in text
    assert "gone.jpg: no such file" in text
    assert "nobody on 1" in text
    assert str(tmp_path / "predictions.npz") in text
    assert "predicting bodies 3/3" in progress


def test_when_nothing_can_be_read_it_fails_in_one_line_and_leaves_earlier_results_alone(folder, tmp_path):
    (tmp_path / "predictions.npz").write_bytes(b"of an earlier run")
    code, text, errors = run("predict", *(folder / name for name in BROKEN), "--out", tmp_path)
    assert code == 1
    assert text == ""
    assert all(name in errors.splitlines()[-1] for name in BROKEN)
    assert (tmp_path / "predictions.npz").read_bytes() == b"of an earlier run"


def test_a_folder_without_pictures_fails_in_one_line(tmp_path):
    code, _, errors = run("predict", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert "no pictures there" in errors.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_results_inside_the_photo_folder_are_not_taken_for_photos(tmp_path, portrait):
    portrait.save(tmp_path / "me.png")
    runs = [run("predict", tmp_path, "--out", tmp_path / out, "--json") for out in ("first", "first", "second")]
    reports = [json.loads(text) for _, text, _ in runs]
    assert [report["photos"] for report in reports] == [1, 1, 1]
    assert overlays_of(tmp_path / "second") == ["me.jpg"]
    assert not reports[0]["notes"]
    assert "left out, 1 overlays of an earlier run" in reports[2]["notes"][0]


def test_an_overlay_never_replaces_a_photo(tmp_path, portrait):
    (tmp_path / "overlays").mkdir()
    portrait.save(tmp_path / "overlays" / "me.jpg")
    before = (tmp_path / "overlays" / "me.jpg").read_bytes()
    code, _, errors = run("predict", tmp_path / "overlays", "--out", tmp_path)
    assert code == 1
    assert "choose another --out" in errors
    assert (tmp_path / "overlays" / "me.jpg").read_bytes() == before


def test_photos_of_the_same_name_stay_apart(tmp_path, portrait):
    for name in ("monday/me.jpg", "tuesday/me.jpg", "tuesday/me.png", "tuesday/ME.bmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        portrait.save(tmp_path / name)
    code, _, _ = run("predict", tmp_path / "tuesday", tmp_path / "monday", "--out", tmp_path / "out")
    names = list(dict.fromkeys(arrays_of(tmp_path / "out")["imgname"]))
    assert code == 0
    assert names == ["tuesday/ME.bmp", "tuesday/me.jpg", "tuesday/me.png", "monday/me.jpg"]
    overlays = ["monday/me.jpg", "tuesday/ME.jpg", "tuesday/me.jpg.jpg", "tuesday/me.png.jpg"]
    assert overlays_of(tmp_path / "out") == overlays


def coco_file(path, photos, people):
    """A COCO file: photos are (name, width, height), people are (photo number, bbox, keypoints or nothing)."""
    images = [{"id": n, "file_name": name, "width": w, "height": h} for n, (name, w, h) in enumerate(photos)]
    annotations = [
        {"id": 70 + n, "image_id": image, "category_id": 1, "bbox": bbox, **({"keypoints": points} if points else {})}
        for n, (image, bbox, points) in enumerate(people)
    ]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def test_given_boxes_and_points_are_taken_instead_of_detected_ones(tmp_path, folder):
    shoulders = np.zeros((17, 3))
    shoulders[5], shoulders[6] = (250, 300, 2), (100, 300, 1)
    photos = [("some/where/astronaut.jpg", *SIZE), ("фото.jpg", *SIZE)]
    pointed = (0, [20, 30, 340, 450], shoulders.ravel().tolist())
    bare = [(1, [10, 20, 200, 300], None), (1, [150, 5, 240, 500], None)]
    boxes = coco_file(tmp_path / "boxes.json", photos, [pointed, *bare])
    code, text, _ = run("predict", folder, "--boxes", boxes, "--out", tmp_path / "out", "--json")
    arrays = arrays_of(tmp_path / "out")
    assert code == 0
    assert arrays["imgname"].tolist() == ["astronaut.jpg", "ünïcode 人/фото.jpg", "ünïcode 人/фото.jpg"]
    assert arrays["annot_id"].tolist() == [70, 71, 72]
    assert arrays["bbox"].tolist() == [[20, 30, 360, 480], [10, 20, 210, 320], [150, 5, 390, 505]]
    marked = arrays["part"][:, :, 2] > 0
    assert marked[0].sum() == 2
    assert sorted(arrays["part"][0][marked[0]][:, 0].tolist()) == [100, 250]
    assert marked[1:].any(axis=1).all()
    assert "grey.png" in json.loads(text)["empty"]


def test_bfloat16_is_used_where_it_is_native_and_its_absence_is_said(tmp_path, portrait):
    portrait.save(tmp_path / "portrait.jpg")
    code, text, _ = run("predict", tmp_path, "--precision", "bfloat16", "--out", tmp_path / "out", "--json")
    report = json.loads(text)
    assert code == 0
    assert report["people"] == 1
    native = choose_compute(Precision.BFLOAT16).precision is Precision.BFLOAT16
    assert [note for note in report["notes"] if "float32 was used" in note] == report["notes"]
    assert len(report["notes"]) == (0 if native else 1)


@pytest.mark.parametrize(
    ("photos", "told"),
    [
        ([("astronaut.jpg", *SIZE), ("holiday/gone.jpg", 640, 480)], "holiday/gone.jpg"),
        ([("other/фото.jpg", *SIZE)], "other/фото.jpg"),
    ],
)
def test_boxes_for_photos_that_are_not_there_are_named(tmp_path, folder, photos, told):
    boxes = coco_file(tmp_path / "boxes.json", photos, [(n, [10, 10, 50, 90], None) for n in range(len(photos))])
    code, _, errors = run("predict", folder, "--boxes", boxes, "--out", tmp_path / "out")
    assert code == 1
    assert told in errors.splitlines()[-1]
    assert "boxes.json" in errors.splitlines()[-1]


def test_one_photo_of_a_large_box_file_can_be_predicted_alone(tmp_path, folder):
    photos = [("astronaut.jpg", *SIZE), ("gone.jpg", 640, 480)]
    boxes = coco_file(tmp_path / "boxes.json", photos, [(0, [10, 10, 350, 490], None), (1, [1, 1, 90, 90], None)])
    code, text, _ = run("predict", folder / "astronaut.jpg", "--boxes", boxes, "--out", tmp_path / "out", "--json")
    assert code == 0
    assert json.loads(text)["people"] == 1
    assert "gone.jpg" in json.loads(text)["notes"][0]


def test_boxes_for_another_size_of_a_photo_refuse_that_photo(tmp_path, folder):
    photos = [("astronaut.jpg", *SIZE), ("turned.jpg", SIZE[1], SIZE[0])]
    boxes = coco_file(tmp_path / "boxes.json", photos, [(n, [10, 10, 350, 390], None) for n in range(2)])
    code, text, _ = run("predict", folder, "--boxes", boxes, "--out", tmp_path / "out", "--json")
    report = json.loads(text)
    assert code == 0
    assert report["people"] == 1
    (line,) = [line for line in report["refused"] if "turned.jpg" in line]
    assert "400 x 512" in line
    assert "512 x 400" in line


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """A checkpoint in the official container, its weights by formula, and an SMPL pickle of the open body's arrays."""
    folder = tmp_path_factory.mktemp("official")
    spec = importlib.util.spec_from_file_location("golden_formula", REPOSITORY / "tests" / "golden" / "formula.py")
    formula = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(formula)
    weights = {f"module.{name}": value for name, value in formula.formula_weights("res50").items()}
    torch.save({"model": weights, "epoch": 5}, folder / "res50.pt")
    with np.load(resource_path("bodies", "open_male.npz")) as arrays:
        keys = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
        smpl = {key: arrays[key] for key in keys}
    (folder / "SMPL_MALE.pkl").write_bytes(pickle.dumps(smpl, protocol=2))
    yield folder / "res50.pt", folder / "SMPL_MALE.pkl"
    shutil.rmtree(folder)  # 100 MB


def test_an_official_checkpoint_and_an_smpl_file_go_through_the_same_code(official, folder, tmp_path):
    checkpoint, smpl = official
    box = [60.0, 40.0, 260.0, 440.0]
    boxes = coco_file(tmp_path / "boxes.json", [("astronaut.jpg", *SIZE)], [(0, box, None)])
    arguments = ("predict", folder / "astronaut.jpg", "--boxes", boxes, "--model", checkpoint, "--body", smpl)
    code, text, _ = run(*arguments, "--out", tmp_path / "out", "--json")
    report = json.loads(text)

    rgb = read_image(folder / "astronaut.jpg")
    centre, height = crop_frame(np.array([[60.0, 40.0, 320.0, 480.0]]), OFFICIAL_CROP)
    size = np.array([SIZE], dtype=float)
    focal = np.array([Camera.guess(SIZE).focal_length_px])
    patch = torch.from_numpy(normalise(crop_image(rgb, centre[0], height[0], OFFICIAL_CROP)[None], OFFICIAL_CROP))
    info = torch.from_numpy(bbox_info(centre, height, focal, size)).float()
    with torch.inference_mode():
        rotmat, betas, cam_crop = load_cliff(checkpoint)(patch, info)
    transl = full_frame_translation(cam_crop.double().numpy(), centre, height, focal, size)

    ((person, params),) = read_cliff_gt(tmp_path / "out" / "predictions.npz")
    assert code == 0
    assert report["model"] == "cliff-res50"
    assert report["notes"] == []
    assert params.gender == "male"
    assert person.image_name == "astronaut.jpg"
    np.testing.assert_allclose(rotvec_to_rotmat(params.pose_rotvec), rotmat[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(params.betas, betas[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(params.transl, transl[0], rtol=1e-4, atol=1e-4)
    assert overlays_of(tmp_path / "out") == ["astronaut.jpg"]


def test_an_official_checkpoint_without_its_body_gets_a_note(official, folder, tmp_path):
    code, text, _ = run("predict", folder / "astronaut.jpg", "--model", official[0], "--out", tmp_path, "--json")
    assert code == 0
    assert "--body" in json.loads(text)["notes"][0]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to whole consoles, not to one process")
def test_ctrl_c_leaves_bodies_for_exactly_the_overlays_that_are_there(folder, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for number in range(200):
        shutil.copy(folder / "astronaut.jpg", photos / f"{number:03}.jpg")
    command = [sys.executable, str(REPOSITORY / "main.py"), "predict", str(photos), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 120
        while not (out / "overlays" / "003.jpg").exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    finished = overlays_of(out)
    assert child.returncode == 130
    assert "interrupted" in errors.splitlines()[-1]
    assert 4 <= len(finished) < 200
    assert sorted(set(arrays_of(out)["imgname"])) == finished
