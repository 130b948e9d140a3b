"""Several pictures composed into one: contact sheets, and before and after side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cliff_core.records import Camera, Keypoints
from cliff_core.rendering.body_layer import paint_bodies
from cliff_core.rendering.points import draw_keypoints
from cliff_core.rendering.rasteriser import Viewport
from cliff_core.rendering.side_view import foreground, side_view
from cliff_core.rendering.theme import BACKGROUND, GRID_PX, PANEL, TEXT, person_colour, shorten, write_text

_TITLE_PX, _TEXT_PX = 18, 14
_BAR_PX = 5 * GRID_PX
_LARGEST_COLUMNS = 6
_FOCUS_MARGIN = 0.22
_LEAST_FOCUS = 0.3  # of the photo's shorter side: enough surrounding to know the place again


def contact_sheet(
    images: Sequence[np.ndarray],
    labels: Sequence[str],
    columns: int | None = None,
    cell_px: tuple[int, int] = (320, 320),
    title: str = "",
) -> np.ndarray:
    """Pictures in a grid on dark ground, each with its label below.

    Args:
        images: (H, W, 3) uint8 each, of any sizes; shrunk or enlarged to fit their cells.
        labels: one line each; long ones are shortened in the middle.
        columns: as square as possible if not given.
        cell_px: width, height of a picture's place.
        title: headline, if any.

    Returns:
        (H, W, 3) uint8.
    """
    count = len(images)
    columns = columns or min(_LARGEST_COLUMNS, max(1, int(np.ceil(np.sqrt(count * 1.4)))))
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    (wide, tall), gap = cell_px, GRID_PX
    label_px = 3 * GRID_PX
    head = _BAR_PX if title else 0
    sheet = _ground(columns * (wide + gap) + gap, head + rows * (tall + label_px + gap) + gap)
    if title:
        write_text(sheet, shorten(title, _TITLE_PX, sheet.shape[1] - 2 * gap), (gap, head - 12), _TITLE_PX, TEXT)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        x = gap + number % columns * (wide + gap)
        y = head + gap + number // columns * (tall + label_px + gap)
        sheet[y : y + tall + label_px, x : x + wide] = PANEL
        fitted = _fit(image, wide, tall)
        left, top = x + (wide - fitted.shape[1]) // 2, y + (tall - fitted.shape[0]) // 2
        sheet[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
        text = shorten(label, _TEXT_PX, wide - 2 * gap)
        write_text(sheet, text, (x + gap, y + tall + label_px - gap), _TEXT_PX, TEXT)
    return sheet


def before_after(
    photo: np.ndarray,
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
    faces: np.ndarray,
    camera: Camera,
    keypoints: Sequence[Keypoints] = (),
    height_px: int = 480,
    title: str = "",
    names: tuple[str, str] = ("Before", "After"),
    opacity: float = 0.7,
) -> np.ndarray:
    """Photo with points, overlay and side view before, overlay and side view after, as one picture.

    The photo is cut to the people if they are small in it. A narrow cut gives one row of five panels; for a wide one
    the side views go below their overlays, with a view from above in the free place. Both side views share one frame,
    and the second shows the first one's bodies as pale outlines. People far behind are in the overlays only.

    Args:
        photo: (H, W, 3) uint8, the camera's whole photo.
        before, after: vertices (V, 3) of each person, camera frame, metres; the same person at the same place.
        faces: (F, 3).
        camera: the photo's camera.
        keypoints: the 2D points of each person, in pixels of the photo.
        height_px: height of the overlays.
        title: headline, such as the photo's name and its errors.
        names: what the two states are called.
        opacity: of the bodies.

    Returns:
        (H, W, 3) uint8.
    """
    x0, y0, x1, y1 = _focus(photo, (*before, *after), camera, keypoints)
    scale = height_px / (y1 - y0)
    view = Viewport.of_camera(camera).window(x0, y0, x1 - x0, y1 - y0, scale)
    width = view.size_px[0]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    base = cv2.resize(np.ascontiguousarray(photo[y0:y1, x0:x1]), view.size_px, interpolation=method)
    shown = [_moved(points, (x0, y0)) for points in keypoints]

    def overlay(bodies, opacity_of_points):
        picture = base.copy()
        paint_bodies(picture, [(mesh, person_colour(n)) for n, mesh in enumerate(bodies)], faces, view, opacity)
        for points in shown:
            picture = draw_keypoints(picture, points, scale, opacity_of_points)
        return picture

    wide = width > 0.9 * height_px
    side_size = (width, round(0.7 * height_px)) if wide else (round(height_px * 0.8), height_px)
    first, second = names
    pale = f" (outline: {first})" if before else ""
    given = (overlay((), 1.0), "Photo and 2D points" if shown else "Photo")
    overlay_before, overlay_after = (overlay(before, 0.75), first), (overlay(after, 0.75), second)
    near = foreground(after or before)
    colours = [person_colour(n) for n in near]
    near_before, near_after = ([meshes[n] for n in near] if meshes else () for meshes in (before, after))
    side_before = (
        side_view(near_before, faces, side_size, colours=colours, framed=near_after),
        f"{first}, from the side",
    )
    side_after = (
        side_view(near_after, faces, side_size, colours=colours, ghosts=near_before),
        f"{second}, from the side{pale}",
    )
    if not wide:
        return _rows([[given, overlay_before, side_before, overlay_after, side_after]], title)
    above = (
        side_view(near_after, faces, side_size, "top", colours=colours, ghosts=near_before),
        f"{second}, from above{pale}",
    )
    return _rows([[given, overlay_before, overlay_after], [above, side_before, side_after]], title)


def _rows(rows, title):
    """Panels, each with its name above."""
    gap, head = GRID_PX, _BAR_PX if title else 0
    width = max(gap + sum(panel.shape[1] + gap for panel, _ in row) for row in rows)
    sheet = _ground(width, head + sum(_BAR_PX + row[0][0].shape[0] for row in rows) + gap)
    if title:
        write_text(sheet, shorten(title, _TITLE_PX, width - 2 * gap), (gap, head - gap), _TITLE_PX, TEXT)
    top = head
    for row in rows:
        top, x = top + _BAR_PX, gap
        for panel, name in row:
            write_text(sheet, shorten(name, _TEXT_PX, panel.shape[1]), (x, top - 12), _TEXT_PX, TEXT)
            sheet[top : top + panel.shape[0], x : x + panel.shape[1]] = panel
            x += panel.shape[1] + gap
        top += row[0][0].shape[0]
    return sheet


def _focus(photo, meshes, camera, keypoints):
    """The part of the photo to show: x0, y0, x1, y1, whole pixels."""
    height, width = photo.shape[:2]
    spots = [np.asarray(points.points_px, float)[np.asarray(points.visibility) > 0] for points in keypoints]
    for mesh in meshes:
        ahead = mesh[np.isfinite(mesh).all(axis=1) & (mesh[:, 2] > 0.1)]
        spots.append(ahead[:, :2] / ahead[:, 2:] * camera.focal_length_px + camera.centre_px)
    points = np.clip(np.concatenate([*spots, np.zeros((0, 2))]), 0, (width, height))
    if not len(points):
        return 0, 0, width, height
    low, high = points.min(axis=0), points.max(axis=0)
    middle, extent = (low + high) / 2, (high - low) * (1 + 2 * _FOCUS_MARGIN)
    extent = np.maximum(extent, _LEAST_FOCUS * min(width, height))
    extent = np.maximum(extent, (0.62 * extent[1], extent[0] / 1.5))  # no needles: width between 0.62 and 1.5 of height
    extent = np.minimum(extent, (width, height))
    corner = np.clip(middle - extent / 2, 0, (width, height) - extent)
    x0, y0 = np.floor(corner).astype(int).tolist()
    x1, y1 = np.ceil(corner + extent).astype(int).tolist()
    return x0, y0, max(x0 + 1, min(x1, width)), max(y0 + 1, min(y1, height))


def _moved(points, origin):
    return Keypoints(
        points.joint_set, np.asarray(points.points_px) - origin, points.visibility, points.confidence, points.source
    )


def _fit(image, wide, tall):
    scale = min(wide / image.shape[1], tall / image.shape[0])
    size = (max(1, min(wide, round(image.shape[1] * scale))), max(1, min(tall, round(image.shape[0] * scale))))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def _ground(width, height):
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = BACKGROUND
    return sheet
