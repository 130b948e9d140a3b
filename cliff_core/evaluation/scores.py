"""Estimates against what is known of people: their 2D points, their SMPL truth, or some measured 3D joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cliff_core.body import Body, PosedBody
from cliff_core.evaluation.metrics import Root, mpjae, mpjpe, oks, pa_mpjpe, pck, pve
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Estimate, Keypoints, SmplParams
from cliff_core.skeletons import COCO17, JOINT_SETS, SMPL24, shared_points

LIMB_JOINTS = tuple(range(5, 17))
"""Shoulders, elbows, wrists, hips, knees, ankles of COCO-17: what every data set with 3D joints has."""

SMPL14 = np.array(
    [
        SMPL24.index(f"{side}_{part}")
        for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        for side in ("left", "right")
    ]
    + [SMPL24.index("neck"), SMPL24.index("head")]
)
"""The fourteen of SMPL's joints that come nearest to LSP's: what the open models are compared by."""

CONVENTIONS = {
    "pa_mpjpe": "PA-MPJPE, mm: 14 LSP joints regressed from the mesh, after the best similarity",
    "mpjpe": "MPJPE, mm: 14 LSP joints regressed from the mesh, mid-hip as root, camera frame",
    "pa_mpjpe_smpl14": "PA-MPJPE, mm: 14 SMPL joints (limbs, neck, head), after the best similarity",
    "mpjpe_smpl14": "MPJPE, mm: 14 SMPL joints (limbs, neck, head), SMPL's pelvis as root, camera frame",
    "pve": "PVE, mm: all vertices, pelvis regressed from the mesh as root, camera frame",
    "mpjae": "MPJAE, degrees: 3dpw-eval's nine joints, orientations in the camera frame",
    "pck": "PCK: COCO-17 projected with the photo's camera, size is the longer side of the box, points with v > 0",
    "oks": "OKS: COCO-17 projected with the photo's camera, area of the visible person, points with v > 0",
}
"""What each score of this module is: joints, root, frame."""

_HIPS = (COCO17.index("left_hip"), COCO17.index("right_hip"))
_CHUNK = 64  # meshes in memory at a time


def posed_vertices(body: Body, params: SmplParams) -> np.ndarray:
    """(V, 3) float32 vertices in the camera frame, metres."""
    return posed(body, params).vertices


def posed(body: Body, params: SmplParams) -> PosedBody:
    """Vertices and SMPL's joints in the camera frame, metres."""
    return body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl)


def point_scores(
    body: Body, estimates: Sequence[Estimate], keypoints: Sequence[Keypoints | None], threshold: float = 0.1
) -> np.ndarray:
    """PCK of projected COCO-17 joints against 2D points; size is the longer side of the box, points with v > 0 count.

    Returns:
        (N,) 0..1 per person; NaN for people without points.
    """
    projected, marked = _projected_and_marked(body, estimates, keypoints)
    size = np.array([max(estimate.box.width, estimate.box.height) for estimate in estimates])
    return pck(projected, marked, size, threshold)


def oks_scores(
    body: Body, estimates: Sequence[Estimate], keypoints: Sequence[Keypoints | None], area_px2: np.ndarray
) -> np.ndarray:
    """OKS of projected COCO-17 joints against 2D points with v > 0.

    Args:
        body: of the estimates.
        estimates: N.
        keypoints: N, true points.
        area_px2: (N,) COCO's `area`, of the person's visible pixels.

    Returns:
        (N,) 0..1 per person; NaN for people without points.
    """
    projected, marked = _projected_and_marked(body, estimates, keypoints)
    return oks(projected, marked, np.isfinite(marked).all(-1), area_px2, "coco17")


def _projected_and_marked(body, estimates, keypoints):
    """(N, 17, 2) joints of the estimates in their photos and points to compare with; NaN where either is unknown."""
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
    return projected, marked


def truth_scores(
    body: Body,
    estimates: Sequence[Estimate],
    truth: Sequence[SmplParams],
    true_bodies: Mapping[str, Body] | None = None,
) -> dict[str, np.ndarray]:
    """Errors of estimates against SMPL truth; see `body_scores`."""
    return body_scores(body, [estimate.params for estimate in estimates], truth, true_bodies)


def body_scores(
    body: Body,
    predicted: Sequence[SmplParams],
    truth: Sequence[SmplParams],
    true_bodies: Mapping[str, Body] | None = None,
) -> dict[str, np.ndarray]:
    """Errors of bodies against SMPL truth.

    Args:
        body: of the predictions.
        predicted: N.
        truth: N.
        true_bodies: bodies of the truth by gender; that of the predictions by default.

    Returns:
        (N,) arrays by name: `pa_mpjpe`, `mpjpe`, `pa_mpjpe_smpl14`, `mpjpe_smpl14`, `pve` in mm and `mpjae` in degrees,
        as `CONVENTIONS` says.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(truth), _CHUNK):
        rows = range(start, min(start + _CHUNK, len(truth)))
        ours = [(body, predicted[i]) for i in rows]
        theirs = [(body if true_bodies is None else true_bodies[truth[i].gender], truth[i]) for i in rows]
        for name, values in _chunk_scores(ours, theirs).items():
            parts.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def _chunk_scores(ours, theirs):
    """Errors between some people, each as a body and its parameters."""
    meshes, lsp, pelvis, joints, rotmats = [], [], [], [], []
    for people in (ours, theirs):
        bodies = [posed(body, params) for body, params in people]
        vertices = np.stack([each.vertices for each in bodies]).astype(np.float64)
        meshes.append(vertices)
        lsp.append(np.stack([body.keypoints(mesh, "lsp14") for (body, _), mesh in zip(people, vertices, strict=True)]))
        pelvis.append(np.stack([body.J_regressor[0] @ mesh for (body, _), mesh in zip(people, vertices, strict=True)]))
        joints.append(np.stack([each.joints for each in bodies]).astype(np.float64))
        rotmats.append(rotvec_to_rotmat(np.stack([params.pose_rotvec for _, params in people])))
    return {
        "pa_mpjpe": pa_mpjpe(lsp[0], lsp[1]),
        "mpjpe": mpjpe(lsp[0], lsp[1], "lsp14", Root.MID_HIP),
        "pa_mpjpe_smpl14": pa_mpjpe(joints[0], joints[1], over=SMPL14),
        "mpjpe_smpl14": mpjpe(joints[0], joints[1], "smpl24", Root.PELVIS, over=SMPL14),
        "pve": pve(*meshes, *pelvis),
        "mpjae": mpjae(*rotmats),
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
