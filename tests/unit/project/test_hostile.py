"""Whatever is thrown at a project: it is stored as it is meant, or refused with one typed error and nothing changed."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.commands import AddComment, AddPerson, MovePoint
from annotator.project import EditError, ProjectError, create_project, open_project
from annotator.project.database import UNSAFE
from annotator.project.documents import document_of, parse_document
from annotator.project.fields import checked
from annotator.project.filesystem import place_of
from annotator.project.integrity import differences
from annotator.project.lock import WriterLock, is_running
from annotator.project.rebuild import rebuild_project
from cliff_core.records import Box

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(("human", "model")),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    "present rank state review gender box points/coco17/nose points/coco17/x points/none/nose pose/left_knee pose/x "
    "betas/0 betas/99 transl from/box from/body from/points/coco17 from/x camera empty excluded text resolved place "
    "nothing".split()
)


@QUIET
@given(kind=st.sampled_from(("photo", "person", "comment", "planet")), field=FIELDS, value=JSON)
def test_a_value_is_stored_as_it_comes_back_or_refused(kind, field, value):
    try:
        normal = checked(kind, field, value)
    except EditError:
        return
    again = json.loads(json.dumps(normal, allow_nan=False))
    assert again == normal
    assert checked(kind, field, again) == normal


@pytest.fixture
def document(project, person):
    project.edit(MovePoint(person, "coco17", "nose", (1 / 3, 2)))
    project.edit(AddPerson(1, Box(1, 2, 3, 4)))
    project.edit(AddComment(1, "look"))
    return document_of(project, 1).text


def places(value, path=()):
    """Every place in a JSON document."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


@QUIET
@given(data=st.data())
def test_a_mirror_file_with_anything_in_it_is_read_or_refused(document, data):
    content = json.loads(document)
    path = data.draw(st.sampled_from([place for place in places(content) if place]))
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = data.draw(JSON)
    try:
        parsed = parse_document(json.dumps(content).encode(), "file")
    except ProjectError as error:
        assert str(error).startswith("file: ")  # noqa: PT017  (either outcome is right)
        return
    assert parse_document(parsed.text, "again").text == parsed.text


@QUIET
@given(cut=st.integers(0, 5000), noise=st.binary(max_size=20))
def test_a_mirror_file_that_is_cut_or_overwritten_is_read_or_refused(document, cut, noise):
    try:
        parse_document(document[:cut] + noise + document[cut + len(noise) :], "file")
    except ProjectError as error:
        assert str(error).startswith("file: ")  # noqa: PT017  (either outcome is right)


@pytest.mark.parametrize("name", ["../../outside.png", "/etc/passwd", "C:\\photo.png", "", "a/../../b"])
def test_a_mirror_file_cannot_point_outside_the_photos(document, name):
    content = json.loads(document)
    content["photo"]["name"] = name
    with pytest.raises(ProjectError):
        parse_document(json.dumps(content).encode(), "file")


def test_a_mirror_file_cannot_be_written_outside_the_project(document):
    content = json.loads(document)
    content["photo"]["uid"] += "/../../../outside"
    with pytest.raises(ProjectError, match="no uid"):
        parse_document(json.dumps(content).encode(), "file")


def test_files_that_somebody_copied_by_hand_lose_nobody(project, person, document, tmp_path):
    project.write_mirror()
    project.close()
    folder = project.folder / "annotations"
    content = json.loads(document)
    content["photo"] |= {"sha256": "a" * 64, "uid": "a" * 20}  # another photo of the same name with the same people
    (folder / "aa").mkdir()
    (folder / "aa" / "copy.json").write_text(json.dumps(content), "utf-8")
    (folder / "aa" / "copy 2.json").write_text(json.dumps(content), "utf-8")
    report = rebuild_project(project.folder)
    assert (report.photos, report.people) == (2, 4)
    assert len(report.refused) == 1
    with open_project(project.folder) as again:
        assert len({photo.name for photo in again.photos()}) == 2
        assert len({someone.uid for someone in again.people()}) == 4
        assert list(differences(again.database)) == []


@pytest.mark.parametrize("content", [b"", b"format = ", b"\xff\xfe", b"name = 3\nuid = 4", b'name = "x"'])
def test_a_damaged_description_is_written_anew_or_named(project, content):
    project.close()
    description = project.folder / "project.toml"
    whole = description.read_bytes()
    description.write_bytes(content)
    with open_project(project.folder) as again:  # the database knows all that it says
        assert len(list(again.photos())) == 3
    description.unlink()
    open_project(project.folder).close()
    assert description.read_bytes() == whole


