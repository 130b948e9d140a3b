"""Starting the other processes of a crew before anything of torch is loaded here: they load it at the same time."""

from __future__ import annotations

from cliff_core.execution.companions import Companions


def start_crew(size: int, model: str | None, body: str | None) -> Companions:
    """The other processes of a crew (`training.crew`), which get ready at once.

    Args:
        size: of the crew, this process counted in.
        model, body: files that they load; `None`: the bundled ones.

    Raises:
        OSError: one cannot be started.
    """
    return Companions("cliff_core.training.crew", [model or "", body or ""], size - 1)
