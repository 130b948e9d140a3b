"""Estimates against what is known of people: their 2D points, their SMPL truth, or some measured 3D joints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cliff_core.body import Body
from cliff_core.evaluation.metrics import Root, mpjpe, pa_mpjpe, pck, pve
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Estimate, Keypoints, SmplParams
from cliff_core.skeletons import COCO17, JOINT_SETS, shared_points

LIMB_JOINTS = tuple(range(5, 17))
"""Shoulders, elbows, wrists, hips, knees, ankles of COCO-17: what every data set with 3D joints has."""

_HIPS = (COCO17.index("left_hip"), COCO17.index("right_hip"))


def posed_vertices(body: Body, params: SmplParams) -> np.ndarray:
    """(V, 3) float32 vertices in the camera frame, metres."""
    return body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl).vertices


def point_scores(
    body: Body, estimates: Sequence[Estimate], keypoints: Sequence[Keypoints | None], threshold: float = 0.1
) -> np.ndarray:
    """PCK of projected COCO-17 joints against 2D points; size is the longer side of the box, points with v > 0 count.

    Returns:
        (N,) 0..1 per person; NaN for people without points.
    """
    projected = np.full((len(estimates), len(COCO17), 2), np.nan)
    marked = np.full_like(projected, np.nan)
    for row, (estimate, points) in enumerate(zip(estimates, keypoints, strict=True)):
        joints = body.keypoints(posed_vertices(body, estimate.params), "coco17")
        camera = estimate.camera
        projected[row] = project(joints[None], np.array([camera.focal_length_px]), camera.centre_px[None])[0]
        projected[row, ~body.keypoint_regressor("coco17")[1]] = np.nan
        if points is not None:
            theirs, ours = shared_points(points.joint_set, "coco17")
            seen = points.visibility[theirs] > 0
            marked[row, ours[seen]] = points.points_px[theirs[seen]]
    size = np.array([max(estimate.box.width, estimate.box.height) for estimate in estimates])
    return pck(projected, marked, size, threshold)


def truth_scores(body: Body, estimates: Sequence[Estimate], truth: Sequence[SmplParams]) -> dict[str, np.ndarray]:
    """Errors against SMPL truth of the same body.

    Returns:
        (N,) arrays in mm: `pa_mpjpe` and `mpjpe` over the 14 LSP joints (mid-hip as root, camera frame), `pve` over
        all vertices with the pelvis at the origin.
    """
    predicted = np.stack([posed_vertices(body, estimate.params) for estimate in estimates]).astype(np.float64)
    true = np.stack([posed_vertices(body, params) for params in truth]).astype(np.float64)
    joints, true_joints = (np.stack([body.keypoints(mesh, "lsp14") for mesh in meshes]) for meshes in (predicted, true))
    pelvis, true_pelvis = (meshes.transpose(0, 2, 1) @ body.J_regressor[0] for meshes in (predicted, true))
    return {
        "pa_mpjpe": pa_mpjpe(joints, true_joints),
        "mpjpe": mpjpe(joints, true_joints, "lsp14", Root.MID_HIP),
        "pve": pve(predicted, true, pelvis, true_pelvis),
    }


def joint_scores(body: Body, estimates: Sequence[Estimate], joints: np.ndarray) -> dict[str, np.ndarray]:
    """Errors against measured COCO-17 joints over the twelve limb joints.

    Args:
        body: of the estimates.
        estimates: N.
        joints: (N, 17, 3) camera frame, metres; NaN = not measured.

    Returns:
        (N,) arrays in mm: `pa_mpjpe`, and `mpjpe` with mid-hip as root.
    """
    vertices = (posed_vertices(body, estimate.params) for estimate in estimates)
    predicted = np.stack([body.keypoints(mesh, "coco17") for mesh in vertices]).astype(np.float64)
    limbs = list(LIMB_JOINTS)
    rooted = [these - these[:, _HIPS].mean(1, keepdims=True) for these in (predicted, joints)]
    error = np.linalg.norm(rooted[0] - rooted[1], axis=-1)[:, limbs]
    return {"pa_mpjpe": pa_mpjpe(predicted[:, limbs], joints[:, limbs]), "mpjpe": np.nanmean(error, axis=1) * 1000}


def coco_joints(names: Sequence[str], joints: np.ndarray) -> np.ndarray:
    """(17, 3) COCO-17 joints from (K, 3) named ones; NaN where a name is missing."""
    result = np.full((len(COCO17), 3), np.nan)
    for row, name in enumerate(names):
        if name in JOINT_SETS["coco17"].names:
            result[COCO17.index(name)] = joints[row]
    return result
