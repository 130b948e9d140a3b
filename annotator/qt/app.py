"""Starts the window: one application, one window, whatever goes wrong told once."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.qt.display import require_display

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


def run_window(project: Path | None = None) -> int:
    """Show the window until it is closed.

    Args:
        project: to open, or to make where there is none; the one that was open last if not given.

    Returns:
        The exit code.

    Raises:
        DisplayError: there is no screen.
    """
    require_display()
    from PySide6.QtWidgets import QApplication

    from annotator.qt import theme
    from annotator.qt.main_window import MainWindow, catch_everything
    from annotator.qt.settings import Settings
    from annotator.qt.strings import load_catalogue

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("CLIFF Annotator")
    app.setDesktopFileName("cliff-annotator")
    settings = Settings()
    catalogue = load_catalogue(settings.get("language", ""))
    if catalogue is not None:
        app.installTranslator(catalogue)
    theme.apply_theme(app, settings.get("theme", "dark"))
    window = MainWindow(settings)
    before = catch_everything(window)
    window.show()
    window.begin(project)
    try:
        return app.exec()
    finally:
        sys.excepthook = before
        dismiss(window)


def dismiss(*windows: QWidget) -> None:
    """Destroy windows with all that is in them, while Qt and Python are whole.

    Left to the end of the interpreter, hundreds of objects that are half Qt's and half Python's would go in the order
    of their addresses, which once in a while crashes.
    """
    from PySide6.QtCore import QCoreApplication, QEvent

    for window in windows:
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
