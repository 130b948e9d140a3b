"""The shell's proof of CLIFF's ideas: a table and two pictures from one command."""

import json

from annotator.cli import main
from cliff_core.images import read_image

TINY = "--people 4 --heldout-people 4 --steps 1 --batch 4 --seeds 2 --workers 1".split()


def test_an_ablation_ends_with_a_table_and_two_pictures_and_costs_nothing_twice(tmp_path, capsys):
    assert main(["ablate", "--out", str(tmp_path), *TINY]) == 0
    said = capsys.readouterr().out
    for words in (
        "HMR (weak perspective)",
        "CLIFF without box input",
        "MPJPE, mm",
        "±",
        "change by the full-frame loss",
    ):
        assert words in said
    assert "| CLIFF |" in (tmp_path / "ablation.md").read_text("utf-8")
    for name in ("bars.png", "same_crop.png"):
        assert read_image(tmp_path / name).std() > 10

    weights = (tmp_path / "cliff-seed1.pt").stat().st_mtime_ns
    assert main(["ablate", "--out", str(tmp_path), *TINY, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["turn_deg"]["HMR (weak perspective)"] == {"mean": 0.0, "std": 0.0}
    assert report["people"]["all"] == 4
    assert (tmp_path / "cliff-seed1.pt").stat().st_mtime_ns == weights
