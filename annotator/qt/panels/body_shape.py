"""Shape as people speak of it: height, weight, legs, shoulders, hips, belly; the ten betas one click deeper."""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QSlider, QWidget

from annotator.commands import SetGender
from annotator.document import Change, Live
from annotator.edits import set_betas
from annotator.figures import Figure
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row
from annotator.qt.workspace import Workspace
from cliff_core.body import Body
from cliff_core.body.files import GENDERS
from cliff_core.fitting.shape_axes import SHAPE_AXES, range_of, value_of, with_value

_STEPS = 200
_BETA_LIMIT = 6.0


class ShapePanel(QWidget):
    """Sliders that move the body while they move.

    Args:
        workspace: what all views share.
    """

    def __init__(self, workspace: Workspace, parent: QWidget | None = None):
        super().__init__(parent)
        self.workspace = workspace
        self._before: Figure | None = None
        self._ranges: WeakKeyDictionary[Body, dict[str, tuple[float, float]]] = WeakKeyDictionary()
        self._known: tuple[Body, np.ndarray, list[float]] | None = None
        self.gender = QComboBox()
        self.gender.setAccessibleName(tr("Body"))
        for gender in GENDERS:
            self.gender.addItem(tr(gender), gender)
        self.gender.activated.connect(self._choose_gender)
        self.sliders: dict[str, QSlider] = {}
        self.values: dict[str, QWidget] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        for number, axis in enumerate(SHAPE_AXES):
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setRange(0, _STEPS)
            slider.setAccessibleName(tr(axis.label))
            slider.sliderPressed.connect(self._press)
            slider.sliderMoved.connect(lambda step, name=axis.name: self._slide(name, step))
            slider.sliderReleased.connect(self._release)
            slider.actionTriggered.connect(lambda _, name=axis.name: self._key(name))
            value = label("", "quiet")
            value.setMinimumWidth(56)
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(label(tr(axis.label)), number, 0)
            grid.addWidget(slider, number, 1)
            grid.addWidget(value, number, 2)
            self.sliders[axis.name], self.values[axis.name] = slider, value
        self.more = button(tr("Betas"), role="link", picture="caret-right")
        self.more.setCheckable(True)
        self.betas_page = QWidget()
        self.betas: list[QDoubleSpinBox] = []
        betas = QGridLayout(self.betas_page)
        betas.setContentsMargins(0, 0, 0, 0)
        for number in range(10):
            field = QDoubleSpinBox()
            field.setRange(-_BETA_LIMIT, _BETA_LIMIT)
            field.setSingleStep(0.1)
            field.setKeyboardTracking(False)
            field.setAccessibleName(tr("Beta {number}", number=number))
            field.valueChanged.connect(self._typed)
            betas.addWidget(label(f"β{number}", "quiet"), number // 2, 2 * (number % 2))
            betas.addWidget(field, number // 2, 2 * (number % 2) + 1)
            self.betas.append(field)
        self.betas_page.hide()
        self.more.toggled.connect(self.betas_page.setVisible)
        layout = column(margin=4)
        layout.addLayout(row(label(tr("Body"), "quiet"), self.gender, -1))
        layout.addLayout(grid)
        layout.addLayout(row(self.more, -1))
        layout.addWidget(self.betas_page)
        layout.addStretch(1)
        self.setLayout(layout)
        workspace.when(Change.PHOTO | Change.PEOPLE | Change.SELECTION, self._show)
        self._show()

    def _show(self) -> None:
        figure = self.workspace.figure
        self.setEnabled(figure is not None and figure.params is not None)
        if figure is None or figure.params is None or self._before is not None:
            return
        self.gender.setCurrentIndex(self.gender.findData(figure.params.gender))
        self._show_betas(figure, figure.params.betas)

    def _show_betas(self, figure: Figure, betas: np.ndarray) -> None:
        if figure.body not in self._ranges:
            self._ranges[figure.body] = {axis.name: range_of(figure.body, axis.name) for axis in SHAPE_AXES}
        for axis, value in zip(SHAPE_AXES, self._measured(figure.body, betas), strict=True):
            low, high = self._ranges[figure.body][axis.name]
            slider = self.sliders[axis.name]
            if not slider.isSliderDown():
                with QSignalBlocker(slider):
                    slider.setValue(round(_STEPS * (value - low) / (high - low)))
            words = f"{100 * value:.0f} cm" if axis.unit == "m" else f"{value:.0f} {axis.unit}"
            self.values[axis.name].setText(words)  # type: ignore[attr-defined]
        for field, beta in zip(self.betas, betas, strict=True):
            with QSignalBlocker(field):
                field.setValue(float(beta))

    def _measured(self, body: Body, betas: np.ndarray) -> list[float]:
        """Of all axes; a body is measured anew only when its shape changes, since most edits turn joints."""
        known = self._known
        if known is None or known[0] is not body or not np.array_equal(known[1], betas):
            known = body, np.array(betas), [value_of(body, betas, axis.name) for axis in SHAPE_AXES]
            self._known = known
        return known[2]

    # --- sliders

    def _press(self) -> None:
        self._before = self.workspace.figure

    def _slide(self, axis: str, step: int) -> None:
        figure = self._before
        if figure is None or figure.params is None:
            return
        low, high = self._ranges[figure.body][axis]
        betas = with_value(figure.body, figure.params.betas, axis, low + (high - low) * step / _STEPS)
        self._show_betas(figure, betas)
        self.workspace.document.show_live(figure.person.id, Live(params=replace(figure.params, betas=betas)))

    def _release(self) -> None:
        figure, self._before = self._before, None
        shown = None if figure is None else self.workspace.document.live.get(figure.person.id)
        if figure is None or shown is None or shown.params is None:
            return
        command = set_betas(figure, shown.params.betas)
        if command is not None:
            self.workspace.document.edit(command)
        else:
            self.workspace.document.show_live(figure.person.id, None)

    def _key(self, axis: str) -> None:
        """The arrow keys and the wheel: a step is an edit."""
        slider = self.sliders[axis]
        if not slider.isSliderDown():
            self._press()
            self._slide(axis, slider.sliderPosition())
            self._release()

    # --- fields

    def _typed(self) -> None:
        figure = self.workspace.figure
        command = None if figure is None else set_betas(figure, np.array([field.value() for field in self.betas]))
        if command is not None:
            self.workspace.document.edit(command)

    def _choose_gender(self, place: int) -> None:
        figure, gender = self.workspace.figure, self.gender.itemData(place)
        if figure is not None and gender != figure.person.gender:
            self.workspace.document.edit(SetGender(figure.person.id, gender))
