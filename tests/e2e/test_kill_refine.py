"""The promise to whoever leaves a large refinement alone: kill what you like, it goes on, to the same bodies."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from annotator.apply import apply_job, discard_job
from annotator.bench_project import make_project
from annotator.commands import MovePoint, SetBetas, SetPose, SetState
from annotator.jobs import Job, JobRequest, Jobs
from annotator.project import open_project
from annotator.project.integrity import check_project
from annotator.runs import RunFolder
from cliff_core.training.finetune import CHOOSING

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills by signal, and finds whom in /proc")

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 1800.0
LOOKING, PREDICTING, POLISHING = "looking at people", "predicting everybody again", "polishing bodies"
ORDER = (LOOKING, CHOOSING, PREDICTING, POLISHING)
MOMENTS = (LOOKING, CHOOSING, CHOOSING, PREDICTING, POLISHING, POLISHING)


def silent(done, total, text):
    pass


def labelled(folder: Path, people: int) -> Path:
    """A project of people of whom a person has set something here and there."""
    with make_project(folder, people, seed=0, progress=silent) as project:
        for number, person in enumerate(list(project.people())):
            if number % 5 == 0:
                project.edit(SetPose(person.id, {"left_elbow": (0.0, -0.75, 0.0)}))
            elif number % 5 == 1:
                project.edit(SetBetas(person.id, {0: 1.25}))
            elif number % 5 == 2:
                project.edit(MovePoint(person.id, "coco17", "nose", (100.5, 60.25)))
            elif number % 50 == 3:
                project.edit(SetState(person.id, "done"))
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Path:
    """A small project; its photos lie beside it."""
    return labelled(tmp_path_factory.mktemp("few") / "project", 4)


def copied(folder: Path, name: str) -> Path:
    return Path(shutil.copytree(folder, folder.with_name(name)))


def contents(folder: Path) -> tuple[dict, dict]:
    """Everybody's body, and what a person set of them."""
    bodies, own = {}, {}
    with open_project(folder, read_only=True) as project:
        for person in project.people():
            params = person.body and person.body.params
            bodies[person.uid] = params and np.concatenate([params.pose_rotvec.ravel(), params.betas, params.transl])
            own[person.uid] = {key: value for key, value in person.own.items() if not key.startswith("from/")}
    assert check_project(folder).healthy
    return bodies, own


def same(first, second):
    assert first.keys() == second.keys()
    for uid, body in first.items():
        assert (body is None) == (second[uid] is None)
        assert body is None or np.abs(body - second[uid]).max() <= 1e-6


