"""Where bundled files live: the open bodies, the open CLIFF weights, the detectors, the samples.

Every other module asks here and never builds such a path itself, so that a moved or missing file is reported once and
in one way.
"""

from __future__ import annotations

import os
from pathlib import Path

from cliff_core.errors import ResourceError

OVERRIDE_VARIABLE = "CLIFF_RESOURCES"


def resources_folder() -> Path:
    """The folder of bundled files: `resources/` beside the packages, or what `CLIFF_RESOURCES` names."""
    override = os.environ.get(OVERRIDE_VARIABLE)
    if override:
        return Path(override).expanduser()
    return Path(__file__).resolve().parent.parent / "resources"


def resource_path(*parts: str) -> Path:
    """Path of a bundled file or folder.

    Args:
        parts: names below `resources/`, for example `("detectors", "person.onnx")`.

    Returns:
        The absolute path of something that exists.

    Raises:
        ResourceError: nothing is there; the message names the file and the remedy.
    """
    folder = resources_folder()
    path = folder.joinpath(*parts)
    if path.exists():
        return path
    name = "/".join(parts) or "."
    if os.environ.get(OVERRIDE_VARIABLE):
        remedy = f"{OVERRIDE_VARIABLE} points to {folder}: correct it, or unset it to use the bundled files"
    else:
        remedy = "it comes with the program: restore it with `git checkout -- resources`, or clone again"
    raise ResourceError(f"resources/{name}: bundled file not found at {path}; {remedy}")
