"""Simulated annotators for `bench effort`: they see the truth, and act through the gestures of the window.

Each action is one thing that a hand does in the window, and is written to a real project by the same command: a 2D
point dragged to where it belongs while the body follows, a depth alternative clicked, a joint drawn to its depth in the
side view. Hands are not exact, and nobody sees depth well in a photo (`Hands`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from annotator.commands import RemovePoint
from annotator.edits import follow, pose_command
from annotator.figures import Figure
from annotator.gestures import JointDrag, PointDrag
from annotator.project import Project
from annotator.rig import Rig
from cliff_core.body import Body
from cliff_core.errors import GeometryError
from cliff_core.evaluation.metrics import pa_mpjpe
from cliff_core.evaluation.scores import SMPL14
from cliff_core.fitting.alternatives import depth_alternatives
from cliff_core.fitting.editing import LIMBS
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Keypoints, SmplParams
from cliff_core.skeletons import JOINT_SETS, SMPL24

CROP_PX = 256

_FINE_SIGMAS = 1.5  # what is off by less than so many times the hand's own noise looks right
_SEEN_MM = 3.0  # of two pictures from the side, a person sees which is right if they differ by so much on average
_OFFERED = 6  # alternatives that the window shows

# Where a hand sets depths right, from the trunk outwards, for what comes later hangs on what comes before; each joint
# is seen against the one beside it.
_INWARD = {"hip": "pelvis", "neck": "pelvis", "shoulder": "neck", "head": "neck"}
_INWARD |= {"knee": "hip", "elbow": "shoulder", "ankle": "knee", "wrist": "elbow"}


@dataclass(frozen=True, slots=True)
class Hands:
    """How exact somebody is: standard deviations.

    Attributes:
        click_px: of a visible point, pixels of a crop `CROP_PX` high.
        hidden_px: of one that has to be guessed.
        depth_share: of how far a limb reaches towards the camera, as a share of its length; 0.15 is 9 degrees.
    """

    click_px: float = 2.0
    hidden_px: float = 5.0
    depth_share: float = 0.15


@dataclass(frozen=True, slots=True)
class Truth:
    """What an annotator sees of a person.

    Attributes:
        joints_m: (24, 3) true SMPL joints, camera frame.
        points: true 2D points of the person's joint set; visibility 0 outside the photo.
        px_per_crop_px: pixels of the photo for one of a crop `CROP_PX` high.
    """

    joints_m: np.ndarray
    points: Keypoints
    px_per_crop_px: float


def joints_of(body: Body, params: SmplParams) -> np.ndarray:
    """(24, 3) SMPL's joints of a body in the camera frame, metres."""
    joints, _ = body.forward_kinematics(rotvec_to_rotmat(params.pose_rotvec), params.betas)
    return np.asarray(joints, dtype=np.float64) + params.transl


def figure_of(project: Project, person_id: int, bodies: Mapping[str, Body]) -> Figure:
    """Somebody of a project, with points and a body, as the window would show them."""
    person = project.person(person_id)
    photo = project.photo(person.photo_id)
    camera = photo.camera or person.camera_on(photo)
    body, points = person.body, person.main_keypoints
    assert body is not None
    assert points is not None
    return Figure(person, 0, bodies[person.gender], camera, person.box, points, body.params, body, False)


