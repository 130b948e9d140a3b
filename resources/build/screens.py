"""Take the pictures of the user guide: docs/pictures/window-*.jpg, of the sample, by using the real window.

    python resources/build/screens.py            all of them (needs no screen, and Chromium for the report)

A project of the sample is made in a temporary folder, people are proposed, and the window is driven by key and mouse
events to each state that the guide shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "docs" / "pictures"
SIZE = (1440, 900)
_QUALITY = 88
_PAGE = (1240, 1500)


def take_all(folder: Path, scale: str) -> None:
    """Drive the window; `scale` is "" for all pictures at 100 %, or a factor for the one that shows large type."""
    from PySide6.QtCore import QEvent, QPointF, Qt
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    from annotator.document import Part, PartKind
    from annotator.qt import theme
    from annotator.qt.app import dismiss
    from annotator.qt.main_window import MainWindow
    from annotator.qt.panels.alternatives import Alternatives
    from annotator.qt.panels.body import BodyPanel
    from annotator.qt.refine_dialog import RefineDialog
    from annotator.qt.refine_monitor import RefineMonitor
    from annotator.qt.settings import Settings
    from annotator.qt.shape_dialog import ShapeDialog
    from cliff_core.skeletons import JOINT_SETS

    app = QApplication.instance() or QApplication(sys.argv[:1])
    theme.apply_theme(app, "dark")
    window = MainWindow(Settings())
    window.resize(*SIZE)
    window.show()
    window.activateWindow()

    def until(ready: Callable[[], bool]) -> None:
        ends = time.monotonic() + 600
        while not ready():
            app.processEvents()
            if time.monotonic() > ends:
                raise TimeoutError("the window did not get there")
            time.sleep(0.005)

    def wait(ms: int) -> None:
        """Let events and the threads beside the window run; Qt's own waiting would hold up the threads."""
        ends = time.monotonic() + ms / 1000
        while time.monotonic() < ends:
            app.processEvents()
            time.sleep(0.005)

    def shoot(name: str) -> None:
        wait(800)
        window.grab().save(str(OUT / f"window-{name}.jpg"), quality=_QUALITY)

    window.open(folder)
    until(lambda: window.area is not None and window.area.canvas.is_ready and window.area.canvas.workspace.is_ready)
    area = window.area
    canvas, workspace, document = area.canvas, area.canvas.workspace, area.session.document
    until(lambda: bool(area.session.ids))
    names: dict[str, int] = {}
    area.session.desk.project(lambda project: {photo.name: photo.id for photo in project.photos()}, names.update)
    until(lambda: bool(names))

    def go(photo: str) -> None:
        document.open_photo(names[photo])
        until(lambda: document.photo.id == names[photo] and canvas.is_ready and workspace.figure is not None)
        canvas.setFocus()
        wait(200)

    def key(code, keys=Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(canvas, code, keys)
        until(lambda: document.pending == 0)

    def mouse(kind, place, pressed: bool) -> None:
        point, left, none = QPointF(*map(float, place)), Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        button = none if kind is QEvent.Type.MouseMove else left
        event = QMouseEvent(
            kind, point, canvas.mapToGlobal(point), button, left if pressed else none, Qt.KeyboardModifier.NoModifier
        )
        app.sendEvent(canvas, event)
        app.processEvents()

    if scale:
        go("track_run.jpg")
        key(Qt.Key.Key_F)
        shoot(f"scale-{scale}")
        window.close()
        dismiss(window)
        return

    go("gallery_three.jpg")
    shoot("labeling")

    go("beach_arms.jpg")
    key(Qt.Key.Key_F)
    wait(200)
    figure = workspace.figure
    row = JOINT_SETS[figure.keypoints.joint_set].names.index("left_wrist")
    start = canvas.points_shown(figure)[row]
    mouse(QEvent.Type.MouseMove, start, False)
    mouse(QEvent.Type.MouseButtonPress, start, True)
    for step in range(1, 13):
        mouse(QEvent.Type.MouseMove, start + (4.0 * step, 6.0 * step), True)
    shoot("drag")
    mouse(QEvent.Type.MouseButtonRelease, start + (48.0, 72.0), False)
    until(lambda: document.pending == 0)

    go("cafe_table.jpg")
    key(Qt.Key.Key_F)
    key(Qt.Key.Key_J)
    document.select(document.selected, Part(PartKind.JOINT, "left_elbow"))
    strip = window.findChild(Alternatives)
    until(lambda: len(strip.found) > 1)
    shoot("alternatives")

    side = area.side
    area.docks["side"].setFloating(True)
    area.docks["side"].resize(760, 760)
    wait(300)
    side.look_from("side")
    wait(400)
    side.grab().save(str(OUT / "window-side.jpg"), quality=_QUALITY)
    area.docks["side"].setFloating(False)
    window.actions_.check("body.joints", False)

    go("gym_dance.jpg")
    for _ in range(2):
        window.actions_["person.done"].trigger()
        until(lambda: document.pending == 0)
        wait(200)
    go("gym_dance.jpg")
    window.actions_.check("review.mode", True)
    window.actions_["view.review"].trigger()
    shoot("review")
    window.actions_.check("review.mode", False)

    window.actions_["view.inspector"].trigger()
    window.findChild(BodyPanel).tabs.setCurrentIndex(3)
    go("studio_spar.jpg")
    window.actions_.check("view.quality", True)
    shoot("quality")
    window.actions_.check("view.quality", False)

    go("street_walkers.jpg")
    window.actions_.check("view.light", True)
    shoot("light")
    window.actions_.check("view.light", False)

    go("gallery_three.jpg")
    window.actions_["body.share_shape"].trigger()
    sharing = window.findChild(ShapeDialog)
    until(lambda: sharing.list.count() > 0)
    wait(2000)
    for place in (0, 3):
        sharing.list.item(place).setSelected(True)
    wait(300)
    sharing.grab().save(str(OUT / "window-share.jpg"), quality=_QUALITY)
    sharing.reject()

    window.actions_["dataset.refine"].trigger()
    dialog = window.findChild(RefineDialog)
    until(dialog.start.isEnabled)
    wait(300)
    dialog.grab().save(str(OUT / "window-refine-before.jpg"), quality=_QUALITY)
    dialog.start.click()
    until(lambda: window.findChild(RefineMonitor) is not None)
    monitor = window.findChild(RefineMonitor)
    monitor.resize(900, 760)

    def refinement():
        return [each for each in area.jobs.jobs if each.kind == "refine"]

    until(lambda: any(each.pictures > 0 and len(each.curves) > 15 for each in refinement()))
    monitor.grab().save(str(OUT / "window-refine-curves.jpg"), quality=_QUALITY)
    until(lambda: bool(monitor.judgement.text()))
    wait(2000)
    _shoot_report(refinement()[0].folder / "report.html")
    monitor.grab().save(str(OUT / "window-refine.jpg"), quality=_QUALITY)
    monitor.reject()

    window.close_project()
    shoot("start")
    window.close()
    dismiss(window)


def _shoot_report(report: Path) -> None:
    """The top of a page as a browser shows it."""
    browser = next((found for name in ("chromium", "google-chrome", "chrome") if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit("the picture of the report needs Chromium or Chrome")
    with tempfile.TemporaryDirectory(prefix="cliff-browser-") as folder:
        shot = Path(folder) / "report.png"
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={folder}"]
        size = f"--window-size={_PAGE[0]},{_PAGE[1]}"
        subprocess.run(
            [browser, *options, size, f"--screenshot={shot}", report.as_uri()], check=True, stderr=subprocess.DEVNULL
        )
        Image.open(shot).convert("RGB").save(OUT / "window-refine-report.jpg", quality=_QUALITY)


def main() -> None:
    """All pictures, each scale in a process of its own."""
    if len(sys.argv) > 1:
        take_all(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
        return
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cliff-screens-") as folder:
        project = Path(folder) / "Sample"
        python, program = sys.executable, str(ROOT / "main.py")
        photos = str(ROOT / "resources" / "sample" / "photos")
        subprocess.run([python, program, "new", str(project), "--images", photos], check=True)
        subprocess.run([python, program, "propose", str(project)], check=True)
        # For refining: points that somebody placed.
        points = str(ROOT / "resources" / "sample" / "keypoints.json")
        subprocess.run([python, program, "import", str(project), points], check=True)
        settings = {**os.environ, "CLIFF_ANNOTATOR_CONFIG": str(Path(folder) / "config"), "PYTHONPATH": str(ROOT)}
        subprocess.run([python, __file__, str(project)], check=True, env=settings)
        large = {**settings, "QT_SCALE_FACTOR": "2"}
        subprocess.run([python, __file__, str(project), "200"], check=True, env=large)


if __name__ == "__main__":
    main()
