"""Overlays lie where the camera projects bodies; points, side views and composed pictures show what they promise."""

import numpy as np
import pytest
import trimesh

from cliff_core.errors import GeometryError
from cliff_core.records import Camera, Keypoints
from cliff_core.rendering import theme
from cliff_core.rendering.overlay import (
    before_after,
    contact_sheet,
    draw_keypoints,
    draw_overlay,
    person_colour,
    reduced,
    side_view,
)
from cliff_core.skeletons import COCO17


def sphere(centre, radius=0.4):
    mesh = trimesh.creation.icosphere(4, radius)
    return mesh.vertices + np.asarray(centre, float), mesh.faces


def grey(width, height, level=90):
    return np.full((height, width, 3), level, np.uint8)


def changed(after, before):
    return np.abs(after.astype(int) - before).max(axis=2) > 3


def coco_points(visibility=2, confidence=None):
    """A stick figure from (100, 40) to (220, 360) px."""
    x = [160, 165, 155, 172, 148, 190, 130, 205, 115, 220, 100, 178, 142, 180, 140, 182, 138]
    y = [50, 45, 45, 48, 48, 95, 95, 150, 150, 200, 200, 200, 200, 280, 280, 360, 360]
    visible = np.full(17, visibility)
    return Keypoints.uniform("coco17", np.stack([x, y], axis=1), visible, confidence)


def hue_share(pixels, colour):
    """Share of pixels that lean to a colour rather than to grey."""
    tint = np.asarray(colour, float) - np.mean(colour)
    lean = (pixels - pixels.mean(axis=1, keepdims=True)) @ tint / np.linalg.norm(tint)
    return (lean > 8).mean()


def test_an_overlay_covers_what_the_camera_projects_and_nothing_else():
    vertices, faces = sphere((0.5, -0.2, 3))
    photo = grey(640, 480)
    camera = Camera(600, (640, 480), (300, 250))
    mask = changed(draw_overlay(photo, [(vertices, person_colour(0))], faces, camera), photo)
    points = vertices[:, :2] / vertices[:, 2:] * 600 + (300, 250)
    ys, xs = np.nonzero(mask)
    assert xs.min() == pytest.approx(points[:, 0].min(), abs=2)
    assert xs.max() + 1 == pytest.approx(points[:, 0].max(), abs=2)
    assert ys.min() == pytest.approx(points[:, 1].min(), abs=2)
    assert ys.max() + 1 == pytest.approx(points[:, 1].max(), abs=2)
    assert (photo == 90).all()


def test_the_photo_shows_through_as_much_as_asked():
    vertices, faces = sphere((0, 0, 3))
    camera = Camera(600, (640, 480))
    body = [(vertices, (200, 40, 40))]
    bright, dark = grey(640, 480, 200), grey(640, 480, 20)
    for opacity in (0.3, 0.7, 1.0):
        centre = [draw_overlay(photo, body, faces, camera, opacity)[240, 320].astype(int) for photo in (bright, dark)]
        assert (centre[0] - centre[1]).tolist() == pytest.approx([180 * (1 - opacity)] * 3, abs=1.5)


def test_nearer_people_hide_farther_ones_in_any_order():
    near, faces = sphere((0.1, 0, 2), 0.2)
    far, _ = sphere((0, 0, 4))
    photo, camera = grey(640, 480), Camera(600, (640, 480))
    bodies = [(near, person_colour(0)), (far, person_colour(1))]
    first = draw_overlay(photo, bodies, faces, camera)
    second = draw_overlay(photo, bodies[::-1], faces, camera)
    assert np.abs(first.astype(int) - second).max() <= 1
    red, _, blue = first[240, 350].astype(int)  # the near one: blue
    assert blue > red + 30
    red, _, blue = first[240, 300 - 30].astype(int)  # beside it the far one: orange
    assert red > blue + 30


