"""The selected person from the side, the top or anywhere, on a metre grid; joints can be dragged here too.

One photo hides depth: a body can fit every point and still lean. This view is where that is seen and put right.
"""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from annotator.document import Change
from annotator.figures import Figure
from annotator.qt import theme
from annotator.qt.canvas.body_view import BodyView
from annotator.qt.canvas.eye import Eye
from annotator.qt.canvas.hand import Hand
from annotator.qt.canvas.hit_test import NOTHING, Target
from annotator.qt.canvas.limbs import paint_limbs
from annotator.qt.strings import tr
from annotator.qt.widgets import button, row
from annotator.qt.workspace import Workspace
from cliff_core.rendering.points import SUBPIXEL_BITS, fixed_point
from cliff_core.rendering.rasteriser import Canvas
from cliff_core.skeletons import SMPL24

_FILL = 0.9
_TOP_PX, _FOOT_PX = 34, 22
_LIMB_OPACITY = 0.55
_LEAST_M = 1.2
_GRID_M, _FINE_GRID_M = 1.0, 0.25
_GRID_REACH_M = 3.0
_TURN_DEG_PER_PX = 0.5
DIRECTIONS = {"front": (0.0, 8.0), "side": (90.0, 8.0), "back": (180.0, 8.0), "top": (0.0, 90.0)}
"""Name -> azimuth and elevation, degrees; from the side the photo's camera is on the left."""


