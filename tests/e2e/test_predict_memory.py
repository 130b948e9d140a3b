"""`predict` in the memory of a small machine: neither many photos nor a huge one take more of it."""

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from annotator.cli import main
from annotator.predict import predict_photos
from cliff_core.images import read_image

REPOSITORY = Path(__file__).resolve().parents[2]


def kept_mb(photos, out):
    """What Python and NumPy hold when the last photo is done and nothing is at work any more."""
    held = []
    tracemalloc.start()  # exact, where the memory of the process also counts what its allocators keep in store
    try:
        predict_photos([photos], out, progress=lambda *_: held.append(tracemalloc.get_traced_memory()[0]))
    finally:
        tracemalloc.stop()
    return held[-1] / 2**20


def test_memory_does_not_grow_with_the_number_of_photos(tmp_path, portrait):
    large = portrait.resize((2400, 3072))
    for name, count in (("few", 2), ("many", 10)):
        (tmp_path / name).mkdir()
        for number in range(count):
            large.save(tmp_path / name / f"{number:02}.jpg")
    few = kept_mb(tmp_path / "few", tmp_path / "out")
    # Eight photos more, 21 MB each: kept, they would be 169 MB.
    assert kept_mb(tmp_path / "many", tmp_path / "out") - few < 20


def peak_rss_mb(photos, out):
    """What one run of the command took from the system at most."""
    script = (
        "import resource, sys; from annotator.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", script, "predict", str(photos), "--out", str(out)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1]) / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such counter in the standard library")
def test_four_times_the_photos_take_no_more_memory_from_the_system(tmp_path, portrait):
    large = portrait.resize((1600, 2048))
    for name, count in (("few", 30), ("many", 120)):
        (tmp_path / name).mkdir()
        for number in range(count):
            large.save(tmp_path / name / f"{number:03}.jpg")
    growth = peak_rss_mb(tmp_path / "many", tmp_path / "out") - peak_rss_mb(tmp_path / "few", tmp_path / "out")
    # 90 more photos of 9.4 MB would be 844 MB; runs over the same photos differ by some 30 MB.
    assert growth < 200


@pytest.mark.slow
def test_a_photo_of_a_hundred_megapixels_is_a_photo_like_any_other(tmp_path, portrait, capsys):
    portrait.resize((8900, 11392)).save(tmp_path / "poster.jpg", quality=80)
    assert main(["predict", str(tmp_path / "poster.jpg"), "--out", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["people"] >= 1
    with np.load(tmp_path / "out" / "predictions.npz", allow_pickle=False) as arrays:
        assert arrays["image_size"][0].tolist() == [8900, 11392]
    assert read_image(tmp_path / "out" / "overlays" / "poster.jpg").shape[0] <= 2000
