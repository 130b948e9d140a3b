"""Bodies as a shaded, see-through layer over a picture, with smooth outlines where a body ends or hides itself."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numba import njit

from cliff_core.rendering.rasteriser import NEAR_M, Canvas, Viewport, vertex_normals

FINE = 2
"""The layer is drawn this much finer than the picture and averaged, unless speed counts more than smooth edges."""

_MARGIN_PX = 4
_FOLD_M = 0.06  # a jump in depth within one body that deserves a line
_EDGE_OPACITY = 0.9

_KEY_LIGHT = np.array([-0.45, -0.72, -0.53], np.float32)  # towards the light: from above, left, behind the camera
_KEY_LIGHT /= np.linalg.norm(_KEY_LIGHT)


def shade_body(vertices_cam: np.ndarray, faces: np.ndarray, colour: Sequence[float]) -> np.ndarray:
    """Colours of a body under a soft studio light that comes with the camera.

    Args:
        vertices_cam: (V, 3) camera frame, metres.
        faces: (F, 3).
        colour: RGB 0..255.

    Returns:
        (V, 3) float32 0..255.
    """
    vertices = np.ascontiguousarray(vertices_cam, np.float32)
    return _shade(vertices, vertex_normals(vertices_cam, faces), np.asarray(colour, np.float32))


@njit(cache=True, nogil=True)
def _shade(vertices, normals, colour):
    shades = np.empty(vertices.shape, np.float32)
    for k in range(vertices.shape[0]):
        x, y, z = -vertices[k, 0], -vertices[k, 1], -vertices[k, 2]
        length = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-6))
        x, y, z = x / length, y / length, z / length  # towards the eye
        facing = min(max(normals[k, 0] * x + normals[k, 1] * y + normals[k, 2] * z, 0.0), 1.0)
        key = normals[k, 0] * _KEY_LIGHT[0] + normals[k, 1] * _KEY_LIGHT[1] + normals[k, 2] * _KEY_LIGHT[2]
        lit = min(max(0.75 * key + 0.25, 0.0), 1.0)
        x, y, z = x + _KEY_LIGHT[0], y + _KEY_LIGHT[1], z + _KEY_LIGHT[2]
        length = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-6))
        half = (normals[k, 0] * x + normals[k, 1] * y + normals[k, 2] * z) / length
        shine = min(max(half, 0.0), 1.0) ** 24
        tone = 0.4 + 0.62 * lit + 0.14 * facing
        for c in range(3):
            shades[k, c] = min(max(colour[c] * tone + 42.0 * shine, 0.0), 255.0)
    return shades


def paint_bodies(
    picture: np.ndarray,
    bodies: Sequence[tuple[np.ndarray, Sequence[float]]],
    faces: np.ndarray,
    view: Viewport,
    opacity: float = 0.7,
    line_px: float = 1.25,
    fine: int = FINE,
) -> None:
    """Lay bodies over a picture, in place; nearer ones hide farther ones.

    Args:
        picture: (H, W, 3) uint8.
        bodies: vertices (V, 3) in the camera frame and RGB colour of each.
        faces: (F, 3), shared by all.
        view: camera of exactly this picture.
        opacity: 0..1 of the surfaces; outlines are denser. 0 draws outlines only.
        line_px: width of outlines.
        fine: the layer is drawn this many times finer and averaged; 1 is fastest.
    """
    window = _window(bodies, view)
    if window is None:
        return
    x0, y0, x1, y1 = window
    canvas = Canvas(view.window(x0, y0, x1 - x0, y1 - y0, fine))
    colours = [np.zeros(3, np.float32)]
    # Far ones first: where outlines meet, the higher number wins, and that shall be the nearer body whatever the order.
    for vertices, colour in sorted(bodies, key=lambda body: -np.nan_to_num(body[0][:, 2]).mean()):
        canvas.draw(vertices, faces, shade_body(vertices, faces, colour))
        colours.append(_line_colour(colour, opacity))
    _blend(picture[y0:y1, x0:x1], canvas, np.array(colours, np.float32), opacity, line_px, fine)


def _window(bodies, view):
    """The part of the picture that bodies can reach: x0, y0, x1, y1 or `None`."""
    width, height = view.size_px
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for vertices, _ in bodies:
        cut = _reach(np.asarray(vertices), view.focal_length_px, *view.centre_px, low, high)
        if cut:  # by the near plane: may reach anywhere
            return 0, 0, width, height
    if not (low <= high).all():
        return None
    low = np.clip(low - _MARGIN_PX, 0, (width, height)).astype(int)
    high = np.clip(high + _MARGIN_PX, 0, (width, height)).astype(int)
    return (*low.tolist(), *high.tolist()) if (high > low).all() else None


@njit(cache=True, nogil=True)
def _reach(vertices, focal_px, cx, cy, low, high):
    """Widen a rectangle in pixels by what lies in front of the camera; returns whether something lies behind it."""
    behind = ahead = False
    for k in range(vertices.shape[0]):
        x, y, z = vertices[k, 0], vertices[k, 1], vertices[k, 2]
        if not (np.isfinite(x) and np.isfinite(y) and np.isfinite(z)):
            continue
        if z < NEAR_M:
            behind = True
            continue
        ahead = True
        across, down = x / z * focal_px + cx, y / z * focal_px + cy
        low[0], low[1] = min(low[0], across), min(low[1], down)
        high[0], high[1] = max(high[0], across), max(high[1], down)
    return behind and ahead


def _line_colour(colour, opacity):
    colour = np.asarray(colour, np.float32)
    # A darker line around a filled body; around an unfilled one the colour itself, or it would be lost on dark ground.
    return np.clip(colour * 0.42, 0, 255) if opacity > 0 else colour


def _blend(below, canvas, line_colours, opacity, line_px, fine):
    lines = _outlines(canvas.label, canvas.inverse_depth)
    reach = max(1, round(line_px * fine))
    if reach > 1:
        # `lines` holds the owner's number: widening it by a maximum keeps one owner per pixel.
        lines = cv2.dilate(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    _mix(below, canvas.rgb, canvas.label, lines, line_colours, np.float32(opacity), fine)


@njit(cache=True, nogil=True, fastmath=True)
def _mix(below, rgb, labels, lines, line_colours, opacity, fine):
    """Average every block of fine pixels, lines over surfaces over the picture, into the picture."""
    share = np.float32(1.0 / (fine * fine))
    for y in range(below.shape[0]):
        for x in range(below.shape[1]):
            red = green = blue = cover = np.float32(0.0)
            for fine_y in range(y * fine, y * fine + fine):
                for fine_x in range(x * fine, x * fine + fine):
                    line = lines[fine_y, fine_x]
                    if line > 0:
                        weight = np.float32(_EDGE_OPACITY)
                        red += weight * line_colours[line, 0]
                        green += weight * line_colours[line, 1]
                        blue += weight * line_colours[line, 2]
                        cover += weight
                    elif labels[fine_y, fine_x] > 0:
                        red += opacity * rgb[fine_y, fine_x, 0]
                        green += opacity * rgb[fine_y, fine_x, 1]
                        blue += opacity * rgb[fine_y, fine_x, 2]
                        cover += opacity
            if cover > 0:
                free = np.float32(1.0) - cover * share
                half = np.float32(0.5)
                below[y, x, 0] = np.uint8(min(red * share + below[y, x, 0] * free + half, np.float32(255)))
                below[y, x, 1] = np.uint8(min(green * share + below[y, x, 1] * free + half, np.float32(255)))
                below[y, x, 2] = np.uint8(min(blue * share + below[y, x, 2] * free + half, np.float32(255)))


@njit(cache=True, nogil=True)
def _outlines(labels, inverse_depth):
    """(H, W) uint16: the label of a body where it ends against something farther or folds over itself, else 0."""
    height, width = labels.shape
    lines = np.zeros((height, width), np.uint16)
    for y in range(height):
        for x in range(width):
            for down in range(2):
                other_y, other_x = y + down, x + 1 - down
                if other_y >= height or other_x >= width:
                    continue
                here, there = inverse_depth[y, x], inverse_depth[other_y, other_x]
                if here == there:
                    continue
                near_y, near_x, near, far = (y, x, here, there) if here > there else (other_y, other_x, there, here)
                differs = labels[y, x] != labels[other_y, other_x]
                if differs or 1.0 / far - 1.0 / near > _FOLD_M:
                    lines[near_y, near_x] = labels[near_y, near_x]
    return lines
