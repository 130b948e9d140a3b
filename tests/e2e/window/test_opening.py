"""The window opens projects, says what is wrong with them, and comes back where the person was."""

import gc
import subprocess
import sys
import weakref

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QWidget

from annotator.project import open_project
from annotator.qt import theme


def is_open(window) -> bool:
    return window.area is not None and window.area.session.document.photo is not None


def test_a_window_opens_a_project_at_its_first_photo(window):
    assert window.area.session.document.photo.name == "photo0.png"
    assert len(window.area.session.document.people) == 2
    assert "project" in window.windowTitle()


def test_the_window_reopens_where_the_person_was(window, make_window, folder, qtbot):
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_D)
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: window.area.session.document.photo.name == "photo2.png")
    window.close()

    again = make_window()
    again.begin(None)

    qtbot.waitUntil(lambda: is_open(again), timeout=10_000)
    assert again.area.session.folder == folder
    assert again.area.session.document.photo.name == "photo2.png"


def test_closing_a_project_gives_it_back_and_shows_the_start(window, folder, qtbot):
    window.actions_["file.close"].trigger()

    assert window.pages.currentWidget() is window.start
    with open_project(folder) as project:
        assert not project.read_only
    assert any(card.objectName() == "recent" for card in window.start.findChildren(type(window.start.drop).__mro__[1]))


def test_a_project_that_somebody_has_open_is_shown_for_reading(make_window, folder, qtbot):
    window = make_window()
    with open_project(folder):
        window.open(folder)
        qtbot.waitUntil(lambda: is_open(window), timeout=10_000)
        assert "read only" in window.area.bar.saved.words.text()
        assert not window.actions_["person.done"].isEnabled()
        assert window.notices.isVisible()
        window.close_project()
        assert not window.notices.isVisible()  # it was about that project


def test_a_photo_that_is_gone_is_told_of_above_the_bodies_and_comes_back(window, folder, qtbot):
    canvas, file = window.area.canvas, folder.parent / "photos" / "photo1.png"
    qtbot.waitUntil(lambda: canvas.is_ready)
    file.rename(file.with_suffix(".away"))
    qtbot.keyClick(canvas, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: "photo1.png is not there" in canvas._message)
    qtbot.waitUntil(lambda: canvas.grab().toImage().pixelColor(canvas.width() // 2, 18) == QColor(theme.DARK.panel))

    file.with_suffix(".away").rename(file)
    qtbot.keyClick(canvas, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: canvas.is_ready)
    qtbot.keyClick(canvas, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: canvas.is_ready and window.area.session.document.photo.name == "photo1.png")
    assert canvas._message == ""


def test_a_damaged_project_is_left_alone_and_its_backup_brought_back(make_window, folder, qtbot):
    with open_project(folder) as project:
        project.backup("test")
    database = folder / "project.sqlite"
    broken = b"no database" * 1000
    database.write_bytes(broken)
    window = make_window()

    window.open(folder)
    qtbot.waitUntil(lambda: window.start.damaged.objectName() == "damaged", timeout=10_000)
    assert database.read_bytes() == broken
    restore = window.start.damaged.findChild(object, "restore")
    qtbot.mouseClick(restore, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: is_open(window), timeout=10_000)
    assert len(window.area.session.document.people) == 2


def test_a_folder_without_a_project_ends_in_one_notice(make_window, tmp_path, qtbot):
    window = make_window()
    window.open(tmp_path)
    qtbot.waitUntil(window.notices.isVisible, timeout=10_000)
    assert "no project there" in window.notices.words.text()
    assert window.pages.currentWidget() is window.start


class _Windows(QObject):
    """Notes every widget that is shown as a window of its own."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(watched)
        return False


def test_opening_flashes_no_other_window(make_window, folder, qtbot):
    window, windows = make_window(), _Windows()
    QApplication.instance().installEventFilter(windows)

    window.open(folder)
    qtbot.waitUntil(lambda: is_open(window), timeout=10_000)

    QApplication.instance().removeEventFilter(windows)
    assert windows.shown == []
    assert window.isActiveWindow()


def test_no_torch_in_the_window(folder, config, repository):
    """In a process of its own: other tests may have loaded it in this one."""
    opens = f"""
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from annotator.qt.main_window import MainWindow
from annotator.qt.settings import Settings
app = QApplication([])
window = MainWindow(Settings())
window.show()
window.open(Path({str(folder)!r}))
def look():
    if window.area is not None and window.area.canvas.is_ready and window.area.canvas.workspace.figure is not None:
        print(sorted({{"torch", "ray", "smplx"}} & set(sys.modules)))
        window.close()
        app.quit()
timer = QTimer()
timer.timeout.connect(look)
timer.start(50)
app.exec()
"""
    done = subprocess.run(
        [sys.executable, "-c", opens], cwd=repository, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_closed_project_leaves_nothing_in_memory_but_bodies_that_the_next_one_takes(make_window, folder, qtbot):
    window = make_window()

    def bodies():
        window.open(folder)
        qtbot.waitUntil(lambda: window.area is not None and window.area.canvas.workspace.is_ready, timeout=60_000)
        return dict(window.area.canvas.workspace._bodies)

    before = bodies()
    left = [weakref.ref(each) for each in (window.area.session, window.area.canvas.workspace, window.area.canvas)]
    window.close_project()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert [each() for each in left] == [None] * len(left)
    again = bodies()
    assert len(again) == len(before) > 0
    assert all(again[gender] is body for gender, body in before.items())
