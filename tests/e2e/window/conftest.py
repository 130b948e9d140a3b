"""A real window on a small real project; a test fails that leaves a thread, a process or a timer behind."""

import gc
import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from annotator.asking import AskedProcess
from annotator.project import Prediction, Run, create_project, open_project
from annotator.qt import theme
from annotator.qt.main_window import MainWindow
from annotator.qt.panels.body import BodyPanel
from annotator.qt.settings import Settings
from cliff_core.images import write_image
from cliff_core.records import Box, Camera, Keypoints, Provenance, SmplParams

SIZE = (320, 240)
PHOTOS = 6


def prediction(seed: int, left: float = 40.0) -> Prediction:
    """A standing person with COCO's points and a body in front of the camera."""
    random = np.random.default_rng(seed)
    box = Box(left, 30, left + 90, 220, 0.9)
    points = np.column_stack([random.uniform(left, left + 90, 17), random.uniform(30, 220, 17)])
    keypoints = Keypoints.uniform("coco17", points, np.full(17, 2), random.uniform(0.5, 1, 17), Provenance.MODEL)
    pose = random.normal(0, 0.1, (24, 3))
    pose[0] = (np.pi, 0, 0)
    params = SmplParams(pose, np.zeros(10), np.array([(left - 115) / 100, 0.3, 4.0]))
    return Prediction(box, keypoints, params, Camera.guess(SIZE), np.array([0.9, 0.0, 0.0]))


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Photos, and a project about them: two people on each of the first four, nobody on the others."""
    folder = tmp_path_factory.mktemp("window")
    for number in range(PHOTOS):
        rgb = np.full((SIZE[1], SIZE[0], 3), 40 + 30 * number, dtype=np.uint8)
        rgb[60:180, 100:220] = (200, 30 * number, 90)
        write_image(folder / "photos" / f"photo{number}.png", rgb)
    project, _ = create_project(folder / "project", folder / "photos", who="Ada")
    with project:
        with project.batch("Propose", Run.new(Provenance.MODEL, "open-cliff 1")) as batch:
            for photo in list(project.photos())[:4]:
                batch.add_person(photo.id, prediction(2 * photo.id, 40))
                batch.add_person(photo.id, prediction(2 * photo.id + 1, 180))
        people = [person.id for person in project.people()]
        project.set_measures("suspicion", {person: 1.0 / (1 + (person * 7) % 8) for person in people})
    return folder


@pytest.fixture
def folder(tmp_path, template) -> Path:
    """A project of one's own, its photos beside it."""
    shutil.copytree(template, tmp_path / "work")
    return tmp_path / "work" / "project"


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    """Settings of nobody else."""
    monkeypatch.setenv("CLIFF_ANNOTATOR_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr("annotator.qt.new_dialog.projects_folder", lambda: tmp_path / "documents")
    monkeypatch.setattr("annotator.qt.start_page.projects_folder", lambda: tmp_path / "documents")
    return tmp_path / "config"


@pytest.fixture(autouse=True)
def nobody_is_asked(request, monkeypatch):
    """Asking CLIFF takes a process and seconds; `test_asking` is about that."""
    if "asked" not in request.fixturenames:
        monkeypatch.setattr(AskedProcess, "ask", lambda *_: None)


@pytest.fixture
def make_window(qtbot, config):
    """Opens windows one after the other; each is closed at the end, and leaves no timer running."""
    made: list[MainWindow] = []

    def make() -> MainWindow:
        app = QApplication.instance()
        settings = Settings()
        theme.apply_theme(app, settings.get("theme", "dark"))
        window = MainWindow(settings)
        made.append(window)
        window.resize(1280, 800)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        return window

    yield make
    for window in made:
        window.close()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        qtbot.waitUntil(
            lambda window=window: not running_timers(window), timeout=1000
        )  # single shots end by themselves
        window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()


def running_timers(window: MainWindow) -> list[QTimer]:
    """Timers of a window that still run."""
    return [timer for timer in window.findChildren(QTimer) if timer.isActive()]


@pytest.fixture
def window(make_window, folder, qtbot) -> MainWindow:
    """A window with the project open, its first photo shown and listed."""
    window = make_window()
    window.open(folder)
    opened(window, qtbot)
    return window


def opened(window: MainWindow, qtbot) -> None:
    """Wait until a project is shown."""
    qtbot.waitUntil(
        lambda: (
            window.area is not None and window.area.session.document.photo is not None and bool(window.area.session.ids)
        ),
        timeout=10_000,
    )


@pytest.fixture
def bench(window, qtbot):
    """The workspace with somebody selected on the photo, bodies loaded, the person filling the canvas."""
    return ready(window, qtbot)


def ready(window: MainWindow, qtbot):
    """Wait until a hand can take hold of somebody, and fill the canvas with them."""
    area = window.area
    workspace = area.canvas.workspace
    qtbot.waitUntil(
        lambda: area.canvas.is_ready and workspace.is_ready and workspace.figure is not None, timeout=60_000
    )
    # Looking into drawn boxes takes a process and seconds; `test_jobs` is about that.
    workspace.proposal_wanted.disconnect()
    area.canvas.fit_person(glide=False)
    area.canvas.setFocus()
    qtbot.wait(10)
    return area


class Mouse:
    """A real mouse on a view: each way ends in many small moves, as a hand's does."""

    def __init__(self, view):
        self.view = view

    def send(self, kind, place, button, buttons, keys=Qt.KeyboardModifier.NoModifier) -> None:
        point = QPointF(float(place[0]), float(place[1]))
        QApplication.sendEvent(self.view, QMouseEvent(kind, point, self.view.mapToGlobal(point), button, buttons, keys))
        QApplication.processEvents()

    def hover(self, place) -> None:
        self.send(QEvent.Type.MouseMove, place, Qt.MouseButton.NoButton, Qt.MouseButton.NoButton)

    def press(self, place, button=Qt.MouseButton.LeftButton) -> None:
        self.hover(place)
        self.at = np.asarray(place, float)
        self.send(QEvent.Type.MouseButtonPress, place, button, button)

    def move(self, place, steps=8, keys=Qt.KeyboardModifier.NoModifier, button=Qt.MouseButton.LeftButton) -> None:
        end = np.asarray(place, float)
        for share in np.linspace(0, 1, steps + 1)[1:]:
            here = self.at + (end - self.at) * share
            self.send(QEvent.Type.MouseMove, here, Qt.MouseButton.NoButton, button, keys)
        self.at = end

    def release(self, button=Qt.MouseButton.LeftButton) -> None:
        self.send(QEvent.Type.MouseButtonRelease, self.at, button, Qt.MouseButton.NoButton)

    def drag(self, start, end, **how) -> None:
        self.press(start)
        self.move(end, **how)
        self.release()

    def wheel(self, place, steps: int) -> None:
        point = QPointF(float(place[0]), float(place[1]))
        delta = QPoint(0, 120 * steps)
        event = QWheelEvent(
            point,
            self.view.mapToGlobal(point),
            QPoint(0, 0),
            delta,
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self.view, event)
        QApplication.processEvents()


@pytest.fixture
def mouse(bench) -> Mouse:
    """On the photo."""
    return Mouse(bench.canvas)


@pytest.fixture
def saved(qtbot):
    """Waits until no edit is on its way."""

    def wait(window: MainWindow) -> None:
        qtbot.waitUntil(lambda: window.area.session.document.pending == 0)

    return wait


@pytest.fixture
def on_disk(folder):
    """Reads the project beside the window."""

    def read(look):
        with open_project(folder, read_only=True) as project:
            return look(project)

    return read


@pytest.fixture
def body_tab(bench, window, qtbot):
    """Shows a tab of the body's panel and gives what is on it, by its class."""

    def shown(number: int, kind):
        window.area.docks.raise_("body")
        window.findChild(BodyPanel).tabs.setCurrentIndex(number)
        panel = window.findChild(kind)
        qtbot.waitUntil(panel.isVisible)
        return panel

    return shown
