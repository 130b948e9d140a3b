"""What a camera sees of a place and its people, pixel by pixel, and how the light falls on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numba import njit
from scipy.spatial.transform import Rotation

from cliff_core.records import Camera
from cliff_core.rendering.rasteriser import Canvas, Viewport
from sample_build.materials import Material, srgb

SUPERSAMPLING = 3
_SHADOW_CELLS = 1000
_SHADOW_BIAS_M = 0.011
_SKY_LIGHTS, _SUN_LIGHTS = 64, 64
_LAMP_DISTANCE_M = 80.0
_EXPOSURE = 0.85


@dataclass(frozen=True)
class Rectangle:
    """A flat piece of a place.

    Attributes:
        corner: (3,) where u = v = 0.
        across, up: (3,) unit vectors of u and v.
        size_m: extent along u and v.
        material: its colours.
        glow: light of its own instead of light that falls on it (screens, lit windows), 0 for none.
        dark_edges_m: how far the dark of its corners reaches, where it meets other walls.
    """

    corner: np.ndarray
    across: np.ndarray
    up: np.ndarray
    size_m: tuple[float, float]
    material: Material
    glow: float = 0.0
    dark_edges_m: float = 0.0


@dataclass(frozen=True)
class Light:
    """The light of a place, as irradiance in the colours of linear light.

    Attributes:
        towards: (3,) to the sun, lamp or window.
        sun: (3,) its strength.
        spread_deg: its apparent radius: half a degree for the sun, twenty for a window.
        zenith, horizon: (3,) the sky (or ceiling, or walls) straight above and at the side.
        bounce: (3,) what the ground throws back.
    """

    towards: np.ndarray
    sun: np.ndarray
    spread_deg: float
    zenith: np.ndarray
    horizon: np.ndarray
    bounce: np.ndarray


@dataclass(frozen=True)
class Place:
    """Where a photo is taken.

    Attributes:
        rectangles: ground, walls, things on them.
        sky: directions (N, 3) to linear light (N, 3), for what no rectangle hides.
        light: what falls on everything.
        haze: (3,) colour that the distance fades to, and `haze_m` where it has faded by two thirds.
    """

    rectangles: tuple[Rectangle, ...]
    sky: Callable[[np.ndarray], np.ndarray]
    light: Light
    haze: np.ndarray = field(default_factory=lambda: np.ones(3, np.float32))
    haze_m: float = 1e9


@dataclass(frozen=True)
class Box:
    """A cuboid thing on the ground: a seat, a crate, a table's block. It hides, and it throws shadows.

    Attributes:
        centre: (3,) of its bottom.
        size_m: width, height, depth.
        yaw_deg: turn about the vertical.
    """

    centre: np.ndarray
    size_m: tuple[float, float, float]
    yaw_deg: float
    material: Material

    def rectangles(self) -> list[Rectangle]:
        """Its five sides that can be seen."""
        turn = Rotation.from_euler("y", self.yaw_deg, degrees=True).as_matrix()
        right, up, front = turn.T
        width, height, depth = self.size_m
        sides = []
        for across, outward, extent, away in (
            (right, front, width, depth), (-right, -front, width, depth), (-front, right, depth, width),
            (front, -right, depth, width),
        ):  # fmt: skip
            corner = self.centre + outward * away / 2 - across * extent / 2
            sides.append(Rectangle(corner, across, up, (extent, height), self.material))
        corner = self.centre + up * height - right * width / 2 + front * depth / 2
        return [*sides, Rectangle(corner, right, -front, (width, depth), self.material)]

    def mesh(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (8, 3) and faces, for its shadow."""
        corners = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (0, 1) for z in (-0.5, 0.5)]) * self.size_m
        turn = Rotation.from_euler("y", self.yaw_deg, degrees=True).as_matrix()
        quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
        return corners @ turn.T + self.centre, np.array(faces, np.int32)


