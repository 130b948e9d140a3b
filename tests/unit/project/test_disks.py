"""Disks that are full or cannot be written: one clear error, nothing half done, nothing lost."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from annotator.commands import MovePoint
from annotator.project import StorageError, open_project
from annotator.project.integrity import differences

REPOSITORY = Path(__file__).resolve().parents[3]


def child(code: str, *arguments) -> subprocess.Popen:
    """Another program."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def test_a_full_disk_is_one_clear_error_and_nothing_is_half_done(project, person, content):
    before = content(project)
    pages = project.database.value("PRAGMA page_count")
    project.database.value(f"PRAGMA max_page_count={pages}")
    refused = 0
    for x in range(200):
        try:
            project.edit(MovePoint(person, "coco17", "nose", (x, x)))
            before = content(project)
        except StorageError as error:
            assert "disk is full" in str(error)  # noqa: PT017  (the edits before it fit)
            refused += 1
    assert refused
    assert content(project) == before
    assert list(differences(project.database)) == []
    project.database.value(f"PRAGMA max_page_count={pages * 1000}")
    project.edit(MovePoint(person, "coco17", "nose", (0.5, 0.5)))


LIMITED = """
import resource, signal, sys
from annotator.commands import MovePoint
from annotator.project import open_project, StorageError
project = open_project(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = (project.folder / "project.sqlite").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40_000, size + 40_000))
done = 0
try:
    for x in range(10_000):
        project.edit(MovePoint(1, "coco17", "nose", (x, 0)))
        done = x
except StorageError as error:
    print(done, flush=True)
    import os
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as Unix does")
def test_a_disk_that_fills_up_for_good_loses_no_acknowledged_edit(closed):
    writer = child(LIMITED, closed)
    last = int(writer.communicate()[0])
    assert writer.returncode == 0
    with open_project(closed) as project:
        assert project.person(1).keypoints("coco17").points_px[0, 0] in (last, last + 1)
        assert list(differences(project.database)) == []


UNPRIVILEGED = """
import json, os, sys
from annotator.commands import MarkEmpty
from annotator.project import ReadOnlyProjectError, open_project
import annotator.project.integrity
if os.geteuid() == 0:
    os.setuid(65534)
with open_project(sys.argv[1]) as project:
    try:
        project.edit(MarkEmpty(1))
    except ReadOnlyProjectError as error:
        print(json.dumps([project.read_only, len(list(project.people())), project.notices, str(error)]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions as Unix has them")
def test_a_read_only_folder_is_read_and_says_so(closed, tmp_path):
    open_place = Path("/tmp") if os.geteuid() == 0 else tmp_path  # another user may enter it
    folder = Path(shutil.copytree(closed, open_place / f"cliff-read-only-{os.getpid()}"))
    try:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        answer, _ = child(UNPRIVILEGED, folder).communicate()
        read_only, people, notices, error = json.loads(answer)
        assert (read_only, people) == (True, 1)
        assert "cannot be written" in notices[0]
        assert "cannot be changed here" in error
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(folder)
