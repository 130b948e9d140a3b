"""What several tests here are given."""

import numpy as np
import pytest

from annotator.project import create_project
from cliff_core.images import write_image


@pytest.fixture
def corners():
    """(48, 64, 3): red, green, blue and grey quarters, so that every turn and mirror image differs."""
    rgb = np.zeros((48, 64, 3), dtype=np.uint8)
    rgb[:24, :32], rgb[:24, 32:], rgb[24:, :32], rgb[24:, 32:] = (200, 20, 20), (20, 200, 20), (20, 20, 200), 128
    return rgb


@pytest.fixture
def project(tmp_path):
    """A project of two photos, open for writing."""
    for number in range(2):
        rgb = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        write_image(tmp_path / "photos" / f"photo{number}.png", rgb)
    opened, _ = create_project(tmp_path / "project", tmp_path / "photos")
    with opened:
        yield opened
