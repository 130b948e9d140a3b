"""What a hand does to a person while a button is down: shown live, written once when it lets go.

A gesture is given places, not mouse events, so the photo, the side view and tests use the same ones. Each says what it
does while it does it (`words`), and ends as one command.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from annotator.commands import AddPerson, MovePoint, SetBox, Together
from annotator.document import Live
from annotator.figures import Figure
from annotator.project.draft import Command
from annotator.rig import Rig, aims_of, body_commands, point_rows
from cliff_core.fitting.interactive import HARD, Aim, chain_of, descendants
from cliff_core.geometry.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from cliff_core.records import Box, Provenance, SmplParams
from cliff_core.skeletons import COCO23, JOINT_SETS, SMPL24

_LEAST_BOX_PX = 4.0
_STRETCHED_MM = 1.0


class Gesture(Protocol):
    """Common to all: what is shown meanwhile, and what is written in the end."""

    @property
    def live(self) -> Live:
        """What to show now."""

    @property
    def words(self) -> str:
        """What it does now, for beside the cursor."""

    def command(self) -> Command | None:
        """What to write; `None` if nothing moved."""


def chain_of_point(joint_set: str, name: str) -> frozenset[int]:
    """Rows of the joints that move when somebody drags a 2D point: its limb's."""
    if joint_set == SMPL24.name:
        return chain_of(SMPL24.index(name))
    side, _, part = name.partition("_")
    stands_for = {"big_toe": "foot", "small_toe": "foot", "heel": "ankle", "eye": "", "ear": ""}.get(part, part)
    joint = f"{side}_{stands_for}" if stands_for and part else "head"
    return chain_of(SMPL24.index(joint)) if joint in SMPL24.names else frozenset()


class PointDrag:
    """A 2D point is dragged; the body follows so that its point meets it, near what the prior thinks.

    Args:
        figure: whose point.
        name: of the point in the person's joint set.
        rig: how bodies follow.
    """

    def __init__(self, figure: Figure, name: str, rig: Rig):
        self._figure, self._name, self._rig = figure, name, rig
        self._keypoints = figure.keypoints
        self._row = JOINT_SETS[self._keypoints.joint_set].index(name)
        self._chain = chain_of_point(self._keypoints.joint_set, name)
        self._params = figure.params
        followed = point_rows(self._keypoints.joint_set)[self._row] >= 0
        self._solver = rig.solver(figure, self._chain) if figure.params is not None and followed else None
        self._moved = False
        self._words = ""

    def move(self, x_px: float, y_px: float, alone: bool = False) -> None:
        """The point is here now, in pixels of the photo; `alone`: the body stays."""
        keypoints = self._figure.keypoints
        points, visibility, source = keypoints.points_px.copy(), keypoints.visibility.copy(), list(keypoints.source)
        confidence = keypoints.confidence.copy()
        points[self._row] = x_px, y_px
        visibility[self._row] = visibility[self._row] or 2
        confidence[self._row] = 1.0
        source[self._row] = Provenance.HUMAN
        self._keypoints = replace(
            keypoints, points_px=points, visibility=visibility, confidence=confidence, source=tuple(source)
        )
        self._moved = True
        self._words = ""
        if alone or not self._rig.follow or self._solver is None or self._params is None:
            self._params = self._figure.params
            return
        aims = [*aims_of(self._keypoints, self._row), *self._rig.pinned(self._figure)]
        solved = self._solver.solve(self._params, aims)
        self._params = solved.params
        left_px = solved.residual_px[point_rows(keypoints.joint_set)[self._row]]
        if left_px > 1.5:
            self._words = f"{left_px:.0f} px out of reach"

    @property
    def live(self) -> Live:
        """The point, and the body that follows."""
        return Live(params=self._params, keypoints=self._keypoints)

    @property
    def words(self) -> str:
        """How far the body stays behind."""
        return self._words

    def command(self) -> Command | None:
        """The point, with the body that followed, as one step."""
        if not self._moved:
            return None
        person, keypoints = self._figure.person.id, self._keypoints
        x, y = keypoints.points_px[self._row]
        move = MovePoint(
            person, keypoints.joint_set, self._name, (float(x), float(y)), int(keypoints.visibility[self._row])
        )
        followed = () if self._params is None else body_commands(self._figure, self._params, self._hand_rows())
        return Together(move.label, (move, *followed)) if followed else move

    def _hand_rows(self) -> frozenset[int]:
        """Joints that somebody had set and that the hand moves again: they stay the person's."""
        written = self._figure.written
        if written is None:
            return frozenset()
        return frozenset(row for row in self._chain if written.pose_source[row] is Provenance.HUMAN)


