"""Curves over time or effort: how a training went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cliff_core.rendering.charts import round_ticks
from cliff_core.rendering.theme import BACKGROUND, GRID_PX, HAIRLINE, PANEL, QUIET_TEXT, TEXT, person_colour, write_text

_TITLE_PX, _TEXT_PX, _SMALL_PX = 18, 14, 12
_AXIS_PX = 6 * GRID_PX
_SUBPIXEL_BITS = 4
_LABEL_GAP_PX = 15
_WEIGHT_PX = 2


@dataclass(frozen=True, slots=True)
class Curve:
    """One line.

    Attributes:
        name: written at its end.
        x, y: (N,) in rising order of x.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over one axis, from zero; a line's colour goes by its name, so that plots side by side agree.

    Attributes:
        title: what is measured, and in which unit.
        x_name: what the axis counts.
        curves: the lines.
        marks: x and name of moments to point at, such as the start of a phase.
    """

    title: str
    x_name: str
    curves: Sequence[Curve]
    marks: Sequence[tuple[float, str]] = ()


def line_charts(plots: Sequence[Plot], title: str = "", plot_px: tuple[int, int] = (620, 380)) -> np.ndarray:
    """Plots one above the other.

    Returns:
        (H, W, 3) uint8.
    """
    gap, (wide, tall) = GRID_PX, plot_px
    head = 5 * GRID_PX if title else 0
    picture = np.empty((head + len(plots) * (tall + gap) + gap, wide + 2 * gap, 3), np.uint8)
    picture[:] = BACKGROUND
    write_text(picture, title, (gap, head - 12), _TITLE_PX, TEXT)
    colours = {name: person_colour(i) for i, name in enumerate(_names(plots))}
    for number, plot in enumerate(plots):
        y = head + gap + number * (tall + gap)
        picture[y : y + tall, gap : gap + wide] = _draw(plot, plot_px, colours)
    return picture


def _names(plots):
    return dict.fromkeys(curve.name for plot in plots for curve in plot.curves)


def _draw(plot: Plot, size_px, colours) -> np.ndarray:
    width, height = size_px
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = PANEL
    write_text(picture, plot.title, (2 * GRID_PX, 3 * GRID_PX), _TEXT_PX, TEXT)
    longest = max((len(name) for name in (curve.name for curve in plot.curves)), default=0)
    left, right = _AXIS_PX, width - 3 * GRID_PX - round(7.2 * longest)
    top, bottom = 6 * GRID_PX, height - 5 * GRID_PX
    values = np.concatenate([np.asarray(curve.y, float) for curve in plot.curves])
    y_ticks = round_ticks(0.0, float(values.max()))
    last_x = max(float(curve.x[-1]) for curve in plot.curves)
    x_ticks = [tick for tick in round_ticks(0.0, last_x) if tick <= last_x]

    def place(x, y):
        across = left + np.asarray(x, float) / last_x * (right - left)
        up = bottom - (np.asarray(y, float) - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (bottom - top)
        return np.stack(np.broadcast_arrays(across, up), -1)

    for tick in y_ticks:
        level = round(float(place(0, tick)[1]))
        cv2.line(picture, (left, level), (right, level), HAIRLINE, 1)
        write_text(picture, f"{tick:g}", (left - GRID_PX, level), _SMALL_PX, QUIET_TEXT, "rm")
    for tick in x_ticks:
        x = float(place(tick, 0)[0])
        write_text(picture, f"{tick:,g}", (x, bottom + 2 * GRID_PX), _SMALL_PX, QUIET_TEXT, "ms")
    write_text(picture, plot.x_name, (right, bottom + 4 * GRID_PX), _SMALL_PX, QUIET_TEXT, "rs")
    for moment, name in plot.marks:
        x = round(float(place(moment, 0)[0]))
        cv2.line(picture, (x, top), (x, bottom), HAIRLINE, 1)
        write_text(picture, name, (x + 4, top + 4), _SMALL_PX, QUIET_TEXT, "lt")
    ends = []
    for curve in plot.curves:
        points = place(curve.x, curve.y)
        fixed = np.round(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.polylines(picture, [fixed], False, colours[curve.name], _WEIGHT_PX, cv2.LINE_AA, _SUBPIXEL_BITS)
        ends.append((float(points[-1, 1]), curve.name))
    lowest_label = -np.inf
    for y, name in sorted(ends):  # labels keep off each other
        lowest_label = max(y, lowest_label + _LABEL_GAP_PX)
        write_text(picture, name, (right + GRID_PX, lowest_label), _SMALL_PX, colours[name], "lm")
    return picture
