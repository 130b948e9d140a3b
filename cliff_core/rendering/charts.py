"""Bars with spread, in groups: what a table says, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cliff_core.rendering.theme import BACKGROUND, GRID_PX, HAIRLINE, PANEL, QUIET_TEXT, TEXT, write_text

_TITLE_PX, _TEXT_PX, _SMALL_PX = 18, 14, 12
_STEPS = (1, 2, 5)
_TICKS = 5
_AXIS_PX = 6 * GRID_PX
_GROUP_GAP = 0.28  # of a group's width
_SUBPIXEL = 16


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of one colour.

    Attributes:
        name: for the legend.
        colour: RGB.
        values: one per group; NaN for none.
        spreads: half the length of each whisker.
    """

    name: str
    colour: tuple[int, int, int]
    values: Sequence[float]
    spreads: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram; its axis starts at zero.

    Attributes:
        title: what is measured, and in which unit.
        groups: names below the axis.
        series: the bars, in the same order in every group.
    """

    title: str
    groups: Sequence[str]
    series: Sequence[Series]


def bar_charts(
    rows: Sequence[Sequence[Panel]], title: str = "", note: str = "", panel_px: tuple[int, int] = (620, 320)
) -> np.ndarray:
    """Diagrams in rows under one headline and one legend.

    Args:
        rows: panels; the first one's series are the legend's.
        title: headline.
        note: a line at the foot.
        panel_px: width, height of each.

    Returns:
        (H, W, 3) uint8.
    """
    gap, (wide, tall) = GRID_PX, panel_px
    columns = max(len(row) for row in rows)
    head, foot = 10 * GRID_PX, 4 * GRID_PX if note else 0
    picture = np.empty((head + len(rows) * (tall + gap) + gap + foot, columns * (wide + gap) + gap, 3), np.uint8)
    picture[:] = BACKGROUND
    write_text(picture, title, (2 * gap, 4 * GRID_PX), _TITLE_PX, TEXT)
    _write_legend(picture, rows[0][0].series, (2 * gap, head - 2 * gap))
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            x, y = gap + j * (wide + gap), head + i * (tall + gap)
            picture[y : y + tall, x : x + wide] = _draw_panel(panel, panel_px)
    if note:
        write_text(picture, note, (2 * gap, picture.shape[0] - 2 * gap), _SMALL_PX, QUIET_TEXT)
    return picture


def _write_legend(picture, series, xy):
    x, y = xy
    for each in series:
        cv2.rectangle(picture, (x, y - 11), (x + 11, y), each.colour, cv2.FILLED)
        write_text(picture, each.name, (x + 18, y), _TEXT_PX, TEXT)
        x += 42 + round(8.2 * len(each.name))


def _draw_panel(panel: Panel, size_px) -> np.ndarray:
    width, height = size_px
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = PANEL
    write_text(picture, panel.title, (2 * GRID_PX, 3 * GRID_PX), _TEXT_PX, TEXT)
    left, right, top, bottom = _AXIS_PX, width - 2 * GRID_PX, 6 * GRID_PX, height - 4 * GRID_PX
    ticks = _ticks(panel)
    low, high = ticks[0], ticks[-1]

    def y_of(value):
        return bottom - (value - low) / (high - low) * (bottom - top)

    for tick in ticks:
        y = round(y_of(tick))
        cv2.line(picture, (left, y), (right, y), QUIET_TEXT if tick == 0 else HAIRLINE, 1)
        write_text(picture, f"{tick:g}", (left - GRID_PX, y), _SMALL_PX, QUIET_TEXT, "rm")
    slot = (right - left) / len(panel.groups)
    bar = slot * (1 - _GROUP_GAP) / len(panel.series)
    for number, group in enumerate(panel.groups):
        start = left + (number + _GROUP_GAP / 2) * slot
        write_text(picture, group, (left + (number + 0.5) * slot, bottom + 2.5 * GRID_PX), _SMALL_PX, TEXT, "ms")
        for place, each in enumerate(panel.series):
            value, spread = float(each.values[number]), float(each.spreads[number])
            if np.isfinite(value):
                x = start + place * bar
                _draw_bar(picture, (x + 1, x + bar - 1), y_of, value, spread, each.colour)
    return picture


def _draw_bar(picture, sides, y_of, value, spread, colour):
    ends = sorted((y_of(0), y_of(value)))
    corners = np.array([(sides[0], ends[0]), (sides[1], ends[0]), (sides[1], ends[1]), (sides[0], ends[1])])
    cv2.fillConvexPoly(picture, np.round(corners * _SUBPIXEL).astype(np.int32), colour, cv2.LINE_AA, 4)
    middle, reach = round(sum(sides) / 2), min(4, round((sides[1] - sides[0]) / 4))
    beyond = [round(y_of(value - spread)), round(y_of(value + spread))]
    if spread > 0:
        cv2.line(picture, (middle, beyond[0]), (middle, beyond[1]), TEXT, 1)
        for y in beyond:
            cv2.line(picture, (middle - reach, y), (middle + reach, y), TEXT, 1)
    outside = min(*beyond, round(y_of(0))) - 5 if value >= 0 else max(*beyond, round(y_of(0))) + 5
    label = f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"
    write_text(picture, label, (middle, outside), _SMALL_PX, TEXT, "ms" if value >= 0 else "ma")


def _ticks(panel: Panel) -> list[float]:
    """Round numbers from the lowest whisker, or zero, to the highest, with room for a label."""
    ends = [0.0]
    for each in panel.series:
        for value, spread in zip(each.values, each.spreads, strict=True):
            if np.isfinite(value):
                ends += [value - spread, value + spread]
    return round_ticks(min(ends), max(ends))


def round_ticks(low: float, high: float) -> list[float]:
    """Round numbers around both ends, with room for a label beyond the one that is not zero."""
    if low == high:
        return [0.0, 1.0]
    room = 0.12 * (high - low)
    low, high = low - room * (low < 0), high + room * (high > 0)
    rough = (high - low) / _TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(s * power for s in (*_STEPS, 10) if s * power >= rough)
    return [float(tick) * step for tick in range(int(np.floor(low / step)), int(np.ceil(high / step)) + 1)]
