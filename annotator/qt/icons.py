"""Icons of one family: Phosphor (MIT), drawn in the theme's colours by qtawesome."""

from __future__ import annotations

import os

os.environ.setdefault("QT_API", "pyside6")  # read when qtawesome is imported

import qtawesome
from PySide6.QtGui import QIcon

from annotator.qt import theme


def icon(name: str, colour: str = "") -> QIcon:
    """An icon in the colours of the theme in use; to be made anew when the theme changes.

    Args:
        name: in Phosphor, such as "caret-left" or "check-circle-fill".
        colour: #RRGGBB instead of the text's colour.
    """
    roles = theme.current()
    chosen = colour or roles.text
    return qtawesome.icon(f"ph.{name}", color=chosen, color_disabled=roles.hairline)
