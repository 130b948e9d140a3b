"""Synthetic people look varied, reproducible from a seed, and cheap; backgrounds keep their held-out share apart."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cliff_core.body import load_body
from cliff_core.images import write_image
from cliff_core.rendering.rasteriser import Canvas, Viewport, vertex_normals
from cliff_core.synthetic.appearance import Backgrounds, Wardrobe, add_occluders, degrade, light, scene


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def wardrobe(body):
    return Wardrobe(body)


@pytest.fixture
def photos(tmp_path):
    """Thirty plain photos, each of a grey level of its own."""
    for level in range(30):
        write_image(tmp_path / f"photo{level:02d}.png", np.full((80, 120, 3), 8 * level, np.uint8))
    return tmp_path


def standing(body):
    """Vertices of the rest pose, upright before the camera, four metres away."""
    return body.v_template.astype(np.float64) * (1, -1, -1) + (0, -0.25, 4.0)


def crop(body, wardrobe, backgrounds, seed):
    """A whole training crop, as `appearance` says it is made."""
    rng = np.random.default_rng(seed)
    vertices = standing(body)
    normals = vertex_normals(vertices, body.faces)
    outfit = wardrobe.outfit(rng)
    shade = light(normals, rng, vertices)
    canvas = Canvas(Viewport(1000, (256, 256), (512, 512)))
    canvas.draw(vertices + normals * outfit.thickness_m[:, None], body.faces, outfit.vertex_rgb * shade)
    rgb = canvas.over(backgrounds.patch(rng, 256, 256))
    mask = cv2.resize(canvas.mask.view(np.uint8), (256, 256), interpolation=cv2.INTER_NEAREST) > 0
    return degrade(rng, add_occluders(rng, rgb, backgrounds, mask), rng.uniform(0.3, 1.5))


def test_a_seed_gives_the_same_crop_and_another_seed_another(body, wardrobe):
    first = crop(body, wardrobe, Backgrounds(None, False), 7)
    again = crop(body, Wardrobe(body), Backgrounds(None, False), 7)
    other = crop(body, wardrobe, Backgrounds(None, False), 8)
    assert first.shape == (256, 256, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_clothes_are_colours_and_cloth_stands_off_the_skin_by_centimetres_at_most(wardrobe, body):
    rng = np.random.default_rng(0)
    for _ in range(40):
        outfit = wardrobe.outfit(rng)
        assert outfit.vertex_rgb.shape == body.v_template.shape
        assert outfit.vertex_rgb.min() >= 0
        assert outfit.vertex_rgb.max() <= 255
        assert np.isfinite(outfit.vertex_rgb).all()
        assert outfit.thickness_m.min() >= 0
        assert outfit.thickness_m.max() < 0.06


def test_nobody_is_undressed_and_faces_stay_skin(wardrobe, body):
    joints = body.J_regressor @ body.v_template
    hips = np.abs(body.v_template[:, 1] - joints[1:3, 1].mean()) < 0.03
    hips &= np.abs(body.v_template[:, 0]) < 0.15
    cheeks = np.linalg.norm(body.v_template - (joints[15] + (0.0, 0.02, 0.08)), axis=1) < 0.05
    rng = np.random.default_rng(1)
    for _ in range(25):
        outfit = wardrobe.outfit(rng)
        assert (outfit.thickness_m[hips] > 0).mean() > 0.9
        assert (outfit.thickness_m[cheeks] > 0).mean() < 0.6


def test_skin_tones_span_light_to_dark(wardrobe, body):
    joints = body.J_regressor @ body.v_template
    nose = np.linalg.norm(body.v_template - (joints[15] + (0.0, 0.02, 0.1)), axis=1).argmin()
    rng = np.random.default_rng(2)
    brightness = np.array([wardrobe.dress(rng)[nose].mean() for _ in range(80)])
    assert brightness.min() < 75
    assert brightness.max() > 195


def test_light_comes_from_a_side_and_the_body_shades_itself(body):
    vertices = standing(body)
    normals = vertex_normals(vertices, body.faces)
    contrasts = []
    for seed in range(20):
        shade = light(normals, np.random.default_rng(seed), vertices)
        assert shade.shape == normals.shape
        assert shade.min() >= 0
        assert shade.max() < 2.5
        contrasts.append(np.ptp(shade.mean(axis=1)))
        unshadowed = light(normals, np.random.default_rng(seed))
        assert shade.mean() <= unshadowed.mean() + 0.35  # another draw follows the first light, no more
    assert np.median(contrasts) > 0.3


def test_shadows_fall_on_what_lies_behind():
    from cliff_core.synthetic.lighting import _shadow

    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 60), [2.0]), axis=-1).reshape(-1, 3)
    plate = grid * (0.3, 0.3, 0.75)  # half a metre nearer to the light
    shadow = _shadow(np.vstack([grid, plate]), np.array([0.0, 0.0, -1.0], np.float32))
    behind = np.abs(grid[:, :2]).max(axis=1)
    assert shadow[: len(grid)][behind < 0.2].min() > 0.9
    assert shadow[: len(grid)][behind > 0.45].max() < 0.05
    assert shadow[len(grid) :].max() < 0.05


def test_held_out_photos_are_a_fifth_and_never_seen_otherwise(photos):
    levels = []
    for heldout in (False, True):
        backgrounds = Backgrounds(photos, heldout)
        rng = np.random.default_rng(0)
        patches = [backgrounds.patch(rng, 16, 16) for _ in range(400)]
        plain = {int(patch[0, 0, 0]) for patch in patches if np.ptp(patch) == 0}
        levels.append({level for level in plain if level % 8 == 0})
    assert len(levels[1]) == 6
    assert len(levels[0]) == 24
    assert not levels[0] & levels[1]


def test_photos_are_kept_small_and_broken_ones_passed_over(tmp_path):
    write_image(tmp_path / "large.png", np.zeros((600, 2400, 3), np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    backgrounds = Backgrounds(tmp_path, heldout=False)
    rng = np.random.default_rng(0)
    for _ in range(12):
        assert backgrounds.patch(rng, 40, 30).shape == (30, 40, 3)
    shapes = [photo.shape for photo in backgrounds._photos.values() if photo is not None]
    assert shapes == [(240, 960, 3)]


def test_scenes_of_any_size_are_drawn():
    rng = np.random.default_rng(3)
    for _ in range(30):
        for width, height in ((256, 256), (320, 100), (3, 40), (1, 1)):
            picture = scene(rng, width, height)
            assert picture.shape == (height, width, 3)
            assert picture.dtype == np.uint8
    assert np.std([scene(rng, 64, 64).mean() for _ in range(30)]) > 20


def test_occluders_lie_on_the_person_and_leave_most_of_it_visible():
    backgrounds = Backgrounds(None, False)
    mask = np.zeros((256, 256), bool)
    mask[60:220, 100:160] = True
    before = np.full((256, 256, 3), 7, np.uint8)
    hidden = []
    for seed in range(40):
        after = add_occluders(np.random.default_rng(seed), before, backgrounds, mask)
        hidden.append((after != 7).any(axis=2)[mask].mean())
    assert (before == 7).all()
    assert max(hidden) <= 0.46
    assert np.mean(np.array(hidden) > 0) > 0.9
    assert add_occluders(np.random.default_rng(0), before, backgrounds).shape == before.shape


def test_small_people_lose_detail_and_pictures_keep_their_size():
    rng = np.random.default_rng(0)
    sharp = (np.indices((200, 160)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    coarse = [degrade(rng, sharp, 0.2) for _ in range(10)]
    fine = [degrade(rng, sharp, 2.0) for _ in range(10)]
    assert all(picture.shape == sharp.shape and picture.dtype == np.uint8 for picture in coarse + fine)

    def detail(pictures):
        return np.mean([np.abs(np.diff(picture.astype(float), axis=1)).mean() for picture in pictures])

    assert detail(coarse) < 0.2 * detail(fine)


def test_a_body_without_face_points_can_be_dressed(body):
    plain = SimpleNamespace(v_template=body.v_template, weights=body.weights, J_regressor=body.J_regressor)
    assert Wardrobe(plain).dress(np.random.default_rng(0)).shape == body.v_template.shape