class JointDrag:
    """A joint is dragged through space; its limb follows, pins hold, everything else rests. The pelvis takes all along.

    Args:
        figure: somebody with a body.
        name: of the joint.
        rig: how bodies follow.
    """

    def __init__(self, figure: Figure, name: str, rig: Rig):
        assert figure.params is not None
        assert figure.posed is not None
        self._figure, self._name, self._rig = figure, name, rig
        self._row = SMPL24.index(name)
        self._movable = self._with_pinned(chain_of(self._row))
        self.start_m = figure.posed.joints[self._row].astype(np.float64)
        self._params: SmplParams = figure.params
        self._solver = rig.solver(figure, frozenset(range(24)))
        self._moved, self._words = False, ""

    def move(self, xyz_m: np.ndarray) -> None:
        """The joint shall be here now, camera frame, metres."""
        start = self._figure.params
        assert start is not None
        self._moved = True
        shift = np.asarray(xyz_m, float) - self.start_m
        x, y, z = (float(value) for value in xyz_m)
        aims = self._rig.pinned(self._figure, without=self._name)
        if self._row == 0:  # all of the body goes along; what is pinned is brought back
            self._params = replace(self._params, transl=start.transl + shift)
        else:
            aims = [Aim(len(COCO23) + self._row, None, (x, y, z), HARD), *aims]
        self._words = f"{1000 * np.linalg.norm(shift):.0f} mm"
        if aims and self._movable:
            solved = self._solver.solve(self._params, aims, movable=self._movable, move_transl=False)
            self._params = solved.params
            missed = float(np.nanmax(solved.residual_mm))
            if missed > _STRETCHED_MM:
                self._words += f" · {missed:.0f} mm out of reach"

    def _with_pinned(self, chain: frozenset[int]) -> frozenset[int]:
        """The limb, and those of pinned joints that it would carry along."""
        carried = frozenset().union(*(descendants(joint) for joint in chain | {self._row}))
        pins = {SMPL24.index(name) for name in self._rig.pins.get(self._figure.person.id, ())} - {self._row}
        holding = frozenset().union(*(chain_of(pin) for pin in pins & carried))
        return (chain | holding) - {0} if self._row == 0 else chain | holding

    @property
    def live(self) -> Live:
        """The body with the joint where it can be."""
        return Live(params=self._params)

    @property
    def words(self) -> str:
        """How far it moved, and what is out of reach."""
        return self._words

    def command(self) -> Command | None:
        """The limb's new rotations, or the body's new place."""
        if not self._moved:
            return None
        commands = body_commands(self._figure, self._params, self._movable, moved_by_hand=self._row == 0)
        return Together(f"Move {self._name.replace('_', ' ')}", tuple(commands)) if commands else None


class Turn:
    """A joint is turned around an axis in space.

    Args:
        figure: somebody with a body.
        name: of the joint.
        axis: (3,) camera frame.
    """

    def __init__(self, figure: Figure, name: str, axis: np.ndarray):
        assert figure.params is not None
        self._figure, self._name, self._row = figure, name, SMPL24.index(name)
        pose = rotvec_to_rotmat(figure.params.pose_rotvec)
        _, rotations = figure.body.forward_kinematics(pose, figure.params.betas)
        parent = figure.body.parents[self._row]
        above = np.eye(3) if parent < 0 else rotations[parent]
        self._local = pose[self._row]
        self._axis = above.T @ (np.asarray(axis, float) / np.linalg.norm(axis))
        self._params: SmplParams = figure.params
        self._angle = 0.0

    def turn(self, angle_rad: float) -> None:
        """By so much from where it was."""
        assert self._figure.params is not None
        self._angle = angle_rad
        pose = self._figure.params.pose_rotvec.copy()
        pose[self._row] = rotmat_to_rotvec(rotvec_to_rotmat(self._axis * angle_rad) @ self._local)
        self._params = replace(self._figure.params, pose_rotvec=pose)

    @property
    def live(self) -> Live:
        """The body with the joint turned."""
        return Live(params=self._params)

    @property
    def words(self) -> str:
        """By how much."""
        return f"{np.degrees(self._angle):+.0f}°"

    def command(self) -> Command | None:
        """The joint's new rotation."""
        commands = body_commands(self._figure, self._params, frozenset([self._row]))
        return Together(f"Turn {self._name.replace('_', ' ')}", tuple(commands)) if commands else None


@dataclass
class BoxDrag:
    """Sides of a box are moved, or a new one is drawn.

    Attributes:
        photo: number of the photo.
        person: whose box; `None` for somebody new.
        box: as it is now; `None` while a new one has no area.
    """

    photo: int
    person: int | None
    box: Box | None = None
    _anchor: tuple[float, float] | None = None

    def draw(self, start: tuple[float, float], x_px: float, y_px: float) -> None:
        """A box between two corners, pixels of the photo."""
        self._set(*sorted((start[0], x_px)), *sorted((start[1], y_px)))

    def side(self, before: Box, sides: str, x_px: float, y_px: float) -> None:
        """Some sides of a box at a place."""
        x0, y0, x1, y1 = before.xyxy
        x0, x1 = (x_px if "left" in sides else x0), (x_px if "right" in sides else x1)
        y0, y1 = (y_px if "top" in sides else y0), (y_px if "bottom" in sides else y1)
        self._set(*sorted((x0, x1)), *sorted((y0, y1)))

    def _set(self, x0, x1, y0, y1) -> None:
        large = min(x1 - x0, y1 - y0) >= _LEAST_BOX_PX
        self.box = Box(float(x0), float(y0), float(x1), float(y1), 1.0, Provenance.HUMAN) if large else None

    @property
    def live(self) -> Live:
        """The box."""
        return Live(box=self.box)

    @property
    def words(self) -> str:
        """Its size."""
        return "" if self.box is None else f"{self.box.width:.0f} × {self.box.height:.0f} px"

    def command(self) -> Command | None:
        """The box of somebody, or somebody new."""
        if self.box is None:
            return None
        return AddPerson(self.photo, self.box) if self.person is None else SetBox(self.person, self.box)
