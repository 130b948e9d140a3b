"""A project split among annotators: labelled apart, merged with an agreement, rejected, and back in the right queue."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from annotator.cli import main
from annotator.commands import AddComment, MovePoint, Review, SetPose, SetState
from annotator.project import create_project, open_project
from annotator.project.importing import import_file
from cliff_core.skeletons import COCO17

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "resources" / "sample"


def run(*arguments, code=0):
    """One real `python main.py ...`, as a shell starts it; its JSON, or its text."""
    command = [sys.executable, str(REPOSITORY / "main.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=180, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if "--json" in arguments and code == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Path:
    """The sample, split among Anna and Ben; a fifth of the photos is labelled by both."""
    folder = tmp_path_factory.mktemp("team") / "sample"
    project, _ = create_project(folder, SAMPLE / "photos")
    with project:
        for name in ("keypoints.json", "truth.npz"):
            import_file(project, SAMPLE / name)
    report = run("split", folder, "--to", "anna, ben", "--overlap", "20%", "--json")
    assert [each["name"] for each in report["assignments"]] == ["anna", "ben"]
    return folder


def label(folder, seed):
    """Everybody of a copy gets a nose and a knee by hand, nearly where they were, and is done."""
    rng = np.random.default_rng(seed)
    with open_project(folder, who=folder.name) as project:
        for person in list(project.people()):
            x, y = person.main_keypoints.points_px[COCO17.index("nose")] + rng.normal(0, 0.5, 2)
            project.edit(MovePoint(person.id, "coco17", "nose", (x, y)))
            project.edit(SetPose(person.id, {"left_knee": rng.normal(0, 0.01, 3).tolist()}))
            project.edit(SetState(person.id, "done"))


def test_offline_work_comes_back_and_rejections_return_to_their_annotator(split):
    copies = {name: split.parent / f"sample-{name}" for name in ("anna", "ben")}
    photos = {}
    for name, folder in copies.items():
        with open_project(folder, read_only=True) as copy:
            photos[name] = {photo.name for photo in copy.photos()}
            assert all(copy.photo_file(photo.id).parent == folder / "photos" for photo in copy.photos())
            assert all(name in photo.assigned for photo in copy.photos())
            assert copy.setting("assignment") == name
    assert "Everything is as it should be." in run("check", copies["ben"], "--photos")
    shared = photos["anna"] & photos["ben"]
    with open_project(split, read_only=True) as project:
        everything = {photo.name for photo in project.photos() if photo.people}
        people = sum(1 for _ in project.people())
    assert photos["anna"] | photos["ben"] >= everything
    assert 3 <= len(shared) <= 5

    for seed, folder in enumerate(copies.values()):
        label(folder, seed)
    report = run("merge", split, *copies.values(), "--json")
    assert (report["written"], report["conflicts"], report["not_here"]) == (True, [], [])
    (agreement,) = report["agreement"]
    assert (Path(agreement["first"]).name, Path(agreement["other"]).name) == ("sample-anna", "sample-ben")
    assert agreement["points"] == agreement["people_2d"] == agreement["people_3d"] > 0
    assert 0.2 < agreement["mean_px"] < 2.0
    with open_project(split, who="Rita") as project:
        found = list(project.people())
        assert len(found) == people
        assert {person.state for person in found} == {"done"}
        # the reviewer sends one of Ben's back
        theirs = [p for p in found if project.photo(p.photo_id).assigned == ("ben",)]
        rejected = theirs[0]
        project.edit(Review(rejected.id, "rejected", "left knee bends backwards"))
        project.edit(AddComment(rejected.photo_id, "compare with the photo before", {"person": rejected.uid}))
        for person in theirs[1:]:
            project.edit(Review(person.id, "accepted"))

    (first,) = run("worklist", split, "--for", "ben", "--json")["queue"]
    assert first["person"] == rejected.id
    assert first["why"] == "rejected: left knee bends backwards; compare with the photo before"
    assert run("worklist", split, "--for", "anna", "--json")["queue"] == []

    for folder in copies.values():
        assert run("merge", folder, split, "--json")["not_here"] == []
    queues = {name: run("worklist", folder, "--json")["queue"] for name, folder in copies.items()}
    assert queues["anna"] == []
    (entry,) = queues["ben"]
    assert "left knee bends backwards" in entry["why"]

    # Ben corrects it and says so; the reviewer finds it to be looked at again
    with open_project(copies["ben"], who="Ben") as copy:
        copy.edit(SetPose(entry["person"], {"left_knee": [0.4, 0.0, 0.0]}))
        copy.edit(SetState(entry["person"], "done"))
    report = run("merge", split, copies["ben"], "--json")
    assert (report["written"], report["conflicts"]) == (True, [])
    with open_project(split, read_only=True) as project:
        again = project.person(rejected.id)
    assert (again.state, again.verdict) == ("done", "")
    assert again.own["pose/left_knee"] == [0.4, 0.0, 0.0, "human"]
    text = run("worklist", split)
    assert "People corrected" in text
    assert "nobody is left to look at" in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["split", "--to", "anna,Anna"], 1, "different names"),
        (["split", "--to", "../anna,ben"], 1, "no name for a copy"),
        (["split", "--to", "anna,ben", "--overlap", "half"], 2, "is no share"),
        (["split", "--to", "carl,dora"], 1, "photos are left to give"),
        (["worklist", "--for", "zoe"], 1, "no photo is assigned to zoe"),
    ],
)
def test_names_and_shares_that_are_none_are_refused_in_one_line(split, capsys, arguments, code, words):
    assert main([arguments[0], str(split), *arguments[1:]]) == code
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1
