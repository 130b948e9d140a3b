"""Jobs as real processes; an export is the quickest of them."""

import json
import os
import signal
import sys
import time

import numpy as np
import pytest

from annotator.apply import apply_job
from annotator.jobs import JobRequest, Jobs
from annotator.project import Prediction, Run, open_project
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams


def wait_for(jobs, job, states=("done", "stopped", "paused", "cancelled", "failed"), seconds=60.0):
    until = time.monotonic() + seconds
    while job.state not in states:
        assert time.monotonic() < until, (job.state, job.text, job.log_tail())
        jobs.poll()
        time.sleep(0.05)
    return job


def export(project, out, **more):
    return JobRequest("export", {"format": "coco", "out": str(out), **more})


@pytest.fixture
def labelled(project):
    """The project with somebody on it."""
    points = Keypoints.uniform("coco17", np.full((17, 2), 20.0), np.full(17, 2), source=Provenance.MODEL)
    with project.batch("Propose", Run.new(Provenance.MODEL, "test-model")) as batch:
        body = SmplParams(np.zeros((24, 3)), np.zeros(10), np.array([0.0, 0.0, 5.0]))
        camera, cam = Camera(80.0, (64, 48)), np.array([0.9, 0.0, 0.0])
        batch.add_person(1, Prediction(Box(3, 3, 23, 40, 0.9), points, body, camera, cam))
    return project


def test_jobs_run_one_after_the_other_and_are_found_again(labelled, tmp_path):
    jobs = Jobs(labelled.folder)
    first = jobs.start(export(labelled, tmp_path / "a.json"))
    second = jobs.start(export(labelled, tmp_path / "b.json"))
    assert (first.state, second.state) == ("running", "queued")
    others = Jobs(labelled.folder)  # as after the window was opened again
    assert [job.id for job in others.list()] == [first.id, second.id]
    wait_for(jobs, first)
    wait_for(jobs, second)
    assert (first.state, second.state) == ("done", "done"), (first.text, second.text, second.log_tail())
    assert [job.state for job in others.poll()] == ["done", "done"]
    assert json.loads((tmp_path / "b.json").read_text("utf-8"))["annotations"]


def test_a_job_that_fails_says_why(labelled, tmp_path):
    jobs = Jobs(labelled.folder)
    job = wait_for(jobs, jobs.start(JobRequest("export", {"format": "nonsense", "out": str(tmp_path / "a")})))
    assert job.state == "failed"
    assert "nonsense" in job.text
    assert any("nonsense" in line for line in job.log_tail())


def test_an_import_as_a_job_gives_what_the_command_gives(labelled, tmp_path):
    jobs = Jobs(labelled.folder)
    wait_for(jobs, jobs.start(export(labelled, tmp_path / "a.json")))
    labelled.undo()
    assert labelled.people_on(1) == []
    job = wait_for(jobs, jobs.start(JobRequest("import", {"file": str(tmp_path / "a.json")})))
    assert job.state == "done", job.text
    applied = apply_job(labelled, job)
    assert applied.added == 1
    (person,) = labelled.people_on(1)
    assert person.predictions["points/coco17"].run.kind is Provenance.IMPORTED
    assert labelled.journal.step(applied.step).label == "Import a.json"


def test_a_waiting_job_can_be_cancelled_stopped_and_paused(labelled, tmp_path):
    jobs = Jobs(labelled.folder)
    first = jobs.start(export(labelled, tmp_path / "a.json"))
    waiting = [jobs.start(export(labelled, tmp_path / f"{name}.json")) for name in "bcd"]
    waiting[0].cancel()
    waiting[1].stop()
    waiting[2].pause()
    wait_for(jobs, first)
    jobs.poll()
    assert [job.state for job in waiting] == ["cancelled", "stopped", "paused"]
    for job in waiting[1:]:
        job.resume()
        assert wait_for(jobs, job).state == "done"
    assert not (tmp_path / "b.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_job_is_found_dead_and_goes_on(labelled, tmp_path):
    jobs = Jobs(labelled.folder)
    job = jobs.start(export(labelled, tmp_path / "a.json"))
    until = time.monotonic() + 30
    while "pid" not in job.run.description():
        assert time.monotonic() < until
        time.sleep(0.005)
    os.kill(job.run.description()["pid"], signal.SIGKILL)
    wait_for(jobs, job)
    if job.state == "failed":  # it was killed before its last line
        assert "without a word" in job.text
        with open_project(labelled.folder, read_only=True):
            job.resume()
        wait_for(jobs, job)
    assert job.state == "done", job.text
