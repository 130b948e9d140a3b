"""The list of photos: filter, search, worst first, keys; it follows what is done."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt, QTimer

from annotator.commands import SetState
from annotator.project import create_project, open_project
from annotator.project.assigning import split_project
from annotator.project.queries import Show, worst_first
from annotator.worklist import next_people
from cliff_core.images import write_image


def names(window) -> list[str]:
    model = window.area.photos.model
    return [model.data(model.index(row)) for row in range(model.rowCount())]


def photo(window) -> str:
    return window.area.session.document.photo.name


def choose_filter(window, qtbot, show: Show) -> None:
    box = window.area.photos.filter
    box.setCurrentIndex(box.findData(show))
    box.activated.emit(box.currentIndex())


def wait_for_names(window, qtbot, expected: list[str]) -> None:
    qtbot.waitUntil(lambda: names(window) == expected)


def test_all_photos_are_listed_with_their_pictures(window, qtbot):
    wait_for_names(window, qtbot, [f"photo{n}.png" for n in range(6)])
    made = window.area.session.folder / "runs" / "thumbnails"
    qtbot.waitUntil(lambda: len(list(made.glob("*/*.jpg"))) == 6)


def test_two_quick_presses_are_two_photos_further(window, qtbot):
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_D)
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: photo(window) == "photo2.png")
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: photo(window) == "photo1.png")
    assert window.area.photos.list.currentIndex().row() == 1
    assert "2 / 6" in window.area.bar.place.text()


def test_a_click_opens_a_photo(window, qtbot):
    view = window.area.photos.list
    wait_for_names(window, qtbot, [f"photo{n}.png" for n in range(6)])
    place = view.visualRect(window.area.photos.model.index(3)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place))
    qtbot.waitUntil(lambda: photo(window) == "photo3.png")


def test_a_filter_without_photos_says_so_and_offers_the_way_back(window, qtbot):
    choose_filter(window, qtbot, Show.REJECTED)
    empty = window.area.photos.empty
    qtbot.waitUntil(empty.isVisible)
    assert "Rejected" in empty.text.text()

    qtbot.mouseClick(empty.button, Qt.MouseButton.LeftButton)

    wait_for_names(window, qtbot, [f"photo{n}.png" for n in range(6)])


def test_typing_searches_and_return_goes_to_the_list(window, qtbot):
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    field = window.area.photos.search
    assert field.hasFocus()
    qtbot.keyClicks(field, "oto4")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    wait_for_names(window, qtbot, ["photo4.png"])
    assert window.area.photos.list.hasFocus()


def test_what_is_found_begins_with_the_first_photo(make_window, qtbot, tmp_path):
    for number in range(40):
        write_image(
            tmp_path / "many" / f"{'ab'[number % 2]}{number:02}.png", np.full((24, 32, 3), 5 * number, np.uint8)
        )
    project, _ = create_project(tmp_path / "many_project", tmp_path / "many")
    project.close()
    window = make_window()
    window.open(project.folder)
    qtbot.waitUntil(lambda: window.area is not None and len(window.area.session.ids) == 40, timeout=10_000)
    qtbot.waitUntil(lambda: photo(window) == "a00.png")
    scroll = window.area.photos.list.verticalScrollBar()
    scroll.setValue(scroll.maximum())

    qtbot.keyClicks(window.area.photos.search, "b")
    wait_for_names(window, qtbot, [f"b{number:02}.png" for number in range(1, 40, 2)])
    assert scroll.maximum() > 0
    qtbot.waitUntil(lambda: scroll.value() == 0)


@pytest.mark.parametrize("key", [Qt.Key.Key_E, Qt.Key.Key_Space, Qt.Key.Key_Escape])
def test_what_picks_somebody_or_escape_brings_the_keys_back_to_the_photo(window, qtbot, key):
    wait_for_names(window, qtbot, [f"photo{n}.png" for n in range(6)])
    qtbot.waitUntil(lambda: window.area.session.document.selected is not None)
    window.area.photos.list.setFocus()
    qtbot.keyClick(window.area.photos.list, key)
    assert window.area.canvas.hasFocus()  # an arrow key nudges a point now, and turns no page


def test_escape_leaves_the_search_field(window, qtbot):
    window.area.photos.begin_search()
    qtbot.keyClick(window.area.photos.search, Qt.Key.Key_Escape)
    assert window.area.canvas.hasFocus()


def test_advice_comes_while_a_job_brings_news_all_the_time(window, qtbot):
    session, news = window.area.session, QTimer(interval=50)
    session._advising.setInterval(400)
    news.timeout.connect(session.count)
    news.start()
    with qtbot.waitSignal(session.advised, timeout=5000):
        pass
    news.stop()


def test_letters_in_the_search_field_are_no_keys(window, qtbot):
    window.actions_["photo.find"].trigger()
    qtbot.keyClicks(window.area.photos.search, "ad 1")
    assert window.area.photos.search.text() == "ad 1"
    assert photo(window) == "photo0.png"


def test_worst_first_sorts_by_suspicion(window, qtbot, on_disk):
    button = window.area.photos.order
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    rows = on_disk(lambda project: worst_first(project.database, "suspicion"))
    expected = list(dict.fromkeys(photo_id for _, _, photo_id in rows))
    qtbot.waitUntil(lambda: window.area.session.ids == expected)
    assert expected != sorted(expected)


def test_space_goes_to_whom_a_look_is_worth_most_and_says_why(window, qtbot, on_disk):
    session = window.area.session
    here = session.document.selected
    first = on_disk(lambda project: next_people(project, 1, skip=[here]))[0]
    second = on_disk(lambda project: next_people(project, 1, skip=[here, first.person_id]))[0]

    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: session.document.selected == first.person_id)
    assert window.status.last.text() == first.why
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: session.document.selected == second.person_id)


@pytest.fixture
def mine(folder) -> set[int]:
    """Photos that are assigned to whoever sits here; the others are Ben's."""
    with open_project(folder) as project:
        split_project(project, ["ben", project.who])
        return {photo.id for photo in project.photos() if project.who in photo.assigned}


