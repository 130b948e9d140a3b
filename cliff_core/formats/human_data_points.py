"""The 190 points of MMHuman3D's HumanData, of which a file of ours fills the body's.

One array has room for the points of every data set that MMHuman3D knows, and a mask says which of them a file has. Its
names are those of its convention `human_data`; annotated points (COCO's, MPII's, LSP's) are the plain ones with
`_extra` hips, neck and pelvis, as SPIN's 24 are mapped there; points of OpenPose's BODY_25 have places of their own.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from cliff_core.formats.spin_points import from_pelvis, to_part
from cliff_core.formats.subjects import Subject
from cliff_core.records import Keypoints, Provenance
from cliff_core.skeletons import BODY25, COCO23, JOINT_SETS, SPIN24

COUNT = 190
_FIRST_OPENPOSE = 153  # BODY_25's points stand together, in its order

# Where the annotated points of the body stand among the 190.
_PLACES = {
    "left_knee": 4, "right_knee": 5, "left_ankle": 7, "right_ankle": 8, "left_shoulder": 16, "right_shoulder": 17,
    "left_elbow": 18, "right_elbow": 19, "left_wrist": 20, "right_wrist": 21, "nose": 55, "right_eye": 56,
    "left_eye": 57, "right_ear": 58, "left_ear": 59, "left_big_toe": 60, "left_small_toe": 61, "left_heel": 62,
    "right_big_toe": 63, "right_small_toe": 64, "right_heel": 65, "right_hip": 144, "left_hip": 145, "neck": 146,
    "head_top": 147, "pelvis": 148, "thorax": 149, "spine": 150, "jaw": 151, "head": 152,
}  # fmt: skip


@cache
def _places(joint_set: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices (in the joint set, among the 190) of the points that have a place."""
    if joint_set == BODY25.name:
        return np.arange(len(BODY25)), _FIRST_OPENPOSE + np.arange(len(BODY25))
    names = JOINT_SETS[joint_set].names
    pairs = [(index, _PLACES[name]) for index, name in enumerate(names) if name in _PLACES]
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])


def to_human_data(keypoints: Keypoints | None) -> np.ndarray:
    """(190, 3) float64 x, y in pixels and confidence; zeros where a point is unknown or not labelled."""
    rows = np.zeros((COUNT, 3))
    if keypoints is None:
        return rows
    if keypoints.joint_set == BODY25.name:
        labelled = (keypoints.visibility > 0) & (keypoints.confidence > 0)
        table = np.concatenate([keypoints.points_px, keypoints.confidence[:, None]], axis=1)
        rows[_places(BODY25.name)[1][labelled]] = table[labelled]
        return rows
    source, target = _places(SPIN24.name)
    rows[target] = to_part(keypoints)[source]
    for index, name in enumerate(JOINT_SETS[keypoints.joint_set].names):
        if name in COCO23.names[17:] and keypoints.visibility[index] > 0 and keypoints.confidence[index] > 0:
            rows[_PLACES[name]] = (*keypoints.points_px[index], keypoints.confidence[index])
    return rows


def joints_to_human_data(subject: Subject) -> np.ndarray:
    """(190, 4) float64 a body's joints in metres from its pelvis, and 1 where the body knows them."""
    rows = np.zeros((COUNT, 4))
    for joint_set in (COCO23.name, SPIN24.name):  # both know face and limbs; SPIN's hips are the ones meant here
        source, target = _places(joint_set)
        rows[target] = from_pelvis(subject, joint_set)[source]
    return rows


def from_human_data(rows: np.ndarray) -> Keypoints | None:
    """The points of the body among (190, 3), `None` if there are none.

    Of SPIN's 24, COCO's with feet and OpenPose's, the set that is fullest.
    """
    best: tuple[int, str] = (0, "")
    for joint_set in (SPIN24.name, COCO23.name, BODY25.name):
        _, places = _places(joint_set)
        count = int((rows[places, 2] > 0).sum())
        if count > best[0]:
            best = (count, joint_set)
    if not best[0]:
        return None
    joint_set = best[1]
    source, places = _places(joint_set)
    table = np.zeros((len(JOINT_SETS[joint_set]), 3))
    table[source] = rows[places]
    visibility = np.where(table[:, 2] > 0, 2, 0)
    confidence = np.clip(table[:, 2], 0, 1)
    return Keypoints.uniform(joint_set, table[:, :2], visibility, confidence, Provenance.IMPORTED)
