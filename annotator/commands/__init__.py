"""Edits as values: what a person does to an annotation, ready to be written, undone and told.

Lives here: one frozen dataclass for each thing a hand can do, with `name` (for the journal, never changed once
released), `label` (for menus) and `write(draft)`. Does not live here: storing and undoing (`annotator.project`), the
window, solvers. May import `annotator.project` and `cliff_core`; never torch or Qt.

    with open_project(folder) as project:
        project.edit(MovePoint(person, "coco17", "left_wrist", (812.5, 430.0)))
        project.undo()

An edit of a person whom nobody has touched makes them "in progress"; an edit of one whom the reviewer accepted takes
the acceptance back, because it was about something else.
"""

from annotator.commands.body import ResetBody, SetBetas, SetBody, SetCamera, SetPose, SetTransl, TakePrediction
from annotator.commands.keypoints import MovePoint, RemovePoint, ResetPoints, SetPoints, SetVisibility, SwapSides
from annotator.commands.people import (
    AddPerson,
    DuplicatePerson,
    Exclude,
    MarkEmpty,
    RemovePerson,
    SetBox,
    SetGender,
    SetRank,
)
from annotator.commands.review import AddComment, EditComment, RemoveComment, ResolveComment, Review, SetState
from annotator.commands.together import Together

__all__ = [
    "AddComment",
    "AddPerson",
    "DuplicatePerson",
    "EditComment",
    "Exclude",
    "MarkEmpty",
    "MovePoint",
    "RemoveComment",
    "RemovePerson",
    "RemovePoint",
    "ResetBody",
    "ResetPoints",
    "ResolveComment",
    "Review",
    "SetBetas",
    "SetBody",
    "SetBox",
    "SetCamera",
    "SetGender",
    "SetPoints",
    "SetPose",
    "SetRank",
    "SetState",
    "SetTransl",
    "SetVisibility",
    "SwapSides",
    "TakePrediction",
    "Together",
]