@dataclass(frozen=True)
class Solid:
    """A person as the camera sees them.

    Attributes:
        vertices: (V, 3) world, with clothes on.
        normals: (V, 3).
        faces: (F, 3).
        rgb: (V, 3) sRGB 0..255 without light.
        shadow: vertices and faces of a simpler mesh that throws the shadow.
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    rgb: np.ndarray
    shadow: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Eye:
    """A camera in the world.

    Attributes:
        camera: focal length and size.
        position: (3,) world.
        world_to_camera: (3, 3) rotation.
    """

    camera: Camera
    position: np.ndarray
    world_to_camera: np.ndarray

    @classmethod
    def at(cls, camera: Camera, height_m: float, pitch_deg: float, roll_deg: float) -> Eye:
        """Above the world's origin; a positive pitch looks down."""
        turn = Rotation.from_euler("xz", [pitch_deg, roll_deg], degrees=True) * Rotation.from_euler("x", np.pi)
        return cls(camera, np.array([0.0, height_m, 0.0]), turn.as_matrix())

    def see(self, points: np.ndarray) -> np.ndarray:
        """World to camera frame, (N, 3)."""
        return (points - self.position) @ self.world_to_camera.T


@dataclass(frozen=True)
class Picture:
    """A photo and what is where in it, the latter `SUPERSAMPLING` times as fine.

    Attributes:
        rgb: (H, W, 3) uint8.
        label: (sH, sW) 1 + number of the person in front, 0 where there is none.
        depth: (sH, sW) metres along the optical axis.
    """

    rgb: np.ndarray
    label: np.ndarray
    depth: np.ndarray


def take(rng: np.random.Generator, eye: Eye, place: Place, boxes: list[Box], people: list[Solid]) -> Picture:
    """Photograph people in a place."""
    view = Viewport.of_camera(eye.camera).scaled(SUPERSAMPLING)
    width, height = view.size_px
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    (cx, cy), focal = view.centre_px, view.focal_length_px
    rays = np.stack([(x - cx) / focal, (y - cy) / focal, np.ones_like(x)], axis=-1).reshape(-1, 3)
    rays = (rays @ eye.world_to_camera).astype(np.float32)  # world directions whose length along the axis is 1
    rectangles = [*place.rectangles, *(side for box in boxes for side in box.rectangles())]
    depth, normals, albedo, glow = _see_rectangles(rays, eye.position, rectangles, focal)
    label = _see_people(eye, view, people, depth, normals, albedo, glow)
    solid = np.isfinite(depth)
    light = albedo
    if glow.any() or not solid.all():
        light[~solid] = place.sky(rays[~solid])
    lit = solid & (glow == 0)
    points = (eye.position + rays[lit] * depth[lit, None]).astype(np.float32)
    irradiance = _irradiance(rng, place.light, points, normals[lit], boxes, people)
    light[lit] *= irradiance
    light /= irradiance[label[lit] > 0].mean()  # exposed for the people
    light[glow > 0] *= glow[glow > 0, None]
    far = np.linalg.norm(rays[solid], axis=1) * depth[solid]
    light[solid] += (1 - np.exp(-far / place.haze_m))[:, None] * (place.haze - light[solid])
    light, depth = light.reshape(height, width, 3), depth.reshape(height, width)
    label = label.reshape(height, width)
    return Picture(_develop(rng, light, depth, label, eye), label, depth)


