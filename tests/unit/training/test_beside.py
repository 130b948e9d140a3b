"""Both tuning runs at the same time: the numbers of one after the other, also after a kill at any moment."""

import queue
import threading

import numpy as np
import pytest
import torch

from cliff_core.body import load_body
from cliff_core.body.torch_body import TorchBody
from cliff_core.execution.rows import Workspace
from cliff_core.execution.team import ALONE, Half, Team
from cliff_core.models.open_cliff import FEATURE_SIZE, OpenCliff, OpenCliffConfig
from cliff_core.synthetic.people import sample_people
from cliff_core.synthetic.poses import PoseBank
from cliff_core.training.beside import tune_beside
from cliff_core.training.choosing import ALL_POINTS, CHOOSING, Watch, last_good_epoch
from cliff_core.training.labels import label_people
from cliff_core.training.supervision import SparseEdits
from cliff_core.training.taught import Taught
from cliff_core.training.tuning import FinetuneSettings, Tuning, weights_of

COUNT = 12
SETTINGS = FinetuneSettings(epochs=14, patience=3, learning_rate=1e-4)


class Killed(BaseException):
    """As if the process had ended here."""


class Wire:
    """What two threads have instead of a network: who waits for somebody who is gone hears of it."""

    def __init__(self):
        self.sums, self.barrier, self.is_cut = [], threading.Barrier(2), threading.Event()

    def cut(self):
        self.is_cut.set()
        self.barrier.abort()


class QueueChannel:
    def __init__(self, wire):
        self._wire, self._queue = wire, queue.Queue()

    def send(self, values):
        self._queue.put(values.clone())

    def has_come(self, like):
        return self._wire.is_cut.is_set() or not self._queue.empty()

    def take(self, like):
        while True:
            if self._wire.is_cut.is_set():
                raise RuntimeError("the other one is gone")
            try:
                values = self._queue.get(timeout=0.05)
            except queue.Empty:
                continue
            assert values.shape == like.shape
            return values

    def drain(self):
        pass


class Thread(Team):
    """One of two threads that are a team."""

    size = 2

    def __init__(self, rank, wire, there, back):
        self.rank, self._wire, self._half = rank, wire, Half(ALONE, rank == 0, there, back)

    def sum(self, values):
        self._wire.sums.append(values.clone())
        try:
            self._wire.barrier.wait(60)
            values.copy_(self._wire.sums[0] + self._wire.sums[1])
            if self._wire.barrier.wait(60) == 0:
                self._wire.sums.clear()
            self._wire.barrier.wait(60)
        except threading.BrokenBarrierError:
            raise RuntimeError("the other one is gone") from None
        return values

    def halves(self):
        return self._half


class Deadly(Workspace):
    """Remembers at every moment, and ends the process at one of them, before or after writing."""

    def __init__(self, folder, rank, left):
        super().__init__(folder, str(rank), seconds_between=0.0)
        self.left = left

    def remember(self, name, state):
        self._live_on()
        super().remember(name, state)
        self._live_on()

    def _live_on(self):
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture(scope="module")
def body():
    return TorchBody(load_body())


@pytest.fixture(scope="module")
def people(body):
    labels = label_people(body, sample_people(np.random.default_rng(0), PoseBank(), body, COUNT, 1.2))
    confidence = labels.inside.float()[..., None]
    points = torch.cat([labels.projected * confidence, confidence], -1)
    features = torch.randn(COUNT, FEATURE_SIZE, generator=torch.Generator().manual_seed(2))
    placed, known = torch.ones(COUNT, dtype=torch.bool), torch.ones(47)
    nothing = SparseEdits.none(COUNT)
    return Taught(torch.arange(COUNT), features, labels.bbox_info, points, placed, points[..., 2], known, nothing)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = OpenCliff(OpenCliffConfig(image_width=64, points_width=128, blocks=1), "small").eval()
    start = torch.eye(3).repeat(24, 1, 1)
    start[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # towards the camera
    made.init_pose.copy_(start[:, :, :2].reshape(1, 144))
    made.step_gain.detach().zero_()  # untrained, it knows nothing of points
    return made


@pytest.fixture(scope="module")
def after_each_other(body, people, model):
    tuning = Tuning(body, people, SETTINGS, ALONE, Workspace(), lambda *told: None, Watch())
    chooser, choosing, of_person = tuning.tune(model, SETTINGS.epochs, people.draw_withheld(0.2, 0), "one", "key")
    tuned, final, _ = tuning.tune(model, last_good_epoch(choosing), None, "two", "key")
    return chooser, choosing, of_person, tuned, final


def beside(body, people, model, works, watch=None):
    """What both threads give or raise."""
    wire = Wire()
    there, back = QueueChannel(wire), QueueChannel(wire)
    found = [None, None]

    def work(rank):
        team = Thread(rank, wire, there, back)
        heard = watch or Watch()
        tuning = Tuning(body, people, SETTINGS, team, works[rank], lambda *told: None, heard if rank == 0 else Watch())
        try:
            found[rank] = tune_beside(tuning, model, model, people.draw_withheld(0.2, 0), "run", "key")
        except (Killed, RuntimeError) as error:
            wire.cut()
            found[rank] = error

    threads = [threading.Thread(target=work, args=(rank,), daemon=True) for rank in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    assert not any(each.is_alive() for each in threads)
    return found


def assert_same(both, after_each_other):
    chooser, choosing, of_person, tuned, final = after_each_other
    assert both.choosing == choosing
    assert both.final == final
    assert torch.equal(weights_of(both.chooser), weights_of(chooser))
    assert torch.equal(weights_of(both.tuned), weights_of(tuned))
    assert torch.equal(both.of_person, of_person)


def test_both_runs_give_what_one_after_the_other_gives(body, people, model, after_each_other):
    heard = []
    watch = Watch(lambda stage, epoch: heard.append((stage, epoch)))
    for both in beside(body, people, model, [Workspace(), Workspace()], watch):
        assert_same(both, after_each_other)
    _, choosing, _, _, final = after_each_other
    assert 0 < final[-1].number < choosing[-1].number
    assert [epoch for stage, epoch in heard if stage == CHOOSING] == choosing
    assert [epoch for stage, epoch in heard if stage == ALL_POINTS] == final


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_both_go_on_to_the_same_digits(body, people, model, after_each_other, tmp_path, seed):
    rng, kills = np.random.default_rng(seed), 0
    for _ in range(30):
        lives = rng.integers(1, 6, 2) if kills < 5 else (1_000, 1_000)
        first, second = beside(body, people, model, [Deadly(tmp_path, rank, lives[rank]) for rank in range(2)])
        if not isinstance(first, BaseException) and not isinstance(second, BaseException):
            break
        kills += 1
    assert kills >= 2
    assert_same(first, after_each_other)
    assert_same(second, after_each_other)


def test_stopped_early_both_end_and_what_is_good_so_far_is_kept(body, people, model):
    heard = []
    watch = Watch(lambda stage, epoch: heard.append(stage), lambda: heard.count(CHOOSING) > 2)
    first, second = beside(body, people, model, [Workspace(), Workspace()], watch)
    assert torch.equal(weights_of(first.tuned), weights_of(second.tuned))
    assert len(first.choosing) < SETTINGS.epochs
    assert len(first.final) <= last_good_epoch(first.choosing) + 1
    assert torch.isfinite(weights_of(first.tuned)).all()
