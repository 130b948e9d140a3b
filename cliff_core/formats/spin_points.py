"""Points in SPIN's family of files, by that family's own rules: the 24 of `part` and `S`, and OpenPose's 25.

SPIN wrote COCO's hips, MPII's pelvis and LSP's neck into one array of 24, although they are not the same places on the
body. Files of the family must follow it; the rest of the program uses `skeletons.shared_points`, which does not.
Source: SPIN's `datasets/preprocess/{coco,mpii,h36m_train}.py` (Kolotouros et al. 2019).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from cliff_core.formats.points import points_table
from cliff_core.formats.subjects import Subject
from cliff_core.records import Keypoints, Provenance
from cliff_core.skeletons import BODY25, JOINT_SETS, SPIN24

_RENAMED = {
    "mpii16": {"upper_neck": "neck"},
    "h36m17": {"head": "jaw", "head_top": "head"},  # H36M's nose-side head point is SPIN's jaw
}
# A detector's neck is the middle of the shoulders, SMPL's are joints inside the body: neither is LSP's.
_LEFT_OUT = {
    "body25": {"neck"},
    "halpe26": {"neck"},
    "smpl24": {"pelvis", "left_hip", "right_hip", "neck", "head"},
}


@cache
def spin_columns(joint_set: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices (in the joint set, in spin24) of the points that SPIN's files take over."""
    renamed, left_out = _RENAMED.get(joint_set, {}), _LEFT_OUT.get(joint_set, set())
    names = [renamed.get(name, name) for name in JOINT_SETS[joint_set].names if name not in left_out]
    kept = [index for index, name in enumerate(JOINT_SETS[joint_set].names) if name not in left_out]
    pairs = [(index, SPIN24.index(name)) for index, name in zip(kept, names, strict=True) if name in SPIN24.names]
    return np.array([a for a, _ in pairs], dtype=int), np.array([b for _, b in pairs], dtype=int)


def to_part(keypoints: Keypoints | None) -> np.ndarray:
    """(24, 3) float64 x, y in pixels and confidence; zeros where a point is unknown or not labelled."""
    part = np.zeros((len(SPIN24), 3))
    if keypoints is None:
        return part
    source, target = spin_columns(keypoints.joint_set)
    labelled = (keypoints.visibility[source] > 0) & (keypoints.confidence[source] > 0)
    source, target = source[labelled], target[labelled]
    part[target, :2] = keypoints.points_px[source]
    part[target, 2] = keypoints.confidence[source]
    return part


def from_part(part: np.ndarray) -> Keypoints | None:
    """The points of a file's (24, 3) row, `None` if it has none; the file does not tell hidden from visible points."""
    visibility = np.where(part[:, 2] > 0, 2, 0)
    if not visibility.any():
        return None
    return Keypoints.uniform("spin24", part[:, :2], visibility, np.clip(part[:, 2], 0, 1), Provenance.IMPORTED)


def to_openpose(keypoints: Keypoints | None) -> np.ndarray:
    """(25, 3) float64 x, y in pixels and confidence in BODY_25's order; detectors' points only, feet among them."""
    table = points_table(keypoints, BODY25.name, "confidence")
    table[table[:, 2] <= 0] = 0
    return table


def from_both(openpose: np.ndarray | None, part: np.ndarray | None) -> Keypoints | None:
    """The points of a row that may have them in both orders: the fuller set, `part` where they are equal.

    Args:
        openpose: (25, 3) in BODY_25's order.
        part: (24, 3), or the first 19 of them as 4D-Humans has them.
    """
    rows = np.zeros((len(SPIN24), 3))
    if part is not None:
        rows[: len(part)] = part
    if openpose is None or (openpose[:, 2] > 0).sum() <= (rows[:, 2] > 0).sum():
        return from_part(rows)
    visibility = np.where(openpose[:, 2] > 0, 2, 0)
    confidence = np.clip(openpose[:, 2], 0, 1)
    return Keypoints.uniform(BODY25.name, openpose[:, :2], visibility, confidence, Provenance.IMPORTED)


def spin_joints(subject: Subject) -> np.ndarray:
    """(24, 4) `S`: the body's joints in SPIN's order, metres from its pelvis, and whether the body knows each."""
    return from_pelvis(subject, SPIN24.name)


def from_pelvis(subject: Subject, joint_set: str) -> np.ndarray:
    """(K, 4) a body's joints in metres from the pelvis of `SPIN24`, or SMPL's own where the body does not know it."""
    points = subject.points_cam(joint_set)
    spin = points if joint_set == SPIN24.name else subject.points_cam(SPIN24.name)
    reference = spin[SPIN24.index("pelvis")]
    origin = reference[:3] if reference[3] else subject.posed.joints[0]
    points[:, :3] = np.where(points[:, 3:] > 0, points[:, :3] - origin, 0)
    return points
