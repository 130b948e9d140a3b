"""Places to photograph people in: what stands around, the sky, the light. Each is drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sample_build import materials as m
from sample_build.stage import Light, Place, Rectangle

_RIGHT, _UP, _BACK = np.eye(3)
_FAR_M = 1500.0


def park(rng: np.random.Generator) -> Place:
    """A lawn, trees behind it, the sun."""
    ground = _ground(m.grass(rng))
    return Place((ground,), _landscape(rng, trees=0.16), _sunny(rng), m.linear((176, 196, 214)), 900.0)


def meadow(rng: np.random.Generator) -> Place:
    """A gravel path through dry grass, hills far away, late light."""
    dry = m.grass(rng, ((52, 48, 20), (140, 126, 62), (214, 198, 132)))
    path = Rectangle(np.array([-1.6, 0.01, 3.0]), _RIGHT, -_BACK, (3.4, 300.0), m.gravel(rng))
    light = _sunny(rng, height=(0.25, 0.4), colour=(1.0, 0.78, 0.52))
    return Place(
        (_ground(dry), path), _landscape(rng, trees=0.022, hills=0.04), light, m.linear((206, 200, 190)), 500.0
    )


def beach(rng: np.random.Generator) -> Place:
    """Sand, the sea behind it."""
    sand = m.mottled(rng, (206, 184, 146), 0.07, 2.4, 0.9).varied(rng, 0.05)
    water = m.mottled(rng, (58, 112, 130), 0.16, 9.0, 1.0)
    foam = m.mottled(rng, (222, 226, 222), 0.1, 2.0, 1.2)
    sea = Rectangle(np.array([-_FAR_M, 0.01, -17.0]), _RIGHT, -_BACK, (2 * _FAR_M, _FAR_M), water)
    edge = Rectangle(np.array([-_FAR_M, 0.02, -16.4]), _RIGHT, -_BACK, (2 * _FAR_M, 1.1), foam)
    sky = _landscape(rng, trees=0.0, hills=0.02)
    return Place((_ground(sand), sea, edge), sky, _sunny(rng, height=(0.7, 0.9)), m.linear((196, 212, 224)), 700.0)


def street(rng: np.random.Generator) -> Place:
    """A pavement before a row of houses."""
    slabs = m.tiles(rng, (158, 152, 144), (96, 92, 88), 0.6).varied(rng, 0.06, 4)
    tarmac = m.gravel(rng, ((34, 34, 36), (72, 72, 74), (112, 112, 112)), 0.5)
    near = Rectangle(np.array([-_FAR_M, 0.01, -7.8]), _RIGHT, -_BACK, (2 * _FAR_M, 60.0), slabs)
    houses, x = [], -34.0
    for colour in ((196, 172, 140), (170, 104, 84), (206, 204, 198), (148, 160, 166), (202, 182, 120), (180, 140, 120)):
        width = float(rng.choice((7.8, 10.4, 13.0)))
        front = np.array([x, 0.0, -12.5 - rng.uniform(0, 0.3)])
        houses.append(Rectangle(front, _RIGHT, _UP, (width, 9.6 + 3.2 * int(rng.integers(3))), m.windows(rng, colour)))
        x += width
    return Place(
        (_ground(tarmac), near, *houses), _landscape(rng, trees=0.0), _sunny(rng, height=(0.5, 0.7)),
        m.linear((190, 198, 208)), 400.0,
    )  # fmt: skip


def yard(rng: np.random.Generator) -> Place:
    """Gravel before a brick wall, under an overcast sky."""
    colour = ((150, 84, 62), (128, 96, 76), (166, 120, 92))[rng.integers(3)]
    wall = Rectangle(np.array([-40.0, 0.0, -7.5]), _RIGHT, _UP, (80.0, 5.2), m.bricks(rng, colour, (176, 166, 152)))
    light = Light(
        _towards(-0.4, 0.9, 0.5),
        _rgb(0.5, 0.5, 0.5),
        25.0,
        _rgb(0.95, 0.98, 1.05),
        _rgb(0.7, 0.7, 0.72),
        _rgb(0.2, 0.19, 0.17),
    )
    return Place((_ground(m.gravel(rng)), wall), _landscape(rng, trees=0.2, cloudy=True), light)


def track(rng: np.random.Generator) -> Place:
    """A running track with white lanes, a lawn and trees behind it."""
    red = m.mottled(rng, (168, 72, 54), 0.09, 1.1, 0.5).varied(rng, 0.05)
    oval = Rectangle(np.array([-_FAR_M, 0.01, 8.0]), _RIGHT, -_BACK, (2 * _FAR_M, 17.76), red)
    white = m.plain((236, 234, 228))
    lanes = [
        Rectangle(np.array([-_FAR_M, 0.02, -9.76 + 1.22 * lane]), _RIGHT, -_BACK, (2 * _FAR_M, 0.06), white)
        for lane in range(12)
    ]
    return Place(
        (_ground(m.grass(rng)), oval, *lanes),
        _landscape(rng, trees=0.11),
        _sunny(rng),
        m.linear((180, 198, 214)),
        600.0,
    )


def gym(rng: np.random.Generator) -> Place:
    """A sports hall: wooden floor with lines, a wall in two colours, lamps at the ceiling."""
    upper, lower = m.mottled(rng, (226, 220, 206), 0.03, 3.0), m.mottled(rng, (70, 104, 138), 0.05, 2.0)
    wall = Rectangle(np.array([-12.0, 0.0, -11.0]), _RIGHT, _UP, (24.0, 8.0), upper, 0.0, 0.5)
    pad = Rectangle(np.array([-12.0, 0.0, -10.95]), _RIGHT, _UP, (24.0, 2.1), lower)
    floor = m.planks(rng, (206, 160, 104), 0.09, 1.8)
    lines = [
        Rectangle(np.array([-12.0, 0.01, -z]), _RIGHT, -_BACK, (24.0, 0.06), m.plain(colour))
        for z, colour in ((8.6, (232, 232, 226)), (5.1, (40, 70, 130)), (3.4, (190, 50, 40)))
    ]
    lines.append(Rectangle(np.array([1.9, 0.01, 12.0]), _RIGHT, -_BACK, (0.06, 24.0), m.plain((232, 232, 226))))
    sides = _walls(upper, 12.0, 11.0, 8.0)[:2]
    light = Light(
        _towards(0.3, 1.0, 0.35),
        _rgb(0.75, 0.73, 0.68),
        22.0,
        _rgb(0.75, 0.75, 0.74),
        _rgb(0.35, 0.34, 0.32),
        _rgb(0.3, 0.24, 0.17),
    )
    return Place((_ground(floor), *lines, wall, pad, *sides, _ceiling((150, 150, 150), 12, 11, 8)), _void, light)


def room(rng: np.random.Generator, picture: str = "chelsea", wall_srgb=(196, 200, 190)) -> Place:
    """A living room: planks, a rug, a framed picture on the wall, a window at the side."""
    paint = m.mottled(rng, wall_srgb, 0.02, 3.0)
    walls = _walls(paint, 4.2, 5.4, 2.7)
    skirting = Rectangle(np.array([-4.2, 0.0, -5.38]), _RIGHT, _UP, (8.4, 0.1), m.plain((232, 230, 224)))
    rug = m.mottled(rng, ((150, 62, 58), (84, 96, 120), (170, 150, 110))[rng.integers(3)], 0.12, 0.9, 0.4)
    carpet = Rectangle(np.array([-1.7, 0.012, -2.3]), _RIGHT, -_BACK, (3.4, 2.3), rug)
    art = _framed(picture, np.array([-0.4, 1.25, -5.37]), 1.5, (44, 36, 30))
    light = Light(
        _towards(0.9, 0.55, 0.55),
        _rgb(1.1, 1.05, 0.98),
        16.0,
        _rgb(0.42, 0.42, 0.42),
        _rgb(0.4, 0.4, 0.41),
        _rgb(0.24, 0.18, 0.12),
    )
    rectangles = (
        _ground(m.planks(rng, (168, 118, 74))),
        carpet,
        *walls,
        skirting,
        *art,
        _ceiling((236, 234, 230), 4.2, 5.4, 2.7),
    )
    return Place(rectangles, _void, light)


def gallery(rng: np.random.Generator) -> Place:
    """White walls with three framed photos, polished concrete, soft light from above."""
    walls = _walls(m.mottled(rng, (232, 232, 230), 0.012, 3.0), 6.0, 7.0, 3.6)
    frames = [
        *_framed("coffee", np.array([-3.6, 1.15, -6.98]), 1.7, (30, 30, 32)),
        *_framed("rocket", np.array([-0.95, 1.1, -6.98]), 1.9, (30, 30, 32)),
        *_framed("chelsea", np.array([1.9, 1.15, -6.98]), 1.7, (30, 30, 32)),
    ]
    floor = m.mottled(rng, (146, 144, 140), 0.05, 3.5, 1.5)
    light = Light(
        _towards(-0.25, 1.0, 0.45),
        _rgb(0.7, 0.7, 0.68),
        24.0,
        _rgb(0.8, 0.8, 0.8),
        _rgb(0.5, 0.5, 0.5),
        _rgb(0.3, 0.3, 0.29),
    )
    return Place((_ground(floor), *walls, *frames, _ceiling((224, 224, 222), 6, 7, 3.6)), _void, light)


def studio(rng: np.random.Generator, paper_srgb=(150, 160, 172)) -> Place:
    """A photographer's studio: seamless paper, one large lamp from the side."""
    paper = m.mottled(rng, paper_srgb, 0.01, 3.0)
    wall = Rectangle(np.array([-9.0, 0.0, -5.2]), _RIGHT, _UP, (18.0, 7.0), paper)
    light = Light(
        _towards(-0.75, 0.75, 0.8),
        _rgb(1.15, 1.1, 1.02),
        14.0,
        _rgb(0.42, 0.43, 0.45),
        _rgb(0.32, 0.33, 0.36),
        _rgb(0.22, 0.22, 0.23),
    )
    return Place((_ground(paper), wall), _void, light)


