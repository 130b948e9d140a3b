"""Human3.6M as the field measures on it, from SPIN's npz (`h36m_valid_protocol1.npz` and `..._protocol2.npz`).

Truth is seventeen joints of motion capture, pelvis at the origin, in the axes of the photo's camera; predicted joints
come from the mesh through the Human3.6M regressor. Both protocols are about every fifth frame of subjects 9 and 11:
protocol 1 over all four cameras (MPJPE), protocol 2 over the frontal camera 60457274 alone (PA-MPJPE).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from cliff_core.body import Body
from cliff_core.errors import FormatError
from cliff_core.evaluation.field_sets import SetScores, h36m_joints
from cliff_core.evaluation.metrics import H36M_TO_LSP14, Root, mpjpe, pa_mpjpe
from cliff_core.formats.files import SourceFile, relative_name
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.records import Box, PhotoPerson, Provenance, SmplParams
from cliff_core.skeletons import H36M17, SPIN24

FRONTAL_CAMERA = "60457274"

_NAME = re.compile(r"(?:^|/)S(?P<subject>\d+)_.+\.(?P<camera>\d{8})_(?P<frame>\d{6})\.\w+$")
_TEST_SUBJECTS = frozenset({"9", "11"})
_EVERY = 5
# SPIN's `S` holds Human3.6M's head as `jaw` and the top of its head as `head`.
_SPIN_NAMES = {"head": "jaw", "head_top": "head"}
_FROM_SPIN = np.array([SPIN24.index(_SPIN_NAMES.get(name, name)) for name in H36M17.names])
_UNKNOWN_SIZE = (0, 0)


class Protocol(StrEnum):
    """Which photos count."""

    P1 = "P1"
    """Subjects 9 and 11, every fifth frame, all four cameras."""
    P2 = "P2"
    """The same frames of the frontal camera."""


@dataclass(frozen=True, slots=True)
class H36mPerson:
    """One photo of Human3.6M.

    Attributes:
        person: photo and square box; the files know neither the photo's size nor its camera.
        joints: (17, 3) of `h36m17`, metres, pelvis at the origin, camera axes; NaN = unknown.
    """

    person: PhotoPerson
    joints: np.ndarray


def read_truth(path: Path, protocol: Protocol = Protocol.P1) -> list[H36mPerson]:
    """People of a file in SPIN's layout that belong to a protocol.

    Args:
        path: npz with `imgname` (N,), `center` (N, 2), `scale` (N,) side of the square box / 200, and `S`: (N, 24, 4)
            SPIN's joints with confidence, or (N, 17, 3 or 4) Human3.6M's.
        protocol: which rows to take.

    Raises:
        FormatError: missing or damaged file, other arrays, or no photo of the protocol in it.
    """
    source = SourceFile(path)
    names, joints = source.array("imgname"), source.array("S")
    count = len(np.atleast_1d(names))
    centre, scale = source.array("center"), source.array("scale")
    if names.dtype.kind not in "SU" or centre.shape != (count, 2) or scale.shape != (count,):
        raise FormatError(f"{path}: imgname {names.shape}, center {centre.shape} and scale {scale.shape} do not agree")
    known = _h36m17(path, joints, count)
    people = []
    for row in range(count):
        name = names[row].decode() if isinstance(names[row], bytes) else str(names[row])
        if not _belongs(name, protocol):
            continue
        half = 100 * float(scale[row])
        x, y = (float(value) for value in centre[row])
        box = Box(x - half, y - half, x + half, y + half, source=Provenance.IMPORTED)
        person = PhotoPerson(relative_name(name, f"{path}: row {row}"), _UNKNOWN_SIZE, box)
        people.append(H36mPerson(person, known[row]))
    if not people:
        raise FormatError(
            f"{path}: none of its {count} photos belongs to {protocol.value}; names should be of subjects 9 and 11, as "
            "S9_Directions.60457274_000001.jpg"
        )
    return people


def score(
    body: Body, predicted: Sequence[SmplParams], truth: Sequence[H36mPerson], protocol: Protocol = Protocol.P1
) -> SetScores:
    """Errors as published for Human3.6M, over fourteen joints as SPIN and CLIFF do, and over all seventeen.

    Args:
        body: of the predictions.
        predicted: one body per person; translation does not matter.
        truth: of `read_truth`.
        protocol: for the name of the result.

    Raises:
        FormatError: not as many predictions as people.
        BodyFileError: a body without the Human3.6M regressor.
    """
    if len(predicted) != len(truth):
        raise FormatError(f"{len(predicted)} predictions for {len(truth)} people; predict everybody, in order")
    joints = np.stack([_joints(body, params) for params in predicted])
    true = np.stack([each.joints for each in truth])
    fourteen, through = "14 LSP joints", "through the Human3.6M regressor against motion capture"
    conventions = {
        "mpjpe": f"MPJPE, mm: {fourteen} {through}, pelvis as root, camera frame",
        "pa_mpjpe": f"PA-MPJPE, mm: {fourteen} {through}, best similarity",
        "mpjpe_17": f"MPJPE, mm: all 17 joints {through}, pelvis as root, camera frame",
        "pa_mpjpe_17": f"PA-MPJPE, mm: all 17 joints {through}, best similarity",
    }
    scores = {
        "mpjpe": mpjpe(joints, true, "h36m17", Root.PELVIS, H36M_TO_LSP14),
        "pa_mpjpe": pa_mpjpe(joints, true, H36M_TO_LSP14),
        "mpjpe_17": mpjpe(joints, true, "h36m17", Root.PELVIS),
        "pa_mpjpe_17": pa_mpjpe(joints, true),
    }
    return SetScores(f"Human3.6M, {protocol.value}", conventions, scores)


def _joints(body: Body, params: SmplParams) -> np.ndarray:
    return h36m_joints(body, body.pose(rotvec_to_rotmat(params.pose_rotvec), params.betas).vertices.astype(np.float64))


def _belongs(name: str, protocol: Protocol) -> bool:
    found = _NAME.search(name.replace("\\", "/"))
    if found is None or found["subject"] not in _TEST_SUBJECTS or (int(found["frame"]) - 1) % _EVERY:
        return False
    return protocol is Protocol.P1 or found["camera"] == FRONTAL_CAMERA


def _h36m17(path: Path, joints: np.ndarray, count: int) -> np.ndarray:
    """(N, 17, 3) float64, NaN where the file has no confidence."""
    if joints.shape == (count, len(SPIN24), 4):
        joints = joints[:, _FROM_SPIN]
    if joints.shape not in ((count, len(H36M17), 3), (count, len(H36M17), 4)):
        raise FormatError(f"{path}: 'S' has shape {joints.shape}; expected ({count}, 24, 4) or ({count}, 17, 3)")
    points = joints[..., :3].astype(np.float64)
    if joints.shape[-1] == 4:
        points[joints[..., 3] <= 0] = np.nan
    return points
