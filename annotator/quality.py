"""What can be said of somebody's body without knowing the truth: numbers that point at what deserves a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from annotator.figures import Figure, project
from annotator.rig import point_rows, predicted
from cliff_core.body import Body
from cliff_core.fitting.kinematics import Skeleton
from cliff_core.fitting.limits import violations
from cliff_core.fitting.self_contact import SelfContact, deepest_m
from cliff_core.geometry.rotations import geodesic_deg, rotvec_to_rotmat
from cliff_core.records import SmplParams
from cliff_core.skeletons import COCO23, JOINT_SETS, SMPL24

_ODD_BETA = 3.0
_FLIPPED_SHARE = 0.6  # with sides exchanged the points would fit so much better
_LEAST_FLIP_PX = 0.04  # of the box; less is noise


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a body agrees with its points, with people, and with what was predicted.

    Attributes:
        error_px: mean distance between points and the body's; NaN where either is missing.
        error_share: the same as a share of the box's longer side.
        worst: names of the points that are farthest off, with pixels, worst first.
        flipped: "arms", "legs" that would fit much better with sides exchanged.
        beyond_deg: joint -> degrees beyond its limits.
        odd_betas: numbers of shape coefficients beyond three standard deviations.
        inside: (what, of what, metres) that is inside another part of the body, the deepest first.
        turned_deg: joint -> degrees away from the prediction, the largest first.
    """

    error_px: float
    error_share: float
    worst: tuple[tuple[str, float], ...]
    flipped: tuple[str, ...]
    beyond_deg: tuple[tuple[str, float], ...]
    odd_betas: tuple[int, ...]
    inside: tuple[tuple[str, str, float], ...]
    turned_deg: tuple[tuple[str, float], ...]


def point_errors_px(figure: Figure) -> np.ndarray:
    """(K,) pixels between somebody's 2D points and their body's; NaN where either is not known."""
    shown, known = _projected_points(figure)
    errors = np.full(len(known), np.nan)
    errors[known] = np.linalg.norm(shown[known] - figure.keypoints.points_px[known], axis=1)
    return errors


_LOOKING: WeakKeyDictionary[Body, SelfContact] = WeakKeyDictionary()  # a closed project's bodies are not kept


def self_contact_of(body: Body) -> SelfContact:
    """What finds a body inside itself; made once for each body model."""
    if body not in _LOOKING:
        _LOOKING[body] = SelfContact(body)
    return _LOOKING[body]


def inside_mm(body: Body, params: SmplParams) -> float:
    """How deep a body is inside itself, mm; 0 where it is nowhere. A few milliseconds: not for the window's thread."""
    vertices = body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, np.zeros(3)).vertices
    return 1000 * deepest_m(self_contact_of(body).contacts(vertices))


def inside_mm_of(skeleton: Skeleton, bodies: Sequence[SmplParams]) -> list[float]:
    """The same of several, as a process is given them that knows the body by its skeleton."""
    return [inside_mm(skeleton.body, each) for each in bodies]


def quality_of(figure: Figure) -> Quality | None:
    """Look at somebody; `None` without a body."""
    if figure.params is None:
        return None
    errors = point_errors_px(figure)
    names = JOINT_SETS[figure.keypoints.joint_set].names
    known = np.flatnonzero(np.isfinite(errors))
    mean = float(errors[known].mean()) if len(known) else float("nan")
    size = _size_px(figure)
    worst = sorted(((names[k], float(errors[k])) for k in known), key=lambda pair: -pair[1])
    beyond = np.degrees(violations(figure.params.pose_rotvec))
    pose, prior = rotvec_to_rotmat(figure.params.pose_rotvec), rotvec_to_rotmat(predicted(figure).pose_rotvec)
    turned = geodesic_deg(pose, prior)
    return Quality(
        error_px=mean,
        error_share=mean / size,
        worst=tuple(worst[:3]),
        flipped=_flipped(figure, errors, size),
        beyond_deg=tuple((SMPL24.names[k], float(beyond[k])) for k in np.argsort(-beyond) if beyond[k] > 1),
        odd_betas=tuple(int(k) for k in np.flatnonzero(np.abs(figure.params.betas) > _ODD_BETA)),
        inside=_inside(figure),
        turned_deg=tuple((SMPL24.names[k], float(turned[k])) for k in np.argsort(-turned)[:3] if turned[k] > 1),
    )


def _inside(figure: Figure) -> tuple[tuple[str, str, float], ...]:
    if figure.posed is None:
        return ()
    contacts = self_contact_of(figure.body).contacts(figure.posed.vertices)
    return tuple((contact.inside, contact.of, contact.depth_m) for contact in contacts)


def _projected_points(figure: Figure) -> tuple[np.ndarray, np.ndarray]:
    """(K, 2) the body's own points in the photo, and (K,) which of somebody's points can be compared with them."""
    rows = point_rows(figure.keypoints.joint_set)
    if figure.posed is None:
        return np.zeros((len(rows), 2)), np.zeros(len(rows), bool)
    surface = figure.body.keypoints(figure.posed.vertices, COCO23.name)
    shown = project(np.concatenate([surface, figure.posed.joints]), figure.camera)[rows]
    known = (rows >= 0) & (figure.keypoints.visibility > 0) & np.isfinite(shown).all(axis=1)
    return shown, known


def _size_px(figure: Figure) -> float:
    box = figure.box
    return max(box.width, box.height) if box is not None else 0.5 * float(max(figure.camera.image_size_px))


def _flipped(figure: Figure, errors: np.ndarray, size_px: float) -> tuple[str, ...]:
    """Pairs of limbs whose points would lie much nearer on the other side."""
    joint_set = JOINT_SETS[figure.keypoints.joint_set]
    shown, known = _projected_points(figure)
    found = []
    for limbs, parts in (("arms", ("elbow", "wrist")), ("legs", ("knee", "ankle"))):
        rows = [k for k in np.flatnonzero(known) if any(part in joint_set.names[k].split("_") for part in parts)]
        rows = [k for k in rows if known[joint_set.flip[k]]]
        if not rows:
            continue
        other = np.linalg.norm(shown[joint_set.flip[rows]] - figure.keypoints.points_px[rows], axis=1).mean()
        now = errors[rows].mean()
        if now > _LEAST_FLIP_PX * size_px and other < _FLIPPED_SHARE * now:
            found.append(limbs)
    return tuple(found)