def watch(folder: Path, settings: dict) -> subprocess.Popen:
    """A program that asks for the refinement, as a window or a shell does."""
    command = [sys.executable, str(Path(__file__).with_name("refine_watcher.py")), str(folder), json.dumps(settings)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(folder: Path, settings: dict) -> None:
    """Ask for it until it is done; each that fails may be asked for again."""
    watcher = watch(folder, settings)
    out, err = watcher.communicate(timeout=SECONDS)
    assert watcher.returncode == 0, err
    assert int(out) > 0


def job_process(folder: Path) -> int | None:
    """The process of the job that is at work."""
    for run in reversed(RunFolder.all_of(folder)):
        pid = run.description().get("pid")
        if pid and run.is_held():
            return pid
    return None


def workers_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


def doing(folder: Path, since: float = 0.0) -> tuple[str, float]:
    """What the latest job said last that it does, since a time, and which share of it is done."""
    for run in reversed(RunFolder.all_of(folder)):
        try:
            news = [json.loads(line) for line in run.news.read_bytes().splitlines()[-20:] if line.endswith(b"}")]
        except OSError:
            break
        for each in reversed(news):
            if each["kind"] == "progress" and each["t"] > since:
                return each["text"], each["done"] / max(1, each["total"])
        break
    return "", 0.0


def is_there(folder: Path, since: float, moment: str, share: float) -> bool:
    """Whether a job has done that share of something, or does what comes after it."""
    text, done = doing(folder, since)
    return text in ORDER and (ORDER.index(text), done) >= (ORDER.index(moment), share)


def kill_something(folder: Path, watcher: subprocess.Popen, whom: str) -> str:
    """Kill one of them if it is there; says whom, and at what."""
    text, share = doing(folder)
    said = f"{whom} while {text}, {share:.0%}"
    if whom == "window":
        watcher.kill()
        return said
    job = job_process(folder)
    if job is None:
        return "nobody"
    if whom == "worker":
        others = workers_of(job)
        if not others:
            return "nobody"
        job = others[-1]
    try:
        os.kill(job, signal.SIGKILL)
    except ProcessLookupError:
        return "nobody"
    return said


def disturbed(folder: Path, settings: dict, dice: random.Random, kills: list[tuple[str, str]]) -> list[str]:
    """Refine, with somebody killed when a random share of something is done, again and again; then let it end.

    By what is done and not by the clock: how fast it is depends on what else the machine does.
    """
    killed = []
    for whom, moment in sorted(kills, key=lambda kill: ORDER.index(kill[1])):
        watcher, since, share = watch(folder, settings), time.time(), dice.uniform(0, 0.9)
        until = time.monotonic() + SECONDS
        # a job whose window died has gone on meanwhile, maybe with what comes next
        while time.monotonic() < until and watcher.poll() is None and not is_there(folder, since, moment, share):
            time.sleep(0.02)
        if watcher.poll() == 0:  # it was quicker
            watcher.communicate()
            return killed
        killed.append(kill_something(folder, watcher, whom))
        try:  # of a job that died it says so; one whose window died goes on
            watcher.communicate(timeout=SECONDS if killed[-1] != "nobody" else 0.01)
        except subprocess.TimeoutExpired:
            watcher.kill()
            watcher.communicate()
    finished(folder, settings)
    until = time.monotonic() + 20
    while job_process(folder) is not None and time.monotonic() < until:
        time.sleep(0.05)
    return killed


def test_a_refinement_of_which_window_job_and_worker_are_killed_gives_the_same_bodies(few, small_weights):
    settings = {"model": str(small_weights), "workers": 2, "epochs": 4}
    calm, rough = copied(few, "calm"), copied(few, "rough")
    _, before = contents(calm)
    finished(calm, settings)
    killed = disturbed(
        rough, settings, random.Random(3), [("window", LOOKING), ("job", CHOOSING), ("worker", CHOOSING)]
    )
    (expected, _), (found, own) = contents(calm), contents(rough)
    assert set(killed) - {"nobody"}
    same(found, expected)
    assert own == before


def test_a_refinement_whose_shell_was_killed_while_it_ended_is_applied_by_the_next_one(few, small_weights):
    folder, settings = copied(few, "left"), {"model": str(small_weights), "epochs": 1}
    before = contents(folder)[1]
    shell, until = watch(folder, settings), time.monotonic() + SECONDS
    while job_process(folder) is None and time.monotonic() < until:
        time.sleep(0.02)
    shell.kill()
    shell.communicate()
    while job_process(folder) is not None and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(body is not None for body in contents(folder)[0].values())
    finished(folder, settings)
    bodies, own = contents(folder)
    assert len(RunFolder.all_of(folder)) == 1
    assert any(body is not None for body in bodies.values())
    assert own == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_a_refinement_of_two_thousand_people_gives_what_an_undisturbed_one_gives(tmp_path, seed):
    wanted = {"PEOPLE": 2000, "EPOCHS": 3, "KILLS": 3}  # a shell may ask for others
    people, epochs, kills_wanted = (int(os.environ.get(name, usual)) for name, usual in wanted.items())
    settings = {"workers": 2, "epochs": epochs}
    calm = labelled(tmp_path / "calm", people)
    shutil.copytree(tmp_path / "calm-photos", tmp_path / "rough-photos")
    rough = copied(calm, "rough")
    _, before = contents(calm)
    started = time.monotonic()
    finished(calm, settings)
    longest = time.monotonic() - started
    dice = random.Random(seed)
    moments = [*(dice.choice(ORDER) for _ in range(kills_wanted)), *MOMENTS]
    killed = disturbed(rough, settings, dice, [(dice.choice(["window", "job", "worker"]), each) for each in moments])
    (expected, _), (found, own) = contents(calm), contents(rough)
    apart = max(np.abs(body - found[uid]).max() for uid, body in expected.items() if body is not None)
    print(f"{people} people, {longest:.0f} s undisturbed; killed: {killed}; bodies differ by {apart:.1e} at most")
    same(found, expected)
    assert own == before


def wait_for(jobs: Jobs, job: Job, condition=lambda job: job.has_ended) -> Job:
    until = time.monotonic() + 300
    while not condition(job):
        assert time.monotonic() < until, (job.state, job.text, job.log_tail())
        jobs.poll()
        time.sleep(0.02)
    return job


def test_a_cancelled_refinement_leaves_no_trace(few, small_weights):
    folder = copied(few, "cancelled")
    before = contents(folder)
    with open_project(folder) as project:
        jobs = Jobs(folder)
        job = jobs.start(JobRequest("refine", {"model": str(small_weights), "workers": 2, "epochs": 60}))
        wait_for(jobs, job, lambda each: each.curves or each.has_ended)
        job.cancel()
        wait_for(jobs, job)
        assert job.state == "cancelled", job.log_tail()
        assert {path.name for path in job.folder.iterdir()} <= {
            "job.json",
            "job.lock",
            "log.txt",
            "result.json",
            "cancel",
        }
        discard_job(project, job)
        assert jobs.list() == []
    assert contents(folder)[1] == before[1]


_UNDER_A_QUOTA = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from annotator.job_process import run_job
run_job(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_job_goes_on_when_there_is_room(few, small_weights):
    calm, rough = copied(few, "roomy"), copied(few, "full")
    settings = {"model": str(small_weights), "epochs": 3}
    finished(calm, settings)
    run = RunFolder.create(rough, JobRequest("refine", settings))
    with run.log.open("ab") as log:  # no file may grow beyond 100 kB, as under a quota
        command = [sys.executable, "-c", _UNDER_A_QUOTA, str(run.path)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=300, check=False)
    job = Job(run)
    assert job.state == "failed"
    assert "no room left" in job.text
    assert "resume" in job.text
    assert any("no room left" in line for line in job.log_tail())
    with open_project(rough) as project:
        jobs = Jobs(rough)
        (job,) = jobs.list()
        job.resume()
        wait_for(jobs, job)
        assert job.state == "done", job.log_tail()
        apply_job(project, job)
    same(contents(rough)[0], contents(calm)[0])
