"""Points, limbs, joints, boxes and rings, drawn with a painter: sharp at every zoom, state by shape, side by colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen, QPolygonF

from annotator.figures import Figure
from cliff_core.records import Provenance
from cliff_core.rendering.theme import ACCENT, BACKGROUND, TEXT, person_colour, side_colour
from cliff_core.skeletons import JOINT_SETS, SMPL24

POINT_PX = 5.0
JOINT_PX = 4.0
_FULL_SIZE_PX, _LEAST_SHARE = 260.0, 0.55  # of a body with marks of full size; of them on the smallest
_STAMP_PX = 12  # half the side of a mark's picture: what the largest mark and its halo need
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
    full, less = _fitting(radius, shown), _fitting(0.8 * radius, shown)
    for row in np.flatnonzero((keypoints.visibility > 0) & np.isfinite(shown).all(axis=1)):
        by_person = keypoints.source[row] is Provenance.HUMAN
        painter.setOpacity(1.0 if by_person else 0.45 + 0.55 * float(np.clip(keypoints.confidence[row], 0, 1)))
        size = full if by_person else less
        _stamp(painter, shown[row], _point, side_colour(names[row]), size, keypoints.visibility[row] == 2, by_person)
    painter.setOpacity(1.0)


def _point(painter: QPainter, rgb: tuple[int, int, int], size: float, is_visible: bool, by_person: bool) -> None:
    centre, colour = QPointF(0, 0), QColor(*rgb)
    painter.setPen(_pen(_HALO, 2.5 if is_visible else 4.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(centre, size, size)
    if is_visible:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
    else:
        painter.setPen(_pen(colour, 2.0))
    painter.drawEllipse(centre, size, size)
    if by_person:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*BACKGROUND) if is_visible else colour)
        painter.drawEllipse(centre, 1.6, 1.6)


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
    size = _fitting(JOINT_PX + 1.0 if strong else JOINT_PX - 1.0, shown)
    for row in np.flatnonzero(np.isfinite(shown).all(axis=1)):
        name = SMPL24.names[row]
        by_person = sources[row] is Provenance.HUMAN
        _stamp(painter, shown[row], _joint, side_colour(name), size, strong, name in pinned, name in locked, by_person)
    painter.setOpacity(1.0)


def _joint(
    painter: QPainter,
    rgb: tuple[int, int, int],
    size: float,
    strong: bool,
    is_pinned: bool,
    is_locked: bool,
    by_person: bool,
) -> None:
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1)) if is_pinned else ((0, -1), (1, 0), (0, 1), (-1, 0))
    shape = QPolygonF([QPointF(across * size, down * size) for across, down in corners])
    painter.setPen(_pen(_HALO, 3.0))
    painter.setBrush(QColor(*rgb))
    painter.drawPolygon(shape)
    painter.setPen(_pen(_WHITE if strong else _HALO, 1.0))
    painter.drawPolygon(shape)
    if by_person:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*BACKGROUND))
        painter.drawEllipse(QPointF(0, 0), 1.5, 1.5)
    if is_locked:
        painter.setPen(_pen(_WHITE, 2.0))
        painter.drawLine(QPointF(-size - 3, 0), QPointF(size + 3, 0))


def _fitting(size: float, shown: np.ndarray) -> float:
    """Smaller on a body that is small in the view, in steps of half a pixel: marks must not hide what they mark."""
    present = shown[np.isfinite(shown).all(axis=1)]
    reach = float(np.ptp(present, axis=0).max()) if len(present) else _FULL_SIZE_PX
    return round(2 * size * min(max(reach / _FULL_SIZE_PX, _LEAST_SHARE), 1.0)) / 2


def _stamp(painter: QPainter, place: np.ndarray, draw: Callable[..., None], *how: Hashable) -> None:
    """Put a small mark at a place, to the nearest device pixel; painted once for each way it can look.

    A painter takes thirty times as long for smooth shapes as for their picture, and a body has many.
    """
    ratio = painter.device().devicePixelRatioF()
    x, y = np.round(place * ratio) / ratio - _STAMP_PX
    painter.drawImage(QPointF(x, y), _stamp_of(ratio, draw, *how))


@lru_cache(maxsize=512)
def _stamp_of(ratio: float, draw: Callable[..., None], *how: Hashable) -> QImage:
    side = math.ceil(2 * _STAMP_PX * ratio)
    image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(_STAMP_PX, _STAMP_PX)
    draw(painter, *how)
    painter.end()
    return image


def draw_box(painter: QPainter, corners: Sequence[float], number: int, selected: bool) -> None:
    """A person's box in their colour; the selected one's corners can be taken hold of."""
    left, top, right, bottom = corners
    colour = _faded(QColor(*person_colour(number)), 0.95 if selected else 0.5)
    x0, y0, x1, y1 = round(left), round(top), round(right), round(bottom)
    # Filled strips on whole pixels: a painter's smooth rectangle of the same size takes twenty times as long.
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
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
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


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
