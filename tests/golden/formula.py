"""The weights, crops and places in the frame that the golden network outputs were made with.

Every number is computed from its parameter's name, so that 300 MB of weights need no file: see README.md here.
"""

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent
CONV_GAIN = {"res50": 1.0, "hr48": 0.6}
LINEAR_GAIN = {"decpose.weight": 0.2, "decshape.weight": 0.2, "deccam.weight": 0.05}


def official_keys(backbone):
    """[(name, shape, dtype name), ...] of the official module's state_dict()."""
    return json.loads((FOLDER / f"keys_{backbone}.json").read_text())["keys"]


def formula_weights(backbone):
    """name -> tensor for every entry of the official state dict."""
    return {
        name: torch.from_numpy(_formula_array(name, tuple(shape), CONV_GAIN[backbone]))
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


def _formula_array(name, shape, conv_gain):
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    z = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF).standard_normal(size=shape)
    if name == "init_pose":
        z = np.tile([1, 0, 0, 1, 0, 0], 24)[None] + 0.1 * z
    elif name == "init_shape":
        z = 0.3 * z
    elif name == "init_cam":
        z = [[0.9, 0, 0]] + 0.02 * z
    elif name.endswith("running_mean"):
        z = 0.1 * z
    elif name.endswith("running_var"):
        z = 1 + 0.2 * np.abs(z)
    elif len(shape) == 4:
        z = z * np.sqrt(conv_gain / (shape[1] * shape[2] * shape[3]))
    elif len(shape) == 2:
        z = z * LINEAR_GAIN.get(name, 1.0) / np.sqrt(shape[1])
    elif name.endswith(".weight"):
        z = 1 + 0.1 * z
    else:
        z = 0.05 * z
    return z.astype(np.float32)
