"""The menu bar, made from the list of actions."""

from __future__ import annotations

from PySide6.QtWidgets import QMenu, QMenuBar

from annotator.qt.action_list import ACTIONS, MENUS
from annotator.qt.actions import Actions
from annotator.qt.strings import tr


def fill_menu_bar(bar: QMenuBar, actions: Actions) -> None:
    """Make all menus; entries that nobody does stay unseen, and a menu without entries too."""
    menus: dict[str, QMenu] = {}
    last: dict[str, int] = {}
    for name in MENUS:
        menus[name] = bar.addMenu(tr(name))
        menus[name].setToolTipsVisible(True)
    for spec in ACTIONS:
        if spec.menu:
            if last.get(spec.menu, spec.group) != spec.group:
                menus[spec.menu].addSeparator()
            last[spec.menu] = spec.group
            menus[spec.menu].addAction(actions[spec.id])

    def show_filled() -> None:
        for menu in menus.values():
            menu.menuAction().setVisible(any(a.isVisible() and not a.isSeparator() for a in menu.actions()))

    actions.changed.connect(show_filled)
    show_filled()
