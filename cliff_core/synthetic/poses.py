"""Body poses to train on: motion capture, mixed limb by limb, and procedural poses where capture is thin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from cliff_core.errors import TrainingError
from cliff_core.resources import resource_path
from cliff_core.skeletons import SMPL24

_PROCEDURAL_COUNT = 4096
_PROCEDURAL_SHARE = 0.22
_INDEX = {name: i for i, name in enumerate(SMPL24.names)}
_LEFT_ARM = [_INDEX[f"left_{part}"] for part in ("collar", "shoulder", "elbow", "wrist", "hand")]
_RIGHT_ARM = [_INDEX[f"right_{part}"] for part in ("collar", "shoulder", "elbow", "wrist", "hand")]
_UPPER = [_INDEX[name] for name in ("spine2", "spine3", "neck", "head")] + _LEFT_ARM + _RIGHT_ARM
_BIG_JOINTS = [_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "shoulder", "elbow")]
_QUIET_JOINTS = [_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("foot", "hand")]


def mirror_pose(pose_rotvec: np.ndarray) -> np.ndarray:
    """The pose seen in a mirror: left and right exchanged. (..., 24, 3) axis-angle in, the same out."""
    return pose_rotvec[..., SMPL24.flip, :] * np.array([1.0, -1.0, -1.0])


class PoseBank:
    """Draws plausible poses, endlessly and by seed.

    Args:
        path: an npz with `poses` (N, 24, 3) axis-angle in SMPL order, y up, and optionally `heldout` (N,) bool by
            clip; the bundled clips by default.
        heldout: draw from the held-out clips (and other procedural poses), for measuring.

    Raises:
        TrainingError: a file without usable poses.
    """

    def __init__(self, path: Path | None = None, heldout: bool = False):
        path = path or resource_path("poses", "pybullet.npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                poses = file["poses"].astype(np.float64)
                held = file["heldout"] if "heldout" in file else np.zeros(len(poses), dtype=bool)
        except (OSError, KeyError, ValueError) as error:
            raise TrainingError(
                f"{path}: no poses (N, 24, 3) in it ({error}); give an npz with a `poses` array"
            ) from None
        if poses.ndim != 3 or poses.shape[1:] != (24, 3) or not np.isfinite(poses).all():
            raise TrainingError(f"{path}: `poses` has shape {poses.shape}; expected finite (N, 24, 3) axis-angle")
        self.captured = poses[held == heldout]
        if not len(self.captured):
            raise TrainingError(f"{path}: no {'held-out' if heldout else 'training'} poses in it")
        self.heldout = heldout
        self.procedural = _procedural_poses(np.random.default_rng([7, heldout]), _PROCEDURAL_COUNT)

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, 24, 3) axis-angle, y up, facing anywhere.

        Training poses borrow limbs from each other and get noise on every joint; held-out poses are taken as they are,
        up to a degree or two.
        """
        poses = self._draw(rng, count)
        if self.heldout:
            return poses + rng.normal(0, 0.03, poses.shape)
        for joints, share in ((_UPPER, 0.35), (_LEFT_ARM, 0.12), (_RIGHT_ARM, 0.12)):
            borrowed = rng.random(count) < share
            poses[np.ix_(borrowed, joints)] = self._draw(rng, int(borrowed.sum()))[:, joints]
        noise = rng.normal(0, 0.07, poses.shape) * (rng.random((count, 1, 1)) < 0.8)
        noise[:, _QUIET_JOINTS] *= 0.5
        wild = (rng.random((count, 1, 1)) < 0.3) * rng.normal(0, 0.22, (count, len(_BIG_JOINTS), 3))
        noise[:, _BIG_JOINTS] += wild * np.array([1.0, 0.6, 1.0])
        return poses + noise

    def _draw(self, rng, count):
        poses = self.captured[rng.integers(len(self.captured), size=count)]
        procedural = rng.random(count) < _PROCEDURAL_SHARE
        poses[procedural] = self.procedural[rng.integers(len(self.procedural), size=int(procedural.sum()))]
        mirrored = rng.random(count) < 0.5
        poses[mirrored] = mirror_pose(poses[mirrored])
        return poses


