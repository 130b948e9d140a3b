"""The synthetic SMPL model of the golden data, in its full size and small, and the reference implementation."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from cliff_core.body import load_body
from cliff_core.body.body import Body
from cliff_core.body.regressors import OFFICIAL_VERTICES, official_regressors
from cliff_core.geometry.rotations import rotvec_to_rotmat
from cliff_core.skeletons import SMPL_PARENTS

GOLDEN = Path(__file__).parents[2] / "golden" / "golden_smpl.npz"


def _random(key):
    return np.random.RandomState(zlib.crc32(f"smpl.{key}".encode()))


def _sparse_rows(key, rows, vertex_count):
    random = _random(key)
    matrix = np.zeros((rows, vertex_count))
    for row in range(rows):
        vertices = random.randint(0, vertex_count, 40)
        np.add.at(matrix[row], vertices, random.random_sample(40))
    return matrix / matrix.sum(1, keepdims=True)


def formula_smpl(vertex_count=6890, face_count=13776):
    """The keys of an SMPL file, and `J_regressor_extra`, by the formulas of the golden data (a noise cloud)."""
    shape = (vertex_count, 3)
    weights = _random("weights").random_sample((vertex_count, 24)) ** 8
    parents = SMPL_PARENTS.copy()
    parents[0] = 2**32 - 1
    return {
        "v_template": 0.3 * _random("v_template").standard_normal(shape),
        "shapedirs": 0.02 * _random("shapedirs").standard_normal((*shape, 10)),
        "posedirs": 0.005 * _random("posedirs").standard_normal((*shape, 207)),
        "J_regressor": _sparse_rows("J_regressor", 24, vertex_count),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.stack([parents, np.arange(24)]).astype(np.uint32),
        "f": _random("f").randint(0, vertex_count, (face_count, 3)).astype(np.uint32),
        "J_regressor_extra": _sparse_rows("J_regressor_extra", 9, vertex_count),
    }


@pytest.fixture(scope="session")
def golden_smpl():
    with np.load(GOLDEN) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="session")
def formula_body():
    """The synthetic model with all 6,890 vertices, as `load_body` would give it with SPIN's regressor beside it."""
    arrays = formula_smpl()
    extra = arrays.pop("J_regressor_extra")
    rows, known = official_regressors(arrays["J_regressor"], extra=extra)
    taken = {key: arrays[key] for key in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")}
    return Body("formula", "neutral", **taken, parents=SMPL_PARENTS, faces=arrays["f"], regressors=rows,
                regressor_known=known, vertex_names=dict(OFFICIAL_VERTICES))  # fmt: skip


@pytest.fixture
def small_smpl():
    """The keys of a synthetic SMPL file of 30 vertices, J_regressor sparse as in the official files."""
    arrays = formula_smpl(30, 20)
    arrays.pop("J_regressor_extra")
    return arrays | {"J_regressor": sparse.csc_matrix(arrays["J_regressor"])}


@pytest.fixture(scope="session")
def open_body():
    return load_body()


@pytest.fixture(scope="session")
def some_poses():
    """Six bodies: rest, then wilder and wilder: rotmat (6, 24, 3, 3), betas (6, 10), transl (6, 3)."""
    random = np.random.default_rng(7)
    spread = np.linspace(0, 1.2, 6)
    rotmat = rotvec_to_rotmat(spread[:, None, None] * random.normal(size=(6, 24, 3)))
    return rotmat, spread[:, None] * random.normal(size=(6, 10)), random.normal((0, 0, 4), size=(6, 3))


@pytest.fixture(scope="session")
def smplx_pose():
    """smplx_pose(body, rotmat, betas, transl): vertices and 45 joints by the `smplx` package, in double precision."""
    smplx = pytest.importorskip("smplx")
    from smplx.utils import Struct

    def pose(body, rotmat, betas, transl):
        tree = np.stack([body.parents, np.arange(24)])
        model = Struct(f=body.faces, v_template=body.v_template, shapedirs=body.shapedirs, posedirs=body.posedirs,
                       J_regressor=body.J_regressor, weights=body.weights, kintree_table=tree)  # fmt: skip
        layer = smplx.SMPL("", data_struct=model, vertex_ids=body.vertex_names, dtype=torch.float64)
        rotmat, betas, transl = (torch.tensor(array, dtype=torch.float64) for array in (rotmat, betas, transl))
        with torch.no_grad():
            out = layer(betas=betas, global_orient=rotmat[:, :1], body_pose=rotmat[:, 1:], transl=transl,
                        pose2rot=False)  # fmt: skip
        return out.vertices.numpy(), out.joints.numpy()

    return pose
