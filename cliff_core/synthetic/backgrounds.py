"""What stands behind synthetic people: crops of photos, if a folder is given, and procedural scenes."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np

from cliff_core.errors import ImageError
from cliff_core.images import find_images, read_image
from cliff_core.synthetic.scenes import scene

MAX_SIDE_PX = 960
"""Photos are kept at this size: a crop is a few hundred pixels wide."""

MAX_PHOTOS = 400
"""No more photos than this are used, so that a worker's memory stays below a gigabyte."""

_PHOTO_SHARE = 0.75
_HELD_OUT_EVERY = 5


class Backgrounds:
    """Backgrounds drawn at random from a folder of photos and from procedural scenes.

    Each photo is read once, when it is first wanted, and kept reduced. Files that are no readable pictures are passed
    over. Photos should show no people: they would be people without labels.

    Args:
        folder: photos, searched with its subfolders; `None` for procedural scenes only.
        heldout: use the fifth of the photos that is never used otherwise (by a checksum of the names, so that the
            split is the same on every machine), for measuring.

    Raises:
        ImageError: the folder is not there.
    """

    def __init__(self, folder: Path | None, heldout: bool):
        self._paths = [] if folder is None else _share_of(Path(folder), heldout)
        self._photos: dict[Path, np.ndarray | None] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def patch(self, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
        """(height, width, 3) uint8 RGB: a random part of a random photo, or a scene; the caller may write into it."""
        if self._paths and rng.random() < _PHOTO_SHARE:
            photo = self._photo(self._paths[rng.integers(len(self._paths))])
            if photo is not None:
                return _random_part(rng, photo, width, height)
        return scene(rng, width, height)

    def _photo(self, path):
        if path not in self._photos:
            try:
                self._photos[path] = _reduced(read_image(path))
            except ImageError:
                self._photos[path] = None  # one unreadable file must not end hours of rendering
        return self._photos[path]


def _share_of(folder, heldout):
    paths = sorted(find_images(folder), key=lambda path: zlib.crc32(path.relative_to(folder).as_posix().encode()))
    held_out = paths[::_HELD_OUT_EVERY] if len(paths) >= _HELD_OUT_EVERY else []
    chosen = held_out if heldout else [path for path in paths if path not in set(held_out)]
    return chosen[:MAX_PHOTOS]


def _reduced(photo):
    scale = MAX_SIDE_PX / max(photo.shape[:2])
    if scale >= 1:
        return photo
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def _random_part(rng, photo, width, height):
    available = min(photo.shape[1] / width, photo.shape[0] / height)  # photo pixels per patch pixel, at most
    step = available * np.exp(rng.uniform(np.log(0.3), 0))
    wide, tall = max(1, int(width * step)), max(1, int(height * step))
    x, y = rng.integers(photo.shape[1] - wide + 1), rng.integers(photo.shape[0] - tall + 1)
    part = photo[y : y + tall, x : x + wide]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    method = cv2.INTER_AREA if step > 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=method)
