"""Every action as data, and the key map: what menus, tool bars, the command palette and the key sheet are made from.

An action appears once somebody does it (`Actions.on`); one that needs what is not there (a person, a free disk) is
disabled. Keys are the person's to change; those of one place never mean two things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from annotator.qt.action_list import ACTIONS, CANVAS, ActionSpec
from annotator.qt.icons import icon
from annotator.qt.settings import Settings
from annotator.qt.strings import tr

_FILE = "keys.json"


class KeyMap:
    """Which keys do what: the defaults of `ACTIONS`, and above them what the person chose, kept in `keys.json`.

    Args:
        settings: where the choice is kept.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._specs = {spec.id: spec for spec in ACTIONS}
        self._chosen: dict[str, tuple[str, ...]] = {}
        for name, keys in settings.read(_FILE).items():
            if name in self._specs and isinstance(keys, list) and all(isinstance(key, str) for key in keys):
                self._chosen[name] = tuple(normal for key in keys if (normal := normal_key(key)))

    def keys(self, action: str) -> tuple[str, ...]:
        """The keys of an action in Qt's portable spelling, the main one first."""
        return self._chosen.get(action, tuple(normal_key(key) for key in self._specs[action].keys))

    def is_changed(self, action: str) -> bool:
        """Whether the person chose other keys than the default ones."""
        return action in self._chosen

    def set(self, action: str, keys: Iterable[str]) -> None:
        """Choose keys for an action; none at all is a choice too."""
        chosen = tuple(normal for key in keys if (normal := normal_key(key)))
        if chosen == tuple(normal_key(key) for key in self._specs[action].keys):
            self._chosen.pop(action, None)
        else:
            self._chosen[action] = chosen
        self._save()

    def reset(self) -> None:
        """Back to the default keys."""
        self._chosen.clear()
        self._save()

    def conflicts(self, action: str, key: str) -> list[str]:
        """Other actions that the same key would do."""
        key = normal_key(key)
        return [name for name in self._specs if name != action and key in self.keys(name)] if key else []

    def _save(self) -> None:
        self._settings.write(_FILE, {name: list(keys) for name, keys in self._chosen.items()})


def normal_key(key: str) -> str:
    """A key in Qt's portable spelling; empty where it is none."""
    return QKeySequence(key, QKeySequence.SequenceFormat.PortableText).toString()


def shown_key(key: str) -> str:
    """A key as this system writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


class Actions(QObject):
    """The actions of one window.

    Signals:
        changed: keys changed, or what can be done.

    Args:
        window: where window-wide keys work.
        key_map: the keys.
    """

    changed = Signal()

    def __init__(self, window: QWidget, key_map: KeyMap):
        super().__init__(window)
        self.key_map = key_map
        self.specs: dict[str, ActionSpec] = {spec.id: spec for spec in ACTIONS}
        self._actions: dict[str, QAction] = {}
        self._handlers: dict[str, Callable[..., Any]] = {}
        self._before_project: dict[str, Callable[..., Any]] = {}
        self._facts: frozenset[str] = frozenset()
        for spec in ACTIONS:
            action = QAction(tr(spec.text), window)
            action.setObjectName(spec.id)
            if spec.icon:
                action.setIcon(icon(spec.icon))
            action.setCheckable(spec.checkable)
            action.setVisible(False)
            action.setEnabled(False)
            if spec.checkable:
                action.toggled.connect(partial(self._run, spec.id))
            else:
                action.triggered.connect(lambda _=False, name=spec.id: self._run(name))
            if spec.scope == CANVAS:
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            else:
                window.addAction(action)
            self._actions[spec.id] = action
        self.show_keys()

    def __getitem__(self, action: str) -> QAction:
        """The action itself, for buttons and menus."""
        return self._actions[action]

    def on(self, action: str, do: Callable[..., Any]) -> None:
        """Do this when the action is triggered; a checkable one tells whether it is on now. Replaces what it did."""
        self._handlers[action] = do
        entry = self._actions[action]
        entry.setVisible(True)
        entry.setEnabled(self._possible(action))
        self.changed.emit()

    def begin_project(self) -> None:
        """From now on, `on` holds until `end_project`."""
        self._before_project = dict(self._handlers)

    def end_project(self) -> None:
        """Forget what a project's views and panels do; their actions are gone until the next project."""
        for name in self._handlers.keys() - self._before_project.keys():
            entry = self._actions[name]
            entry.setVisible(False)
            entry.setEnabled(False)
        self._handlers = self._before_project
        self.changed.emit()

    def _run(self, action: str, *values: Any) -> None:
        do = self._handlers.get(action)
        if do is not None:
            do(*values)

    def give_to(self, canvas: QWidget) -> None:
        """Let the keys of the canvas work where it, or something in it, has the focus."""
        for spec in ACTIONS:
            if spec.scope == CANVAS:
                canvas.addAction(self._actions[spec.id])

    def available(self) -> list[ActionSpec]:
        """Those that somebody does, in the order of the menus; disabled ones too."""
        return [spec for spec in ACTIONS if spec.id in self._handlers]

    def set_facts(self, facts: Iterable[str]) -> None:
        """Say what is there ("project", "photo", "person", "part", "writable"); the rest is disabled."""
        facts = frozenset(facts)
        if facts != self._facts:
            self._facts = facts
            for name in self._handlers:
                self._actions[name].setEnabled(self._possible(name))
            self.changed.emit()

    def set_text(self, action: str, text: str) -> None:
        """Another wording, such as what undo would take back."""
        self._actions[action].setText(text)

    def check(self, action: str, is_on: bool) -> None:
        """Show that it is on, and do it."""
        self._actions[action].setChecked(is_on)

    def show_keys(self) -> None:
        """Take over the key map after a change of it."""
        for spec in ACTIONS:
            action = self._actions[spec.id]
            keys = self.key_map.keys(spec.id)
            action.setShortcuts([QKeySequence(key) for key in keys])
            shown = f" ({shown_key(keys[0])})" if keys else ""
            words = tr(spec.tip) if spec.tip else tr(spec.text).rstrip("…")
            action.setToolTip(words + shown)
            action.setStatusTip(tr(spec.tip) if spec.tip else "")
        self.changed.emit()

    def _possible(self, action: str) -> bool:
        return self._facts.issuperset(self.specs[action].needs)
