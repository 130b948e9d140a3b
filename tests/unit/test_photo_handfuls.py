"""Photos are dealt to workers in handfuls: small ones together, large ones alone, few ones to everybody."""

import numpy as np
import pytest

from annotator.photo_set import gather_photos
from annotator.predict import photo_handfuls
from cliff_core.images import write_image


@pytest.fixture
def folder(tmp_path):
    """Forty small photos, of which the third is none, and one of nine megapixels in the middle."""
    for number in range(40):
        write_image(tmp_path / "photos" / f"{number:02}.png", np.zeros((20, 30, 3), dtype=np.uint8))
    (tmp_path / "photos" / "02.png").write_bytes(b"no picture")
    write_image(tmp_path / "photos" / "20.png", np.zeros((3000, 3000, 3), dtype=np.uint8))
    return tmp_path


def test_every_photo_is_in_one_handful_and_a_large_one_is_alone(folder):
    photos = gather_photos([folder / "photos"], folder / "out")
    handfuls = list(photo_handfuls(photos, workers=1))
    assert [name for handful in handfuls for name in handful] == list(photos.files)
    assert ["20.png"] in handfuls
    assert max(map(len, handfuls)) == 8


def test_few_photos_are_dealt_so_that_every_worker_gets_some(folder):
    photos = gather_photos([folder / "photos"], folder / "out")
    assert max(map(len, photo_handfuls(photos, workers=4))) == 2
    assert max(map(len, photo_handfuls(photos, workers=20))) == 1
