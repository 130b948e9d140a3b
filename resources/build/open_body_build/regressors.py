"""Joints and named keypoints as fixed weighted means of vertices.

A row of a regressor has non-negative weights that sum to one. Left rows are fitted, right rows are their mirror images,
rows of the middle are symmetric. SMPL's 24 joints are fitted over people at rest. Keypoints are read from *posed*
vertices, so their rows are also held to what the point should do when its joints turn: otherwise five vertices that
give the right elbow at rest may give the wrong one at 120 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from .skinning import blend_skin, joint_transforms, pose_feature, random_poses, rotvec_to_rotmat
from .tpose import JOINTS

COCO23 = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle left_big_toe left_small_toe left_heel "
    "right_big_toe right_small_toe right_heel"
).split()
LSP14 = (
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
    "left_shoulder left_elbow left_wrist neck head_top"
).split()
H36M17 = (
    "pelvis left_hip left_knee left_ankle right_hip right_knee right_ankle spine neck head head_top left_shoulder "
    "left_elbow left_wrist right_shoulder right_elbow right_wrist"
).split()

_POSES = 400  # as many as people: neither may outvote the other

# Which joints carry a keypoint when the body moves, and by what share. Hips stay mostly with the pelvis, being the
# place of a joint centre; points at a hinge are shared evenly by the two sides of it.
_CARRIERS = {
    "nose": {"head": 1.0}, "eye": {"head": 1.0}, "ear": {"head": 1.0},
    "shoulder": {"collar": 0.5, "shoulder": 0.5}, "elbow": {"shoulder": 0.5, "elbow": 0.5},
    "wrist": {"elbow": 0.5, "wrist": 0.5}, "hip": {"pelvis": 0.7, "hip": 0.3}, "knee": {"hip": 0.5, "knee": 0.5},
    "ankle": {"knee": 0.5, "ankle": 0.5}, "toe": {"foot": 1.0}, "heel": {"ankle": 1.0},
    "lsp_hip": {"pelvis": 0.7, "hip": 0.3}, "lsp_neck": {"spine3": 0.5, "neck": 0.5}, "h36m_hip": {"pelvis": 1.0},
    "h36m_spine": {"spine1": 0.5, "spine2": 0.5}, "h36m_neck": {"spine3": 0.6, "neck": 0.4}, "h36m_head": {"head": 1.0},
    "h36m_head_top": {"head": 1.0},
}  # fmt: skip
# Points that anny does not define, on the average body in metres (left side); reasons in docs/open_body.md.
_PLACES = {
    "lsp_hip": (0.115, -0.24, 0.03),
    "lsp_neck": (0.0, 0.335, 0.03),
    "h36m_hip": (0.133, -0.18, 0.03),
    "h36m_spine": (0.0, 0.055, 0.03),
    "h36m_neck": (0.0, 0.315, 0.02),
    "h36m_head": (0.0, 0.42, 0.10),
    "h36m_head_top": (0.0, 0.535, 0.05),
}


@dataclass(frozen=True)
class Shared:
    """What all regressors of the shared mesh are fitted on.

    Attributes:
        weights: (V, 24) skinning weights.
        mirror: (V,) mirror image of each vertex.
        rest: (S, V, 3) people in T-pose; template: (V, 3) their mean; joints: (24, 3) its joints.
    """

    weights: np.ndarray
    mirror: np.ndarray
    rest: np.ndarray
    template: np.ndarray
    joints: np.ndarray


def _solve(columns: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    """Non-negative weights summing to one with columns (R, C) @ weights = target; tiny ones dropped."""
    count = columns.shape[1]
    emphasis = 10.0 * np.sqrt(len(columns))
    rows = np.concatenate([columns, np.full((1, count), emphasis), ridge * np.sqrt(len(columns)) * np.eye(count)])
    goal = np.concatenate([target, [emphasis], np.zeros(count)])
    weights, _ = nnls(rows, goal, maxiter=60 * count)
    weights[weights < 0.01 * weights.max()] = 0
    return weights / weights.sum()


def _fit_row(
    poses: np.ndarray, targets: np.ndarray, candidates: np.ndarray, mirror: np.ndarray, *, middle: bool, ridge: float
) -> np.ndarray:
    """One regressor row (V,) over meshes `poses` (R, V, 3); a middle row weighs mirrored vertices alike."""
    if middle:
        candidates = np.unique(np.concatenate([candidates, mirror[candidates]]))
        candidates = candidates[candidates <= mirror[candidates]]
        points = 0.5 * (poses[:, candidates] + poses[:, mirror[candidates]])
    else:
        points = poses[:, candidates]
    found = _solve(points.transpose(0, 2, 1).reshape(-1, len(candidates)), targets.reshape(-1), ridge)
    row = np.zeros(poses.shape[1])
    row[candidates] = found
    return 0.5 * (row + row[mirror]) if middle else row


def _nearest(points: np.ndarray, place: np.ndarray, count: int, allowed: np.ndarray) -> np.ndarray:
    distance = np.where(allowed, np.linalg.norm(points - place, axis=1), np.inf)
    order = np.argsort(distance, kind="stable")[: min(count, int(allowed.sum()))]
    # Never reach far beyond the nearest ring: the other thigh or the other side of the chest is another body part.
    return order[distance[order] < 3.2 * np.sort(distance)[30]]


def fit_joints(shared: Shared, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SMPL's J_regressor (24, V) from people's T-pose joints (S, 24, 3), and its mean error per joint in mm."""
    rows = np.zeros((24, len(shared.template)))
    everywhere = np.ones(len(shared.template), bool)
    for j, name in enumerate(JOINTS):
        if name.startswith("right"):
            continue
        small = name.split("_")[-1] in ("ankle", "foot", "head", "wrist", "hand")
        candidates = _nearest(shared.template, shared.joints[j], 300 if small else 700, everywhere)
        middle = not name.startswith("left")
        rows[j] = _fit_row(shared.rest, joints[:, j], candidates, shared.mirror, middle=middle, ridge=1e-5)
        if not middle:
            rows[JOINTS.index(name.replace("left", "right"))] = rows[j][shared.mirror]
    error = np.linalg.norm(np.einsum("jv,svc->sjc", rows, shared.rest) - joints, axis=-1).mean(0)
    return rows, 1e3 * error