def _procedural_poses(rng: np.random.Generator, count: int) -> np.ndarray:
    """Standing, sitting, kneeling, crouching and lying people with arms at rest, reaching or overhead."""
    poses = rng.normal(0, 0.06, (count, 24, 3))
    poses[:, [_INDEX["spine1"], _INDEX["spine2"], _INDEX["spine3"]], 0] += np.abs(rng.normal(0, 0.12, (count, 1)))
    poses[:, _INDEX["neck"]] += rng.normal(0, 0.15, (count, 3))
    poses[:, _INDEX["head"]] += rng.normal(0, 0.2, (count, 3))
    kinds = rng.choice(["stand", "sit", "kneel", "crouch", "lie"], count, p=[0.42, 0.24, 0.1, 0.08, 0.16])
    for pose, kind in zip(poses, kinds, strict=True):
        for side, sign in (("left", 1.0), ("right", -1.0)):
            _pose_arm(rng, pose, side, sign)
        _pose_legs(rng, pose, str(kind))
        if kind == "lie":
            tilt = Rotation.from_euler("yx", [rng.uniform(-np.pi, np.pi), rng.choice([-1, 1]) * np.pi / 2])
            pose[0] = (tilt * Rotation.from_rotvec(pose[0])).as_rotvec()
    return poses


def _pose_arm(rng, pose, side, sign):
    shoulder, elbow = _INDEX[f"{side}_shoulder"], _INDEX[f"{side}_elbow"]
    rest = np.array([sign, 0.0, 0.0])  # the arm of the T-pose
    kind = rng.choice(["hang", "reach", "overhead"], p=[0.45, 0.4, 0.15])
    if kind == "hang":
        turn = Rotation.from_euler(
            "zyx", [-sign * rng.normal(1.2, 0.18), sign * rng.normal(0, 0.3), rng.normal(0, 0.35)]
        )
        bend = abs(rng.normal(0, 0.6))
    else:
        lift = np.array([sign * 0.9, -0.2, 0.6]) if kind == "reach" else np.array([sign * 0.25, 1.6, 0.15])
        aim = rng.normal(size=3) * (1.0 if kind == "reach" else 0.4) + lift
        aim /= np.linalg.norm(aim)
        axis = np.cross(rest, aim)
        swing = Rotation.from_rotvec(axis / (np.linalg.norm(axis) + 1e-9) * np.arccos(np.clip(rest @ aim, -1, 1)))
        turn = swing * Rotation.from_rotvec(rest * rng.normal(0, 0.6))
        bend = rng.uniform(0, 2.3)
    pose[shoulder] = turn.as_rotvec()
    pose[elbow] += [0, -sign * bend, 0]


def _pose_legs(rng, pose, kind):
    flexion = {"stand": abs(rng.normal(0, 0.3)), "sit": rng.normal(1.45, 0.2), "kneel": abs(rng.normal(0.15, 0.3))}
    flexion |= {"crouch": rng.normal(1.9, 0.25), "lie": abs(rng.normal(0.2, 0.5))}
    knee_bend = {
        "stand": flexion["stand"] * rng.uniform(0.5, 2),
        "sit": rng.normal(1.4, 0.4),
        "kneel": rng.normal(1.9, 0.3),
    }
    knee_bend |= {"crouch": rng.normal(2.1, 0.25), "lie": abs(rng.normal(0.3, 0.6))}
    one_leg = rng.random() < 0.25  # the other leg does something else: a lunge, one foot up
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip_bend, knee = flexion[kind], knee_bend[kind]
        if one_leg and sign < 0:
            hip_bend, knee = abs(rng.normal(0.3, 0.6)), abs(rng.normal(0.5, 0.6))
        spread = abs(rng.normal(0.06, 0.15))
        pose[_INDEX[f"{side}_hip"]] = [-hip_bend + rng.normal(0, 0.1), rng.normal(0, 0.18), sign * spread]
        pose[_INDEX[f"{side}_knee"]] = [np.clip(knee + rng.normal(0, 0.1), 0, 2.5), 0, 0]
