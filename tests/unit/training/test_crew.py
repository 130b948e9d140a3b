"""Several processes at one refinement: the same bodies as one gives, nobody left over, and a killed one is named."""

import importlib.util
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.errors import TrainingError
from cliff_core.execution.ray_engine import require_ray
from cliff_core.execution.rows import RowFile, Workspace
from cliff_core.execution.team import ALONE
from cliff_core.inference import Placed, Predictor
from cliff_core.models import load_cliff
from cliff_core.models.open_cliff import FEATURE_SIZE
from cliff_core.records import Box, Camera, Keypoints, Provenance
from cliff_core.training.crew import FEATURES, Crew, Task, refine_known
from cliff_core.training.finetune import ALL_POINTS, CHOOSING, FinetuneSettings, Watch
from cliff_core.training.ray_refining import refine_with_ray
from cliff_core.training.refine_people import KnownPeople
from cliff_core.training.supervision import PersonEdits, weighed_points

COUNT = 21  # a batch and one, whom only one of two workers has
SIZE = (640, 480)


def silent(done, total, text):
    pass


def task_in(folder: Path, small_weights: Path, epochs: int = 3) -> tuple[Task, KnownPeople]:
    """People with points and edits, ready for others to open."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    boxes = [Box(100 + n, 100, 200 + n, 400) for n in range(COUNT)]
    placed: Placed = Predictor(load_cliff(small_weights), load_body()).place(None, boxes, camera=Camera.guess(SIZE))
    rows = RowFile(folder / FEATURES, [FEATURE_SIZE])
    rows.write(0, torch.randn(COUNT, FEATURE_SIZE, generator=torch.Generator().manual_seed(1)))
    sets = [[Keypoints.uniform("coco17", rng.uniform(100, 400, (17, 2)), np.full(17, 2), None, Provenance.HUMAN)]
            for _ in range(COUNT)]  # fmt: skip
    points, weight, _ = weighed_points(sets, placed.centre_px, placed.box_height_px)
    by_hand = {7: PersonEdits({18: np.array([0.0, -1.0, 0.0])}, {0: 1.5}), 15: PersonEdits({}, {3: -1.0})}
    known = KnownPeople.of(placed, rows, points.numpy(), weight.numpy(), by_hand, "features")
    settings = FinetuneSettings(epochs=epochs, batch=20, min_points=1)
    task = Task(str(small_weights), None, settings, 2, 1)
    task.save(folder, known)
    return task, known


def bodies(people):
    return np.array([np.concatenate([each.params.pose_rotvec.ravel(), each.params.transl]) for each in people.refined])


def refined(folder, task, known, size=1, watch=None):
    with Crew(folder, size) as crew:
        work = Workspace(folder, token=known.token)
        return refine_known(known, task, crew.team, work, silent, watch or Watch())


def test_two_workers_give_what_one_gives(tmp_path, small_weights):
    task, known = task_in(tmp_path / "work", small_weights)
    alone = refine_known(known, task, ALONE, Workspace(), silent, Watch())
    together = refined(tmp_path / "work", task, known, size=2)
    assert [each.chosen_epochs for each in alone.rounds] == [each.chosen_epochs for each in together.rounds]
    assert np.abs(bodies(alone) - bodies(together)).max() < 1e-5
    assert np.allclose(alone.verdict.suspicion_mm, together.verdict.suspicion_mm, atol=1e-2)
    in_files = refined(tmp_path / "work", task, known)
    assert np.array_equal(bodies(in_files), bodies(alone))


def test_three_workers_choose_as_one_does_and_tell_both_curves(tmp_path, small_weights):
    task, known = task_in(tmp_path / "work", small_weights)
    alone = refine_known(known, task, ALONE, Workspace(), silent, Watch())
    told = []
    watch = Watch(lambda stage, epoch: told.append((stage, epoch.number)))
    together = refined(tmp_path / "work", task, known, size=3, watch=watch)
    assert [each.chosen_epochs for each in alone.rounds] == [each.chosen_epochs for each in together.rounds]
    assert np.abs(bodies(alone) - bodies(together)).max() < 1e-4
    for each, other in zip(alone.rounds, together.rounds, strict=True):
        assert len(each.final) == len(other.final)
        assert [round(epoch.fitted, 5) for epoch in each.final] == [round(epoch.fitted, 5) for epoch in other.final]
    assert {stage for stage, _ in told} == {CHOOSING, ALL_POINTS}


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_worker_is_named_and_nobody_waits_for_it(tmp_path, small_weights):
    task, known = task_in(tmp_path / "work", small_weights, epochs=40)
    crew, seen = Crew(tmp_path / "work", 2), []

    def curve(stage, epoch):
        seen.append(epoch)
        if len(seen) == 3:
            os.kill(crew.others[0], signal.SIGKILL)

    def refine():
        with crew:
            refine_known(known, task, crew.team, Workspace(tmp_path / "work"), silent, Watch(curve))

    with pytest.raises(TrainingError, match=r"worker 1 of 2 ended \(killed by signal 9\); resume"):
        refine()
    assert len(seen) < 6


class Killed(BaseException):
    """As if the process had ended here."""


def test_a_refinement_that_was_cut_off_goes_on_from_its_last_epoch_to_the_same_digits(tmp_path, small_weights):
    task, known = task_in(tmp_path / "calm", small_weights, epochs=6)
    calm = refined(tmp_path / "calm", task, known)
    task, known = task_in(tmp_path / "rough", small_weights, epochs=6)
    epochs = []

    def cut_off(done, total, text):
        epochs.append(done)
        if len(epochs) in (4, 9, 15):
            raise Killed

    rough = None
    for _ in range(10):
        work = Workspace(tmp_path / "rough", token=known.token, seconds_between=0.0)
        try:
            rough = refine_known(known, task, ALONE, work, cut_off, Watch())
            break
        except Killed:
            continue
    assert rough is not None
    assert len(epochs) <= sum(len(each.choosing) + len(each.final) for each in calm.rounds) + 30
    assert np.array_equal(bodies(rough), bodies(calm))
    assert [each.choosing for each in rough.rounds] == [each.choosing for each in calm.rounds]


def test_a_state_of_other_people_is_not_gone_on_from(tmp_path, small_weights):
    task, known = task_in(tmp_path / "work", small_weights)
    work = Workspace(tmp_path / "work", token=known.token, seconds_between=0.0)
    refine_known(known, task, ALONE, work, silent, Watch())
    known.crops.points[3, :17, :2] += 0.1
    again = refine_known(known, task, ALONE, work, silent, Watch())
    fresh = refine_known(known, task, ALONE, Workspace(), silent, Watch())
    assert np.array_equal(bodies(again), bodies(fresh))


# --- Ray

HAS_RAY = importlib.util.find_spec("ray") is not None


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_it_says_what_to_install():
    with pytest.raises(TrainingError, match=r'pip install --editable "\.\[ray\]"'):
        require_ray()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed (extra `ray`)")
def test_ray_gives_what_two_local_workers_give(tmp_path, small_weights):
    task, known = task_in(tmp_path / "local", small_weights)
    local = bodies(refined(tmp_path / "local", task, known, size=2))
    task, known = task_in(tmp_path / "ray", small_weights)
    curves = []
    watch = Watch(lambda stage, epoch: curves.append(stage))
    try:
        found = refine_with_ray(tmp_path / "ray", known, task, 2, silent, watch)
    finally:
        require_ray().shutdown()
    assert np.abs(bodies(found) - local).max() < 1e-5
    assert curves.count(CHOOSING) == sum(len(each.choosing) for each in found.rounds)
    assert curves.count(ALL_POINTS) >= sum(len(each.final) - 1 for each in found.rounds)
