"""A network's trunk as prediction wants it: the same numbers, sooner.

Training and fine-tuning never see it: the network it is made from stays as it is.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cliff_core.execution.device import Compute, Precision
from cliff_core.geometry.crop import scale_colours

_TRUNKS = ("trunk", "encoder")  # as the open and the official networks call theirs


class FastTrunk:
    """A copy of a network's trunk with batch normalisation folded away, channels last, on a device of its choice.

    It may be used by several threads at once. In float32 its features are those of `model.encode` but for the last
    bits (2e-6 of their spread).

    Args:
        model: `Cliff` or `OpenCliff`; its weights are taken as they are now.
        compute: where, and in which precision.
    """

    def __init__(self, model: nn.Module, compute: Compute):
        self._spec = model.crop_spec
        self._compute = compute
        # everything but the trunk is shared with the model, not copied
        shared = {id(child): child for name, child in model.named_children() if name not in _TRUNKS}
        self._model = copy.deepcopy(model, shared).eval()
        for name in _TRUNKS:
            trunk = getattr(self._model, name, None)
            if trunk is not None:
                fold_batch_norm(trunk)
                trunk.to(compute.device, compute.dtype, memory_format=torch.channels_last)
        if compute.device == "cuda" and compute.precision is Precision.FLOAT32:
            torch.backends.cudnn.allow_tf32 = False  # or cuDNN would round to eleven bits on its own account

    @torch.inference_mode()
    def __call__(self, patches: np.ndarray) -> Tensor:
        """(N, H, W, 3) float32 patches 0..255 of `crop_image` -> (N, F) float32 features on the CPU."""
        # pictures have their channels last by nature: seen as (N, 3, H, W), they already lie as the trunk wants them
        images = torch.from_numpy(scale_colours(patches, self._spec)).permute(0, 3, 1, 2)
        return self._model.encode(images.to(self._compute.device, self._compute.dtype)).float().cpu()


def fold_batch_norm(module: nn.Module) -> None:
    """Work every batch normalisation of a network in evaluation mode into the convolution before it, in place.

    A convolution and its normalisation stand one after the other in the same parent, in `nn.Sequential` as in blocks
    with `conv1`, `bn1`, ...; so they do in all our networks.

    Raises:
        ValueError: a normalisation that no convolution stands before.
    """
    before: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            if before is None or not isinstance(before[1], nn.Conv2d):
                raise ValueError(f"{name}: a batch normalisation without a convolution before it cannot be folded")
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        else:
            fold_batch_norm(child)
        before = (name, child)