def test_large_photos_are_composed_small_under_the_same_camera():
    vertices, faces = sphere((0.8, 0.3, 3))
    large = grey(6000, 4500)
    camera = Camera(5000, (6000, 4500))
    picture = draw_overlay(large, [(vertices, person_colour(0))], faces, camera)
    assert picture.shape == (1500, 2000, 3)
    ys, xs = np.nonzero(changed(picture, grey(2000, 1500)))
    points = (vertices[:, :2] / vertices[:, 2:] * 5000 + (3000, 2250)) / 3
    assert [xs.min(), ys.min()] == pytest.approx(points.min(axis=0).tolist(), abs=2)
    assert [xs.max() + 1, ys.max() + 1] == pytest.approx(points.max(axis=0).tolist(), abs=2)
    small, scale = reduced(large)
    assert scale == pytest.approx(1 / 3)
    # A copy that is small already gives the same picture.
    again = draw_overlay(small, [(vertices, person_colour(0))], faces, camera)
    assert np.array_equal(again, picture)


def test_bodies_behind_or_around_the_camera_or_broken_are_no_crash():
    photo, camera = grey(320, 240), Camera(300, (320, 240))
    behind, faces = sphere((0, 0, -2))
    around, _ = sphere((0, 0, 0.1), 0.5)
    beside, _ = sphere((30, 0, 2))
    broken = np.full(behind.shape, np.nan)
    for vertices in (behind, beside, broken):
        assert np.array_equal(draw_overlay(photo, [(vertices, (255, 0, 0))], faces, camera), photo)
    draw_overlay(photo, [(around, (255, 0, 0)), (behind, (0, 255, 0))], faces, camera)
    assert np.array_equal(draw_overlay(photo, [], faces, camera), photo)


def test_left_is_blue_and_right_is_orange():
    photo = grey(320, 400, 120)
    picture = draw_keypoints(photo, coco_points())
    points = coco_points().points_px.astype(int)
    left, right = COCO17.index("left_wrist"), COCO17.index("right_wrist")
    assert tuple(picture[points[left][1], points[left][0]]) == theme.LEFT
    assert tuple(picture[points[right][1], points[right][0]]) == theme.RIGHT
    assert tuple(picture[points[0][1], points[0][0]]) == theme.MIDDLE
    assert theme.side_colour("left_shoulder", "right_shoulder") == theme.MIDDLE
    assert theme.side_colour("mouth_left") == theme.LEFT
    assert theme.side_colour("nose", "left_eye") == theme.MIDDLE
    assert (photo == 120).all()


def test_hidden_points_are_rings_unlabelled_ones_are_absent():
    photo = grey(320, 400, 120)
    wrist = coco_points().points_px[COCO17.index("left_wrist")]
    points = coco_points(visibility=1)
    lonely = points.visibility * 0
    lonely[COCO17.index("left_wrist")] = 1
    lonely[COCO17.index("nose")] = 1
    hidden = Keypoints.uniform("coco17", points.points_px, lonely)
    x, y = wrist.astype(int)
    ring = draw_keypoints(photo, hidden)
    assert tuple(ring[y, x]) == (120, 120, 120)
    assert changed(ring, photo)[y - 6 : y + 7, x - 6 : x + 7].any()
    disc = draw_keypoints(photo, Keypoints.uniform("coco17", points.points_px, lonely * 2))
    assert tuple(disc[y, x]) == theme.LEFT
    nothing = Keypoints.uniform("coco17", np.full((17, 2), np.nan), np.zeros(17, int))
    assert np.array_equal(draw_keypoints(photo, nothing), photo)


def test_points_are_sized_by_the_person_and_faint_when_doubtful():
    photo = grey(3200, 4000, 120)
    small = changed(draw_keypoints(photo, coco_points()), photo).sum()
    large_points = Keypoints.uniform("coco17", coco_points().points_px * 4, np.full(17, 2))
    large = changed(draw_keypoints(photo, large_points), photo).sum()
    assert 6 < large / small < 22
    x, y = coco_points().points_px[9].astype(int)
    sure = draw_keypoints(photo[:400, :320], coco_points(confidence=np.ones(17)))[y, x].astype(int)
    doubtful = draw_keypoints(photo[:400, :320], coco_points(confidence=np.full(17, 0.1)))[y, x].astype(int)
    assert np.abs(doubtful - 120).sum() < 0.75 * np.abs(sure - 120).sum()


def test_points_outside_the_photo_are_safe():
    points = Keypoints.uniform("coco17", coco_points().points_px * 5 - 700, np.full(17, 2))
    assert draw_keypoints(grey(100, 80), points).shape == (80, 100, 3)


