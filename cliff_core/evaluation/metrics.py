"""Errors between predicted and true bodies, in the conventions of the field; every convention is an argument.

All functions take batches and return one number per person, so that a caller can average, sort or plot them. Positions
go in as metres and errors come out as millimetres; angles come out as degrees. A joint whose position is NaN on either
side is missing and does not count; a person of whom nothing counts has the error NaN (`np.nanmean` leaves it out).
A dataset's number is the mean over its people.

Sources: HMR and SPIN (`eval.py`, Kolotouros et al. 2019) for MPJPE and PA-MPJPE, 3dpw-eval (von Marcard et al. 2018)
for MPJAE, cocoeval (Lin et al. 2014) for OKS. A number is comparable only with the same joints and root: SPIN roots at
the H36M regressor's pelvis, VIBE's and CLIFF's line at the middle of the hips, and the two differ by millimetres.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from cliff_core.errors import GeometryError
from cliff_core.geometry.rotations import geodesic_deg
from cliff_core.skeletons import JOINT_SETS, SMPL_PARENTS

MM_PER_METRE = 1000.0

# The fourteen joints of most published 3DPW numbers, picked from h36m17; in the order of lsp14.
H36M_TO_LSP14 = np.array([6, 5, 4, 1, 2, 3, 16, 15, 14, 11, 12, 13, 8, 10])

# Of 3dpw-eval: hips, knees, shoulders, elbows and the root, the joints whose orientation 3DPW knows well.
MPJAE_JOINTS = np.array([0, 1, 2, 4, 5, 16, 17, 18, 19])

# Standard deviations of human annotators relative to a person's size: cocoeval's, and COCO-WholeBody's for feet.
_COCO17_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
OKS_SIGMAS = {
    "coco17": np.array(_COCO17_SIGMAS),
    "coco23": np.array((*_COCO17_SIGMAS, 0.068, 0.066, 0.066, 0.092, 0.094, 0.094)),
}


class Root(StrEnum):
    """What both bodies are moved to before their joints are compared."""

    PELVIS = "pelvis"
    """The joint set's own pelvis joint: SPIN on `h36m17`, 3dpw-eval on `smpl24`."""
    MID_HIP = "mid_hip"
    """The middle of left and right hip: VIBE, CLIFF, KITRO; the only choice for COCO and LSP sets."""
    NONE = "none"
    """Nothing: the error in the camera frame, depth included."""


def mpjpe(
    predicted: np.ndarray, truth: np.ndarray, joint_set: str, root: Root, over: np.ndarray | None = None
) -> np.ndarray:
    """Mean per joint position error after moving both roots to the origin.

    SPIN's number on 3DPW is `mpjpe(p, t, "h36m17", Root.PELVIS, over=H36M_TO_LSP14)`, the true joints regressed from
    the gendered mesh; CLIFF's line has `Root.MID_HIP` there.

    Args:
        predicted, truth: (N, K, 3) metres; NaN = missing.
        joint_set: which K joints these are.
        root: rule of alignment; a person whose root is missing has the error NaN.
        over: indices of the joints to average over; all by default.

    Returns:
        (N,) mm.

    Raises:
        GeometryError: shapes that differ or do not fit the joint set, or a set without that root.
    """
    predicted, truth = _pair(predicted, truth)
    if predicted.shape[1:] != (len(JOINT_SETS[joint_set]), 3):
        raise GeometryError(f"{joint_set} has {len(JOINT_SETS[joint_set])} joints; got arrays {predicted.shape}")
    difference = (predicted - _root(predicted, joint_set, root)) - (truth - _root(truth, joint_set, root))
    if over is not None:
        difference = difference[:, over]
    return _mean_of_known(np.linalg.norm(difference, axis=-1)) * MM_PER_METRE


