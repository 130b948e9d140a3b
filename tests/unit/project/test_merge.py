"""Copies of several annotators become one: a person beats a model, two people are asked, nothing is half done."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from annotator.commands import (
    AddComment,
    AddPerson,
    MarkEmpty,
    MovePoint,
    RemovePerson,
    ResetPoints,
    Review,
    SetBetas,
    SetPose,
    SetState,
)
from annotator.project import NotAProjectError, create_project, open_project, restore_backup
from annotator.project.database import UNSAFE
from annotator.project.documents import document_of
from annotator.project.integrity import check_project, differences
from annotator.project.merging import merge_copies
from cliff_core.records import Box


@pytest.fixture
def copied(project, person, tmp_path):
    """The same project for a second annotator, who has it open beside."""
    project.close()
    shutil.copytree(project.folder, tmp_path / "bobs")
    with (
        open_project(project.folder, who="Ada", journal=UNSAFE) as ada,
        open_project(tmp_path / "bobs", who="Bob", journal=UNSAFE) as bob,
    ):
        yield ada, bob


def copy_open(project, to: Path) -> None:
    """Copy a project that is open: the backup that opening makes comes and goes meanwhile."""
    shutil.copytree(project.folder, to, ignore=shutil.ignore_patterns("backups"))


def nose(project, person=1) -> list[float]:
    return project.person(person).keypoints("coco17").points_px[0].tolist()


def test_work_on_different_things_joins_without_a_question(copied):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1 / 3, 2)))
    bob.edit(MovePoint(1, "coco17", "left_wrist", (2 / 3, 3)))
    bob.edit(SetPose(1, {"left_knee": [1 / 7, 0, 0]}))
    bob.edit(AddPerson(2, Box(1, 2, 20, 40)))
    bob.edit(AddComment(3, "blurred"))
    bob.edit(MarkEmpty(3))
    report = merge_copies(ada, [bob.folder])
    assert (report.written, report.conflicts, report.people, report.photos) == (True, [], 1, 3)
    merged = ada.person(1)
    assert nose(ada) == [1 / 3, 2]
    assert merged.keypoints("coco17").points_px[9].tolist() == [2 / 3, 3]
    assert merged.own["pose/left_knee"] == [1 / 7, 0.0, 0.0, "human"]
    assert ada.people_on(2)[0].uid == bob.people_on(2)[0].uid
    assert ada.comments_on(3)[0].text == "blurred"
    assert ada.photo(3).is_empty
    assert list(differences(ada.database)) == []


def test_a_merge_is_one_step_of_undo_and_is_backed_up_before(copied, content):
    ada, bob = copied
    bob.edit(MovePoint(1, "coco17", "nose", (5, 5)))
    before = content(ada)
    report = merge_copies(ada, [bob.folder])
    assert ada.undo().step.id == report.step
    assert content(ada) == before
    ada.redo()
    assert nose(ada) == [5, 5]


def test_two_people_who_differ_are_asked_before_anything_is_written(copied, content):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    bob.edit(MovePoint(1, "coco17", "nose", (11, 12)))
    bob.edit(SetBetas(1, {0: 0.5}))
    before, lines = content(ada), ada.journal.last_seq()
    report = merge_copies(ada, [bob.folder])
    assert not report.written
    (conflict,) = report.conflicts
    assert (conflict.field, conflict.photo) == ("points/coco17/nose", "photo0.png")
    assert (conflict.mine[:2], conflict.theirs[:2]) == ([1, 2], [11, 12])
    assert "--prefer" in str(report)
    assert content(ada) == before
    assert ada.journal.last_seq() == lines


@pytest.mark.parametrize(("prefer", "expected"), [("mine", [1, 2]), ("theirs", [11, 12])])
def test_the_person_says_whose_side_counts(copied, prefer, expected):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    bob.edit(MovePoint(1, "coco17", "nose", (11, 12)))
    bob.edit(SetBetas(1, {0: 0.5}))
    assert merge_copies(ada, [bob.folder], prefer=prefer).written
    assert nose(ada) == expected
    assert ada.person(1).own["betas/0"] == [0.5, "human"]


def test_a_trial_writes_nothing(copied, content):
    ada, bob = copied
    bob.edit(MovePoint(1, "coco17", "nose", (11, 12)))
    before, lines = content(ada), ada.journal.last_seq()
    report = merge_copies(ada, [bob.folder], dry_run=True)
    assert (report.fields, report.written) == (2, False)  # the point, and that somebody is at it
    assert (content(ada), ada.journal.last_seq()) == (before, lines)


def test_people_who_mean_the_same_are_not_asked(copied):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    bob.edit(MovePoint(1, "coco17", "nose", (1.1, 2.1)))
    ada.edit(SetPose(1, {"left_knee": [0.5, 0, 0]}))
    bob.edit(SetPose(1, {"left_knee": [0.51, 0, 0]}))
    report = merge_copies(ada, [bob.folder])
    assert report.conflicts == []
    assert nose(ada) == [1, 2]


def test_only_one_of_two_has_changed_what_both_had(copied):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    merge_copies(bob, [ada.folder])
    bob.edit(MovePoint(1, "coco17", "nose", (20, 21)))
    bob.edit(ResetPoints(1, "coco17", ["left_eye"]))
    report = merge_copies(ada, [bob.folder])
    assert report.conflicts == []
    assert nose(ada) == [20, 21]


def test_merging_week_after_week_asks_only_about_what_is_new(copied):
    ada, bob = copied
    for week in range(3):
        bob.edit(MovePoint(1, "coco17", "nose", (20 + 5 * week, 21)))
        ada.edit(MovePoint(1, "coco17", "left_eye", (10 + 5 * week, 11)))
        assert merge_copies(ada, [bob.folder]).conflicts == []
        assert merge_copies(bob, [ada.folder]).conflicts == []
        assert nose(ada) == nose(bob) == [20 + 5 * week, 21]
    assert merge_copies(ada, [bob.folder]).fields == 0


def test_what_was_decided_once_is_not_asked_again(copied):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    bob.edit(MovePoint(1, "coco17", "nose", (11, 12)))
    bob.edit(SetBetas(1, {0: 0.5}))
    merge_copies(ada, [bob.folder], prefer="mine")
    bob.edit(SetBetas(1, {1: 0.5}))
    report = merge_copies(ada, [bob.folder])
    assert report.conflicts == []
    assert nose(ada) == [1, 2]
    assert ada.person(1).own["betas/1"] == [0.5, "human"]


def test_a_person_beats_a_model_and_a_newer_model_an_older_one(copied, make_prediction, model_run):
    ada, bob = copied
    ada.edit(SetPose(1, {"left_knee": [0.1, 0.2, 0.3]}))
    with bob.batch("Refine", model_run("open-cliff 2")) as batch:
        batch.apply(1, make_prediction(1))
    merge_copies(ada, [bob.folder])
    body = ada.person(1).body
    assert body.model == "open-cliff 2"
    assert body.params.pose_rotvec[4].tolist() == [0.1, 0.2, 0.3]
    assert np.array_equal(body.params.pose_rotvec[5], make_prediction(1).params.pose_rotvec[5])  # every digit
    merge_copies(bob, [ada.folder])
    assert bob.person(1).body.model == "open-cliff 2"
    assert bob.person(1).own["pose/left_knee"] == [0.1, 0.2, 0.3, "human"]


def test_someone_whom_one_removed_and_the_other_corrected_is_a_question(copied):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    bob.edit(RemovePerson(1))
    (conflict,) = merge_copies(ada, [bob.folder]).conflicts
    assert (conflict.field, conflict.mine, conflict.theirs) == ("present", True, None)
    assert ada.people_on(1)
    (conflict,) = merge_copies(bob, [ada.folder]).conflicts
    assert conflict.field == "present"
    merge_copies(bob, [ada.folder], prefer="theirs")
    assert nose(bob) == [1, 2]
    assert bob.people_on(1)


def test_someone_whom_one_removed_and_nobody_corrected_is_gone(copied):
    ada, bob = copied
    bob.edit(RemovePerson(1))
    merge_copies(ada, [bob.folder])
    assert ada.people_on(1) == []
    bob.edit(MarkEmpty(1))
    assert merge_copies(bob, [ada.folder]).people == 0


def test_reviews_that_contradict_are_a_question_and_two_reasons_are_kept(copied):
    ada, bob = copied
    ada.edit(Review(1, "rejected", "knee"))
    bob.edit(Review(1, "rejected", "elbow"))
    merge_copies(ada, [bob.folder])
    assert ada.person(1).reason == "knee; elbow"
    bob.edit(Review(1, "accepted"))
    ada.edit(Review(1, "rejected", "knee again"))
    (conflict,) = merge_copies(ada, [bob.folder]).conflicts
    assert conflict.field == "review"


def test_several_copies_at_once_are_compared_with_each_other_too(copied, tmp_path):
    ada, bob = copied
    bob.edit(MovePoint(1, "coco17", "nose", (11, 12)))
    copy_open(ada, tmp_path / "cleos")
    with open_project(tmp_path / "cleos", who="Cleo", journal=UNSAFE) as cleo:
        cleo.edit(MovePoint(1, "coco17", "nose", (31, 32)))
        cleo.edit(MovePoint(1, "coco17", "left_eye", (33, 34)))
        report = merge_copies(ada, [bob.folder, cleo.folder])
        (conflict,) = report.conflicts
        assert (conflict.mine[:2], conflict.theirs[:2], conflict.other) == ([11, 12], [31, 32], str(cleo.folder))
        merge_copies(ada, [bob.folder, cleo.folder], prefer="mine")
    assert nose(ada) == [11, 12]
    assert ada.person(1).keypoints("coco17").points_px[1].tolist() == [33, 34]


def test_projects_that_were_made_apart_meet_at_the_same_people(project, person, photos, tmp_path, make_prediction):
    box = make_prediction().box
    apart, _ = create_project(tmp_path / "apart", photos, who="Bob", journal=UNSAFE)
    with apart:
        apart.edit(AddPerson(1, Box(box.x0 + 0.5, box.y0, box.x1, box.y1)))
        apart.edit(MovePoint(1, "coco17", "nose", (5, 6)))
        report = merge_copies(project, [apart.folder])
    assert (report.people, report.conflicts) == (0, [])
    assert len(project.people_on(1)) == 1
    assert nose(project, person) == [5, 6]


def test_a_photo_that_is_not_here_is_named(project, tmp_path, make_photos):
    make_photos(tmp_path / "more", 5)
    other, _ = create_project(tmp_path / "other", tmp_path / "more", journal=UNSAFE)
    with other:
        other.edit(MarkEmpty(5))
        report = merge_copies(project, [other.folder])
    assert report.not_here == ["photo4.png"]


def test_agreement_is_measured_where_both_worked(copied):
    ada, bob = copied
    for project, shift in ((ada, 0.0), (bob, 0.3)):
        for number, name in enumerate(("nose", "left_eye", "right_eye")):
            project.edit(MovePoint(1, "coco17", name, (10.0 + number, 10.0 + shift)))
        project.edit(SetPose(1, {"left_shoulder": [0.2 * shift, 0, 0]}))
    (agreement,) = merge_copies(ada, [bob.folder], dry_run=True).agreement
    assert (agreement.people_2d, agreement.points, agreement.people_3d) == (1, 3, 1)
    assert agreement.mean_px == pytest.approx(0.3)
    box = ada.person(1).box
    area, sigma = box.width * box.height, 2 * np.array([0.026, 0.025, 0.025])
    assert agreement.oks == pytest.approx(np.exp(-(0.3**2) / (2 * area * sigma**2)).mean())
    assert 0 < agreement.mpjpe_mm < 20


def test_values_that_one_has_from_the_other_are_no_agreement(copied):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    merge_copies(bob, [ada.folder])
    assert merge_copies(ada, [bob.folder], dry_run=True).agreement == []


# --- mirrors


def test_a_mirror_alone_is_merged(copied, tmp_path):
    ada, bob = copied
    bob.edit(MovePoint(1, "coco17", "nose", (1 / 3, 12)))
    bob.write_mirror()
    shutil.copytree(bob.folder / "annotations", tmp_path / "from git")
    report = merge_copies(ada, [tmp_path / "from git"])
    assert (report.written, report.conflicts) == (True, [])
    assert nose(ada) == [1 / 3, 12]


def test_what_git_brought_into_our_own_mirror_is_taken_in(copied):
    ada, bob = copied
    for project in copied:
        project.edit(MovePoint(1, "coco17", "nose", (1, 2)))
        project.edit(SetState(1, "done"))
        project.write_mirror()
    bob.edit(MovePoint(1, "coco17", "nose", (20, 21)))
    bob.edit(AddPerson(1, Box(1, 1, 5, 5)))
    bob.write_mirror()
    ada.edit(MovePoint(1, "coco17", "left_eye", (7, 8)))
    pull(bob, ada)
    assert ada.write_mirror().changed_elsewhere  # theirs is not written over
    report = merge_copies(ada, [ada.folder / "annotations"])
    assert (report.written, report.conflicts, report.people) == (True, [], 1)
    assert nose(ada) == [20, 21]
    assert ada.person(1).keypoints("coco17").points_px[1].tolist() == [7, 8]
    assert ada.write_mirror().changed_elsewhere == []
    file = ada.folder / "annotations" / document_of(ada, 1).name
    assert file.read_bytes() == document_of(ada, 1).text
    assert merge_copies(ada, [ada.folder]).fields == 0


def test_someone_who_was_removed_elsewhere_is_removed_through_git(copied):
    ada, bob = copied
    for project in copied:
        project.edit(SetState(1, "in progress"))
        project.write_mirror()
    bob.edit(RemovePerson(1))
    bob.write_mirror()
    pull(bob, ada)
    assert merge_copies(ada, [ada.folder]).conflicts == []
    assert ada.people_on(1) == []


def test_a_file_that_git_left_in_conflict_is_named_and_the_others_are_taken(copied):
    ada, bob = copied
    for project in copied:
        project.edit(SetState(1, "done"))
        project.edit(MarkEmpty(2))
        project.write_mirror()
    bob.edit(MarkEmpty(2, empty=False))
    bob.write_mirror()
    pull(bob, ada)
    broken = ada.folder / "annotations" / document_of(ada, 1).name
    broken.write_text("<<<<<<< HEAD\n" + broken.read_text("utf-8"), "utf-8")
    report = merge_copies(ada, [ada.folder])
    assert len(report.refused) == 1
    assert broken.name in report.refused[0]
    assert not ada.photo(2).is_empty


def pull(source, target) -> None:
    """What `git pull` does with the mirror."""
    for path in (source.folder / "annotations").rglob("*.json"):
        place = target.folder / "annotations" / path.relative_to(source.folder / "annotations")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def test_a_place_that_is_no_copy_is_refused(project, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nowhere", Path(__file__)):
        with pytest.raises(NotAProjectError, match="neither a project"):
            merge_copies(project, [place])


def test_a_merged_project_passes_the_check(copied):
    ada, bob = copied
    bob.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    bob.edit(AddPerson(2, Box(1, 1, 5, 5)))
    merge_copies(ada, [bob.folder])
    ada.close()
    found = check_project(ada.folder)
    assert found.healthy, str(found)
    json.dumps([str(finding) for finding in found.findings])


def test_after_a_restore_the_mirror_gives_back_what_the_backup_lacks(project, person):
    project.edit(MovePoint(person, "coco17", "nose", (1, 2)))
    project.write_mirror()
    backup = project.backup("open")
    project.edit(MovePoint(person, "coco17", "nose", (1 / 3, 4)))
    project.edit(AddPerson(2, Box(1, 1, 5, 5)))
    project.close()
    restore_backup(project.folder, backup.path)
    with open_project(project.folder) as again:
        assert nose(again, person) == [1, 2]
        report = merge_copies(again, [again.folder])
        assert (report.written, report.conflicts, report.people) == (True, [], 1)
        assert nose(again, person) == [1 / 3, 4]
        assert again.write_mirror().changed_elsewhere == []


def test_someone_whose_creation_was_undone_here_comes_back_with_the_work_of_another(copied):
    ada, bob = copied
    ada.edit(AddPerson(2, Box(1, 1, 20, 40)))
    merge_copies(bob, [ada.folder])
    someone = bob.people_on(2)[0]
    ada.undo()
    bob.edit(MarkEmpty(2, empty=False))
    assert merge_copies(ada, [bob.folder]).people == 0
    assert ada.people_on(2) == []
    bob.edit(MovePoint(someone.id, "coco17", "nose", (5, 6)))
    assert merge_copies(ada, [bob.folder]).conflicts == []
    (back,) = ada.people_on(2)
    assert (back.uid, nose(ada, back.id)) == (someone.uid, [5, 6])
    assert list(differences(ada.database)) == []


def test_what_goes_to_and_fro_ends_as_it_was_said_last(copied):
    """Bob is done, Ada sends it back, Bob is done again: the same word as before, and news all the same."""
    ada, bob = copied
    bob.edit(SetState(1, "done"))
    merge_copies(ada, [bob.folder])
    ada.edit(Review(1, "rejected", "knee"))
    merge_copies(bob, [ada.folder])
    assert (bob.person(1).state, bob.person(1).reason) == ("in progress", "knee")
    bob.edit(SetState(1, "done"))
    report = merge_copies(ada, [bob.folder])
    assert report.conflicts == []
    assert (ada.person(1).state, ada.person(1).verdict) == ("done", "")


def test_copies_that_are_joined_together_are_compared_with_each_other(copied, tmp_path):
    ada, bob = copied
    copy_open(ada, tmp_path / "carls")
    with open_project(tmp_path / "carls", who="Carl", journal=UNSAFE) as carl:
        bob.edit(MovePoint(1, "coco17", "nose", (1, 2)))
        carl.edit(MovePoint(1, "coco17", "nose", (1, 2.3)))
        report = merge_copies(ada, [bob.folder, carl.folder], dry_run=True)
    (agreement,) = report.agreement
    assert (Path(agreement.first).name, Path(agreement.other).name) == ("bobs", "carls")
    assert (agreement.points, agreement.mean_px) == (1, pytest.approx(0.3))
    assert "agreement of" in str(agreement)
