"""Every command: the journal knows it by its name for ever, the menu by its label, and undo takes it back."""

import dataclasses

import numpy as np
import pytest

import annotator.commands
from annotator.commands import (
    AddComment,
    AddPerson,
    DuplicatePerson,
    EditComment,
    Exclude,
    MarkEmpty,
    MovePoint,
    RemoveComment,
    RemovePerson,
    RemovePoint,
    ResetBody,
    ResetPoints,
    ResolveComment,
    Review,
    SetBetas,
    SetBody,
    SetBox,
    SetCamera,
    SetGender,
    SetPoints,
    SetPose,
    SetRank,
    SetState,
    SetTransl,
    SetVisibility,
    SwapSides,
    TakePrediction,
    Together,
)
from annotator.project.integrity import differences
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams

SIZE = (64, 48)
POINTS = Keypoints.uniform("coco17", np.full((17, 2), 7.0), np.full(17, 2))
BODY = SmplParams(np.full((24, 3), 0.1), np.full(10, 0.2), np.array([0.0, 0, 5]), "female")

# Each on the first photo with person 1, comment 1 and prediction 1; the name is what journals on disk have.
EVERY = {
    "AddComment": AddComment(1, "look"),
    "AddPerson": AddPerson(1, Box(1, 2, 3, 4)),
    "DuplicatePerson": DuplicatePerson(1),
    "EditComment": EditComment(1, "look again"),
    "Exclude": Exclude(1),
    "MarkEmpty": MarkEmpty(1),
    "MovePoint": MovePoint(1, "coco17", "nose", (1, 2)),
    "RemoveComment": RemoveComment(1),
    "RemovePerson": RemovePerson(1),
    "RemovePoint": RemovePoint(1, "coco17", "nose"),
    "ResetBody": ResetBody(1, ["left_hip"]),
    "ResetPoints": ResetPoints(1, "coco17", ["left_eye"]),
    "ResolveComment": ResolveComment(1),
    "Review": Review(1, "rejected", "knee"),
    "SetBetas": SetBetas(1, {0: 1.5}),
    "SetBody": SetBody(1, BODY),
    "SetBox": SetBox(1, Box(5, 6, 7, 8)),
    "SetCamera": SetCamera(1, Camera(100, SIZE), {1: (0, 0, 9)}),
    "SetGender": SetGender(1, "male"),
    "SetPoints": SetPoints(1, POINTS),
    "SetPose": SetPose(1, {"left_knee": (0.1, 0, 0)}),
    "SetRank": SetRank(1, 3),
    "SetState": SetState(1, "done"),
    "SetTransl": SetTransl(1, (0, 0, 7)),
    "SetVisibility": SetVisibility(1, "coco17", "nose", 1),
    "SwapSides": SwapSides(1, "coco17"),
    "TakePrediction": TakePrediction(1, 2),
    "Together": Together("Both", (SetState(1, "done"), SetRank(1, 5))),
}


@pytest.fixture
def ready(project, person, make_prediction, model_run):
    """Somebody with values set, two predictions and a comment."""
    project.edit(SetPoints(person, POINTS, ["left_eye"]))
    project.edit(SetPose(person, {"left_hip": (0.3, 0, 0)}))
    project.edit(AddComment(1, "first"))
    project.edit(SetState(person, "done"))  # so that the run beside changes nothing
    with project.batch("Refine", model_run("open-cliff 2")) as batch:
        batch.apply(person, make_prediction(1))
    project.edit(SetState(person, "proposed"))
    return project


def test_there_is_no_command_besides_these():
    assert set(EVERY) == set(annotator.commands.__all__)


@pytest.mark.parametrize("name", EVERY)
def test_a_command_is_written_under_its_name_and_taken_back(ready, name, content, history):
    before = content(ready)
    edited = ready.edit(EVERY[name])
    assert edited.step.label == EVERY[name].label
    assert edited.photos == {1}
    assert content(ready) != before
    assert history(ready, edited.subjects[0])[-1].command == name
    ready.undo()
    assert content(ready) == before
    assert list(differences(ready.database)) == []


@pytest.mark.parametrize("name", EVERY)
def test_a_command_is_a_value(name):
    assert dataclasses.is_dataclass(EVERY[name])
    with pytest.raises(dataclasses.FrozenInstanceError):
        EVERY[name].name = "another"


def test_edits_that_belong_together_are_all_written_or_none(ready, content):
    before = content(ready)
    with pytest.raises(Exception, match="because|reason|says why"):
        ready.edit(Together("Both", (SetState(1, "done"), Review(1, "rejected"))))
    assert content(ready) == before


def test_a_place_that_a_person_set_stays_theirs_when_the_camera_moves(ready):
    ready.edit(SetTransl(1, (0, 0, 7)))
    ready.edit(SetCamera(1, Camera(100, SIZE), {1: (0, 0, 9)}))
    body = ready.person(1).body
    assert (body.params.transl.tolist(), body.transl_source) == ([0, 0, 9], Provenance.HUMAN)
