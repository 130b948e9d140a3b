"""The photo's camera: everybody stays where they are seen, and what it does to the error is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QWidget

from annotator.commands import SetTransl
from annotator.document import Change
from annotator.edits import camera_of_field, guess_camera, set_camera
from annotator.figures import Figure
from annotator.project.draft import Command
from annotator.project.fields import source_of
from annotator.project.state import Photo
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row
from annotator.qt.workspace import Workspace
from annotator.quality import quality_of
from cliff_core.errors import GeometryError
from cliff_core.records import Camera, Provenance

_LEAST_DEPTH_M, _GREATEST_DEPTH_M = 0.3, 500.0
_SOURCES: Mapping[Provenance | None, Callable[[], str]] = {
    None: lambda: tr("Guessed: as long as the photo's diagonal"),
    Provenance.HUMAN: lambda: tr("Set by hand"),
    Provenance.IMPORTED: lambda: tr("From an imported file"),
    Provenance.MODEL: lambda: tr("From the photo's own notes, or estimated from its people"),
    Provenance.FIT: lambda: tr("From the photo's own notes, or estimated from its people"),
}


class CameraPanel(QWidget):
    """Focal length or field of view, and how far the selected person is away.

    Args:
        workspace: what all views share.
    """

    def __init__(self, workspace: Workspace, parent: QWidget | None = None):
        super().__init__(parent)
        self.workspace = workspace
        self._error_before: float | None = None
        self.focal = _field(tr("Focal length"), " px", 1, 1e6, 0, 50)
        self.angle = _field(tr("Field of view"), "°", 1, 170, 1, 1)
        self.distance = _field(tr("Distance"), " m", _LEAST_DEPTH_M, _GREATEST_DEPTH_M, 2, 0.1)
        self.focal.valueChanged.connect(self._set_focal)
        self.angle.valueChanged.connect(self._set_angle)
        self.distance.valueChanged.connect(self._set_distance)
        self.source = label("", "quiet", wrap=True)
        self.effect = label("", "quiet", wrap=True)
        self.guess = button(tr("Back to the guess"), self._guess, role="link")
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(tr("Focal length"), self.focal)
        form.addRow(tr("Field of view"), self.angle)
        form.addRow(tr("Distance"), self.distance)
        layout = column(margin=4)
        layout.addLayout(form)
        layout.addWidget(self.source)
        layout.addWidget(self.effect)
        layout.addLayout(row(self.guess, -1))
        layout.addStretch(1)
        self.setLayout(layout)
        workspace.when(Change.PHOTO | Change.PEOPLE | Change.SELECTION, self._show)
        self._show()

    def _show(self) -> None:
        photo, figure = self.workspace.document.photo, self.workspace.figure
        self.setEnabled(photo is not None)
        if photo is None:
            return
        camera = figure.camera if figure is not None else photo.camera or Camera.guess(photo.size_px)
        self.distance.setEnabled(figure is not None and figure.posed is not None)
        depth = 0.0 if figure is None or figure.posed is None else float(figure.posed.joints[0, 2])
        angle = np.degrees(2 * np.arctan(photo.size_px[1] / 2 / camera.focal_length_px))
        for field, value in ((self.focal, camera.focal_length_px), (self.angle, angle), (self.distance, depth)):
            with QSignalBlocker(field):
                field.setValue(float(value))
        is_known = photo.known_camera is not None
        self.source.setText(_SOURCES[source_of(photo.own.get("camera")) if is_known else None]())
        self.guess.setEnabled(is_known)
        quality = None if figure is None else quality_of(figure)
        error = None if quality is None or not np.isfinite(quality.error_px) else quality.error_px
        words = "" if error is None else tr("2D error {now:.1f} px", now=error)
        if error is not None and self._error_before is not None:
            words = tr("2D error {before:.1f} → {now:.1f} px", before=self._error_before, now=error)
            self._error_before = None
        self.effect.setText(words)

    def _note_error(self) -> None:
        figure = self.workspace.figure
        quality = None if figure is None else quality_of(figure)
        self._error_before = None if quality is None or not np.isfinite(quality.error_px) else quality.error_px

    def _set(self, make: Callable[[Photo, list[Figure]], Command]) -> None:
        photo = self.workspace.document.photo
        if photo is None:
            return
        self._note_error()
        try:
            self.workspace.document.edit(make(photo, self.workspace.figures.all()))
        except GeometryError as error:
            self.workspace.hint.emit(str(error))
            self._show()

    def _set_focal(self, focal_px: float) -> None:
        def make(photo: Photo, figures: list[Figure]) -> Command:
            centre = None if photo.camera is None else photo.camera.principal_point_px
            return set_camera(photo, figures, Camera(focal_px, photo.size_px, centre))

        self._set(make)

    def _set_angle(self, degrees: float) -> None:
        self._set(lambda photo, figures: set_camera(photo, figures, camera_of_field(photo, degrees)))

    def _guess(self) -> None:
        self._set(guess_camera)

    def _set_distance(self, metres: float) -> None:
        """The person stays on their ray: nearer is larger."""
        figure = self.workspace.figure
        if figure is None or figure.posed is None or figure.params is None:
            return
        self._note_error()
        pelvis = figure.posed.joints[0].astype(np.float64)
        moved = figure.params.transl + pelvis * (metres / pelvis[2] - 1)
        self.workspace.document.edit(SetTransl(figure.person.id, [float(value) for value in moved]))


def _field(name: str, unit: str, low: float, high: float, decimals: int, step: float) -> QDoubleSpinBox:
    made = QDoubleSpinBox()
    made.setRange(low, high)
    made.setDecimals(decimals)
    made.setSingleStep(step)
    made.setSuffix(unit)
    made.setKeyboardTracking(False)
    made.setAccessibleName(name)
    return made
