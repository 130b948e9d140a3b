"""The start page: drop photos, go on with a recent project, try the sample."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent, QMouseEvent, QPixmap
from PySide6.QtWidgets import QFileDialog, QFrame, QGridLayout, QLabel, QScrollArea, QWidget

from annotator.project import DamagedProjectError, restore_backup
from annotator.qt.icons import Picture
from annotator.qt.making import SAMPLE_NAME, free_folder, make_project, make_sample
from annotator.qt.new_dialog import NewDialog, projects_folder
from annotator.qt.settings import Recent
from annotator.qt.strings import tr
from annotator.qt.widgets import button, column, label, row, set_role

if TYPE_CHECKING:
    from annotator.qt.main_window import MainWindow

_WIDTH = 860
_CARD_PICTURE = QSize(200, 112)


class StartPage(QScrollArea):
    """What is seen without a project.

    Args:
        window: opens projects.
    """

    def __init__(self, window: MainWindow):
        super().__init__()
        self._window = window
        self.setObjectName("start")
        self.setWidgetResizable(True)
        self.drop = DropZone(self)
        self.drop.dropped.connect(self.ask_new)
        self.damaged = QFrame()
        self.damaged.setProperty("role", "plain-card")
        self.damaged.hide()
        self._below = QWidget()
        self._below.setLayout(column())
        middle = QWidget()
        middle.setMaximumWidth(_WIDTH)
        layout = self._layout = column(
            -1,
            label("CLIFF Annotator", "heading"),
            label(tr("Photos in, reviewed SMPL bodies out."), "quiet"),
            8,
            self.damaged,
            self.drop,
            8,
            self._below,
            -1,
            margin=24,
        )
        layout.setStretch(layout.count() - 1, 3)  # a little above the middle, where there is little to show
        middle.setLayout(layout)
        holder = QWidget()
        around = row()
        around.addStretch(1)
        around.addWidget(middle, 20)
        around.addStretch(1)
        holder.setLayout(around)
        self.setWidget(holder)
        self.refresh()

    def refresh(self) -> None:
        """Show the recent projects, or for newcomers how it goes."""
        old = self._below
        recent = self._window.settings.recent
        self._below = self._recent(recent) if recent else _three_steps()
        self._layout.replaceWidget(old, self._below)
        old.hide()
        old.deleteLater()

    # --- what can be done here

    def ask_new(self, sources: Sequence[Path] = (), folder: Path | None = None) -> None:
        """Ask what a new project is about, and make it."""
        dialog = NewDialog(self._window, sources, folder)
        dialog.accepted.connect(lambda: self._make(dialog))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def ask_open(self) -> None:
        """Ask for a project's folder, and open it."""
        chosen = QFileDialog.getExistingDirectory(self._window, tr("Folder of a project"), str(projects_folder()))
        if chosen:
            self._window.open(Path(chosen))

    def open_sample(self) -> None:
        """Open the person's copy of the sample; made where there is none."""
        folder = projects_folder() / SAMPLE_NAME
        if (folder / "project.toml").is_file():
            self._window.open(folder)
            return
        folder = free_folder(folder.parent, SAMPLE_NAME)
        progress = self._window.background.progress
        self._window.open_with(
            lambda: make_sample(folder, progress), tr("Copying the sample"), folder, propose=True, tour=True
        )

    def show_damaged(self, folder: Path, error: DamagedProjectError) -> None:
        """Offer the backups of a project that cannot be read."""
        card = QFrame()
        card.setProperty("role", "plain-card")
        card.setObjectName("damaged")
        words = label(tr("“{name}” cannot be read. It was left as it is.", name=folder.name), "title", wrap=True)
        layout = column(words, margin=16)
        if error.backups:
            newest = error.backups[0]
            layout.addWidget(
                label(
                    tr(
                        "There are {count} backups; the newest is {name}.",
                        count=len(error.backups),
                        name=newest.path.name,
                    ),
                    "quiet",
                    wrap=True,
                )
            )

            def bring_back() -> None:
                card.hide()
                self._window.open_with(lambda: _restored(folder), tr("Bringing the newest backup back"), folder)

            layout.addLayout(
                row(
                    button(tr("Bring the newest backup back"), bring_back, role="primary", name="restore"),
                    button(tr("Close"), card.hide),
                    -1,
                )
            )
        else:
            layout.addWidget(
                label(
                    tr("There is no backup. `restore --mirror` rebuilds it from its annotations folder."),
                    "quiet",
                    wrap=True,
                )
            )
            layout.addLayout(row(button(tr("Close"), card.hide), -1))
        card.setLayout(layout)
        self._layout.replaceWidget(self.damaged, card)
        self.damaged.deleteLater()
        self.damaged = card

    def _make(self, dialog: NewDialog) -> None:
        plan = dialog.plan
        progress = self._window.background.progress
        self._window.open_with(
            lambda: make_project(plan, progress),
            tr("Making the project “{name}”", name=plan.folder.name),
            plan.folder,
            propose=plan.propose,
        )

    def _recent(self, recent: list[Recent]) -> QWidget:
        holder = QWidget()
        layout = column(label(tr("Recent projects"), "title"))
        grid = QGridLayout()
        grid.setSpacing(12)
        for number, entry in enumerate(recent[:8]):
            card = RecentCard(entry)
            card.chosen.connect(lambda folder=entry.folder: self._window.open(Path(folder)))
            grid.addWidget(card, number // 4, number % 4)
            self._window.background.run(
                lambda path=entry.picture: QPixmap(path).toImage() if path else None,  # type: ignore[misc]
                card.show_picture,
                lambda _: None,
            )
        for place in range(4):
            grid.setColumnStretch(place, 1)
        layout.addLayout(grid)
        holder.setLayout(layout)
        return holder


def _restored(folder: Path):
    from annotator.project import open_project

    restore_backup(folder, None)
    return open_project(folder)


class DropZone(QFrame):
    """Takes photos, folders and videos, and has the buttons for those who rather choose.

    Signals:
        dropped: paths.
    """

    dropped = Signal(list)

    def __init__(self, page: StartPage):
        super().__init__()
        self.setProperty("role", "drop")
        self.setObjectName("drop")
        self.setAcceptDrops(True)
        self.setMinimumHeight(210)
        centre = Qt.AlignmentFlag.AlignHCenter
        layout = column(-1, spacing=8, margin=24)
        layout.addWidget(Picture("upload-simple", "accent", 36), 0, centre)
        words = label(tr("Drop photos, a folder or a video here"), "title")
        layout.addWidget(words, 0, centre)
        layout.addWidget(
            label(tr("They stay where they are and are only ever read. Bodies appear as they are ready."), "quiet"),
            0,
            centre,
        )
        layout.addSpacing(8)
        buttons = row(
            -1,
            button(tr("New project…"), page.ask_new, role="primary", picture="plus", name="new"),
            button(tr("Open project…"), page.ask_open, picture="folder-open", name="open"),
            button(tr("Try the sample"), page.open_sample, picture="image-square", name="sample"),
            -1,
        )
        layout.addLayout(buttons)
        layout.addStretch(1)
        self.setLayout(layout)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files may be dropped."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._light_up(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Or taken elsewhere."""
        self._light_up(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """A new project about them."""
        self._light_up(False)
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def _light_up(self, is_over: bool) -> None:
        self.setProperty("over", "true" if is_over else "false")
        set_role(self, "drop")


class RecentCard(QFrame):
    """One recent project: picture, name, counts, when; click or Return opens it.

    Signals:
        chosen: open it.
    """

    chosen = Signal()

    def __init__(self, entry: Recent):
        super().__init__()
        self.setProperty("role", "card")
        self.setObjectName("recent")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(entry.name)
        self.setToolTip(entry.folder)
        self.picture = QLabel()
        self.picture.setFixedHeight(_CARD_PICTURE.height())
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        name = label("", "title")
        name.setText(
            name.fontMetrics().elidedText(entry.name, Qt.TextElideMode.ElideMiddle, _CARD_PICTURE.width() - 30)
        )
        if entry.people:
            share = 100 * entry.done / entry.people
            counts = tr("{photos} photos · {share} % done", photos=f"{entry.photos:,}", share=f"{share:.0f}")
        else:
            counts = tr("{photos} photos", photos=f"{entry.photos:,}")
        self.setLayout(
            column(self.picture, name, label(counts, "quiet"), label(when(entry.opened), "quiet"), margin=10, spacing=4)
        )

    def show_picture(self, image) -> None:
        """The photo that was open; none where it is gone."""
        if image is None or image.isNull():
            return
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap.fromImage(image).scaled(
            _CARD_PICTURE * ratio, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        pixmap.setDevicePixelRatio(ratio)
        self.picture.setPixmap(pixmap)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open it."""
        if self.rect().contains(event.position().toPoint()):
            self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return and space open it too."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit()
        else:
            super().keyPressEvent(event)


def when(seconds: float, now: float | None = None) -> str:
    """How long ago something was, in words."""
    passed = max(0.0, (time.time() if now is None else now) - seconds)
    if passed < 90:
        return tr("just now")
    if passed < 5400:
        return tr("{count} minutes ago", count=round(passed / 60))
    if passed < 129_600:
        return tr("{count} hours ago", count=round(passed / 3600))
    return tr("{count} days ago", count=round(passed / 86400))


def _three_steps() -> QWidget:
    """For whom there is no project yet: how it goes."""
    holder = QWidget()
    layout = column(label(tr("How it goes"), "title"), spacing=12)
    cards = row(spacing=12)
    for number, (picture, title, text) in enumerate(
        (
            ("magic-wand", tr("Drop your photos"), tr("People are found, and a body is predicted for each of them.")),
            (
                "hand-grabbing",
                tr("Correct what is wrong"),
                tr("Drag a point and the body follows. Every edit is saved, and can be undone."),
            ),
            ("trend-up", tr("Refine, review, export"), tr("Your points teach CLIFF; everybody else gets better too.")),
        ),
        1,
    ):
        card = QFrame()
        card.setProperty("role", "plain-card")
        words = column(label(f"{number}  {title}", "title", wrap=True), label(text, "quiet", wrap=True), -1, spacing=6)
        inner = row(Picture(picture, "accent", 28), margin=16, spacing=12)
        inner.setAlignment(inner.itemAt(0).widget(), Qt.AlignmentFlag.AlignTop)
        inner.addLayout(words, 1)
        card.setLayout(inner)
        cards.addWidget(card, 1)
    layout.addLayout(cards)
    holder.setLayout(layout)
    return holder
