"""Panels dock, collapse and are remembered; full screen, both themes, every size; names for screen readers."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QStatusTipEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QApplication, QComboBox, QLineEdit, QListView

from annotator.qt import theme


def contrast(first: str, second: str) -> float:
    """WCAG's contrast of two colours."""

    def luminance(colour: str) -> float:
        parts = [channel / 255 for channel in QColor(colour).getRgb()[:3]]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("roles", theme.THEMES.values(), ids=lambda roles: roles.name)
def test_words_can_be_read_in_both_themes(roles):
    for behind in (roles.panel, roles.raised, roles.hover, roles.selection):
        assert contrast(roles.text, behind) >= 4.5
    for behind in (roles.panel, roles.raised):
        assert contrast(roles.quiet_text, behind) >= 4.5 if behind == roles.panel else 4.0
        for words in (roles.good, roles.bad):
            assert contrast(words, behind) >= 4.0
    assert contrast(roles.on_accent, roles.accent) >= 4.5


def test_the_canvas_gets_most_of_the_width(window, qtbot):
    window.resize(1440, 900)
    qtbot.waitUntil(lambda: window.area.canvas.width() >= 0.55 * 1440)


def test_nothing_is_cut_off_on_a_small_laptop(window, qtbot):
    window.resize(1280, 720)
    QApplication.processEvents()
    for widget in (window.area.bar.saved, window.area.photos.bar, window.area.side, window.area.canvas, window.status):
        corner = widget.mapTo(window, widget.rect().bottomRight())
        assert widget.isVisible()
        assert window.rect().contains(corner)
    assert window.area.bar.saved.words.width() >= window.area.bar.saved.words.sizeHint().width()


def test_what_a_button_does_is_said_where_hints_are_and_the_hint_comes_back(window):
    window.status.show_hint("Draw a box")
    QApplication.sendEvent(window, QStatusTipEvent("Teach CLIFF"))
    assert window.status.hint.text() == "Teach CLIFF"
    QApplication.sendEvent(window, QStatusTipEvent(""))
    assert window.status.hint.text() == "Draw a box"


def test_full_screen_leaves_canvas_and_side_view_and_comes_back(window, qtbot):
    docks = window.area.docks
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_F11)
    assert window.isFullScreen()
    assert window.area.canvas.isVisible()
    assert window.area.side.isVisible()
    assert not docks["photos"].isVisible()
    assert not window.menuBar().isVisible()
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_F11)
    assert not window.isFullScreen()
    assert docks["photos"].isVisible()
    assert window.menuBar().isVisible()


def test_a_closed_panel_stays_closed_and_the_view_menu_brings_it_back(window, make_window, folder, qtbot):
    qtbot.keyClick(window.area.canvas, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert not window.area.docks["side"].isVisible()
    window.close()

    again = make_window()
    again.open(folder)
    qtbot.waitUntil(lambda: again.area is not None, timeout=10_000)
    assert not again.area.docks["side"].isVisible()
    again.actions_["view.side"].trigger()
    assert again.area.docks["side"].isVisible()
    again.actions_["view.reset"].trigger()
    assert again.area.docks["photos"].isVisible()


def test_the_side_view_floats_for_a_second_screen(window, qtbot):
    dock = window.area.docks["side"]
    button = next(each for each in dock.titleBarWidget().findChildren(QAbstractButton) if "Float" in each.toolTip())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert dock.isFloating()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not dock.isFloating()


def test_the_theme_changes_at_once_and_is_remembered(window, make_window, qtbot):
    window.actions_["view.light"].trigger()
    assert theme.current() is theme.LIGHT
    assert window.palette().window().color() == QColor(theme.LIGHT.panel)
    window.close()
    again = make_window()
    assert theme.current() is theme.LIGHT
    assert again.actions_["view.light"].isChecked()
    again.actions_["view.light"].trigger()
    assert theme.current() is theme.DARK


def test_photo_side_view_and_depths_have_the_colours_of_the_theme(bench, window, qtbot):
    bench.canvas.fit_photo(glide=False)
    bench.canvas.clearFocus()
    seen = {}
    for action_is_on in (True, False):
        window.actions_.check("view.light", action_is_on)
        QApplication.processEvents()
        seen[theme.current().name] = [bench.canvas.grab().toImage().pixelColor(200, 3).name().upper()]
        bench.side.look_from("side")
        seen[theme.current().name].append(bench.side.grab().toImage().pixelColor(3, 60).name().upper())
    assert seen == {roles.name: [roles.background.upper()] * 2 for roles in theme.THEMES.values()}


def test_the_view_glides_unless_told_not_to_and_remembers_it(bench, window, make_window, folder, qtbot):
    canvas = bench.canvas
    canvas.fit_photo(glide=False)
    start = canvas.view
    qtbot.keyClick(canvas, Qt.Key.Key_F)
    assert canvas._glide is not None  # on its way
    qtbot.waitUntil(lambda: canvas._glide.state() == canvas._glide.State.Stopped)
    there = canvas.view

    window.actions_["view.motion"].trigger()
    qtbot.keyClick(canvas, Qt.Key.Key_F, Qt.KeyboardModifier.ShiftModifier)
    assert canvas.view == start
    qtbot.keyClick(canvas, Qt.Key.Key_F)
    assert canvas.view == there
    assert canvas._glide is None
    window.close()

    again = make_window()
    again.open(folder)
    qtbot.waitUntil(lambda: again.area is not None, timeout=10_000)
    assert not again.actions_["view.motion"].isChecked()
    assert not again.area.canvas.workspace.options.motion


def test_f6_goes_from_panel_to_panel(window, qtbot):
    seen = set()
    for _ in range(4):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_F6)
        seen.add(QApplication.focusWidget())
    assert len(seen) >= 3


def test_everything_that_takes_keys_has_a_name(window, qtbot):
    for name in ("body", "people", "review", "history", "jobs"):
        window.area.docks.raise_(name)
    nameless = [
        f"{type(widget).__name__} in {type(widget.parentWidget()).__name__}"
        for kind in (QAbstractButton, QLineEdit, QComboBox, QAbstractItemView)
        for widget in window.findChildren(kind)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.objectName().startswith("qt_")
        and not (widget.accessibleName() or getattr(widget, "text", str)() or widget.toolTip())
        and not widget.isHidden()
        and type(widget) is not QListView  # of a combo box
    ]
    assert not nameless
