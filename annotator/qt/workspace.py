"""What all views of the open photo share: its document, its figures, how bodies follow a hand, and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from annotator.document import Change, Document, Part, PartKind
from annotator.figures import Figure, Figures
from annotator.qt.canvas.options import ViewOptions
from annotator.rig import Rig
from cliff_core.body import Body
from cliff_core.skeletons import SMPL24


class Tool(Enum):
    """What a press on the photo does."""

    DRAG = "drag"
    BOX = "box"
    PLACE = "place"


class Workspace(QObject):
    """Made once per project.

    Signals:
        changed: the document changed (`Change`).
        options_changed: other things are shown.
        tool_changed: a press does something else.
        hint: a sentence for the status bar.
        reset: the hand's gesture is to be given up.

    Args:
        document: the open photo.
        bodies: by gender.
    """

    changed = Signal(object)
    options_changed = Signal()
    tool_changed = Signal()
    hint = Signal(str)
    reset = Signal()

    def __init__(self, document: Document, bodies: dict[str, Body], parent: QObject | None = None):
        super().__init__(parent)
        self.document = document
        self.figures = Figures(document, bodies)
        self.rig = Rig(bodies)
        self.options = ViewOptions()
        self.tool = Tool.DRAG
        self.hovered: Part | None = None
        document.observe(self._changed)

    @property
    def figure(self) -> Figure | None:
        """Of the selected person."""
        return self.figures.of(self.document.selected)

    def show(self, **options: Any) -> None:
        """Change what is shown: fields of `ViewOptions`."""
        self.options = replace(self.options, **options)
        self.options_changed.emit()

    def take(self, tool: Tool) -> None:
        """Choose what a press does."""
        if tool is not self.tool:
            self.tool = tool
            self.tool_changed.emit()

    def pin(self, joint: str) -> None:
        """Hold a joint where it is in space, or let it go."""
        figure = self.figure
        if figure is None or figure.posed is None:
            return
        pins = self.rig.pins.setdefault(figure.person.id, {})
        if pins.pop(joint, None) is None:
            pins[joint] = figure.posed.joints[SMPL24.index(joint)].astype(np.float64)
        self.options_changed.emit()

    def lock(self, joint: str) -> None:
        """Keep a joint's rotation while its limb moves, or let it move again."""
        person = self.document.selected
        if person is not None:
            self.rig.locks[person] = self.rig.locks.get(person, frozenset()) ^ {joint}
            self.options_changed.emit()

    def pinned(self, person: int) -> frozenset[str]:
        """Names of somebody's pinned joints."""
        return frozenset(self.rig.pins.get(person, ()))

    def locked(self, person: int) -> frozenset[str]:
        """Names of somebody's locked joints."""
        return self.rig.locks.get(person, frozenset())

    def joint_selected(self) -> str | None:
        """Name of the selected joint."""
        part = self.document.part
        return part.name if part is not None and part.kind is PartKind.JOINT else None

    def point_selected(self) -> str | None:
        """Name of the selected 2D point."""
        part = self.document.part
        return part.name if part is not None and part.kind is PartKind.POINT else None

    def when(self, change: Change, callback: Callable[[], None]) -> None:
        """Call back after such changes."""
        self.changed.connect(lambda happened: callback() if happened & change else None)

    def _changed(self, change: Change) -> None:
        if Change.PHOTO in change:
            # Pins are places in one photo's space.
            self.rig.pins.clear()
        self.changed.emit(change)
