"""What a new project is about and where it lies: one small form with answers filled in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QWidget,
)

from annotator.qt.making import NewProject, free_folder, is_video, suggest_name
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row, set_role


def projects_folder() -> Path:
    """Where projects are put if nobody says otherwise."""
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / "CLIFF projects"


def pictures_folder() -> str:
    """Where people keep photos, to begin to look for them there and not in the program's own folder."""
    return QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation) or str(Path.home())


class NewDialog(QDialog):
    """Asks for photos, labels and a place; `plan` is the answer.

    Args:
        parent: the window.
        sources: photos, folders or videos that are known already.
        folder: where the project shall lie, if that is known already.
    """

    def __init__(self, parent: QWidget, sources: Sequence[Path] = (), folder: Path | None = None):
        super().__init__(parent)
        self.setWindowTitle(tr("New project"))
        self.setObjectName("new_project")
        self.setMinimumWidth(560)
        self._sources = tuple(sources)
        self._is_place_own = folder is not None
        self.photos = label("", wrap=True)
        choose = row(
            button(tr("Folder…"), self._choose_folder, name="choose_folder", picture="folder-open"),
            button(tr("Photos…"), self._choose_photos, name="choose_photos", picture="image-square"),
            button(tr("Video…"), self._choose_video, name="choose_video", picture="film-strip"),
            -1,
        )
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0.05, 60)
        self.rate.setValue(2)
        self.rate.setSuffix(tr(" frames a second"))
        self.labels = QLineEdit()
        self.labels.setPlaceholderText(tr("None; or a COCO, OpenPose or SMPL file"))
        self.place = QLineEdit(str(folder) if folder is not None else "")
        self.place.textEdited.connect(self._place_edited)
        self.propose = QCheckBox(tr("Find people and predict their bodies right away"))
        self.propose.setChecked(True)
        self.problem = label("", "quiet", wrap=True, name="problem")
        self.make = button(tr("Create"), self.accept, role="primary", name="create")
        self.make.setDefault(True)
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        source = column(self.photos)
        source.addLayout(choose)
        form.addRow(tr("Photos"), source)
        self._rate_label = label(tr("Of the video"))
        form.addRow(self._rate_label, self.rate)
        form.addRow(tr("Labels"), row(self.labels, button(tr("Choose…"), self._choose_labels)))
        form.addRow(tr("Project folder"), row(self.place, button(tr("Choose…"), self._choose_place)))
        form.addRow("", self.propose)
        layout = column(label(tr("New project"), "heading"), margin=24, spacing=16)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addLayout(row(-1, button(tr("Cancel"), self.reject), self.make))
        self.setLayout(layout)
        for field in (self.labels, self.place):
            field.textChanged.connect(self._look)
        self._show_sources()

    @property
    def plan(self) -> NewProject:
        """What was answered."""
        labels = self.labels.text().strip()
        return NewProject(
            Path(self.place.text().strip()).expanduser(),
            self._sources,
            Path(labels).expanduser() if labels else None,
            self.rate.value(),
            self.propose.isChecked(),
        )

    def take(self, sources: Sequence[Path]) -> None:
        """Choose photos, folders or a video."""
        self._sources = tuple(sources)
        self._show_sources()
        if self.make.isEnabled():
            self.make.setFocus(Qt.FocusReason.OtherFocusReason)  # Return goes on, and does not ask for photos again

    def _show_sources(self) -> None:
        names = [source.name or str(source) for source in self._sources]
        shown = ", ".join(names[:3]) + (tr(" and {count} more", count=len(names) - 3) if len(names) > 3 else "")
        singles = [source for source in self._sources if source.is_file() and not is_video(source)]
        if singles:
            shown += "\n" + tr("Single photos are copied into the project.")
        self.photos.setText(shown or tr("None chosen yet. They stay where they are and are only ever read."))
        set_role(self.photos, "" if shown else "quiet")
        has_video = any(is_video(source) for source in self._sources)
        self.rate.setVisible(has_video)
        self._rate_label.setVisible(has_video)
        if not self._is_place_own:
            self.place.setText(str(free_folder(projects_folder(), suggest_name(self._sources))))
        self._look()

    def _look(self) -> None:
        """Say what is missing; nothing is written yet."""
        place = self.place.text().strip()
        problem = ""
        if not self._sources:
            problem = tr("Choose photos first.")
        elif not place:
            problem = tr("Choose a folder for the project.")
        elif (Path(place).expanduser() / "project.toml").exists():
            problem = tr("There is a project in that folder already; open it, or choose another folder.")
        self.problem.setText(problem)
        self.make.setEnabled(not problem)

    def _place_edited(self) -> None:
        self._is_place_own = True

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, tr("Folder with photos"), pictures_folder())
        if chosen:
            self.take([Path(chosen)])

    def _choose_photos(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(
            self, tr("Photos"), pictures_folder(), tr("Photos") + " (*.jpg *.jpeg *.png *.bmp *.tif *.tiff *.webp)"
        )
        if files:
            self.take([Path(file) for file in files])

    def _choose_video(self) -> None:
        file, _ = QFileDialog.getOpenFileName(
            self, tr("Video"), pictures_folder(), tr("Videos") + " (*.mp4 *.mov *.avi *.mkv *.webm *.m4v)"
        )
        if file:
            self.take([Path(file)])

    def _choose_labels(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, tr("Labels"), str(self._sources[0].parent) if self._sources else "")
        if file:
            self.labels.setText(file)

    def _choose_place(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, tr("Where the project's folder shall lie"), str(Path.home()))
        if chosen:
            self._is_place_own = True
            parent = Path(chosen)
            is_empty = next(parent.iterdir(), None) is None
            self.place.setText(str(parent if is_empty else free_folder(parent, suggest_name(self._sources))))