class SideView(BodyView):
    """The body from another direction. Drag a joint to move it, drag beside the body to turn around it.

    Args:
        workspace: what all views share.
    """

    def __init__(self, workspace: Workspace, parent: QWidget | None = None):
        super().__init__(workspace, parent)
        self.azimuth_deg, self.elevation_deg = DIRECTIONS["side"]
        self._zoom, self._shift_px = 1.0, np.zeros(2)
        self._pivot_m, self._extent_m, self._floor_m = np.zeros(3), 2.0, 1.0
        self._ground: tuple[tuple, np.ndarray] | None = None
        self._framed: tuple[int | None, int | None] = (None, None)
        self.hand = _SideHand(self)
        self.setAccessibleName(tr("Side view"))
        self.setMinimumSize(200, 200)
        self.directions = {name: self._direction_button(name) for name in DIRECTIONS}
        bar = row(*self.directions.values(), -1, margin=4, spacing=2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(bar)
        layout.addStretch(1)
        workspace.when(Change.PHOTO | Change.SELECTION | Change.PEOPLE, self._frame_anew)

    def _direction_button(self, name: str) -> QPushButton:
        words = {"front": tr("Front"), "side": tr("Side"), "back": tr("Back"), "top": tr("Top")}[name]
        made = button(words, lambda: self.look_from(name), role="view", tip=tr("Look from here; drag to turn"))
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.setCursor(Qt.CursorShape.ArrowCursor)
        return made

    # --- where it is looked from

    def look_from(self, direction: str) -> None:
        """One of `DIRECTIONS`, with the person in the middle."""
        self.azimuth_deg, self.elevation_deg = DIRECTIONS[direction]
        self.frame_person()

    def frame_person(self) -> None:
        """The selected person in the middle, as large as they go in any pose of the arms."""
        figure = self.workspace.figure
        self._zoom, self._shift_px = 1.0, np.zeros(2)
        if figure is not None and figure.posed is not None:
            low, high = figure.posed.vertices.min(axis=0), figure.posed.vertices.max(axis=0)
            self._pivot_m, self._floor_m = (low + high) / 2, float(high[1])
            self._extent_m = max(float(np.linalg.norm(high - low)) * 0.85, _LEAST_M)
        self.moved()

    def _frame_anew(self) -> None:
        photo, figure = self.workspace.document.photo, self.workspace.figure
        shown = (None if photo is None else photo.id, self.workspace.document.selected)
        if shown != self._framed or self._is_out_of_view():
            has_body = figure is not None and figure.posed is not None  # else it is framed once it has one
            self._framed = shown if has_body else (None, None)
            self.frame_person()

    def _is_out_of_view(self) -> bool:
        """Whether the person went away, by another camera or a long way."""
        figure = self.workspace.figure
        if figure is None or figure.posed is None:
            return False
        x, y = self.eye.project(figure.posed.joints[:1])[0]
        return not (0 <= x < self.width() and 0 <= y < self.height())

    def turn(self, dx: float, dy: float) -> None:
        """Walk around the person."""
        self.azimuth_deg = (self.azimuth_deg + dx * _TURN_DEG_PER_PX + 180) % 360 - 180
        self.elevation_deg = float(np.clip(self.elevation_deg + dy * _TURN_DEG_PER_PX, -90, 90))
        self.moved()

    def pan(self, dx: float, dy: float) -> None:
        """Move what is seen."""
        self._shift_px = self._shift_px + np.array([dx, dy])
        self.moved()

    def zoom(self, factor: float, x: float, y: float) -> None:
        """Nearer or farther around a place in the view."""
        zoom = float(np.clip(self._zoom * factor, 0.2, 20))
        middle = self._middle
        offset = np.array([x, y]) - middle
        self._shift_px = offset - (offset - self._shift_px) * zoom / self._zoom
        self._zoom = zoom
        self.moved()

    @property
    def _middle(self) -> np.ndarray:
        """(2,) of what the words at the top and at the foot leave free."""
        return np.array([self.width(), self.height() + _TOP_PX - _FOOT_PX]) / 2

    @property
    def eye(self) -> Eye:
        """Where it is looked from."""
        px_per_m = self._zoom * _FILL * min(self.width(), self.height() - _TOP_PX - _FOOT_PX) / self._extent_m
        x, y = self._middle + self._shift_px
        return Eye.orbit(self._pivot_m, self.azimuth_deg, self.elevation_deg, px_per_m, (float(x), float(y)))

    def eye_of(self, figure: Figure) -> Eye:
        """The same for everybody."""
        return self.eye

    def shown_figures(self) -> list[Figure]:
        """Only the selected person: the others may stand anywhere, and in front of them."""
        figure = self.workspace.figure
        return [] if figure is None or figure.posed is None else [figure]

    # --- painting

    def compose_ground(self, size_px: tuple[int, int], ratio: float) -> np.ndarray:
        """A metre grid at the person's feet, with their shadow."""
        figure = self.workspace.figure
        eye = self.eye
        wanted = (*eye.rotmat.ravel(), *eye.pivot_m, eye.focal_length_px, *eye.centre_px, self._floor_m, size_px, ratio)
        wanted += (theme.current().name,)
        if self._ground is None or self._ground[0] != wanted:
            self._ground = wanted, self._grid(eye, size_px, ratio)
        ground = self._ground[1].copy()
        if figure is not None and figure.posed is not None:
            self._cast_shadow(ground, figure, eye, ratio)
        return ground

    def _grid(self, eye: Eye, size_px: tuple[int, int], ratio: float) -> np.ndarray:
        ground = np.empty((size_px[1], size_px[0], 4), np.uint8)
        ground[:] = _pixel("background")
        x0, z0 = np.floor(self._pivot_m[[0, 2]] - _GRID_REACH_M)
        x1, z1 = np.ceil(self._pivot_m[[0, 2]] + _GRID_REACH_M)
        y = self._floor_m
        corners = eye.project(np.array([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)])) * ratio
        cv2.fillConvexPoly(ground, fixed_point(corners), _pixel("floor"), cv2.LINE_AA, SUBPIXEL_BITS)
        for step, colour in ((_FINE_GRID_M, "fine_grid"), (_GRID_M, "grid")):
            xs, zs = np.arange(x0, x1 + 1e-6, step), np.arange(z0, z1 + 1e-6, step)
            ends = np.array([[(x, y, z0), (x, y, z1)] for x in xs] + [[(x0, y, z), (x1, y, z)] for z in zs])
            lines = eye.project(ends.reshape(-1, 3)).reshape(-1, 2, 2) * ratio
            kept = list(fixed_point(lines[np.isfinite(lines).all(axis=(1, 2))]))
            cv2.polylines(ground, kept, False, _pixel(colour), max(1, round(ratio)), cv2.LINE_AA, SUBPIXEL_BITS)
        return ground

    def _cast_shadow(self, ground: np.ndarray, figure: Figure, eye: Eye, ratio: float) -> None:
        """A shadow straight below somebody, in place: it shows where they stand."""
        assert figure.posed is not None
        flat = np.array(figure.posed.vertices, np.float64)
        flat[:, 1] = self._floor_m
        canvas = Canvas(eye.viewport((ground.shape[1], ground.shape[0]), ratio))
        canvas.draw(eye.see(flat), figure.body.faces, np.zeros(flat.shape))
        left, top, right, bottom = canvas.drawn_px
        part = ground[top:bottom, left:right, :3]
        part[canvas.mask[top:bottom, left:right]] = _pixel("shadow")[:3]

    def limbs_shown(self, figure: Figure) -> np.ndarray:
        """The person's joints."""
        return np.zeros((0, 2)) if figure.posed is None else self.eye.project(figure.posed.joints)

    def paint_limbs(self, picture: np.ndarray, figures: list[Figure], ratio: float) -> None:
        """Lines between the person's joints, in place."""
        if self.workspace.options.joints:
            for figure in figures:
                shown = self.limbs_shown(figure) * ratio
                paint_limbs(picture, shown, SMPL24.edges, SMPL24.names, _LIMB_OPACITY, 1.5 * ratio)

    def draw_marks(self, painter: QPainter) -> None:
        """Joints and their rings, and where the photo's camera is."""
        figure = self.workspace.figure
        if figure is None or figure.posed is None:
            painter.setPen(QColor(theme.current().quiet_text))
            text = tr("Select a person with a body") if self.workspace.document.people else ""
            painter.drawText(self.rect().adjusted(16, 16, -16, -16), _CENTRED, text)
            return
        shown = self.eye.project(figure.posed.joints)
        if self.workspace.options.joints:
            self.draw_selected_joints(painter, figure)
        part = self.target.part or self.workspace.document.part
        if part is not None and part.name in SMPL24.names:
            self.draw_held(painter, shown[SMPL24.index(part.name)])
        else:
            self.draw_held(painter, None)
        self._write_direction(painter)

    def _write_direction(self, painter: QPainter) -> None:
        font = QFont(painter.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(theme.current().quiet_text))
        words = f"{self.azimuth_deg:.0f}°, {self.elevation_deg:.0f}°"
        painter.drawText(QRectF(8, self.height() - 22, self.width() - 16, 16), Qt.AlignmentFlag.AlignLeft, words)
        painter.drawText(
            QRectF(8, self.height() - 22, self.width() - 16, 16), Qt.AlignmentFlag.AlignRight, tr("grid 1 m")
        )
        # An arrow along the photo camera's axis: depth, which the photo does not show.
        middle = np.array([self.width() / 2, self.height() - 14])
        away = self.eye.rotmat @ (0.0, 0.0, 1.0)
        tip = middle + 22 * away[:2]
        if np.hypot(*(tip - middle)) > 6:
            painter.setPen(QPen(QColor(theme.current().quiet_text), 1.5))
            painter.drawLine(QPointF(*(middle - 22 * away[:2])), QPointF(*tip))
            painter.setBrush(QColor(theme.current().quiet_text))
            painter.drawEllipse(QPointF(*(middle - 22 * away[:2])), 3, 3)

    # --- events

    def target_at(self, x: float, y: float) -> Target:
        """The ring or joint at a place in the view: here a hand always takes hold of joints."""
        figure = self.workspace.figure
        return NOTHING if figure is None else self.joint_or_ring_at(figure, x, y) or NOTHING

    @property
    def joints_first(self) -> bool:
        """Always."""
        return True

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """The person in the middle again."""
        self.frame_person()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives up what the hand does."""
        if event.key() == Qt.Key.Key_Escape and self.hand.gesture is not None:
            self.hand.give_up()
        else:
            super().keyPressEvent(event)


class _SideHand(Hand):
    """The state of the mouse in the side view."""

    view: SideView

    def __init__(self, view: SideView):
        super().__init__(view)
        self._turning = self._panning = False

    def press(self, event: QMouseEvent) -> None:
        """Take hold of what is there."""
        x, y = self.start(event)
        target = self.view.target_at(x, y)
        if event.button() is not Qt.MouseButton.LeftButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._panning = True
        elif target is NOTHING:
            self._turning = True
        else:
            self.take_joint(target, x, y)

    def move(self, event: QMouseEvent) -> None:
        """Look, move what is held, or walk around."""
        dx, dy = self.step(event)
        if self._panning:
            self.view.pan(dx, dy)
        elif self._turning:
            self.view.turn(dx, dy)
        elif self.gesture is not None:
            self.drag_joint(event)
            self.show()
        else:
            self.look_at(self.view.target_at(*self.view.cursor_px))

    def release(self, event: QMouseEvent) -> None:
        """Let go."""
        self._turning = self._panning = False
        if self.gesture is not None:
            self.let_go()


def _pixel(role: str) -> tuple[int, int, int, int]:
    """A colour of the theme as the picture has it, blue first."""
    red, green, blue = theme.rgb(role)
    return blue, green, red, 255


_CENTRED = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
