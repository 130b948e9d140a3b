"""The promise of `make demo`: the loop makes bodies better, on the sample and on one's own photos."""

import contextlib
import io
import json
import shutil

import numpy as np
import pytest

from annotator.cli import main
from cliff_core.images import read_image
from cliff_core.resources import resource_path

PICTURES_PX = 100


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["demo", "--out", str(out), "--json"])
    assert code == 0
    return out, json.loads(said.getvalue())


def test_the_loop_takes_a_third_off_the_errors_of_the_sample(demo):
    rows = {row["measure"].split(",")[0]: row for row in demo[1]["rows"]}
    for measure in ("PA-MPJPE", "MPJPE"):
        assert rows[measure]["refined"] < 0.7 * rows[measure]["photo"], rows[measure]
    for measure in ("PA-MPJPE", "MPJPE", "PVE"):
        assert rows[measure]["refined"] < rows[measure]["detected"] < rows[measure]["photo"], rows[measure]


def test_every_person_is_in_the_annotations_and_every_photo_in_a_picture(demo):
    out, report = demo
    with np.load(out / "annotations.npz", allow_pickle=False) as file:
        assert file["pose"].shape == (report["people"], 72)
        assert np.isfinite(file["global_t"]).all()
        assert (file["global_t"][:, 2] > 0).all()
    assert len(report["pictures"]) == report["photos"]
    for path in [*report["pictures"], report["overview"]]:
        assert min(read_image(out / path).shape[:2]) > PICTURES_PX


def test_own_photos_need_their_keypoints_and_the_right_folder(tmp_path, capsys):
    keypoints = resource_path("sample", "keypoints.json")
    assert main(["demo", "--photos", str(tmp_path)]) == 2
    assert "belong together" in capsys.readouterr().err
    assert main(["demo", "--photos", str(tmp_path), "--keypoints", str(keypoints), "--out", str(tmp_path / "out")]) == 1
    assert "photos that are not in" in capsys.readouterr().err


def test_the_loop_runs_on_own_photos_without_any_truth(tmp_path, capsys):
    annotations = json.loads(resource_path("sample", "keypoints.json").read_text())
    image = annotations["images"][0]
    annotations["images"] = [image]
    annotations["annotations"] = [each for each in annotations["annotations"] if each["image_id"] == image["id"]]
    photos = tmp_path / "mine"
    (photos / image["file_name"]).parent.mkdir(parents=True)
    shutil.copy(resource_path("sample", "photos", image["file_name"]), photos / image["file_name"])
    (tmp_path / "coco.json").write_text(json.dumps(annotations))
    code = main(
        ["demo", "--photos", str(photos), "--keypoints", str(tmp_path / "coco.json"), "--out", str(tmp_path / "out")]
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "PCK@0.1" in said.out
    assert "PA-MPJPE" not in said.out
