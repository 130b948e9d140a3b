"""The second half of `main.py bench predict`: photos per second of the whole command, files and pictures included."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from annotator.console import Progress
from annotator.predict import predict_photos
from cliff_core.images import read_image, write_image
from cliff_core.resources import resource_path

_PHOTOS, _ROUNDS = 24, 2


@dataclass(frozen=True, slots=True)
class CommandSpeed:
    """The whole command, with detection and overlays, against itself with one photo after the other.

    Attributes:
        rate, one_by_one_rate: photos per second of the best round.
        cores_busy: on average, in that round.
    """

    rate: float
    one_by_one_rate: float
    cores_busy: float

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.rate:.2f} photos/s with {self.cores_busy:.1f} cores busy, "
            f"{self.rate / self.one_by_one_rate:.2f} times the {self.one_by_one_rate:.2f} of one photo after the other"
        )

    def values(self) -> dict[str, float]:
        """The numbers, by name with unit."""
        return {
            "photos_per_second": self.rate,
            "plain_photos_per_second": self.one_by_one_rate,
            "ratio": self.rate / self.one_by_one_rate,
            "cores_busy": self.cores_busy,
        }


def measure_command(seed: int, progress: Progress) -> CommandSpeed:
    """Measure `predict` on noisy photos of two megapixels, and the same with the cores left to the libraries."""
    with tempfile.TemporaryDirectory(prefix="cliff-bench-") as folder:
        photos, out = Path(folder, "photos"), Path(folder, "out")
        _make_photos(photos, seed)
        one_by_one, spread = [], []
        for number in range(_ROUNDS):
            progress(2 * number, 2 * _ROUNDS, "predict, photo by photo")
            one_by_one.append(_rate(photos, out, workers=1))
            progress(2 * number + 1, 2 * _ROUNDS, "predict, a handful of photos per core")
            spread.append(_rate(photos, out))
    rate, cores_busy = max(spread)
    return CommandSpeed(rate, max(one_by_one)[0], cores_busy)


def _rate(photos: Path, out: Path, workers: int | None = None) -> tuple[float, float]:
    """Photos per second and cores busy, once the models are loaded and the first photos are done."""
    moments = []

    def watch(done: int, total: int, text: str) -> None:
        if done:
            moments.append((done, time.perf_counter(), time.process_time()))

    predict_photos([photos], out, progress=watch, workers=workers)
    count, seconds, worked = np.subtract(moments[-1], moments[0])
    return float(count / seconds), float(worked / seconds)


def _make_photos(folder: Path, seed: int) -> None:
    """The bundled portrait in many sizes and places on noisy pictures of two megapixels."""
    portrait = read_image(resource_path("sample", "photos", "astronaut.jpg"))
    random = np.random.default_rng(seed)
    for number in range(_PHOTOS):
        photo = random.integers(90, 150, (1200, 1600, 3), dtype=np.uint8)
        side = int(random.integers(500, 1200))
        x, y = int(random.integers(0, 1600 - side)), int(random.integers(0, 1200 - side))
        photo[y : y + side, x : x + side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        write_image(folder / f"{number:02}.jpg", photo)