def pa_mpjpe(predicted: np.ndarray, truth: np.ndarray, over: np.ndarray | None = None) -> np.ndarray:
    """Mean per joint position error after the best similarity of each person (reconstruction error).

    Args:
        predicted, truth: (N, K, 3) metres; NaN = missing.
        over: indices of the joints to align and average over; all by default.

    Returns:
        (N,) mm; NaN where fewer than three joints are known.

    Raises:
        GeometryError: shapes that differ.
    """
    predicted, truth = _pair(predicted, truth)
    if over is not None:
        predicted, truth = predicted[:, over], truth[:, over]
    scale, rotmat, transl = similarity(predicted, truth)
    aligned = scale[:, None, None] * predicted @ np.swapaxes(rotmat, 1, 2) + transl[:, None]
    return _mean_of_known(np.linalg.norm(aligned - truth, axis=-1)) * MM_PER_METRE


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale, rotation and translation that bring each source nearest to its target (Umeyama 1991).

    The rotation is proper: where a mirror image would fit better, the weakest axis is flipped back, as in HMR's and
    SPIN's evaluation.

    Args:
        source, target: (N, K, 3); points that are NaN on either side take no part.

    Returns:
        scale (N,), rotmat (N, 3, 3), transl (N, 3) with target ~ scale * rotmat @ source + transl; NaN for a person of
        whom fewer than three points are known.
    """
    source, target = _pair(source, target)
    known = np.isfinite(source).all(-1) & np.isfinite(target).all(-1)
    enough = known.sum(1) >= 3
    weight = known / np.maximum(known.sum(1, keepdims=True), 1)
    source = np.where(known[..., None], source, 0.0)
    target = np.where(known[..., None], target, 0.0)
    source_mean = np.einsum("nk,nkc->nc", weight, source)
    target_mean = np.einsum("nk,nkc->nc", weight, target)
    source, target = source - source_mean[:, None], target - target_mean[:, None]

    variance = np.einsum("nk,nkc,nkc->n", weight, source, source)
    u, singular, vt = np.linalg.svd(np.einsum("nk,nka,nkb->nab", weight, target, source))
    mirrored = np.sign(np.linalg.det(u @ vt))
    signs = np.stack([np.ones_like(mirrored), np.ones_like(mirrored), mirrored], axis=-1)
    rotmat = (u * signs[:, None]) @ vt
    # A source that is a single point has no size to scale.
    scale = (singular * signs).sum(-1) / np.where(variance > 0, variance, np.inf)
    transl = target_mean - scale[:, None] * np.einsum("nab,nb->na", rotmat, source_mean)
    nan = np.where(enough, 1.0, np.nan)
    return scale * nan, rotmat * nan[:, None, None], transl * nan[:, None]


def pve(
    predicted: np.ndarray,
    truth: np.ndarray,
    predicted_root: np.ndarray | None = None,
    true_root: np.ndarray | None = None,
) -> np.ndarray:
    """Mean per vertex error (MVE, MPVPE).

    VIBE's line poses both meshes without translation and aligns nothing more: leave the roots out. BEDLAM and
    CameraHMR subtract each mesh's pelvis: pass them.

    Args:
        predicted, truth: (N, V, 3) metres, vertices of the same topology.
        predicted_root, true_root: (N, 3) points to subtract first.

    Returns:
        (N,) mm.

    Raises:
        GeometryError: meshes of different size, or one root without the other.
    """
    predicted, truth = _pair(predicted, truth)
    if (predicted_root is None) != (true_root is None):
        raise GeometryError("one mesh has a root to subtract and the other has none; pass both or neither")
    difference = predicted - truth
    if predicted_root is not None and true_root is not None:
        difference = difference - (np.asarray(predicted_root) - np.asarray(true_root))[:, None]
    return _mean_of_known(np.linalg.norm(difference, axis=-1)) * MM_PER_METRE


def mpjae(predicted_rotmat: np.ndarray, true_rotmat: np.ndarray, alignment: np.ndarray | None = None) -> np.ndarray:
    """Mean per joint angular error: geodesic angle between global orientations of 3dpw-eval's nine joints.

    Args:
        predicted_rotmat, true_rotmat: (N, 24, 3, 3) SMPL pose, each joint relative to its parent, joint 0 to the
            camera.
        alignment: (N, 3, 3) rotations to apply to the prediction first: with those of `similarity` over the joints
            this is MPJAE_PA.

    Returns:
        (N,) degrees.

    Raises:
        GeometryError: shapes that differ.
    """
    predicted_rotmat, true_rotmat = _pair(predicted_rotmat, true_rotmat)
    predicted, truth = global_rotations(predicted_rotmat), global_rotations(true_rotmat)
    if alignment is not None:
        predicted = np.asarray(alignment)[:, None] @ predicted
    return geodesic_deg(predicted[:, MPJAE_JOINTS], truth[:, MPJAE_JOINTS]).mean(1)


def global_rotations(pose_rotmat: np.ndarray) -> np.ndarray:
    """(N, 24, 3, 3) orientation of each SMPL joint in the camera frame, from rotations relative to the parents."""
    pose_rotmat = np.asarray(pose_rotmat, dtype=np.float64)
    chained = pose_rotmat.copy()
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        chained[:, joint] = chained[:, parent] @ pose_rotmat[:, joint]
    return chained


def pck(
    predicted_px: np.ndarray,
    truth_px: np.ndarray,
    size_px: np.ndarray,
    threshold: float,
    counted: np.ndarray | None = None,
) -> np.ndarray:
    """Share of points nearer than `threshold` times the person's size.

    PCK@0.05 and @0.1 of 4D-Humans and SAM 3D Body: size is the longer side of the box, and points count whose
    confidence is above 0.5. MPII's PCKh@0.5: size is the head segment.

    Args:
        predicted_px, truth_px: (N, K, 2); NaN = missing, and then not counted.
        size_px: (N,) size of each person.
        threshold: share of the size; an error of exactly that much is a miss.
        counted: (N, K) which points count; all by default.

    Returns:
        (N,) 0..1.

    Raises:
        GeometryError: shapes that differ, or a size that is not positive.
    """
    predicted_px, truth_px = _pair(predicted_px, truth_px)
    size_px = _positive(size_px, "size of a person")
    distance = np.linalg.norm(predicted_px - truth_px, axis=-1)
    hit = np.where(np.isnan(distance), np.nan, distance < threshold * size_px[:, None])
    return _mean_of_known(hit if counted is None else np.where(counted, hit, np.nan))


def oks(
    predicted_px: np.ndarray, truth_px: np.ndarray, visibility: np.ndarray, area_px2: np.ndarray, joint_set: str
) -> np.ndarray:
    """Object keypoint similarity: mean of exp(-d^2 / (2 area k^2)), k = 2 sigma, over the labelled points.

    Args:
        predicted_px, truth_px: (N, K, 2); NaN = missing, and then not counted.
        visibility: (N, K) COCO's v of the truth; points with 0 do not count.
        area_px2: (N,) the truth's `area` (of the segmentation, not of the box).
        joint_set: a key of `OKS_SIGMAS`.

    Returns:
        (N,) 0..1.

    Raises:
        GeometryError: a joint set without published sigmas, shapes that differ, or an area that is not positive.
    """
    if joint_set not in OKS_SIGMAS:
        raise GeometryError(f"no published OKS sigmas for {joint_set}; use one of {', '.join(OKS_SIGMAS)}")
    predicted_px, truth_px = _pair(predicted_px, truth_px)
    variance = 2 * _positive(area_px2, "area of a person")[:, None] * (2 * OKS_SIGMAS[joint_set]) ** 2
    similarity_of_points = np.exp(-((predicted_px - truth_px) ** 2).sum(-1) / variance)
    return _mean_of_known(np.where(np.asarray(visibility) > 0, similarity_of_points, np.nan))


def _pair(predicted, truth) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64; the same shape, or an error."""
    predicted, truth = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if predicted.shape != truth.shape or predicted.ndim < 3:
        raise GeometryError(f"prediction {predicted.shape} and truth {truth.shape} must be batches of the same shape")
    return predicted, truth


def _root(joints: np.ndarray, joint_set: str, root: Root) -> np.ndarray:
    """(N, 1, 3) the point that becomes the origin."""
    names = JOINT_SETS[joint_set].names
    wanted = {Root.PELVIS: ("pelvis",), Root.MID_HIP: ("left_hip", "right_hip"), Root.NONE: ()}[Root(root)]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise GeometryError(f"{joint_set} has no {missing[0]} to align at; choose another root")
    if not wanted:
        return np.zeros((len(joints), 1, 3))
    return joints[:, [names.index(name) for name in wanted]].mean(1, keepdims=True)


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """(N, K) -> (N,) mean without NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    count = known.sum(1)
    total = np.where(known, values, 0.0).sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _positive(values, what: str) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if not (values > 0).all():
        raise GeometryError(f"{what} is {values.min():g}; it must be positive")
    return values
