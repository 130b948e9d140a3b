"""The human body: model files in SMPL's layout, skinning, keypoint regressors.

Lives here: reading body files safely, posing (NumPy twin `Body`, torch twin `torch_body.TorchBody`), which vertices
make which named point. Does not live here: rotations (`geometry`), joint sets by name (`skeletons`), fitting, drawing.
May import `errors`, `skeletons`, `resources` and NumPy; torch only in the modules named `torch_*`, so that the window
can pose bodies without it.
"""

from __future__ import annotations

from pathlib import Path

from cliff_core.body.body import Body, PosedBody
from cliff_core.body.files import GENDERS, find_body_file, read_body
from cliff_core.errors import BodyFileError
from cliff_core.resources import resource_path

__all__ = ["Body", "PosedBody", "load_body"]


def load_body(path: str | Path | None = None, gender: str = "neutral") -> Body:
    """A body to pose: the bundled open one, or an SMPL file that a person brings.

    Args:
        path: SMPL `.pkl` (1.0 or 1.1) or `.npz`; a folder of them as `smplx` expects it; `None` for the open body.
        gender: "neutral", "male" or "female": which open body, or which file of a folder. What a single file says of
            itself, in its content or its name, goes first.

    Returns:
        The body; the official regressors `J_regressor_extra.npy` and `J_regressor_h36m.npy` are read where they lie
        beside an official file.

    Raises:
        BodyFileError: missing, damaged, unsafe or another kind of file, or an unknown gender.
        ResourceError: the bundled body is not there.
    """
    if gender not in GENDERS:
        raise BodyFileError(f"no body of gender {gender!r}; take one of {', '.join(GENDERS)}")
    if path is None:
        return read_body(resource_path("bodies", f"open_{gender}.npz"), gender)
    return read_body(find_body_file(Path(path), gender), gender)
