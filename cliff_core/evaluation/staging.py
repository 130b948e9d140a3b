"""Who stands where: a camera, a ground, and one to four people of the open body on it, drawn at random.

All positions are in the camera frame (x right, y down, z forward), metres; the ground is the plane of all points p with
`p @ up == -height_m`. The camera decides the place of the first person in the frame, as a photographer does; the
others stand on the same ground, close by or anywhere in view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from cliff_core.body import Body
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import Camera, SmplParams
from cliff_core.synthetic.poses import PoseBank

_ASPECTS = ((4, 3), (3, 4), (16, 9), (9, 16), (3, 2), (2, 3), (1, 1))
_LONGER_SIDE_PX = (640, 1280)
_PEOPLE_ODDS = (0.35, 0.3, 0.2, 0.15)
_FOCAL_IN_DIAGONALS = (0.65, 2.0)
_SHARE_OF_FRAME = (0.18, 1.1)
_LOWEST_EYE_M = 0.25  # a camera below the ground would see nobody: people then stand on something
_RAISED_SHARE = 0.2  # of those who would stand above the camera
_NEAREST_M = 0.4
_CLEARANCE_M = 0.2  # between the joints of two people
_TRIES = 40
_LEAST_POINTS_FIRST, _LEAST_POINTS = 23, 14  # of 47 within the frame
_LEAST_SIZE_PX = 48
_BETA_LIMIT = 3.0


@dataclass(frozen=True, slots=True)
class Actor:
    """One person of a frame, without clothes.

    Attributes:
        params: the body in the camera frame.
        vertices: (V, 3) and joints: (24, 3), keypoints: (23, 3) COCO-23, camera frame.
        raised_m: how high over the ground the lowest vertex is.
    """

    params: SmplParams
    vertices: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray
    raised_m: float

    @property
    def points(self) -> np.ndarray:
        """(47, 3) COCO-23 points, then SMPL's 24 joints."""
        return np.concatenate([self.keypoints, self.joints])


@dataclass(frozen=True, slots=True)
class Ground:
    """The plane that people stand on.

    Attributes:
        axes: (3, 3) right-handed unit rows: across, up, towards the viewer; horizontal but for the second.
        height_m: of the camera above the plane.
    """

    axes: np.ndarray
    height_m: float

    @property
    def up(self) -> np.ndarray:
        """(3,) unit."""
        return self.axes[1]

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points across, above the ground and towards the viewer to the camera frame."""
        return (points - np.array([0.0, self.height_m, 0.0])) @ self.axes

    def from_camera(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points of the camera frame: across, above the ground, towards the viewer."""
        return points @ self.axes.T + np.array([0.0, self.height_m, 0.0])


@dataclass(frozen=True, slots=True)
class Stage:
    """A camera and the people before it.

    Attributes:
        camera: true focal length; principal point in the middle.
        ground: what they stand on.
        actors: one to four.
    """

    camera: Camera
    ground: Ground
    actors: tuple[Actor, ...]


def sample_stage(rng: np.random.Generator, poses: PoseBank, bodies: Mapping[str, Body]) -> Stage:
    """Draw a camera and people.

    Args:
        rng: source of all randomness.
        poses: where poses come from.
        bodies: open bodies by gender.
    """
    camera = _sample_camera(rng)
    world_to_camera = _sample_view(rng)
    while True:
        first = _place_first(rng, _cast(rng, poses, bodies, world_to_camera), camera)
        level = np.inf if first is None else float((first.vertices @ world_to_camera[:, 1]).min())
        if first is not None and (level < -_LOWEST_EYE_M or rng.random() < _RAISED_SHARE):
            break
    raised = max(0.0, level + rng.uniform(_LOWEST_EYE_M, 1.7)) if level > -_LOWEST_EYE_M else 0.0
    ground = Ground(_ground_axes(world_to_camera), raised - level)
    actors = [_moved(first, np.zeros(3), raised)]
    for _ in range(int(rng.choice(len(_PEOPLE_ODDS), p=_PEOPLE_ODDS))):
        another = _place_beside(rng, _cast(rng, poses, bodies, world_to_camera), camera, ground, actors)
        if another is not None:
            actors.append(another)
    return Stage(camera, ground, tuple(actors))


def _sample_camera(rng) -> Camera:
    longer = int(rng.integers(_LONGER_SIDE_PX[0], _LONGER_SIDE_PX[1] + 1))
    wide, tall = _ASPECTS[rng.integers(len(_ASPECTS))]
    size = (round(longer * wide / max(wide, tall)), round(longer * tall / max(wide, tall)))
    return Camera(float(np.hypot(*size) * np.exp(rng.uniform(*np.log(_FOCAL_IN_DIAGONALS)))), size)


