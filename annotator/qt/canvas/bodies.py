"""Bodies painted into the pixels of a view, through whatever eye."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from annotator.figures import Figure
from annotator.qt.canvas.eye import Eye
from annotator.qt.canvas.options import Style, ViewOptions
from cliff_core.body import Body
from cliff_core.rendering.body_layer import FINE, paint_bodies
from cliff_core.rendering.rasteriser import NEAR_M, Viewport
from cliff_core.rendering.theme import person_colour

_GHOST = (0xC8, 0xCD, 0xD6)
_WIRE_OPACITY = 0.55
_SUBPIXEL_BITS = 4
_FARTHEST_PX = 1 << 14


def paint_figures(
    picture: np.ndarray,
    figures: Sequence[Figure],
    eye: Eye,
    options: ViewOptions,
    ratio: float = 1.0,
    quick: bool = False,
    ghosts: Sequence[np.ndarray] = (),
) -> None:
    """Lay people's bodies over a view, in place; nearer ones hide farther ones.

    Args:
        picture: (H, W, 4) uint8, blue first.
        figures: people; those without a body are left out.
        eye: in pixels of the view.
        options: how.
        ratio: device pixels per pixel of the view.
        quick: without smooth edges, while a hand moves.
        ghosts: (V, 3) vertices of bodies to show as pale outlines beneath.
    """
    colours = picture[..., :3]
    view = eye.viewport((picture.shape[1], picture.shape[0]), ratio)
    fine = 1 if quick or ratio > 1.5 else FINE
    shown = [(figure, eye.see(figure.posed.vertices)) for figure in figures if figure.posed is not None]
    if ghosts:
        faces = figures[0].body.faces
        paint_bodies(colours, [(eye.see(ghost), _GHOST[::-1]) for ghost in ghosts], faces, view, 0.0, ratio, fine)
    if not shown or not options.body:
        return
    if options.style is Style.WIREFRAME:
        for figure, vertices in sorted(shown, key=lambda pair: -pair[1][:, 2].mean()):
            _paint_wire(picture, vertices, figure.body, view, person_colour(figure.number)[::-1])
        return
    opacity = 0.0 if options.style is Style.OUTLINE else options.opacity
    bodies = [(vertices, person_colour(figure.number)[::-1]) for figure, vertices in shown]
    paint_bodies(colours, bodies, shown[0][0].body.faces, view, opacity, 1.25 * ratio, fine)


_EDGES: WeakKeyDictionary[Body, tuple[np.ndarray, np.ndarray]] = WeakKeyDictionary()  # not kept beyond the body


def _edges(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """(E, 2) edges of a mesh, and (E, 2) the faces on their two sides."""
    if body not in _EDGES:
        _EDGES[body] = _found_edges(body.faces)
    return _EDGES[body]


def _found_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = len(faces)
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    owner = np.tile(np.arange(count), 3)
    edges, first, inverse = np.unique(sides, axis=0, return_index=True, return_inverse=True)
    last = np.zeros(len(edges), np.int64)
    last[inverse.ravel()] = owner
    return edges, np.stack([owner[first], last], axis=1)


def _paint_wire(picture: np.ndarray, vertices: np.ndarray, body: Body, view: Viewport, colour) -> None:
    """The mesh's edges on the side that faces the eye, in place."""
    edges, owners = _edges(body)
    depth = vertices[:, 2]
    ahead = np.isfinite(vertices).all(axis=1) & (depth > NEAR_M)
    pixels = vertices[:, :2] / np.where(ahead, depth, 1.0)[:, None] * view.focal_length_px + view.centre_px
    a, b, c = (pixels[body.faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    seen = (area < 0)[owners].any(axis=1) & ahead[edges].all(axis=1)
    lines = np.clip(pixels[edges[seen]], -_FARTHEST_PX, _FARTHEST_PX)
    if not len(lines):
        return
    size = picture.shape[1::-1]
    low = np.clip(np.floor(lines.min(axis=(0, 1))) - 1, 0, size).astype(int)
    high = np.clip(np.ceil(lines.max(axis=(0, 1))) + 1, 0, size).astype(int)
    if not (high > low).all():
        return
    part = picture[low[1] : high[1], low[0] : high[0]]
    drawn = part.copy()
    fixed = np.round((lines - low - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.polylines(drawn, list(fixed), False, (*(int(v) for v in colour), 255), 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    part[:] = cv2.addWeighted(drawn, _WIRE_OPACITY, part.copy(), 1 - _WIRE_OPACITY, 0)
