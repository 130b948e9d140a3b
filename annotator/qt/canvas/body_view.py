"""A view of bodies through an eye: pixels composed when something changed, marks drawn on top, hands let in."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QWidget

from annotator.document import Change, PartKind
from annotator.figures import Figure
from annotator.qt import theme
from annotator.qt.canvas import marks, ring
from annotator.qt.canvas.bodies import paint_figures
from annotator.qt.canvas.eye import Eye
from annotator.qt.canvas.hand import Hand
from annotator.qt.canvas.hit_test import NOTHING, Kind, Target, joint_at
from annotator.qt.canvas.options import Handles
from annotator.qt.strings import tr
from annotator.qt.workspace import Workspace
from cliff_core.rendering.theme import ACCENT, BACKGROUND
from cliff_core.skeletons import SMPL24

_REST_MS = 140
_WHEEL_STEP = 1.0015
_ROOM_PX = 12.0
_BOUNDS_STEP = 8  # every so many vertices tell how far a body reaches, with room to spare


@dataclass(frozen=True, eq=False, slots=True)
class _Still:
    """Those whom no hand moves, painted."""

    wanted: tuple
    figures: list[Figure]  # kept, so that their ids stay theirs
    bounds: list[np.ndarray]
    picture: np.ndarray


def _place(eye: Eye) -> tuple:
    """What tells one eye from another."""
    return (eye.focal_length_px, *eye.centre_px, eye.distance_m, *eye.pivot_m, *eye.rotmat.ravel())


def _meet(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two rectangles overlap; nothing overlaps with nowhere."""
    return bool(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


class BodyView(QWidget):
    """What the photo's view and the side view have in common.

    Attributes:
        hand: what the mouse does here.

    Args:
        workspace: what all views share.
    """

    hand: Hand

    def __init__(self, workspace: Workspace, parent: QWidget | None = None):
        super().__init__(parent)
        self.workspace = workspace
        self.target: Target = NOTHING
        self.held = False
        self.words = ""
        self.cursor_px = (0.0, 0.0)
        self._picture: np.ndarray | None = None
        self._stale = True
        self._still: _Still | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._smooth)
        self._quick = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        workspace.when(Change.PHOTO | Change.PEOPLE | Change.LIVE, self.repose)
        workspace.when(Change.SELECTION, self.update)
        workspace.options_changed.connect(self.repose)
        theme.watch.changed.connect(self.recolour)
        workspace.turned.connect(lambda: self.hand.give_up())

    # --- what a view is

    @abstractmethod
    def eye_of(self, figure: Figure) -> Eye:
        """Through which somebody is seen."""

    @abstractmethod
    def zoom(self, factor: float, x: float, y: float) -> None:
        """Nearer or farther around a place in the view."""

    @abstractmethod
    def compose_ground(self, size_px: tuple[int, int], ratio: float) -> np.ndarray:
        """(H, W, 4) uint8 of what is behind the bodies, blue first."""

    @abstractmethod
    def paint_limbs(self, picture: np.ndarray, figures: list[Figure], ratio: float) -> None:
        """Lines above the bodies of these people, in place."""

    @abstractmethod
    def limbs_shown(self, figure: Figure) -> np.ndarray:
        """(K, 2) the ends of somebody's lines in the view, NaN where there is none."""

    @abstractmethod
    def draw_marks(self, painter: QPainter) -> None:
        """What is drawn above the bodies."""

    def shown_figures(self) -> list[Figure]:
        """Whose bodies are painted."""
        return self.workspace.figures.all()

    # --- painting

    def repose(self) -> None:
        """Bodies or what is shown of them changed."""
        self._quick = bool(self.workspace.document.live) or self.held
        self._stale = True
        self.update()

    def recolour(self) -> None:
        """Another theme: other colours around."""
        self._still = None
        self.repose()

    def moved(self) -> None:
        """The eye moved."""
        self._quick = self._stale = True
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Compose if something changed, then draw."""
        ratio = self.devicePixelRatioF()
        size = (max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        if self._stale or self._picture is None or self._picture.shape[1::-1] != size:
            self._picture = self._compose(size, ratio)
            self._stale = False
            if self._quick:
                self._rest.start()
        painter = QPainter(self)
        image = QImage(self._picture.data, *size, 4 * size[0], QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        painter.drawImage(QPointF(0, 0), image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.workspace.options.peek:
            self.draw_marks(painter)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(*ACCENT, 150), 1.0))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _compose(self, size_px: tuple[int, int], ratio: float) -> np.ndarray:
        options, figures = self.workspace.options, self.shown_figures()
        if options.peek:
            return self.compose_ground(size_px, ratio)
        still = [figure for figure in figures if not figure.is_live]
        moving = [figure for figure in figures if figure.is_live]
        if not (self._quick and still and moving):
            self._still = None
            return self._painted(figures, size_px, ratio)
        # While a hand moves one of several, the others are painted once, unless one may hide a part of another.
        wanted = (tuple(map(id, still)), size_px, ratio, options, *(_place(self.eye_of(figure)) for figure in still))
        if self._still is None or self._still.wanted != wanted:
            bounds = [self._bounds(figure) for figure in still]
            self._still = _Still(wanted, still, bounds, self._painted(still, size_px, ratio))
        if any(_meet(bounds, self._bounds(figure)) for bounds in self._still.bounds for figure in moving):
            return self._painted(figures, size_px, ratio)
        return self._paint(self._still.picture.copy(), moving, ratio)

    def _painted(self, figures: list[Figure], size_px: tuple[int, int], ratio: float) -> np.ndarray:
        return self._paint(self.compose_ground(size_px, ratio), figures, ratio)

    def _paint(self, picture: np.ndarray, figures: list[Figure], ratio: float) -> np.ndarray:
        # People whose photos were taken as one share a camera; a body from elsewhere may bring its own.
        groups: dict[tuple, list[Figure]] = {}
        for figure in figures:
            groups.setdefault(_place(self.eye_of(figure)), []).append(figure)
        for members in groups.values():
            ghosts = [ghost for figure in members if (ghost := self._ghost(figure)) is not None]
            eye = self.eye_of(members[0])
            paint_figures(picture, members, eye, self.workspace.options, ratio, self._quick, ghosts)
        self.paint_limbs(picture, figures, ratio)
        return picture

    def _bounds(self, figure: Figure) -> np.ndarray:
        """(4,) left, top, right, bottom in the view of all that is painted of somebody, with room to spare."""
        parts = [self.limbs_shown(figure)]
        if figure.posed is not None:
            parts.append(self.eye_of(figure).project(figure.posed.vertices[::_BOUNDS_STEP]))
        points = np.concatenate(parts)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            return np.full(4, np.nan)
        return np.concatenate([points.min(axis=0) - _ROOM_PX, points.max(axis=0) + _ROOM_PX])

    def _ghost(self, figure: Figure) -> np.ndarray | None:
        if not self.workspace.options.prior or figure.person.id != self.workspace.document.selected:
            return None
        return figure.predicted_vertices

    def _smooth(self) -> None:
        if self._quick and not self.held:
            self._quick, self._stale = False, True
            self.update()

    # --- marks that both views have

    def draw_selected_joints(self, painter: QPainter, figure: Figure) -> None:
        """Somebody's joints, and the rings of the selected one."""
        if figure.posed is None or figure.written is None:
            return
        eye, strong = self.eye_of(figure), self.joints_first
        shown = eye.project(figure.posed.joints)
        person = figure.person.id
        pinned, locked = self.workspace.pinned(person), self.workspace.locked(person)
        marks.draw_joints(painter, shown, figure.written.pose_source, pinned, locked, strong)
        for each in self.rings_shown():
            held = self.target.kind is Kind.RING and self.target.name == each.name
            colour = QColor(*ring.COLOURS[ring.NAMES.index(each.name)])
            line = QPolygonF([QPointF(x, y) for x, y in (*each.shown, each.shown[0]) if np.isfinite([x, y]).all()])
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(*BACKGROUND, 170), 5.0 if held else 3.5))
            painter.drawPolyline(line)
            painter.setPen(QPen(colour, 3.0 if held else 1.75))
            painter.drawPolyline(line)

    def draw_held(self, painter: QPainter, shown: np.ndarray | None) -> None:
        """What the cursor would take hold of, or has, and what it does."""
        if shown is not None:
            marks.draw_highlight(painter, float(shown[0]), float(shown[1]), self.held)
        if self.words:
            marks.draw_words(painter, tr(self.words), *self.cursor_px, (self.width(), self.height()))

    @property
    def joints_first(self) -> bool:
        """Whether a hand takes hold of joints."""
        return self.workspace.options.handles is Handles.JOINTS

    def rings(self) -> list[ring.Ring]:
        """Rings of the selected joint, where a hand takes hold of joints."""
        figure, part = self.workspace.figure, self.workspace.document.part
        if figure is None or figure.posed is None or not self.joints_first:
            return []
        if part is None or part.kind is not PartKind.JOINT or not self.workspace.options.joints:
            return []
        return ring.rings_of(figure, part.name, self.eye_of(figure))

    def rings_shown(self) -> list[ring.Ring]:
        """Rings to draw: while a hand moves somebody only the one that it holds, the others are in its way."""
        if self.held:
            is_ring = self.target.kind is Kind.RING
            return [each for each in self.rings() if each.name == self.target.name] if is_ring else []
        return [] if self.workspace.document.live else self.rings()

    def joint_or_ring_at(self, figure: Figure, x: float, y: float) -> Target | None:
        """Another joint of the selected person goes before the rings that surround the selected one."""
        if figure.posed is None or not self.workspace.options.joints:
            return None
        eye = self.eye_of(figure)
        joint, found = joint_at(figure, eye.project(figure.posed.joints), x, y), ring.ring_at(self.rings(), x, y, eye)
        if found is not None and (joint is None or joint.part == self.workspace.document.part):
            return Target(Kind.RING, figure.person.id, found.name)
        return joint

    def joint_place(self, figure: Figure, name: str) -> np.ndarray | None:
        """(2,) where somebody's joint is in the view."""
        if figure.posed is None:
            return None
        return self.eye_of(figure).project(figure.posed.joints[SMPL24.index(name)][None])[0]

    # --- events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of what is there."""
        self.hand.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Look what is there, or move what is held."""
        self.hand.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self.hand.release(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the cursor; with a joint in the hand, move it in depth."""
        steps = event.angleDelta().y() or event.angleDelta().x()
        if not self.hand.wheel(steps):
            self.zoom(_WHEEL_STEP**steps, event.position().x(), event.position().y())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the cursor any more."""
        self.hand.leave()

    def sizeHint(self) -> QSize:
        """As a large part of a window."""
        return QSize(640, 480)
