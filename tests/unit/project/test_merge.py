"""Two copies become one: a person beats a model, two people are asked, nothing is half done."""

import json

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
from annotator.project.integrity import check_project, differences
from annotator.project.merging import merge_copies
from cliff_core.records import Box


def test_work_on_different_things_joins_without_a_question(copied, nose):
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


def test_a_merge_is_one_step_of_undo_and_is_backed_up_before(copied, content, nose):
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
def test_the_person_says_whose_side_counts(copied, prefer, expected, nose):
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


def test_people_who_mean_the_same_are_not_asked(copied, nose):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    bob.edit(MovePoint(1, "coco17", "nose", (1.1, 2.1)))
    ada.edit(SetPose(1, {"left_knee": [0.5, 0, 0]}))
    bob.edit(SetPose(1, {"left_knee": [0.51, 0, 0]}))
    report = merge_copies(ada, [bob.folder])
    assert report.conflicts == []
    assert nose(ada) == [1, 2]


def test_only_one_of_two_has_changed_what_both_had(copied, nose):
    ada, bob = copied
    ada.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    merge_copies(bob, [ada.folder])
    bob.edit(MovePoint(1, "coco17", "nose", (20, 21)))
    bob.edit(ResetPoints(1, "coco17", ["left_eye"]))
    report = merge_copies(ada, [bob.folder])
    assert report.conflicts == []
    assert nose(ada) == [20, 21]


def test_merging_week_after_week_asks_only_about_what_is_new(copied, nose):
    ada, bob = copied
    for week in range(3):
        bob.edit(MovePoint(1, "coco17", "nose", (20 + 5 * week, 21)))
        ada.edit(MovePoint(1, "coco17", "left_eye", (10 + 5 * week, 11)))
        assert merge_copies(ada, [bob.folder]).conflicts == []
        assert merge_copies(bob, [ada.folder]).conflicts == []
        assert nose(ada) == nose(bob) == [20 + 5 * week, 21]
    assert merge_copies(ada, [bob.folder]).fields == 0


def test_what_was_decided_once_is_not_asked_again(copied, nose):
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


def test_someone_whom_one_removed_and_the_other_corrected_is_a_question(copied, nose):
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


def test_a_merged_project_passes_the_check(copied):
    ada, bob = copied
    bob.edit(MovePoint(1, "coco17", "nose", (1, 2)))
    bob.edit(AddPerson(2, Box(1, 1, 5, 5)))
    merge_copies(ada, [bob.folder])
    ada.close()
    found = check_project(ada.folder)
    assert found.healthy, str(found)
    json.dumps([str(finding) for finding in found.findings])


def test_someone_whose_creation_was_undone_here_comes_back_with_the_work_of_another(copied, nose):
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
