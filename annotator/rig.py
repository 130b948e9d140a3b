"""How bodies follow a hand: the prior's pull, pins and locks of the session, and the solver made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from annotator.commands.body import SetBetas, SetPose, SetTransl
from annotator.figures import Figure
from annotator.project.draft import Command
from cliff_core.fitting.interactive import HARD, Aim, InteractiveSolver
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.records import Keypoints, Provenance, SmplParams
from cliff_core.skeletons import COCO23, JOINT_SETS, SMPL24

_SAME = 1e-7


def point_rows(joint_set: str) -> np.ndarray:
    """(K,) rows of a joint set's points among the solver's 47 (COCO-23, then SMPL-24); -1 where it has none.

    Hips of the two sets are different places (formats page), so that only points of the same definition are taken.
    """
    if joint_set == SMPL24.name:
        return np.arange(len(COCO23), len(COCO23) + len(SMPL24))
    return np.array([COCO23.index(name) if name in COCO23.names else -1 for name in JOINT_SETS[joint_set].names])


class Rig:
    """What the session knows of posing, beyond what is written.

    Attributes:
        trust: 0 the prior counts, 1 only the points.
        follow: whether the body follows points.
        pins: number of a person -> joint -> (3,) where it is held, metres.
        locks: number of a person -> joints whose rotation stays.
        said: number of a person -> what CLIFF says of them with the points as they are now, where it was asked.

    Args:
        skeletons: by gender.
    """

    def __init__(self, skeletons: Mapping[str, Skeleton]):
        self.trust = 0.5
        self.follow = True
        self.pins: dict[int, dict[str, np.ndarray]] = {}
        self.locks: dict[int, frozenset[str]] = {}
        self.said: dict[int, SmplParams] = {}
        self._skeletons = skeletons

    def skeleton(self, figure: Figure) -> Skeleton:
        """Of somebody's body."""
        return self._skeletons[figure.body.gender]

    def solver(self, figure: Figure, free: frozenset[int] = frozenset()):
        """A solver for somebody: what a person set, or locked, stays, but for the joints that the hand is on.

        Args:
            figure: somebody with a body.
            free: rows of joints that move although somebody set them.
        """
        assert figure.params is not None
        written = figure.written
        locked = {SMPL24.index(name) for name in self.locks.get(figure.person.id, frozenset())}
        if written is not None:
            by_hand = {row for row, who in enumerate(written.pose_source) if who is Provenance.HUMAN}
            locked |= by_hand - free
        said = self.said.get(figure.person.id)
        return InteractiveSolver(
            self.skeleton(figure),
            figure.camera,
            predicted(figure) if said is None else _standing(said, figure.params),
            trust=self.trust,
            locked=frozenset(locked),
        )

    def pinned(self, figure: Figure, without: str = "") -> list[Aim]:
        """Somebody's pins as aims."""
        held = self.pins.get(figure.person.id, {})
        return [
            Aim(len(COCO23) + SMPL24.index(name), None, (float(x), float(y), float(z)), HARD)
            for name, (x, y, z) in held.items()
            if name != without
        ]


def predicted(figure: Figure) -> SmplParams:
    """What a model said of somebody, where they stand now; their own body if no model said anything."""
    assert figure.params is not None
    prediction = figure.person.predictions.get("body")
    if prediction is None or prediction.params is None:
        return figure.params
    return _standing(prediction.params, figure.params)


def _standing(said: SmplParams, params: SmplParams) -> SmplParams:
    """What was said of a body, where that body stands now: how far away it is nobody was asked."""
    return replace(said, transl=params.transl, gender=params.gender)


def aims_of(keypoints: Keypoints, dragged: int | None = None) -> list[Aim]:
    """What somebody's 2D points want of their body; the dragged one must be met."""
    rows = point_rows(keypoints.joint_set)
    aims = []
    for k in np.flatnonzero((keypoints.visibility > 0) & (rows >= 0)):
        by_model = keypoints.source[k] is Provenance.MODEL
        weight = HARD if k == dragged else float(keypoints.confidence[k]) if by_model else 1.0
        x, y = keypoints.points_px[k]
        if weight > 0:
            aims.append(Aim(int(rows[k]), (float(x), float(y)), None, weight))
    return aims


def body_commands(
    figure: Figure, after: SmplParams, by_hand: frozenset[int] = frozenset(), moved_by_hand: bool = False
) -> Sequence[Command]:
    """The edits that bring somebody's written body to another one; only what differs is set.

    Args:
        figure: somebody with a body.
        after: the body they shall have.
        by_hand: rows of joints that the person turned; the others followed.
        moved_by_hand: whether the person moved the body as a whole.
    """
    written = figure.written
    if written is None:
        return ()
    before, person = written.params, figure.person.id
    turned = np.abs(after.pose_rotvec - before.pose_rotvec).max(axis=1) > _SAME
    commands: list[Command] = []
    for source in (Provenance.HUMAN, Provenance.FIT):
        rows = [int(row) for row in np.flatnonzero(turned) if (row in by_hand) == (source is Provenance.HUMAN)]
        if rows:
            rotvecs = {SMPL24.names[row]: [float(value) for value in after.pose_rotvec[row]] for row in rows}
            commands.append(SetPose(person, rotvecs, source))
    betas = np.flatnonzero(np.abs(after.betas - before.betas) > _SAME)
    if len(betas):
        commands.append(SetBetas(person, {int(k): float(after.betas[k]) for k in betas}, Provenance.FIT))
    if np.abs(after.transl - before.transl).max() > _SAME:
        source = Provenance.HUMAN if moved_by_hand else Provenance.FIT
        commands.append(SetTransl(person, [float(value) for value in after.transl], source))
    return tuple(commands)
