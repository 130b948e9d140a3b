"""What every test shares: one thread per computation, no screen, and no thread or process left behind."""

import multiprocessing
import os
import sys
import threading
import time
from pathlib import Path

# Before anything imports torch or Qt. One thread: the same numbers everywhere, and tests do not fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
_GRACE_SECONDS = 3.0


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the clone."""
    return REPOSITORY


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory) -> Path:
    """A small open CLIFF as a file, with which a refinement is quick; it knows nothing."""
    import torch

    from cliff_core.models.open_cliff import OpenCliff, OpenCliffConfig
    from cliff_core.training.refining import save_model

    torch.manual_seed(0)
    made = OpenCliff(OpenCliffConfig(image_width=32, points_width=64, blocks=1, points_iterations=2), "small")
    start = torch.eye(3).repeat(24, 1, 1)
    start[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    made.init_pose.copy_(start[:, :, :2].reshape(1, 144))
    path = tmp_path_factory.mktemp("model") / "small.pt"
    save_model(made.eval(), path, "small")
    return path


@pytest.fixture(autouse=True)
def leaves_nothing_behind():
    """Fail a test that leaves a thread or a child process running; both get a moment to end on their own."""
    threads, children = set(threading.enumerate()), _children()
    yield
    deadline = time.monotonic() + _GRACE_SECONDS
    while (left := _left(threads, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, f"still running after the test: {', '.join(left)}"


def _left(threads: set[threading.Thread], children: set[int]) -> list[str]:
    extra = [f"thread {thread.name}" for thread in threading.enumerate() if thread not in threads]
    return extra + [f"process {child}" for child in _children() - children]


def _children() -> set[int]:
    """Child processes: all on Linux, elsewhere those that multiprocessing started; never its own resource tracker."""
    if not sys.platform.startswith("linux"):
        return {child.pid for child in multiprocessing.active_children() if child.pid is not None}
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    spared = getattr(tracker._resource_tracker, "_pid", None) if tracker else None
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(int(child) for child in task.read_text().split())
        except OSError:  # the thread ended while we looked
            continue
    return found - {spared}
