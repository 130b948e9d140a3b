"""A project opens whatever became of it: held by others, left by a crash, damaged, old, on a full or read-only disk."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from annotator.commands import AddPerson, MarkEmpty
from annotator.project import (
    DamagedProjectError,
    NewerProjectError,
    ProjectError,
    ReadOnlyProjectError,
    list_backups,
    open_backup,
    open_project,
    restore_backup,
    schema,
)
from annotator.project.backups import make_backup
from annotator.project.database import ROLLBACK, WAL, Database
from annotator.project.errors import StorageError
from annotator.project.integrity import check_project, differences
from cliff_core.records import Box

REPOSITORY = Path(__file__).resolve().parents[3]
HOLDS = """
import sys, time
from annotator.project import open_project
project = open_project(sys.argv[1])
print("open", flush=True)
time.sleep(60)
"""


def child(code: str, *arguments) -> subprocess.Popen:
    """Another program."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_a_second_program_is_told_who_has_it_and_reads(closed, content):
    with open_project(closed, read_only=True) as project:
        before = content(project)
    other = child(HOLDS, closed)
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"
    try:
        with open_project(closed) as project:
            assert project.read_only
            assert project.held_by is not None
            assert project.held_by.pid == other.pid
            assert content(project) == before
            with pytest.raises(ReadOnlyProjectError, match=str(other.pid)):
                project.edit(MarkEmpty(1))
    finally:
        other.kill()
        other.communicate()


def test_a_second_window_of_the_same_program_is_told_too(project):
    with open_project(project.folder) as second:
        assert second.read_only
        assert second.held_by.pid == os.getpid()
        project.edit(MarkEmpty(1))
        assert second.photo(1).is_empty  # and sees what the first one does


def test_a_lock_whose_program_was_killed_is_no_lock(closed):
    other = child(HOLDS, closed)
    assert other.stdout is not None
    other.stdout.readline()
    other.kill()
    other.communicate()
    with open_project(closed) as project:
        assert not project.read_only
        assert any("ended without closing" in notice for notice in project.notices)
        project.edit(MarkEmpty(1))


def test_a_step_that_a_crash_left_open_is_closed_and_can_be_undone(closed, content):
    code = """
import os, sys
from annotator.commands import MovePoint
from annotator.project import open_project
project = open_project(sys.argv[1])
with project.step("Drag"):
    project.edit(MovePoint(1, "coco17", "nose", (7, 7)))
    os._exit(1)
"""
    with open_project(closed, read_only=True) as project:
        before = content(project)
    child(code, closed).wait()
    with open_project(closed) as project:
        assert any("'Drag' was interrupted" in notice for notice in project.notices)
        assert project.person(1).keypoints("coco17").points_px[0].tolist() == [7, 7]
        project.undo()
        assert content(project) == before


@pytest.mark.parametrize("journal", [WAL, ROLLBACK])
def test_both_ways_of_saving_keep_every_edit(closed, journal):
    with open_project(closed, journal=journal) as project:
        assert project.database.journal == journal
        project.edit(MarkEmpty(1))
    with open_project(closed, read_only=True) as project:
        assert project.photo(1).is_empty


def test_after_closing_the_database_is_one_file(closed):
    with open_project(closed) as project:
        project.edit(MarkEmpty(1))
    assert not list(closed.glob("project.sqlite-*"))


