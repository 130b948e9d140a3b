"""Copies from elsewhere: several at once, made apart, damaged, and how well their annotators agree."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from annotator.commands import (
    AddComment,
    AddPerson,
    MarkEmpty,
    MovePoint,
    SetPose,
)
from annotator.project import DamagedProjectError, NotAProjectError, create_project, open_project
from annotator.project.database import UNSAFE
from annotator.project.merging import merge_copies
from cliff_core.records import Box


def copy_open(project, to: Path) -> None:
    """Copy a project that is open: the backup that opening makes comes and goes meanwhile."""
    shutil.copytree(project.folder, to, ignore=shutil.ignore_patterns("backups"))


def test_several_copies_at_once_are_compared_with_each_other_too(copied, tmp_path, nose):
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


def test_projects_that_were_made_apart_meet_at_the_same_people(
    project, person, photos, tmp_path, make_prediction, nose
):
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


def test_a_place_that_is_no_copy_is_refused(project, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nowhere", Path(__file__)):
        with pytest.raises(NotAProjectError, match="neither a project"):
            merge_copies(project, [place])


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


def test_a_damaged_copy_is_not_taken_for_one_without_work(copied):
    ada, bob = copied
    for number in range(300):
        bob.edit(AddComment(3, f"{number}: {'blurred ' * 20}"))
    bob.close()
    file = bob.folder / "project.sqlite"
    content = bytearray(file.read_bytes())
    content[40_000:80_000] = bytes(40_000)
    file.write_bytes(content)

    with pytest.raises(DamagedProjectError, match=r"project\.sqlite: damaged .* merge again"):
        merge_copies(ada, [bob.folder])
