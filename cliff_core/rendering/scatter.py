"""Dots over two axes, joined to trails: one thing measured against another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from cliff_core.rendering.charts import round_ticks
from cliff_core.rendering.theme import BACKGROUND, GRID_PX, HAIRLINE, PANEL, QUIET_TEXT, TEXT, person_colour, write_text

_TITLE_PX, _TEXT_PX, _SMALL_PX = 18, 14, 12
_AXIS_PX = 6 * GRID_PX
_DOT_PX = 5
_LABEL_GAP_PX = 14
_LETTER_PX = 6.4  # of the small type, about


@dataclass(frozen=True, slots=True)
class Trail:
    """Dots of one colour, joined in their order.

    Attributes:
        dots: name, x, y of each; those that are not finite are left out.
    """

    dots: Sequence[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class Scatter:
    """One diagram.

    Attributes:
        title: what is shown.
        x_name, y_name: what the axes count.
        trails: a trail's colour goes by its place among the others.
        log_x: powers of ten across; x must be positive.
    """

    title: str
    x_name: str
    y_name: str
    trails: Sequence[Trail]
    log_x: bool = False


def scatter_charts(plots: Sequence[Scatter], title: str = "", plot_px: tuple[int, int] = (620, 460)) -> np.ndarray:
    """Diagrams side by side.

    Returns:
        (H, W, 3) uint8.
    """
    gap, (wide, tall) = GRID_PX, plot_px
    head = 5 * GRID_PX if title else 0
    picture = np.empty((head + tall + 2 * gap, len(plots) * (wide + gap) + gap, 3), np.uint8)
    picture[:] = BACKGROUND
    write_text(picture, title, (2 * gap, head - 12), _TITLE_PX, TEXT)
    for number, plot in enumerate(plots):
        x = gap + number * (wide + gap)
        picture[head + gap : head + gap + tall, x : x + wide] = _draw(plot, plot_px)
    return picture


def _draw(plot: Scatter, size_px: tuple[int, int]) -> np.ndarray:
    width, height = size_px
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = PANEL
    write_text(picture, plot.title, (2 * GRID_PX, 3 * GRID_PX), _TEXT_PX, TEXT)
    left, right, top, bottom = _AXIS_PX, width - 3 * GRID_PX, 6 * GRID_PX, height - 5 * GRID_PX
    dots = [
        (trail, name, x, y)
        for trail, each in enumerate(plot.trails)
        for name, x, y in each.dots
        if np.isfinite([x, y]).all()
    ]
    if not dots:
        return picture
    across, up = (np.array([dot[axis] for dot in dots]) for axis in (2, 3))
    x_ticks = _powers(across) if plot.log_x else round_ticks(0.0, float(across.max()))
    y_ticks = round_ticks(0.0, float(up.max()))

    def place(x, y):
        ends, value = (
            (np.log10([x_ticks[0], x_ticks[-1]]), np.log10(x)) if plot.log_x else (x_ticks[:: len(x_ticks) - 1], x)
        )
        return (
            left + (value - ends[0]) / (ends[1] - ends[0]) * (right - left),
            bottom - (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (bottom - top),
        )

    for tick in y_ticks:
        level = round(place(x_ticks[0], tick)[1])
        cv2.line(picture, (left, level), (right, level), HAIRLINE, 1)
        write_text(picture, f"{tick:g}", (left - GRID_PX, level), _SMALL_PX, QUIET_TEXT, "rm")
    for tick in x_ticks:
        x = round(place(tick, 0.0)[0])
        cv2.line(picture, (x, top), (x, bottom), HAIRLINE, 1)
        write_text(picture, f"{tick:g}", (x, bottom + 2 * GRID_PX), _SMALL_PX, QUIET_TEXT, "ms")
    write_text(picture, plot.x_name, (right, bottom + 4 * GRID_PX), _SMALL_PX, QUIET_TEXT, "rs")
    write_text(picture, plot.y_name, (left, top - GRID_PX), _SMALL_PX, QUIET_TEXT, "ls")
    places = [(trail, name, *place(x, y)) for trail, name, x, y in dots]
    for before, after in pairwise(places):
        if before[0] == after[0]:
            ends = [(round(each[2]), round(each[3])) for each in (before, after)]
            cv2.line(picture, *ends, person_colour(before[0]), 1, cv2.LINE_AA)
    taken: list[tuple[float, float, float]] = []
    named: set[tuple[str, float, float]] = set()
    for trail, name, x, y in sorted(places, key=lambda each: each[3]):
        cv2.circle(picture, (round(x), round(y)), _DOT_PX, person_colour(trail), cv2.FILLED, cv2.LINE_AA)
        if (name, x, y) in named:  # where trails meet
            continue
        named.add((name, x, y))
        long = _LETTER_PX * len(name)
        start, level = (x - GRID_PX - long if x + GRID_PX + long > right else x + GRID_PX), y
        for other_start, other_end, other_level in sorted(taken, key=lambda each: each[2]):
            if start < other_end and other_start < start + long and abs(level - other_level) < _LABEL_GAP_PX:
                level = other_level + _LABEL_GAP_PX
        taken.append((start, start + long, level))
        write_text(picture, name, (start, level), _SMALL_PX, person_colour(trail), "lm")
    return picture


def _powers(values: np.ndarray) -> list[float]:
    """Powers of ten around positive numbers."""
    low, high = int(np.floor(np.log10(values.min()))), int(np.ceil(np.log10(values.max())))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]
