"""The selected joint's angles to read and type, and the other poses of its limb that look the same in the photo."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QWidget

from annotator.commands import ResetBody
from annotator.document import Change
from annotator.edits import joint_of_point, pose_command
from annotator.qt.desk import Desk
from annotator.qt.panels.alternatives import Alternatives
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row
from annotator.qt.workspace import Workspace
from cliff_core.fitting.editing import MOVES, joint_angles, with_joint_angles
from cliff_core.skeletons import SMPL24

_FIELD_PX = 72


class PosePanel(QWidget):
    """One joint at a time, and its limb.

    Args:
        workspace: what all views share.
        desk: looks for alternatives.
    """

    def __init__(self, workspace: Workspace, desk: Desk, parent: QWidget | None = None):
        super().__init__(parent)
        self.workspace = workspace
        self.name = label("", "title")
        self.angles: dict[str, QDoubleSpinBox] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        for column_number, (move, words) in enumerate(
            zip(MOVES, (tr("Twist"), tr("Bend"), tr("Sideways")), strict=True)
        ):
            field = QDoubleSpinBox()
            field.setRange(-180, 180)
            field.setDecimals(0)
            field.setSuffix("°")
            field.setKeyboardTracking(False)
            field.setAccessibleName(words)
            field.setMinimumWidth(_FIELD_PX)
            grid.setColumnStretch(column_number, 1)
            field.valueChanged.connect(self._typed)
            grid.addWidget(label(words, "quiet"), 0, column_number)
            grid.addWidget(field, 1, column_number)
            self.angles[move] = field
        self.pin = button("", lambda: self._for_joint(workspace.pin), picture="push-pin", role="flat", tip=tr("Pin"))
        self.lock = button("", lambda: self._for_joint(workspace.lock), picture="lock", role="flat", tip=tr("Lock"))
        self.reset = button("", self._reset, picture="arrow-counter-clockwise", role="flat", tip=tr("Reset"))
        for each in (self.pin, self.lock):
            each.setCheckable(True)
        self.alternatives = Alternatives(workspace, desk)
        layout = column(margin=4, spacing=4)  # the depths below shall be in view on a small laptop
        layout.addLayout(row(self.name, -1, self.pin, self.lock, self.reset, spacing=2))
        layout.addLayout(grid)
        layout.addWidget(self.alternatives)
        layout.addStretch(1)
        self.setLayout(layout)
        workspace.when(Change.PHOTO | Change.PEOPLE | Change.SELECTION | Change.LIVE, self._show)
        workspace.options_changed.connect(self._show)
        self._show()

    @property
    def joint(self) -> str | None:
        """The selected joint, or the one that the selected point is about."""
        part = self.workspace.document.part
        return None if part is None else joint_of_point(part.name)

    def _show(self) -> None:
        figure, joint = self.workspace.figure, self.joint
        usable = figure is not None and figure.params is not None and joint is not None
        for widget in (*self.angles.values(), self.pin, self.lock, self.reset):
            widget.setEnabled(usable)
        if figure is None or figure.params is None or joint is None:
            self.name.setText(tr("Select a joint or a point"))
            return
        self.name.setText(tr(joint.replace("_", " ")))
        degrees = np.degrees(joint_angles(figure.params, SMPL24.index(joint)))
        for field, value in zip(self.angles.values(), degrees, strict=True):
            if not field.hasFocus() or abs(field.value() - value) > 1:
                with QSignalBlocker(field):
                    field.setValue(float(value))
        self.pin.setChecked(joint in self.workspace.pinned(figure.person.id))
        self.lock.setChecked(joint in self.workspace.locked(figure.person.id))

    def _typed(self) -> None:
        figure, joint = self.workspace.figure, self.joint
        if figure is None or figure.params is None or joint is None:
            return
        row_number = SMPL24.index(joint)
        angles = np.radians([field.value() for field in self.angles.values()])
        after = with_joint_angles(figure.params, row_number, angles)
        command = pose_command(figure, after, f"Turn {joint.replace('_', ' ')}", frozenset([row_number]))
        if command is not None:
            self.workspace.document.edit(command)

    def _for_joint(self, do) -> None:
        if self.joint is not None:
            do(self.joint)
        self._show()

    def _reset(self) -> None:
        figure, joint = self.workspace.figure, self.joint
        if figure is not None and joint is not None:
            self.workspace.document.edit(ResetBody(figure.person.id, [joint]))
