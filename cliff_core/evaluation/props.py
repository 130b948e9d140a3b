"""Things that stand about: what people sit and stand on, and what hides a part of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from cliff_core.evaluation.staging import Actor, Ground, Stage
from cliff_core.rendering.rasteriser import vertex_normals
from cliff_core.skeletons import SMPL24
from cliff_core.synthetic.textures import cloth, cloth_colour, noise_at

_OCCLUDER_SHARE = 0.4  # of frames
_SEAT_LOWEST_M = 0.2
_SITTING_HIP_RAD = 0.9
_CLEARANCE_M = 0.15  # between a thing and the nearest joint
_CELLS = 14  # along each side of a box: colours and light are known at corners only
_HIPS = [SMPL24.index("left_hip"), SMPL24.index("right_hip")]
_FEET = [SMPL24.index(f"{side}_{part}") for side in ("left", "right") for part in ("ankle", "foot")]


@dataclass(frozen=True, slots=True)
class Thing:
    """A coloured mesh.

    Attributes:
        vertices: (V, 3) camera frame, metres; normals: (V, 3).
        faces: (F, 3), counter-clockwise from outside.
        rgb: (V, 3) 0..255 without light.
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    rgb: np.ndarray


def sample_props(rng: np.random.Generator, stage: Stage) -> list[Thing]:
    """Seats under those who sit, blocks under those who are raised, and now and then things in front of somebody."""
    things = []
    for actor in stage.actors:
        if actor.raised_m > 0:
            things.append(_block_under(rng, actor, stage.ground))
        seat = _seat_under(rng, actor, stage.ground)
        if seat is not None:
            things.append(seat)
    if rng.random() < _OCCLUDER_SHARE:
        for _ in range(rng.integers(1, 3)):
            hider = _in_front_of(rng, stage.actors[rng.integers(len(stage.actors))], stage)
            if hider is not None:
                things.append(hider)
    return things


def _block_under(rng, actor, ground) -> Thing:
    spots = ground.from_camera(actor.vertices)
    soles = spots[spots[:, 1] < actor.raised_m + 0.1]
    low, high = soles.min(0), soles.max(0)
    size = np.maximum(high - low, 0) + rng.uniform(0.1, 0.8)
    middle = (low + high) / 2
    return _box(rng, ground, (middle[0], 0.0, middle[2]), (size[0], actor.raised_m, size[2]), 0.0)


def _seat_under(rng, actor: Actor, ground: Ground) -> Thing | None:
    """A block that carries who sits with bent hips, the bottom over the floor and the feet away from it."""
    bend = np.linalg.norm(actor.params.pose_rotvec[_HIPS], axis=1)
    joints = ground.from_camera(actor.joints)
    hips, feet = joints[_HIPS].mean(0), joints[_FEET].mean(0)
    spots = ground.from_camera(actor.vertices)
    bottom = spots[np.linalg.norm((spots - hips)[:, [0, 2]], axis=1) < 0.15, 1].min(initial=np.inf)
    ahead = (feet - hips)[[0, 2]]
    upright = ground.from_camera(actor.joints)[SMPL24.index("neck"), 1] > hips[1] + 0.3
    over_floor = bottom - actor.raised_m
    if not (bend.min() > _SITTING_HIP_RAD and _SEAT_LOWEST_M < over_floor < 0.75 and upright):
        return None
    if np.linalg.norm(ahead) < 0.2:
        return None
    ahead /= np.linalg.norm(ahead)
    depth = rng.uniform(0.3, 0.5)
    middle = hips[[0, 2]] - ahead * (depth / 2 - 0.14)
    yaw = np.arctan2(ahead[0], ahead[1])
    size = (rng.uniform(0.35, 0.6), over_floor, depth)
    return _box(rng, ground, (middle[0], actor.raised_m, middle[1]), size, yaw)


def _in_front_of(rng, actor, stage: Stage) -> Thing | None:
    """Something on the ground between the camera and a person; `None` if the camera has no room for it."""
    ground = stage.ground
    person = ground.from_camera(actor.joints.mean(0))
    eye = ground.from_camera(np.zeros(3))
    towards = (eye - person)[[0, 2]]
    away = np.linalg.norm(towards)
    gap = rng.uniform(0.45, 1.3)
    if away < gap + 0.8:
        return None
    towards /= away
    aside = np.array([-towards[1], towards[0]]) * rng.normal(0, 0.45)
    x, z = person[[0, 2]] + towards * gap + aside
    kind = rng.random()
    yaw = np.arctan2(towards[0], towards[1]) + rng.normal(0, 0.4)
    if kind < 0.4:  # a table, a crate, a chest
        size = (rng.uniform(0.4, 1.4), rng.uniform(0.4, 1.05), rng.uniform(0.3, 0.7))
    elif kind < 0.6:  # a wall, a fence, a counter
        size = (rng.uniform(1.2, 3.0), rng.uniform(0.5, 1.2), rng.uniform(0.06, 0.3))
    elif kind < 0.8:  # a post, a pillar, the edge of a door
        wide = rng.uniform(0.06, 0.25)
        size = (wide, rng.uniform(1.4, 3.2), wide)
    else:
        radius = rng.uniform(0.25, 0.6)
        size = (2 * radius, 3 * radius, 2 * radius)
    if any(_stands_in(other, ground, (x, 0, z), size, yaw) for other in stage.actors):
        return None
    return _box(rng, ground, (x, 0, z), size, yaw) if kind < 0.8 else _bush(rng, ground, (x, 0, z), size[0] / 2)


