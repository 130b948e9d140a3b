"""What a hand waits for: from a mouse event to the last painted pixel, on the real views. Run as a process of its own.

python -m annotator.qt.bench_drag        one JSON object on stdout
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_CANVAS_PX, _SIDE_PX = (1280, 800), (360, 400)
_MOVES, _WARM = 80, 10
_PHOTO = "park_walk.jpg"


class _Parts:
    """Where the time of a frame goes."""

    def __init__(self):
        self.spent: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add to a part."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - started

    def around(self, name: str, function: Callable) -> Callable:
        """The function, its time noted."""

        def measured(*args, **kwargs):
            with self.timed(name):
                return function(*args, **kwargs)

        return measured


def main() -> None:
    """Measure, print, leave."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory(prefix="cliff-bench-") as folder:
        _make_project(Path(folder))
        measured = _measure(app, Path(folder) / "project")
    json.dump(measured, sys.stdout)


def _make_project(folder: Path) -> None:
    """The sample with its true bodies: no network is needed to drag them."""
    from annotator.project import create_project
    from annotator.project.importing import import_file
    from cliff_core.resources import resource_path

    photos = resource_path("sample", "photos", _PHOTO).parent
    project, _ = create_project(folder / "project", photos)
    with project:
        for name in ("truth.npz", "keypoints.json"):
            import_file(project, resource_path("sample", name))


