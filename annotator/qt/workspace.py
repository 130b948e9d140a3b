"""What all views of the open photo share: its document, its figures, how bodies follow a hand, and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from annotator.document import Change, Document, PartKind
from annotator.edits import Copied
from annotator.figures import Figure, Figures
from annotator.qt.canvas.options import ViewOptions
from annotator.qt.desk import Desk
from annotator.quality import self_contact_of
from annotator.rig import Rig
from cliff_core.body import Body, load_body
from cliff_core.body.files import GENDERS
from cliff_core.fitting.interactive import HARD, Aim, InteractiveSolver, chain_of
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Camera, SmplParams
from cliff_core.rendering.body_layer import paint_bodies
from cliff_core.rendering.rasteriser import Canvas, Viewport
from cliff_core.skeletons import SMPL24


class Tool(Enum):
    """What a press on the photo does."""

    DRAG = "drag"
    BOX = "box"
    PLACE = "place"


class Workspace(QObject):
    """Made once per project.

    Signals:
        changed: the document changed (`Change`).
        options_changed: other things are shown.
        tool_changed: a press does something else.
        hint: a sentence for the status bar.
        turned: another photo is open; what a hand held on the one before is let go.
        proposal_wanted: number of a person whose box shall be looked into.

    Args:
        document: the open photo.
        joint_set: in which points are placed for people who have none.
    """

    changed = Signal(object)
    options_changed = Signal()
    tool_changed = Signal()
    hint = Signal(str)
    turned = Signal()
    proposal_wanted = Signal(int)

    def __init__(self, document: Document, joint_set: str, parent: QObject | None = None):
        super().__init__(parent)
        self.document = document
        self._bodies: dict[str, Body] = {}
        self._skeletons: dict[str, Skeleton] = {}
        self.figures = Figures(document, self._bodies, joint_set)
        self.rig = Rig(self._skeletons)
        self.copied: Copied | None = None
        self.options = ViewOptions()
        self.tool = Tool.DRAG
        document.observe(self._changed)

    def load(self, desk: Desk) -> None:
        """Read the bodies, and get everything ready that the first movement of a hand would wait for."""

        def arrived(loaded: tuple[dict[str, Body], dict[str, Skeleton]]) -> None:
            self._bodies.update(loaded[0])
            self._skeletons.update(loaded[1])
            self.changed.emit(Change.PEOPLE)

        desk.read(_load_bodies, arrived)

    @property
    def is_ready(self) -> bool:
        """Whether bodies are there to be shown."""
        return bool(self._bodies)

    @property
    def figure(self) -> Figure | None:
        """Of the selected person."""
        return self.figures.of(self.document.selected)

    def show(self, **options: Any) -> None:
        """Change what is shown: fields of `ViewOptions`."""
        self.options = replace(self.options, **options)
        self.options_changed.emit()

    def take(self, tool: Tool) -> None:
        """Choose what a press does."""
        if tool is not self.tool:
            self.tool = tool
            self.tool_changed.emit()

    def pin(self, joint: str) -> None:
        """Hold a joint where it is in space, or let it go."""
        figure = self.figure
        if figure is None or figure.posed is None:
            return
        pins = self.rig.pins.setdefault(figure.person.id, {})
        if pins.pop(joint, None) is None:
            pins[joint] = figure.posed.joints[SMPL24.index(joint)].astype(np.float64)
        self.options_changed.emit()

    def lock(self, joint: str) -> None:
        """Keep a joint's rotation while its limb moves, or let it move again."""
        person = self.document.selected
        if person is not None:
            self.rig.locks[person] = self.rig.locks.get(person, frozenset()) ^ {joint}
            self.options_changed.emit()

    def pinned(self, person: int) -> frozenset[str]:
        """Names of somebody's pinned joints."""
        return frozenset(self.rig.pins.get(person, ()))

    def locked(self, person: int) -> frozenset[str]:
        """Names of somebody's locked joints."""
        return self.rig.locks.get(person, frozenset())

    def point_selected(self) -> str | None:
        """Name of the selected 2D point."""
        part = self.document.part
        return part.name if part is not None and part.kind is PartKind.POINT else None

    def when(self, change: Change, callback: Callable[[], None]) -> None:
        """Call back after such changes."""
        self.changed.connect(lambda happened: callback() if happened & change else None)

    def _changed(self, change: Change) -> None:
        if Change.PHOTO in change:
            # Pins are places in one photo's space.
            self.rig.pins.clear()
            self.turned.emit()
        self.changed.emit(change)


@cache
def _load_bodies() -> tuple[dict[str, Body], dict[str, Skeleton]]:
    """The bundled ones, read once: the next project opens quicker, and memory does not grow with each."""
    bodies = {gender: load_body(gender=gender) for gender in GENDERS}
    for body in bodies.values():
        self_contact_of(body)
    skeletons = {gender: Skeleton(body) for gender, body in bodies.items()}
    _warm_up(bodies[GENDERS[0]], skeletons[GENDERS[0]])
    return bodies, skeletons


def _warm_up(body: Body, skeleton: Skeleton) -> None:
    """Have everything compiled that runs under a hand: the first time on a machine that takes seconds."""
    pose = np.zeros((24, 3))
    pose[0, 0] = np.pi
    params = SmplParams(pose, np.zeros(10), np.array([0.0, 0.0, 4.0]), body.gender)
    camera = Camera(200.0, (64, 64))
    vertices = body.pose(rotvec_to_rotmat(pose), params.betas, params.transl).vertices
    view = Viewport.of_camera(camera)
    picture = np.zeros((64, 64, 4), np.uint8)
    for fine in (1, 2):
        paint_bodies(picture[..., :3], [(vertices, (200, 200, 200))], body.faces, view, fine=fine)
    Canvas(view).draw(vertices, body.faces, np.zeros(vertices.shape), cull=False)
    solver = InteractiveSolver(skeleton, camera, params)
    solver.solve(params, [Aim(9, (30.0, 30.0), None, 1.0)], iterations=1)
    solver.solve(params, [Aim(43, None, (0.2, 0.1, 4.0), HARD)], movable=chain_of(20), iterations=1)