@pytest.mark.parametrize("direction", ["side", "top", "front"])
def test_side_views_fit_every_body_into_the_picture(direction):
    first, faces = sphere((-1, 0.5, 3))
    second, _ = sphere((2, 0.2, 9))
    picture = side_view([first, second], faces, (400, 300), direction)
    assert picture.shape == (300, 400, 3)
    pixels = picture.reshape(-1, 3).astype(float)
    assert hue_share(pixels, person_colour(0)) > 0.002
    assert hue_share(pixels, person_colour(1)) > 0.002
    rim = np.concatenate([picture[0], picture[:, 0], picture[:, -1]]).astype(int)
    assert (np.ptp(rim, axis=1) < 12).all()  # grey ground and grid only


def test_from_the_side_the_camera_is_on_the_left_and_from_above_it_is_below():
    near, faces = sphere((0, 0, 3))
    far, _ = sphere((0, 0, 5))

    def centre(direction, axis):
        picture = side_view([near, far], faces, (400, 400), direction).astype(float)
        lean = picture[..., 2] - picture[..., 0]  # person 0 is blue, person 1 orange
        return [np.nonzero(mask)[axis].mean() for mask in (lean > 40, lean < -40)]

    blue, orange = centre("side", axis=1)
    assert blue < orange - 50
    blue, orange = centre("top", axis=0)
    assert blue > orange + 50


def test_ghosts_are_pale_outlines_and_shared_frames_are_equal():
    body, faces = sphere((0, 0, 3))
    prior, _ = sphere((0, 0, 4))
    alone = side_view([body], faces, framed=[prior])
    with_ghost = side_view([body], faces, ghosts=[prior])
    difference = changed(with_ghost, alone)
    assert 0 < difference.mean() < 0.02
    assert with_ghost[difference].mean() > alone[difference].mean() + 30


def test_a_side_view_without_bodies_says_so_and_wrong_directions_are_refused():
    _, faces = sphere((0, 0, 3))
    assert side_view([], faces, (200, 100)).shape == (100, 200, 3)
    with pytest.raises(GeometryError, match="choose side, top or front"):
        side_view([], faces, direction="below")


def test_a_contact_sheet_holds_every_picture_and_its_label():
    images = [grey(400, 300, 50 + 30 * k) for k in range(5)]
    sheet = contact_sheet(images, [f"picture {k}" for k in range(5)], columns=3, cell_px=(160, 160), title="Five")
    assert sheet.shape[1] == 3 * 168 + 8
    for k in range(5):
        assert (sheet == 50 + 30 * k).all(axis=2).sum() >= 160 * 118
    assert tuple(sheet[0, 0]) == theme.BACKGROUND
    assert contact_sheet([grey(10, 500)], ["a very long name " * 20]).ndim == 3
    assert contact_sheet([], []).ndim == 3


def test_labels_that_are_too_long_keep_their_end():
    text = theme.shorten("holiday/2024/summer/IMG_0412.jpg", 14, 120)
    assert text.startswith("hol")
    assert text.endswith(".jpg")
    assert theme.font(14).getlength(text) <= 120
    assert theme.shorten("short", 14, 120) == "short"
    assert theme.shorten("impossible", 14, 1) == "…"


def test_before_and_after_stand_in_one_picture():
    photo = grey(900, 600)
    camera = Camera(800, (900, 600))
    before, faces = sphere((0.3, 0, 3))
    after, _ = sphere((0, 0, 3))
    wide = before_after(photo, [before], [after], faces, camera, [coco_points()], title="photo.jpg: 14 → 3 px")
    tall = before * (0.4, 1.5, 1)
    narrow = before_after(photo, [tall], [tall], faces, camera, height_px=240)
    for picture in (wide, narrow):
        assert picture.dtype == np.uint8
        assert hue_share(picture.reshape(-1, 3).astype(float), person_colour(0)) > 0.02
    assert narrow.shape[0] == 240 + 40 + 8
    empty = before_after(photo, [], [], faces, camera)
    assert empty.shape[1] > empty.shape[0]


def test_seven_people_have_seven_colours_and_the_eighth_is_the_first_again():
    assert len({person_colour(number) for number in range(7)}) == 7
    assert person_colour(7) == person_colour(0)
