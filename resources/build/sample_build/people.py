"""Bodies with clothes on, posed, standing on the ground or sitting on something; and what is exactly true of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from cliff_core.body import Body
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import SmplParams
from cliff_core.rendering.rasteriser import vertex_normals
from cliff_core.resources import resource_path
from cliff_core.skeletons import SMPL24
from cliff_core.synthetic.appearance import Wardrobe
from cliff_core.synthetic.poses import PoseBank, mirror_pose
from sample_build.materials import Material
from sample_build.stage import Box, Eye, Solid

_SUBDIVISIONS = 2
_MOST_ANKLE_BEND = np.radians(50)
_SEAT_JOINTS = [SMPL24.index(name) for name in ("pelvis", "left_hip", "right_hip")]


@dataclass(frozen=True)
class Actor:
    """What somebody does in a photo.

    Attributes:
        pose: "clip 796" a bundled motion-capture pose, "made 18" a procedural one that is never trained on.
        at: metres right of the camera, metres in front of it.
        facing_deg: 0 looks at the camera, 90 to the right of the picture.
        look: seed of shape and clothes.
        mirrored: the pose seen in a mirror.
        seat: width of what they sit on, 0 if they do not sit.
        raise_m: how far the feet are above the ground, in a jump.
        lean_deg: tips a procedural pose, which is not balanced, forwards.
    """

    pose: str
    at: tuple[float, float]
    facing_deg: float
    look: int
    mirrored: bool = False
    seat: float = 0.0
    raise_m: float = 0.0
    lean_deg: float = 0.0


@dataclass(frozen=True)
class Person:
    """Somebody in the world.

    Attributes:
        pose_rotvec: (24, 3), row 0 in the world.
        betas: (10,).
        shift: (3,) from where the body model puts the body to where it stands.
        solid: to draw.
        seat: what they sit on, if they do.
    """

    pose_rotvec: np.ndarray
    betas: np.ndarray
    shift: np.ndarray
    solid: Solid
    seat: Box | None

    def params(self, eye: Eye, body: Body) -> SmplParams:
        """The body in the camera frame, the pelvis being the point that both rotations leave in place."""
        rotmat = eye.world_to_camera @ rotvec_to_rotmat(self.pose_rotvec[0])
        pose = np.concatenate([rotmat_to_rotvec(rotmat)[None], self.pose_rotvec[1:]])
        pelvis = body.rest_joints(self.betas)[0]
        transl = eye.see(pelvis + self.shift) - pelvis
        return SmplParams(pose, self.betas, transl)


class Casting:
    """Finds poses, dresses people and puts them where they belong."""

    def __init__(self, body: Body):
        self.body = body
        with np.load(resource_path("poses", "pybullet.npz"), allow_pickle=False) as file:
            clips = file["poses"].astype(np.float64)
        self._poses = {"clip": clips, "made": PoseBank(heldout=True).procedural}
        self._fine = _FineBody(body)
        self._wardrobe = Wardrobe(self._fine)

    def hire(self, actor: Actor, seat: Material) -> Person:
        """The actor as a person in the world."""
        rng = np.random.default_rng([11, actor.look])
        kind, index = actor.pose.split()
        pose = self._poses[kind][int(index)].copy()
        pose[1:] += rng.normal(0, 0.025, (23, 3))  # nobody holds a pose exactly as the clip has it
        if actor.mirrored:
            pose = mirror_pose(pose)
        betas = np.clip(rng.normal(0, 1.0, 10), -2.4, 2.4).round(3)
        rotmat = rotvec_to_rotmat(pose)
        if kind == "made":
            _level_feet(rotmat)
        pose = rotmat_to_rotvec(rotmat)
        forward = rotmat[0] @ (0.0, 0.0, 1.0)
        away = np.radians(actor.facing_deg) - np.arctan2(forward[0], forward[2])
        lean = Rotation.from_euler("yx", [-actor.facing_deg, actor.lean_deg], degrees=True)
        turn = Rotation.from_euler("y", actor.facing_deg, degrees=True) * lean * Rotation.from_euler("y", away)
        rotmat[0] = turn.as_matrix() @ rotmat[0]
        pose[0] = rotmat_to_rotvec(rotmat[0])

        vertices = self.body.pose(rotmat, betas).vertices.astype(np.float64)
        normals = vertex_normals(vertices, self.body.faces).astype(np.float64)
        outfit = self._wardrobe.outfit(rng)
        rough = vertices + normals * outfit.thickness_m[: len(vertices), None]
        pelvis = self.body.rest_joints(betas)[0]
        shift = np.array([actor.at[0] - pelvis[0], actor.raise_m - rough[:, 1].min(), -actor.at[1] - pelvis[2]])
        fine_normals = self._fine.lift(normals)
        fine_normals /= np.maximum(np.linalg.norm(fine_normals, axis=1, keepdims=True), 1e-6)
        solid = Solid(
            self._fine.lift(vertices) + fine_normals * outfit.thickness_m[:, None] + shift,
            fine_normals,
            self._fine.faces,
            outfit.vertex_rgb,
            (rough + shift, self.body.faces),
        )
        return Person(pose, betas, shift, solid, self._seat(actor, rough + shift, seat) if actor.seat else None)

    def _seat(self, actor: Actor, vertices: np.ndarray, material: Material) -> Box:
        """A box that ends just below what the body sits on."""
        place = np.array([actor.at[0], 0.0, -actor.at[1]])
        bottom = np.isin(self.body.weights.argmax(axis=1), _SEAT_JOINTS)
        bottom &= np.hypot(*(vertices - place)[:, [0, 2]].T) < 0.2
        front = Rotation.from_euler("y", actor.facing_deg, degrees=True).apply([0.0, 0.0, -0.03])
        height = float(vertices[bottom, 1].min()) + 0.012  # flesh gives a little
        return Box(place + front, (actor.seat, height, 0.38), actor.facing_deg, material)


def _level_feet(rotmat):
    """Put soles that are nearly level flat on the ground: procedural poses do not care for ankles. In place."""
    for side in ("left", "right"):
        hip, knee, ankle = (SMPL24.index(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
        shin = rotmat[0] @ rotmat[hip] @ rotmat[knee]
        forward = shin @ rotmat[ankle] @ (0.0, 0.0, 1.0)
        level = Rotation.from_euler("y", np.arctan2(forward[0], forward[2])).as_matrix()
        bend = Rotation.from_matrix(shin.T @ level)
        if bend.magnitude() < _MOST_ANKLE_BEND:
            rotmat[ankle] = bend.as_matrix()


class _FineBody:
    """The body's mesh with every triangle cut into four, twice: clothes get sharp edges and patterns.

    Offers what `Wardrobe` wants to know about a body.
    """

    def __init__(self, body: Body):
        self._halves = []
        faces, count = np.asarray(body.faces), len(body.v_template)
        for _ in range(_SUBDIVISIONS):
            edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
            unique, number = np.unique(edges, axis=0, return_inverse=True)
            ab, bc, ca = (count + number.reshape(-1, 3)).T
            a, b, c = faces.T
            corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
            faces = np.concatenate([np.stack(each, axis=1) for each in corners]).astype(np.int32)
            self._halves.append(unique)
            count += len(unique)
        self.faces = faces
        self.v_template = self.lift(np.asarray(body.v_template, np.float64))
        self.weights = self.lift(np.asarray(body.weights, np.float64))
        self.J_regressor = _padded(body.J_regressor, count)
        self._keypoints, self._known = body.keypoint_regressor("coco23")

    def lift(self, values: np.ndarray) -> np.ndarray:
        """Values per vertex (V, ...) of the body to values of the finer mesh."""
        for edge in self._halves:
            values = np.concatenate([values, values[edge].mean(axis=1)])
        return values

    def keypoint_regressor(self, joint_set: str) -> tuple[np.ndarray, np.ndarray]:
        """As the body's own, which knows "coco23"; new vertices count for nothing."""
        if joint_set != "coco23":
            raise ValueError(f"only coco23 is kept, not {joint_set}")
        return _padded(self._keypoints, len(self.v_template)), self._known


def _padded(rows, count):
    rows = np.asarray(rows, np.float64)
    return np.pad(rows, ((0, 0), (0, count - rows.shape[1])))