def _measure(app, folder: Path) -> dict:
    from PySide6.QtCore import QEvent, QPointF, Qt
    from PySide6.QtGui import QMouseEvent, QWheelEvent

    from annotator.document import Document, Part, PartKind
    from annotator.figures import Figure
    from annotator.project import open_project
    from annotator.qt.app import dismiss
    from annotator.qt.canvas.options import Handles
    from annotator.qt.canvas.photo_view import PhotoView
    from annotator.qt.canvas.side_view import SideView
    from annotator.qt.desk import Desk
    from annotator.qt.workspace import Workspace
    from cliff_core.body.body import Body, PosedBody
    from cliff_core.fitting.interactive import InteractiveSolver
    from cliff_core.skeletons import JOINT_SETS

    desk = Desk(open_project(folder))
    problems: list[Exception] = []
    desk.problem.connect(problems.append)
    document = Document(desk.project)
    workspace = Workspace(document, "coco17")
    photo, side = PhotoView(workspace, desk), SideView(workspace)
    photo.resize(*_CANVAS_PX)
    side.resize(*_SIDE_PX)
    for view in (photo, side):
        view.show()
    workspace.load(desk)
    names: list[int] = []
    desk.project(lambda project: [photo.id for photo in project.photos() if photo.name == _PHOTO], names.extend)

    def settle(until: Callable[[], bool], seconds: float = 60.0) -> None:
        ends = time.monotonic() + seconds
        while not until():
            app.processEvents()
            if problems:
                raise problems[0]
            if time.monotonic() > ends:
                raise TimeoutError("the views did not become ready")
            time.sleep(0.002)

    settle(lambda: bool(names))
    document.open_photo(names[0])
    settle(lambda: photo.is_ready and workspace.is_ready and workspace.figure is not None)
    photo.fit_person(glide=False)
    app.processEvents()

    parts = _Parts()
    InteractiveSolver.solve = parts.around("solve", InteractiveSolver.solve)  # type: ignore[method-assign]
    Body.pose = parts.around("skin", Body.pose)  # type: ignore[method-assign]
    for view in (photo, side):
        view._compose = parts.around("raster", view._compose)  # type: ignore[method-assign]
        view.draw_marks = parts.around("marks", view.draw_marks)  # type: ignore[method-assign]

    none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
    no_keys = Qt.KeyboardModifier.NoModifier

    def send(view, kind, place, button, buttons) -> None:
        point = QPointF(float(place[0]), float(place[1]))
        app.sendEvent(view, QMouseEvent(kind, point, view.mapToGlobal(point), button, buttons, no_keys))

    def drag(view, start, reach_px: float) -> dict[str, float]:
        """Take hold at a place and draw a figure of eight."""
        start = np.asarray(start, float)
        send(view, QEvent.Type.MouseMove, start, none, none)
        send(view, QEvent.Type.MouseButtonPress, start, left, left)

        def move(step: int) -> None:
            angle = 2 * np.pi * step / _MOVES
            place = start + reach_px * np.array([np.sin(angle), np.sin(2 * angle) / 2])
            send(view, QEvent.Type.MouseMove, place, none, left)

        frames = timed(move)
        send(view, QEvent.Type.MouseButtonRelease, start, left, none)
        settle(lambda: document.pending == 0)
        return frames

    def timed(do: Callable[[int], None]) -> dict[str, float]:
        frames = []
        for step in range(_WARM + _MOVES):
            if step == _WARM:
                parts.spent.clear()
            started = time.perf_counter()
            do(step)
            app.processEvents()
            if step >= _WARM:
                frames.append(1000 * (time.perf_counter() - started))
        each = {name: 1000 * seconds / _MOVES for name, seconds in parts.spent.items()}
        each["raster"] = each.get("raster", 0.0) - each.get("skin", 0.0)  # bodies are posed when they are drawn
        each["paint"] = float(np.mean(frames)) - sum(each.values()) + each.get("marks", 0.0)
        each.pop("marks", None)
        return {"median": float(np.median(frames)), "p95": float(np.percentile(frames, 95)), **each}

    def shown_figure() -> tuple[Figure, PosedBody]:
        figure = workspace.figure
        assert figure is not None
        assert figure.posed is not None
        return figure, figure.posed

    def joint_places(view) -> np.ndarray:
        figure, posed = shown_figure()
        return view.eye_of(figure).project(posed.joints)

    measured: dict[str, dict[str, float]] = {}
    figure, _ = shown_figure()
    row = JOINT_SETS[figure.keypoints.joint_set].names.index("left_wrist")
    measured["keypoint"] = drag(photo, photo.points_shown(figure)[row], 60)
    workspace.show(handles=Handles.JOINTS)
    measured["joint"] = drag(photo, joint_places(photo)[20], 60)
    measured["joint from the side"] = drag(side, joint_places(side)[20], 40)
    document.select(document.selected, Part(PartKind.JOINT, "left_elbow"))
    app.processEvents()
    ring = next(ring for ring in photo.rings() if ring.name == "bend")
    others = joint_places(photo)
    free = max(range(len(ring.shown)), key=lambda k: np.nanmin(np.hypot(*(others - ring.shown[k]).T)))
    measured["ring"] = drag(photo, ring.shown[free], 40)
    document.select(document.selected, None)
    workspace.show(handles=Handles.POINTS)
    measured["orbit"] = drag(side, (12, 12), 60)

    def zoom(step: int) -> None:
        place = QPointF(640, 400)
        delta = QPointF(0, 60 if step % 20 < 10 else -60).toPoint()
        wheel = QWheelEvent(
            place, photo.mapToGlobal(place), delta * 0, delta, none, no_keys, Qt.ScrollPhase.NoScrollPhase, False
        )
        app.sendEvent(photo, wheel)

    measured["zoom"] = timed(zoom)
    figure, posed = shown_figure()
    plain = [_painter_ms(posed.vertices, figure.body.faces, figure.camera) for _ in range(5)]
    desk.close()
    dismiss(photo, side)
    return {"gestures": measured, "painter_ms": float(np.median(plain))}


def _painter_ms(vertices: np.ndarray, faces: np.ndarray, camera) -> float:
    """The plain way to show a body with what is at hand: OpenCV's polygons, far ones first, at the canvas's size."""
    import cv2

    started = time.perf_counter()
    scale = min(_CANVAS_PX[0] / camera.image_size_px[0], _CANVAS_PX[1] / camera.image_size_px[1])
    pixels = (vertices[:, :2] / vertices[:, 2:] * camera.focal_length_px + camera.centre_px) * scale
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    facing = (normals * corners[:, 0]).sum(axis=1) < 0
    order = np.argsort(-corners[:, :, 2].mean(axis=1))
    shades = np.clip(90 + 140 * -normals[:, 2], 0, 255).astype(int)
    fixed = np.round(pixels[faces] * 16).astype(np.int32)
    picture = np.zeros((_CANVAS_PX[1], _CANVAS_PX[0], 3), np.uint8)
    for face in order[facing[order]]:
        shade = int(shades[face])
        cv2.fillConvexPoly(picture, fixed[face], (shade, shade, shade), cv2.LINE_AA, 4)
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
