"""What deserves a look in the selected body, in words."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QCheckBox, QFormLayout, QWidget

from annotator.document import Change
from annotator.qt.canvas.error_colours import WORST_SHARE, error_colour
from annotator.qt.panels.people import words_of
from annotator.qt.strings import tr
from annotator.qt.widgets import column, label, set_role
from annotator.qt.workspace import Workspace
from annotator.quality import Quality, quality_of

_FINE_SHARE = 0.03
_DASH = "–"
_ROWS = ("error", "worst", "sides", "limits", "shape", "inside", "prior")


class QualityPanel(QWidget):
    """Numbers that point at what may be wrong; none of them is the truth.

    Args:
        workspace: what all views share.
    """

    def __init__(self, workspace: Workspace, parent: QWidget | None = None):
        super().__init__(parent)
        self.workspace = workspace
        self._is_stale = True
        self.rows = {name: label(_DASH, wrap=True) for name in _ROWS}
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(8)
        for name, words in (
            ("error", tr("2D error")),
            ("worst", tr("Farthest off")),
            ("sides", tr("Left and right")),
            ("limits", tr("Joint limits")),
            ("shape", tr("Shape")),
            ("inside", tr("Inside itself")),
            ("prior", tr("Away from CLIFF")),
        ):
            form.addRow(label(words, "quiet"), self.rows[name])
        self.colours = QCheckBox(tr("Colour limbs by error"))
        self.colours.toggled.connect(lambda is_on: workspace.show(errors=is_on))
        layout = column(margin=4)
        layout.addLayout(form)
        layout.addWidget(self.colours)
        layout.addWidget(_Legend())
        layout.addStretch(1)
        self.setLayout(layout)
        workspace.when(Change.PHOTO | Change.PEOPLE | Change.SELECTION, self._show)
        workspace.options_changed.connect(lambda: self.colours.setChecked(workspace.options.errors))
        self._show()

    def showEvent(self, event: QShowEvent) -> None:
        """Look where it is seen for the first time, or something changed unseen."""
        super().showEvent(event)
        if self._is_stale:
            self._show()

    def _show(self) -> None:
        self._is_stale = not self.isVisible()
        if self._is_stale:
            return
        figure = self.workspace.figure
        quality = None if figure is None else quality_of(figure)
        for name, (words, role) in _words(quality).items():
            self.rows[name].setText(words)
            set_role(self.rows[name], role)


def _words(quality: Quality | None) -> dict[str, tuple[str, str]]:
    """Row -> what to say of it, and how: "good", "bad" or plain."""
    if quality is None:
        return dict.fromkeys(_ROWS, (_DASH, ""))
    known = np.isfinite(quality.error_px)
    error = f"{quality.error_px:.1f} px ({100 * quality.error_share:.1f} %)" if known else tr("no points")
    fine = known and quality.error_share < _FINE_SHARE
    return {
        "error": (error, "good" if fine else "bad" if known and quality.error_share > WORST_SHARE else ""),
        "worst": (_listed(quality.worst, "px") or _DASH, ""),
        "sides": (
            tr("{limbs} look exchanged", limbs=", ".join(map(tr, quality.flipped)))
            if quality.flipped
            else tr("as they should be"),
            "bad" if quality.flipped else "good",
        ),
        "limits": (
            _listed(quality.beyond_deg[:3], "°") or tr("kept"),
            "bad" if quality.beyond_deg else "good",
        ),
        "shape": (
            tr("unlikely (β{numbers})", numbers=", β".join(map(str, quality.odd_betas)))
            if quality.odd_betas
            else tr("likely"),
            "bad" if quality.odd_betas else "good",
        ),
        "inside": (
            ", ".join(
                tr(
                    "{part} {depth} mm in {other}",
                    part=words_of(inside),
                    depth=f"{1000 * depth_m:.0f}",
                    other=words_of(of),
                )
                for inside, of, depth_m in quality.inside[:2]
            )
            or tr("nowhere"),
            "bad" if quality.inside else "good",
        ),
        "prior": (_listed(quality.turned_deg, "°") or tr("as predicted"), ""),
    }


def _listed(pairs, unit: str) -> str:
    space = "" if unit == "°" else " "
    return ", ".join(f"{words_of(name)} {value:.0f}{space}{unit}" for name, value in pairs)


class _Legend(QWidget):
    """The colours of errors, with their ends named."""

    def __init__(self):
        super().__init__()
        self.setFixedHeight(30)
        self.setAccessibleName(tr("Colours of errors"))

    def paintEvent(self, event: QPaintEvent) -> None:
        """A strip of colours."""
        painter = QPainter(self)
        shades = QLinearGradient(0, 0, self.width(), 0)
        for step in range(9):
            shades.setColorAt(step / 8, QColor(*error_colour(step / 8 * WORST_SHARE, 1.0)))
        painter.fillRect(0, 0, self.width(), 10, shades)
        painter.setPen(self.palette().text().color())
        words = self.rect().adjusted(0, 12, 0, 0)
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft, tr("meets its point"))
        painter.drawText(words, Qt.AlignmentFlag.AlignRight, tr("{share:.0f} % off", share=100 * WORST_SHARE))