def test_in_a_folder_for_several_space_stays_with_what_is_assigned_to_whoever_sits_there(mine, window, qtbot, on_disk):
    worst = on_disk(lambda project: worst_first(project.database, "suspicion"))
    assert any(photo_id not in mine for _, _, photo_id in worst[:3])
    session, visited = window.area.session, []
    for _ in range(3):
        here = session.document.selected
        qtbot.keyClick(window.area.canvas, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda here=here: session.document.selected != here)
        visited.append(session.document.photo.id)
    assert set(visited) <= mine


def test_return_marks_done_and_goes_on(window, qtbot, saved, on_disk):
    session = window.area.session
    first, second = (person.id for person in session.document.people)

    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.document.selected == second)
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: photo(window) == "photo1.png")

    saved(window)
    assert on_disk(lambda project: [project.person(number).state for number in (first, second)]) == ["done", "done"]
    qtbot.waitUntil(lambda: "2 of 8" in window.area.photos.progress.text())
    assert window.area.photos.model.data(window.area.photos.model.index(0), Qt.ItemDataRole.UserRole).done == 2


def test_an_edit_right_after_a_page_is_turned_is_told_as_saved(window, qtbot, saved):
    session, document = window.area.session, window.area.session.document
    first = document.people[0].id
    here = document.photo.id
    qtbot.waitUntil(lambda: session.counts is not None and len(session.ids) == 6)

    window.actions_["photo.next"].trigger()  # the next photo is on its way, and the keys are still about this one
    document.edit(SetState(first, "done"))

    saved(window)
    assert photo(window) == "photo1.png"
    assert window.area.bar.saved.words.text() == "all edits saved"
    assert window.actions_["edit.undo"].text() == "Undo: Mark as done"
    qtbot.waitUntil(lambda: session.counts.done == 1)
    assert session.last_touched == here


def test_undo_comes_back_to_the_photo_that_it_changes(window, qtbot, saved):
    session = window.area.session
    session.document.edit(SetState(session.document.people[0].id, "done"))
    saved(window)
    session.step(1)
    qtbot.waitUntil(lambda: photo(window) == "photo1.png")

    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    qtbot.waitUntil(lambda: photo(window) == "photo0.png")
    assert session.document.people[0].state == "proposed"


def test_nobody_here_is_noted_and_taken_back(window, qtbot, saved):
    session = window.area.session
    session.go(session.ids[4])
    qtbot.waitUntil(lambda: photo(window) == "photo4.png")
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: photo(window) == "photo5.png")
    session.step(-1)
    qtbot.waitUntil(lambda: photo(window) == "photo4.png" and session.document.photo.is_empty)
    assert window.actions_["photo.empty"].text() == "Somebody may be here"
