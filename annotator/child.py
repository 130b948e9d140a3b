"""How the program starts itself as a child process: the same Python, the same packages, wherever it was started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PACKAGES = Path(__file__).resolve().parent.parent


def child_command(*arguments: str) -> list[str]:
    """The command line of one of the program's commands."""
    # -P: what lies in the working folder is never taken for a module
    return [sys.executable, "-P", "-m", "annotator.cli", *arguments]


def child_environment() -> dict[str, str]:
    """This process's environment, in which a child finds the packages."""
    paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
