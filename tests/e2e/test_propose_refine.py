"""The loop on a project, from the shell and as jobs that are killed, stopped and cancelled: real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotator.apply import apply_job, discard_job
from annotator.commands import AddPerson, MovePoint, SetBetas, SetCamera, SetPose, SetState
from annotator.jobs import JobRequest, Jobs
from annotator.project import create_project, open_project
from annotator.project.importing import import_file
from annotator.worklist import INSIDE, SUSPICION
from cliff_core.models import load_cliff
from cliff_core.records import Box, Camera, Provenance

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "resources" / "sample"
PHOTOS = ("beach_arms.jpg", "gym_kick.jpg", "park_walk.jpg", "yard_portrait.jpg")
PEOPLE = 6
SECONDS = 400.0
kills = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")


def run(*arguments):
    """One real `python main.py ...`, as a shell starts it."""
    command = [sys.executable, str(REPOSITORY / "main.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=400, check=False)


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A project of four photos of the sample, with nobody on them."""
    folder = tmp_path_factory.mktemp("loop")
    (folder / "photos").mkdir()
    for name in PHOTOS:
        shutil.copyfile(SAMPLE / "photos" / name, folder / "photos" / name)
    project, _ = create_project(folder / "project", folder / "photos")
    project.close()
    return folder / "project"


@pytest.fixture(scope="module")
def labelled(bare, tmp_path_factory) -> Path:
    """The same photos with the sample's people, each with a body."""
    folder = tmp_path_factory.mktemp("labelled") / "project"
    project, _ = create_project(folder, bare.parent / "photos")
    with project:
        import_file(project, SAMPLE / "keypoints.json")
        job = finish(project, JobRequest("propose"))
        apply_job(project, job)
    return folder


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "project"))


def finish(project, request, *, states=("done",)):
    """A job, watched to its end."""
    jobs = Jobs(project.folder)
    return wait_for(jobs, jobs.start(request), states)


def wait_for(jobs, job, states=("done",)):
    until = time.monotonic() + SECONDS
    while not job.has_ended:
        assert time.monotonic() < until, (job.state, job.text, job.log_tail())
        jobs.poll()
        time.sleep(0.05)
    assert job.state in states, (job.state, job.text, job.log_tail())
    return job


def wait_until(jobs, job, condition):
    until = time.monotonic() + SECONDS
    while not condition(job):
        assert time.monotonic() < until
        assert not job.has_ended, (job.state, job.text, job.log_tail())
        jobs.poll()
        time.sleep(0.01)


def bodies(project):
    """Photo -> the bodies of its people, sorted by place, as plain arrays."""
    found = {}
    for photo in project.photos():
        parts = [person.body for person in project.people_on(photo.id)]
        rows = [np.concatenate([b.params.pose_rotvec.ravel(), b.params.betas, b.params.transl]) for b in parts if b]
        found[photo.name] = sorted(rows, key=lambda row: float(row[82]))
    return found


def same(first, second, tolerance=0.0):
    assert first.keys() == second.keys()
    for name, rows in first.items():
        assert len(rows) == len(second[name]), name
        for one, other in zip(rows, second[name], strict=True):
            assert np.abs(one - other).max() <= tolerance, name


