"""Projects to work on: small real photos, people predicted on them, and everything a project holds as plain values."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from annotator.commands import MovePoint
from annotator.project import Prediction, Run, create_project, open_project
from annotator.project.database import UNSAFE
from annotator.project.journal import Subject
from cliff_core.images import write_image
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams

SIZE = (64, 48)


def _make_photos(folder: Path, count: int = 3) -> Path:
    """Photos that differ in every pixel."""
    for number in range(count):
        rgb = np.random.default_rng(number).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        write_image(folder / f"photo{number}.png", rgb)
    return folder


def _make_prediction(seed: int = 0, *, points: bool = True, body: bool = True) -> Prediction:
    """A box, COCO-17 points and a body with numbers of all digits."""
    random = np.random.default_rng(seed)
    left, top = random.uniform(0, 20, 2)
    box = Box(left, top, left + 20, top + 30, float(random.uniform()))
    keypoints = Keypoints.uniform(
        "coco17", random.uniform(0, 48, (17, 2)), np.full(17, 2), random.uniform(size=17), Provenance.MODEL
    )
    params = SmplParams(random.normal(size=(24, 3)), random.normal(size=10), random.normal(size=3) + 5)
    return Prediction(
        box,
        keypoints if points else None,
        params if body else None,
        Camera.guess(SIZE),
        random.normal(size=3),
    )


def _model_run(name: str = "open-cliff 1") -> Run:
    return Run.new(Provenance.MODEL, name, {"seed": 0})


def _history(project, subject: Subject, field: str | None = None) -> list[SimpleNamespace]:
    """Lines of the journal about a subject, oldest first: who, command, action, field, and the values as plain JSON."""
    rows = project.database.rows(
        "SELECT who, command, action, field, before, after FROM change JOIN edit USING (seq) "
        "WHERE kind = ? AND subject = ? AND (? IS NULL OR field = ?) ORDER BY seq, n",
        [subject.kind, subject.id, field, field],
    )
    return [
        SimpleNamespace(who=who, command=command, action=action, field=name,
                        before=before and json.loads(before), after=after and json.loads(after))
        for who, command, action, name, before, after in rows
    ]  # fmt: skip


def _content(project) -> dict:
    """Everything that is set in a project, by what names it in every copy; without what is only counted."""
    database = project.database
    return {
        kind: dict(database.rows(f"SELECT uid, own FROM {kind} WHERE own <> '{{}}'"))
        for kind in ("photo", "person", "comment")
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """A folder with `photos` and `project`, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    created, _ = create_project(folder / "project", _make_photos(folder / "photos"), who="Ada")
    created.close()
    return folder


@pytest.fixture
def photos(tmp_path, template) -> Path:
    return Path(shutil.copytree(template / "photos", tmp_path / "photos"))


@pytest.fixture
def project(tmp_path, template, photos):
    shutil.copytree(template / "project", tmp_path / "project")
    # Without waiting for the disk: tests of what a crash leaves open theirs as a person does.
    with open_project(tmp_path / "project", who="Ada", journal=UNSAFE) as opened:
        with opened.database.transaction():  # the template's photos are there too, but no photo of this project
            opened.database.execute("UPDATE root SET far = ?", [str(photos)])
        yield opened


@pytest.fixture
def person(project) -> int:
    """Somebody predicted on the first photo."""
    with project.batch("Propose", _model_run()) as batch:
        batch.add_person(1, _make_prediction())
    return next(project.people()).id


@pytest.fixture
def closed(project, person):
    """Folder of a project with somebody in it, which nobody has open."""
    project.edit(MovePoint(person, "coco17", "nose", (1 / 3, 2)))
    project.close()
    return project.folder


@pytest.fixture(scope="session")
def make_photos():
    """Photos in a folder: make_photos(folder, count)."""
    return _make_photos


@pytest.fixture(scope="session")
def make_prediction():
    """A prediction with numbers of all digits: make_prediction(seed, points=..., body=...)."""
    return _make_prediction


@pytest.fixture(scope="session")
def model_run():
    """A run of a model: model_run(name)."""
    return _model_run


@pytest.fixture(scope="session")
def content():
    """Everything that is set in a project: content(project)."""
    return _content


@pytest.fixture(scope="session")
def history():
    """What the journal says of a subject, or of one of its fields: history(project, subject, field)."""
    return _history


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


@pytest.fixture(scope="session")
def nose():
    """Where somebody's nose is: nose(project, person)."""
    return lambda project, person=1: project.person(person).keypoints("coco17").points_px[0].tolist()
