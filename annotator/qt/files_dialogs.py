"""Files in and out: which format, which people, which place; the work itself is a job beside the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QRadioButton,
    QWidget,
)

from annotator.project.queries import Counts
from annotator.qt.jobs_watch import JobsWatch
from annotator.qt.session import Session
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row

_SUFFIXES = {
    **dict.fromkeys(("coco", "coco-wholebody", "halpe", "mpii", "coco-result", "eft"), ".json"),
    **dict.fromkeys(("cliff-gt", "spin", "4d-humans", "humandata", "bedlam"), ".npz"),
    "4d-humans-tar": ".tar",
}
"""Formats that are one file; all others are a folder."""


def format_words() -> dict[str, str]:
    """Formats by name, with what they hold."""
    return {
        "cliff-gt": tr("CLIFF: bodies and points (npz)"),
        "coco": tr("COCO keypoints: points and boxes (JSON)"),
        "coco-wholebody": tr("COCO WholeBody (JSON)"),
        "halpe": tr("Halpe (JSON)"),
        "openpose": tr("OpenPose: one JSON per photo"),
        "mpii": tr("MPII (JSON)"),
        "coco-result": tr("COCO results (JSON)"),
        "spin": tr("SPIN: bodies and points (npz)"),
        "4d-humans": tr("4D-Humans (npz)"),
        "4d-humans-tar": tr("4D-Humans with photos (tar)"),
        "humandata": tr("HumanData of MMHuman3D (npz)"),
        "bedlam": tr("BEDLAM (npz)"),
        "eft": tr("EFT (JSON)"),
        "3dpw": tr("3DPW: one pickle per photo"),
        "amass": tr("AMASS: one npz per person"),
        "obj": tr("Meshes as OBJ"),
        "ply": tr("Meshes as PLY"),
        "glb": tr("Meshes as GLB"),
        "overlay": tr("Pictures: bodies over the photos"),
        "render": tr("Pictures: bodies front and side"),
    }


class ExportDialog(QDialog):
    """Asks what to write where.

    Args:
        parent: the window.
        session: of the project.
        watch: starts the job.
    """

    def __init__(self, parent: QWidget, session: Session, watch: JobsWatch):
        super().__init__(parent)
        self.setWindowTitle(tr("Export"))
        self.setObjectName("export")
        self.setMinimumWidth(560)
        self._session, self._watch = session, watch
        self._is_place_own = False
        self.format = QComboBox()
        for name, words in format_words().items():
            self.format.addItem(words, name)
        self.format.setCurrentIndex(max(0, self.format.findData(session.settings.get("export_format", "cliff-gt"))))
        self.format.currentIndexChanged.connect(self._suggest)
        self.only = QButtonGroup(self)
        counts = session.counts or Counts(0, 0, 0, 0, 0, 0, 0, 0)
        choices = (
            ("all", tr("Everybody ({count})", count=f"{counts.people:,}")),
            ("done", tr("Who is done ({count})", count=f"{counts.done:,}")),
            ("accepted", tr("Who was accepted ({count})", count=f"{counts.accepted:,}")),
        )
        people = column(spacing=2)
        for number, (name, words) in enumerate(choices):
            choice = QRadioButton(words)
            choice.setObjectName(name)
            choice.setChecked(number == 0)
            self.only.addButton(choice, number)
            people.addWidget(choice)
        self.place = QLineEdit()
        self.place.setAccessibleName(tr("Where to"))
        self.place.textEdited.connect(self._place_edited)
        self.place.textChanged.connect(self._look)
        self.problem = label("", "quiet", wrap=True)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        form.addRow(tr("Format"), self.format)
        form.addRow(tr("People"), people)
        form.addRow(tr("Where to"), row(self.place, button(tr("Choose…"), self._choose)))
        self.start = button(tr("Export"), self._start, role="primary", picture="export", name="start_export")
        self.start.setDefault(True)
        layout = column(label(tr("Export"), "heading"), margin=24, spacing=16)
        layout.addLayout(form)
        layout.addWidget(
            label(
                tr("Beside it lies a manifest: where everything comes from, and how to read its numbers."),
                "quiet",
                wrap=True,
            )
        )
        layout.addWidget(self.problem)
        layout.addLayout(row(-1, button(tr("Cancel"), self.reject), self.start))
        self.setLayout(layout)
        self._suggest()

    def _suggest(self) -> None:
        if self._is_place_own:
            return
        name = self.format.currentData()
        self.place.setText(
            str(self._session.folder.resolve() / "exports" / f"{self._session.name}-{name}{_SUFFIXES.get(name, '')}")
        )
        self._look()

    def _look(self) -> None:
        place = self.place.text().strip()
        exists = bool(place) and Path(place).expanduser().is_file()
        self.problem.setText(tr("This file is there already and will be replaced.") if exists else "")
        self.start.setEnabled(bool(place))

    def _place_edited(self) -> None:
        self._is_place_own = True

    def _choose(self) -> None:
        suffix = _SUFFIXES.get(self.format.currentData())
        if suffix is None:
            chosen = QFileDialog.getExistingDirectory(self, tr("Folder to write into"))
        else:
            chosen, _ = QFileDialog.getSaveFileName(self, tr("File to write"), self.place.text(), f"*{suffix}")
        if chosen:
            self._is_place_own = True
            self.place.setText(chosen)

    def _start(self) -> None:
        name = self.format.currentData()
        only = ("all", "done", "accepted")[self.only.checkedId()]
        self._session.settings.set("export_format", name)
        out = Path(self.place.text().strip()).expanduser()
        self._watch.start("export", {"format": name, "out": str(out), "only": only})
        self.accept()


class ImportDialog(QDialog):
    """Asks for a file with people, and for what the file does not say itself.

    Args:
        parent: the window.
        watch: starts the job.
    """

    def __init__(self, parent: QWidget, watch: JobsWatch):
        super().__init__(parent)
        self.setWindowTitle(tr("Import"))
        self.setObjectName("import")
        self.setMinimumWidth(560)
        self._watch = watch
        self.file = QLineEdit()
        self.file.setAccessibleName(tr("File"))
        self.photos = QLineEdit()
        self.photos.setPlaceholderText(tr("Only for files that do not name their photos"))
        self.photos.setAccessibleName(tr("Photos"))
        for field in (self.file, self.photos):
            field.textChanged.connect(self._look)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        form.addRow(tr("File"), row(self.file, button(tr("Choose…"), self._choose_file)))
        form.addRow(tr("Photos"), row(self.photos, button(tr("Choose…"), self._choose_photos)))
        self.problem = label("", "quiet", wrap=True)
        self.start = button(tr("Import"), self._start, role="primary", picture="download-simple", name="start_import")
        self.start.setDefault(True)
        layout = column(
            label(tr("Import"), "heading"),
            label(
                tr(
                    "Labels and bodies of COCO, OpenPose, MPII, Halpe, CLIFF, SPIN, 4D-Humans, 3DPW and others. "
                    "The format is recognised by content. It is one step of undo, and says what it left out."
                ),
                "quiet",
                wrap=True,
            ),
            margin=24,
            spacing=16,
        )
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addLayout(row(-1, button(tr("Cancel"), self.reject), self.start))
        self.setLayout(layout)
        self._look()

    def take(self, file: Path) -> None:
        """Choose a file, such as one that was dropped."""
        self.file.setText(str(file))

    def _look(self) -> None:
        file, photos = self.file.text().strip(), self.photos.text().strip()
        problem = ""
        if file and not Path(file).expanduser().exists():
            problem = tr("There is no such file.")
        elif photos and not Path(photos).expanduser().exists():
            problem = tr("There is no such folder of photos.")
        self.problem.setText(problem)
        self.start.setEnabled(bool(file) and not problem)

    def _choose_file(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, tr("File with labels or bodies"))
        if file:
            self.file.setText(file)

    def _choose_photos(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, tr("Folder of the photos"))
        if chosen:
            self.photos.setText(chosen)

    def _start(self) -> None:
        settings = {"file": str(Path(self.file.text().strip()).expanduser().resolve())}
        if self.photos.text().strip():
            settings["photos"] = str(Path(self.photos.text().strip()).expanduser().resolve())
        self._watch.start("import", settings)
        self.accept()
