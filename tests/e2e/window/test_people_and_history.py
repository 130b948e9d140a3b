"""The tree selects what the canvas selects, and the history goes to any step."""

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QMessageBox

from annotator.commands import MovePoint, RemovePerson, SetState, Together
from annotator.document import Part, PartKind
from annotator.qt.panels.people import _find
from annotator.qt.strings import load_catalogue


def show(window, name: str) -> None:
    window.area.docks.raise_(name)


def test_the_tree_and_the_canvas_select_the_same(window, qtbot):
    show(window, "people")
    tree, document = window.area.people.tree, window.area.session.document
    person = document.people[1]
    document.select(person.id, Part(PartKind.POINT, "right_knee"))
    assert tree.currentItem().text(0) == "right knee"

    item = _find(tree.topLevelItem(0), (document.people[0].id, Part(PartKind.JOINT, "left_elbow")))
    tree.setCurrentItem(item)
    assert (document.selected, document.part) == (document.people[0].id, Part(PartKind.JOINT, "left_elbow"))


def test_whoever_is_selected_by_a_key_comes_into_view(bench, window, qtbot):
    canvas = bench.canvas
    other = next(figure for figure in canvas.workspace.figures.all() if figure is not canvas.workspace.figure)

    def is_in_view() -> bool:
        x, y = canvas.view.to_view([(other.box.x0 + other.box.x1) / 2, (other.box.y0 + other.box.y1) / 2])
        return 0 <= x < canvas.width() and 0 <= y < canvas.height()

    canvas.zoom(3.0)
    assert not is_in_view()
    qtbot.keyClick(canvas, Qt.Key.Key_Tab)
    assert canvas.workspace.figure.person.id == other.person.id
    qtbot.waitUntil(is_in_view)


def test_the_tree_shows_who_set_a_point_and_how_far_a_person_is(window, qtbot, saved):
    show(window, "people")
    document = window.area.session.document
    person = document.people[0].id
    document.edit(MovePoint(person, "coco17", "left_wrist", (50.0, 60.0), 1))
    document.edit(SetState(person, "done"))
    saved(window)
    item = window.area.people.tree.topLevelItem(0)
    wrist = _find(item, (person, Part(PartKind.POINT, "left_wrist")))
    assert wrist.font(0).bold()
    assert wrist.text(1) == "hidden"
    assert item.text(1) == "done"


def test_a_hand_quicker_than_the_disk_takes_somebody_away_once(window, qtbot, saved):
    document = window.area.session.document
    first, second = (person.id for person in document.people)
    nudge = MovePoint(first, "coco17", "left_wrist", (50.0, 60.0))
    for command in (RemovePerson(first), RemovePerson(first), nudge, Together("Fit", (nudge, nudge))):
        document.edit(command)
    saved(window)
    assert [person.id for person in document.people] == [second]
    assert not window.notices.isVisible()
    assert document.undo_label == "Remove person"

    document.edit(Together("Fit", (nudge, MovePoint(second, "coco17", "left_wrist", (50.0, 60.0)))))
    qtbot.waitUntil(lambda: "was removed" in window.notices.words.text())  # somebody else's part of it is missing


def test_people_move_up_and_down_in_one_step_each(window, qtbot, saved):
    document = window.area.session.document
    first, second = (person.id for person in document.people)
    document.select(second)
    window.actions_["person.earlier"].trigger()
    saved(window)
    assert [person.id for person in document.people] == [second, first]
    window.actions_["edit.undo"].trigger()
    saved(window)
    assert [person.id for person in document.people] == [first, second]


def test_backspace_takes_a_proposal_away_and_undo_brings_it_back(window, qtbot, saved):
    document = window.area.session.document
    first, second = (person.id for person in document.people)
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_Backspace)
    qtbot.waitUntil(lambda: [person.id for person in document.people] == [second] and document.selected == second)
    window.actions_["edit.undo"].trigger()
    saved(window)
    assert [person.id for person in document.people] == [first, second]


def test_undo_asks_before_it_takes_a_run_on_many_photos_back(window, qtbot, saved):
    document, canvas = window.area.session.document, window.area.canvas
    people = [person.id for person in document.people]
    document.edit(SetState(people[0], "done"))
    saved(window)

    def question() -> QMessageBox | None:
        return window.findChild(QMessageBox, "undo_question")

    for _ in range(2):  # the second one would be the whole proposal, of four photos
        qtbot.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: question() is not None)
    assert "Propose" in question().text()
    qtbot.keyClick(question(), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: question() is None)
    window.activateWindow()  # offscreen nobody does
    qtbot.waitUntil(window.isActiveWindow)
    assert [(person.id, person.state) for person in document.people] == [(number, "proposed") for number in people]

    qtbot.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: question() is not None)
    take = next(button for button in question().buttons() if button.text() == "Take it back")
    qtbot.mouseClick(take, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: document.people == ())
    window.actions_["edit.redo"].trigger()
    qtbot.waitUntil(lambda: [person.id for person in document.people] == people)


def test_the_history_goes_back_and_forth(window, qtbot, saved):
    show(window, "history")
    document, history = window.area.session.document, window.area.history
    person = document.people[0].id
    for state in ("in progress", "done"):
        document.edit(SetState(person, state))
    saved(window)
    qtbot.waitUntil(lambda: history.list.count() == 3)
    assert "Mark as done" in history.list.item(0).text()

    history.list.setCurrentRow(2)
    qtbot.mouseClick(history.jump, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: document.people[0].state == "proposed")
    qtbot.waitUntil(lambda: "undone" in history.list.item(0).text())

    history.list.setCurrentRow(0)
    qtbot.mouseClick(history.jump, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: document.people[0].state == "done")


def test_history_and_undo_are_chinese_in_a_chinese_window(make_window, folder, qtbot, on_disk):
    chinese = load_catalogue("zh_CN")
    QCoreApplication.installTranslator(chinese)
    try:
        window = make_window()
        window.open(folder)
        qtbot.waitUntil(lambda: window.area is not None and window.area.session.document.photo is not None)
        show(window, "history")
        document, history = window.area.session.document, window.area.history
        person = document.people[0].id
        document.edit(MovePoint(person, "coco17", "left_wrist", (50.0, 60.0), 1))
        document.edit(SetState(person, "done"))
        qtbot.waitUntil(lambda: history.list.count() == 3)
        assert [history.list.item(row).text().split("\n")[0] for row in range(3)] == [
            "标记为完成",
            "移动左腕",
            "预测",
        ]
        assert window.actions_["edit.undo"].text() == "撤销: 标记为完成"
        window.actions_["edit.undo"].trigger()
        qtbot.waitUntil(lambda: window.actions_["edit.redo"].text() == "重做: 标记为完成")
        assert window.actions_["edit.undo"].text() == "撤销: 移动左腕"
        window.close()
    finally:
        QCoreApplication.removeTranslator(chinese)
    labels = on_disk(lambda project: [step.label for step in project.journal.steps(10)])
    assert labels == ["Mark as done", "Move left wrist", "Propose"]  # the journal stays English


def test_a_single_old_step_can_be_taken_back(window, qtbot, saved):
    show(window, "history")
    document, history = window.area.session.document, window.area.history
    first, second = (person.id for person in document.people)
    document.edit(SetState(first, "done"))
    document.edit(SetState(second, "done"))
    saved(window)
    qtbot.waitUntil(lambda: history.list.count() == 3)

    history.list.setCurrentRow(1)
    qtbot.mouseClick(history.only, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: [person.state for person in document.people] == ["proposed", "done"])
