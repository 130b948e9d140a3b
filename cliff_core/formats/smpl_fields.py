"""A body among the keys of a JSON entry, under the names and in the units that `smplx` takes.

global_orient (3), body_pose (69)   axis-angle in radians, in the camera frame
betas (10)
transl (3)                          metres, in the camera of the full photo; added after skinning, as `smplx` does
gender                              neutral, male or female
focal_length_px, principal_point_px the camera under which `transl` holds, pixels of the upright photo; without
                                    `principal_point_px` the middle of the photo
model                               what predicted it, if known
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cliff_core.errors import FormatError
from cliff_core.formats.values import numbers, quoted
from cliff_core.records import Camera, Estimate, SmplParams

_GENDERS = ("neutral", "male", "female")
_LARGEST = 1e6  # radians, standard deviations, metres: far beyond any body


def smpl_fields(estimate: Estimate) -> dict[str, Any]:
    """The body of an estimate as JSON holds it; `read_smpl_fields` gives the same numbers back."""
    params, camera = estimate.params, estimate.camera
    pose = np.asarray(params.pose_rotvec, dtype=np.float64).reshape(72).tolist()
    fields: dict[str, Any] = {
        "global_orient": pose[:3],
        "body_pose": pose[3:],
        "betas": np.asarray(params.betas, dtype=np.float64).tolist(),
        "transl": np.asarray(params.transl, dtype=np.float64).tolist(),
        "gender": params.gender,
        "focal_length_px": float(camera.focal_length_px),
    }
    if camera.principal_point_px is not None:
        fields["principal_point_px"] = [float(value) for value in camera.principal_point_px]
    if estimate.model:
        fields["model"] = estimate.model
    return fields


def read_smpl_fields(fields: Any, where: str, image_size_px: tuple[int, int]) -> tuple[SmplParams, Camera, str]:
    """The body, its camera, and what predicted it (empty if the file does not say).

    Raises:
        FormatError: keys that are missing or no such numbers.
    """
    if not isinstance(fields, dict):
        raise FormatError(f"{where} is not an object with global_orient, body_pose, betas and transl")
    parts = {
        name: np.array(numbers(fields.get(name), count, f"{where}: {name}", _LARGEST))
        for name, count in (("global_orient", 3), ("body_pose", 69), ("betas", 10), ("transl", 3))
    }
    gender, model = fields.get("gender", "neutral"), fields.get("model", "")
    if gender not in _GENDERS:
        raise FormatError(f"{where}: gender {quoted(gender)} is none of {', '.join(_GENDERS)}")
    if not isinstance(model, str):
        raise FormatError(f"{where}: model {quoted(model)} is no name")
    (focal,) = numbers([fields.get("focal_length_px")], 1, f"{where}: focal_length_px")
    if focal <= 0:
        raise FormatError(f"{where}: focal_length_px is {focal:g}; it must be positive")
    principal_point = None
    if fields.get("principal_point_px") is not None:
        x, y = numbers(fields["principal_point_px"], 2, f"{where}: principal_point_px")
        principal_point = (x, y)
    pose = np.concatenate([parts["global_orient"], parts["body_pose"]]).reshape(24, 3)
    params = SmplParams(pose, parts["betas"], parts["transl"], gender)
    return params, Camera(focal, image_size_px, principal_point), model
