"""What several tests here are given."""

import numpy as np
import pytest


@pytest.fixture
def corners():
    """(48, 64, 3): red, green, blue and grey quarters, so that every turn and mirror image differs."""
    rgb = np.zeros((48, 64, 3), dtype=np.uint8)
    rgb[:24, :32], rgb[:24, 32:], rgb[24:, :32], rgb[24:, 32:] = (200, 20, 20), (20, 200, 20), (20, 20, 200), 128
    return rgb
