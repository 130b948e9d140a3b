"""CLIFF with weights that a formula gives: the official networks' sizes where their weights cannot be had.

Every number is computed from its parameter's name. Such a network predicts nothing that is worth a look, but it costs
what the official ones cost, and its outputs under the official code are known (`tests/golden`).
"""

from __future__ import annotations

import zlib

import numpy as np
import torch

from cliff_core.models.cliff import Cliff

CONV_GAIN = {"res50": 1.0, "hr48": 0.6}
LINEAR_GAIN = {"decpose.weight": 0.2, "decshape.weight": 0.2, "deccam.weight": 0.05}


def formula_cliff(backbone: str) -> Cliff:
    """A network in evaluation mode.

    Args:
        backbone: "res50" or "hr48".
    """
    with torch.device("meta"):  # no random numbers for weights that are replaced at once
        model = Cliff(backbone)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    gain = CONV_GAIN[backbone]
    weights = {name: torch.from_numpy(formula_array(name, shape, gain)) for name, shape in shapes.items()}
    model.load_state_dict(weights, assign=True)
    return model.eval()


def formula_array(name: str, shape: tuple[int, ...], conv_gain: float) -> np.ndarray:
    """One array of the network: float32, or int64 for counters.

    Args:
        name: in the network's state dict.
        shape: there.
        conv_gain: of `CONV_GAIN`; keeps the maps of deep networks within bounds.
    """
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
