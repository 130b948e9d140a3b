"""Photos are given out evenly, videos and folders together, and a copy has what it needs and no more."""

from itertools import pairwise

import pytest

from annotator.commands import MovePoint, SetState
from annotator.project import EditError, NotAProjectError, open_project
from annotator.project.assigning import Load, share_out, split_project
from annotator.project.merging import merge_copies
from annotator.project.takes import take_of


def loads(*counts):
    """So many photos of each folder or video: (pattern, photos, people on each)."""
    names = [(pattern.format(n), people) for pattern, photos, people in counts for n in range(photos)]
    return [Load(number, name, people, f"{number:05}") for number, (name, people) in enumerate(names)]


def weights(shares):
    return [sum(load.people for load in share) for share in shares]


def test_folders_and_videos_stay_together_where_everybody_gets_the_same():
    given = loads(
        ("beach/{:02}.jpg", 10, 1), ("cafe/{:02}.jpg", 6, 1), ("street/a{:02}.jpg", 4, 1), ("x/{:02}.jpg", 20, 1)
    )
    shares = share_out(given, 2)
    assert weights(shares) == [20, 20]
    folders = [{load.name.partition("/")[0] for load in share} for share in shares]
    assert not folders[0] & folders[1]


def test_one_long_video_is_cut_into_pieces_that_follow_each_other():
    shares = share_out(loads(("walk_{:03}.png", 90, 2)), 3)
    assert weights(shares) == [60, 60, 60]
    for share in shares:
        frames = [take_of(load.name)[1] for load in share]
        assert sum(b - a > 1 for a, b in pairwise(frames)) <= 1


def test_crowds_and_single_people_weigh_what_they_are():
    shares = share_out(loads(("crowd{}.jpg", 2, 30), ("one_{:03}.jpg", 60, 1)), 3)
    assert max(weights(shares)) <= 1.15 * 40


def test_a_copy_has_its_photos_people_and_predictions_and_their_order(project, person, tmp_path):
    project.set_measures("suspicion", {1: 90.0})
    report = split_project(project, ["anna", "ben"], overlap=1.0, out=tmp_path / "out")
    assert [each.photos for each in report.assignments] == [3, 3]
    assert all(len(project.photo(number).assigned) == 2 for number in (1, 2, 3))
    with open_project(report.assignments[0].copy) as copy:
        theirs = copy.person_of_uid(project.person(1).uid)
        assert theirs.body.params.pose_rotvec.tolist() == project.person(1).body.params.pose_rotvec.tolist()
        assert copy.database.rows("SELECT name, value FROM measure") == [("suspicion", 90.0)]
        assert copy.photo_file(1).read_bytes() == project.photo_file(1).read_bytes()
        copy.edit(SetState(theirs.id, "done"))
    assert merge_copies(project, [report.assignments[0].copy]).written
    assert project.person(1).state == "done"


def test_photos_can_stay_where_they_are(project, person, tmp_path):
    report = split_project(project, ["anna", "ben"], out=tmp_path / "out", reference=True)
    for each in report.assignments:
        assert not (each.copy / "photos").exists()
        with open_project(each.copy, read_only=True) as copy:
            for photo in copy.photos():
                assert copy.photo_file(photo.id) == project.photo_file(project.photo_named(photo.name).id)


def test_what_was_given_out_or_is_done_is_not_given_out_again(project, person, tmp_path):
    project.edit(SetState(1, "done"))
    split_project(project, ["anna", "ben"], out=tmp_path / "out")
    assert [project.photo(number).assigned != () for number in (1, 2, 3)].count(True) == 2
    with pytest.raises(EditError, match="0 photos are left"):
        split_project(project, ["carl", "dora"], out=tmp_path / "out")


def test_a_split_that_cannot_be_made_changes_nothing(project, person, tmp_path, content):
    before = content(project)
    (tmp_path / "out" / "project-ben").mkdir(parents=True)
    (tmp_path / "out" / "project-ben" / "thesis.txt").write_text("mine")
    with pytest.raises(NotAProjectError, match="is there already"):
        split_project(project, ["anna", "ben"], out=tmp_path / "out")
    project.photo_file(1).unlink()
    report = split_project(project, ["anna", "carl"], out=tmp_path / "out")
    assert sum(len(each.missing) for each in report.assignments) == 1
    project.revert(report.step)
    assert content(project) == before


def test_two_annotators_who_differ_on_a_shared_photo_are_asked(project, person, tmp_path):
    report = split_project(project, ["anna", "ben"], overlap=1.0, out=tmp_path / "out")
    for x, each in zip((5.0, 25.0), report.assignments, strict=True):
        with open_project(each.copy) as copy:
            uid = project.person(1).uid
            copy.edit(MovePoint(copy.person_of_uid(uid).id, "coco17", "nose", (x, 5.0)))
    places = [each.copy for each in report.assignments]
    merged = merge_copies(project, places)
    assert not merged.written
    assert [conflict.field for conflict in merged.conflicts] == ["points/coco17/nose"]
    assert merge_copies(project, places, prefer="mine").written  # of whoever is joined first
    assert project.person(1).keypoints("coco17").points_px[0].tolist() == [5.0, 5.0]
