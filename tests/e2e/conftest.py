"""What several promises are tried on."""

import pytest
from PIL import Image

from cliff_core.resources import resource_path


@pytest.fixture(scope="session")
def portrait():
    """Somebody on a photo, upright and higher than wide."""
    with Image.open(resource_path("sample", "photos", "astronaut.jpg")) as image:
        return image.convert("RGB").crop((56, 0, 456, 512))