def _see_rectangles(rays, position, rectangles, focal):
    """Depth along the axis (inf: nothing), normals, colours and glow, of the nearest rectangle on every ray."""
    count = len(rays)
    depth = np.full(count, np.inf, np.float32)
    which = np.full(count, -1, np.int16)
    for number, flat in enumerate(rectangles):
        normal = np.cross(flat.across, flat.up)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = ((flat.corner - position) @ normal / (rays @ normal.astype(np.float32))).astype(np.float32)
            local = position - flat.corner
            u = local @ flat.across + t * (rays @ flat.across.astype(np.float32))
            v = local @ flat.up + t * (rays @ flat.up.astype(np.float32))
            hit = (t > 0.05) & (t < depth) & (u >= 0) & (u <= flat.size_m[0]) & (v >= 0) & (v <= flat.size_m[1])
        depth[hit], which[hit] = t[hit], number
    normals, albedo = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32)
    glow = np.zeros(count, np.float32)
    for number, flat in enumerate(rectangles):
        here = np.flatnonzero(which == number)
        if not len(here):
            continue
        normal = np.cross(flat.across, flat.up)
        facing = rays[here] @ normal
        normals[here] = normal * -np.sign(facing[:1])
        points = position + rays[here].astype(np.float64) * depth[here, None] - flat.corner
        u, v = points @ flat.across, points @ flat.up
        length = np.linalg.norm(rays[here], axis=1)
        footprint = depth[here] * length / focal / np.sqrt(np.maximum(np.abs(facing) / length, 1e-3))
        colours = flat.material.at(u, v, footprint)
        if flat.dark_edges_m:
            edge = np.minimum.reduce([u, v, flat.size_m[0] - u, flat.size_m[1] - v])
            colours *= (1 - 0.45 * np.exp(-edge / flat.dark_edges_m))[:, None].astype(np.float32)
        albedo[here], glow[here] = colours, flat.glow
    return depth, normals, albedo, glow


def _see_people(eye, view, people, depth, normals, albedo, glow):
    """Put the people in front of what is behind them; returns the flat label map."""
    colours, directions = Canvas(view), Canvas(view)
    for person in people:
        vertices = eye.see(person.vertices)
        colours.draw(vertices, person.faces, person.rgb)
        directions.draw(vertices, person.faces, person.normals * 127.5 + 127.5)
    label = colours.label.ravel().copy()
    label[colours.depth.ravel() > depth] = 0
    seen = label > 0
    depth[seen] = colours.depth.ravel()[seen]
    normal = directions.rgb.reshape(-1, 3)[seen].astype(np.float32) - 127.5
    normals[seen] = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-3)
    albedo[seen] = (colours.rgb.reshape(-1, 3)[seen].astype(np.float32) / 255) ** 2.2
    glow[seen] = 0
    return label


def _irradiance(rng, light, points, normals, boxes, people):
    """(N, 3) light on surfaces: many small lights in the sky and across the sun, each with a shadow map of its own."""
    casters = [person.shadow for person in people] + [box.mesh() for box in boxes]
    total = (0.5 - 0.5 * normals[:, 1:2]) * light.bounce.astype(np.float32)
    turns = np.arange(_SKY_LIGHTS) + 0.5
    rise = turns / _SKY_LIGHTS
    azimuth = turns * np.pi * (1 + 5**0.5) + rng.uniform(0, 2 * np.pi)
    level = np.sqrt(1 - rise**2)
    for towards in np.stack([level * np.cos(azimuth), rise, level * np.sin(azimuth)], axis=1):
        colour = light.horizon + (light.zenith - light.horizon) * towards[1]
        _shine(total, points, normals, casters, towards, colour * 2 / _SKY_LIGHTS)
    spread = np.tan(np.radians(light.spread_deg))
    for step in range(_SUN_LIGHTS):
        radius, turn = spread * np.sqrt((step + 0.5) / _SUN_LIGHTS), step * np.pi * (3 - 5**0.5)
        side = np.cross(light.towards, (0.0, 1.0, 0.1))
        side /= np.linalg.norm(side)
        other = np.cross(light.towards, side)
        towards = light.towards + radius * (np.cos(turn) * side + np.sin(turn) * other)
        _shine(total, points, normals, casters, towards / np.linalg.norm(towards), light.sun / _SUN_LIGHTS)
    return total


