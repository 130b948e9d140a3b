"""Procedural scenes to stand people in: rooms, streets, fields, walls, plain studios, and pure disorder.

They are cheap stand-ins for photos: what matters is that edges, textures and colours behind a person are as varied
as in photos, not that a scene is beautiful.
"""

from __future__ import annotations

import cv2
import numpy as np

from cliff_core.synthetic.textures import cloth_colour, noise_picture, vivid_colour


def scene(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A scene drawn at random; (height, width, 3) uint8."""
    draw = _SCENES[int(np.searchsorted(_SCENE_LIMITS, rng.random(), side="right"))]
    return np.clip(draw(rng, width, height), 0, 255).astype(np.uint8)


def _muted_colour(rng):
    colour = vivid_colour(rng)
    return colour.mean() + (colour - colour.mean()) * np.float32(rng.uniform(0.1, 0.6))


def _ramp(rng, width, height):
    """Light falling off across the picture, (height, width, 1) about 0.7..1.3."""
    x = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.normal(0, 0.18))
    y = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(rng.normal(0, 0.18))
    return (1 + x[None, :] + y[:, None]).clip(0.4, 1.6)[..., None]


def _studio(rng, width, height):
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    wall, floor = _muted_colour(rng), _muted_colour(rng)
    picture = wall + (floor - wall) * y ** rng.uniform(0.5, 4)
    return np.broadcast_to(picture, (height, width, 3)) * _ramp(rng, width, height)


def _clouds(rng, width, height):
    low, high, accent = _muted_colour(rng), _muted_colour(rng), vivid_colour(rng)
    first = noise_picture(rng, width, height, int(rng.integers(2, 9)), int(rng.integers(1, 6)))[..., None]
    second = noise_picture(rng, width, height, int(rng.integers(2, 12)), 3)[..., None]
    return low + (high - low) * (0.5 + first) + (accent - low) * np.clip(second, 0, 1) * rng.uniform(0, 1)


def _polygons(rng, width, height):
    picture = np.ascontiguousarray(_studio(rng, width, height), np.float32)
    for _ in range(rng.integers(4, 28)):
        centre, size = rng.random(2) * (width, height), rng.uniform(0.04, 0.4) * max(width, height)
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
        corners = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * size * rng.uniform(
            0.4, 1, (len(angles), 1)
        )
        cv2.fillPoly(picture, [corners.astype(np.int32)], cloth_colour(rng).tolist(), cv2.LINE_8)
    return picture


def _brick_rows(rng, width, height):
    """Bricks or tiles: (height, width) tone about -1..1, joints at -1."""
    brick_h = rng.uniform(0.03, 0.14) * height
    brick_w = brick_h * rng.uniform(1.0, 3.5)
    rows = (np.arange(height) + rng.uniform(0, brick_h)) / brick_h
    shift = 0.5 * (rows.astype(int) % 2) * (rng.random() < 0.75)
    columns = (np.arange(width)[None, :] + rng.uniform(0, brick_w)) / brick_w + shift[:, None]
    joint = rng.uniform(0.03, 0.12)
    in_joint = (rows % 1 < joint * 1.5)[:, None] | (columns % 1 < joint)
    tones = rng.uniform(-0.6, 0.6, 997).astype(np.float32)
    tone = tones[(rows.astype(int)[:, None] * 31 + columns.astype(int) * 17) % 997]
    return np.where(in_joint, np.float32(-1), tone)


def _wall(rng, width, height):
    base, joint = _muted_colour(rng), _muted_colour(rng)
    tone = _brick_rows(rng, width, height)[..., None]
    grain = noise_picture(rng, width, height, 30, 3)[..., None] * rng.uniform(0, 0.3)
    picture = np.where(tone == -1, joint, base * (1 + tone * rng.uniform(0.05, 0.5) + grain))
    return picture * _ramp(rng, width, height)


def _grain(rng, width, height):
    """Grass, gravel, foliage, carpet: fine noise, stretched."""
    stretch = rng.uniform(0.35, 2.5)
    fine = noise_picture(rng, width, max(2, int(height * stretch)), int(rng.integers(20, 90)), 3, 0.8)
    fine = cv2.resize(fine, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    coarse = noise_picture(rng, width, height, 4, 3)[..., None]
    base = np.array((70, 110, 45), np.float32) * rng.uniform(0.5, 1.4) if rng.random() < 0.4 else _muted_colour(rng)
    return base * (1 + fine * rng.uniform(0.2, 0.7) + coarse * rng.uniform(0.05, 0.4))


def _floor(rng, width, height):
    """A plane seen in perspective: tiles, planks, lines or plain ground up to its horizon at the top."""
    depth = 1 / np.linspace(0.03, 1.0, height, dtype=np.float32)[:, None] ** rng.uniform(0.7, 1.1)
    across = (np.linspace(-1, 1, width, dtype=np.float32)[None, :] + rng.uniform(-0.5, 0.5)) * depth
    base, other = _muted_colour(rng), _muted_colour(rng)
    tile, kind = rng.uniform(0.15, 0.8), rng.random()
    if kind < 0.3:
        share = (((across / tile).astype(int) + (depth / tile).astype(int)) % 2).astype(np.float32)
    elif kind < 0.6:
        share = ((across / tile + 50) % 1 < 0.06).astype(np.float32)
    elif kind < 0.8:
        share = (((across / tile + 50) % 1 < 0.05) | ((depth / tile) % 1 < 0.05)).astype(np.float32)
    else:
        share = np.clip(noise_picture(rng, width, height, 12, 4) * 0.5 + 0.5, 0, 1)
    share = np.broadcast_to(share, (height, width))[..., None] * rng.uniform(0.2, 1.0)
    grain = noise_picture(rng, width, height, 40, 2)[..., None] * rng.uniform(0, 0.25)
    return (base + (other - base) * share) * (1 + grain) * _ramp(rng, width, height)


def _furnish(rng, picture, horizon):
    """Boxes that stand on the ground and frames that hang on the wall."""
    height, width = picture.shape[:2]
    for _ in range(rng.integers(0, 7)):
        wide, tall = rng.uniform(0.05, 0.4) * width, rng.uniform(0.05, 0.5) * height
        x, colour = rng.uniform(-0.2, 1.0) * width, cloth_colour(rng)
        bottom = horizon + rng.uniform(-0.3 * horizon, 0.35 * (height - horizon))
        corner, opposite = (int(x), int(bottom - tall)), (int(x + wide), int(bottom))
        cv2.rectangle(picture, corner, opposite, colour.tolist(), -1)
        edge = (colour * rng.uniform(0.4, 1.4)).tolist()
        cv2.rectangle(picture, corner, opposite, edge, max(1, int(rng.uniform(0.003, 0.02) * width)))
        for step in range(rng.integers(0, 5)):  # drawers, windows, shelves
            y = int(bottom - tall * (step + 1) / 6)
            cv2.line(picture, (int(x), y), (int(x + wide), y), edge, max(1, width // 150))
    return picture


def _room(rng, width, height):
    horizon = int(np.clip(rng.normal(0.55, 0.15), 0.15, 0.9) * height)
    wall = (_studio, _wall, _clouds)[rng.choice(3, p=(0.6, 0.25, 0.15))](rng, width, max(2, horizon))
    floor = _floor(rng, width, max(2, height - horizon))
    picture = np.concatenate([wall, floor])[:height].astype(np.float32)
    return _furnish(rng, np.ascontiguousarray(picture), horizon)


def _outdoors(rng, width, height):
    horizon = int(np.clip(rng.normal(0.45, 0.15), 0.1, 0.85) * height)
    sky = np.array((150, 190, 235), np.float32) * rng.uniform(0.6, 1.1)
    up = np.linspace(0, 1, max(2, horizon), dtype=np.float32)[:, None, None]
    clouds = np.clip(noise_picture(rng, width, len(up), 5, 4) + rng.uniform(-0.5, 0.5), 0, 1)[..., None]
    above = sky + (235 - sky) * np.maximum(up**2 * rng.uniform(0.2, 1), clouds)
    below = (_grain if rng.random() < 0.5 else _floor)(rng, width, max(2, height - horizon))
    picture = np.ascontiguousarray(np.concatenate([above, below])[:height], np.float32)
    x = 0.0
    while x < width and rng.random() < 0.93:  # houses, hedges or trees along the horizon
        wide, tall = rng.uniform(0.04, 0.25) * width, rng.uniform(0.02, 0.9) ** 1.5 * horizon
        colour = _muted_colour(rng) * rng.uniform(0.4, 1.0)
        if rng.random() < 0.5:
            cv2.rectangle(picture, (int(x), int(horizon - tall)), (int(x + wide), horizon), colour.tolist(), -1)
            spacing = max(4, int(wide / 5))
            for column in range(int(x) + spacing // 2, int(x + wide) - spacing // 2, spacing):
                top, low = int(horizon - tall * 0.9), int(horizon - tall * 0.2)
                cv2.line(picture, (column, top), (column, low), (colour * 0.7).tolist(), max(1, spacing // 3))
        else:
            green = np.array((50, 80, 40)) * rng.uniform(0.4, 1.5)
            centre = (int(x + wide / 2), int(horizon - tall / 2))
            cv2.ellipse(picture, centre, (int(wide / 1.5), int(tall / 1.5) + 1), 0, 0, 360, green.tolist(), -1)
        x += wide * rng.uniform(0.5, 2.0)
    return picture * (1 + noise_picture(rng, width, height, 24, 3)[..., None] * rng.uniform(0, 0.2))


_SCENES = (_room, _outdoors, _clouds, _polygons, _wall, _grain, _studio)
_SCENE_LIMITS = np.cumsum([0.3, 0.25, 0.13, 0.1, 0.08, 0.08])
