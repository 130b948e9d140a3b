"""What git or a folder brings as JSON is merged as a copy is."""

import shutil

from annotator.commands import (
    AddPerson,
    MarkEmpty,
    MovePoint,
    RemovePerson,
    SetState,
)
from annotator.project import open_project, restore_backup
from annotator.project.documents import document_of
from annotator.project.merging import merge_copies
from cliff_core.records import Box


def test_a_mirror_alone_is_merged(copied, tmp_path, nose):
    ada, bob = copied
    bob.edit(MovePoint(1, "coco17", "nose", (1 / 3, 12)))
    bob.write_mirror()
    shutil.copytree(bob.folder / "annotations", tmp_path / "from git")
    report = merge_copies(ada, [tmp_path / "from git"])
    assert (report.written, report.conflicts) == (True, [])
    assert nose(ada) == [1 / 3, 12]


def test_what_git_brought_into_our_own_mirror_is_taken_in(copied, nose):
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


def test_after_a_restore_the_mirror_gives_back_what_the_backup_lacks(project, person, nose):
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
