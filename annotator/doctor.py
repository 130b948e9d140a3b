"""What is installed, what is missing, which models and bodies are found, and what to do about it.

Torch and the still renderer are tried in processes of their own: a broken driver or a wheel for another processor
ends those, not the report.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cliff_core.errors import ResourceError
from cliff_core.resources import audit

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
MODELS_VARIABLE = "CLIFF_BODY_DIR"

State = Literal["ok", "note", "problem"]

_PROBE_TORCH = """
import torch
gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
print(gpu, torch.get_num_threads(), sep="|")
"""
_PROBE_STILLS = """
import numpy as np
from cliff_core.rendering.stills import render_still
triangle = np.array([[0.0, 0.0, 2.0], [1.0, 0.0, 2.0], [0.0, 1.0, 2.0]])
still = render_still(triangle, np.array([[0, 1, 2]]), size_px=(32, 48))
print("an OpenGL driver draws them" if np.ptp(still) > 0 else "an OpenGL driver is there, but draws nothing")
"""
_PROBE_SECONDS = 120
_REINSTALL = "install the tested set again: `make setup`, or the pip lines in README.md"
_NO_GRAPHICS = (
    "only presentation stills need it; on Debian or Ubuntu: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: heading under which it is reported.
        name: what was looked at.
        state: "ok", "note" (works, but worth knowing) or "problem" (something will fail).
        text: what was found.
        remedy: what to do; empty if nothing needs doing.
    """

    topic: str
    name: str
    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings, in the order in which they are told.

    Attributes:
        healthy: no finding is a problem.
        findings: one entry per thing that was looked at.
    """

    healthy: bool
    findings: list[Finding]

    def __str__(self) -> str:
        """Topics with one line per finding, then what to do."""
        lines = []
        width = max(len(finding.name) for finding in self.findings)
        topic = ""
        for finding in self.findings:
            if finding.topic != topic:
                topic = finding.topic
                lines += ["", topic]
            lines.append(f"  {finding.state:<7}  {finding.name:<{width}}  {finding.text}")
        remedies = [finding for finding in self.findings if finding.remedy]
        if remedies:
            lines += ["", "What to do"]
            lines += [f"  {finding.name}: {finding.remedy}" for finding in remedies]
        lines += ["", "Everything that the program needs is there." if self.healthy else "Something is missing."]
        return "\n".join(lines[1:])


def examine() -> Examination:
    """Look at the interpreter, the packages, the processor, the bundled files and the user's own models."""
    findings = [*_system(), *_packages(), *_torch(), *_stills(), *_bundled(), *_own_models()]
    return Examination(all(finding.state != "problem" for finding in findings), findings)


def _system() -> Iterator[Finding]:
    yield Finding("System", "Python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("System", "processor", "ok", f"{platform.machine()}, {os.cpu_count()} cores")


def _packages() -> Iterator[Finding]:
    """Declared run-time packages against the tested set; silent about the ones that are exactly as tested."""
    tested = _tested_versions()
    same = 0
    for name in _declared_packages():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding("Packages", name, "problem", "not installed", _REINSTALL)
            continue
        if installed.split("+")[0] == tested.get(_normal(name), installed):
            same += 1
        else:
            text = f"{installed}; tested with {tested[_normal(name)]}"
            yield Finding("Packages", name, "note", text, f"if it misbehaves, {_REINSTALL}")
    yield Finding("Packages", "tested set", "ok", f"{same} packages are as tested")
    if any(_normal(entry.name) == "opencv-python" for entry in importlib.metadata.distributions()):
        remedy = "pip uninstall opencv-python, then pip install --force-reinstall opencv-python-headless"
        yield Finding("Packages", "opencv-python", "note", "brings a second Qt that disturbs the window's", remedy)


def _declared_packages() -> list[str]:
    content = tomllib.loads((PROJECT_FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
    names = (re.match(r"[\w.-]+", entry) for entry in content["project"]["dependencies"])
    return [name.group() for name in names if name]


def _tested_versions() -> dict[str, str]:
    lines = (PROJECT_FOLDER / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {
        _normal(name): version for name, separator, version in (line.partition("==") for line in lines) if separator
    }


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _torch() -> Iterator[Finding]:
    answer, problem = _ask(_PROBE_TORCH)
    if problem:
        yield Finding("Computing", "torch", "problem", problem, _REINSTALL)
        return
    gpu, threads = answer.split("|")
    yield Finding("Computing", "torch", "ok", f"computes with {threads} threads")
    yield Finding("Computing", "GPU", "ok", gpu or "none that torch can use; everything runs on the processor")


def _stills() -> Iterator[Finding]:
    answer, problem = _ask(_PROBE_STILLS)
    if problem:
        yield Finding("Computing", "stills", "note", problem, _NO_GRAPHICS)
    else:
        yield Finding("Computing", "stills", "ok", answer)


def _ask(code: str) -> tuple[str, str]:
    """Last line that a child interpreter prints, or else what went wrong with it."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_SECONDS,
            cwd=PROJECT_FOLDER,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer in {_PROBE_SECONDS} seconds"
    if child.returncode == 0 and child.stdout.strip():
        return child.stdout.strip().splitlines()[-1], ""
    said = child.stderr.strip().splitlines()
    return "", said[-1] if said else f"ended with exit code {child.returncode} and said nothing"


def _bundled() -> Iterator[Finding]:
    """Files under `resources/`, each against its checksum."""
    restore = "restore it with `git checkout -- resources`, or clone again"
    try:
        files = audit()
    except ResourceError as missing:
        yield Finding("Bundled models and bodies", "checksums", "problem", str(missing), restore)
        return
    for file in files:
        if file.state == "ok":
            size = f"{file.size_bytes / 1e6:.1f} MB, checksum as released"
            yield Finding("Bundled models and bodies", file.name, "ok", size)
        elif file.state == "unlisted":
            remedy = "if it is meant to be there, `python -m cliff_core.resources` lists it"
            yield Finding("Bundled models and bodies", file.name, "note", "not in the list of checksums", remedy)
        else:
            yield Finding("Bundled models and bodies", file.name, "problem", file.state, restore)


def _own_models() -> Iterator[Finding]:
    """Licensed files that people bring: looked for by suffix, not opened (`check` opens them)."""
    topic = "Your own models and bodies"
    named = os.environ.get(MODELS_VARIABLE)
    folder = Path(named).expanduser() if named else PROJECT_FOLDER / "models"
    if not folder.is_dir():
        if named:
            yield Finding(topic, MODELS_VARIABLE, "note", f"no folder {folder}", "correct it or unset it")
        else:
            text = "none, and none needed: the open body and the open CLIFF are bundled"
            yield Finding(topic, "models folder", "ok", text)
        return
    wanted = {".pkl": "body", ".npz": "body", ".pt": "checkpoint", ".pth": "checkpoint"}
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in wanted and path.is_file())
    for path in found:
        size = f"{wanted[path.suffix.lower()]}, {path.stat().st_size / 1e6:.1f} MB"
        yield Finding(topic, path.relative_to(folder).as_posix(), "ok", f"{size}; `main.py check` reads it")
    if not found:
        remedy = "put SMPL files (.pkl, .npz) and CLIFF checkpoints (.pt) there, or leave it"
        yield Finding(topic, str(folder), "note", "holds no body and no checkpoint", remedy)
