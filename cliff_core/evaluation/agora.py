"""AGORA as its authors measure on it (Patel et al. 2021): several people per photo, matched before they are compared.

AGORA publishes its truth as pickled pandas tables (`validation_0_withjv.pkl` and others). Such a pickle is a program
that rebuilds pandas, and this program runs no file's programs. Where you trust the files, turn them into an npz once:
`docs/benchmark.md` has the lines for it. Its arrays, one row per person:

    imgPath       (N,) str          photo
    gt_joints_3d  (N, 24.., 3)      SMPL's joints first, camera frame, metres
    gt_joints_2d  (N, 24.., 2)      the same in a photo 3840 px wide
    gt_verts      (N, V, 3)         camera frame; may be absent, as may the following
    isValid       (N,) bool         and occlusion (N,) percent: who counts
    kid           (N,) bool

Files in BEDLAM's layout (`pose_cam`, `shape`, `trans_cam`, `cam_int`) are read as they are; everybody in them counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.evaluation.metrics import Root, mpjpe, pve
from cliff_core.formats import read_people
from cliff_core.formats.files import SourceFile
from cliff_core.geometry.camera import project
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Camera, Estimate, SmplParams
from cliff_core.skeletons import SMPL24

PHOTO_WIDTH_PX = 3840
"""Width of the photos to which AGORA's 2D joints belong."""

_JOINTS = len(SMPL24)
_LEAST_IOU = 0.1
_MOST_HIDDEN = 90.0  # percent
_HIPS = [SMPL24.index("left_hip"), SMPL24.index("right_hip")]
_PICKLE = b"\x80"
_BEDLAM_KEYS = {"pose_cam", "shape", "cam_int"}


@dataclass(frozen=True, slots=True)
class AgoraPerson:
    """One true person.

    Attributes:
        image_name: the photo, as the file names it.
        joints: (24, 3) SMPL's joints in the camera frame, metres.
        joints_px: (24, 2) the same in the photo.
        vertices: (V, 3) camera frame; `None` where the file has none.
        photo_width_px: of the photo that `joints_px` belongs to.
        counts: False for people whom AGORA leaves out: not valid, or hidden by more than 90 %.
        kid: whether it is a child.
    """

    image_name: str
    joints: np.ndarray
    joints_px: np.ndarray
    vertices: np.ndarray | None
    photo_width_px: float = PHOTO_WIDTH_PX
    counts: bool = True
    kid: bool = False


@dataclass(frozen=True, slots=True)
class AgoraScores:
    """AGORA's numbers: errors of matched people, and the same divided by how well people were found.

    Attributes:
        mpjpe_mm, mve_mm: (N,) of the N matched people; `mve_mm` is NaN where the truth has no mesh.
        matched, missed, false_positives: counts; a prediction that matches nobody who counts is a false positive.
    """

    mpjpe_mm: np.ndarray
    mve_mm: np.ndarray
    matched: int
    missed: int
    false_positives: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; AGORA's tool rounds it to two digits, we do not."""
        wrong = (self.false_positives + self.missed) / 2
        return self.matched / (self.matched + wrong) if self.matched else 0.0

    @property
    def nmje_mm(self) -> float:
        """Mean MPJPE over F1."""
        return float(np.nanmean(self.mpjpe_mm)) / self.f1 if self.matched else float("nan")

    @property
    def nmve_mm(self) -> float:
        """Mean MVE over F1."""
        known = self.mve_mm[np.isfinite(self.mve_mm)]
        return float(known.mean()) / self.f1 if len(known) else float("nan")

    def __str__(self) -> str:
        """The numbers and what they are."""
        found = f"{self.matched} matched, {self.missed} missed, {self.false_positives} false positives"
        mve = self.mve_mm[np.isfinite(self.mve_mm)]
        return "\n".join(
            [
                f"AGORA, SMPL: F1 {self.f1:.3f} ({found})",
                f"  MPJPE {np.mean(self.mpjpe_mm) if self.matched else np.nan:.1f} mm, NMJE {self.nmje_mm:.1f} mm: "
                "24 SMPL joints, mid-hip as root, camera frame",
                f"  MVE {mve.mean() if len(mve) else np.nan:.1f} mm, NMVE {self.nmve_mm:.1f} mm: vertices, same root",
            ]
        )


