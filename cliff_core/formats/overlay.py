"""Overlays: one picture per photo with the bodies laid over it in the full frame's perspective. Written, not read.

Pictures are reduced to `LONGEST_SIDE_PX` at most. Nearer people hide farther ones; each has a colour of its own, in the
order in which they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.formats.folders import photo_paths
from cliff_core.formats.subjects import Subject, check_photo, per_photo, subjects
from cliff_core.images import read_image, write_image
from cliff_core.records import Estimate, PhotoPerson

_SUFFIX = ".jpg"
_SUFFIXES = (_SUFFIX, ".jpeg", ".png", ".webp")
_KIND = "an overlay"


def write(
    path: Path,
    people: Sequence[PhotoPerson],
    estimates: Sequence[Estimate | None] | None,
    body: Body | Mapping[str, Body] | None,
    photos: Path | None = None,
) -> None:
    """Write one picture per photo.

    Args:
        path: a folder; or a path that ends as pictures do, where all people are on one photo.
        people: who, and on which photo.
        estimates: the body of each person.
        body: the body model that poses it, or one per gender.
        photos: folder that the people's `image_name` is relative to.

    Raises:
        FormatError: no photos, a photo of another size than its people's, an overlay that would replace a photo, people
            without bodies, several photos for one picture, and what `subjects` refuses.
        ImageError: a photo that cannot be read, or a picture that cannot be written.
    """
    grouped = per_photo(subjects(path, people, estimates, body, _KIND))
    if not grouped:
        return
    if photos is None:
        raise FormatError(f"{path}: overlays are drawn on the photos; name their folder")
    places = photo_paths(path, list(grouped), _SUFFIX, _KIND, _SUFFIXES)
    sources = {(photos / name).resolve() for name in grouped}
    for place in places.values():
        if place.resolve() in sources:
            raise FormatError(f"{place}: is one of the photos, and an overlay would replace it; choose another folder")
    for name, place in places.items():
        write_image(place, _picture(photos / name, grouped[name]))
        for subject in grouped[name]:
            subject.let_go()


def _picture(photo: Path, group: Sequence[Subject]) -> np.ndarray:
    """(h, w, 3) uint8."""
    from cliff_core.rendering.overlay import draw_overlay, person_colour

    rgb = read_image(photo)
    check_photo(group[0], (rgb.shape[1], rgb.shape[0]))
    models = [subject.body for subject in group if subject.body is not None]
    if any(not np.array_equal(model.faces, models[0].faces) for model in models):
        raise FormatError(f"{group[0].where} and others of its photo have body models with different triangles")
    bodies = [(subject.vertices_cam, person_colour(number)) for number, subject in enumerate(group)]
    return draw_overlay(rgb, bodies, models[0].faces, group[0].camera)
