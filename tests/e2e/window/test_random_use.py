"""Somebody uses the window without a plan: nothing raises, memory stays flat, the journal replays to what is there."""

import ctypes
import gc
import os
import random
import shutil
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from annotator.project import EditError, open_project
from annotator.project.integrity import check_project
from annotator.qt.canvas.options import Handles
from annotator.qt.canvas.side_view import SideView
from annotator.qt.workspace import Tool

from .conftest import Mouse, opened, ready

CONTROL, SHIFT, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier
KEYS = [
    *[(Qt.Key.Key_Z, CONTROL)] * 4,
    *[(Qt.Key.Key_Z, CONTROL | SHIFT)] * 2,
    *[(key, NONE.NoModifier) for key in (Qt.Key.Key_E, Qt.Key.Key_Q, Qt.Key.Key_D, Qt.Key.Key_A, Qt.Key.Key_Tab)],
    *[(key, NONE.NoModifier) for key in (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_0, Qt.Key.Key_V, Qt.Key.Key_S)],
    *[(key, NONE.NoModifier) for key in (Qt.Key.Key_G, Qt.Key.Key_X, Qt.Key.Key_R, Qt.Key.Key_L, Qt.Key.Key_Z)],
    *[(key, NONE.NoModifier) for key in (Qt.Key.Key_J, Qt.Key.Key_T, Qt.Key.Key_F, Qt.Key.Key_C, Qt.Key.Key_Left)],
    *[(key, NONE.NoModifier) for key in (Qt.Key.Key_Return, Qt.Key.Key_N, Qt.Key.Key_Delete, Qt.Key.Key_B)],
    *[(key, SHIFT) for key in (Qt.Key.Key_E, Qt.Key.Key_F, Qt.Key.Key_M, Qt.Key.Key_H, Qt.Key.Key_Down, Qt.Key.Key_Z)],
    *[(key, CONTROL) for key in (Qt.Key.Key_C, Qt.Key.Key_V, Qt.Key.Key_D, Qt.Key.Key_M)],
    (Qt.Key.Key_M, CONTROL | SHIFT),
    *[(Qt.Key.Key_Delete, SHIFT)] * 2,  # as often as somebody is added, or a photo fills up with hundreds
]
MEBI = 1 << 20
MOST_GROWN = 60 * MEBI
HOUR_S = 3600.0
SESSION_ACTIONS = 10_000

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory in use from /proc")


class RandomUser:
    """A hand without a plan, the same for the same seed."""

    def __init__(self, window, qtbot, seed: int):
        self.window, self.qtbot, self.dice = window, qtbot, random.Random(seed)
        self.canvas = window.area.canvas
        self.side = window.findChild(SideView)
        self.workspace = self.canvas.workspace
        self.problems: list[Exception] = []
        window.area.session.desk.problem.connect(self.note)

    def note(self, problem: Exception) -> None:
        """A key that comes before the window has shown that somebody is gone is refused with a notice: no problem."""
        if not isinstance(problem, EditError):
            self.problems.append(problem)

    def act(self) -> None:
        """One thing."""
        self.dice.choice(
            [self.press_key, self.press_key, self.drag_handle, self.drag_handle, self.drag_any, self.wheel]
        )()
        QApplication.processEvents()

    def press_key(self) -> None:
        key, keys = self.dice.choice(KEYS)
        self.qtbot.keyClick(self.canvas, key, keys)

    def drag_handle(self) -> None:
        """A point, joint or ring of the selected person, in either view, somewhere near; sometimes given up."""
        figure = self.workspace.figure
        if figure is None or figure.posed is None:
            return
        view = self.dice.choice([self.canvas, self.canvas, self.side])
        if view is self.canvas and self.workspace.options.handles is Handles.POINTS:
            places = view.points_shown(figure)
        else:
            places = view.eye_of(figure).project(figure.posed.joints)
        places = places[np.isfinite(places).all(axis=1)]
        if len(places):
            self.drag(view, self.dice.choice(list(places)), 60)

    def drag_any(self) -> None:
        """Anywhere: pans, boxes, turns the side view."""
        view = self.dice.choice([self.canvas, self.side])
        start = (self.dice.uniform(2, view.width() - 2), self.dice.uniform(2, view.height() - 2))
        self.drag(view, start, 150)

    def drag(self, view, start, reach: float) -> None:
        mouse = Mouse(view)
        start = np.asarray(start, float)
        keys = self.dice.choice([NONE.NoModifier, NONE.NoModifier, NONE.AltModifier, SHIFT, CONTROL])
        mouse.press(start)
        mouse.move(
            start + [self.dice.uniform(-reach, reach) for _ in range(2)], steps=self.dice.randint(1, 8), keys=keys
        )
        if self.dice.random() < 0.1:
            self.qtbot.keyClick(view, Qt.Key.Key_Escape)
        mouse.release()

    def wheel(self) -> None:
        view = self.dice.choice([self.canvas, self.side])
        place = (self.dice.uniform(0, view.width()), self.dice.uniform(0, view.height()))
        Mouse(view).wheel(place, self.dice.choice([-2, -1, 1, 2]))


def use(window, qtbot, folder, actions: int, seed: int) -> None:
    """Use the open project for so long, close it, then look at what is left."""
    user = RandomUser(window, qtbot, seed)
    at_warm_up = 0
    for number in range(actions):
        user.act()
        assert not user.problems, repr(user.problems[0])
        if number % max(1, actions // 20) == 0:
            print(f"{number} actions: {held_bytes() / MEBI:.0f} MiB", flush=True)
        if number == actions // 4:
            at_warm_up = held_bytes()
    user.workspace.take(Tool.DRAG)
    qtbot.waitUntil(lambda: user.workspace.document.pending == 0, timeout=20_000)
    assert not user.problems, repr(user.problems[0])
    grown = held_bytes() - at_warm_up
    print(f"{actions} actions: {grown / MEBI:+.0f} MiB since {actions // 4}", flush=True)
    assert grown < MOST_GROWN, f"{grown / MEBI:.0f} MiB more after {actions} actions, {at_warm_up / MEBI:.0f} before"
    window.close_project()
    assert_sound(folder)
    with open_project(folder) as project:
        while project.undo().step is not None:
            pass
        while project.redo().step is not None:
            pass
    assert_sound(folder)


def assert_sound(folder) -> None:
    found = check_project(folder)
    assert found.healthy, str(found)


def held_bytes() -> int:
    """Memory of this process that is really there, without what the C library keeps to give out again; Linux tells."""
    gc.collect()
    with suppress(OSError, AttributeError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_using_it_without_a_plan_breaks_nothing(bench, window, qtbot, folder, seed):
    use(window, qtbot, folder, 150, seed)


@pytest.mark.slow
def test_an_hour_without_a_plan_breaks_nothing(make_window, template, tmp_path, qtbot):
    """One session after the other in one window, each in a project of its own, until an hour of the clock is over."""
    window, ends, held = make_window(), time.monotonic() + HOUR_S, []
    for seed in count(7):
        work = tmp_path / f"seed {seed}"
        shutil.copytree(template, work)
        window.open(work / "project")
        opened(window, qtbot)
        ready(window, qtbot)
        use(window, qtbot, work / "project", SESSION_ACTIONS, seed)
        shutil.rmtree(work)
        held.append(held_bytes())
        print(f"seed {seed}: {held[-1] / MEBI:.0f} MiB", flush=True)
        if time.monotonic() > ends and len(held) > 2:
            break
    grown = held[-1] - held[1]
    assert grown < MOST_GROWN, f"{grown / MEBI:.0f} MiB more after {len(held)} sessions than after two"
