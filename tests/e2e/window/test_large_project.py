"""A project of 100,000 photos is as pleasant as one of ten: list, filter and next photo without a visible pause."""

import hashlib
import time

import pytest
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from annotator.project import create_project
from annotator.project.photos import PhotoFacts, insert_photos
from annotator.project.queries import Show

PHOTOS = 100_000
pytestmark = pytest.mark.slow


@pytest.fixture
def large(tmp_path):
    """Photos as rows; there are no files."""
    project, _ = create_project(tmp_path / "large")
    with project:
        with project.writing():
            project.database.execute("INSERT INTO root (prefix, near, far) VALUES ('', '../photos', 'photos')")
        digests = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(PHOTOS))
        facts = (PhotoFacts(f"{n // 1000:03}/{n:06}.jpg", each, 1000, 1, (640, 480)) for n, each in enumerate(digests))
        insert_photos(project.database, 1, "", facts, "Ada")
    return tmp_path / "large"


def wait_ms(done) -> float:
    """Until something is so, with the window alive; milliseconds."""
    start = time.perf_counter()
    while not done():
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 5)
        time.sleep(0.0005)
        assert time.perf_counter() - start < 30
    return 1e3 * (time.perf_counter() - start)


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def test_a_list_of_100000_photos_has_no_visible_pause(make_window, large):
    window = make_window()
    window.open(large)
    opened = wait_ms(lambda: window.area is not None and len(window.area.session.ids) == PHOTOS)
    session, rows = window.area.session, window.area.photos.list
    wait_ms(lambda: session.document.photo is not None)

    def turn(number: int) -> float:
        window.actions_["photo.next"].trigger()
        return wait_ms(lambda: session.row == number + 1)

    def scroll(number: int) -> float:
        start = time.perf_counter()
        rows.verticalScrollBar().setValue(number * rows.verticalScrollBar().maximum() // 31)
        rows.viewport().repaint()
        return 1e3 * (time.perf_counter() - start)

    def choose(show: Show, count: int) -> float:
        session.show(show)
        return wait_ms(lambda: len(session.ids) == count)

    turning = median([turn(number) for number in range(20)])
    scrolling = median([scroll(number) for number in range(30)])
    filtering = choose(Show.EDITED, 0), choose(Show.NOBODY, PHOTOS)

    print(f"open {opened:.0f}, next {turning:.1f}, scroll {scrolling:.1f}, filters {filtering} ms")
    # Several times what a quiet machine of two cores takes (0.5 s, 22, 1 and 60 ms): others work on it too.
    assert opened < 5000
    assert turning < 200
    assert scrolling < 20
    assert max(filtering) < 1000
