"""The same bodies seen from beside, above or in front, on a metre grid: where a good overlay may still be wrong."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cliff_core.errors import GeometryError
from cliff_core.rendering.body_layer import paint_bodies
from cliff_core.rendering.points import SUBPIXEL_BITS, fixed_point
from cliff_core.rendering.rasteriser import Canvas, Viewport
from cliff_core.rendering.theme import BACKGROUND, GRID_PX, HAIRLINE, QUIET_TEXT, person_colour, write_text

_FOREGROUND = 0.5
_NEAREST_M = 0.1
_FAR = 14.0  # the eye is this many scene sizes away: nearly parallel, yet nearer feet look nearer
_FILL = 0.78  # share of the picture that the bodies take
_LEAST_SCENE_M = 1.2
_TILT_DEG = 9.0
_STEPS_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_MOST_LINES = 14
_LABEL_OFF_M = 0.35
_GROUND_MARGIN_M = 0.75
_GROUND = (0x25, 0x26, 0x29)
_GHOST = (0xC8, 0xCD, 0xD6)

# Rows: what is right, down and forward in the view, in the photo camera's axes.
_AXES = {
    "side": np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], float),  # the photo's camera is on the left
    "front": np.eye(3),
    "top": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float),  # the photo's camera is at the bottom
}


def foreground(bodies: Sequence[np.ndarray]) -> list[int]:
    """Which bodies to show from another direction: those that look at least half as large as the largest.

    One person thirty metres behind would make all others tiny.

    Args:
        bodies: vertices (V, 3) of each, camera frame, metres.
    """
    sizes = [float(np.ptp(mesh, axis=0).max() / max(np.median(mesh[:, 2]), _NEAREST_M)) for mesh in bodies]
    return [number for number, size in enumerate(sizes) if size >= _FOREGROUND * max(sizes)]


def side_view(
    bodies: Sequence[np.ndarray],
    faces: np.ndarray,
    size_px: tuple[int, int] = (480, 480),
    direction: str = "side",
    colours: Sequence[Sequence[float]] | None = None,
    ghosts: Sequence[np.ndarray] = (),
    framed: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Draw bodies from another direction.

    The ground lies at the lowest vertex, across the photo camera's y axis; grid lines are whole metres from the camera,
    and numbers along the grid are depths in metres.

    Args:
        bodies: vertices (V, 3) of each, in the photo camera's frame, metres.
        faces: (F, 3), shared by all.
        size_px: width, height of the picture.
        direction: "side" (camera on the left), "top" (camera at the bottom) or "front".
        colours: RGB of each body; by number if not given.
        ghosts: vertices of bodies to show as pale outlines, such as the untouched prior.
        framed: vertices that shall fit into the picture too without being drawn: two pictures can share a frame.

    Returns:
        (H, W, 3) uint8.

    Raises:
        GeometryError: another direction.
    """
    if direction not in _AXES:
        raise GeometryError(f"no view from {direction!r}; choose side, top or front")
    picture = np.empty((size_px[1], size_px[0], 3), np.uint8)
    picture[:] = BACKGROUND
    everything = [np.asarray(mesh, float) for mesh in (*bodies, *ghosts, *framed)]
    everything = [mesh[np.isfinite(mesh).all(axis=1)] for mesh in everything]
    everything = [mesh for mesh in everything if len(mesh)]
    if not everything:
        write_text(picture, "no body", (size_px[0] / 2, size_px[1] / 2), 16, QUIET_TEXT, "mm")
        return picture
    stage = _Stage(np.concatenate(everything), direction, size_px)
    stage.draw_ground(picture)
    for vertices in bodies:
        stage.draw_shadow(picture, vertices, faces)
    if colours is None:
        colours = [person_colour(number) for number in range(len(bodies))]
    placed = [(stage.see(vertices), colour) for vertices, colour in zip(bodies, colours, strict=True)]
    paint_bodies(picture, placed, faces, stage.view, opacity=0.94)
    if ghosts:
        outlined = picture.copy()
        for vertices in ghosts:
            paint_bodies(outlined, [(stage.see(vertices), _GHOST)], faces, stage.view, opacity=0.0, line_px=1.5)
        picture = cv2.addWeighted(outlined, 0.7, picture, 0.3, 0)
    stage.write_scale(picture)
    return picture


