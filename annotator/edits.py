"""What a key or a button does to a person, as commands: decided here, written by the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from annotator.commands import (
    MovePoint,
    RemovePoint,
    SetBetas,
    SetCamera,
    SetGender,
    SetVisibility,
    SwapSides,
    Together,
)
from annotator.figures import Figure
from annotator.project.draft import Command
from annotator.project.state import Photo
from annotator.rig import Rig, aims_of, body_commands
from cliff_core.body import Body
from cliff_core.errors import GeometryError
from cliff_core.fitting.editing import copy_limb, mirror_limb, mirror_pose, refocus
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Camera, Keypoints, Provenance, SmplParams
from cliff_core.skeletons import JOINT_SETS, SMPL24

_ALL_JOINTS = frozenset(range(24))
_FIT_ITERATIONS = 30
SHARED_SHAPE = "Share shape"
LEGS = ("hip", "knee", "ankle", "heel", "toe", "foot")
ARMS = ("shoulder", "elbow", "wrist", "hand")


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied, to be pasted on somebody.

    Attributes:
        params: whose pose.
        limb: only this limb of it ("left_arm", ...); all of it if empty.
    """

    params: SmplParams
    limb: str = ""


def pose_command(
    figure: Figure, after: SmplParams, label: str, by_hand: frozenset[int] = _ALL_JOINTS, moved: bool = False
) -> Command | None:
    """A new pose as one edit; `None` where it is the old one."""
    commands = body_commands(figure, after, by_hand, moved)
    return Together(label, tuple(commands)) if commands else None


def set_visibility(figure: Figure, point: str, visibility: int) -> Command | None:
    """A point is visible (2), hidden (1) or absent (0); `None` where there is nothing to say that of."""
    keypoints = figure.keypoints
    joint_set, person = keypoints.joint_set, figure.person.id
    seen = int(keypoints.visibility[JOINT_SETS[joint_set].index(point)])
    if seen and not visibility:
        return RemovePoint(person, joint_set, point)
    return SetVisibility(person, joint_set, point, visibility) if seen and seen != visibility else None


def cycle_visibility(figure: Figure, point: str) -> Command | None:
    """Visible, hidden, absent, and visible again where it was."""
    keypoints = figure.keypoints
    row = JOINT_SETS[keypoints.joint_set].index(point)
    seen = int(keypoints.visibility[row])
    if seen:
        return set_visibility(figure, point, seen - 1)
    x, y = _last_place(figure, keypoints, row)
    return MovePoint(figure.person.id, keypoints.joint_set, point, (float(x), float(y)), 2)


def _last_place(figure: Figure, keypoints: Keypoints, row: int) -> np.ndarray:
    """Where an absent point would be: where a detector saw it, or else where the middle of the box is."""
    prediction = figure.person.predictions.get(f"points/{keypoints.joint_set}")
    if prediction is not None and prediction.keypoints is not None and prediction.keypoints.visibility[row]:
        return prediction.keypoints.points_px[row]
    if figure.box is not None:
        return figure.box.centre_px
    return keypoints.points_px[keypoints.visibility > 0].mean(axis=0) if keypoints.visibility.any() else np.zeros(2)


def swap_sides(figure: Figure, rig: Rig, parts: Sequence[str] = ()) -> Command | None:
    """Left and right points exchanged, and the body fitted to them, begun from the pose with its sides exchanged.

    `None` for somebody without points.

    Args:
        figure: somebody with points.
        rig: how bodies follow.
        parts: words of the points' names (`LEGS`, `ARMS`); all points if empty.
    """
    keypoints = figure.keypoints
    if figure.person.keypoints(keypoints.joint_set) is None:
        return None
    joint_set = JOINT_SETS[keypoints.joint_set]
    chosen = [name for name in joint_set.names if any(part in name.split("_") for part in parts)] if parts else None
    swap = SwapSides(figure.person.id, keypoints.joint_set, chosen)
    if figure.params is None or not rig.follow:
        return swap
    rows = np.arange(len(joint_set)) if chosen is None else np.array([joint_set.index(name) for name in chosen])
    other = np.arange(len(joint_set))
    other[rows] = joint_set.flip[rows]
    swapped = replace(
        keypoints,
        points_px=keypoints.points_px[other],
        visibility=keypoints.visibility[other],
        confidence=keypoints.confidence[other],
    )
    start = mirror_pose(figure.params) if not parts else figure.params
    if parts:
        start = mirror_limb(start, "left_leg" if "knee" in parts else "left_arm")
    after = _fitted(replace(figure, keypoints=swapped, params=start), rig)
    return Together(swap.label, (swap, *body_commands(figure, after)))


