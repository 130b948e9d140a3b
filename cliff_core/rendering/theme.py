"""Colours, type and text of every picture the program draws; the window uses the same roles."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

BACKGROUND = (0x1E, 0x1F, 0x22)
PANEL = (0x2B, 0x2D, 0x30)
HAIRLINE = (0x3C, 0x3F, 0x41)
TEXT = (0xDF, 0xE1, 0xE5)
QUIET_TEXT = (0x9D, 0xA0, 0xA8)
ACCENT = (0x4C, 0x9A, 0xFF)

LEFT = (0x4C, 0x9B, 0xE8)
RIGHT = (0xF2, 0x99, 0x4A)
MIDDLE = (0xD0, 0xD3, 0xD9)

GRID_PX = 8
"""Margins, gaps and heights of pictures are multiples of this."""

# Okabe and Ito's colours, told apart by the colour-blind; black is left out, light ones come first.
PEOPLE = (
    (0x56, 0xB4, 0xE9),
    (0xE6, 0x9F, 0x00),
    (0x00, 0x9E, 0x73),
    (0xCC, 0x79, 0xA7),
    (0xD5, 0x5E, 0x00),
    (0xF0, 0xE4, 0x42),
    (0x00, 0x72, 0xB2),
)


def person_colour(number: int) -> tuple[int, int, int]:
    """RGB of the person with this number in a photo; repeats after seven."""
    return PEOPLE[number % len(PEOPLE)]


@cache
def side_colour(*names: str) -> tuple[int, int, int]:
    """RGB of a point, or of a limb between points: blue on the person's left, orange on the right."""
    sides = {side for name in names for side in ("left", "right") if side in name.split("_")}
    if len(sides) == 1 and all(sides & set(name.split("_")) for name in names):
        return LEFT if "left" in sides else RIGHT
    return MIDDLE


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface of all pictures: the one Pillow brings along, the same on every machine."""
    return ImageFont.load_default(size_px)


# Signs that the typeface lacks, and what stands for them.
_SUBSTITUTES = str.maketrans({"→": "›", "←": "‹", "↑": "^", "≤": "<", "≥": ">", "Δ": "d"})


def write_text(rgb: np.ndarray, text: str, xy: tuple[float, float], size_px: int, colour=TEXT, anchor="ls"):
    """Write into a picture, in place.

    Args:
        rgb: (H, W, 3) uint8, contiguous.
        text: one line.
        xy: where the anchor lies, pixels.
        size_px: type size.
        colour: RGB.
        anchor: Pillow's two letters: l, m, r, then a, m, s (baseline), d.
    """
    text = text.translate(_SUBSTITUTES)
    box = font(size_px).getbbox(text, anchor=anchor)
    x0, y0 = max(0, int(xy[0] + box[0]) - 1), max(0, int(xy[1] + box[1]) - 1)
    part = rgb[y0 : int(xy[1] + box[3]) + 2, x0 : int(xy[0] + box[2]) + 2]
    if part.size:
        picture = Image.fromarray(part)
        ImageDraw.Draw(picture).text((xy[0] - x0, xy[1] - y0), text, colour, font(size_px), anchor)
        part[:] = np.asarray(picture)


def shorten(text: str, size_px: int, width_px: int) -> str:
    """The text if it fits the width, else its beginning and end around an ellipsis: file names differ at the end."""
    if font(size_px).getlength(text) <= width_px:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        shortened = f"{text[:head]}…{text[len(text) - (kept - head) :]}"
        if font(size_px).getlength(shortened) <= width_px:
            return shortened
    return "…"
