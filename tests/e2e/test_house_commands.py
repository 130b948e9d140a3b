"""What a shell may rely on: exit codes, one clear line on stderr, one JSON object on stdout."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run(*arguments, cwd=REPOSITORY):
    """One real `python main.py ...`, as a shell starts it."""
    command = [sys.executable, str(REPOSITORY / "main.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=180, check=False)


def test_help_lists_the_commands():
    done = run("--help")
    assert done.returncode == 0
    for command in ("demo", "predict", "pretrain", "check", "bench", "doctor"):
        assert command in done.stdout
    assert not done.stderr


@pytest.mark.parametrize("command", ["demo", "predict", "pretrain", "check", "bench", "doctor"])
def test_every_command_explains_itself(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("predict",),
        ("predict", "photo.jpg"),
        ("doctor", "--no-such-option"),
        ("check",),
        ("demo", "--photos", "."),
    ],
)
def test_wrong_usage_exits_with_2_and_says_where_help_is(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "--help" in line


@pytest.mark.parametrize("file", ["nowhere.npz", "nowhere.pt"])
def test_an_unknown_file_is_one_line_and_exit_1(tmp_path, file):
    done = run("check", tmp_path / file)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert file in line


@pytest.mark.skipif(sys.platform != "linux", reason="names are always text elsewhere")
@pytest.mark.parametrize("name", [os.fsdecode(b"bad\xff"), "n" * 300])
def test_a_name_that_cannot_be_is_one_line_and_exit_1(tmp_path, name):
    done = run("new", tmp_path / name)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert ascii(name)[1:-1] in line
    assert "fault of the program" not in line


def test_json_holds_the_error_too(tmp_path):
    done = run("check", tmp_path / "körper.npz", "--json")
    assert done.returncode == 1
    assert "körper.npz" in json.loads(done.stdout)["error"]


def test_debug_shows_where_an_error_arose(tmp_path):
    assert "Traceback" in run("check", tmp_path / "nowhere.npz", "--debug").stderr
    assert "Traceback" not in run("check", tmp_path / "nowhere.npz").stderr


def test_check_says_what_a_body_is():
    done = run("check", REPOSITORY / "resources" / "bodies" / "open_female.npz", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["kind"], report["facts"]["gender"]) == (0, "body", "female")
    assert report["facts"]["vertices"] == 6890


@pytest.mark.parametrize("file", ["fake.pt", "fake.npz", "fake.pkl"])
def test_check_refuses_what_is_none_in_one_line(tmp_path, file):
    (tmp_path / file).write_text("neither numbers nor weights")
    done = run("check", tmp_path / file)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert file in line


def test_the_doctor_finds_everything_that_is_bundled(tmp_path):
    done = run("doctor", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == 0, [finding for finding in report["findings"] if finding["state"] == "problem"]
    assert report["healthy"] is True
    found = {finding["name"]: finding for finding in report["findings"]}
    assert found["torch"]["state"] == "ok"
    assert any(name.startswith("detectors/") for name in found)


def test_the_doctor_names_a_damaged_file_and_the_remedy(tmp_path):
    (tmp_path / "SHA256SUMS").write_text("0" * 64 + "  weights.bin\n" + "0" * 64 + "  gone.bin\n")
    (tmp_path / "weights.bin").write_bytes(b"not what was released")
    command = [sys.executable, str(REPOSITORY / "main.py"), "doctor", "--json"]
    environment = {**os.environ, "CLIFF_RESOURCES": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180, check=False)
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert findings["weights.bin"]["text"] == "damaged"
    assert findings["gone.bin"]["text"] == "missing"
    assert "git checkout" in findings["gone.bin"]["remedy"]


def test_the_doctor_lists_the_models_that_a_person_brought(tmp_path):
    (tmp_path / "smpl").mkdir()
    (tmp_path / "smpl" / "SMPL_NEUTRAL.pkl").write_bytes(b"not opened by the doctor")
    environment = {**os.environ, "CLIFF_BODY_DIR": str(tmp_path)}
    command = [sys.executable, str(REPOSITORY / "main.py"), "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180, check=False)
    names = [finding["name"] for finding in json.loads(done.stdout)["findings"]]
    assert "smpl/SMPL_NEUTRAL.pkl" in names


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to whole consoles, not to one process")
def test_ctrl_c_ends_with_130_and_one_line():
    command = [sys.executable, "-c", _WAITS]
    child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert len(errors.splitlines()) == 1
    assert "interrupted" in errors


# A command that works until it is interrupted, inside the real dispatch.
_WAITS = """
import sys, time
from annotator import cli

@cli.app.command()
def wait():
    print("ready", flush=True)
    time.sleep(60)

sys.exit(cli.main(["wait"]))
"""
