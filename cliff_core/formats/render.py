"""Presentation renders: one picture per person, the body from the front and from the side on a floor. Not read.

Drawn by `rendering.stills` through OpenGL, which needs a driver (on Linux EGL, without a screen), and imported when the
first picture is asked for. Overlays need neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from cliff_core.body import Body
from cliff_core.formats.folders import person_paths
from cliff_core.formats.subjects import each, subjects
from cliff_core.images import write_image
from cliff_core.records import Estimate, PhotoPerson

_SUFFIX = ".png"
_SUFFIXES = (_SUFFIX, ".jpg", ".jpeg", ".webp")
_KIND = "a render"


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None,
) -> None:
    """Write one picture per person.

    Args:
        path: a folder; or a path that ends as pictures do, for a single person.
        people: who, and on which photo; each has the colour that overlays give them.
        estimates: the body of each person.
        body: the body model that poses it, or one per gender.

    Raises:
        FormatError: people without bodies, several people for one picture, and what `subjects` refuses.
        ImageError: a picture that cannot be written.
        ResourceError: pyrender or an OpenGL driver is missing.
    """
    ready = subjects(path, people, estimates, body, _KIND)
    if not ready:
        return
    from cliff_core.rendering.stills import front_and_side
    from cliff_core.rendering.theme import person_colour

    numbers: Counter[str] = Counter()  # of the people so far on each photo
    for subject, place in zip(each(ready), person_paths(path, ready, _SUFFIX, _KIND, _SUFFIXES), strict=True):
        assert subject.body is not None
        colour = person_colour(numbers[subject.person.image_name])
        numbers[subject.person.image_name] += 1
        write_image(place, front_and_side(subject.vertices_cam, subject.body.faces, colour=colour))
