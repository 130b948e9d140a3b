"""All keys at a glance, and a way to change each of them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from annotator.qt.action_list import ACTIONS, MENUS, ActionSpec
from annotator.qt.actions import Actions, shown_key
from annotator.qt.palette import match
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row

_ID = Qt.ItemDataRole.UserRole


class KeymapDialog(QDialog):
    """Lists actions by menu with their keys; the chosen one can get another key.

    Args:
        parent: the window.
        actions: whose key map is changed.
    """

    def __init__(self, parent: QWidget, actions: Actions):
        super().__init__(parent)
        self.setWindowTitle(tr("Keys"))
        self.setObjectName("keymap")
        self.resize(640, 640)
        self._actions = actions
        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search by words or by key"))
        self.search.setAccessibleName(tr("Search by words or by key"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._fill)
        self.tree = QTreeWidget()
        self.tree.setColumnCount(2)
        self.tree.setHeaderLabels([tr("Action"), tr("Keys")])
        self.tree.setRootIsDecorated(False)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setAccessibleName(tr("Actions"))
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(False)
        self.tree.currentItemChanged.connect(lambda: self._show_chosen())
        self.chosen = label("", "title")
        self.key = QKeySequenceEdit()
        self.key.setMaximumSequenceLength(1)
        self.key.setAccessibleName(tr("New key"))
        self.key.keySequenceChanged.connect(lambda: self._look())
        self.words = label("", "quiet", wrap=True, name="conflict")
        self.use = button(tr("Use this key"), self.take, role="primary", name="use_key")
        self.none = button(tr("No key"), lambda: self._set(()), name="no_key")
        self.back = button(tr("Default"), self._default, name="default_key")
        layout = column(label(tr("Keys"), "heading"), self.search, self.tree, self.chosen, margin=20)
        layout.setStretch(2, 1)
        layout.addLayout(row(self.key, self.use, self.none, self.back))
        layout.addWidget(self.words)
        layout.addLayout(
            row(
                button(tr("Reset all keys"), self._reset, role="flat", name="reset_keys"),
                -1,
                button(tr("Close"), self.accept),
            )
        )
        self.setLayout(layout)
        self._fill()

    def _fill(self) -> None:
        letters = self.search.text().strip()
        kept = self._spec()
        self.tree.clear()
        for menu in (*MENUS, ""):
            group = QTreeWidgetItem([tr(menu) if menu else tr("On the canvas")])
            group.setFlags(Qt.ItemFlag.ItemIsEnabled)
            group.setForeground(0, self.palette().placeholderText())
            for spec in ACTIONS:
                if spec.menu != menu:
                    continue
                keys = [shown_key(key) for key in self._actions.key_map.keys(spec.id)]
                words = tr(spec.text).rstrip("…")
                is_key = letters.lower() in [key.lower() for key in keys]
                if letters and not is_key and match(letters, words) is None:
                    continue
                item = QTreeWidgetItem([words, "   ".join(keys)])
                item.setData(0, _ID, spec)
                item.setIcon(0, self._actions[spec.id].icon())
                item.setToolTip(0, tr(spec.tip) if spec.tip else "")
                if self._actions.key_map.is_changed(spec.id):
                    font = item.font(1)
                    font.setBold(True)
                    item.setFont(1, font)
                group.addChild(item)
            if group.childCount():
                self.tree.addTopLevelItem(group)
                group.setExpanded(True)
                for number in range(group.childCount()):
                    if kept is not None and group.child(number).data(0, _ID).id == kept.id:
                        self.tree.setCurrentItem(group.child(number))
        self._show_chosen()

    def _spec(self) -> ActionSpec | None:
        item = self.tree.currentItem()
        return None if item is None else item.data(0, _ID)

    def _show_chosen(self) -> None:
        spec = self._spec()
        self.chosen.setText(tr("Choose an action to change its key") if spec is None else tr(spec.text).rstrip("…"))
        for widget in (self.key, self.none, self.back):
            widget.setEnabled(spec is not None)
        self.key.clear()
        self._look()

    def _new_key(self) -> str:
        return self.key.keySequence().toString(QKeySequence.SequenceFormat.PortableText)

    def _look(self) -> None:
        """Say who has the key already, before anything is changed."""
        spec, key = self._spec(), self._new_key()
        self.use.setEnabled(spec is not None and bool(key))
        others = [] if spec is None else self._actions.key_map.conflicts(spec.id, key)
        names = ", ".join(f"“{tr(self._actions.specs[name].text).rstrip('…')}”" for name in others)
        self.words.setText(tr("{names} has this key now, and would lose it.", names=names) if others else "")

    def take(self) -> None:
        """Give the chosen action the new key; whoever had it loses it."""
        spec, key = self._spec(), self._new_key()
        if spec is None or not key:
            return
        key_map = self._actions.key_map
        for name in key_map.conflicts(spec.id, key):
            key_map.set(name, [each for each in key_map.keys(name) if each != key])
        self._set((key,))

    def _set(self, keys: tuple[str, ...]) -> None:
        spec = self._spec()
        if spec is not None:
            self._actions.key_map.set(spec.id, keys)
            self._actions.show_keys()
            self._fill()

    def _default(self) -> None:
        spec = self._spec()
        if spec is None:
            return
        for key in spec.keys:
            for name in self._actions.key_map.conflicts(spec.id, key):
                kept = [each for each in self._actions.key_map.keys(name) if each != QKeySequence(key).toString()]
                self._actions.key_map.set(name, kept)
        self._set(spec.keys)

    def _reset(self) -> None:
        self._actions.key_map.reset()
        self._actions.show_keys()
        self._fill()
