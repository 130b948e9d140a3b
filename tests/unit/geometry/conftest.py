"""The official code's outputs, and the photo that they were made from."""

from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "golden_geom.npz"


@pytest.fixture(scope="session")
def golden_geom():
    with np.load(GOLDEN) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="session")
def synthetic_photo():
    """photo(height, width): the formula picture of the golden data, (H, W, 3) uint8."""

    def photo(height, width):
        y, x, channel = np.mgrid[:height, :width, :3]
        return ((3 * x + 5 * y + 40 * channel + (x * y) // 16) % 256).astype(np.uint8)

    return photo
