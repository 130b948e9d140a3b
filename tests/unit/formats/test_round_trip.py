"""Every format of bodies brings them back as they were: three genders, off the middle, with a principal point."""

import numpy as np
import pytest

from cliff_core.errors import FormatError
from cliff_core.formats import FORMATS, read, write

OF_BODIES = (
    "coco",
    "coco-wholebody",
    "halpe",
    "cliff-gt",
    "spin",
    "4d-humans",
    "4d-humans-tar",
    "humandata",
    "bedlam",
    "eft",
    "3dpw",
    "amass",
)
SUFFIXES = {"3dpw": ".pkl", "amass": ".npz"}  # formats of many files: the suffix that means a single one
OF_ONE_PERSON = {"amass"}
NEUTRAL_ALONE = {"spin"}
WITHOUT_BODIES_TOO = {"coco", "coco-wholebody", "halpe"}


@pytest.fixture(params=OF_BODIES)
def name(request):
    return request.param


@pytest.fixture(params=["neutral", "male", "female", "mixed"])
def group(request, crowd, name):
    if request.param != "mixed":
        return crowd((request.param,))
    return crowd(("male", "female") if name in NEUTRAL_ALONE else ("neutral", "male", "female"))


@pytest.fixture
def written(name, group, tmp_path, crowd_photos):
    """The crowd read back from a file, or from a folder of files, in the order of the crowd."""
    write(name, tmp_path / "export", group.people, group.estimates, group.bodies, photos=crowd_photos)
    annotations = read(tmp_path / "export", name)
    assert annotations.report.read == len(group.people)
    assert (annotations.report.skipped, annotations.report.notes) == ([], [])
    pairs = zip(annotations.people, annotations.params, strict=True)
    return sorted(pairs, key=lambda pair: pair[0].annotation_id)


def test_bodies_come_back_to_the_same_vertices(name, written, group, largest_difference_mm, documented_mm):
    for estimate, (_, params) in zip(group.estimates, written, strict=True):
        assert params.gender == estimate.params.gender
        assert largest_difference_mm(estimate.params, params) <= documented_mm(name, "read back")


def test_people_come_back_with_photo_box_camera_and_model(written, group):
    for before, estimate, (after, _) in zip(group.people, group.estimates, written, strict=True):
        assert (after.image_name, after.image_size_px) == (before.image_name, before.image_size_px)
        assert after.annotation_id == before.annotation_id
        assert after.camera.focal_length_px == pytest.approx(before.camera.focal_length_px, rel=1e-12)
        np.testing.assert_allclose(after.camera.centre_px, before.camera.centre_px, rtol=1e-12)
        np.testing.assert_allclose(after.box.xyxy, before.box.xyxy, rtol=1e-12, atol=1e-9)
        assert after.keypoints is not None
        assert after.extra["model"] == estimate.model


def test_nobody_makes_an_empty_file(name, tmp_path, bodies, crowd_photos):
    if name in OF_ONE_PERSON:
        pytest.skip("such a file is about one person")
    path = tmp_path / f"export{SUFFIXES.get(name, '')}"
    write(name, path, [], [], bodies, photos=crowd_photos)

    assert read(path, name).people == []


@pytest.mark.parametrize("name", sorted(OF_ONE_PERSON))
def test_a_file_of_one_person_needs_exactly_one(name, tmp_path, crowd):
    group, path = crowd(), tmp_path / f"export{SUFFIXES[name]}"

    with pytest.raises(FormatError, match="is about one person, and there is nobody to write"):
        write(name, path, [], [], group.bodies)
    with pytest.raises(FormatError, match="is about one person, and these are 5; give a folder"):
        write(name, path, group.people, group.estimates, group.bodies)


def test_a_person_without_a_body_is_named(name, tmp_path, crowd, crowd_photos):
    if name in WITHOUT_BODIES_TOO:
        pytest.skip("such a file has people with and without bodies")
    group = crowd(("male", "female"))
    estimates = [*group.estimates[:2], None, *group.estimates[3:]]

    with pytest.raises(FormatError, match=r"person 3 \(b.jpg\) has no body, .*; predict it, or leave the person out"):
        write(name, tmp_path / "export", group.people, estimates, group.bodies, photos=crowd_photos)
    assert list(tmp_path.iterdir()) == []


def test_every_format_of_bodies_is_tried():
    assert set(OF_BODIES) <= set(FORMATS)
