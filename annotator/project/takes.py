"""Photos that belong together: frames of one take, told by their names, and folders."""

from __future__ import annotations

import re


def take_of(name: str) -> tuple[str, int]:
    """The take that a photo may belong to and its place there: its name without the last number, and that number."""
    stem = name.rpartition(".")[0] or name
    found = re.search(r"(\d+)(\D*)$", stem)
    if found is None:
        return name, 0
    return f"{stem[: found.start()]}#{found[2]}", int(found[1][-9:])


def folder_of(name: str) -> str:
    """The folder of a photo; empty for those at the top."""
    return name.rpartition("/")[0]
