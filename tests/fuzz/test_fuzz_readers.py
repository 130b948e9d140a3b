"""No file hurts: whatever is in it, every reader answers with a typed error or a correct import.

`fuzz_worker.py` says what is watched. A finding prints how to see it again.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from cliff_core.formats import FORMATS

WORKER = Path(__file__).with_name("fuzz_worker.py")
QUICK = 150  # damaged files of each format, beside those made by hand
MANY = 100_000  # of all formats together
AT_ONCE = 12_500
DEADLINE_SECONDS = 3600  # the worker ends files that hang itself; this ends a worker that cannot


def fuzz(folder: Path, seed: int, count: int) -> dict:
    """Run the worker; what became of all files."""
    command = [sys.executable, str(WORKER), str(folder), "--seed", str(seed), "--count", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    if done.returncode != 0:
        case = (folder / "current").read_text() if (folder / "current").exists() else "before the first file"
        pytest.fail(f"the worker ended at {case} of seed {seed} (exit code {done.returncode}):\n{done.stderr[-4000:]}")
    return json.loads((folder / "results.json").read_text())


def told(findings: list[dict], seed: int) -> str:
    """The findings as a person can follow them up."""
    lines = [
        f"{each['format']}:{each['number']} (python tests/fuzz/fuzz_worker.py FOLDER --seed {seed} --only "
        f"{each['format']}:{each['number']})\n{each['problem'][-1500:]}"
        for each in findings[:10]
    ]
    return f"{len(findings)} findings, the first of them:\n" + "\n\n".join(lines)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict:
    """What became of the quick files: one run of the worker for all formats."""
    return fuzz(tmp_path_factory.mktemp("fuzz") / "run", seed=0, count=QUICK)


@pytest.mark.parametrize("name", [*FORMATS, "video"])
def test_no_damaged_file_hurts(results, name):
    findings = [each for each in results["findings"] if each["format"] in (name, "any")]

    assert not findings, told(findings, 0)
    assert sum(results["counts"][name].values()) >= QUICK


@pytest.mark.parametrize("name", [*FORMATS, "video"])
def test_the_damage_is_neither_too_little_nor_too_much(results, name):
    """Some files are refused and some are read: both ways through a reader are tried."""
    assert min(results["counts"][name].values()) > 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says and limits a program's memory")
def test_no_damaged_file_takes_much_memory(results):
    before, peak = results["peak_mb"]

    assert peak - before < 400


@pytest.mark.slow
def test_a_hundred_thousand_damaged_files_do_not_hurt(tmp_path):
    count, findings = 0, []
    for seed in range(1, 1 + math.ceil(MANY / AT_ONCE)):
        result = fuzz(tmp_path / str(seed), seed, math.ceil(AT_ONCE / (len(FORMATS) + 1)))
        count += sum(sum(each.values()) for each in result["counts"].values())
        findings += [{**each, "number": f"{each['number']}, seed {seed}"} for each in result["findings"]]

    assert not findings, told(findings, 1)
    assert count >= MANY
