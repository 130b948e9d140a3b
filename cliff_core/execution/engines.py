"""The engines that a refinement may run on; the names alone, so that a shell can offer them without loading one."""

from __future__ import annotations

from enum import StrEnum


class Engine(StrEnum):
    """Who does the work of a refinement: processes of this machine, or a cluster."""

    LOCAL = "local"
    RAY = "ray"
