"""What a project, a body file or a checkpoint is, or what is wrong with it.

The store and the readers of `cliff_core` do the looking and raise errors that name the remedy; here is only the choice
of the reader and the words for a file that is fine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from annotator.console import Progress
from annotator.project.integrity import ProjectCheck, check_project
from cliff_core.errors import BodyFileError

_BODY_SUFFIXES = {".pkl", ".npz"}
_CHECKPOINT_SUFFIXES = {".pt", ".pth", ".ckpt", ".tar"}


@dataclass(frozen=True, slots=True)
class FileCheck:
    """A file that can be used, and what it holds.

    Attributes:
        file: the path as given.
        kind: "body" or "checkpoint".
        facts: what it holds, by name.
    """

    file: Path
    kind: str
    facts: dict[str, str | int | list[str]]

    def __str__(self) -> str:
        """One line that says it is fine, then one per fact."""
        lines = [f"{self.file}: a {self.kind} that the program can use"]
        for name, value in self.facts.items():
            lines.append(f"  {name}: {', '.join(value) if isinstance(value, list) else value}")
        return "\n".join(lines)


def check_path(path: Path, *, photos: bool, progress: Progress) -> FileCheck | ProjectCheck:
    """Look at whatever is at a path.

    Args:
        path: a project's folder, a body file, or a checkpoint.
        photos: of a project, also compare every photo with its hash.
        progress: told what is being looked at.

    Raises:
        NotAProjectError, BodyFileError, CheckpointError: it cannot be used; the message says why and what to do.
    """
    if path.is_dir():
        return check_project(path, photos=photos, progress=progress)
    return check_file(path)


def check_file(path: Path) -> FileCheck:
    """Read a body file or a checkpoint as the program would.

    Raises:
        BodyFileError, CheckpointError: the file cannot be used; the message says why and what to do.
    """
    if not path.is_file():
        raise BodyFileError(f"{path}: no such file; give a project, a body (.pkl, .npz) or a CLIFF checkpoint (.pt)")
    suffix = path.suffix.lower()
    if suffix in _BODY_SUFFIXES:
        return _check_body(path)
    if suffix in _CHECKPOINT_SUFFIXES:
        return _check_checkpoint(path)
    raise BodyFileError(
        f"{path}: {suffix or 'a file without suffix'} is neither a body (.pkl, .npz) nor a CLIFF checkpoint (.pt)"
    )


def _check_body(path: Path) -> FileCheck:
    from cliff_core.body import load_body

    body = load_body(path)
    facts: dict[str, str | int | list[str]] = {
        "name": body.name,
        "gender": body.gender,
        "vertices": len(body.v_template),
        "faces": len(body.faces),
        "joint sets": sorted(body.regressors),
    }
    return FileCheck(path, "body", facts)


def _check_checkpoint(path: Path) -> FileCheck:
    from cliff_core.models import load_cliff

    model = load_cliff(path)
    crop = model.crop_spec
    facts: dict[str, str | int | list[str]] = {
        "name": model.name,
        "crop": f"{crop.width_px} x {crop.height_px} pixels",
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    return FileCheck(path, "checkpoint", facts)