class Annotator:
    """Somebody at work on one person of a project.

    Args:
        project: open for writing.
        person_id: who is worked on.
        truth: what is seen of them.
        bodies: by gender.
        rig: how bodies follow.
        hands: how exact they are.
        rng: of their noise.
    """

    def __init__(
        self,
        project: Project,
        person_id: int,
        truth: Truth,
        bodies: Mapping[str, Body],
        rig: Rig,
        hands: Hands,
        rng: np.random.Generator,
    ):
        self._project, self._id, self._truth = project, person_id, truth
        self._bodies, self._rig = bodies, rig
        points = truth.points
        sigma = np.where(points.visibility == 2, hands.click_px, hands.hidden_px) * truth.px_per_crop_px
        self._fine_px = _FINE_SIGMAS * sigma
        self._clicks_px = points.points_px + rng.normal(size=points.points_px.shape) * sigma[:, None]
        self._depth_share = hands.depth_share
        self._depth_noise = hands.depth_share * rng.normal(size=len(SMPL24))
        self._placed: set[int] = set()
        self._last: int | None = None
        self._judged: set[int] = set()

    @property
    def figure(self) -> Figure:
        """The person as the window would show them."""
        return figure_of(self._project, self._id, self._bodies)

    @property
    def error_mm(self) -> float:
        """PA-MPJPE of the body as it is now: 14 SMPL joints, after the best similarity."""
        figure = self.figure
        assert figure.params is not None
        return self._error_of(figure.body, figure.params)

    @property
    def memory(self) -> tuple[frozenset[int], frozenset[int]]:
        """Which points were placed and which depths judged; set back where the project is taken back."""
        return frozenset(self._placed), frozenset(self._judged)

    @memory.setter
    def memory(self, memory: tuple[frozenset[int], frozenset[int]]) -> None:
        """As it was."""
        self._placed, self._judged = set(memory[0]), set(memory[1])

    # --- actions; each says whether there was something to do

    def fix_worst_point(self) -> bool:
        """Drag the point that is farthest off to where it belongs, or take one away that is outside the photo."""
        figure, truth = self.figure, self._truth.points
        points = figure.keypoints
        off = np.linalg.norm(points.points_px - truth.points_px, axis=1)
        wrong = (points.visibility > 0) & ((off > self._fine_px) | (truth.visibility == 0))
        wrong[list(self._placed)] = False
        if not wrong.any():
            return False
        row = int(np.argmax(np.where(wrong, off, -1.0)))
        self._placed.add(row)
        self._last = None
        name = JOINT_SETS[points.joint_set].names[row]
        if truth.visibility[row] == 0:
            self._project.edit(RemovePoint(self._id, points.joint_set, name))
            return True
        self._last = row
        drag = PointDrag(figure, name, self._rig)
        for share in (0.5, 1.0):  # a hand gets there by and by, and the body with it
            drag.move(*(points.points_px[row] * (1 - share) + self._clicks_px[row] * share))
        self._write(drag.command())
        return True

    def follow(self, said: SmplParams) -> None:
        """What the window does when CLIFF has said something of the points as they are now."""
        self._rig.said[self._id] = said
        if self._last is not None:
            self._write(follow(self.figure, self._rig, self._last))

    def take_alternative(self) -> bool:
        """Click the best of the depth alternatives that the window offers for any limb, if one is clearly better."""
        figure = self.figure
        assert figure.params is not None
        best, gain, rows = None, _SEEN_MM, frozenset[int]()
        now = self._error_of(figure.body, figure.params)
        for limb, joints in LIMBS.items():
            try:
                offered = depth_alternatives(
                    self._rig.skeleton(figure), figure.camera, figure.params, limb, limit=_OFFERED
                )
            except GeometryError:  # a limb behind the camera: the window shows none
                continue
            for each in offered[1:]:
                better = now - self._error_of(figure.body, each.params)
                if better > gain:
                    best, gain, rows = each.params, better, frozenset(joints)
        if best is None:
            return False
        self._write(pose_command(figure, best, "Depth", rows))
        return True

    def drag_depth(self) -> bool:
        """In the side view, draw a joint whose depth is wrong to where it seems to be: the worst, inner ones first.

        A limb keeps its length: the joint goes where its limb points as far towards the camera as in truth.
        """
        figure, true = self.figure, self._truth.joints_m
        joints = self._joints(figure)
        for part, inner in _INWARD.items():
            places, off = {}, {}
            for side in ("left_", "right_") if part not in SMPL24.names else ("",):
                row, beside = SMPL24.index(side + part), _row(side, inner)
                if row in self._judged:
                    continue
                bone = joints[row] - joints[beside]
                way = _unit(_unit(true[row] - true[beside]) + np.array([0.0, 0.0, self._depth_noise[row]]))
                places[row] = joints[beside] + np.linalg.norm(bone) * way
                off[row] = abs(_unit(bone)[2] - way[2])
            if off and max(off.values()) > _FINE_SIGMAS * self._depth_share:
                row = max(off, key=off.__getitem__)
                self._judged.add(row)
                drag = JointDrag(figure, SMPL24.names[row], self._rig)
                drag.move(places[row])
                self._write(drag.command())
                return True
        return False

    def _write(self, command) -> None:
        if command is not None:
            self._project.edit(command)

    def _joints(self, figure: Figure) -> np.ndarray:
        assert figure.params is not None
        return joints_of(figure.body, figure.params)

    def _error_of(self, body: Body, params: SmplParams) -> float:
        return float(pa_mpjpe(joints_of(body, params)[None], self._truth.joints_m[None], SMPL14)[0])


def _row(side: str, part: str) -> int:
    return SMPL24.index(part if part in SMPL24.names else side + part)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
