"""Networks with weights that are computed from a formula, and what the official code made of them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from cliff_core.models import load_cliff

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="session")
def formula():
    """The module `tests/golden/formula.py`: weights and inputs of the golden outputs."""
    spec = importlib.util.spec_from_file_location("golden_formula", GOLDEN / "formula.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["res50", "hr48"])
def backbone(request):
    return request.param


@pytest.fixture(scope="module")
def golden(backbone):
    """Outputs of the official network of this backbone."""
    with np.load(GOLDEN / f"golden_{backbone}.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def model(backbone, formula, golden, tmp_path_factory):
    """The network as a person gets it: from a checkpoint file in the official container."""
    weights = formula.formula_weights(backbone)
    assert formula.weights_sha256(weights) == str(golden["weights_sha256"])
    path = tmp_path_factory.mktemp("checkpoint") / "weights.pt"
    torch.save({"model": {f"module.{name}": value for name, value in weights.items()}, "epoch": 5, "step": 6095}, path)
    loaded = load_cliff(path)
    path.unlink()
    return loaded


@pytest.fixture
def thin_weights(formula):
    """thin_weights("res50"): every official array in its shape, but zero and a few bytes long in a file."""

    def build(name):
        dtypes = {"float32": torch.float32, "int64": torch.int64}
        return {
            key: torch.zeros((), dtype=dtypes[dtype]).expand(shape) for key, shape, dtype in formula.official_keys(name)
        }

    return build
