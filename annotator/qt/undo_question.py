"""Asks before undo takes back what was done on many photos at once: a key pressed once too often must not do that."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from annotator.document import Document
from annotator.project.journal import Step
from annotator.qt.start_page import when
from annotator.qt.strings import tr


def ask_undo(window: QWidget, document: Document, step: Step) -> None:
    """Ask, once at a time; Return and Escape keep everything."""
    if window.findChild(QMessageBox, "undo_question") is not None:
        return
    box = QMessageBox(window)
    box.setObjectName("undo_question")
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle(tr("Undo"))
    box.setText(tr("Take “{what}” back on all its photos?", what=tr(step.label)))
    began = when(datetime.fromisoformat(step.begun).timestamp())
    box.setInformativeText(
        f"{step.who} · {began}\n\n" + tr("What a person set since stays. Redo brings the rest back.")
    )
    keep = box.addButton(tr("Keep it"), QMessageBox.ButtonRole.RejectRole)
    take = box.addButton(tr("Take it back"), QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    take.clicked.connect(lambda: document.revert(step.id))
    box.open()