def test_a_project_moves_with_its_photos(closed, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name in ("project", "photos"):
        shutil.move(tmp_path / name, tmp_path / "elsewhere" / name)
    with open_project(tmp_path / "elsewhere" / "project") as project:
        assert project.photo_file(1) == tmp_path / "elsewhere" / "photos" / "photo0.png"


def test_photos_are_found_again_by_their_content(closed, tmp_path, make_photos):
    (tmp_path / "new" / "deep").mkdir(parents=True)
    shutil.move(tmp_path / "photos" / "photo0.png", tmp_path / "new" / "photo0.png")
    shutil.move(tmp_path / "photos" / "photo1.png", tmp_path / "new" / "deep" / "other name.png")
    shutil.rmtree(tmp_path / "photos")
    make_photos(tmp_path / "new" / "decoys", 1)
    (tmp_path / "new" / "decoys" / "photo0.png").rename(tmp_path / "new" / "decoys" / "photo2.png")
    with open_project(closed) as project:
        names = [photo.name for photo in project.photos()]
        report = project.relink(tmp_path / "new")
        assert (report.in_place, report.found, report.missing) == (0, 2, ["photo2.png"])
        assert project.photo_file(1) == tmp_path / "new" / "photo0.png"
        assert project.photo_file(2) == tmp_path / "new" / "deep" / "other name.png"
        assert [photo.name for photo in project.photos()] == names


def test_a_photo_with_other_content_in_its_place_is_told(closed, tmp_path):
    (tmp_path / "photos" / "photo1.png").write_bytes(b"something else")
    with open_project(closed) as project:
        assert project.relink(tmp_path / "photos").changed == ["photo1.png"]
    found = check_project(closed)
    assert not found.healthy
    assert "photo1.png" in str(found)


# --- damage


def damage(folder: Path, kind: str) -> None:
    """What disks, power cuts and people do to files."""
    file = folder / "project.sqlite"
    content = bytearray(file.read_bytes())
    if kind == "header":
        content[:64] = b"\0" * 64
    elif kind == "middle":
        content[4096 : len(content) - 4096] = os.urandom(len(content) - 8192)
    elif kind == "cut":
        content = content[: len(content) // 2]
    elif kind == "empty":
        content = bytearray()
    if kind == "gone":
        file.unlink()
    else:
        file.write_bytes(content)


@pytest.mark.parametrize("kind", ["header", "middle", "cut", "empty", "gone"])
def test_a_damaged_project_offers_its_backups_and_is_never_empty(closed, content, kind):
    make_backup(closed, "open")
    with open_project(closed, read_only=True) as project:
        before = content(project)
    damage(closed, kind)
    damaged = (closed / "project.sqlite").read_bytes() if kind != "gone" else None
    with pytest.raises(DamagedProjectError, match="restore") as caught:
        open_project(closed)
    newest = caught.value.backups[0]
    with open_backup(closed, newest.path) as project:
        assert content(project) == before
        with pytest.raises(ReadOnlyProjectError):
            project.edit(MarkEmpty(1))
    _, kept = restore_backup(closed, newest.path)
    assert (None if kept is None else kept.read_bytes()) == damaged
    with open_project(closed) as project:
        assert content(project) == before
        project.edit(MarkEmpty(1))


def test_random_damage_never_passes_for_an_empty_project(closed, content):
    make_backup(closed, "open")
    good = (closed / "project.sqlite").read_bytes()
    with open_project(closed, read_only=True) as project:
        before = content(project)
    random = np.random.default_rng(0)
    for _ in range(30):
        broken = bytearray(good)
        start = int(random.integers(0, len(good) - 600))
        broken[start : start + 512] = random.bytes(512)
        (closed / "project.sqlite").write_bytes(broken)
        try:
            with open_project(closed, read_only=True) as project:
                found = content(project)
                assert found == before or not check_project(closed).healthy
        except ProjectError as error:
            assert "project.sqlite" in str(error)  # noqa: PT017  (either outcome is right)


def test_a_damaged_database_pushes_no_good_backup_out(closed):
    with open_project(closed) as project:
        project.edit(MarkEmpty(1))
    good = make_backup(closed, "open") or list_backups(closed)[0]
    with sqlite3.connect(closed / "project.sqlite") as connection:
        connection.execute("INSERT INTO edit SELECT seq + 1, '', step_id, action, command, who, at, detail FROM edit "
                           "ORDER BY seq DESC LIMIT 1")  # fmt: skip
    connection.close()
    damage(closed, "middle")
    with pytest.raises(DamagedProjectError):
        make_backup(closed, "open")
    assert good.path in [backup.path for backup in list_backups(closed)]


def test_another_file_under_the_name_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "project.sqlite") as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    with pytest.raises(ProjectError, match="not of a project"):
        open_project(tmp_path)


# --- backups


def test_a_backup_that_cannot_be_written_says_why_and_not_that_the_disk_is_full(closed):
    for path in (closed / "backups").glob("*"):
        path.unlink()
    (closed / "backups").rmdir()
    (closed / "backups").write_text("a file in the way")
    with pytest.raises(StorageError, match="no backup could be made.*make the folder writable"):
        make_backup(closed, "open")


def test_opening_backs_up_what_has_changed_and_nothing_else(closed):
    open_project(closed).close()
    first = list_backups(closed)
    open_project(closed).close()
    assert list_backups(closed) == first
    with open_project(closed) as project:
        project.edit(MarkEmpty(1))
    open_project(closed).close()
    assert list_backups(closed)[0] not in first


def test_a_bulk_run_is_backed_up_before(project, person, content, make_prediction, model_run):
    before = content(project)
    with project.batch("Refine", model_run("open-cliff 2")) as batch:
        batch.apply(person, make_prediction(1))
    newest = list_backups(project.folder)[0]
    assert newest.reason == "bulk"
    with open_backup(project.folder, newest.path) as backup:
        assert content(backup) == before


def test_backups_do_not_pile_up(closed):
    for number in range(12):
        with open_project(closed) as project:
            project.edit(MarkEmpty(1, empty=number % 2 == 0))
    assert 4 <= len(list_backups(closed)) <= 6


def test_backups_made_at_the_same_time_are_whole_and_leave_no_logs(closed):
    for number in range(3):
        with open_project(closed) as project:
            project.edit(AddPerson(1, Box(1, 2, 20 + number, 40)))
            makers = [threading.Thread(target=project.backup, args=["open"]) for _ in range(4)]
            for maker in makers:
                maker.start()
            for maker in makers:
                maker.join()
            assert not [notice for notice in project.notices if "no backup was made" in notice]
        for backup in list_backups(closed):
            open_backup(closed, backup.path).close()  # raises where it is not whole
    names = {path.name for path in (closed / "backups").iterdir()}
    assert not [name for name in names if name.startswith("unfinished")]
    logs = {name.removesuffix(end) for name in names for end in ("-wal", "-shm") if name.endswith(end)}
    assert logs <= names


def test_an_unfinished_backup_is_none(closed):
    (closed / "backups").mkdir(exist_ok=True)
    (closed / "backups" / "unfinished-open.sqlite").write_bytes(b"half")
    before = len(list_backups(closed))
    with open_project(closed) as project:
        project.edit(MarkEmpty(1))
        project.backup("bulk")
    assert len(list_backups(closed)) > before
    assert not list((closed / "backups").glob("unfinished*"))


# --- versions


def at_first_version(folder: Path, target: Path, content_of: Path) -> None:
    """The same people in a file as the first version of the tables had it."""
    shutil.copytree(folder, target)
    (target / "project.sqlite").unlink()
    (target / "project.sqlite").touch()
    database = Database(target / "project.sqlite", read_only=False, journal=ROLLBACK)
    schema.migrate(database, 0, 1)
    database.execute("ATTACH DATABASE ? AS other", [str(content_of)])
    with database.transaction():
        database.execute("PRAGMA defer_foreign_keys=ON")
        for table in ("setting", "root", "run", "photo", "prediction", "person", "comment", "step", "edit", "change"):
            columns = ", ".join(row[1] for row in database.rows(f"PRAGMA main.table_info({table})"))
            database.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM other.{table}")
    database.close()


def test_a_project_of_an_older_version_is_backed_up_and_brought_up_to_date(closed, tmp_path, content):
    old = tmp_path / "old"
    at_first_version(closed, old, closed / "project.sqlite")
    with open_project(closed, read_only=True) as project:
        before = content(project)
    with pytest.raises(ReadOnlyProjectError, match="older version"):
        open_project(old, read_only=True)
    with open_project(old) as project:
        assert content(project) == before
        assert project.photo(1).people == 1
        assert any("brought from version 1" in notice for notice in project.notices)
        assert list(differences(project.database)) == []
    assert "migration" in {backup.reason for backup in list_backups(old)}
    assert check_project(old).healthy


def test_a_project_of_a_newer_version_is_refused_untouched(closed):
    connection = sqlite3.connect(closed / "project.sqlite", isolation_level=None)
    connection.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    connection.close()
    before = (closed / "project.sqlite").read_bytes()
    with pytest.raises(NewerProjectError, match="update the program"):
        open_project(closed)
    assert (closed / "project.sqlite").read_bytes() == before
