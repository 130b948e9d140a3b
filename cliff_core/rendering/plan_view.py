"""People from above, before their camera, with arrows for where they face: how bodies are turned, not how they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cliff_core.rendering.body_layer import paint_bodies
from cliff_core.rendering.rasteriser import Viewport
from cliff_core.rendering.sheets import contact_sheet
from cliff_core.rendering.theme import (
    ACCENT,
    BACKGROUND,
    GRID_PX,
    HAIRLINE,
    PANEL,
    QUIET_TEXT,
    TEXT,
    write_text,
)

_TITLE_PX, _TEXT_PX, _SMALL_PX = 18, 15, 12
_EYE_M = 400.0  # so far above that the view is a map
_ARROW_M = 1.0
_NEAREST_M, _BEYOND_M = 4.9, 1.2  # the camera's surroundings are left out: rays come from below
_FROM_ABOVE = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)  # rows: right, down and forward of the map
_TRUTH = (0xF2, 0xF3, 0xF5)
_SUBPIXEL = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model says about how people are turned.

    Attributes:
        name: of the model.
        colour: RGB of its bodies and arrows.
        vertices: (N, V, 3) its bodies, put where the true ones stand; camera frame, metres.
        facing_deg: (N,) where its bodies face on the map, degrees to the right of "towards the camera".
        error_deg: (N,) angle between its global rotations and the true ones.
    """

    name: str
    colour: tuple[int, int, int]
    vertices: np.ndarray
    facing_deg: np.ndarray
    error_deg: np.ndarray


def facing_deg(global_rotmat: np.ndarray) -> np.ndarray:
    """(..., 3, 3) global rotations in the camera frame to where the front faces on the map, degrees.

    0 is towards the camera along its axis, positive to the right of the photo.
    """
    front = np.asarray(global_rotmat)[..., :, 2]
    return np.degrees(np.arctan2(front[..., 0], -front[..., 2]))


