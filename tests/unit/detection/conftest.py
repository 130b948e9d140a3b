"""The portrait on which the detectors are tested, and what a person marked on it."""

import numpy as np
import pytest

from cliff_core.images import read_image
from cliff_core.records import Box
from cliff_core.resources import resource_path


@pytest.fixture(scope="session")
def portrait():
    """(512, 512, 3) the astronaut of the sample: one person, half length, facing the camera."""
    rgb = read_image(resource_path("sample", "photos", "astronaut.jpg"))
    rgb.flags.writeable = False
    return rgb


@pytest.fixture
def portrait_box():
    """Where the person is, marked by hand."""
    return Box(19, 15, 366, 512)


@pytest.fixture
def portrait_points():
    """Points marked by hand, in pixels; `left_` is the astronaut's left, on the right of the picture."""
    return {
        "nose": (223, 128),
        "left_eye": (248, 104),
        "right_eye": (202, 103),
        "left_shoulder": (328, 265),
        "right_shoulder": (92, 255),
    }


@pytest.fixture
def turn():
    """Turn points as `np.rot90` turns their photo, counter-clockwise."""

    def turn_points(points, quarter_turns, size):
        points, (width, height) = np.asarray(points, dtype=float), size
        for _ in range(quarter_turns % 4):
            points = np.column_stack([points[:, 1], width - points[:, 0]])
            width, height = height, width
        return points

    return turn_points
