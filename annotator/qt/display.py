"""Whether a window can be shown at all, found out before Qt ends the program over it."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from cliff_core.errors import CliffError

_SHELL = "everything also works from the shell: main.py --help"


class DisplayError(CliffError):
    """No screen to show a window on, or a library missing that draws it."""


def require_display() -> None:
    """Nothing, where a window can be shown.

    Raises:
        DisplayError: says what is missing and what to do.
    """
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if os.environ.get("WAYLAND_DISPLAY"):
        return
    if not os.environ.get("DISPLAY"):
        raise DisplayError(
            "no display to open a window on: start it from a desktop session, over `ssh -X`, or under `xvfb-run`; "
            + _SHELL
        )
    _require_x_server()
    _require_libraries()


def _require_libraries() -> None:
    """Qt's plugin for X loads them; where one is missing, Qt's own words name another one."""
    import PySide6

    plugin = Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    if plugin.is_file():
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            missing = str(error).partition(":")[0]
            raise DisplayError(
                f"the window needs the library {missing}, which is not installed; on Debian and Ubuntu: apt install "
                "libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxkbcommon-x11-0 libegl1; " + _SHELL
            ) from error


def _require_x_server() -> None:
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    if not display:
        raise DisplayError(
            f"no display answers at DISPLAY={os.environ['DISPLAY']}: correct it, or start from a desktop session; "
            + _SHELL
        )
    x11.XCloseDisplay(display)
