"""A mouse on the photo: what it takes hold of, and which gesture that becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent

from annotator.document import Part, PartKind
from annotator.gestures import BoxDrag, PointDrag
from annotator.project import Edited
from annotator.project.fields import PERSON
from annotator.qt.canvas.hand import Hand
from annotator.qt.canvas.hit_test import NOTHING, Kind, Target
from annotator.qt.workspace import Tool
from cliff_core.records import Box
from cliff_core.skeletons import JOINT_SETS

if TYPE_CHECKING:
    from annotator.qt.canvas.photo_view import PhotoView

_CLICK_PX = 4.0


class PhotoHand(Hand):
    """The state of the mouse on the canvas.

    Args:
        view: the canvas.
    """

    view: PhotoView

    def __init__(self, view: PhotoView):
        super().__init__(view)
        self._panning = False
        self._pressed_px = (0.0, 0.0)
        self._box_start: tuple[float, float] | None = None
        self._box_before: Box | None = None

    @property
    def new_box(self) -> Box | None:
        """A box that is being drawn."""
        drawn = self.gesture
        return drawn.box if isinstance(drawn, BoxDrag) and drawn.person is None else None

    # --- events

    def press(self, event: QMouseEvent) -> None:
        """Take hold of what is there."""
        x, y = self.start(event)
        self._pressed_px = (x, y)
        if event.button() is Qt.MouseButton.MiddleButton:
            self._panning = True
            self.view.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._is_left(event):
            self._take(x, y)

    def move(self, event: QMouseEvent) -> None:
        """Look, pan, or move what is held."""
        dx, dy = self.step(event)
        x, y = self.view.cursor_px
        if self._panning:
            self.view.pan(dx, dy)
        elif self.gesture is not None:
            self._drag(event)
        else:
            self.look_at(self.view.target_at(x, y))

    def release(self, event: QMouseEvent) -> None:
        """Let go: what was done is written."""
        panned, self._panning = self._panning, False
        if self.gesture is not None and self._is_left(event):
            drew = isinstance(self.gesture, BoxDrag)
            self.let_go(self._propose if drew else None)
            self._box_start = self._box_before = None
            if drew and self.workspace.tool is Tool.BOX:
                self.workspace.take(Tool.DRAG)
        elif panned and self._is_left(event):
            moved = np.hypot(*(np.array(self.view.cursor_px) - self._pressed_px))
            if moved <= _CLICK_PX:
                self.document.select(self.document.selected, None)
        self.look_at(self.view.target_at(*self.view.cursor_px))

    def double_click(self, event: QMouseEvent) -> None:
        """Look at somebody closely; beside everybody, at the photo."""
        target = self.view.target_at(event.position().x(), event.position().y())
        if target.kind is Kind.BODY:
            self.document.select(target.person)
            self.view.fit_person()
        elif target.kind is Kind.NOTHING:
            self.view.fit_photo()

    def key(self, event: QKeyEvent) -> bool:
        """Whether a key was for the hand: Escape gives up what it does."""
        if event.key() == Qt.Key.Key_Escape:
            busy = self.gesture is not None or self.workspace.tool is not Tool.DRAG
            self.give_up()
            self.workspace.take(Tool.DRAG)
            return busy
        return False

    # --- gestures

    def _take(self, x: float, y: float) -> None:
        tool, photo = self.workspace.tool, self.document.photo
        if photo is None:
            return
        here = self.view.view.to_photo(x, y)
        if tool is Tool.BOX:
            self._box_start = here
            self.begin(BoxDrag(photo.id, None), Target(Kind.BOX))
            return
        if tool is Tool.PLACE:
            self._place(here)
            return
        target = self.view.target_at(x, y)
        if target.kind is Kind.NOTHING:
            self._panning = True
        elif target.kind is Kind.BODY:
            self.document.select(target.person)
        elif target.kind is Kind.BOX:
            figure = self.workspace.figures.of(target.person)
            assert figure is not None
            assert figure.box is not None
            self._box_before = figure.box
            self.begin(BoxDrag(photo.id, target.person, figure.box), target)
        elif target.kind is Kind.POINT:
            self.document.select(target.person, target.part)
            figure = self.workspace.figure
            assert figure is not None
            self.begin(PointDrag(figure, target.name, self.workspace.rig), target)
            self.keep_offset(self.view.points_shown(figure)[self._row_of(figure.keypoints, target.name)])
        else:
            self.take_joint(target, x, y)

    def _drag(self, event: QMouseEvent) -> None:
        gesture, (x, y) = self.gesture, self.place_px
        here = self.view.view.to_photo(x, y)
        if isinstance(gesture, BoxDrag):
            if self._box_start is not None:
                gesture.draw(self._box_start, *here)
            elif self._box_before is not None:
                gesture.side(self._box_before, self.view.target.name, *here)
        elif isinstance(gesture, PointDrag):
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                here = self._detected(gesture) or here
            gesture.move(*here, alone=bool(event.modifiers() & Qt.KeyboardModifier.AltModifier))
        else:
            self.drag_joint(event)
        self.show()

    def _propose(self, edited: Edited) -> None:
        """A new or other box wants to be looked into."""
        for subject in edited.subjects:
            if subject.kind == PERSON:
                self.workspace.proposal_wanted.emit(subject.id)

    def _detected(self, gesture: PointDrag) -> tuple[float, float] | None:
        """Where the detector saw the point in the hand."""
        figure, part = self.workspace.figure, self.document.part
        if figure is None or part is None:
            return None
        prediction = figure.person.predictions.get(f"points/{figure.keypoints.joint_set}")
        found = None if prediction is None else prediction.keypoints
        row = self._row_of(figure.keypoints, part.name)
        if found is None or not found.visibility[row]:
            return None
        return float(found.points_px[row][0]), float(found.points_px[row][1])

    def _place(self, here: tuple[float, float]) -> None:
        """Put the selected point where the click was; the next one that is missing is asked for."""
        figure, part = self.workspace.figure, self.document.part
        if figure is None or part is None or part.kind is not PartKind.POINT:
            self.workspace.take(Tool.DRAG)
            return
        gesture = PointDrag(figure, part.name, self.workspace.rig)
        gesture.move(*here)
        self.document.show_live(figure.person.id, gesture.live)
        command = gesture.command()
        if command is not None:
            self.document.edit(command)
        names = JOINT_SETS[figure.keypoints.joint_set].names
        first = names.index(part.name)
        order = [*range(first + 1, len(names)), *range(first)]
        missing = [names[row] for row in order if figure.keypoints.visibility[row] == 0]
        if missing:
            self.document.select(figure.person.id, Part(PartKind.POINT, missing[0]))
        else:
            self.workspace.take(Tool.DRAG)

    @staticmethod
    def _row_of(keypoints, name: str) -> int:
        return JOINT_SETS[keypoints.joint_set].names.index(name)

    @staticmethod
    def _is_left(event: QMouseEvent) -> bool:
        return event.button() is Qt.MouseButton.LeftButton

    def look_at(self, target: Target) -> None:
        """What is under the cursor changed: highlight, cursor, a sentence."""
        if self.workspace.tool is not Tool.DRAG:
            target = NOTHING
            self.view.update()
        super().look_at(target)
