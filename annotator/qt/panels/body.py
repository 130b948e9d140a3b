"""What is said of the selected person's body: how it follows points, pose, shape, camera, quality."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QScrollArea, QSlider, QTabWidget, QWidget

from annotator.document import Change
from annotator.edits import fit
from annotator.qt.desk import Desk
from annotator.qt.panels.body_camera import CameraPanel
from annotator.qt.panels.body_pose import PosePanel
from annotator.qt.panels.body_quality import QualityPanel
from annotator.qt.panels.body_shape import ShapePanel
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row
from annotator.qt.workspace import Workspace

_STEPS = 100


class BodyPanel(QWidget):
    """The inspector.

    Args:
        workspace: what all views share.
        desk: for what takes longer than a frame.
    """

    def __init__(self, workspace: Workspace, desk: Desk, parent: QWidget | None = None):
        super().__init__(parent)
        self.workspace = workspace
        self.who = label("", "title")
        self.trust = QSlider(Qt.Orientation.Horizontal)
        self.trust.setRange(0, _STEPS)
        self.trust.setValue(round(workspace.rig.trust * _STEPS))
        self.trust.setAccessibleName(tr("Trust the prior or the points"))
        self.trust.setToolTip(tr("Left: the body stays near CLIFF's prediction. Right: it meets the points"))
        self.trust.valueChanged.connect(self._set_trust)
        self.follow = QCheckBox(tr("Body follows points"))
        self.follow.setChecked(workspace.rig.follow)
        self.follow.toggled.connect(self._set_follow)
        self.fit = button(tr("Fit"), self._fit, picture="target", tip=tr("Bring the body to its points (G)"))
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.pose, self.shape = PosePanel(workspace, desk), ShapePanel(workspace)
        self.camera, self.quality = CameraPanel(workspace), QualityPanel(workspace)
        for panel, title in (
            (self.pose, tr("Pose")),
            (self.shape, tr("Shape")),
            (self.camera, tr("Camera")),
            (self.quality, tr("Quality")),
        ):
            area = QScrollArea()
            area.setWidgetResizable(True)
            area.setFrameShape(QScrollArea.Shape.NoFrame)
            area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            area.setWidget(panel)
            self.tabs.addTab(area, title)
        layout = column(margin=8)
        layout.addWidget(self.who)
        layout.addLayout(row(label(tr("prior"), "quiet"), self.trust, label(tr("points"), "quiet")))
        layout.addLayout(row(self.follow, -1, self.fit))
        layout.addWidget(self.tabs, 1)
        self.setLayout(layout)
        workspace.when(Change.PHOTO | Change.PEOPLE | Change.SELECTION, self._show)
        self._show()

    def _show(self) -> None:
        document, figure = self.workspace.document, self.workspace.figure
        person = document.selected_person
        self.setEnabled(person is not None)
        if person is None:
            self.who.setText(tr("Nobody is selected"))
            return
        place = [each.id for each in document.people].index(person.id) + 1
        self.who.setText(
            tr("Person {place} of {count} · {state}", place=place, count=len(document.people), state=tr(person.state))
        )
        self.fit.setEnabled(figure is not None and figure.params is not None)

    def _set_trust(self, value: int) -> None:
        self.workspace.rig.trust = value / _STEPS

    def _set_follow(self, is_on: bool) -> None:
        self.workspace.rig.follow = is_on

    def _fit(self) -> None:
        figure = self.workspace.figure
        command = None if figure is None else fit(figure, self.workspace.rig)
        if command is not None:
            self.workspace.document.edit(command)