def same_crop_sheet(
    photo: np.ndarray,
    crops: Sequence[np.ndarray],
    boxes_px: np.ndarray,
    truth: np.ndarray,
    true_facing_deg: np.ndarray,
    answers: Sequence[Answer],
    faces: np.ndarray,
    title: str,
    width_px: int = 1280,
) -> np.ndarray:
    """A photo, the crops of the people in it, and maps of how models think that these are turned.

    Args:
        photo: (H, W, 3) uint8.
        crops: (h, w, 3) uint8 each, as the network sees them.
        boxes_px: (N, 4) the crops' places in the photo.
        truth: (N, V, 3) the true bodies, camera frame, metres.
        true_facing_deg: (N,) as `Answer.facing_deg`.
        answers: one map each.
        faces: (F, 3).
        title: headline.
        width_px: of the whole.

    Returns:
        (H, width_px, 3) uint8.
    """
    gap = GRID_PX
    parts = [_headline(title, width_px), _photo_with_boxes(photo, boxes_px, width_px - 2 * gap)]
    names = [chr(ord("A") + number) for number in range(len(crops))]
    cell = (width_px - 2 * gap) // len(crops) - gap
    parts.append(contact_sheet(crops, [f"{name}: what the network sees" for name in names], len(crops), (cell, 240)))
    panel = ((width_px - gap) // len(answers) - gap, 410)
    maps = [_map(answer, truth, true_facing_deg, faces, names, panel) for answer in answers]
    parts.append(_beside(maps, gap))
    sheet = np.empty((sum(part.shape[0] + gap for part in parts), width_px, 3), np.uint8)
    sheet[:] = BACKGROUND
    y = 0
    for part in parts:
        x = (width_px - part.shape[1]) // 2
        sheet[y : y + part.shape[0], x : x + part.shape[1]] = part
        y += part.shape[0] + gap
    return sheet


def _headline(title, width):
    bar = np.empty((4 * GRID_PX, width, 3), np.uint8)
    bar[:] = BACKGROUND
    write_text(bar, title, (GRID_PX, 3.5 * GRID_PX), _TITLE_PX, TEXT)
    return bar


def _beside(panels, gap):
    row = np.empty((panels[0].shape[0], sum(panel.shape[1] + gap for panel in panels) - gap, 3), np.uint8)
    row[:] = BACKGROUND
    x = 0
    for panel in panels:
        row[:, x : x + panel.shape[1]] = panel
        x += panel.shape[1] + gap
    return row


def _photo_with_boxes(photo, boxes_px, width):
    """The photo's full width, and as much of its height as the boxes take."""
    top = int(max(0, boxes_px[:, 1].min() - 24))
    bottom = int(min(photo.shape[0], boxes_px[:, 3].max() + 24))
    scale = width / photo.shape[1]
    picture = cv2.resize(photo[top:bottom], (width, round((bottom - top) * scale)), interpolation=cv2.INTER_AREA)
    for number, box in enumerate(boxes_px):
        x0, y0, x1, y1 = np.round((box - (0, top, 0, top)) * scale).astype(int).tolist()
        cv2.rectangle(picture, (x0, y0), (x1, y1), ACCENT, 2, cv2.LINE_AA)
        write_text(picture, chr(ord("A") + number), (x0 + GRID_PX, y0 + GRID_PX), _TITLE_PX, ACCENT, "la")
    return picture


def _map(answer: Answer, truth, true_facing_deg, faces, names, size_px):
    """Bodies of one answer from above, the true ones as outlines, both with arrows."""
    width, height = size_px
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = PANEL
    places = truth.mean(1)
    far = places[:, 2].max() + _BEYOND_M
    scale = min(
        (height - 15 * GRID_PX) / (far - _NEAREST_M), 0.5 * (width - 2 * GRID_PX) / (np.abs(places[:, 0]).max() + 1.0)
    )
    foot = height - 3.5 * GRID_PX
    view = Viewport(scale * _EYE_M, (width / 2, foot + _NEAREST_M * scale), size_px)

    def pixel(x, z):
        return np.array([width / 2 + x * scale, foot - (z - _NEAREST_M) * scale])

    for z in np.arange(np.ceil(_NEAREST_M), far + 0.5):
        y = round(float(pixel(0, z)[1]))
        cv2.line(picture, (0, y), (width, y), HAIRLINE, 1)
        write_text(picture, f"{z:g} m", (width - GRID_PX, y - 4), _SMALL_PX, QUIET_TEXT, "rs")
    for x, z in places[:, [0, 2]]:
        _dashed(picture, pixel(x / z * _NEAREST_M, _NEAREST_M), pixel(x, z), QUIET_TEXT)
    seen = [mesh @ _FROM_ABOVE.T + (0, 0, _EYE_M) for mesh in answer.vertices]
    paint_bodies(picture, [(mesh, answer.colour) for mesh in seen], faces, view, opacity=0.9)
    outlines = [mesh @ _FROM_ABOVE.T + (0, 0, _EYE_M) for mesh in truth]
    for mesh in outlines:
        paint_bodies(picture, [(mesh, _TRUTH)], faces, view, opacity=0.0, line_px=1.0)
    for number, (x, z) in enumerate(places[:, [0, 2]]):
        for angle, colour, thick in (
            (true_facing_deg[number], _TRUTH, 2),
            (answer.facing_deg[number], answer.colour, 4),
        ):
            turn = np.radians(angle)
            _arrow(picture, pixel(x, z), pixel(x + _ARROW_M * np.sin(turn), z - _ARROW_M * np.cos(turn)), colour, thick)
        column = (number + 0.5) * width / len(places)
        said = f"{names[number]} faces {answer.facing_deg[number]:+.0f}°"
        write_text(picture, said, (column, 8 * GRID_PX), _TEXT_PX, TEXT, "ms")
        note = f"truth {true_facing_deg[number]:+.0f}°, rotation off by {answer.error_deg[number]:.0f}°"
        write_text(picture, note, (column, 10.5 * GRID_PX), _SMALL_PX, QUIET_TEXT, "ms")
    write_text(picture, answer.name, (2 * GRID_PX, 4 * GRID_PX), _TITLE_PX, answer.colour)
    note = "from above; white: truth; 0° is towards the camera, + to the right of the photo"
    write_text(picture, note, (2 * GRID_PX, height - GRID_PX), _SMALL_PX, QUIET_TEXT)
    return picture


def _arrow(picture, start, end, colour, thick):
    a, b = (np.round(point * _SUBPIXEL).astype(int).tolist() for point in (start, end))
    for ink, extra in ((BACKGROUND, 3), (colour, 0)):
        cv2.arrowedLine(picture, a, b, ink, thick + extra, cv2.LINE_AA, 4, 0.16)


def _dashed(picture, start, end, colour):
    steps = np.linspace(start, end, 2 * max(1, round(float(np.linalg.norm(end - start)) / 12)) + 1)
    for a, b in zip(steps[::2], steps[1::2], strict=False):
        cv2.line(picture, np.round(a).astype(int).tolist(), np.round(b).astype(int).tolist(), colour, 1, cv2.LINE_AA)
