"""A program that works on a project until it is killed, and says so after each thing that is on disk.

Started by `test_kill.py` with a scenario, a folder and a seed. Each line that it prints is an acknowledgement: the last
line of the journal and its link, a hash over everything before it.
"""

import random
import sys
from pathlib import Path

import numpy as np

from annotator.commands import (
    AddComment,
    AddPerson,
    MovePoint,
    RemovePerson,
    Review,
    SetBody,
    SetPose,
    SetState,
)
from annotator.project import (
    EditError,
    Prediction,
    Run,
    create_project,
    list_backups,
    open_project,
    restore_backup,
)
from annotator.project.importing import import_file
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams

SIZE = (64, 48)


def acknowledge(project) -> None:
    last = project.database.row("SELECT seq, link FROM edit ORDER BY seq DESC LIMIT 1")
    print(*(last or (0, "nothing yet")), flush=True)  # an old backup may be from before the first edit


def prediction(dice: random.Random) -> Prediction:
    numbers = np.random.default_rng(dice.randrange(1 << 30))
    points = Keypoints.uniform("coco17", numbers.uniform(0, 48, (17, 2)), np.full(17, 2), source=Provenance.MODEL)
    params = SmplParams(numbers.normal(size=(24, 3)), numbers.normal(size=10), numbers.normal(size=3) + 5)
    return Prediction(Box(1, 2, 30, 40), points, params, Camera.guess(SIZE), numbers.normal(size=3))


def edit(project, dice: random.Random) -> None:
    """What a hand does, now and then a whole drag, an undo or a redo."""
    person = dice.randint(1, max(1, project.database.value("SELECT count(*) FROM person")))
    x, y = dice.uniform(0, 64), dice.uniform(0, 48)
    try:
        kind = dice.randrange(11)
        if kind == 0:
            with project.step("Drag"):
                for _ in range(4):
                    project.edit(MovePoint(person, "coco17", "left_wrist", (x, y)))
                    x += 1
                    acknowledge(project)
        elif kind == 1:
            project.undo()
        elif kind == 2:
            project.redo()
        else:
            commands = (
                MovePoint(person, "coco17", "nose", (x, y)),
                SetPose(person, {"left_knee": [x, y, 0]}),
                SetBody(person, prediction(dice).params, Provenance.FIT),
                SetState(person, dice.choice(("in progress", "done"))),
                Review(person, dice.choice(("accepted", "rejected")), "because"),
                AddPerson(dice.randint(1, 3), Box(x, y, x + 5, y + 5)),
                RemovePerson(person),
                AddComment(dice.randint(1, 3), f"{x}"),
            )
            project.edit(commands[kind - 3])
    except EditError:  # somebody who was removed, or is not there
        return
    acknowledge(project)


def edits(folder: Path, dice: random.Random) -> None:
    with open_project(folder) as project:
        acknowledge(project)
        while True:
            edit(project, dice)


def bulk(folder: Path, dice: random.Random) -> None:
    with open_project(folder) as project:
        acknowledge(project)
        while True:
            with project.batch("Propose", Run.new(Provenance.MODEL, f"model {dice.random()}")) as batch:
                for _ in range(4):
                    known = [person.id for person in project.people()]
                    for _ in range(20):
                        if known and dice.random() < 0.5:
                            batch.apply(dice.choice(known), prediction(dice))
                        else:
                            batch.add_person(dice.randint(1, 3), prediction(dice))
                    batch.commit()
                    acknowledge(project)
            acknowledge(project)
            project.undo()
            acknowledge(project)
            edit(project, dice)


def imports(folder: Path, dice: random.Random) -> None:
    with open_project(folder) as project:
        acknowledge(project)
        while True:
            import_file(project, folder.parent / "labels.json")
            acknowledge(project)
            edit(project, dice)
            if dice.random() < 0.5:
                project.undo()
                acknowledge(project)


def migrate(folder: Path, dice: random.Random) -> None:
    print("ready", flush=True)
    edits(folder, dice)


def backups(folder: Path, dice: random.Random) -> None:
    with open_project(folder) as project:
        acknowledge(project)
        while True:
            edit(project, dice)
            project.backup("open")
            project.write_mirror()


def restores(folder: Path, dice: random.Random) -> None:
    """Goes back to older states on purpose: what it acknowledges is only that everything is whole."""
    while True:
        with open_project(folder) as project:
            for _ in range(3):
                edit(project, dice)
            project.backup("open")
        restore_backup(folder, dice.choice(list_backups(folder)).path)


def creates(folder: Path, dice: random.Random) -> None:
    """Makes one project after the other beside the first."""
    for number in range(10_000):
        project, _ = create_project(folder.parent / f"new {number}", folder.parent / "photos")
        with project:
            acknowledge(project)


SCENARIOS = {
    "creates": creates,
    "edits": edits,
    "bulk": bulk,
    "imports": imports,
    "migrate": migrate,
    "backups": backups,
    "restores": restores,
}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](Path(sys.argv[2]), random.Random(int(sys.argv[3])))
