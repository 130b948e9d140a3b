"""A project from the shell: made, filled, checked, exported, merged, damaged and brought back."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from annotator.commands import MovePoint, SetState
from annotator.project import open_project

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "resources" / "sample"


def run(*arguments):
    """One real `python main.py ...`, as a shell starts it."""
    command = [sys.executable, str(REPOSITORY / "main.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=180, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The sample as a project, made by the commands."""
    folder = tmp_path_factory.mktemp("projects") / "sample"
    done = run("new", folder, "--images", SAMPLE / "photos", "--json")
    assert (done.returncode, json.loads(done.stdout)["photos"]) == (0, 19), done.stderr
    done = run("import", folder, SAMPLE / "keypoints.json", "--json")
    assert (done.returncode, json.loads(done.stdout)["added"]) == (0, 39), done.stderr
    done = run("import", folder, SAMPLE / "truth.npz", "--json")
    assert (done.returncode, json.loads(done.stdout)["joined"]) == (0, 38), done.stderr
    return folder


@pytest.fixture
def project(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "sample"))


@pytest.mark.parametrize("command", ["new", "import", "export", "merge", "restore", "relink", "mirror"])
def test_every_project_command_explains_itself(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


def test_a_healthy_project_passes_the_check(made):
    done = run("check", made, "--photos")
    assert done.returncode == 0, done.stdout
    assert "Everything is as it should be." in done.stdout
    assert "every byte as it was" in done.stdout


def test_what_went_in_comes_out(project, tmp_path):
    done = run("export", project, "--format", "coco", "--out", tmp_path / "again.json", "--json")
    assert (done.returncode, json.loads(done.stdout)["people"]) == (0, 39), done.stderr
    truth = {each["id"]: each for each in json.loads((SAMPLE / "keypoints.json").read_text("utf-8"))["annotations"]}
    again = {each["id"]: each for each in json.loads((tmp_path / "again.json").read_text("utf-8"))["annotations"]}
    assert {number: each["keypoints"] for number, each in again.items()} == {
        number: each["keypoints"] for number, each in truth.items()
    }
    assert json.loads((tmp_path / "again.json.manifest.json").read_text("utf-8"))["counts"]["people"] == 39


def test_copies_that_differ_are_shown_and_merged_when_a_person_decides(project, tmp_path):
    shutil.copytree(project, tmp_path / "bobs")
    for folder, x in ((project, 10.0), (tmp_path / "bobs", 90.0)):
        with open_project(folder) as opened:
            opened.edit(MovePoint(1, "coco17", "nose", (x, 50.0)))
    with open_project(tmp_path / "bobs") as opened:
        opened.edit(SetState(2, "done"))
    done = run("merge", project, tmp_path / "bobs")
    assert done.returncode == 1
    assert "two people differ in 1 places" in done.stdout
    done = run("merge", project, tmp_path / "bobs", "--prefer", "theirs", "--json")
    assert (done.returncode, json.loads(done.stdout)["written"]) == (0, True), done.stderr
    with open_project(project, read_only=True) as opened:
        assert opened.person(1).keypoints("coco17").points_px[0].tolist() == [90.0, 50.0]
        assert opened.person(2).state == "done"


def test_a_damaged_project_is_found_and_brought_back(project):
    file = project / "project.sqlite"
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\0" * 8192 + content[12288:])
    found = run("check", project)
    assert found.returncode == 1
    assert "restore" in found.stdout
    refused = run("export", project, "--format", "coco", "--out", project / "x.json")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) <= 2
    assert run("restore", project).returncode == 0
    assert run("check", project).returncode == 0


def test_wrong_usage_and_unknown_places_are_one_line(tmp_path):
    assert run("new").returncode == 2
    for arguments in (
        ("import", tmp_path / "nowhere", SAMPLE / "keypoints.json"),
        ("export", tmp_path / "nowhere", "--format", "coco", "--out", tmp_path / "x.json"),
        ("new", tmp_path / "project", "--images", tmp_path / "nowhere"),
        ("restore", tmp_path / "nowhere"),
    ):
        done = run(*arguments)
        assert done.returncode == 1, arguments
        assert len(done.stderr.splitlines()) == 1
        assert "nowhere" in done.stderr
        assert not (tmp_path / "nowhere").exists()
