"""Undo and redo, without limit: after any edits, across restarts, and late without taking newer work back."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.commands import (
    AddComment,
    AddPerson,
    MarkEmpty,
    MovePoint,
    RemovePerson,
    ResetPoints,
    Review,
    SetBetas,
    SetBody,
    SetBox,
    SetPose,
    SetState,
    SwapSides,
)
from annotator.project import EditError, open_project
from annotator.project.database import UNSAFE
from annotator.project.integrity import differences
from cliff_core.records import Box, Provenance
from cliff_core.skeletons import COCO17, SMPL24


def test_an_edit_is_taken_back_and_done_again(project, person, content):
    before = content(project)
    project.edit(MovePoint(person, "coco17", "nose", (1 / 3, 2)))
    after = content(project)
    assert project.undo().step.label == "Move nose"
    assert content(project) == before
    assert project.redo().step.label == "Move nose"
    assert content(project) == after


def test_there_is_an_end_to_undo_and_to_redo(project):
    assert project.undo().step is None
    assert project.redo().step is None
    project.edit(MarkEmpty(1))
    assert project.redo().step is None
    project.undo()
    assert project.undo().step is None


def test_a_drag_is_one_step_though_each_move_is_on_disk(project, person, content):
    before = content(project)
    with project.step("Drag nose"):
        for x in range(5):
            project.edit(MovePoint(person, "coco17", "nose", (x, x)))
    assert len(project.journal.steps(10)) == 2
    project.undo()
    assert content(project) == before


def test_what_follows_from_an_edit_belongs_to_its_step_as_long_as_it_is_the_latest(project, person, content):
    before = content(project)
    step = project.edit(MovePoint(person, "coco17", "nose", (1 / 3, 2))).step
    more = project.edit(SetPose(person, {"neck": [0.1, 0.2, 0.3]}, Provenance.FIT), onto=step.id)
    assert more.step.id == step.id
    assert list(differences(project.database)) == []
    after = content(project)
    assert project.undo().step.label == "Move nose"
    assert content(project) == before
    assert project.edit(SetState(person, "done"), onto=step.id).step is None  # it is undone
    assert content(project) == before
    project.redo()
    assert content(project) == after
    project.edit(SetState(person, "done"))
    later = content(project)
    assert project.edit(SetPose(person, {"neck": [0.0, 0.0, 0.0]}), onto=step.id).step is None  # no longer the latest
    assert content(project) == later


def test_a_bulk_run_is_one_step(project, content, make_prediction, model_run):
    before = content(project)
    with project.batch("Propose", model_run()) as batch:
        for number in range(30):
            batch.add_person(1 + number % 3, make_prediction(number))
            if number % 10 == 0:
                batch.commit()
    after = content(project)
    assert project.undo().step.label == "Propose"
    assert content(project) == before
    project.redo()
    assert content(project) == after


def test_undo_goes_on_after_closing_and_opening(project, person, content):
    states = [content(project)]
    for x in range(3):
        project.edit(MovePoint(person, "coco17", "nose", (x, 0)))
        states.append(content(project))
    project.undo()
    project.close()
    with open_project(project.folder) as again:
        assert content(again) == states[2]
        again.redo()
        assert content(again) == states[3]
        for state in states[2::-1]:
            again.undo()
            assert content(again) == state


def test_a_new_edit_ends_redo_but_the_undone_step_can_still_be_done_again(project, person):
    project.edit(SetState(person, "done"))
    undone = project.undo().step
    project.edit(MovePoint(person, "coco17", "nose", (1, 2)))
    assert project.redo().step is None
    project.reapply(undone.id)
    assert project.person(person).keypoints("coco17").points_px[0].tolist() == [1, 2]
    # the later edit said "in progress", and what was set later counts
    assert project.person(person).state == "in progress"


def test_a_run_taken_back_late_leaves_what_was_set_after_it(project, person, make_prediction, model_run):
    with project.batch("Refine", model_run("open-cliff 2")) as batch:
        batch.apply(person, make_prediction(1))
        batch.add_person(2, make_prediction(2))
        batch.add_person(2, make_prediction(3))
    corrected, untouched = (someone.id for someone in project.people_on(2))
    project.edit(MovePoint(person, "coco17", "nose", (3, 4)))
    project.edit(MovePoint(corrected, "coco17", "nose", (5, 6)))
    undone = project.revert(batch.report.step_id)
    found = project.person(person)
    assert found.keypoints("coco17").points_px[0].tolist() == [3, 4]
    assert found.body.model == "open-cliff 1"
    assert not project.person(untouched).is_present
    assert project.person(corrected).is_present
    assert project.person(corrected).keypoints("coco17").points_px[0].tolist() == [5, 6]
    (kept,) = undone.kept
    assert (kept.subject.id, kept.field, kept.by.label) == (corrected, "present", "Move nose")
    assert list(differences(project.database)) == []


def test_a_later_run_stays_when_an_earlier_one_is_taken_back(project, person, make_prediction, model_run):
    runs = []
    for name in ("open-cliff 2", "open-cliff 3"):
        with project.batch("Refine", model_run(name)) as batch:
            batch.apply(person, make_prediction(len(runs) + 1))
        runs.append(batch.report.step_id)
    undone = project.revert(runs[0])
    assert project.person(person).body.model == "open-cliff 3"
    assert {kept.by.id for kept in undone.kept} == {runs[1]}
    project.revert(runs[1])
    assert project.person(person).body.model == "open-cliff 1"


def test_undo_of_a_hand_does_not_reach_for_a_run_that_still_goes_on(project, person, make_prediction, model_run):
    with project.batch("Propose", model_run("open-cliff 2")) as batch:
        batch.add_person(2, make_prediction(1))
        batch.commit()
        project.edit(MovePoint(person, "coco17", "nose", (3, 4)))
        batch.add_person(2, make_prediction(2))
        batch.commit()
        assert project.undo().step.label == "Move nose"
        assert project.undo().step.label == "Propose"  # the one of the fixture, which has ended
        project.redo()
    assert len(project.people_on(2)) == 2
    assert project.undo().step.id == batch.report.step_id


def test_a_run_that_goes_on_does_not_end_redo(project, person, make_prediction, model_run):
    project.edit(MovePoint(person, "coco17", "nose", (3, 4)))
    project.undo()
    with project.batch("Propose", model_run("open-cliff 2")) as batch:
        batch.add_person(2, make_prediction(1))
    assert project.redo().step.label == "Move nose"


def test_a_run_that_fails_keeps_what_it_had_done_as_a_step(project, content, make_prediction, model_run):
    before = content(project)
    with contextlib.suppress(RuntimeError), project.batch("Propose", model_run()) as batch:
        batch.add_person(1, make_prediction())
        raise RuntimeError("the model fell over")
    assert len(project.people_on(1)) == 1
    project.undo()
    assert content(project) == before


def test_what_is_undone_cannot_be_undone_again(project):
    step = project.edit(MarkEmpty(1)).step
    project.revert(step.id)
    with pytest.raises(EditError, match="undone already"):
        project.revert(step.id)
    with pytest.raises(EditError, match="not there"):
        project.reapply(99)


# Any edits: small numbers choose what is done to whom, so that edits meet on the same fields.
KINDS = "move swap reset pose betas body box state review comment add remove empty group bulk undo redo revert"
EDITS = st.lists(
    st.tuples(
        st.sampled_from(KINDS.split()),
        st.integers(0, 3),
        st.integers(0, 5),
        st.floats(-1e3, 1e3),
    ),
    max_size=12,
)
QUICK = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=1500)


def do(project, what: str, whom: int, which: int, number: float, make_prediction, model_run) -> None:
    """One edit; those that make no sense are refused, as a window would have it."""
    person, name = whom + 1, COCO17.names[which]
    edits = {
        "move": lambda: MovePoint(person, "coco17", name, (number, which)),
        "swap": lambda: SwapSides(person, "coco17"),
        "reset": lambda: ResetPoints(person, "coco17", [name]),
        "pose": lambda: SetPose(person, {SMPL24.names[which]: [number, 0, which]}),
        "betas": lambda: SetBetas(person, {which: number}),
        "body": lambda: SetBody(person, make_prediction(which).params, Provenance.FIT),
        "box": lambda: SetBox(person, Box(number, which, number + 1, which + 1)),
        "state": lambda: SetState(person, ("proposed", "in progress", "done")[which % 3]),
        "review": lambda: Review(person, ("accepted", "rejected", None)[which % 3], "because"),
        "comment": lambda: AddComment(1 + whom % 3, f"{number}"),
        "add": lambda: AddPerson(1 + whom % 3, Box(0, 0, 1 + abs(number), 2)),
        "remove": lambda: RemovePerson(person),
        "empty": lambda: MarkEmpty(1 + whom % 3, empty=which % 2 == 0),
    }
    try:
        if what in edits:
            project.edit(edits[what]())
        elif what == "group":
            with project.step("Group"):
                project.edit(MovePoint(person, "coco17", name, (number, 1)))
                project.edit(MovePoint(person, "coco17", name, (number, 2)))
        elif what == "bulk":
            with project.batch("Bulk", model_run(f"model {number}")) as batch:
                batch.add_person(1 + whom % 3, make_prediction(which))
                batch.apply(person, make_prediction(which + 10))
        elif what == "undo":
            project.undo()
        elif what == "redo":
            project.redo()
        elif what == "revert":
            project.revert(which + 1)
    except EditError:
        pass


def undo_all_redo_all(edits, template, tools) -> None:
    """Nothing is left after undoing everything, everything is back after redoing it, also across a restart."""
    content, make_prediction, model_run = tools
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(template / "photos", Path(folder, "photos"))
        shutil.copytree(template / "project", Path(folder, "project"))
        path = Path(folder, "project")
        with open_project(path, journal=UNSAFE) as project:
            beginning = content(project)
            with project.batch("Propose", model_run()) as batch:
                batch.add_person(1, make_prediction())
            for edit in edits:
                do(project, *edit, make_prediction, model_run)
            end = content(project)
            assert list(differences(project.database)) == []
            steps = len(project.journal.steps(1000))
            undone = sum(not step.is_done for step in project.journal.steps(1000))
            while project.undo().step is not None:
                pass
            assert content(project) == beginning
            assert list(differences(project.database)) == []
        with open_project(path, journal=UNSAFE) as project:
            assert content(project) == beginning
            for _ in range(steps - undone):
                assert project.redo().step is not None
            assert content(project) == end
            assert list(differences(project.database)) == []


@QUICK
@given(edits=EDITS)
def test_undoing_everything_gives_the_beginning_and_redoing_everything_the_end(
    edits, template, content, make_prediction, model_run
):
    undo_all_redo_all(edits, template, (content, make_prediction, model_run))


@pytest.mark.slow
@LONG
@given(edits=EDITS)
def test_the_same_for_many_more_edits(edits, template, content, make_prediction, model_run):
    undo_all_redo_all(edits, template, (content, make_prediction, model_run))
