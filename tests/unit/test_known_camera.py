"""The camera that a picture's own notes tell."""

import numpy as np
import pytest
from PIL import Image

from cliff_core.images import known_camera


@pytest.mark.parametrize(
    ("notes", "focal_px"),
    [
        ({0xA405: 28}, 28 / np.hypot(36, 24) * 80),
        ({0xA405: 28, 0xA002: 6400, 0xA003: 4800}, 28 / np.hypot(36, 24) * 80),
        ({0xA405: 28, 0xA002: 6400, 0xA003: 6400}, None),  # cropped since: the angle of view is another one
        ({0xA405: 0}, None),
        ({}, None),
    ],
)
def test_a_photo_tells_its_camera_where_it_knows_it(tmp_path, notes, focal_px):
    exif = Image.Exif()
    exif.get_ifd(0x8769).update(notes)
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.jpg", exif=exif)
    camera = known_camera(tmp_path / "photo.jpg")
    assert (None if camera is None else camera.focal_length_px) == (focal_px and pytest.approx(focal_px))
