"""The promise itself: a program killed at any moment loses nothing that it had acknowledged, and the project opens."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from annotator.project import NotAProjectError, create_project, open_project, schema
from annotator.project.database import ROLLBACK, Database
from annotator.project.integrity import check_project, differences
from annotator.project.merging import merge_copies
from annotator.project.mirror import find_differences, lagging
from cliff_core.formats import write
from cliff_core.images import write_image
from cliff_core.records import Box, Keypoints, PhotoPerson, Provenance

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = (64, 48)
SCENARIOS = ("edits", "bulk", "imports", "migrate", "backups", "restores")
SHORT, LONG = 2, 60  # kills of each


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A project of three photos, and labels of three hundred people to import."""
    folder = tmp_path_factory.mktemp("kill")
    people = []
    for number in range(3):
        rgb = np.random.default_rng(number).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        write_image(folder / "photos" / f"photo{number}.png", rgb)
    for number in range(300):
        points = np.random.default_rng(number).uniform(0, 40, (17, 2))
        keypoints = Keypoints.uniform("coco17", points, np.full(17, 2), source=Provenance.IMPORTED)
        left = number % 40
        box = Box(left, 3, left + 10 + number / 10, 40, source=Provenance.IMPORTED)
        people.append(PhotoPerson(f"photo{number % 3}.png", SIZE, box, keypoints, None, number + 1))
    write("coco", folder / "labels.json", people)
    project, _ = create_project(folder / "project", folder / "photos")
    project.close()
    return folder


def at_first_version(folder: Path) -> None:
    """A project as the first version of the program wrote it, with a thousand people to bring up to date."""
    file = folder / "project.sqlite"
    made = file.rename(folder / "made.sqlite")
    file.touch()
    database = Database(file, read_only=False, journal=ROLLBACK)
    schema.migrate(database, 0, 1)
    database.execute("ATTACH DATABASE ? AS made", [str(made)])
    with database.transaction():
        database.execute("PRAGMA defer_foreign_keys=ON")
        for table in ("setting", "root", "photo", "edit"):
            columns = ", ".join(row[1] for row in database.rows(f"PRAGMA main.table_info({table})"))
            database.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM made.{table}")
        database.execute_many("INSERT INTO person (uid, photo_id) VALUES (?, 1)", [(f"{n:032}",) for n in range(1000)])
    database.close()
    made.unlink()


def work_until_killed(scenario: str, folder: Path, dice: random.Random) -> list[tuple[int, str]]:
    """Let the program work for a moment, kill it, and return what it had acknowledged."""
    command = [sys.executable, str(Path(__file__).with_name("kill_writer.py")), scenario, str(folder)]
    command.append(str(dice.randrange(1 << 30)))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert child.stdout is not None
    first = child.stdout.readline()
    assert first, "the program ended by itself"
    time.sleep(dice.uniform(0, 0.3))
    assert child.poll() is None, "the program ended by itself"
    child.kill()  # SIGKILL; TerminateProcess on Windows
    rest, _ = child.communicate()
    lines = [line.split() for line in [first, *rest.splitlines(keepends=True)] if line.endswith("\n")]
    return [(int(line[0]), line[1]) for line in lines if len(line) == 2]


def verify(folder: Path, acknowledged: list[tuple[int, str]]) -> None:
    """It opens, has everything that was acknowledged, can be undone and redone, and its mirror catches up."""
    with open_project(folder) as project:
        assert not project.read_only
        # After going back to a backup the mirror has newer work than the database: it is not written over, but read.
        merge_copies(project, [folder], prefer="theirs")
        for seq, link in acknowledged:
            assert project.database.value("SELECT link FROM edit WHERE seq = ?", [seq]) == link
        assert list(differences(project.database)) == []
        before = dict(project.database.rows("SELECT uid, own FROM person"))
        undone = 0
        for _ in range(3):
            undone += project.undo().step is not None
        for _ in range(undone):
            assert project.redo().step is not None
        assert dict(project.database.rows("SELECT uid, own FROM person")) == before
    found = check_project(folder)
    assert found.healthy, str(found)
    with open_project(folder, read_only=True) as project:
        assert lagging(project.database) == 0
        assert find_differences(project, folder) == []


def kill_again_and_again(template: Path, place: Path, scenario: str, kills: int) -> int:
    """Returns how many acknowledgements there were."""
    dice = random.Random(f"{scenario} {kills}")
    count = 0
    folder = place / "project"
    for number in range(kills):
        if not folder.exists() or scenario == "migrate" or number % 20 == 0:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(template, place)
            if scenario == "migrate":
                at_first_version(folder)
        acknowledged = work_until_killed(scenario, folder, dice)
        verify(folder, [] if scenario == "restores" else acknowledged)
        count += len(acknowledged)
    return count


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_killed_program_loses_nothing_that_it_acknowledged(template, tmp_path, scenario):
    kill_again_and_again(template, tmp_path / "work", scenario, SHORT)


def create_again_and_again(template: Path, place: Path, kills: int) -> None:
    """A project whose making was interrupted is none yet, or one that opens; making it again completes it."""
    dice = random.Random(kills)
    for _ in range(kills):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(template, place)
        acknowledged = work_until_killed("creates", place / "project", dice)
        made = sorted(place.glob("new *"), key=lambda path: int(path.name.split()[1]))
        assert len(made) >= len(acknowledged)
        for folder in made[-2:]:
            try:
                open_project(folder).close()
            except NotAProjectError:
                create_project(folder, place / "photos")[0].close()
            with open_project(folder) as project:
                project.add_photos(place / "photos")
                assert len(list(project.photos())) == 3
            assert check_project(folder).healthy


def test_a_project_whose_making_was_killed_is_none_or_whole(template, tmp_path):
    create_again_and_again(template, tmp_path / "work", SHORT)


@pytest.mark.slow
def test_many_projects_whose_making_was_killed_are_none_or_whole(template, tmp_path):
    create_again_and_again(template, tmp_path / "work", LONG // 2)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_hundreds_of_kills_lose_nothing(template, tmp_path, scenario, capsys):
    count = kill_again_and_again(template, tmp_path / "work", scenario, LONG)
    with capsys.disabled():
        print(f"\n{scenario}: {LONG} kills, {count} acknowledgements, none lost, every project opened")
