"""The networks: official CLIFF (ResNet-50, HRNet-W48), open CLIFF, and how their checkpoints are read.

Lives here: architectures and weights. Does not live here: crops and cameras (`geometry`), running a network over
photos (`inference`), training one (`training`). May import: torch, `cliff_core.geometry`, `cliff_core.body` and
below.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from cliff_core.models.checkpoints import load_checkpoint
from cliff_core.resources import resource_path

__all__ = ["load_cliff"]


def load_cliff(path: str | Path | None = None) -> nn.Module:
    """A CLIFF network, ready to predict: `rotmat, betas, cam_crop = load_cliff(path)(images, bbox_info)`.

    Args:
        path: an official CLIFF checkpoint or one of open CLIFF; None for the bundled open CLIFF.

    Returns:
        A module in evaluation mode whose `crop_spec` says how its input is cut, and which takes
        images (B, 3, H, W) and bbox_info (B, 3) to rotmat (B, 24, 3, 3), betas (B, 10), cam_crop (B, 3).

    Raises:
        CheckpointError: the file is not such a checkpoint; the message says what it is and what to do.
        ResourceError: the bundled weights are missing.
    """
    return load_checkpoint(resource_path("open_cliff", "open_cliff.pt") if path is None else Path(path))
