"""Valid files to damage: a few random people on real small photos, written by every format's own writer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cliff_core.body import load_body
from cliff_core.errors import CliffError
from cliff_core.formats import FORMATS, write
from cliff_core.images import write_image
from cliff_core.records import Box, Camera, Estimate, Keypoints, PhotoPerson, Provenance, SmplParams
from cliff_core.skeletons import JOINT_SETS

NAMES = ("a.jpg", "street/b 1.png", "été/夏.jpg")
SIZE = (64, 48)


@dataclass(frozen=True)
class Seed:
    """A valid file or folder of one format, as names and bytes; a single file has the name ""."""

    format: str
    files: dict[str, bytes]


def make_photos(folder: Path) -> None:
    """The photos that the people are on."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        write_image(folder / name, rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8))


def random_person(rng: np.random.Generator, number: int) -> tuple[PhotoPerson, Estimate]:
    """A person with points of some joint set, and a body in front of the camera."""
    joint_set = sorted(JOINT_SETS)[int(rng.integers(len(JOINT_SETS)))]
    count = len(JOINT_SETS[joint_set])
    visibility = rng.integers(0, 3, count)
    visibility[: count // 2] = 2
    sources = tuple(rng.choice(list(Provenance), count))
    keypoints = Keypoints(joint_set, rng.uniform(1, 60, (count, 2)), visibility, rng.uniform(0.1, 1, count), sources)
    x, y = rng.uniform(0, 20, 2)
    box = Box(x, y, x + rng.uniform(9, 40), y + rng.uniform(9, 40))
    camera = Camera(80.0, SIZE, (30.5, 23.25)) if rng.integers(2) else Camera.guess(SIZE)
    extra = {"area": 7.5, "track": [1, 2]} if rng.integers(2) else {}
    person = PhotoPerson(NAMES[number % len(NAMES)], SIZE, box, keypoints, camera, 100 + number, extra)
    params = SmplParams(rng.normal(0, 0.3, (24, 3)), rng.normal(0, 1, 10), rng.normal([0, 0, 6], 0.2), "neutral")
    return person, Estimate(box, params, camera, np.array([0.9, 0.0, 0.1]), keypoints, "some model")


def make_seeds(folder: Path, photos: Path, seed: int, names: tuple[str, ...] = ()) -> list[Seed]:
    """Two or three files of each format: several people, one person, and one photo where a format is about one."""
    rng, body = np.random.default_rng(seed), load_body()
    seeds = []
    for name in names or tuple(FORMATS):
        written = 0
        for count, suffix in ((3, ""), (1, ".json"), (1, "")):
            pairs = [random_person(rng, number) for number in range(count)]
            if count == 1:
                pairs = [(pairs[0][0], pairs[0][1])]
            path = folder / f"{name}-{count}{suffix}"
            try:
                write(name, path, [p for p, _ in pairs], [e for _, e in pairs], body, photos=photos)
            except CliffError:  # a format of one photo refuses three
                continue
            seeds.append(Seed(name, _content(path)))
            written += 1
        assert written, f"{name} writes none of the seeds"
    return seeds


def make_videos(folder: Path) -> list[bytes]:
    """Two short videos, of the oldest and of a common container."""
    videos = []
    for name, codec in (("a.avi", "MJPG"), ("a.mp4", "mp4v")):
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter_fourcc(*codec), 10, SIZE)
        for number in range(10):
            writer.write(np.full((SIZE[1], SIZE[0], 3), 20 * number, dtype=np.uint8))
        writer.release()
        videos.append((folder / name).read_bytes())
    return videos


def _content(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def choose(rng: random.Random, seeds: list[Seed]) -> Seed:
    """One of the seeds."""
    return seeds[rng.randrange(len(seeds))]
