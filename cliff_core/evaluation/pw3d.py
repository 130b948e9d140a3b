"""3DPW's test set as the field measures on it (von Marcard et al. 2018; protocol of HMR, SPIN, VIBE and CLIFF).

Truth is a body of the person's gender, fitted to a video and inertial sensors; predictions are neutral bodies. Fourteen
joints come from both meshes through the Human3.6M regressor. `Root.MID_HIP` is CLIFF's and VIBE's line; SPIN subtracts
the regressor's own pelvis (`Root.PELVIS`), which gives numbers that differ by millimetres. PVE is VIBE's: both meshes
posed without translation and not aligned any further.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.evaluation.field_sets import SetScores, TruePerson, h36m_joints, of_gender
from cliff_core.evaluation.metrics import H36M_TO_LSP14, Root, mpjae, mpjpe, pa_mpjpe, pve
from cliff_core.formats import read_people
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import SmplParams

_CHUNK = 64
_ROOTS = {Root.MID_HIP: "mid-hip", Root.PELVIS: "the regressor's pelvis", Root.NONE: "nothing"}


def read_truth(path: Path, bodies: Mapping[str, Body]) -> list[TruePerson]:
    """People of a sequence file, or of a folder of them (`sequenceFiles/test`), one per frame with a valid camera.

    Args:
        path: `.pkl` of 3DPW, or a folder of such files.
        bodies: by gender; the official SMPL ones, which the set's shape numbers belong to.

    Raises:
        FormatError: another kind of file, a damaged one, or one without people; nothing of a pickle is ever run.
    """
    people = [
        TruePerson(person, truth) for person, truth in read_people(path, "3dpw", body=bodies) if truth is not None
    ]
    if not people:
        raise FormatError(f"{path}: no frame with a valid camera; give a sequence file of 3DPW, or a folder of them")
    return people


def score(
    body: Body,
    predicted: Sequence[SmplParams],
    truth: Sequence[TruePerson],
    bodies: Mapping[str, Body],
    root: Root = Root.MID_HIP,
) -> SetScores:
    """Errors as published for 3DPW.

    Args:
        body: of the predictions, neutral SMPL.
        predicted: one body per true person, in the camera frame.
        truth: of `read_truth`.
        bodies: by gender, as for `read_truth`.
        root: rule of MPJPE; CLIFF's by default.

    Raises:
        FormatError: not as many predictions as people.
        BodyFileError: a body without the Human3.6M regressor, or none of a person's gender.
    """
    if len(predicted) != len(truth):
        raise FormatError(f"{len(predicted)} predictions for {len(truth)} people; predict everybody, in order")
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(truth), _CHUNK):
        rows = slice(start, start + _CHUNK)
        true = [each.truth for each in truth[rows]]
        mesh, joints, rotmat = _posed([(body, params) for params in predicted[rows]])
        true_mesh, true_joints, true_rotmat = _posed([(of_gender(bodies, params.gender), params) for params in true])
        chunk = {
            "mpjpe": mpjpe(joints, true_joints, "h36m17", root, H36M_TO_LSP14),
            "pa_mpjpe": pa_mpjpe(joints, true_joints, H36M_TO_LSP14),
            "pve": pve(mesh, true_mesh),
            "mpjae": mpjae(rotmat, true_rotmat),
        }
        for name, values in chunk.items():
            parts.setdefault(name, []).append(values)
    fourteen = "14 LSP joints through the Human3.6M regressor, true mesh of the person's gender"
    conventions = {
        "mpjpe": f"MPJPE, mm: {fourteen}, root {_ROOTS[root]}, camera frame",
        "pa_mpjpe": f"PA-MPJPE, mm: {fourteen}, best similarity",
        "pve": "PVE, mm: all vertices, meshes without translation, no further alignment",
        "mpjae": "MPJAE, degrees: 3dpw-eval's nine joints, camera frame",
    }
    return SetScores("3DPW", conventions, {name: np.concatenate(values) for name, values in parts.items()})


def _posed(people: Sequence[tuple[Body, SmplParams]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Meshes (N, V, 3) in the camera's axes without translation, joints (N, 17, 3) and rotations (N, 24, 3, 3)."""
    rotmats = rotvec_to_rotmat(np.stack([params.pose_rotvec for _, params in people]))
    meshes = [
        body.pose(rotmat, params.betas).vertices.astype(np.float64)
        for (body, params), rotmat in zip(people, rotmats, strict=True)
    ]
    joints = [h36m_joints(body, mesh) for (body, _), mesh in zip(people, meshes, strict=True)]
    return np.stack(meshes), np.stack(joints), rotmats
