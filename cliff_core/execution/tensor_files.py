"""Files of tensors: there when they are complete, and a full disk is said as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def save_tensors(content: Any, path: Path) -> None:
    """Write what `torch.load` with `weights_only` reads: tensors, numbers, texts, and what holds them.

    Raises:
        OSError: it cannot be written; torch by itself hides why behind a word about positions.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with unfinished.open("wb") as file:
            torch.save(content, file)
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:
        unfinished.unlink(missing_ok=True)
        reason = error if isinstance(error, OSError) else error.__context__
        if isinstance(reason, OSError):
            raise OSError(reason.errno, reason.strerror, str(path)) from error
        raise
