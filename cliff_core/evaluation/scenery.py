"""What is behind people: a ground in the camera's own perspective, something at its end, and shadows on it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cliff_core.evaluation.staging import Ground, Stage
from cliff_core.rendering.rasteriser import Canvas, Viewport
from cliff_core.synthetic.backgrounds import Backgrounds
from cliff_core.synthetic.textures import cloth_colour, noise_picture

_TEXTURE_PX = 768
_SHADOW_SCALE = 0.25  # of the frame: shadows are soft
_PHOTO_SHARE = 0.75
_OPEN_AIR_SHARE = 0.35


def draw_scenery(
    rng: np.random.Generator,
    stage: Stage,
    backgrounds: Backgrounds,
    meshes: Sequence[tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    """The frame without its people and things, but with their shadows.

    Args:
        rng: source of all randomness.
        stage: camera, ground and people.
        backgrounds: photos, if there are any, bring their own ground mostly.
        meshes: vertices (V, 3) and faces of all that throws a shadow.

    Returns:
        (H, W, 3) uint8.
    """
    width, height = stage.camera.image_size_px
    picture = backgrounds.patch(rng, width, height)
    across, away, reached = _ground_seen(stage)
    if not (len(backgrounds) and rng.random() < _PHOTO_SHARE):
        farthest = max(-stage.ground.from_camera(actor.joints)[:, 2].min() for actor in stage.actors)
        open_air = rng.random() < _OPEN_AIR_SHARE
        end = 60.0 if open_air else farthest * rng.uniform(1.15, 2.5) + 0.5
        floor = reached & (away < end)
        picture = np.where(floor[..., None], _floor(rng, stage, across, away), picture)
        if not open_air:
            picture = _skirting(rng, stage, picture, floor, end)
    shadow = _shadows(rng, stage, meshes) * reached
    return np.clip(picture * (1 - shadow[..., None]), 0, 255).astype(np.uint8)


def _ground_seen(stage: Stage):
    """Where the ray of each pixel meets the ground: metres across and away from the eye, and whether it does at all."""
    camera, ground = stage.camera, stage.ground
    width, height = camera.image_size_px
    cx, cy = camera.centre_px.tolist()
    x = (np.arange(width, dtype=np.float32) + 0.5 - cx) / camera.focal_length_px
    y = (np.arange(height, dtype=np.float32) + 0.5 - cy) / camera.focal_length_px
    axes = ground.axes.tolist()
    across, rise, back = (x[None] * row[0] + y[:, None] * row[1] + row[2] for row in axes)
    reached = rise < -1e-3
    distance = np.float32(ground.height_m) / np.where(reached, -rise, 1)
    return across * distance, -back * distance, reached


def _floor(rng, stage, across, away) -> np.ndarray:
    """(H, W, 3) float32 colours of the ground; what is too fine to be seen far away fades to its mean."""
    size_m = rng.uniform(2.5, 6.0)
    texture = _floor_texture(rng)
    per_metre = _TEXTURE_PX / size_m
    turn = rng.uniform(0, 2 * np.pi)
    offset = rng.uniform(0, _TEXTURE_PX, 2)
    u = (across * np.float32(np.cos(turn)) + away * np.float32(np.sin(turn))) * np.float32(per_metre)
    v = (away * np.float32(np.cos(turn)) - across * np.float32(np.sin(turn))) * np.float32(per_metre)
    u, v = (np.mod(grid + np.float32(shift), _TEXTURE_PX) for grid, shift in zip((u, v), offset, strict=True))
    wrapped = cv2.copyMakeBorder(texture, 0, 1, 0, 1, cv2.BORDER_WRAP)
    seen = cv2.remap(wrapped, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    distance2 = np.square(across) + np.square(away) + np.float32(stage.ground.height_m**2)
    # texels per pixel along the view grow with the square of the distance over the height of the eye
    texels = distance2 * np.float32(per_metre / (stage.camera.focal_length_px * stage.ground.height_m))
    sharp = np.clip(2.5 / np.maximum(texels, 1e-3), 0, 1)[..., None]
    mean = texture.reshape(-1, 3).mean(0)
    width, height = stage.camera.image_size_px
    light = 1 + noise_picture(rng, width, height, 3, 2)[..., None] * np.float32(rng.uniform(0, 0.15))
    return (mean + (seen - mean) * sharp) * light


def _floor_texture(rng) -> np.ndarray:
    """A square that repeats: grass, gravel, carpet, tiles, planks or plain."""
    side = _TEXTURE_PX
    kind = rng.random()
    base = np.array((74, 104, 48), np.float32) * rng.uniform(0.6, 1.4) if kind < 0.2 else _muted(rng)
    fine = _seamless(noise_picture(rng, side, side, int(rng.integers(40, 160)), 3, 0.8))
    coarse = _seamless(noise_picture(rng, side, side, int(rng.integers(3, 9)), 3))
    tone = 1 + fine * rng.uniform(0.08, 0.4) + coarse * rng.uniform(0.03, 0.25)
    if kind > 0.5:  # tiles or planks
        count = int(rng.integers(3, 11))
        long = 1 if kind < 0.75 else int(rng.integers(3, 6))
        y, x = (grid * count / side for grid in np.mgrid[0:side, 0:side])
        row = y.astype(int)
        x = x / long + (row % 2) * 0.5 * (rng.random() < 0.6)
        tones = rng.normal(0, rng.uniform(0.02, 0.15), 997)
        tone = tone + tones[(row * 31 + x.astype(int) * 17) % 997].astype(np.float32)
        joint = rng.uniform(0.01, 0.05)
        tone = np.where((y % 1 < joint) | (x % 1 < joint / long), rng.uniform(0.3, 0.8), tone)
        if rng.random() < 0.25:  # two colours
            other = _muted(rng)
            even = (row + x.astype(int)) % 2 == 0
            base = np.where(even[..., None], base, other)
    return np.ascontiguousarray(np.clip(base * tone[..., None], 0, 255), np.float32)


def _seamless(noise):
    """The same noise, faded into itself over the edges so that copies of it join."""
    ramp = np.minimum(np.linspace(0, 8, noise.shape[0], dtype=np.float32), 1)
    for axis in (0, 1):
        weight = ramp[:, None] if axis == 0 else ramp[None]
        noise = noise * weight + np.roll(noise, noise.shape[axis] // 2, axis) * (1 - weight)
    return noise


def _muted(rng):
    colour = cloth_colour(rng)
    return colour.mean() * np.float32(0.7) + 40 + (colour - colour.mean()) * np.float32(rng.uniform(0.05, 0.35))


def _skirting(rng, stage, picture, floor, end):
    """The foot of the wall: a dark line between it and the floor."""
    if floor.all() or not floor.any():
        return picture
    thick = max(1, round(stage.camera.focal_length_px * rng.uniform(0.01, 0.1) / end))
    edge = cv2.dilate(floor.astype(np.uint8), np.ones((2 * thick + 1, 1), np.uint8)) > floor
    return np.where(edge[..., None], picture * np.float32(rng.uniform(0.4, 0.9)), picture)


def _shadows(rng, stage: Stage, meshes) -> np.ndarray:
    """(H, W) float32 0..1: how much light the meshes take from the ground, dense where they touch it."""
    width, height = stage.camera.image_size_px
    view = Viewport.of_camera(stage.camera).scaled(_SHADOW_SCALE)
    dark = np.zeros(view.size_px[::-1], np.float32)
    lean = np.array([*rng.normal(0, 0.5, 2)])
    nearest = min(float(vertices[:, 2].min()) for vertices, _ in meshes)
    pixel_per_m = stage.camera.focal_length_px * _SHADOW_SCALE / max(nearest, 0.5)
    strength = rng.uniform(0.25, 0.65)
    for slope, blur_m, weight in ((lean, 0.06, strength), (lean * 0, 0.2, 0.45)):
        canvas = Canvas(view)
        for vertices, faces in meshes:
            canvas.draw(_flattened(stage.ground, vertices, slope), faces, np.zeros_like(vertices), cull=False)
        sigma = float(np.clip(blur_m * pixel_per_m, 0.8, 40))
        soft = cv2.GaussianBlur(canvas.mask.astype(np.float32), (0, 0), sigma)
        dark = 1 - (1 - dark) * (1 - soft * np.float32(weight))
    return cv2.resize(dark, (width, height), interpolation=cv2.INTER_LINEAR)


def _flattened(ground: Ground, vertices, slope) -> np.ndarray:
    spots = ground.from_camera(vertices)
    spots[:, [0, 2]] += slope * spots[:, 1:2]
    spots[:, 1] = 0.002
    return ground.to_camera(spots)
