"""Every action is found by typing, and its key can be changed."""

import json

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from annotator.qt.action_list import ACTIONS
from annotator.qt.actions import KeyMap, normal_key
from annotator.qt.keymap_dialog import KeymapDialog
from annotator.qt.palette import match
from annotator.qt.settings import Settings

CTRL = Qt.KeyboardModifier.ControlModifier


def test_the_palette_does_what_is_typed(window, qtbot):
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_K, CTRL)
    assert window.palette_.isVisible()
    qtbot.keyClicks(window.palette_.search, "nxt pho")
    assert window.palette_.list.item(0).text() == "Next photo"

    qtbot.keyClick(window.palette_.search, Qt.Key.Key_Return)

    qtbot.waitUntil(lambda: window.area.session.document.photo.name == "photo1.png")
    assert not window.palette_.isVisible()
    assert window.area.canvas.hasFocus()


def test_escape_leaves_the_palette_without_a_trace(window, qtbot):
    window.actions_["edit.palette"].trigger()
    qtbot.keyClicks(window.palette_.search, "remove this")
    qtbot.keyClick(window.palette_.search, Qt.Key.Key_Escape)
    assert not window.palette_.isVisible()
    assert len(window.area.session.document.people) == 2


def test_beginnings_of_words_come_first():
    assert match("rd", "Refine dataset") < match("rd", "Add a guard")
    assert match("xyz", "Refine dataset") is None
    assert match("", "anything") is not None


def test_default_keys_mean_one_thing_each(qapp, tmp_path):
    settings = Settings(tmp_path)
    key_map = KeyMap(settings)
    keys = [key for spec in ACTIONS for key in key_map.keys(spec.id)]
    assert len(keys) == len(set(keys))
    assert all(normal_key(key) for spec in ACTIONS for key in spec.keys)
    settings.close()


def test_a_new_key_works_at_once_and_after_a_restart(window, make_window, folder, config, qtbot):
    window.actions_["edit.keys"].trigger()
    dialog = window.findChild(KeymapDialog)
    qtbot.keyClicks(dialog.search, "next photo")
    item = dialog.tree.topLevelItem(0).child(0)
    dialog.tree.setCurrentItem(item)
    qtbot.keyClick(dialog.key, Qt.Key.Key_X)
    assert "Next depth alternative" in dialog.words.text()
    qtbot.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
    dialog.accept()
    QApplication.processEvents()

    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_X)
    qtbot.waitUntil(lambda: window.area.session.document.photo.name == "photo1.png")
    window.close()

    assert json.loads((config / "keys.json").read_text("utf-8")) == {"body.alternative": [], "photo.next": ["X"]}
    again = make_window()
    assert again.actions_["photo.next"].shortcut().toString() == "X"
    assert again.actions_["body.alternative"].shortcut().isEmpty()


def test_what_nobody_does_is_in_no_menu(make_window):
    window = make_window()
    seen = {
        menu.title() for menu in window.menuBar().actions() for menu in [menu.menu()] if menu.menuAction().isVisible()
    }
    assert "File" in seen
    assert "Points" not in seen
    assert not window.actions_["person.done"].isVisible()


def test_somebody_does_every_action(window):
    done = {spec.id for spec in window.actions_.available()}
    assert {spec.id for spec in ACTIONS} == done