def fit(figure: Figure, rig: Rig) -> Command | None:
    """The body brought to its points, near the prior; what a person turned stays."""
    if figure.params is None or not figure.keypoints.visibility.any():
        return None
    return pose_command(figure, _fitted(figure, rig), "Fit body to points", frozenset())


def follow(figure: Figure, rig: Rig, placed: int | None = None) -> Command | None:
    """The body begun anew from what CLIFF says of the points as they are now, and brought to them.

    Rotations, shape and place that a person set stay. `None` where CLIFF was not asked.

    Args:
        figure: somebody with points.
        rig: how bodies follow.
        placed: row of the point that a hand has just placed, which the body meets.
    """
    said, written = rig.said.get(figure.person.id), figure.written
    if said is None or written is None or figure.params is None or not rig.follow:
        return None
    params = figure.params
    by_hand = np.array([who is Provenance.HUMAN for who in written.pose_source])
    shaped = np.array([who is Provenance.HUMAN for who in written.betas_source])
    start = replace(
        said,
        pose_rotvec=np.where(by_hand[:, None], params.pose_rotvec, said.pose_rotvec),
        betas=np.where(shaped, params.betas, said.betas),
        transl=params.transl if written.transl_source is Provenance.HUMAN else said.transl,
        gender=params.gender,
    )
    after = _fitted(replace(figure, params=start), rig, placed)
    return pose_command(figure, after, "Fit body to points", frozenset())


def _fitted(figure: Figure, rig: Rig, placed: int | None = None) -> SmplParams:
    assert figure.params is not None
    aims = [*aims_of(figure.keypoints, placed), *rig.pinned(figure)]
    return rig.solver(figure).solve(figure.params, aims, iterations=_FIT_ITERATIONS).params


def mirror(figure: Figure) -> Command | None:
    """The pose with left and right exchanged."""
    return None if figure.params is None else pose_command(figure, mirror_pose(figure.params), "Mirror pose")


def limb_of(part: str) -> str:
    """The limb that a point or joint belongs to ("left_arm"); empty for head and trunk."""
    side, _, rest = part.partition("_")
    words = rest.split("_")
    if side not in ("left", "right"):
        return ""
    if any(word in ("collar", *ARMS) for word in words):
        return f"{side}_arm"
    return f"{side}_leg" if any(word in LEGS for word in words) else ""


def paste(figure: Figure, copied: Copied, *, mirrored: bool = False) -> Command | None:
    """A copied pose or limb for somebody else, who stays where they are and faces as they do."""
    if figure.params is None:
        return None
    source = mirror_pose(copied.params) if mirrored and not copied.limb else copied.params
    if copied.limb:
        side, _, limb = copied.limb.partition("_")
        onto = f"{'right' if side == 'left' else 'left'}_{limb}" if mirrored else copied.limb
        after = copy_limb(source, figure.params, copied.limb, onto)
        return pose_command(figure, after, f"Paste {onto.replace('_', ' ')}")
    pose = source.pose_rotvec.copy()
    pose[0] = figure.params.pose_rotvec[0]
    return pose_command(figure, replace(figure.params, pose_rotvec=pose), "Paste pose")


