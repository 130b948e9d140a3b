"""Files of tensors: whole or not there, and a full disk is said as one."""

import errno
import subprocess
import sys

import pytest
import torch

from cliff_core.execution.tensor_files import save_tensors

_UNDER_A_QUOTA = """
import resource, signal, sys
from pathlib import Path
import torch
from cliff_core.execution.tensor_files import save_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_tensors({"weights": torch.ones(100_000)}, Path(sys.argv[1]))
except OSError as error:
    print(error.errno, error.filename)
"""


def test_what_was_saved_is_read_and_nothing_else_is_left(tmp_path):
    save_tensors({"weights": torch.arange(3), "name": "small"}, tmp_path / "one.pt")
    read = torch.load(tmp_path / "one.pt", weights_only=True)
    assert torch.equal(read["weights"], torch.arange(3))
    assert read["name"] == "small"
    assert [path.name for path in tmp_path.iterdir()] == ["one.pt"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as a full disk would")
def test_a_full_disk_is_said_as_one_and_what_was_there_stays(tmp_path):
    path = tmp_path / "one.pt"
    save_tensors({"weights": torch.zeros(3)}, path)
    said = subprocess.run([sys.executable, "-c", _UNDER_A_QUOTA, str(path)], capture_output=True, text=True, check=True)
    assert said.stdout.split() == [str(errno.EFBIG), str(path)]
    assert torch.equal(torch.load(path, weights_only=True)["weights"], torch.zeros(3))
    assert [found.name for found in tmp_path.iterdir()] == ["one.pt"]


def test_what_cannot_be_saved_is_the_callers_mistake(tmp_path):
    with pytest.raises(Exception, match="pickle"):
        save_tensors({"function": lambda: None}, tmp_path / "one.pt")