def cafe(rng: np.random.Generator) -> Place:
    """A café: tiles, a dark wall, a mural of a cup of coffee."""
    floor = m.tiles(rng, (188, 176, 158), (120, 110, 98), 0.45)
    walls = _walls(m.mottled(rng, (92, 80, 70), 0.04, 2.0), 4.6, 5.8, 3.0)
    mural = Rectangle(np.array([-1.9, 0.55, -5.78]), _RIGHT, _UP, (3.15, 2.1), m.photo("coffee", 3.15))
    panel = Rectangle(np.array([-4.6, 0.0, -5.77]), _RIGHT, _UP, (9.2, 0.5), m.planks(rng, (108, 72, 44), 0.12, 1.0))
    light = Light(
        _towards(-0.8, 0.7, 0.6),
        _rgb(1.0, 0.88, 0.7),
        18.0,
        _rgb(0.45, 0.42, 0.38),
        _rgb(0.38, 0.36, 0.33),
        _rgb(0.24, 0.21, 0.17),
    )
    return Place((_ground(floor), *walls, mural, panel, _ceiling((200, 190, 176), 4.6, 5.8, 3.0)), _void, light)


def launch(rng: np.random.Generator) -> Place:
    """A viewing platform at dusk, a rocket on a launch pad behind it."""
    pad = Rectangle(np.array([-26.0, -1.1, -44.0]), _RIGHT, _UP, (52.0, 34.7), m.photo("rocket", 52.0), glow=0.55)
    tarmac = m.gravel(rng, ((40, 38, 38), (74, 70, 68), (112, 106, 102)), 0.5)
    light = Light(
        _towards(0.5, 0.45, 0.9),
        _rgb(0.95, 0.78, 0.58),
        8.0,
        _rgb(0.3, 0.36, 0.5),
        _rgb(0.36, 0.34, 0.36),
        _rgb(0.1, 0.09, 0.09),
    )
    return Place((_ground(tarmac), pad), _void, light, m.linear((52, 58, 84)), 60.0)


