"""`main.py [PROJECT]` opens the window, and says in one line why it cannot."""

import os
import subprocess
import sys

import pytest

from annotator.cli import _is_project


def run(repository, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {
        key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    command = [sys.executable, "main.py", *arguments]
    return subprocess.run(command, cwd=repository, env=kept | environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a display")
@pytest.mark.parametrize("environment", [{}, {"DISPLAY": ":987"}])
def test_without_a_display_one_line_names_the_remedy(repository, tmp_path, environment):
    done = run(repository, str(tmp_path), CLIFF_ANNOTATOR_CONFIG=str(tmp_path / "config"), **environment)

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "display" in done.stderr
    assert "main.py --help" in done.stderr


def test_a_lone_argument_is_a_project_if_it_is_a_folder_or_a_path(tmp_path):
    commands = {"export": None, "import": None, "new": None}
    assert _is_project(str(tmp_path), commands)
    assert _is_project(str(tmp_path / "not_yet"), commands)
    assert not _is_project("export", commands)
    assert not _is_project("exprot", commands)
    assert not _is_project("holiday", commands)
    assert not _is_project("--help", commands)


def test_a_slip_in_a_command_is_wrong_usage(repository):
    done = run(repository, "exprot")
    assert done.returncode == 2
    assert "exprot" in done.stderr


def test_help_answers_without_qt(repository):
    done = run(repository, "--help")
    assert done.returncode == 0
    assert "main.py [PROJECT]" in " ".join(done.stdout.split())


_OPEN_AND_CLOSE = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from annotator.qt import main_window
from annotator.qt.app import run_window

class Closing(main_window.MainWindow):
    def begin(self, folder):
        super().begin(folder)
        QTimer.singleShot(int(sys.argv[2]), self.close)

main_window.MainWindow = Closing
code = run_window(Path(sys.argv[1]))
print(code, len(QApplication.allWidgets()))
"""


@pytest.mark.parametrize("after_ms", [0, 1500])
def test_a_closed_window_leaves_nothing_of_qt_to_the_end_of_the_interpreter(repository, tmp_path, after_ms):
    from annotator.project import create_project
    from cliff_core.resources import resource_path

    create_project(tmp_path / "project", resource_path("sample", "photos"))[0].close()
    environment = {**os.environ, "CLIFF_ANNOTATOR_CONFIG": str(tmp_path / "config"), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-X", "faulthandler", "-c", _OPEN_AND_CLOSE, str(tmp_path / "project"), str(after_ms)]
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split()) == (0, ["0", "0"]), done.stderr
