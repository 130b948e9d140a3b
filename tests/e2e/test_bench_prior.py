"""`bench prior`: the open benchmark from one command, with every number and what it is."""

import json
import subprocess
import sys

import pytest


def run(repository, *arguments):
    command = [sys.executable, "main.py", "bench", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def test_the_list_of_benchmarks_names_it(repository):
    done = run(repository, "list")
    assert done.returncode == 0, done.stderr
    assert "prior: Errors of the bundled model" in done.stdout


def test_poses_that_are_none_are_refused_in_one_line(repository, tmp_path):
    (tmp_path / "poses.npz").write_bytes(b"nothing")
    done = run(repository, "prior", "--poses", str(tmp_path / "poses.npz"))
    assert done.returncode == 1
    assert "poses.npz: no poses" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_bundled_model_is_measured_with_and_without_pixels(repository):
    done = run(repository, "prior", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    values = {name: value for entry in report["measured"] for name, value in entry["values"].items()}
    image, points = (
        values[f"rendered, {given}, all, mpjpe_smpl14, mean"]
        for given in ("image alone", "image and true COCO-17 in the frame")
    )
    assert points < 0.7 * image
    assert values["rendered, image alone, all, pve, people"] == 200
    assert values["points only, true COCO-17, in the frame, all, pve, people"] == 1000
    assert "14 SMPL joints" in report["measured"][-1]["summary"]
