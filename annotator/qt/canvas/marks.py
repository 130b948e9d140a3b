"""Points, limbs, joints, boxes and rings, drawn with a painter: sharp at every zoom, state by shape, side by colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF

from annotator.figures import Figure
from cliff_core.records import Provenance
from cliff_core.rendering.theme import ACCENT, BACKGROUND, TEXT, person_colour, side_colour
from cliff_core.skeletons import JOINT_SETS, SMPL24

POINT_PX = 5.0
JOINT_PX = 4.0
_HALO = QColor(*BACKGROUND, 190)
_WHITE = QColor(*TEXT)
_ACCENT = QColor(*ACCENT)


def _pen(colour: QColor, width: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    return QPen(colour, width, style, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)


def _faded(colour: QColor, opacity: float) -> QColor:
    return QColor(colour.red(), colour.green(), colour.blue(), round(colour.alpha() * opacity))


def draw_points(painter: QPainter, figure: Figure, shown: np.ndarray, radius: float = POINT_PX) -> None:
    """2D points: filled = visible, ring = hidden; bold with a dot = placed by a person; fainter = less confident."""
    keypoints = figure.keypoints
    names = JOINT_SETS[keypoints.joint_set].names
    for row in np.flatnonzero((keypoints.visibility > 0) & np.isfinite(shown).all(axis=1)):
        centre = QPointF(*shown[row])
        colour = QColor(*side_colour(names[row]))
        by_person = keypoints.source[row] is Provenance.HUMAN
        painter.setOpacity(1.0 if by_person else 0.45 + 0.55 * float(np.clip(keypoints.confidence[row], 0, 1)))
        size = radius if by_person else 0.8 * radius
        painter.setPen(_pen(_HALO, 2.5 if keypoints.visibility[row] == 2 else 4.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(centre, size, size)
        if keypoints.visibility[row] == 2:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
        else:
            painter.setPen(_pen(colour, 2.0))
        painter.drawEllipse(centre, size, size)
        if by_person:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(*BACKGROUND) if keypoints.visibility[row] == 2 else colour)
            painter.drawEllipse(centre, 1.6, 1.6)
    painter.setOpacity(1.0)


def draw_joints(
    painter: QPainter,
    shown: np.ndarray,
    sources: Sequence[Provenance],
    pinned: frozenset[str],
    locked: frozenset[str],
    strong: bool,
) -> None:
    """SMPL's joints as diamonds; a pinned one is a square, a locked one has a bar, one that a person set has a dot.

    Args:
        painter: of a view.
        shown: (24, 2) in the view.
        sources: who set each joint's rotation.
        pinned, locked: names.
        strong: whether they are what a hand takes hold of.
    """
    painter.setOpacity(1.0 if strong else 0.55)
    for row, name in enumerate(SMPL24.names):
        if not np.isfinite(shown[row]).all():
            continue
        x, y = shown[row]
        size = JOINT_PX + 1.0 if strong else JOINT_PX - 1.0
        if name in pinned:
            shape = QPolygonF([QPointF(x + a * size, y + b * size) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
        else:
            shape = QPolygonF([QPointF(x + a * size, y + b * size) for a, b in ((0, -1), (1, 0), (0, 1), (-1, 0))])
        painter.setPen(_pen(_HALO, 3.0))
        painter.setBrush(QColor(*side_colour(name)))
        painter.drawPolygon(shape)
        painter.setPen(_pen(_WHITE if strong else _HALO, 1.0))
        painter.drawPolygon(shape)
        if sources[row] is Provenance.HUMAN:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(*BACKGROUND))
            painter.drawEllipse(QPointF(x, y), 1.5, 1.5)
        if name in locked:
            painter.setPen(_pen(_WHITE, 2.0))
            painter.drawLine(QPointF(x - size - 3, y), QPointF(x + size + 3, y))
    painter.setOpacity(1.0)


def draw_box(painter: QPainter, corners: Sequence[float], number: int, selected: bool) -> None:
    """A person's box in their colour; the selected one's corners can be taken hold of."""
    left, top, right, bottom = corners
    colour = _faded(QColor(*person_colour(number)), 0.95 if selected else 0.5)
    x0, y0, x1, y1 = round(left), round(top), round(right), round(bottom)
    # Filled strips: a painter's rectangle of the same size takes ten times as long.
    for grown, shade, width in ((1, _HALO, 3), (0, colour, 1)):
        low_x, low_y, wide, high = x0 - grown, y0 - grown, x1 - x0 + 2 * grown + 1, y1 - y0 + 2 * grown + 1
        for strip in (
            QRectF(low_x, low_y, wide, width),
            QRectF(low_x, low_y + high - width, wide, width),
            QRectF(low_x, low_y + width, width, high - 2 * width),
            QRectF(low_x + wide - width, low_y + width, width, high - 2 * width),
        ):
            painter.fillRect(strip, shade)
    if selected:
        for x in (x0, x1):
            for y in (y0, y1):
                painter.fillRect(QRectF(x - 4, y - 4, 9, 9), _HALO)
                painter.fillRect(QRectF(x - 3, y - 3, 7, 7), colour)


def draw_highlight(painter: QPainter, x: float, y: float, held: bool) -> None:
    """A ring around what a press would take hold of, or has."""
    if np.isfinite([x, y]).all():
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(_pen(_HALO, 4.0))
        painter.drawEllipse(QPointF(x, y), 9.5, 9.5)
        painter.setPen(_pen(_ACCENT if held else _WHITE, 2.0))
        painter.drawEllipse(QPointF(x, y), 9.5, 9.5)


def draw_words(painter: QPainter, text: str, x: float, y: float, view_px: tuple[int, int]) -> None:
    """Words beside the cursor on a plate, kept inside the view."""
    font = QFont(painter.font())
    font.setPixelSize(12)
    painter.setFont(font)
    box = painter.fontMetrics().boundingRect(0, 0, 1000, 1000, Qt.AlignmentFlag.AlignLeft, text)
    width, height = box.width() + 16, box.height() + 8
    left = min(max(x + 16, 4), view_px[0] - width - 4)
    top = min(max(y - height - 12, 4), view_px[1] - height - 4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(*BACKGROUND, 225))
    plate = QRectF(left, top, width, height)
    painter.drawRoundedRect(plate, 4, 4)
    painter.setPen(_WHITE)
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