def read_truth(path: Path, body: Body | None = None) -> list[AgoraPerson]:
    """True people of an npz: AGORA's table one row per person (see above), or BEDLAM's layout.

    Args:
        path: the npz.
        body: the neutral SMPL body, for BEDLAM's layout, which has no joints and vertices of its own.

    Raises:
        FormatError: a pickle (with what to do), a damaged file, or one without the arrays.
    """
    source = SourceFile(path)
    if not source.is_folder and _first_byte(source.path) == _PICKLE:
        raise FormatError(
            f"{path}: a pickled table, which would have to be run to be read; where you trust it, convert it to an npz "
            "as docs/benchmark.md shows"
        )
    if source.array_names >= _BEDLAM_KEYS:
        return _read_bodies(path, body)
    names = source.array("imgPath")
    joints, pixels = source.array("gt_joints_3d"), source.array("gt_joints_2d")
    count = len(np.atleast_1d(names))
    for key, array, size in (("gt_joints_3d", joints, 3), ("gt_joints_2d", pixels, 2)):
        if array.ndim != 3 or array.shape[0] != count or array.shape[1] < _JOINTS or array.shape[2] != size:
            raise FormatError(f"{path}: '{key}' has shape {array.shape}; expected ({count}, 24 or more, {size})")

    def column(key: str, default):
        values = source.array(key) if key in source.array_names else np.full(count, default)
        if values.shape != (count,):
            raise FormatError(f"{path}: '{key}' has shape {values.shape}; expected ({count},)")
        return values

    valid, hidden, kid = column("isValid", True), column("occlusion", 0.0), column("kid", False)
    vertices = source.array("gt_verts") if "gt_verts" in source.array_names else None
    if vertices is not None and (vertices.ndim != 3 or vertices.shape[::2] != (count, 3)):
        raise FormatError(f"{path}: 'gt_verts' has shape {vertices.shape}; expected ({count}, V, 3)")
    return [
        AgoraPerson(
            str(names[row]),
            joints[row, :_JOINTS].astype(np.float64),
            pixels[row, :_JOINTS].astype(np.float64),
            None if vertices is None else vertices[row].astype(np.float64),
            counts=bool(valid[row]) and 0 <= float(hidden[row]) <= _MOST_HIDDEN,
            kid=bool(kid[row]),
        )
        for row in range(count)
    ]


def score(
    body: Body,
    predicted: Mapping[str, Sequence[Estimate]],
    truth: Sequence[AgoraPerson],
    body_vertices: np.ndarray | None = None,
) -> AgoraScores:
    """Match the predictions of each photo with its people, and measure.

    Pairs are taken greedily by the distance of their 24 joints in the photo, as long as the boxes around these joints
    overlap by a tenth (IoU). People who do not count can take no prediction away from others, but do not excuse one
    either, as in AGORA's tool.

    Args:
        body: of the predictions.
        predicted: photo -> its estimates; photos without predictions may be absent.
        truth: of `read_truth`.
        body_vertices: indices of the vertices to compare, AGORA's `body_verts_smpl.npy`; all by default.

    Raises:
        FormatError: predictions for photos that the truth does not know.
    """
    photos: dict[str, list[AgoraPerson]] = {}
    for person in truth:
        photos.setdefault(person.image_name, []).append(person)
    unknown = sorted(set(predicted) - set(photos))
    if unknown:
        raise FormatError(f"predictions for {len(unknown)} photos that the truth does not have (first: {unknown[0]})")
    joint_errors: list[float] = []
    vertex_errors: list[float] = []
    missed = false_positives = 0
    for name, people in photos.items():
        estimates = [_Predicted.of(body, estimate, people[0].photo_width_px) for estimate in predicted.get(name, ())]
        pairs = _match(estimates, people)
        for ours, theirs in pairs:
            joint_error, vertex_error = _errors(estimates[ours], people[theirs], body_vertices)
            joint_errors.append(joint_error)
            vertex_errors.append(vertex_error)
        missed += sum(person.counts for person in people) - len(pairs)
        false_positives += len(estimates) - len(pairs)
    return AgoraScores(np.array(joint_errors), np.array(vertex_errors), len(joint_errors), missed, false_positives)