def _ground(material: m.Material) -> Rectangle:
    return Rectangle(np.array([-_FAR_M, 0.0, 30.0]), _RIGHT, -_BACK, (2 * _FAR_M, _FAR_M), material)


def _ceiling(colour_srgb, half_m: float, deep_m: float, height_m: float) -> Rectangle:
    corner = np.array([-half_m, height_m, 8.0])
    return Rectangle(corner, _RIGHT, -_BACK, (2 * half_m, deep_m + 8.0), m.plain(colour_srgb), 0.0, 0.5)


def _walls(material: m.Material, half_m: float, deep_m: float, height_m: float) -> list[Rectangle]:
    """Left, right, back."""
    long = deep_m + 8.0
    return [
        Rectangle(np.array([-half_m, 0.0, 8.0]), -_BACK, _UP, (long, height_m), material, 0.0, 0.4),
        Rectangle(np.array([half_m, 0.0, -deep_m]), _BACK, _UP, (long, height_m), material, 0.0, 0.4),
        Rectangle(np.array([-half_m, 0.0, -deep_m]), _RIGHT, _UP, (2 * half_m, height_m), material, 0.0, 0.4),
    ]


def _framed(name: str, corner: np.ndarray, width_m: float, frame_srgb) -> list[Rectangle]:
    """A photo of scikit-image in a frame."""
    picture = m.photo(name, width_m)
    edge = np.array([0.05, 0.05, 0.01])
    size = (picture.size_m[0] + 0.1, picture.size_m[1] + 0.1)
    frame = Rectangle(corner - edge, _RIGHT, _UP, size, m.plain(frame_srgb))
    return [frame, Rectangle(corner, _RIGHT, _UP, picture.size_m, picture)]


