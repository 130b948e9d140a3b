"""A project keeps what was set, digit for digit, says who set it, and never lets a model overwrite a person."""

import numpy as np
import pytest

from annotator.commands import (
    AddComment,
    AddPerson,
    Exclude,
    MarkEmpty,
    MovePoint,
    RemovePerson,
    RemovePoint,
    ResetBody,
    ResolveComment,
    Review,
    SetBody,
    SetBox,
    SetCamera,
    SetPose,
    SetRank,
    SetState,
    SwapSides,
    TakePrediction,
    Together,
)
from annotator.project import EditError, NotAProjectError, Prediction, Run, create_project, open_project
from annotator.project.journal import Subject
from cliff_core.records import Box, Camera, Estimate, Keypoints, Provenance, SmplParams
from cliff_core.skeletons import COCO17, SMPL24

SIZE = (64, 48)
THIRD = 1 / 3


def test_a_new_project_references_photos_and_leaves_them_alone(tmp_path, photos):
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in photos.iterdir()}
    project, (report,) = create_project(tmp_path / "project", photos)
    with project:
        assert report.added == 3
        assert [photo.name for photo in project.photos()] == ["photo0.png", "photo1.png", "photo2.png"]
        photo = project.photo(1)
        assert photo.size_px == SIZE
        assert project.photo_file(1).read_bytes() == (photos / photo.name).read_bytes()
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in photos.iterdir()} == before


def test_a_photo_that_is_none_is_named_and_the_others_are_taken(tmp_path, photos):
    (photos / "broken.jpg").write_bytes(b"no picture")
    project, (report,) = create_project(tmp_path / "project", photos)
    project.close()
    assert report.added == 3
    (line,) = report.refused
    assert "broken.jpg" in line


def test_the_same_picture_twice_is_two_photos(tmp_path, photos):
    (photos / "again.png").write_bytes((photos / "photo0.png").read_bytes())
    project, _ = create_project(tmp_path / "project", photos)
    with project:
        assert len({photo.uid for photo in project.photos()}) == 4


def test_a_second_project_in_the_same_folder_is_refused(project):
    with pytest.raises(NotAProjectError, match="holds a project already"):
        create_project(project.folder)


