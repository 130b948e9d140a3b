"""Work shared by processes: the same results in the same order, and nobody left behind."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cliff_core.errors import TrainingError
from cliff_core.execution.processes import Processes


def solved(shared, piece):
    matrix = np.random.default_rng(piece).normal(size=(60, 60))
    return piece, np.linalg.solve(matrix, shared).tobytes(), os.getpid()


def killed(shared, parent):
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def test_several_processes_give_the_same_bits_in_the_same_order_as_one():
    given = partial(np.arange, 60.0)
    with Processes(1, given) as alone:
        expected = list(alone.map(solved, range(9)))
    with Processes(2, given) as both:
        found = list(both.map(solved, range(9)))
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    workers = {each[2] for each in found}
    assert len(workers) == 2
    assert os.getpid() in workers


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_process_that_is_killed_is_noticed_and_it_says_what_to_do():
    with Processes(2, dict) as both:
        with pytest.raises(TrainingError, match="killed or out of memory; resume"):
            list(both.map(killed, [os.getpid()] * 3))
        with pytest.raises(TrainingError, match="resume"):  # also where it had died before it was asked
            list(both.map(pid_of, range(3)))


_PARENT = """
import os, sys, time
from cliff_core.execution.processes import Processes
sys.path.insert(0, {here!r})
from test_processes import pid_of
if __name__ == "__main__":
    with Processes(2, dict) as both:
        print(*both.map(pid_of, range(8)), flush=True)
        time.sleep(600)
"""


def pid_of(shared, piece):
    return os.getpid()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_processes_end_with_the_one_that_started_them_also_where_it_is_killed(tmp_path):
    here = Path(__file__).resolve().parent
    (tmp_path / "parent.py").write_text(_PARENT.format(here=str(here)), encoding="utf-8")
    paths = {**os.environ, "PYTHONPATH": str(here.parents[2])}
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True, env=paths)
    children = {int(pid) for pid in parent.stdout.readline().split()}
    assert children
    parent.kill()
    parent.communicate()
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
