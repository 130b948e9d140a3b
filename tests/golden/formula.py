"""The weights, crops and places in the frame that the golden network outputs were made with.

Every number is computed from its parameter's name, so that 300 MB of weights need no file: see README.md here. The
formula is `cliff_core.models.formula`, which the speed benchmark needs too; the digest in the golden file holds it.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from cliff_core.models.formula import CONV_GAIN, formula_array

FOLDER = Path(__file__).parent


def official_keys(backbone):
    """[(name, shape, dtype name), ...] of the official module's state_dict()."""
    return json.loads((FOLDER / f"keys_{backbone}.json").read_text())["keys"]


def formula_weights(backbone):
    """name -> tensor for every entry of the official state dict."""
    return {
        name: torch.from_numpy(formula_array(name, tuple(shape), CONV_GAIN[backbone]))
        for name, shape, _ in official_keys(backbone)
    }


def weights_sha256(weights):
    """The digest that stands in the golden file beside the outputs."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + np.ascontiguousarray(weights[name].numpy()).tobytes())
    return digest.hexdigest()


def formula_input():
    """(2, 3, 256, 192) float32 tensor."""
    n, c, i, j = np.ogrid[:2, :3, :256, :192]
    x = np.sin(0.05 * (i + 1) * (c + 1) + 0.03 * (j + 1) * (n + 1)) + 0.5 * np.cos(0.11 * j - 0.07 * i + n)
    x = x + 0.25 * ((i // 16 + j // 16 + n) % 2)
    return torch.from_numpy(np.where(n == 0, x, 1.5 * x + 0.8 * (c - 1)).astype(np.float32))
