"""What a rendered frame shows of each person: the visible pixels, their box, and which points are hidden."""

from __future__ import annotations

import numpy as np

from cliff_core.body import Body
from cliff_core.records import Box, Provenance
from cliff_core.rendering.rasteriser import Canvas

_CLOTH_M = 0.05
_FLESH_GAIN = 1.5


def flesh_depths(body: Body) -> np.ndarray:
    """(47,) how deep under the surface each of COCO-23's points and SMPL's joints may lie and still count as seen.

    A knee's centre is inside the knee: it is hidden only when something else is in front, not its own skin.
    """
    vertices = body.v_template.astype(np.float64)
    points = np.concatenate([body.keypoints(vertices, "coco23"), body.joint_template])
    to_skin = np.sqrt(((points[:, None] - vertices[None]) ** 2).sum(-1).min(1))
    return to_skin * _FLESH_GAIN + _CLOTH_M


def visible_mask(canvas: Canvas, label: int, covered: np.ndarray) -> np.ndarray:
    """(sH, sW) bool pixels of the canvas that show one body.

    Args:
        canvas: s times as fine as the frame.
        label: 1 + the body's number.
        covered: (H, W) bool pixels of the frame that something outside the canvas hides.
    """
    times = canvas.label.shape[0] // covered.shape[0]
    return (canvas.label == label) & ~covered.repeat(times, 0).repeat(times, 1)


def tight_box(mask: np.ndarray, times: int) -> Box | None:
    """The box around what is visible, in pixels of the frame; `None` where nothing is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    x0, y0, x1, y1 = (float(edge) / times for edge in edges)
    return Box(x0, y0, x1, y1, source=Provenance.IMPORTED)


def point_visibility(
    points: np.ndarray,
    points_px: np.ndarray,
    depths_m: np.ndarray,
    canvas: Canvas,
    label: int,
    covered: np.ndarray,
) -> np.ndarray:
    """(K,) int8: 0 outside the frame, 1 hidden by something or by the person's own body, 2 visible.

    Args:
        points: (K, 3) camera frame.
        points_px: (K, 2) their pixels in the frame.
        depths_m: (K,) of `flesh_depths`.
        canvas, label, covered: as `visible_mask`.
    """
    height, width = covered.shape
    times = canvas.label.shape[0] // height
    inside = ((points_px >= 0) & (points_px < (width, height))).all(1) & (points[:, 2] > 0)
    visibility = np.where(inside, 2, 0).astype(np.int8)
    column, row = np.floor(points_px[inside] * times).astype(int).T
    front, depth = canvas.label[row, column], points[inside, 2]
    with np.errstate(divide="ignore"):
        nearest = 1.0 / canvas.inverse_depth[row, column].astype(np.float64)
    reach = np.where(front == label, depths_m[inside], 0.0)
    hidden = (nearest < depth - reach) | covered[row // times, column // times]
    visibility[inside] = np.where(hidden, 1, 2)
    return visibility
