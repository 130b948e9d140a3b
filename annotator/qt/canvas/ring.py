"""Rings around the selected joint: one for each way it can turn, drawn and taken hold of in any view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotator.figures import Figure
from annotator.qt.canvas.eye import Eye
from cliff_core.fitting.editing import MOVES, joint_axes
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.skeletons import SMPL24

RADIUS_PX = 46.0
_STEPS = 48
_REACH_PX = 6.0
_EDGE_ON = 0.25

NAMES = MOVES
COLOURS = ((0xF0, 0xE4, 0x42), (0x56, 0xB4, 0xE9), (0xCC, 0x79, 0xA7))


@dataclass(frozen=True, eq=False)
class Ring:
    """One way to turn a joint.

    Attributes:
        name: "twist" around the bone, "bend" and "side" across it.
        centre_m: (3,) the joint, camera frame.
        axis: (3,) unit vector.
        across: (3, 2) columns span the ring's plane.
        shown: (48, 2) in the view.
    """

    name: str
    centre_m: np.ndarray
    axis: np.ndarray
    across: np.ndarray
    shown: np.ndarray

    def angle_at(self, x: float, y: float, eye: Eye) -> float:
        """The angle on the ring that is nearest to a place in the view, radians."""
        distance = np.hypot(*(self.shown - (x, y)).T)
        return 2 * np.pi * int(np.nanargmin(distance)) / _STEPS

    def slope_px(self, angle: float, eye: Eye) -> np.ndarray:
        """(2,) how the ring moves in the view for a small turn at an angle, pixels per radian."""
        radius = _radius_m(self.centre_m, eye)
        angles = angle + np.array([-0.05, 0.05])
        ends = self.centre_m + radius * np.stack([np.cos(angles), np.sin(angles)], 1) @ self.across.T
        before, after = eye.project(ends)
        return (after - before) / 0.1


def rings_of(figure: Figure, joint: str, eye: Eye) -> list[Ring]:
    """The rings of somebody's joint in a view."""
    assert figure.posed is not None
    assert figure.params is not None
    row = SMPL24.index(joint)
    joints = figure.posed.joints.astype(np.float64)
    centre = joints[row]
    _, rotations = figure.body.forward_kinematics(rotvec_to_rotmat(figure.params.pose_rotvec), figure.params.betas)
    # The joint's own axes, so that "bend" means the same for the same joint in every pose.
    twist, bend, side = (rotations[row] @ axis for axis in joint_axes(row))
    radius = _radius_m(centre, eye)
    angles = np.arange(_STEPS) * 2 * np.pi / _STEPS
    circle = np.stack([np.cos(angles), np.sin(angles)])
    rings = []
    for name, axis, u, v in zip(NAMES, (twist, bend, side), (bend, side, twist), (side, twist, bend), strict=True):
        across = np.stack([u, v], axis=1)
        rings.append(Ring(name, centre, axis, across, eye.project(centre + radius * (across @ circle).T)))
    return rings


def ring_at(rings: list[Ring], x: float, y: float, eye: Eye) -> Ring | None:
    """The ring under a place in the view; of several the one seen most openly."""
    found = [ring for ring in rings if np.nanmin(np.hypot(*(ring.shown - (x, y)).T), initial=np.inf) <= _REACH_PX]
    return max(found, key=lambda ring: abs(ring.axis @ eye.towards(ring.centre_m)), default=None)


class RingTurn:
    """The angle that a hand on a ring has made.

    Args:
        ring: taken hold of.
        x, y: where, in the view.
        eye: of the view.
    """

    def __init__(self, ring: Ring, x: float, y: float, eye: Eye):
        self._ring, self._eye = ring, eye
        self._open = abs(ring.axis @ eye.towards(ring.centre_m)) > _EDGE_ON
        self._centre = eye.project(ring.centre_m[None])[0]
        self._last = np.array([x, y])
        self._slope = ring.slope_px(ring.angle_at(x, y, eye), eye)
        self._sense = 1.0 if ring.axis @ eye.towards(ring.centre_m) < 0 else -1.0
        self.angle_rad = 0.0

    def move(self, x: float, y: float, finer: bool) -> float:
        """The hand is here now; returns the angle from where it began."""
        here = np.array([x, y])
        if self._open:
            a, b = self._last - self._centre, here - self._centre
            change = self._sense * np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b)
        else:  # seen from its edge, a ring is a line along which the hand pulls
            change = (here - self._last) @ self._slope / max(self._slope @ self._slope, 1.0)
        self.angle_rad += change * (0.2 if finer else 1.0)
        self._last = here
        return self.angle_rad


def _radius_m(centre: np.ndarray, eye: Eye) -> float:
    depth = float(eye.see(np.asarray(centre)[None])[0, 2])
    return RADIUS_PX * max(depth, 0.05) / eye.focal_length_px