def _sample_view(rng) -> np.ndarray:
    """(3, 3) from a y-up world to the camera frame: a little from above mostly, now and then steep or tilted."""
    pitch = rng.uniform(-35, 80) if rng.random() < 0.08 else rng.normal(8, 12)
    roll = rng.uniform(-180, 180) if rng.random() < 0.03 else rng.normal(0, 5)
    turn = Rotation.from_euler("ZX", [roll, pitch], degrees=True)
    return (Rotation.from_euler("x", np.pi) * turn).as_matrix()


def _ground_axes(world_to_camera):
    """Rows across, up, towards the viewer; the last is the optical axis laid flat (the frame's lower edge, seen
    straight from above)."""
    up = world_to_camera[:, 1]
    back = -np.array([0.0, 0.0, 1.0])
    flat = back - (back @ up) * up
    if np.linalg.norm(flat) < 1e-3:
        flat = np.array([0.0, 1.0, 0.0])
    flat /= np.linalg.norm(flat)
    return np.stack([np.cross(up, flat), up, flat])


def _cast(rng, poses, bodies, world_to_camera) -> Actor:
    """A person in a pose, facing anywhere, at the camera itself."""
    gender = str(rng.choice(sorted(bodies)))
    rotmat = rotvec_to_rotmat(poses.sample(rng, 1)[0])
    yaw = Rotation.from_euler("y", rng.uniform(-np.pi, np.pi)).as_matrix()
    rotmat[0] = world_to_camera @ yaw @ rotmat[0]
    betas = np.clip(rng.normal(0, 1.1, 10), -_BETA_LIMIT, _BETA_LIMIT)
    body = bodies[gender]
    posed = body.pose(rotmat, betas)
    params = SmplParams(rotmat_to_rotvec(rotmat), betas, np.zeros(3), gender)
    keypoints = body.keypoints(posed.vertices, "coco23")
    vertices, joints, keypoints = (part.astype(np.float64) for part in (posed.vertices, posed.joints, keypoints))
    return Actor(params, vertices, joints, keypoints, 0.0)


def _moved(actor: Actor, shift: np.ndarray, raised_m: float) -> Actor:
    params = actor.params
    moved = SmplParams(params.pose_rotvec, params.betas, params.transl + shift, params.gender)
    return Actor(moved, actor.vertices + shift, actor.joints + shift, actor.keypoints + shift, raised_m)


def _place_first(rng, actor, camera) -> Actor | None:
    """Somewhere in the frame, at a depth that gives a wanted height in it; `None` if too little of it is in view."""
    size = np.array(camera.image_size_px, dtype=np.float64)
    low, high = actor.vertices.min(0), actor.vertices.max(0)
    wanted = min(size[1] * np.exp(rng.uniform(*np.log(_SHARE_OF_FRAME))), size[0] * 1.2)
    depth = max(camera.focal_length_px * (high - low)[:2].max() / wanted, 1.2)
    margin = 0.12 if rng.random() < 0.75 else -0.05  # a quarter may be cut by the frame
    where = (margin + rng.random(2) * (1 - 2 * margin)) * size
    ray = np.append((where - camera.centre_px) / camera.focal_length_px, 1.0)
    placed = _moved(actor, ray * depth - (low + high) / 2, 0.0)
    return placed if _in_view(placed, camera, _LEAST_POINTS_FIRST) else None


def _place_beside(rng, actor, camera, ground, actors) -> Actor | None:
    """On the ground, close to somebody or anywhere in view; `None` if there is no room."""
    for _ in range(_TRIES):
        there = actors[rng.integers(len(actors))].joints.mean(0)
        close = rng.random() < 0.4
        reach = (0.5, 1.2) if close else (1.0, max(2.0, 0.8 * there[2]))
        distance, turn = np.exp(rng.uniform(*np.log(reach))), rng.uniform(0, 2 * np.pi)
        target = ground.from_camera(there) + distance * np.array([np.cos(turn), 0.0, np.sin(turn)])
        now = ground.from_camera(actor.joints.mean(0))
        lowest = ground.from_camera(actor.vertices)[:, 1].min()
        shift = np.array([target[0] - now[0], -lowest, target[2] - now[2]]) @ ground.axes
        placed = _moved(actor, shift, 0.0)
        apart = [np.linalg.norm(placed.joints[:, None] - other.joints[None], axis=-1).min() for other in actors]
        if min(apart) > _CLEARANCE_M and _in_view(placed, camera, _LEAST_POINTS):
            return placed
    return None


def _in_view(actor, camera, least_points) -> bool:
    if actor.vertices[:, 2].min() < _NEAREST_M:
        return False
    pixels = project(actor.points[None], np.array([camera.focal_length_px]), camera.centre_px[None])[0]
    inside = pixels[((pixels > 0) & (pixels < camera.image_size_px)).all(1)]
    return len(inside) >= least_points and np.ptp(inside, axis=0).max() >= _LEAST_SIZE_PX