def test_a_folder_with_other_things_in_it_keeps_them(tmp_path, photos):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "mine" / ".gitignore").write_text("secret\n")
    project, _ = create_project(tmp_path / "mine", photos)
    project.close()
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "mine" / ".gitignore").read_text() == "secret\n"


def test_photos_in_the_projects_own_folder_are_found_and_our_pictures_are_not(tmp_path, photos):
    shutil.copytree(photos, tmp_path / "holiday")
    (tmp_path / "holiday" / "runs" / "1").mkdir(parents=True)
    shutil.copyfile(photos / "photo0.png", tmp_path / "holiday" / "runs" / "1" / "overlay.png")
    project, (report,) = create_project(tmp_path / "holiday", tmp_path / "holiday", journal=UNSAFE)
    project.close()
    assert report.added == 3


# --- where a folder lies

LINUX = """
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 22 0:35 / /mnt/team\\040share rw shared:2 - nfs4 server:/export rw
41 22 0:36 / /mnt/windows rw - cifs //server/share rw
42 22 0:37 / /people/me/remote rw - fuse.sshfs ada@host: rw
43 22 8:17 / /media/stick rw - fuseblk /dev/sdb1 rw
44 22 0:40 / /mnt/team\\040share/local rw - xfs /dev/sdc1 rw
45 22 0:41 / /people/me/crypt rw - fuse.gocryptfs /people/me/.crypt rw
"""
MACOS = """
/dev/disk3s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
//ada@server/share on /Volumes/share (smbfs, nodev, nosuid, mounted by ada)
server:/export on /Volumes/nfs disk (nfs, nodev, nosuid)
"""


@pytest.mark.skipif(os.name == "nt", reason="paths as Unix writes them")
@pytest.mark.parametrize(
    ("mounts", "folder", "kind"),
    [
        (LINUX, "/people/me/project", "local"),
        (LINUX, "/mnt/team share/project", "network"),
        (LINUX, "/mnt/team share/local/project", "local"),
        (LINUX, "/mnt/windows", "network"),
        (LINUX, "/people/me/remote/x/y", "network"),
        (LINUX, "/media/stick/project", "local"),
        (LINUX, "/people/me/crypt/project", "local"),
        (LINUX, "/people/me/Dropbox/project", "synced"),
        (LINUX, "/people/me/OneDrive - Firm/project", "synced"),
        (MACOS, "/private/me/project", "local"),
        (MACOS, "/Volumes/share/project", "network"),
        (MACOS, "/Volumes/nfs disk/project", "network"),
        (MACOS, "/private/me/Library/Mobile Documents/project", "synced"),
        ("", "/anything", "local"),
        ("no table at all", "/anything", "local"),
    ],
)
def test_a_folder_on_a_network_is_recognised(mounts, folder, kind):
    assert place_of(Path(folder), mounts).kind == kind


def test_a_project_in_a_synchronised_folder_is_saved_the_safe_way_and_says_so(tmp_path, photos):
    project, _ = create_project(tmp_path / "Dropbox" / "project", photos)
    with project:
        assert project.database.journal == "delete"
        assert any("kept in step with a cloud" in notice for notice in project.notices)
        project.edit(AddPerson(1, Box(1, 2, 3, 4)))
    with open_project(tmp_path / "Dropbox" / "project", read_only=True) as again:
        assert len(list(again.people())) == 1


def test_without_locks_of_the_system_a_file_stands_for_them(tmp_path):
    """What happens on network drives that know no locks; taken here without asking the system first."""
    first, second = WriterLock(tmp_path), WriterLock(tmp_path)
    (tmp_path / "project.lock").write_text(
        json.dumps({"host": "elsewhere", "pid": 1, "user": "Bob", "since": "2026-11-22T00:00:00Z"})
    )
    assert first._acquire_substitute() is None
    holder = second._acquire_substitute()
    assert holder is not None
    assert holder.user == "Bob"
    (tmp_path / "project.lock").write_text(
        json.dumps({"host": socket.gethostname(), "pid": dead_process(), "user": "Ada", "since": "x"})
    )
    assert second._acquire_substitute() is None  # the one who held it does not run any more


def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not is_running(child.pid)
    return child.pid


def test_this_process_runs():
    assert is_running(os.getpid())
