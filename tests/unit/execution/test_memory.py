"""The memory that a process says it took."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
CODE = """
import sys
from cliff_core.execution.memory import peak_memory_mb
before = peak_memory_mb()
block = bytearray(int(sys.argv[1]))
del block
print(before, peak_memory_mb())
"""


def test_the_peak_counts_what_was_freed_and_not_what_the_parent_holds():
    held = bytearray(b"x") * 300_000_000
    command = [sys.executable, "-c", CODE, "200000000"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    before, after = map(float, done.stdout.split())
    assert before < 150
    assert 190 < after - before < 230
    assert len(held) == 300_000_000
