"""Overlays show the bodies where the people are; renders show each person from the front and the side."""

from dataclasses import replace

import numpy as np
import pytest

from cliff_core.errors import FormatError, ImageError, ResourceError
from cliff_core.formats import write
from cliff_core.images import read_image
from cliff_core.rendering.theme import BACKGROUND


@pytest.fixture(scope="module")
def group(crowd):
    return crowd()


@pytest.fixture(scope="module")
def overlays(tmp_path_factory, group, crowd_photos):
    folder = tmp_path_factory.mktemp("overlays")
    write("overlay", folder, group.people, group.estimates, group.bodies, photos=crowd_photos)
    return folder


def test_each_photo_has_an_overlay_of_its_size(overlays):
    sizes = {path.relative_to(overlays).as_posix(): read_image(path).shape for path in overlays.rglob("*.jpg")}

    assert sizes == {"street/day 1.jpg": (1080, 1919, 3), "b.jpg": (1002, 1000, 3), "c.jpg": (640, 480, 3)}


def test_bodies_are_drawn_where_their_points_are(overlays, group):
    for person in group.people:
        changed = np.abs(read_image(overlays / person.image_name).astype(int) - 128).max(axis=2) > 25
        height, width = changed.shape
        points = person.keypoints.points_px[5:]  # below the face every point is inside the body
        inside = points[((points >= 0) & (points < (width, height))).all(axis=1)].astype(int)
        assert len(inside)
        assert changed[inside[:, 1], inside[:, 0]].mean() > 0.9


def test_an_overlay_needs_the_photos_and_the_right_ones(tmp_path, group, crowd_photos):
    with pytest.raises(FormatError, match="overlays are drawn on the photos; name their folder"):
        write("overlay", tmp_path / "o", group.people, group.estimates, group.bodies)
    with pytest.raises(ImageError, match="day 1.jpg: no such file"):
        write("overlay", tmp_path / "o", group.people, group.estimates, group.bodies, photos=tmp_path)
    (tmp_path / "b.jpg").write_bytes((crowd_photos / "c.jpg").read_bytes())
    with pytest.raises(FormatError, match=r"person 1 \(b.jpg\): the photo is 480 x 640 pixels, but its body"):
        write("overlay", tmp_path / "o", group.people[2:3], group.estimates[2:3], group.bodies, photos=tmp_path)
    assert not (tmp_path / "o").exists()


def test_an_overlay_never_replaces_a_photo(group, crowd_photos):
    before = (crowd_photos / "b.jpg").read_bytes()

    with pytest.raises(FormatError, match=r"b\.jpg: is one of the photos, and an overlay would replace it"):
        write("overlay", crowd_photos, group.people[2:], group.estimates[2:], group.bodies, photos=crowd_photos)
    assert (crowd_photos / "b.jpg").read_bytes() == before


def test_one_photo_may_go_into_one_picture(tmp_path, group, crowd_photos):
    write("overlay", tmp_path / "b.png", group.people[2:4], group.estimates[2:4], group.bodies, photos=crowd_photos)

    assert read_image(tmp_path / "b.png").shape == (1002, 1000, 3)
    with pytest.raises(FormatError, match="an overlay is about one photo, and these are 3; give a folder"):
        write("overlay", tmp_path / "b.png", group.people, group.estimates, group.bodies, photos=crowd_photos)


def test_people_of_one_photo_share_its_camera(tmp_path, group, crowd_photos):
    other = replace(group.estimates[3], camera=replace(group.estimates[3].camera, focal_length_px=900.0))

    with pytest.raises(FormatError, match=r"person 2 \(b.jpg\) and another one on the same photo have different cam"):
        write(
            "overlay", tmp_path, group.people[2:4], [group.estimates[2], other], group.bodies, photos=crowd_photos
        )  # fmt: skip


def test_a_principal_point_in_the_middle_is_the_same_camera_said_or_not(tmp_path, group, crowd_photos):
    said = replace(group.estimates[1], camera=replace(group.estimates[1].camera, principal_point_px=(959.5, 540.0)))

    write(
        "overlay", tmp_path, group.people[:2], [group.estimates[0], said], group.bodies, photos=crowd_photos
    )  # fmt: skip
    assert (tmp_path / "street" / "day 1.jpg").is_file()


def test_a_render_shows_a_person_from_the_front_and_the_side(tmp_path, group):
    try:
        write("render", tmp_path, group.people[2:3], group.estimates[2:3], group.bodies)
    except ResourceError as error:
        pytest.skip(str(error))

    picture = read_image(tmp_path / "b_1.png").astype(int)
    assert [path.name for path in tmp_path.iterdir()] == ["b_1.png"]
    assert picture.shape[0] == 960
    half = picture.shape[1] // 2
    for view in (picture[:, :half], picture[:, half:]):
        blue = view[..., 2] - view[..., 0] > 40  # the first person's colour, on a dark ground
        assert tuple(view[2, 2]) == pytest.approx(BACKGROUND, abs=3)
        assert 0.03 < blue.mean() < 0.5


def test_nobody_makes_no_picture(tmp_path, group):
    for name in ("overlay", "render"):
        write(name, tmp_path / "out", [], [], group.bodies)

    assert not (tmp_path / "out").exists()
