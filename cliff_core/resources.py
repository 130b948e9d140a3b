"""Where bundled files live: the open bodies, the open CLIFF weights, the detectors, the samples.

Every other module asks here and never builds such a path itself, so that a moved or missing file is reported once and
in one way. `resources/SHA256SUMS` says what each bundled file must be; after a change under `resources/`,
`python -m cliff_core.resources` writes it anew.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cliff_core.errors import ResourceError

OVERRIDE_VARIABLE = "CLIFF_RESOURCES"
CHECKSUMS_NAME = "SHA256SUMS"
_SOURCE_SUFFIXES = {".py", ".pyc", ".md", ".txt"}


@dataclass(frozen=True, slots=True)
class BundledFile:
    """One file under `resources/` and what an audit found.

    Attributes:
        name: path below `resources/`, with forward slashes.
        size_bytes: 0 if it is missing.
        state: "ok", "missing", "damaged" or "unlisted" (there, but not in the list of checksums).
    """

    name: str
    size_bytes: int
    state: str


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


def audit() -> list[BundledFile]:
    """Compare every bundled file with the list of checksums; sorted by name.

    Raises:
        ResourceError: the list itself is missing.
    """
    folder = resources_folder()
    lines = resource_path(CHECKSUMS_NAME).read_text(encoding="utf-8").splitlines()
    expected = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines if line.strip())}
    present = {_name(path): path for path in _files(folder)}
    found = [BundledFile(name, 0, "missing") for name in expected.keys() - present.keys()]
    for name, path in present.items():
        state = "unlisted" if name not in expected else "ok" if _digest(path) == expected[name] else "damaged"
        found.append(BundledFile(name, path.stat().st_size, state))
    return sorted(found, key=lambda file: file.name)


def write_checksums() -> Path:
    """List the bundled files as they are now, in the form that `sha256sum --check` reads."""
    folder = resources_folder()
    path = folder / CHECKSUMS_NAME
    lines = [f"{_digest(file)}  {_name(file)}\n" for file in sorted(_files(folder))]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return path


def _files(folder: Path) -> list[Path]:
    """Bundled data: neither the list itself, nor scripts and texts, nor what systems leave lying about."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.name != CHECKSUMS_NAME
        and path.suffix not in _SOURCE_SUFFIXES
        and not path.name.startswith(".")
    ]


def _name(path: Path) -> str:
    return path.relative_to(resources_folder()).as_posix()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    print(write_checksums())
