"""Before focal lengths are estimated: which photos one camera took."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QRadioButton, QWidget

from annotator.qt.jobs_watch import JobsWatch
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row


class FocalDialog(QDialog):
    """Explains, and starts the job.

    Args:
        parent: the window.
        watch: starts the job.
    """

    def __init__(self, parent: QWidget, watch: JobsWatch):
        super().__init__(parent)
        self.setWindowTitle(tr("Estimate focal lengths"))
        self.setObjectName("focal")
        self.setMinimumWidth(480)
        self._watch = watch
        heading = label(tr("Estimate focal lengths"), "heading")
        lead = label(
            tr(
                "How well people fit their points says what camera took them. One person says little, "
                "thirty of one camera say it to about a seventh."
            ),
            "quiet",
            wrap=True,
        )
        self.each = QRadioButton(tr("Each photo has a camera of its own"))
        self.each.setChecked(True)
        self.one = QRadioButton(tr("Photos of one folder and size are of one camera, as a video's"))
        self.one.setObjectName("one_camera")
        safe = label(
            tr("Cameras that a person or a file set stay. Bodies stay where they are seen; undo takes it back."),
            "quiet",
            wrap=True,
        )
        self.start = button(tr("Estimate"), self._start, role="primary", picture="aperture", name="start_focal")
        self.start.setDefault(True)
        layout = column(heading, lead, self.each, self.one, safe, margin=24, spacing=12)
        layout.addLayout(row(-1, button(tr("Cancel"), self.reject), self.start))
        self.setLayout(layout)

    def _start(self) -> None:
        self._watch.start("focal", {"one_camera": self.one.isChecked()})
        self.accept()