def _rgb(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def _towards(x: float, y: float, z: float) -> np.ndarray:
    return np.array([x, y, z]) / np.linalg.norm([x, y, z])


def _sunny(rng: np.random.Generator, height=(0.5, 0.9), colour=(1.0, 0.94, 0.84)) -> Light:
    azimuth = rng.uniform(-1.1, 1.1)
    towards = _towards(np.sin(azimuth), rng.uniform(*height), np.cos(azimuth) * 0.8)
    return Light(
        towards, 1.5 * _rgb(*colour), 1.2, _rgb(0.36, 0.46, 0.62), _rgb(0.52, 0.55, 0.6), _rgb(0.2, 0.19, 0.13)
    )


def _void(directions: np.ndarray) -> np.ndarray:
    """Nothing to be seen: a dark room behind the walls."""
    return np.full((len(directions), 3), 0.02, np.float32)


def _landscape(rng: np.random.Generator, trees: float, hills: float = 0.05, cloudy: bool = False) -> Callable:
    """A sky with clouds, hills and a row of trees along the horizon (heights as tangents of their elevation)."""
    clouds = m.Material.of(np.repeat(m.noise(rng, 512, 1.7)[..., None] + 3, 3, axis=2), 6.0)
    leaves = m.Material.of(np.repeat(m.noise(rng, 512, 1.0)[..., None] * 0.35 + 1, 3, axis=2), 1.2)
    phases = rng.uniform(0, 2 * np.pi, (2, 9))
    waves = np.array([2, 3, 5, 9, 14, 23, 41, 70, 120])
    amount = 0.5 / np.sqrt(np.arange(1, 10)) * rng.uniform(0.6, 1.2, 9)

    def skyline(azimuth, phase):
        return 1 + 0.4 * (np.sin(azimuth[:, None] * waves + phase) * amount).sum(axis=1)

    def sky(directions: np.ndarray) -> np.ndarray:
        x, y, z = directions.astype(np.float64).T
        level = np.hypot(x, z)
        azimuth, rise = np.arctan2(x, -z), y / level
        up = np.clip(rise, 0, 1.2)[:, None]
        colour = m.linear((214, 226, 236)) * (1 - up / 1.2) ** 2.5 + m.linear((84, 136, 204)) * (
            1 - (1 - up / 1.2) ** 2.5
        )
        fine = np.full(len(x), 0.01)
        cover = (
            clouds.at(x / np.maximum(y, 0.04) + 1, z / np.maximum(y, 0.04), fine + 0.02 / np.maximum(y, 0.04))[:, :1]
            - 3
        )
        share = np.clip(cover * 0.7 + (0.9 if cloudy else -0.05), 0, 1) * np.clip(up * 5, 0.25, 1)
        colour = colour + share * (m.linear((238, 240, 242)) * (0.8 if cloudy else 1.0) - colour)
        far = rise < hills * skyline(azimuth, phases[0])
        colour[far] = m.linear((112, 132, 144)) * 0.9
        foliage = leaves.at(azimuth * 1.0 + 9, rise * 1.0 + 9, fine * 0.2)[:, 0]
        crown = trees * skyline(azimuth * 1.7 + 1, phases[1]) * (0.55 + 0.45 * foliage)
        near = rise < crown
        shade = (0.35 + 0.65 * np.clip(rise / np.maximum(crown, 1e-3), 0, 1)) * np.clip(foliage, 0.2, 2)
        colour[near] = (m.linear((74, 100, 48)) * shade[:, None])[near]
        return (colour * 1.05).astype(np.float32)

    return sky
