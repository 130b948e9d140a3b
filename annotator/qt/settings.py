"""What the program remembers between sessions: one small JSON file in the person's configuration folder."""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from annotator.project.filesystem import write_whole

FOLDER_VARIABLE = "CLIFF_ANNOTATOR_CONFIG"
_RECENT = 12


def settings_folder() -> Path:
    """Where the settings of this person are, on this system; `CLIFF_ANNOTATOR_CONFIG` names another place."""
    override = os.environ.get(FOLDER_VARIABLE)
    if override:
        return Path(override).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "CLIFF Annotator"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "CLIFF Annotator"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "cliff-annotator"


@dataclass(frozen=True, slots=True)
class Recent:
    """A project that was open not long ago.

    Attributes:
        folder: of the project.
        name: for people.
        opened: when it was last open, seconds since 1970.
        photos, people, done: counts at that time.
        picture: of the photo that was open; may be gone.
    """

    folder: str
    name: str
    opened: float
    photos: int = 0
    people: int = 0
    done: int = 0
    picture: str = ""


class Settings:
    """Values by name, kept in `settings.json`; written by a thread of its own, so that no slow disk holds the window.

    A file that cannot be read is put aside and said in `notice`; the program starts as if it were new.

    Args:
        folder: of the files; the person's configuration folder if not given.
    """

    def __init__(self, folder: Path | None = None):
        self.folder = settings_folder() if folder is None else folder
        self.notice = ""
        self._writer = ThreadPoolExecutor(1, "settings")
        self._values = self.read("settings.json")

    def get(self, name: str, default: Any = None) -> Any:
        """A value, or the default where nothing, or something of another type, was remembered."""
        value = self._values.get(name, default)
        return value if default is None or isinstance(value, type(default)) else default

    def set(self, name: str, value: Any) -> None:
        """Remember a plain JSON value."""
        if self._values.get(name) != value:
            self._values[name] = value
            self.write("settings.json", self._values)

    @property
    def recent(self) -> list[Recent]:
        """Projects that were open, the latest first."""
        found = []
        for entry in self.get("recent", []):
            with suppress(TypeError):
                found.append(Recent(**entry))
        return found

    def remember_project(self, project: Recent) -> None:
        """Put a project first in the list."""
        others = [entry for entry in self.recent if entry.folder != project.folder]
        self.set("recent", [asdict(entry) for entry in [project, *others][:_RECENT]])

    def forget_project(self, folder: str) -> None:
        """Take a project off the list; the project itself stays as it is."""
        self.set("recent", [asdict(entry) for entry in self.recent if entry.folder != folder])

    def read(self, name: str) -> dict[str, Any]:
        """A JSON object of the folder; empty if there is none."""
        path = self.folder / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError("not an object")
            return content
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            aside = path.with_name(f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{name}")
            with suppress(OSError):
                path.replace(aside)
            self.notice = f"{path}: cannot be read ({error}); kept as {aside.name}, the usual settings are used"
            return {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON object into the folder, soon."""
        text = (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
        self._writer.submit(self._write, self.folder / name, text)

    def close(self) -> None:
        """Wait until everything is written."""
        self._writer.shutdown(wait=True)

    def _write(self, path: Path, text: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
        except OSError as error:  # the person's work does not depend on it
            self.notice = f"{path}: cannot be written ({error.strerror}); settings of this session will be forgotten"