def _stands_in(actor, ground, bottom, size_m, yaw) -> bool:
    """Whether a person would be inside a block, or nearly."""
    local = (ground.from_camera(actor.joints) - bottom) @ _turn(yaw)
    half = np.array([size_m[0] / 2, size_m[1], size_m[2] / 2]) + _CLEARANCE_M
    return bool((np.abs(local) < half).all(1).any())


def _turn(yaw) -> np.ndarray:
    """(3, 3) turns columns about the vertical."""
    return np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])


def _box(rng, ground, bottom, size_m, yaw) -> Thing:
    """A block: the middle of its bottom (across, above the ground, towards the viewer), width, height and depth."""
    corners, normals, faces = _unit_box()
    turn = _turn(yaw)
    local = corners * size_m
    placed = ground.to_camera(local @ turn.T + np.asarray(bottom, dtype=np.float64))
    return Thing(placed, normals @ turn.T @ ground.axes, faces, _material(rng, local))


def _material(rng, local):
    """Painted, patterned or wooden."""
    kind = rng.random()
    if kind < 0.35:
        return cloth(rng, local.astype(np.float32))
    base = np.array((150, 110, 72)) * rng.uniform(0.4, 1.4) if kind < 0.65 else cloth_colour(rng)
    grain = noise_at(rng, local * (1.0, rng.choice((0.15, 1.0)), 1.0), rng.uniform(0.03, 0.15)) - 0.5
    return np.clip(base * (1 + grain * rng.uniform(0.05, 0.6))[:, None], 0, 255)


@cache
def _unit_box():
    """Corners (V, 3) of a finely divided cube over the origin, its normals and faces; edges belong to one side only."""
    steps = np.linspace(-0.5, 0.5, _CELLS + 1)
    u, v = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    row = _CELLS + 1
    first = (np.arange(_CELLS)[:, None] * row + np.arange(_CELLS)).ravel()
    patch = np.concatenate(
        [
            np.stack([first, first + row, first + row + 1], 1),
            np.stack([first, first + row + 1, first + 1], 1),
        ]
    )
    sides = []
    for axis in range(3):
        for sign in (-0.5, 0.5):
            side = np.empty((len(u), 3))
            side[:, axis] = sign
            side[:, (axis + 1) % 3], side[:, (axis + 2) % 3] = u, v * np.sign(sign)
            sides.append(side)
    corners = np.concatenate(sides)
    faces = np.concatenate([patch + number * len(u) for number in range(6)]).astype(np.int32)
    normals = np.concatenate([np.sign(side.mean(0)).round()[None].repeat(len(side), 0) for side in sides])
    corners[:, 1] += 0.5
    return corners, normals, faces


def _bush(rng, ground, bottom, radius_m) -> Thing:
    """Leaves, as a lumpy ball."""
    directions, faces = _ball()
    lumps = noise_at(rng, directions, 0.35) + 0.6 * noise_at(rng, directions, 0.12)
    local = directions * (radius_m * (0.6 + 0.5 * lumps))[:, None] * (1.0, rng.uniform(0.8, 1.8), 1.0)
    local[:, 1] -= local[:, 1].min()
    placed = ground.to_camera(local + np.asarray(bottom, dtype=np.float64))
    green = np.array((70, 100, 45)) * rng.uniform(0.5, 1.4) * rng.uniform(0.8, 1.2, 3)
    tone = 0.5 + noise_at(rng, local, 0.05) * rng.uniform(0.6, 1.2)
    return Thing(placed, vertex_normals(placed, faces), faces, np.clip(green * tone[:, None], 0, 255))


@cache
def _ball(rows: int = 40, columns: int = 60):
    """Unit directions (V, 3) in rings from pole to pole, and faces."""
    polar = np.linspace(0, np.pi, rows)[:, None]
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
    rings = np.sin(polar) * np.cos(turn), np.cos(polar) * np.ones_like(turn), np.sin(polar) * np.sin(turn)
    directions = np.stack(rings, -1).reshape(-1, 3)
    row, column = (grid.ravel() for grid in np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij"))
    here, right = row * columns + column, row * columns + (column + 1) % columns
    upper = np.stack([here, right, right + columns], 1)
    lower = np.stack([here, right + columns, here + columns], 1)
    return directions, np.concatenate([upper, lower]).astype(np.int32)
