"""The house rules that no other tool holds: sizes, docstrings, paths, licences, what an import drags in."""

import ast
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from cliff_core.resources import audit, resources_folder

REPOSITORY = Path(__file__).resolve().parents[2]
AIM_LINES, WALL_LINES = 400, 600
RESOURCES_LIMIT_BYTES = 60_000_000
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".json", ".cfg", ".yml", ".yaml", ".sh", ""}

# Spelled in pieces, so that this file does not hold what it looks for.
HOME = re.compile(r"(?<![\w.~])/(?:root|work|home/(?!me/)[a-z_]\w*|Users/[A-Za-z]\w*)" + r"/|\b[A-Z]:\\" + r"Users\\")
REGISTRY = re.compile("--(?:extra-)?index" + "-url|PIP_INDEX" + r"_URL|https?://[^\s\"')]*/" + r"simple\b")


def tracked_files() -> list[Path]:
    """Files of the repository: what git knows, or all but hidden folders where there is no git."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [path for name in listed.stdout.split("\0") if name and (path := REPOSITORY / name).is_file()]
    return [
        path
        for path in REPOSITORY.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__")) for part in path.relative_to(REPOSITORY).parts)
    ]


def modules() -> list[Path]:
    """Python files of the program itself."""
    folders = ("annotator", "cliff_core")
    return [p for p in tracked_files() if p.suffix == ".py" and p.relative_to(REPOSITORY).parts[0] in folders]


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_no_module_passes_the_wall():
    lengths = {name(p): len(p.read_text("utf-8").splitlines()) for p in tracked_files() if p.suffix == ".py"}
    long = sorted(f"{file} {count}" for file, count in lengths.items() if count > AIM_LINES)
    if long:
        warnings.warn(f"modules beyond the aim of {AIM_LINES} lines: {', '.join(long)}", stacklevel=1)
    assert not [file for file, count in lengths.items() if count > WALL_LINES]


def test_everything_public_says_what_it_is_for():
    silent = []
    for path in modules():
        tree = ast.parse(path.read_text("utf-8"))
        if not ast.get_docstring(tree):
            silent.append(name(path))
        silent += [f"{name(path)}:{line} {label}" for line, label in undocumented(tree)]
    assert not silent


def undocumented(tree: ast.Module) -> list[tuple[int, str]]:
    """Public functions, classes and methods without a docstring: (line, name)."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = []
    for node in tree.body:
        if not isinstance(node, kinds) or node.name.startswith("_"):
            continue
        inner = node.body if isinstance(node, ast.ClassDef) else []
        methods = [entry for entry in inner if isinstance(entry, kinds) and not entry.name.startswith("_")]
        found += [(entry.lineno, entry.name) for entry in (node, *methods) if not ast.get_docstring(entry)]
    return found


def test_no_path_of_one_machine_and_no_registry_host():
    found = []
    for path in tracked_files():
        if path.suffix not in TEXT_SUFFIXES or path.stat().st_size > 2_000_000:
            continue
        lines = path.read_text("utf-8", errors="replace").splitlines()
        found += [f"{name(path)}:{n}" for n, line in enumerate(lines, 1) if HOME.search(line) or REGISTRY.search(line)]
    assert not found


def test_the_start_is_short():
    assert len((REPOSITORY / "main.py").read_text("utf-8").splitlines()) <= 30


def test_resources_stay_small_and_as_released():
    files = audit()
    assert files
    assert not [f"{file.name} {file.state}; `python -m cliff_core.resources`" for file in files if file.state != "ok"]
    assert (
        sum(path.stat().st_size for path in tracked_files() if resources_folder() in path.parents)
        < RESOURCES_LIMIT_BYTES
    )


def test_every_bundled_folder_has_its_licence():
    folders = {resources_folder() / file.name.partition("/")[0] for file in audit() if "/" in file.name}
    assert folders
    assert not [folder.name for folder in folders if not (folder / "LICENSE").is_file()]


@pytest.mark.parametrize("package", ["annotator.cli", "annotator.console", "annotator.doctor", "annotator.check"])
def test_the_shell_answers_without_loading_torch(package):
    assert imported_by(package).isdisjoint({"torch", "numba", "cv2", "onnxruntime", "smplx", "pyrender", "PySide6"})


@pytest.mark.parametrize(
    "package",
    [
        "cliff_core.records",
        "cliff_core.skeletons",
        "cliff_core.images",
        "cliff_core.body",
        "cliff_core.geometry",
        "cliff_core.geometry.camera",
        "cliff_core.geometry.crop",
        "cliff_core.geometry.rotations",
        "cliff_core.detection",
        "cliff_core.rendering",
        "cliff_core.formats",
    ],
)
def test_bodies_pictures_and_rendering_need_no_torch(package):
    assert imported_by(package).isdisjoint({"torch", "ray", "smplx", "pyrender", "PySide6", "pyqtgraph"})


@pytest.mark.parametrize("package", ["cliff_core.models", "cliff_core.training", "cliff_core.evaluation"])
def test_heavy_and_licensed_packages_load_only_where_asked_for(package):
    assert imported_by(package).isdisjoint({"smplx", "pyrender", "onnx", "skimage", "PySide6", "pyqtgraph"})


def imported_by(package: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after one import."""
    code = f"import {package}, sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
