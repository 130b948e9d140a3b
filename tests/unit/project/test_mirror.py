"""The JSON mirror: the same bytes for the same work, no digit of a person lost, rebuilt into the same project."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotator.commands import (
    AddComment,
    AddPerson,
    MarkEmpty,
    MovePoint,
    RemovePerson,
    Review,
    SetBetas,
    SetCamera,
    SetPose,
    SetRank,
    SetState,
)
from annotator.project import NotAProjectError, Prediction, Run, create_project, open_project
from annotator.project.documents import document_of
from annotator.project.integrity import check_project, differences
from annotator.project.mirror import find_differences, lagging
from annotator.project.rebuild import rebuild_project
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams

REPOSITORY = Path(__file__).resolve().parents[3]
GOLDEN = Path(__file__).parent / "golden_mirror.json"
SIZE = (64, 48)


def files(project) -> dict[str, bytes]:
    """The mirror, file by file."""
    folder = project.folder / "annotations"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")}


@pytest.fixture
def worked_on(project, person, make_prediction, model_run):
    """A project with a bit of everything that people do."""
    project.edit(MovePoint(person, "coco17", "left_wrist", (1 / 3, 2e-17)))
    project.edit(SetPose(person, {"left_elbow": [1 / 7, -1 / 7, 3.0]}))
    project.edit(SetPose(person, {"right_elbow": [1 / 7, -1 / 7, 3.0]}, Provenance.FIT))
    project.edit(SetBetas(person, {3: 2 / 3}))
    project.edit(SetCamera(1, Camera(1000 / 3, SIZE)))
    project.edit(Review(person, "rejected", 'left and right, "swapped" – почему?'))
    project.edit(AddComment(1, "here", {"point_px": [1 / 3, 2]}))
    project.edit(AddPerson(2, Box(1, 2, 10 / 3, 40)))
    project.edit(SetRank(project.people_on(2)[0].id, -1))
    project.edit(AddPerson(2, Box(5, 6, 7, 8)))
    project.edit(RemovePerson(project.people_on(2)[1].id))
    project.edit(MarkEmpty(3))
    return project


def test_only_photos_that_a_hand_touched_are_mirrored(project, person, make_prediction, model_run):
    with project.batch("Propose", model_run("open-cliff 2")) as batch:
        batch.add_person(2, make_prediction(1))
    project.edit(SetState(person, "done"))
    project.write_mirror()
    (name,) = files(project)
    assert name == document_of(project, 1).name
    project.write_mirror(everything=True)
    assert len(files(project)) == 2


def test_the_same_work_gives_the_same_bytes(worked_on):
    worked_on.write_mirror()
    before = files(worked_on)
    worked_on.write_mirror(everything=True, replace=True)
    assert files(worked_on) == before
    for text in before.values():
        assert b"\r" not in text
        assert json.loads(text) == json.loads(json.dumps(json.loads(text), sort_keys=True))


def test_a_file_is_byte_for_byte_as_it_was_when_the_format_was_fixed(tmp_path):
    """The golden file was looked at by eye; a change of it is a new version of the format."""
    import numpy as np

    from cliff_core.images import write_image

    # uncompressed, so that the bytes and their hash do not depend on an encoder
    write_image(tmp_path / "photos" / "grey.bmp", np.full((48, 64, 3), 127, dtype=np.uint8))
    project, _ = create_project(tmp_path / "project", tmp_path / "photos", who="Ada")
    with project:
        rotvecs = np.arange(72).reshape(24, 3) / 7
        keypoints = Keypoints.uniform(
            "lsp14", np.arange(28).reshape(14, 2) / 3, np.full(14, 2), source=Provenance.MODEL
        )
        prediction = Prediction(
            Box(1 / 3, 2, 30, 40, 0.5),
            keypoints,
            SmplParams(rotvecs, np.arange(10) / 3, np.array([0.1, 0.2, 5])),
            Camera.guess(SIZE),
            np.array([0.9, 0, 0.1]),
        )
        run = Run(0, "5" * 32, Provenance.MODEL, "open-cliff 1", "2026-11-22T12:00:00.000Z", {"seed": 0})
        with project.batch("Propose", run) as batch:
            batch.add_person(1, prediction, uid="1" * 32)
        project.edit(MovePoint(1, "lsp14", "neck", (1 / 3, 0.1)))
        project.edit(SetPose(1, {"left_knee": [1 / 3, 0, -1e-12]}))
        project.edit(Review(1, "rejected", "knee"))
        project.edit(AddComment(1, "look: ü", {"point_px": (1, 2)}, uid="2" * 32))
        text = document_of(project, 1).text
    assert text == GOLDEN.read_bytes()


def test_what_a_person_set_has_all_its_digits_and_what_a_model_predicted_is_rounded(worked_on, person):
    worked_on.write_mirror()
    content = json.loads(files(worked_on)[document_of(worked_on, 1).name])
    (block,) = content["people"].values()
    assert block["set"]["points/coco17/left_wrist"] == [1 / 3, 2e-17, 2, 1.0, "human"]
    assert block["set"]["pose/left_elbow"] == [1 / 7, -1 / 7, 3.0, "human"]
    predicted = content["predictions"][block["from"]["body"]]
    assert all(number == round(number, 7) for row in predicted["pose"].values() for number in row)


def test_the_mirror_is_written_while_a_person_works(project, person):
    project.edit(SetState(person, "done"))
    assert lagging(project.database) == 1
    deadline = time.monotonic() + 20
    while lagging(project.database) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert find_differences(project, project.folder) == []
    assert len(files(project)) == 1


CRASHES = """
import os, sys
from annotator.commands import SetState
from annotator.project import open_project
project = open_project(sys.argv[1])
project.edit(SetState(1, "done"))
os._exit(1)
"""


def test_what_a_crash_left_owing_is_known_and_written_by_the_next_session(project, person):
    project.close()
    subprocess.run([sys.executable, "-c", CRASHES, project.folder], cwd=REPOSITORY, check=False)
    with open_project(project.folder, read_only=True) as again:
        assert lagging(again.database) == 1
    with open_project(project.folder) as again:
        assert any("mirror of 1 photos is behind" in notice for notice in again.notices)
    with open_project(project.folder, read_only=True) as again:
        assert lagging(again.database) == 0
        assert find_differences(again, again.folder) == []
        assert len(files(again)) == 1


def test_a_file_that_somebody_else_changed_is_left_alone_and_told(project, person):
    project.edit(SetState(person, "done"))
    project.write_mirror()
    (file,) = (project.folder / "annotations").rglob("*.json")
    theirs = file.read_bytes().replace(b'"done"', b'"in progress"')
    file.write_bytes(theirs)
    project.edit(MovePoint(person, "coco17", "nose", (1, 2)))
    report = project.write_mirror()
    assert file.read_bytes() == theirs
    assert len(report.changed_elsewhere) == 1
    assert not check_project(project.folder).healthy or lagging(project.database)
    project.write_mirror(replace=True)
    assert find_differences(project, project.folder) == []


def test_a_project_is_rebuilt_from_its_mirror_with_all_human_work(worked_on, content):
    worked_on.write_mirror()
    before, mirror = content(worked_on), files(worked_on)
    worked_on.close()
    folder = worked_on.folder
    for path in folder.glob("project.sqlite*"):
        path.unlink()
    shutil.rmtree(folder / "backups")
    report = rebuild_project(folder)
    assert (report.photos, report.people, report.comments, report.refused) == (3, 2, 1, [])
    with open_project(folder) as again:
        assert set_values(content(again)) == set_values(before)
        documents = [document_of(again, photo.id) for photo in again.photos()]
        assert {document.name: document.text for document in documents} == mirror
        assert list(differences(again.database)) == []
        again.relink(folder.parent / "photos")
        assert check_project(folder).healthy or "none yet" in str(check_project(folder))
    assert files(worked_on) == mirror


def set_values(content: dict) -> dict:
    """What is set of all who are there, without numbers of predictions, which differ from database to database."""
    return {
        kind: {
            uid: {field: value for field, value in json.loads(own).items() if not field.startswith("from/")}
            for uid, own in subjects.items()
            if kind == "photo" or "present" in json.loads(own)
        }
        for kind, subjects in content.items()
    }


def test_a_mirror_file_that_cannot_be_read_is_named_and_the_others_are_taken(worked_on):
    worked_on.close()
    folder = worked_on.folder
    broken, *_ = sorted((folder / "annotations").rglob("*.json"))
    broken.write_text("{}")
    report = rebuild_project(folder)
    assert report.photos == 2
    assert len(report.refused) == 1
    assert broken.name in report.refused[0]
    assert report.replaced.is_file()


def test_a_mirror_without_content_makes_no_empty_project(project):
    project.close()
    before = (project.folder / "project.sqlite").read_bytes()
    with pytest.raises(NotAProjectError, match="holds no photo"):
        rebuild_project(project.folder)
    assert (project.folder / "project.sqlite").read_bytes() == before
