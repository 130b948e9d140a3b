"""The photo with its people: zoom, pan, and everything that can be taken hold of."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, QVariantAnimation
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from annotator.document import Change
from annotator.figures import Figure
from annotator.qt import theme
from annotator.qt.canvas import marks
from annotator.qt.canvas.backdrop import Backdrop
from annotator.qt.canvas.body_view import BodyView
from annotator.qt.canvas.error_colours import limb_colours
from annotator.qt.canvas.eye import Eye
from annotator.qt.canvas.hit_test import NOTHING, Kind, Target, box_at, nearest, point_at
from annotator.qt.canvas.limbs import paint_limbs
from annotator.qt.canvas.photo_hand import PhotoHand
from annotator.qt.canvas.transform import ViewTransform
from annotator.qt.desk import Desk, Ticket
from annotator.qt.strings import tr
from annotator.qt.workspace import Tool, Workspace
from cliff_core.images import read_image
from cliff_core.records import Box
from cliff_core.skeletons import JOINT_SETS

_PERSON_MARGIN = 0.15
_GLIDE_MS = 120
_FAINT = 0.45


class PhotoView(BodyView):
    """The canvas.

    Args:
        workspace: what all views share.
        desk: reads the photo.
    """

    hand: PhotoHand

    def __init__(self, workspace: Workspace, desk: Desk, parent: QWidget | None = None):
        super().__init__(workspace, parent)
        self._desk = desk
        self._ticket: Ticket | None = None
        self._photo_id: int | None = None
        self._backdrop: Backdrop | None = None
        self._ground: tuple[tuple, np.ndarray] | None = None
        self._message = ""
        self._glide: QVariantAnimation | None = None
        self._fitted = True
        self._followed: int | None = None
        self.view = ViewTransform()
        self.hand = PhotoHand(self)
        self.setAccessibleName(tr("Photo"))
        self.setMinimumSize(320, 240)
        workspace.when(Change.PHOTO, self._open)
        workspace.tool_changed.connect(self._show_tool)
        workspace.when(Change.SELECTION, self._show_tool)
        workspace.when(Change.SELECTION, self._follow)

    # --- the photo

    def _open(self) -> None:
        photo = self.workspace.document.photo
        if photo is None or photo.id == self._photo_id:
            return
        if self._ticket is not None:
            self._ticket.cancel()
        self._photo_id, self._message = photo.id, ""
        self._fitted = True  # as it will be shown; nobody is followed on the photo before
        self.hand.leave()

        def find_then_read(project):
            return project.photo_file(photo.id)

        def read(path):
            if not path.exists():
                raise FileNotFoundError(
                    tr(
                        "{path} is not there. Is its disk plugged in? If the folder was moved, "
                        "“main.py relink” finds the photos again. Nothing of your work is lost.",
                        path=str(path),
                    )
                )
            return Backdrop(read_image(path))

        def found(path):
            if self._photo_id == photo.id:
                self._ticket = self._desk.read(lambda: read(path), arrived, failed)

        def arrived(backdrop: Backdrop):
            if self._photo_id == photo.id:
                self._backdrop, self._message = backdrop, ""
                self.fit_photo(glide=False)
                self.repose()

        def failed(error: Exception):
            if self._photo_id == photo.id:
                self._backdrop, self._message = None, str(error)
                self.fit_photo(glide=False)
                self.repose()

        self._desk.project(find_then_read, found, failed)

    @property
    def is_ready(self) -> bool:
        """Whether the open photo is shown."""
        photo = self.workspace.document.photo
        return self._backdrop is not None and photo is not None and photo.id == self._photo_id

    def compose_ground(self, size_px: tuple[int, int], ratio: float) -> np.ndarray:
        """The photo as it lies."""
        around = theme.rgb("background")
        if self._backdrop is None:
            empty = np.empty((size_px[1], size_px[0], 4), np.uint8)
            empty[:] = (*reversed(around), 255)
            return empty
        wanted = (self._backdrop, self.view, size_px, ratio, around)
        if self._ground is None or self._ground[0] != wanted:
            self._ground = wanted, self._backdrop.compose(self.view.at_ratio(ratio), size_px, around)
        return self._ground[1].copy()

    def eye_of(self, figure: Figure) -> Eye:
        """The photo's camera."""
        return Eye.of_photo(figure.camera, self.view)

    # --- where it is looked at

    def look(self, view: ViewTransform, glide: bool = False) -> None:
        """Show another part; gliding there takes a tenth of a second."""
        if self._glide is not None:
            self._glide.stop()
            self._glide = None
        if not glide or not self.workspace.options.motion or not self.isVisible():
            self.view = view
            self.moved()
            return
        start = self.view
        self._glide = QVariantAnimation(self)
        self._glide.setDuration(_GLIDE_MS)
        self._glide.setStartValue(0.0)
        self._glide.setEndValue(1.0)

        def step(share: float) -> None:
            self.view = view if share >= 1.0 else start.between(view, share)
            self.moved()

        self._glide.valueChanged.connect(step)
        self._glide.start()

    def fit_photo(self, glide: bool = True) -> None:
        """Show all of the photo."""
        photo = self.workspace.document.photo
        if photo is not None:
            self._fitted = True
            self.look(ViewTransform.fit(0, 0, *photo.size_px, (self.width(), self.height())), glide)

    def fit_person(self, glide: bool = True) -> None:
        """Show the selected person as large as they go."""
        figure = self.workspace.figure
        if figure is None:
            self.fit_photo(glide)
            return
        corners = []
        if figure.box is not None:
            corners.append(figure.box.xyxy.reshape(2, 2))
        if (seen := figure.keypoints.visibility > 0).any():
            corners.append(figure.keypoints.points_px[seen])
        if figure.joints_px is not None:
            corners.append(figure.joints_px[np.isfinite(figure.joints_px).all(axis=1)])
        if corners:
            points = np.concatenate(corners)
            (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
            more = _PERSON_MARGIN * max(x1 - x0, y1 - y0)
            self._fitted = False
            self.look(
                ViewTransform.fit(x0 - more, y0 - more, x1 + more, y1 + more, (self.width(), self.height())), glide
            )

    def _follow(self) -> None:
        """Who is selected by a key or in a list comes into view, where not all of the photo is."""
        figure = self.workspace.figure
        if figure is None or figure.person.id == self._followed:
            return
        self._followed = figure.person.id
        if self._fitted or figure.box is None:
            return
        x0, y0, x1, y1 = self._corners(figure.box)
        if not (0 <= (x0 + x1) / 2 < self.width() and 0 <= (y0 + y1) / 2 < self.height()):
            self.fit_person()

    def zoom(self, factor: float, x: float | None = None, y: float | None = None) -> None:
        """Nearer or farther around a place in the view, its middle if not given."""
        self._fitted = False
        self.look(self.view.zoomed(factor, self.width() / 2 if x is None else x, self.height() / 2 if y is None else y))

    def pan(self, dx: float, dy: float) -> None:
        """Move the photo."""
        self._fitted = False
        self.look(self.view.panned(dx, dy))

    # --- what is where

    def points_shown(self, figure: Figure) -> np.ndarray:
        """(K, 2) somebody's 2D points in the view, NaN where there is none."""
        shown = self.view.to_view(figure.keypoints.points_px)
        shown[figure.keypoints.visibility == 0] = np.nan
        return shown

    def target_at(self, x: float, y: float) -> Target:
        """What a press at a place in the view would take hold of: of the selected person first."""
        options, figures = self.workspace.options, self.workspace.figures.all()
        selected = self.workspace.document.selected
        for figure in sorted(figures, key=lambda figure: figure.person.id != selected):
            mine = figure.person.id == selected
            found = None
            if mine and self.joints_first:
                found = self.joint_or_ring_at(figure, x, y)
            elif options.points and not self.joints_first:
                found = point_at(figure, self.points_shown(figure), x, y)
            if found is None and options.boxes and mine and figure.box is not None:
                found = box_at(figure.person.id, self._corners(figure.box), x, y)
            if found is not None:
                return found
        for figure in figures:
            if self._is_on(figure, x, y):
                return Target(Kind.BODY, figure.person.id)
        return NOTHING

    def _is_on(self, figure: Figure, x: float, y: float) -> bool:
        if figure.posed is not None:
            return nearest(self.eye_of(figure).project(figure.posed.vertices[::4]), x, y, 9.0) is not None
        photo_x, photo_y = self.view.to_photo(x, y)
        box = figure.box
        return box is not None and box.x0 <= photo_x <= box.x1 and box.y0 <= photo_y <= box.y1

    def _corners(self, box: Box) -> tuple[float, float, float, float]:
        (left, top), (right, bottom) = self.view.to_view(box.xyxy.reshape(2, 2))
        return float(left), float(top), float(right), float(bottom)

    # --- marks

    def limbs_shown(self, figure: Figure) -> np.ndarray:
        """The person's 2D points."""
        return self.points_shown(figure)

    def paint_limbs(self, picture: np.ndarray, figures: list[Figure], ratio: float) -> None:
        """Lines between 2D points, in place; the selected person's strong and on top."""
        options, selected = self.workspace.options, self.workspace.document.selected
        if not options.points:
            return
        for figure in sorted(figures, key=lambda figure: figure.person.id == selected):
            joint_set = JOINT_SETS[figure.keypoints.joint_set]
            colours = limb_colours(figure, joint_set.edges) if options.errors else None
            mine = figure.person.id == selected
            opacity = _FAINT if not mine or self.joints_first else 1.0
            shown = self.points_shown(figure) * ratio
            paint_limbs(picture, shown, joint_set.edges, joint_set.names, opacity, 2.0 * ratio, colours)

    def draw_marks(self, painter: QPainter) -> None:
        """Boxes, points, joints; the selected person's strong and on top."""
        options, selected = self.workspace.options, self.workspace.document.selected
        figures = sorted(self.workspace.figures.all(), key=lambda figure: figure.person.id == selected)
        for figure in figures:
            mine = figure.person.id == selected
            if options.boxes and figure.box is not None and (mine or figure.params is None or not options.body):
                marks.draw_box(painter, self._corners(figure.box), figure.number, mine)
            if options.points and mine and not self.joints_first:
                marks.draw_points(painter, figure, self.points_shown(figure))
            if options.joints and mine and (self.joints_first or not self.held):  # faint ones are in a held point's way
                self.draw_selected_joints(painter, figure)
        new = self.hand.new_box
        if new is not None:
            marks.draw_box(painter, self._corners(new), len(figures), True)
        self.draw_held(painter, self._place_of(self.target))
        if self.workspace.tool is Tool.BOX and not self.held:
            x, y = self.cursor_px
            painter.setPen(QPen(QColor(255, 255, 255, 110), 1.0))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
            painter.drawLine(QPointF(0, y), QPointF(self.width(), y))
        if self._message:
            self._draw_message(painter)

    def _draw_message(self, painter: QPainter) -> None:
        """Why there is no photo, on a plate above the bodies."""
        roles = theme.current()
        room = QRectF(self.rect()).adjusted(48, 24, -48, -24)
        plate = painter.boundingRect(room, _CENTRED_ABOVE, self._message).adjusted(-16, -10, 16, 10)
        painter.setPen(QColor(roles.hairline))
        painter.setBrush(QColor(roles.panel))
        painter.drawRoundedRect(plate, 6, 6)
        painter.setPen(QColor(roles.text))
        painter.drawText(plate.adjusted(16, 10, -16, -10), _CENTRED_ABOVE, self._message)

    def _place_of(self, target: Target) -> np.ndarray | None:
        part, person = target.part, target.person
        if part is None or target.kind is Kind.RING:
            part, person = self.workspace.document.part, self.workspace.document.selected
        figure = self.workspace.figures.of(person)
        if part is None or figure is None:
            return None
        if part.kind.value == "joint":
            return self.joint_place(figure, part.name) if self.workspace.options.joints else None
        if part.name not in (names := JOINT_SETS[figure.keypoints.joint_set].names):
            return None
        return self.points_shown(figure)[names.index(part.name)]

    # --- events

    def _show_tool(self) -> None:
        tool, point = self.workspace.tool, self.workspace.point_selected()
        self.setCursor(Qt.CursorShape.ArrowCursor if tool is Tool.DRAG else Qt.CursorShape.CrossCursor)
        if tool is not Tool.DRAG:
            self.setFocus(Qt.FocusReason.OtherFocusReason)  # for Escape
        if tool is Tool.PLACE and point is not None:
            words = tr(point.replace("_", " "))
            self.workspace.hint.emit(tr("Click where the {point} is; E skips it, Esc ends", point=words))
        elif tool is Tool.BOX:
            self.workspace.hint.emit(tr("Draw a box around somebody; Esc ends"))
        else:
            self.workspace.hint.emit("")
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Look at a person."""
        self.hand.double_click(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives up what the hand does."""
        if not self.hand.key(event):
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A photo that was shown whole stays so."""
        if self._fitted:
            self.fit_photo(glide=False)
        super().resizeEvent(event)


_CENTRED_ABOVE = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
