"""Depth alternatives: the poses of a limb that look the same in the photo, as small pictures from the side to click."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QGridLayout, QToolButton, QWidget

from annotator.document import Change
from annotator.edits import limb_of, pose_command
from annotator.figures import Figure
from annotator.qt import theme
from annotator.qt.canvas.eye import Eye
from annotator.qt.desk import Desk, Ticket
from annotator.qt.strings import tr
from annotator.qt.widgets import column, label
from annotator.qt.workspace import Workspace
from cliff_core.errors import GeometryError
from cliff_core.fitting.alternatives import Alternative, depth_alternatives
from cliff_core.fitting.editing import LIMBS
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.rendering.body_layer import paint_bodies
from cliff_core.rendering.theme import person_colour
from cliff_core.skeletons import SMPL24

_SHOWN = 6
_COLUMNS = 3
_PICTURE_PX = 72
_MARGIN = 1.25


@dataclass(frozen=True)
class _Asked:
    """For whom and which limb the pictures were made."""

    person: int
    revision: int
    limb: str


class Alternatives(QWidget):
    """The pictures, made beside the window's thread once a limb is selected.

    Args:
        workspace: what all views share.
        desk: looks for them.
    """

    def __init__(self, workspace: Workspace, desk: Desk, parent: QWidget | None = None):
        super().__init__(parent)
        self.workspace = workspace
        self.found: list[Alternative] = []
        self._desk = desk
        self._asked: _Asked | None = None
        self._ticket: Ticket | None = None
        self._next = 0
        self.title = label("", "quiet", wrap=True)
        self.buttons: list[QToolButton] = []
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._grid.setColumnStretch(_COLUMNS, 1)
        layout = column(self.title, spacing=4)
        layout.addLayout(self._grid)
        self.setLayout(layout)
        workspace.when(Change.PHOTO | Change.PEOPLE | Change.SELECTION, self._ask)
        theme.watch.changed.connect(self.recolour)

    def take_next(self) -> None:
        """Take the next one; after the last comes the first."""
        if len(self.found) > 1:
            self._next = (self._next + 1) % len(self.found)
            self._take(self._next)

    def _ask(self) -> None:
        figure, part = self.workspace.figure, self.workspace.document.part
        limb = "" if part is None else limb_of(part.name)
        if figure is None or figure.params is None or not limb:
            self._forget(tr("Select an arm or a leg to see its other depths"))
            return
        asked = _Asked(figure.person.id, figure.person.revision, limb)
        if asked == self._asked:
            return
        mine = self._asked is not None and (asked.person, asked.limb) == (self._asked.person, self._asked.limb)
        self._asked = asked
        if mine and self._is_one_of_them(figure):
            return  # one of these was taken: the others are the same as before
        if self._ticket is not None:
            self._ticket.cancel()
        skeleton, params, around = self.workspace.rig.skeleton(figure), figure.params, theme.rgb("background")

        def look() -> list[tuple[Alternative, QImage]]:
            try:
                poses = depth_alternatives(skeleton, figure.camera, params, limb, limit=_SHOWN)
            except GeometryError:  # a limb behind the camera has no picture that others could have
                return []
            return [(pose, _picture(figure, pose, limb, around)) for pose in poses]

        self._show([])  # what was found for somebody else must not be clicked meanwhile
        self.title.setText(tr("Looking for other depths…"))
        self._ticket = self._desk.read(look, self._show)

    def recolour(self) -> None:
        """Another theme: other pictures."""
        if self._asked is not None:
            self._asked = None
            self._ask()

    def _is_one_of_them(self, figure: Figure) -> bool:
        assert figure.params is not None
        pose = figure.params.pose_rotvec
        for number, each in enumerate(self.found):
            if np.abs(each.params.pose_rotvec - pose).max() < 1e-6:
                self._next = number
                self._mark()
                return True
        return False

    def _forget(self, words: str) -> None:
        self._asked, self.found = None, []
        self._show([])
        self.title.setText(words)

    def _show(self, pairs: list[tuple[Alternative, QImage]]) -> None:
        self.found, self._next = [pose for pose, _ in pairs], 0
        for old in self.buttons:
            self._grid.removeWidget(old)
            old.deleteLater()
        self.buttons = []
        for number, (pose, image) in enumerate(pairs):
            made = QToolButton()
            made.setIcon(QIcon(QPixmap.fromImage(image)))
            made.setIconSize(QSize(_PICTURE_PX, _PICTURE_PX))
            made.setCheckable(True)
            words = tr("as it is") if not pose.flipped else pose.words
            made.setToolTip(words)
            made.setAccessibleName(words)
            made.clicked.connect(lambda _=False, number=number: self._take(number))
            self._grid.addWidget(made, number // _COLUMNS, number % _COLUMNS, Qt.AlignmentFlag.AlignLeft)
            self.buttons.append(made)
        self.title.setText(tr("Same in the photo, from the side (X):") if len(pairs) > 1 else tr("No other depth fits"))
        self._mark()

    def _mark(self) -> None:
        for number, each in enumerate(self.buttons):
            each.setChecked(number == self._next)

    def _take(self, number: int) -> None:
        figure = self.workspace.figure
        if figure is None or self._asked is None or figure.params is None:
            return
        self._next = number
        self._mark()
        rows = frozenset(LIMBS[self._asked.limb])
        command = pose_command(figure, self.found[number].params, f"Depth of {_words(self._asked.limb)}", rows)
        if command is not None:
            self.workspace.document.edit(command)


def _words(limb: str) -> str:
    return limb.replace("_", " ")


def _picture(figure: Figure, pose: Alternative, limb: str, around: tuple[int, int, int]) -> QImage:
    """The limb from the side that the photo does not show."""
    params = pose.params
    posed = figure.body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl)
    centre = (posed.vertices.min(axis=0) + posed.vertices.max(axis=0)) / 2
    joints = posed.joints[[SMPL24.index("pelvis"), *LIMBS[limb]]]
    reach = max(float(np.ptp(posed.vertices, axis=0).max()), float(np.ptp(joints, axis=0).max()))
    ratio = 2
    size = _PICTURE_PX * ratio
    eye = Eye.orbit(centre, 90.0, 8.0, size / (reach * _MARGIN), (size / 2, size / 2))
    picture = np.empty((size, size, 4), np.uint8)
    picture[:] = (*reversed(around), 255)
    bodies = [(eye.see(posed.vertices), person_colour(figure.number)[::-1])]
    paint_bodies(picture[..., :3], bodies, figure.body.faces, eye.viewport((size, size)), fine=1)
    image = QImage(picture.data, size, size, 4 * size, QImage.Format.Format_RGB32).copy()
    image.setDevicePixelRatio(ratio)
    return image