class KeypointFitter:
    """Rows for named keypoints, stable under pose.

    Args:
        shared: mesh and people in T-pose.
        posedirs: (V, 3, 207) the body's pose correctives, because they move vertices too.
        people_a_pose: (S, V, 3) the same people in anny's A-pose, where anny defines its keypoints.
        keypoints: name -> (S, 3) of those.
    """

    def __init__(
        self, shared: Shared, posedirs: np.ndarray, people_a_pose: np.ndarray, keypoints: dict[str, np.ndarray]
    ) -> None:
        self._shared = shared
        self._a_pose = people_a_pose
        self._keypoints = keypoints
        rotmats = rotvec_to_rotmat(random_poses(_POSES, seed=11))
        self._turn, self._shift = joint_transforms(rotmats, shared.joints)
        corrected = shared.template + np.einsum("vcp,np->nvc", posedirs, pose_feature(rotmats), optimize=True)
        self._posed = blend_skin(corrected, self._turn, self._shift, shared.weights)

    def rows(self, names: list[str]) -> np.ndarray:
        """(K, V) for names as in `COCO23`, or a place with a prefix: `lsp_neck`, `h36m_left_hip`."""
        return np.stack([self._row(name) for name in names])

    def _row(self, name: str) -> np.ndarray:
        if "right" in name:
            return self._row(name.replace("right", "left"))[self._shared.mirror]
        middle = "left" not in name
        kind = next((k for k in _PLACES if k == name.replace("left_", "")), None) or name.split("_")[-1]
        carriers = {self._joint(joint, middle): share for joint, share in _CARRIERS[kind].items()}
        if kind in _PLACES:
            return self._fit_place(np.array(_PLACES[kind]), carriers, middle)
        return self._fit_keypoint(self._keypoints[name], carriers, middle)

    @staticmethod
    def _joint(name: str, middle: bool) -> int:
        return JOINTS.index(name) if middle or name in JOINTS else JOINTS.index("left_" + name)

    def _fit_keypoint(self, targets: np.ndarray, carriers: dict[int, float], middle: bool) -> np.ndarray:
        """First where the point lies in the T-pose, then one row for people and poses together."""
        share = sum(self._shared.weights[:, j] for j in carriers)
        candidates = _nearest(self._a_pose.mean(0), targets.mean(0), 160, share > 0.4)
        options = {"candidates": candidates, "mirror": self._shared.mirror, "middle": middle, "ridge": 2e-4}
        first = _fit_row(self._a_pose, targets, **options)
        moved = self._carried(first @ self._shared.template, carriers)
        meshes = np.concatenate([self._a_pose, self._posed])
        return _fit_row(meshes, np.concatenate([targets, moved]), **options)

    def _fit_place(self, place: np.ndarray, carriers: dict[int, float], middle: bool) -> np.ndarray:
        """A point given on the average body only: a wide ring of vertices carries it over to other shapes."""
        everywhere = np.ones(len(self._shared.template), bool)
        candidates = _nearest(self._shared.template, place, 400, everywhere)
        meshes = np.concatenate([np.repeat(self._shared.template[None], _POSES, 0), self._posed])
        targets = np.concatenate([np.repeat(place[None], _POSES, 0), self._carried(place, carriers)])
        return _fit_row(meshes, targets, candidates, self._shared.mirror, middle=middle, ridge=1e-3)

    def _carried(self, point: np.ndarray, carriers: dict[int, float]) -> np.ndarray:
        return sum(share * (self._turn[:, j] @ point + self._shift[:, j]) for j, share in carriers.items())


def joint_set_rows(fitter: KeypointFitter, head_top: int) -> dict[str, np.ndarray]:
    """Rows of the three joint sets of the body file. Limbs are the same places in all of them.

    Args:
        fitter: as above.
        head_top: vertex on top of the head, LSP's last point.
    """
    coco = dict(zip(COCO23, fitter.rows(COCO23), strict=True))
    top = np.zeros_like(coco["nose"])
    top[head_top] = 1.0
    places = ["lsp_left_hip", "lsp_right_hip", "lsp_neck", "h36m_left_hip", "h36m_right_hip", "h36m_spine", "h36m_neck",
              "h36m_head", "h36m_head_top"]  # fmt: skip
    own = dict(zip(places, fitter.rows(places), strict=True)) | {"lsp_head_top": top}
    own["h36m_pelvis"] = 0.5 * (own["h36m_left_hip"] + own["h36m_right_hip"])
    return {
        "coco23": np.stack([coco[name] for name in COCO23]),
        "lsp14": np.stack([own.get("lsp_" + name, coco.get(name)) for name in LSP14]),
        "h36m17": np.stack([own.get("h36m_" + name, coco.get(name)) for name in H36M17]),
    }