def take_pose(figure: Figure, other: SmplParams) -> Command | None:
    """The pose of the previous photo with its facing: people in a row of photos move little."""
    if figure.params is None:
        return None
    return pose_command(figure, replace(figure.params, pose_rotvec=other.pose_rotvec.copy()), "Pose of previous photo")


def set_betas(figure: Figure, betas: np.ndarray, label: str = "Shape") -> Command | None:
    """Another shape; the feet stay on the ground they stood on as well as the points allow."""
    if figure.params is None:
        return None
    changed = np.flatnonzero(np.abs(betas - figure.params.betas) > 1e-9)
    if not len(changed):
        return None
    values = {int(number): float(betas[number]) for number in changed}
    return SetBetas(figure.person.id, values, Provenance.HUMAN, label)


def share_shape(source: Figure, others: Sequence[Figure]) -> Command | None:
    """The shape of one person for others who are the same person elsewhere, as one edit.

    They get the betas and the gender, and stand where they keep their size in the photo: a taller body is farther away.
    Where a person set somebody's place, it stays. `None` where nobody is to be changed.

    Args:
        source: whose shape.
        others: who get it; somebody without a body is left out.
    """
    params = source.params
    others = [other for other in others if other.params is not None]
    if params is None or not others:
        return None
    values = {number: float(beta) for number, beta in enumerate(params.betas)}
    commands: list[Command] = []
    for other in others:
        assert other.params is not None
        number = other.person.id
        if other.params.gender != params.gender:
            commands.append(SetGender(number, params.gender))
        commands.append(SetBetas(number, values, Provenance.HUMAN, SHARED_SHAPE))
        moved = replace(other.params, transl=_as_large_as_before(other, source.body, params.betas))
        commands.extend(body_commands(other, moved))
    return Together(SHARED_SHAPE, tuple(commands))


def _as_large_as_before(figure: Figure, body: Body, betas: np.ndarray) -> np.ndarray:
    """(3,) transl with which another shape in the same pose has its pelvis on the same pixel, and the same size."""
    assert figure.params is not None
    pose_rotmat = rotvec_to_rotmat(figure.params.pose_rotvec)
    before, _ = figure.body.forward_kinematics(pose_rotmat, figure.params.betas)
    after, _ = body.forward_kinematics(pose_rotmat, betas)
    grown = np.linalg.norm(after - after[0]) / np.linalg.norm(before - before[0])
    return (before[0] + figure.params.transl) * grown - after[0]


def set_camera(photo: Photo, figures: Sequence[Figure], camera: Camera) -> SetCamera:
    """Another camera for a photo; everybody on it stays where and as large as they are seen.

    Raises:
        GeometryError: somebody stands behind the camera.
    """
    transl = {}
    for figure in figures:
        if figure.params is not None:
            moved = refocus(figure.params, figure.body, figure.camera, camera, keep_orientation=True)
            transl[figure.person.id] = [float(value) for value in moved.transl]
    return SetCamera(photo.id, camera, transl)


def guess_camera(photo: Photo, figures: Sequence[Figure]) -> Command:
    """Back to CLIFF's guess, which what the photo tells, a file or an estimate may replace.

    Raises:
        GeometryError: somebody stands behind the camera.
    """
    return replace(set_camera(photo, figures, Camera.guess(photo.size_px)), source=Provenance.MODEL)


def camera_of_field(photo: Photo, field_of_view_deg: float) -> Camera:
    """The camera with a vertical field of view.

    Raises:
        GeometryError: not between 1 and 170 degrees.
    """
    if not 1 <= field_of_view_deg <= 170:
        raise GeometryError(f"a field of view of {field_of_view_deg:g}° is none of a camera; give 1 to 170")
    focal = photo.size_px[1] / 2 / np.tan(np.radians(field_of_view_deg) / 2)
    return Camera(float(focal), photo.size_px, None if photo.camera is None else photo.camera.principal_point_px)


def joint_of_point(point: str) -> str | None:
    """The SMPL joint that a 2D point is about; `None` for those of the face and the toes' tips."""
    return point if point in SMPL24.names else None
