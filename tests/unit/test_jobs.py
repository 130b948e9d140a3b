"""Jobs: child processes that share a folder with whoever watches, and nothing else."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotator.apply import apply_job, discard_job, is_current, is_left
from annotator.commands import AddPerson, Exclude, MarkEmpty, MovePoint, SetPose, SetState
from annotator.jobs import Job, JobError, JobRequest, Jobs
from annotator.loop import run_here, run_job_here
from annotator.project import Prediction, Run
from annotator.project.queries import worst_first
from annotator.runs import CANCELLED, DONE, JOURNAL, Cancelled, News, Paused, RunFolder
from annotator.shards import BODILESS, Shard, ShardRow, read_shard, write_shard
from annotator.worklist import INSIDE, next_people
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams

SIZE = (64, 48)
NOTES = {"run": {"kind": "model", "name": "test-model", "settings": {"proposes": "v1"}}}


def prediction(left=3.0, seed=0):
    rng = np.random.default_rng(seed)
    points = Keypoints.uniform("coco17", rng.uniform(0, 40, (17, 2)), np.full(17, 2), source=Provenance.MODEL)
    params = SmplParams(rng.normal(size=(24, 3)), rng.normal(size=10), rng.normal(5.0, size=3))
    return Prediction(Box(left, 3, left + 20, 40, 0.9), points, params, Camera(80.0, SIZE), np.array([0.9, 0.0, 0.0]))


def job_with(project, *shards, kind="propose"):
    """A job that has finished these shards and still runs, as far as its folder says."""
    run = RunFolder.create(project.folder, JobRequest(kind))
    for number, shard in enumerate(shards):
        write_shard(run.shards / f"{number:06}-abc.npz", shard)
    return Job(run)


def newcomer(photo_id, left=3.0, uid="a" * 32, seed=0, suspicion=0.5):
    return ShardRow(photo_id, (prediction(left, seed),), uid=uid, suspicion=suspicion)


# --- what jobs need: no torch, no Qt


def test_the_window_can_watch_jobs_without_torch():
    code = "import sys, annotator.jobs, annotator.apply; print([m for m in ('torch', 'PySide6') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- a job that ended while nobody was there


def ended(project, *shards, kind="refine"):
    """A job that is done and whose shell is gone."""
    job = job_with(project, *shards, kind=kind)
    job.run.begin()
    job.run.end(DONE, people=len(shards), **{JOURNAL: project.journal.last_seq()})
    return Job(job.run)


def silent(done, total, text):
    pass


@pytest.mark.parametrize("kind", ["propose", "refine"])
def test_a_job_that_ended_while_nobody_was_there_is_taken_in_by_whoever_asks_for_the_same(project, kind):
    job = ended(
        project, Shard((newcomer(1),), notes=NOTES), Shard((newcomer(2, uid="b" * 32),), notes=NOTES), kind=kind
    )
    if kind == "propose":
        found, applied = run_here(project, JobRequest(kind), silent)
    else:
        found, _ = run_job_here(project, JobRequest(kind), silent)
        applied = apply_job(project, found)
    assert (found.id, applied.added) == (job.id, 2)
    assert [each.id for each in Jobs(project.folder).list()] == [job.id]


def test_what_a_killed_shell_has_half_taken_in_is_taken_in_to_its_end(project):
    job = ended(project, Shard((newcomer(1),), notes=NOTES))
    apply_job(project, job)
    write_shard(job.run.shards / "000001-abc.npz", Shard((newcomer(2, uid="b" * 32),), notes=NOTES))
    assert is_left(project, job)
    assert is_current(project, job)
    assert apply_job(project, job).added == 1
    assert not is_left(project, job)


def test_a_job_that_was_taken_back_is_not_left_over(project):
    job = ended(project, Shard((newcomer(1),), notes=NOTES))
    project.revert(apply_job(project, job).step)
    assert not is_left(project, job)


def test_a_job_that_ended_before_somebody_changed_the_project_would_say_something_else_now(project, tmp_path):
    job = ended(project, Shard((newcomer(1),), notes=NOTES))
    assert is_current(project, job)
    project.edit(AddPerson(2, Box(1, 1, 20, 40, source=Provenance.HUMAN)))
    assert not is_current(project, job)
    weights = tmp_path / "weights.pt"
    run = RunFolder.create(project.folder, JobRequest("refine", {"model": str(weights)}))
    run.begin()
    run.end(DONE, **{JOURNAL: project.journal.last_seq()})
    assert not is_current(project, Job(run))  # the file is not even there
    weights.touch()
    os.utime(weights, (1, 1))
    assert is_current(project, Job(run))
    os.utime(weights, (2**32, 2**32))
    assert not is_current(project, Job(run))


# --- shards


def test_a_shard_brings_back_every_digit(tmp_path):
    run = Run.new(Provenance.IMPORTED, "their-model", {"file": "x.npz"})
    rows = (
        newcomer(1),
        ShardRow(2, (prediction(seed=1), Prediction(params=prediction(seed=2).params, run=run)), person_id=7),
    )
    shard = Shard(rows, (3,), {4: "gone"}, NOTES, {2: Camera(80.0, SIZE, (30.0, 20.0))})
    write_shard(tmp_path / "s.npz", shard)
    again = read_shard(tmp_path / "s.npz")
    assert (again.nobody, again.refused, again.notes, again.cameras) == ((3,), {4: "gone"}, NOTES, shard.cameras)
    for ours, theirs in zip(rows, again.rows, strict=True):
        assert (theirs.photo_id, theirs.person_id, theirs.uid) == (ours.photo_id, ours.person_id, ours.uid)
        for one, other in zip(ours.predictions, theirs.predictions, strict=True):
            assert (one.box, one.camera) == (other.box, other.camera)
            assert np.array_equal(one.params.pose_rotvec, other.params.pose_rotvec)
            assert np.array_equal(one.params.transl, other.params.transl)
            if one.keypoints is not None:
                assert np.array_equal(one.keypoints.points_px, other.keypoints.points_px)
    assert again.rows[1].predictions[1].run.uid == run.uid


@pytest.mark.parametrize("cut", [0, 10, 400])
def test_a_damaged_shard_is_named(tmp_path, cut):
    write_shard(tmp_path / "s.npz", Shard((newcomer(1),), notes=NOTES))
    content = (tmp_path / "s.npz").read_bytes()
    (tmp_path / "s.npz").write_bytes(content[:cut])
    with pytest.raises(JobError, match=r"s\.npz: damaged"):
        read_shard(tmp_path / "s.npz")


# --- taking shards in


def test_shards_that_come_later_belong_to_the_same_step(project):
    job = job_with(project, Shard((newcomer(1, uid="a" * 32),), notes=NOTES))
    first = apply_job(project, job)
    project.edit(AddPerson(2))
    write_shard(job.run.shards / "000001-abc.npz", Shard((newcomer(2, uid="b" * 32),), notes=NOTES))
    second = apply_job(project, job)
    assert (first.shards, second.shards, first.step) == (1, 1, second.step)
    assert apply_job(project, job).shards == 0
    assert (first.photos, second.photos) == ({1}, {2})
    project.revert(first.step)
    assert [len(project.people_on(photo)) for photo in (1, 2)] == [0, 1]


def test_what_is_of_people_without_a_body_can_be_taken_in_alone_and_the_rest_later(project):
    bare = replace(newcomer(2, uid="b" * 32), predictions=(Prediction(Box(3, 3, 23, 40), None),))
    apply_job(project, job_with(project, Shard((newcomer(1), bare), notes=NOTES)))
    (known,), (bodiless,) = project.people_on(1), project.people_on(2)
    rows = [ShardRow(each.photo_id, (prediction(seed=7),), each.id) for each in (bodiless, known)]
    first, second = (
        Shard((row,), notes={**NOTES, BODILESS: is_so}) for row, is_so in zip(rows, (True, False), strict=True)
    )
    job = ended(project, first, second, kind="refine")
    applied = apply_job(project, job, only_bodiless=True)
    assert (applied.changed, applied.photos) == (1, {2})
    assert project.person(bodiless.id).body is not None
    assert np.array_equal(project.person(known.id).body.params.betas, known.body.params.betas)
    assert apply_job(project, job, only_bodiless=True).shards == 0
    assert is_left(project, job)
    assert is_current(project, job)
    rest = apply_job(project, job)
    assert (rest.changed, rest.step) == (1, applied.step)
    assert np.array_equal(project.person(known.id).body.params.betas, prediction(seed=7).params.betas)


def test_nothing_comes_back_that_a_person_has_undone(project):
    job = job_with(project, Shard((newcomer(1),), notes=NOTES))
    step = apply_job(project, job).step
    project.revert(step)
    write_shard(job.run.shards / "000001-abc.npz", Shard((newcomer(2, uid="b" * 32),), notes=NOTES))
    assert apply_job(project, job).shards == 0
    assert project.people_on(2) == []
    again = apply_job(project, job, only_new=False)
    assert (again.step, again.shards) == (step, 1)
    assert [len(project.people_on(photo)) for photo in (1, 2)] == [1, 1]


def test_a_job_changes_nothing_that_a_person_set(project):
    apply_job(project, job_with(project, Shard((newcomer(1),), notes=NOTES)))
    (person,) = project.people_on(1)
    project.edit(SetPose(person.id, {"left_knee": (0.125, 0.25, 0.5)}))
    project.edit(MovePoint(person.id, "coco17", "nose", (11.5, 12.5)))
    row = ShardRow(1, (prediction(seed=5),), person.id, suspicion=2.0)
    applied = apply_job(project, job_with(project, Shard((row,), notes=NOTES), kind="refine"))
    after = project.person(person.id)
    assert (applied.changed, applied.protected) == (1, 1)
    assert after.own["pose/left_knee"] == [0.125, 0.25, 0.5, "human"]
    assert after.keypoints("coco17").points_px[0].tolist() == [11.5, 12.5]
    assert np.array_equal(after.body.params.betas, prediction(seed=5).params.betas)


@pytest.mark.parametrize("meanwhile", ["done", "empty", "drawn", "excluded"])
def test_what_a_person_did_meanwhile_counts(project, meanwhile):
    job = job_with(project, Shard((newcomer(1),), notes=NOTES))
    if meanwhile == "done":
        apply_job(project, job)
        (person,) = project.people_on(1)
        before = project.person(person.id).body.params
        project.edit(SetState(person.id, "done"))
        row = ShardRow(1, (prediction(seed=5),), person.id)
        assert apply_job(project, job_with(project, Shard((row,), notes=NOTES), kind="refine")).kept == 1
        assert np.array_equal(project.person(person.id).body.params.betas, before.betas)
        return
    if meanwhile == "drawn":
        project.edit(AddPerson(1, Box(3.5, 3, 23, 40, source=Provenance.HUMAN)))
    else:
        project.edit(MarkEmpty(1) if meanwhile == "empty" else Exclude(1))
    assert apply_job(project, job).kept == 1
    assert len(project.people_on(1)) == (1 if meanwhile == "drawn" else 0)


def test_suspicion_comes_with_the_person(project):
    apply_job(project, job_with(project, Shard((newcomer(1, suspicion=0.75),), notes=NOTES)))
    (person,) = project.people_on(1)
    sql = "SELECT value FROM measure WHERE name = 'suspicion' AND person_id = ?"
    assert project.database.value(sql, [person.id]) == 0.75


def test_how_deep_a_body_is_inside_itself_comes_with_the_person(project):
    row = replace(newcomer(1), inside_mm=41.5)
    apply_job(project, job_with(project, Shard((row, newcomer(2, uid="b" * 32)), notes=NOTES)))
    found = worst_first(project.database, INSIDE)
    assert [(value, photo) for value, _, photo in found] == [(41.5, 1)]
    said = {entry.photo_id: "its body is 42 mm inside itself" in entry.why for entry in next_people(project, 2)}
    assert said == {1: True, 2: False}


def test_a_photo_without_anybody_is_remembered(project):
    step = apply_job(project, job_with(project, Shard((), (1, 2), notes=NOTES))).step
    assert [detail["nobody"] for detail in project.journal.details_of(step)] == [[1, 2]]


def test_discarding_takes_everything_back(project):
    job = job_with(project, Shard((newcomer(1),), notes=NOTES))
    apply_job(project, job)
    with pytest.raises(JobError, match="still at work"):
        discard_job(project, job)
    job.run.end(DONE)
    job.look()
    assert discard_job(project, job) == {1}
    assert project.people_on(1) == []
    assert not job.folder.exists()


# --- the folder


def test_news_are_told_once_and_in_order(project):
    job = job_with(project)
    news = News(job.run)
    news(1, 4, "working")
    news.tell("curve", epoch=1, fitted=0.5)
    news(4, 4, "working")
    news.close()
    with job.run.news.open("a", encoding="utf-8") as stream:
        stream.write('{"kind": "progress", "t": 1, "done": 9')  # half a line: still being written
    job.look()
    assert (job.done, job.total, job.text) == (4, 4, "working")
    assert [row["epoch"] for row in job.curves] == [1]


def test_a_job_that_shall_leave_no_trace_is_told_so(project):
    job = job_with(project, Shard((newcomer(1),), notes=NOTES))
    news = News(job.run)
    job.cancel()
    with pytest.raises(Cancelled):
        news(1, 2, "working")
    assert news.should_stop
    assert apply_job(project, job).shards == 0
    news.close()
    job.run.end(CANCELLED)
    assert job.run.finished_shards() == []


def test_a_job_that_shall_pause_is_told_so_unless_it_shall_leave_no_trace(project):
    job = job_with(project)
    news = News(job.run)
    job.run.ask_to("stop")
    news(1, 2, "working")
    job.run.ask_to("pause")
    with pytest.raises(Paused):
        news(1, 2, "working")
    assert news.should_stop
    job.run.ask_to("cancel")
    with pytest.raises(Cancelled):
        news(1, 2, "working")
    news.close()


def test_a_job_that_goes_on_tells_its_curves_anew(project):
    job = job_with(project)
    for epochs in (3, 5):
        news = News(job.run)
        for epoch in range(epochs):
            news.tell("curve", epoch=epoch, fitted=0.5)
        news.close()
    job.look()
    assert [row["epoch"] for row in job.curves] == [0, 1, 2, 3, 4]


def test_a_request_that_makes_no_sense_is_refused(project):
    with pytest.raises(JobError, match="no job 'paint'"):
        JobRequest("paint")
    with pytest.raises(JobError, match="no JSON"):
        Jobs(project.folder).start(JobRequest("export", {"out": Path("x")}))