def test_a_folder_without_a_project_is_no_empty_project(tmp_path):
    with pytest.raises(NotAProjectError, match="no project there"):
        open_project(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_photos_added_later_join_those_that_are_known(tmp_path, project, photos, make_photos):
    make_photos(photos, 4)
    report = project.add_photos(photos)
    assert (report.added, report.known) == (1, 3)
    make_photos(tmp_path / "others", 1)
    project.add_photos(tmp_path / "others")
    assert project.photo_named("others/photo0.png") is not None


def test_what_a_model_predicted_comes_back_to_the_digit(project, person, make_prediction):
    found, predicted = project.person(person), make_prediction()
    assert np.array_equal(found.body.params.pose_rotvec, predicted.params.pose_rotvec)
    assert np.array_equal(found.body.params.betas, predicted.params.betas)
    assert np.array_equal(found.body.params.transl, predicted.params.transl)
    assert np.array_equal(found.keypoints("coco17").points_px, predicted.keypoints.points_px)
    assert found.box == predicted.box
    assert set(found.body.pose_source) == {Provenance.MODEL}
    assert found.body.model == "open-cliff 1"
    assert found.state == "proposed"


def test_what_a_person_set_comes_back_to_the_digit_and_in_their_name(project, person):
    project.edit(MovePoint(person, "coco17", "left_wrist", (THIRD, 2 * THIRD)))
    project.edit(SetPose(person, {"left_elbow": [THIRD, -THIRD, 1e-17]}))
    found = project.person(person)
    keypoints = found.keypoints("coco17")
    wrist = COCO17.index("left_wrist")
    assert keypoints.points_px[wrist].tolist() == [THIRD, 2 * THIRD]
    assert (keypoints.source[wrist], keypoints.confidence[wrist]) == (Provenance.HUMAN, 1.0)
    assert keypoints.source[wrist + 1] is Provenance.MODEL
    elbow = SMPL24.index("left_elbow")
    assert found.body.params.pose_rotvec[elbow].tolist() == [THIRD, -THIRD, 1e-17]
    assert found.body.pose_source[elbow] is Provenance.HUMAN
    assert found.state == "in progress"


def test_the_journal_says_who_changed_what_from_what_to_what(project, person, history):
    project.edit(MovePoint(person, "coco17", "nose", (1.5, 2.5)))
    project.edit(MovePoint(person, "coco17", "nose", (3.5, 2.5)))
    first, second = history(project, Subject("person", person), "points/coco17/nose")
    assert (second.who, second.command, second.action) == ("Ada", "MovePoint", "do")
    assert first.before is None
    assert second.before == first.after == [1.5, 2.5, 2, 1.0, "human"]
    assert second.after == [3.5, 2.5, 2, 1.0, "human"]


def test_an_edit_is_there_after_closing_and_opening(project, person, content):
    project.edit(SetBox(person, Box(1, 2, 3, 4)))
    before = content(project)
    project.close()
    with open_project(project.folder) as again:
        assert content(again) == before
        assert again.person(person).box == Box(1, 2, 3, 4, 1.0, Provenance.HUMAN)


def test_a_run_replaces_predictions_and_nothing_that_a_person_set(project, person, make_prediction, model_run):
    project.edit(MovePoint(person, "coco17", "nose", (THIRD, THIRD)))
    project.edit(SetPose(person, {"left_knee": [0.1, 0.2, 0.3]}))
    project.edit(SetPose(person, {"left_hip": [0.4, 0.5, 0.6]}, Provenance.FIT))
    project.edit(SetBox(person, Box(1, 2, 30, 40)))
    newer = make_prediction(1)
    with project.batch("Refine", model_run("open-cliff 2")) as batch:
        batch.apply(person, newer)
    assert (batch.report.changed, batch.report.protected) == (1, 1)
    found = project.person(person)
    names = SMPL24.names
    assert found.body.params.pose_rotvec[names.index("left_knee")].tolist() == [0.1, 0.2, 0.3]
    assert found.keypoints("coco17").points_px[0].tolist() == [THIRD, THIRD]
    assert found.box == Box(1, 2, 30, 40, 1.0, Provenance.HUMAN)
    assert found.body.params.pose_rotvec[names.index("left_hip")].tolist() == newer.params.pose_rotvec[1].tolist()
    assert found.keypoints("coco17").points_px[1].tolist() == newer.keypoints.points_px[1].tolist()
    assert found.body.model == "open-cliff 2"


@pytest.mark.parametrize("word", [SetState, Review])
def test_a_run_leaves_those_alone_who_are_done_or_accepted(project, person, word, make_prediction, model_run, content):
    project.edit(SetState(person, "done") if word is SetState else Review(person, "accepted"))
    before = content(project)
    with project.batch("Refine", model_run("open-cliff 2")) as batch:
        batch.apply(person, make_prediction(1))
    assert batch.report.kept == 1
    assert content(project) == before
    assert [prediction.run.name for prediction in project.predictions.of_photo(1)] == ["open-cliff 1", "open-cliff 2"]


def test_a_run_leaves_imported_labels_alone(project, make_prediction, model_run):
    labels = Run.new(Provenance.IMPORTED, "coco", {"file": "labels.json"})
    imported = make_prediction(5, body=False)
    with project.batch("Import", labels) as batch:
        batch.add_person(1, imported)
    someone = next(project.people()).id
    with project.batch("Propose", model_run()) as batch:
        batch.apply(someone, make_prediction(6))
    found = project.person(someone)
    assert np.array_equal(found.keypoints("coco17").points_px, imported.keypoints.points_px)
    assert found.box == imported.box
    assert found.body is not None


def test_a_point_that_a_person_took_away_stays_away(project, person, make_prediction, model_run):
    project.edit(RemovePoint(person, "coco17", "nose"))
    with project.batch("Propose again", model_run("open-cliff 2")) as batch:
        batch.apply(person, make_prediction(1))
    keypoints = project.person(person).keypoints("coco17")
    assert (keypoints.visibility[0], keypoints.source[0]) == (0, Provenance.HUMAN)


def test_predictions_and_the_journal_cannot_be_changed_even_by_a_mistake_of_ours(project, person):
    for statement in ("UPDATE prediction SET gender = 'x'", "DELETE FROM edit", "UPDATE change SET after = NULL"):
        with pytest.raises(Exception, match="never"), project.database.transaction():
            project.database.execute(statement)


def test_an_edit_that_makes_no_sense_changes_nothing(project, person, content):
    before, lines = content(project), project.journal.last_seq()
    for command in (
        MovePoint(person, "coco17", "third_wrist", (1, 2)),
        MovePoint(person, "coco17", "nose", (float("nan"), 2)),
        MovePoint(99, "coco17", "nose", (1, 2)),
        SetPose(person, {"left_knee": [1, 2]}),
        SetPose(person, {"left_knee": [1, 2, float("inf")]}),
        SetState(person, "perfect"),
        Review(person, "rejected"),
        TakePrediction(person, 99),
        AddPerson(99),
        Together("Two things", (SetState(person, "done"), Review(person, "rejected"))),
    ):
        with pytest.raises(EditError):
            project.edit(command)
    assert content(project) == before
    assert project.journal.last_seq() == lines


def test_an_edit_that_changes_nothing_is_no_step(project, person):
    project.edit(SetState(person, "done"))
    lines = project.journal.last_seq()
    assert project.edit(SetState(person, "done")).step is None
    assert project.journal.last_seq() == lines


def test_someone_who_was_removed_cannot_be_edited(project, person):
    project.edit(RemovePerson(person))
    assert project.people_on(1) == []
    with pytest.raises(EditError, match="was removed"):
        project.edit(MovePoint(person, "coco17", "nose", (1, 2)))


def test_someone_whom_a_person_drew_gets_a_body_from_the_next_run(project, make_prediction, model_run):
    project.edit(AddPerson(2, Box(1, 1, 20, 40)))
    (someone,) = project.people_on(2)
    assert (someone.body, someone.state) == (None, "in progress")
    with project.batch("Propose", model_run()) as batch:
        batch.apply(someone.id, make_prediction(3))
    someone = project.person(someone.id)
    assert someone.body is not None
    assert someone.box == Box(1, 1, 20, 40, 1.0, Provenance.HUMAN)


def test_a_body_that_a_person_made_needs_no_prediction(project, make_prediction):
    params = make_prediction(9).params
    project.edit(AddPerson(2, Box(1, 1, 20, 40)))
    (someone,) = project.people_on(2)
    project.edit(SetBody(someone.id, params))
    body = project.person(someone.id).body
    assert np.array_equal(body.params.pose_rotvec, params.pose_rotvec)
    assert set(body.pose_source) == {Provenance.HUMAN}


def test_a_solver_that_follows_the_hand_leaves_alone_what_the_hand_set(project, person, make_prediction):
    project.edit(SetPose(person, {"left_knee": [0.1, 0.2, 0.3]}))
    project.edit(SetBody(person, make_prediction(9).params, Provenance.FIT))
    body = project.person(person).body
    knee = SMPL24.index("left_knee")
    assert body.params.pose_rotvec[knee].tolist() == [0.1, 0.2, 0.3]
    assert body.pose_source[knee] is Provenance.HUMAN
    assert body.pose_source[0] is Provenance.FIT


def test_a_body_can_be_given_back_to_the_model(project, person, make_prediction):
    project.edit(SetBody(person, make_prediction(9).params))
    project.edit(ResetBody(person))
    body = project.person(person).body
    assert np.array_equal(body.params.pose_rotvec, make_prediction().params.pose_rotvec)


def test_left_and_right_change_places(project, person):
    before = project.person(person).keypoints("coco17").points_px
    project.edit(SwapSides(person, "coco17"))
    after = project.person(person).keypoints("coco17").points_px
    assert np.array_equal(after, before[COCO17.flip])


def test_one_arm_alone_changes_sides(project, person):
    before = project.person(person).keypoints("coco17").points_px
    project.edit(SwapSides(person, "coco17", ["left_wrist"]))
    after = project.person(person).keypoints("coco17").points_px
    changed = {COCO17.names[row] for row in range(17) if not np.array_equal(before[row], after[row])}
    assert changed == {"left_wrist", "right_wrist"}


def test_an_edit_takes_an_acceptance_back(project, person):
    project.edit(Review(person, "accepted"))
    project.edit(MovePoint(person, "coco17", "nose", (1, 2)))
    assert project.person(person).verdict == ""


def test_a_rejection_has_its_reason(project, person):
    project.edit(Review(person, "rejected", "left and right are swapped"))
    found = project.person(person)
    assert (found.verdict, found.reason) == ("rejected", "left and right are swapped")


def test_a_comment_is_pinned_to_a_point_and_dealt_with(project, person):
    uid = project.person(person).uid
    project.edit(AddComment(1, "is this the left one?", {"person": uid, "point": "left_wrist", "point_px": [3.5, 4.5]}))
    (comment,) = project.comments_on(1)
    assert comment.place == {"person": uid, "point": "left_wrist", "point_px": [3.5, 4.5]}
    project.edit(ResolveComment(comment.id))
    assert project.comments_on(1)[0].is_resolved


def test_a_camera_moves_the_bodies_along(project, person):
    project.edit(SetCamera(1, Camera(1000.5, SIZE, (30.0, 20.0)), {person: (0.1, 0.2, 9.0)}))
    assert project.photo(1).camera == Camera(1000.5, SIZE, (30.0, 20.0))
    assert project.person(person).body.params.transl.tolist() == [0.1, 0.2, 9.0]


def test_photos_are_marked_empty_and_left_out(project):
    project.edit(MarkEmpty(2))
    project.edit(Exclude(3))
    assert project.photo(2).is_empty
    assert project.photo(3).is_excluded


def test_people_are_in_the_order_that_a_person_gave_them(project, person):
    project.edit(AddPerson(1, Box(1, 1, 2, 2)))
    newer = project.people_on(1)[1]
    project.edit(SetRank(newer.id, -1))
    assert [someone.id for someone in project.people_on(1)] == [newer.id, person]


def test_counts_follow_every_edit(project, person):
    def counts():
        photo = project.photo(1)
        return photo.people, photo.done, photo.accepted, photo.rejected, photo.edited

    assert counts() == (1, 0, 0, 0, 0)
    project.edit(SetState(person, "done"))
    assert counts() == (1, 1, 0, 0, 1)
    project.edit(Review(person, "accepted"))
    assert counts() == (1, 1, 1, 0, 1)
    project.undo()
    project.undo()
    assert counts() == (1, 0, 0, 0, 0)
    project.edit(RemovePerson(person))
    assert counts() == (0, 0, 0, 0, 0)


def test_an_estimate_is_stored_without_the_points_that_a_person_had_given(project):
    prediction = make_estimate(Provenance.MODEL)
    assert prediction.parts == ("box", "points/coco17", "body")
    assert make_estimate(Provenance.HUMAN).parts == ("box", "body")
    with project.batch("Propose", Run.new(Provenance.MODEL, "open-cliff 1")) as batch:
        batch.add_person(1, prediction)
    assert project.people_on(1)[0].predictions["body"].cam_crop.tolist() == [0.9, 0.1, 0.2]


def make_estimate(source: Provenance) -> Prediction:
    """What a network says of somebody whose points came from this source."""
    points = Keypoints.uniform("coco17", np.ones((17, 2)), np.full(17, 2), source=source)
    params = SmplParams(np.zeros((24, 3)), np.zeros(10), np.array([0.0, 0, 5]))
    camera = Camera.guess(SIZE)
    return Prediction.of_estimate(Estimate(Box(1, 2, 3, 4), params, camera, np.array([0.9, 0.1, 0.2]), points, "x"))


def test_where_a_person_was_is_remembered_with_the_project(project, person):
    uid = project.person(person).uid
    project.set_setting("window/person", uid)
    project.close()
    with open_project(project.folder) as again:
        assert again.person_of_uid(again.setting("window/person")).id == person
        assert again.person_of_uid("nobody") is None