class _Stage:
    """A far camera that fits everything, and the ground below it."""

    def __init__(self, points, direction, size_px):
        self.direction = direction
        self.low, self.high = points.min(axis=0), points.max(axis=0)
        axes = _AXES[direction]
        if direction != "top":
            tilt = np.radians(_TILT_DEG)
            turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
            axes = turn @ axes
        self._axes = axes
        seen = points @ axes.T
        self._middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
        extent = np.maximum(np.ptp(seen, axis=0), _LEAST_SCENE_M)
        self._distance = _FAR * extent.max()
        self.type_px = int(np.clip(min(size_px) / 32, 10, 15))
        free_height = max(1, size_px[1] - 3 * self.type_px)  # the strip below is for words
        focal = self._distance * _FILL * min(size_px[0] / extent[0], free_height / extent[1])
        self.view = Viewport(float(focal), (size_px[0] / 2, free_height / 2), size_px)
        self._fills = {"side": (2,), "front": (0,), "top": (0, 2)}[direction]  # axes along which the ground fills it
        self._reach = 0.5 * max(size_px) * self._distance / focal
        self.ground = self.high[1]
        span = max(self.high[0] - self.low[0], self.high[2] - self.low[2]) + 1
        self.step = next((step for step in _STEPS_M if span / step <= _MOST_LINES), span / _MOST_LINES)

    def see(self, points):
        """(N, 3) in this camera's frame."""
        return np.asarray(points, float) @ self._axes.T - self._middle + (0, 0, self._distance)

    def _pixel(self, x, z):
        """Where a point of the ground lies in the picture."""
        seen = self.see(np.array([[x, self.ground, z]]))[0]
        return seen[:2] / seen[2] * self.view.focal_length_px + self.view.centre_px

    def _lines(self, axis):
        low, high = self.low[axis] - _GROUND_MARGIN_M, self.high[axis] + _GROUND_MARGIN_M
        if axis in self._fills:
            middle = (low + high) / 2
            low, high = min(low, middle - 1.3 * self._reach), max(high, middle + 1.3 * self._reach)
        return np.arange(np.floor(low / self.step), np.ceil(high / self.step) + 1) * self.step

    def draw_ground(self, picture):
        """The grid, in place."""
        xs, zs = self._lines(0), self._lines(2)
        corners = np.array(
            [self._pixel(x, z) for x, z in ((xs[0], zs[0]), (xs[-1], zs[0]), (xs[-1], zs[-1]), (xs[0], zs[-1]))]
        )
        cv2.fillConvexPoly(picture, fixed_point(corners), _GROUND, cv2.LINE_AA, SUBPIXEL_BITS)
        for x in xs:
            _line(picture, self._pixel(x, zs[0]), self._pixel(x, zs[-1]))
        for z in zs:
            _line(picture, self._pixel(xs[0], z), self._pixel(xs[-1], z))

    def draw_shadow(self, picture, vertices, faces):
        """A soft shadow straight below a body, in place."""
        flat = np.array(vertices, float)
        flat[:, 1] = self.ground
        canvas = Canvas(self.view)
        canvas.draw(self.see(flat), faces, np.zeros(flat.shape), cull=False)
        spread = 0.05 * self.view.focal_length_px / self._distance
        shadow = cv2.GaussianBlur(canvas.mask.astype(np.float32), (0, 0), max(1.0, spread))
        picture[:] = (picture * (1 - 0.5 * shadow[..., None])).astype(np.uint8)

    def write_scale(self, picture):
        """Depths along the grid, its step, and where the photo's camera is; in place."""
        height, width = picture.shape[:2]
        size, zs = self.type_px, self._lines(2)
        if self.direction != "front":
            for z in zs[zs % max(1.0, self.step) == 0]:
                beside = self.high[0] + _LABEL_OFF_M if self.direction == "side" else self.low[0] - _LABEL_OFF_M
                x, y = self._pixel(beside, z)
                anchor, offset = ("ma", (0, 5)) if self.direction == "side" else ("rm", (-6, 0))
                label = f"{z:g} m"
                if 2 * size < x < width - size and size < y < height - 3.6 * size:
                    write_text(picture, label, (x + offset[0], y + offset[1]), size, QUIET_TEXT, anchor)
        where, left = "as the camera sees it", GRID_PX
        if self.direction != "front":
            where, left = "camera", GRID_PX + 2 * size
            middle = np.array([GRID_PX + 0.7 * size, height - GRID_PX - 0.35 * size])
            towards = np.array([-0.6, 0.0]) * size if self.direction == "side" else np.array([0.0, 0.45]) * size
            ends = fixed_point(np.array([middle - towards, middle + towards])) >> SUBPIXEL_BITS
            cv2.arrowedLine(picture, ends[0].tolist(), ends[1].tolist(), QUIET_TEXT, 1, cv2.LINE_AA, tipLength=0.4)
        write_text(picture, where, (left, height - GRID_PX), size, QUIET_TEXT, "ls")
        write_text(picture, f"grid {self.step:g} m", (width - GRID_PX, height - GRID_PX), size, QUIET_TEXT, "rs")


def _line(picture, a, b):
    ends = fixed_point(np.array([a, b]))
    cv2.line(picture, ends[0].tolist(), ends[1].tolist(), HAIRLINE, 1, cv2.LINE_AA, SUBPIXEL_BITS)
