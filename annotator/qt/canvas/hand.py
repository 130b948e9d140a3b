"""What hands on the photo and in the side view have in common: the way of the mouse, joints and rings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent

from annotator.gestures import Gesture, JointDrag, Turn
from annotator.project import Edited
from annotator.qt.canvas.hit_test import NOTHING, Kind, Target
from annotator.qt.canvas.ring import RingTurn
from annotator.qt.strings import tr

if TYPE_CHECKING:
    from annotator.qt.canvas.body_view import BodyView

_FINER = 0.2
_DEPTH_PER_STEP_M = 0.02 / 120  # a notch of the wheel is 120


class Hand(ABC):
    """The state of the mouse in a view.

    Attributes:
        view: where.
        gesture: what the hand does; `None` while it only looks.
        place_px: where what it holds shall be, in the view; behind the cursor while Shift makes it finer.

    Args:
        view: the view.
    """

    def __init__(self, view: BodyView):
        self.view = view
        self.workspace = view.workspace
        self.document = view.workspace.document
        self.gesture: Gesture | None = None
        self.place_px = (0.0, 0.0)
        self._turn: RingTurn | None = None
        self._depth_m = 0.0
        self._moved = False

    # --- the way of the mouse

    def start(self, event: QMouseEvent) -> tuple[float, float]:
        """A button went down."""
        self.view.cursor_px = self.place_px = (event.position().x(), event.position().y())
        return self.place_px

    @abstractmethod
    def press(self, event: QMouseEvent) -> None:
        """A button went down."""

    @abstractmethod
    def move(self, event: QMouseEvent) -> None:
        """The mouse moved."""

    @abstractmethod
    def release(self, event: QMouseEvent) -> None:
        """A button went up."""

    def step(self, event: QMouseEvent) -> tuple[float, float]:
        """The mouse moved; returns by how much."""
        x, y = event.position().x(), event.position().y()
        dx, dy = x - self.view.cursor_px[0], y - self.view.cursor_px[1]
        share = _FINER if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
        self.view.cursor_px = (x, y)
        self.place_px = (self.place_px[0] + share * dx, self.place_px[1] + share * dy)
        return dx, dy

    def keep_offset(self, held_px: np.ndarray) -> None:
        """What was taken hold of beside its middle does not jump under the cursor."""
        if np.isfinite(held_px).all():
            self.place_px = (float(held_px[0]), float(held_px[1]))

    # --- gestures

    def begin(self, gesture: Gesture, target: Target) -> None:
        """Something is in the hand now."""
        self.gesture, self._moved = gesture, False
        self.view.target, self.view.held = target, True
        self.view.update()

    def take_joint(self, target: Target, x: float, y: float) -> None:
        """Take hold of a joint, or of a ring around it."""
        self.document.select(target.person, self.document.part if target.kind is Kind.RING else target.part)
        figure, part = self.workspace.figure, self.document.part
        if figure is None or part is None or figure.posed is None:
            return
        if target.kind is Kind.RING:
            eye = self.view.eye_of(figure)
            ring = next(ring for ring in self.view.rings() if ring.name == target.name)
            self._turn = RingTurn(ring, x, y, eye)
            self.begin(Turn(figure, part.name, ring.axis), target)
            return
        self._depth_m = 0.0
        self.begin(JointDrag(figure, target.name, self.workspace.rig), target)
        place = self.view.joint_place(figure, target.name)
        if place is not None:
            self.keep_offset(place)

    def drag_joint(self, event: QMouseEvent) -> None:
        """The mouse moved with a joint or ring in the hand."""
        if isinstance(self.gesture, Turn) and self._turn is not None:
            finer = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.gesture.turn(self._turn.move(*self.view.cursor_px, finer))
        elif isinstance(self.gesture, JointDrag):
            self._reach()

    def wheel(self, steps: int) -> bool:
        """With a joint in the hand the wheel moves it in depth; returns whether it did."""
        if not isinstance(self.gesture, JointDrag):
            return False
        self._depth_m += steps * _DEPTH_PER_STEP_M
        self._reach()
        self.show()
        return True

    def _reach(self) -> None:
        figure = self.workspace.figure
        if isinstance(self.gesture, JointDrag) and figure is not None:
            eye = self.view.eye_of(figure)
            self.gesture.move(eye.reach(*self.place_px, self.gesture.start_m, self._depth_m))

    def show(self) -> None:
        """Show what the hand does."""
        if self.gesture is None:
            return
        self._moved = True
        self.view.words = self.gesture.words
        person = self.view.target.person
        if person is not None:
            self.document.show_live(person, self.gesture.live)
        else:  # a box of somebody who is not there yet
            self.view.update()

    def let_go(self, then: Callable[[Edited], None] | None = None) -> None:
        """What was done is written, and `then` told; a press without a movement does nothing."""
        gesture, self.gesture = self.gesture, None
        self.view.held, self.view.words = False, ""
        command = gesture.command() if gesture is not None and self._moved else None
        if command is not None:
            self.document.edit(command, then)
        else:
            self._forget()
        self.view.repose()

    def give_up(self) -> None:
        """Nothing is written; everything is as before."""
        if self.gesture is not None:
            self.gesture = None
            self.view.held, self.view.words = False, ""
            self._forget()
            self.view.repose()

    def _forget(self) -> None:
        person = self.view.target.person
        if person is not None:
            self.document.show_live(person, None)

    # --- looking

    def look_at(self, target: Target) -> None:
        """What is under the cursor changed: highlight, cursor, a sentence."""
        if target == self.view.target:
            return
        self.view.target = target
        self.view.setCursor(_CURSORS.get(target.kind, Qt.CursorShape.ArrowCursor))
        if target.kind is Kind.BOX:
            self.view.setCursor(_BOX_CURSORS.get(target.name, Qt.CursorShape.SizeAllCursor))
        self.workspace.hint.emit(self._sentence(target))
        self.view.update()

    def leave(self) -> None:
        """The mouse left the view."""
        if self.gesture is None:
            self.look_at(NOTHING)

    def _sentence(self, target: Target) -> str:
        name = tr(target.name.replace("_", " "))
        return {
            Kind.POINT: f"{name}: " + tr("drag; Alt keeps the body, Shift is finer, Ctrl snaps to the detection"),
            Kind.JOINT: f"{name}: " + tr("drag; the wheel moves it in depth, R pins it, click for rings"),
            Kind.RING: f"{name}: " + tr("drag along the ring to turn; Shift is finer"),
            Kind.BOX: tr("drag to change the box"),
            Kind.BODY: tr("click to select, double click to look closely"),
            Kind.NOTHING: "",
        }[target.kind]


_CURSORS = {
    Kind.POINT: Qt.CursorShape.PointingHandCursor,
    Kind.JOINT: Qt.CursorShape.PointingHandCursor,
    Kind.RING: Qt.CursorShape.PointingHandCursor,
    Kind.BODY: Qt.CursorShape.PointingHandCursor,
}
_BOX_CURSORS = {
    "left": Qt.CursorShape.SizeHorCursor,
    "right": Qt.CursorShape.SizeHorCursor,
    "top": Qt.CursorShape.SizeVerCursor,
    "bottom": Qt.CursorShape.SizeVerCursor,
    "top left": Qt.CursorShape.SizeFDiagCursor,
    "bottom right": Qt.CursorShape.SizeFDiagCursor,
    "top right": Qt.CursorShape.SizeBDiagCursor,
    "bottom left": Qt.CursorShape.SizeBDiagCursor,
}