def _shine(total, points, normals, casters, towards, colour):
    """Add one far light to `total`."""
    vertices = np.concatenate([mesh for mesh, _ in casters])
    middle = (vertices.min(0) + vertices.max(0)) / 2
    radius = np.linalg.norm(vertices - middle, axis=1).max() * 1.03
    side = np.cross(towards, (0.0, 0.0, 1.0) if abs(towards[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(-towards, side), -towards])  # x, y, and away from the lamp
    lamp = middle + towards * _LAMP_DISTANCE_M
    focal = _SHADOW_CELLS / 2 / radius * (_LAMP_DISTANCE_M - radius)
    canvas = Canvas(Viewport(focal, (_SHADOW_CELLS / 2,) * 2, (_SHADOW_CELLS,) * 2))
    for mesh, faces in casters:
        canvas.draw((mesh - lamp) @ axes.T, faces, np.zeros_like(mesh), cull=False)
    _add_light(
        total, points, normals, canvas.depth, lamp, axes, focal, towards, np.asarray(colour, np.float64), _SHADOW_BIAS_M
    )


@njit(nogil=True)  # not cached: the cache would lie among the resources
def _add_light(total, points, normals, nearest, lamp, axes, focal, towards, colour, bias):
    cells = nearest.shape[0]
    for n in range(points.shape[0]):
        slope = normals[n, 0] * towards[0] + normals[n, 1] * towards[1] + normals[n, 2] * towards[2]
        if slope <= 0:
            continue
        # Starting a little above the surface keeps it out of its own shadow.
        dx = points[n, 0] + 0.009 * normals[n, 0] - lamp[0]
        dy = points[n, 1] + 0.009 * normals[n, 1] - lamp[1]
        dz = points[n, 2] + 0.009 * normals[n, 2] - lamp[2]
        away = axes[2, 0] * dx + axes[2, 1] * dy + axes[2, 2] * dz
        x = (axes[0, 0] * dx + axes[0, 1] * dy + axes[0, 2] * dz) / away * focal + cells / 2
        y = (axes[1, 0] * dx + axes[1, 1] * dy + axes[1, 2] * dz) / away * focal + cells / 2
        shadow = 0.0
        if 1 <= x < cells - 1 and 1 <= y < cells - 1:
            column, row = int(x - 0.5), int(y - 0.5)
            u, v = x - 0.5 - column, y - 0.5 - row
            near = (1 - u) * (away > nearest[row, column] + bias) + u * (away > nearest[row, column + 1] + bias)
            far = (1 - u) * (away > nearest[row + 1, column] + bias) + u * (away > nearest[row + 1, column + 1] + bias)
            shadow = (1 - v) * near + v * far
        amount = slope * (1 - shadow)
        total[n, 0] += amount * colour[0]
        total[n, 1] += amount * colour[1]
        total[n, 2] += amount * colour[2]


def _develop(rng, light, depth, label, eye):
    """Linear light to a photo: exposure, what is far out of focus, tone curve, vignette, noise."""
    size = eye.camera.image_size_px
    people = label > 0
    light = cv2.resize(light * np.float32(_EXPOSURE), size, interpolation=cv2.INTER_AREA)
    focus = float(np.median(depth[people]))
    near = cv2.resize(np.minimum(depth, 1e4), size, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(people.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    behind = np.clip(1 - focus * 1.35 / np.maximum(near, 1e-3), 0, 1) * (covered == 0)
    for reach in (0.25, 0.5):  # the farther, the softer; people are left out of what is mixed
        weight = (behind > reach).astype(np.float32)
        sigma = 2.2 * reach * max(size) / 1000
        mixed = cv2.GaussianBlur(light * weight[..., None], (0, 0), sigma)
        total = cv2.GaussianBlur(weight, (0, 0), sigma)
        light = np.where(weight[..., None] > 0, mixed / np.maximum(total, 1e-3)[..., None], light)
    light = light * (1 + light / 9) / (1 + light) * 1.45  # bright parts are compressed, as film and phones do
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    light *= (1 - 0.07 * (x**2 + y**2))[..., None].astype(np.float32)
    picture = srgb(light) + rng.normal(0, 1.2, (*light.shape[:2], 1))
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
