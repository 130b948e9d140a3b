"""Small pictures of photos: made beside the window, kept on disk and in memory, both bounded."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage, QImageReader, QPixmap

from annotator.qt.desk import Desk, Ticket
from cliff_core.errors import CliffError
from cliff_core.images import read_image

SIDE_PX = 240
_IN_MEMORY = 600
_ON_DISK_BYTES = 200 << 20


def thumbnail_path(folder: Path, sha256: str) -> Path:
    """Where the small picture of a photo is kept; below `runs/`, which git and imports leave alone."""
    return folder / "runs" / "thumbnails" / sha256[:2] / f"{sha256}.jpg"


def make_thumbnail(file: Path, kept: Path | None) -> QImage:
    """The small picture of a photo, from disk or made and kept there; a null image where the photo cannot be read.

    Args:
        file: the photo.
        kept: where to keep it; `None` to keep nothing.
    """
    if kept is not None and kept.is_file():
        image = QImage(str(kept))
        if not image.isNull():
            return image
    image = _read_small(file)
    if kept is not None and not image.isNull():
        unfinished = kept.with_name(kept.name + ".unfinished")
        with suppress(OSError):  # a project on a read-only disk
            kept.parent.mkdir(parents=True, exist_ok=True)
            if image.save(str(unfinished), "JPG", 85):  # type: ignore[call-overload]
                unfinished.replace(kept)
    return image


def _read_small(file: Path) -> QImage:
    """Decoded at about the wanted size where the format allows it, upright."""
    reader = QImageReader(str(file))
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid():
        # The decoder of JPEG works on eighths; twice the size keeps edges smooth.
        reader.setScaledSize(size.scaled(QSize(2 * SIDE_PX, 2 * SIDE_PX), Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        try:
            rgb = read_image(file)
        except (CliffError, OSError):
            return QImage()
        image = QImage(rgb.tobytes(), rgb.shape[1], rgb.shape[0], 3 * rgb.shape[1], QImage.Format.Format_RGB888).copy()
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return image.scaled(SIDE_PX, SIDE_PX, keep, smooth)


class Thumbnails(QObject):
    """Hands out small pictures; what is not there yet is made, the latest wanted first, one at a time.

    One at a time, so that the desk's other reader is always free for the photo that the person opens.

    Signals:
        ready: SHA-256 of a photo whose picture is there now.

    Args:
        desk: that reads.
        folder: of the project.
    """

    ready = Signal(str)

    def __init__(self, desk: Desk, folder: Path, parent: QObject | None = None):
        super().__init__(parent)
        self._desk = desk
        self._folder = folder
        self._have: OrderedDict[str, QPixmap] = OrderedDict()
        self._wanted: OrderedDict[str, Path] = OrderedDict()
        self._busy: Ticket | None = None
        self._is_closed = False
        desk.read(lambda: prune(folder / "runs" / "thumbnails", _ON_DISK_BYTES))

    def get(self, sha256: str, file: Path) -> QPixmap | None:
        """The picture, or `None` for now; a null one where the photo cannot be read."""
        found = self._have.get(sha256)
        if found is not None:
            self._have.move_to_end(sha256)
            return found
        self._wanted[sha256] = file
        self._wanted.move_to_end(sha256)
        while len(self._wanted) > 60:  # scrolled past
            self._wanted.popitem(last=False)
        self._make_next()
        return None

    def forget(self) -> None:
        """Make no more: the project closes."""
        self._is_closed = True
        self._wanted.clear()

    def _make_next(self) -> None:
        if self._busy is not None or not self._wanted or self._is_closed:
            return
        sha256, file = self._wanted.popitem(last=True)
        kept = thumbnail_path(self._folder, sha256)

        def arrived(image: QImage) -> None:
            self._busy = None
            self._have[sha256] = QPixmap.fromImage(image)
            while len(self._have) > _IN_MEMORY:
                self._have.popitem(last=False)
            self.ready.emit(sha256)
            self._make_next()

        def failed(_: Exception) -> None:
            arrived(QImage())

        self._busy = self._desk.read(lambda: make_thumbnail(file, kept), arrived, failed)


def prune(folder: Path, limit_bytes: int) -> None:
    """Remove the oldest small pictures until four fifths of the limit are left, if they are more than the limit."""
    found = []
    for path in folder.glob("*/*.jpg"):
        with suppress(OSError):
            stat = path.stat()
            found.append((stat.st_mtime, stat.st_size, path))
    total = sum(size for _, size, _ in found)
    if total <= limit_bytes:
        return
    for _, size, path in sorted(found, key=lambda entry: entry[0]):
        with suppress(OSError):
            path.unlink()
            total -= size
        if total <= limit_bytes * 0.8:
            return