@dataclass(frozen=True, slots=True)
class _Predicted:
    joints: np.ndarray
    joints_px: np.ndarray
    vertices: np.ndarray

    @classmethod
    def of(cls, body: Body, estimate: Estimate, photo_width_px: float) -> _Predicted:
        """Joints of an estimate in the photo, in the resolution of the truth."""
        joints, vertices = _posed(body, estimate.params)
        pixels = _seen(joints, estimate.camera) * (photo_width_px / estimate.camera.image_size_px[0])
        return cls(joints, pixels, vertices)


def _match(estimates: Sequence[_Predicted], people: Sequence[AgoraPerson]) -> list[tuple[int, int]]:
    """Pairs (prediction, person who counts)."""
    costs = [
        (float(np.linalg.norm(ours.joints_px - theirs.joints_px, 2)), i, k)  # the matrix norm of AGORA's tool
        for i, ours in enumerate(estimates)
        for k, theirs in enumerate(people)
    ]
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    used: set[int] = set()
    for _, i, k in sorted(costs):
        if i in used or k in taken or _iou(estimates[i].joints_px, people[k].joints_px) < _LEAST_IOU:
            continue
        taken.add(k)
        if people[k].counts:
            used.add(i)
            pairs.append((i, k))
    return pairs


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of the boxes around two sets of points, borders counted as pixels."""
    low, high = np.maximum(first.min(0), second.min(0)), np.minimum(first.max(0), second.max(0))
    both = np.prod(np.maximum(high - low + 1, 0))
    areas = [np.prod(np.ptp(points, axis=0) + 1) for points in (first, second)]
    return float(both / (sum(areas) - both))


def _errors(ours: _Predicted, theirs: AgoraPerson, body_vertices) -> tuple[float, float]:
    joint_error = mpjpe(ours.joints[None], theirs.joints[None], "smpl24", Root.MID_HIP)[0]
    if theirs.vertices is None:
        return float(joint_error), float("nan")
    chosen = slice(None) if body_vertices is None else body_vertices
    roots = [each.joints[_HIPS].mean(0, keepdims=True) for each in (ours, theirs)]
    return float(joint_error), float(pve(ours.vertices[None, chosen], theirs.vertices[None, chosen], *roots)[0])


def _posed(body: Body, params: SmplParams) -> tuple[np.ndarray, np.ndarray]:
    posed = body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas, params.transl)
    return posed.joints.astype(np.float64), posed.vertices.astype(np.float64)


def _seen(joints: np.ndarray, camera: Camera) -> np.ndarray:
    return project(joints[None], np.array([camera.focal_length_px]), camera.centre_px[None])[0]


def _read_bodies(path: Path, body: Body | None) -> list[AgoraPerson]:
    if body is None:
        raise FormatError(f"{path}: holds bodies, not joints; give the neutral SMPL body to pose them")
    people = []
    for person, params in read_people(path, "bedlam", body=body):
        if params is None or person.camera is None:
            continue
        joints, vertices = _posed(body, params)
        width = person.camera.image_size_px[0] or 2 * person.camera.centre_px[0]
        people.append(AgoraPerson(person.image_name, joints, _seen(joints, person.camera), vertices, float(width)))
    return people


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(1)