@pytest.mark.parametrize("command", ["propose", "refine", "focal", "evaluate"])
def test_every_command_of_the_loop_explains_itself(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


def test_propose_from_the_shell_fills_what_is_empty_and_only_that(bare, tmp_path):
    folder = copied(bare, tmp_path)
    done = run("propose", folder, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert report["photos"] == len(PHOTOS)
    assert 4 <= report["added"] <= 8
    with open_project(folder) as project:
        people = list(project.people())
        assert all(person.body and person.box and person.keypoints("coco17") for person in people)
        assert {person.body.pose_source[0] for person in people} == {Provenance.MODEL}
        project.edit(SetState(people[0].id, "done"))
    again = json.loads(run("propose", folder, "--json").stdout)
    assert (again["photos"], again["added"], again["step"]) == (0, 0, None)
    with open_project(folder) as project:
        project.revert(report["step"])
        assert [person.state for person in project.people()] == ["done"]  # what a hand has touched stays
    done = run("check", folder)
    assert done.returncode == 0, done.stdout


def test_people_who_are_known_get_bodies_and_keep_their_points(labelled):
    with open_project(labelled, read_only=True) as project:
        people = list(project.people())
        assert len(people) == PEOPLE
        assert all(person.body is not None for person in people)
        assert all(person.predictions["points/coco17"].run.kind is Provenance.IMPORTED for person in people)
        assert all(person.predictions["box"].run.kind is Provenance.IMPORTED for person in people)
        assert project.database.value("SELECT count(*) FROM measure WHERE name = ?", [INSIDE]) == PEOPLE


def test_a_propose_that_could_read_no_photo_fails_and_says_how_to_find_them(bare, tmp_path):
    folder = Path(shutil.copytree(bare, tmp_path / "project"))
    with open_project(folder) as project, project.database.transaction():
        project.database.execute("UPDATE root SET near = NULL, far = ?", [str(tmp_path / "gone")])

    done = run("propose", folder)

    assert done.returncode == 1
    assert done.stdout.count("no such file") == len(PHOTOS)
    assert "`relink` finds photos that have moved" in done.stdout


@pytest.mark.slow
@kills
def test_a_killed_propose_goes_on_and_gives_what_an_undisturbed_one_gives(bare, tmp_path):
    calm, rough = (copied(bare, tmp_path / name) for name in ("calm", "rough"))
    with open_project(calm) as project:
        apply_job(project, finish(project, JobRequest("propose", {"workers": 1})))
        expected = bodies(project)
    with open_project(rough) as project:
        jobs = Jobs(rough)
        job = jobs.start(JobRequest("propose", {"workers": 1}))
        wait_until(jobs, job, lambda each: each.shards >= 1)
        os.kill(job.run.description()["pid"], signal.SIGKILL)
        wait_for(jobs, job, ("failed",))
        assert "without a word" in job.text
        first = apply_job(project, job)
        assert 0 < len(first.photos) < len(PHOTOS)
    with open_project(rough) as project:  # as after the window was closed and opened again
        jobs = Jobs(rough)
        (job,) = jobs.list()
        job.resume()
        wait_for(jobs, job)
        second = apply_job(project, job)
        assert second.step == first.step
        same(bodies(project), expected)


@pytest.mark.slow
def test_a_stopped_propose_keeps_what_it_has_and_a_cancelled_one_leaves_no_trace(bare, tmp_path):
    folder = copied(bare, tmp_path)
    with open_project(folder) as project:
        jobs = Jobs(folder)
        job = jobs.start(JobRequest("propose", {"workers": 1}))
        wait_until(jobs, job, lambda each: each.shards >= 1)
        job.stop()
        wait_for(jobs, job, ("stopped", "done"))
        kept = apply_job(project, job)
        assert kept.added > 0
        assert len(kept.photos) <= len(PHOTOS)
        before = bodies(project)
        discard_job(project, job)
        job = jobs.start(JobRequest("propose", {"workers": 1}))
        wait_until(jobs, job, lambda each: each.shards >= 1)
        apply_job(project, job)
        job.cancel()
        wait_for(jobs, job, ("cancelled",))
        discard_job(project, job)
        assert not list(project.people())
        assert jobs.list() == []
        assert any(before.values())


def test_a_box_that_a_person_drew_gets_points_and_a_body(bare, tmp_path):
    folder = copied(bare, tmp_path)
    truth = {each["id"]: each for each in json.loads((SAMPLE / "keypoints.json").read_text("utf-8"))["images"]}
    wanted = next(number for number, each in truth.items() if each["file_name"] == "gym_kick.jpg")
    entries = json.loads((SAMPLE / "keypoints.json").read_text("utf-8"))["annotations"]
    left, top, width, height = next(each["bbox"] for each in entries if each["image_id"] == wanted)
    with open_project(folder) as project:
        photo = project.photo_named("gym_kick.jpg")
        box = Box(left, top, left + width, top + height, source=Provenance.HUMAN)
        project.edit(AddPerson(photo.id, box))
        (person,) = project.people_on(photo.id)
        applied = apply_job(project, finish(project, JobRequest("boxes", {"people": [person.id]})))
        after = project.person(person.id)
        assert (applied.changed, applied.photos) == (1, {photo.id})
        assert after.box == box
        assert after.body is not None
        assert (after.keypoints("coco17").visibility > 0).sum() >= 10


def test_refine_learns_from_points_and_changes_nothing_that_a_person_set(labelled, tmp_path):
    folder = copied(labelled, tmp_path)
    with open_project(folder) as project:
        people = list(project.people())
        project.edit(SetPose(people[0].id, {"left_elbow": (0.0, -0.75, 0.0)}))
        project.edit(SetBetas(people[1].id, {0: 1.25}))
        project.edit(MovePoint(people[2].id, "coco17", "nose", (100.5, 60.25)))
        project.edit(SetState(people[3].id, "done"))
        own = {person.id: dict(project.person(person.id).own) for person in people[:4]}
        finished = project.person(people[3].id).body.params
    done = run("refine", folder, "--seed", "3", "--always", "--json", "--out", tmp_path / "out")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (report["people"], report["supervising"]) == (PEOPLE, PEOPLE)
    assert report["withheld_after"] <= report["withheld_before"]
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert html.count("data:image/jpeg;base64") >= 2
    assert "http" not in html.replace("http-equiv", "")
    assert json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["edited_joints"] == 1
    with open_project(folder) as project:
        for number, before in own.items():
            after = project.person(number).own
            assert {key: value for key, value in before.items() if not key.startswith("from/")} == {
                key: value for key, value in after.items() if not key.startswith("from/")
            }
        assert np.array_equal(project.person(people[3].id).body.params.pose_rotvec, finished.pose_rotvec)
        for name in (SUSPICION, INSIDE):
            measured = dict(project.database.rows("SELECT person_id, value FROM measure WHERE name = ?", [name]))
            assert len(measured) == PEOPLE
            assert all(np.isfinite(value) for value in measured.values())
        changed = [person for person in project.people() if person.body.model.endswith("-refined")]
        assert len(changed) == report["changed"] >= PEOPLE - 3
        project.revert(report["step"])
        assert not any(person.body.model.endswith("-refined") for person in project.people())
    assert load_cliff(tmp_path / "out" / "weights.pt").name == f"{load_cliff().name}-refined"


def test_refine_gives_a_body_to_people_who_have_none_whatever_it_is_worth_to_the_others(bare, tmp_path):
    folder = copied(bare, tmp_path)
    shutil.copytree(bare.parent / "photos", tmp_path / "photos")
    with open_project(folder) as project:
        import_file(project, SAMPLE / "keypoints.json")
        first = project.photo_named(PHOTOS[0]).id
        apply_job(project, finish(project, JobRequest("propose", {"photos": [first]})))
        before = {person.id: person.body for person in project.people()}
    without = [number for number, body in before.items() if body is None]
    assert 0 < len(without) < len(before)
    shown = run("worklist", folder)
    assert f"{len(without)} people have no body yet: propose predicts them" in shown.stdout, shown.stderr
    done = run("refine", folder, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    with open_project(folder) as project:
        assert all(person.body is not None for person in project.people())
        stays = [project.person(number).body.params for number in before if number not in without]
    if not report["applied"]:  # what people have stays where points do not say that the new one is better
        old = [before[number].params for number in before if number not in without]
        assert all(np.array_equal(a.pose_rotvec, b.pose_rotvec) for a, b in zip(stays, old, strict=True))
        assert report["changed"] == len(without)
    assert "no body" not in run("worklist", folder).stdout


@pytest.mark.slow
@pytest.mark.parametrize("how", [pytest.param("failed", marks=kills), "paused"])
def test_a_killed_or_paused_refine_goes_on_and_gives_what_an_undisturbed_one_gives(labelled, tmp_path, how):
    calm, rough = (copied(labelled, tmp_path / name) for name in ("calm", "rough"))
    with open_project(calm) as project:
        before = bodies(project)
        apply_job(project, finish(project, JobRequest("refine")))
        expected = bodies(project)
    with open_project(rough) as project:
        jobs = Jobs(rough)
        job = jobs.start(JobRequest("refine"))
        wait_until(jobs, job, lambda each: each.pictures > 0)
        if how == "paused":
            job.pause()
        else:
            os.kill(job.run.description()["pid"], signal.SIGKILL)
        wait_for(jobs, job, (how,))
        assert not job.run.is_held()
        same(bodies(project), before)
        job.resume()
        wait_for(jobs, job)
        apply_job(project, job)
        same(bodies(project), expected, tolerance=1e-5)


@pytest.mark.slow
def test_a_refine_that_is_stopped_early_keeps_the_best_so_far(labelled, tmp_path):
    folder = copied(labelled, tmp_path)
    with open_project(folder) as project:
        before = bodies(project)
        jobs = Jobs(folder)
        job = jobs.start(JobRequest("refine"))
        wait_until(jobs, job, lambda each: len(each.curves) >= 3)
        job.stop()
        wait_for(jobs, job, ("stopped",))
        assert len(job.result["rounds"]) == 1
        assert (job.folder / "report.html").is_file()
        assert apply_job(project, job).changed >= PEOPLE - 2
        assert {name: len(rows) for name, rows in bodies(project).items()} == {
            name: len(rows) for name, rows in before.items()
        }


def test_focal_lengths_follow_from_a_persons_word_a_photos_notes_or_the_people_on_it(tmp_path):
    (tmp_path / "photos").mkdir()
    told = Image.Exif()
    told.get_ifd(0x8769)[0xA405] = 35
    for name in PHOTOS:
        with Image.open(SAMPLE / "photos" / name) as picture:
            exif = told if name == "gym_kick.jpg" else Image.Exif()
            picture.save(tmp_path / "photos" / name, quality="keep", exif=exif)
    folder, set_by_hand = tmp_path / "project", Camera(777.0, (960, 640))
    project, _ = create_project(folder, tmp_path / "photos")
    with project:
        numbers = {photo.name: photo.id for photo in project.photos()}
        project.edit(SetCamera(numbers["park_walk.jpg"], set_by_hand))
        given_back = Camera.guess((640, 960))
        project.edit(SetCamera(numbers["gym_kick.jpg"], given_back, source=Provenance.MODEL))
    assert run("propose", folder).returncode == 0
    with open_project(folder) as project:
        before = {photo.name: photo.camera for photo in project.photos()}
    of_notes = Camera.of_35mm(35, (640, 960))
    assert before == dict.fromkeys(PHOTOS) | {"park_walk.jpg": set_by_hand, "gym_kick.jpg": of_notes}

    done = run("focal", folder, "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    estimated = {each["name"]: each["focal_length_px"] for each in report["cameras"] if each["taken"]}
    assert estimated.keys() <= {"beach_arms.jpg", "yard_portrait.jpg"}
    assert (report["told"], report["photos"]) == (0, len(estimated))  # propose has taken the notes over
    with open_project(folder) as project:
        found = {photo.name: photo.camera for photo in project.photos()}
        for name in PHOTOS:
            if name in estimated:
                assert found[name].focal_length_px == pytest.approx(estimated[name], abs=0.1)
            else:
                assert found[name] == before[name]
        project.revert(report["step"])
        assert {photo.name: photo.camera for photo in project.photos()} == before


def test_evaluate_measures_bodies_against_truth(labelled):
    done = run("evaluate", labelled, "--truth", SAMPLE / "truth.npz", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert report["compared"] == PEOPLE
    by_name = {row["name"].split(",")[0]: row["mean"] for row in report["rows"]}
    assert 30 < by_name["PA-MPJPE"] < by_name["MPJPE"] < 130
