"""Checkpoints: from a file to a CLIFF network, or to one sentence that says what the file is instead.

Read are the official CLIFF releases (weights under "model", with or without `module.` before every name, other keys
beside it), the same weights as a bare state dict, and open CLIFF's own container. The network is recognised from the
names of the weights, never from the file's name, and every weight must be there in its shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from cliff_core.errors import CheckpointError
from cliff_core.models.checkpoint_file import read_checkpoint
from cliff_core.models.cliff import Cliff

_WEIGHTS_KEYS = ("model", "state_dict")  # the official container's; a common one of other training loops
_OFFICIAL = "This program reads the official CLIFF checkpoints (ResNet-50 and HRNet-W48) and open CLIFF's own"


def load_checkpoint(path: Path) -> nn.Module:
    """The network of a checkpoint file, in evaluation mode, on the CPU, in float32.

    Returns:
        `Cliff` or `OpenCliff`: both have `name`, `crop_spec`, `encode`, `regress` and `forward`.

    Raises:
        CheckpointError: not a checkpoint that this program reads; the message names the file, says what it is
            instead and what to do. Nothing in the file is ever executed.
    """
    content = read_checkpoint(path, explain_names=other_network)
    if isinstance(content, dict) and content.get("format") == "open-cliff":
        from cliff_core.models.open_cliff import OpenCliff  # the open body and trunk are needed only here

        network = OpenCliff.from_checkpoint(content, path).eval()
        _check_finite(network.state_dict(), path)
        return network
    weights = _weights(content, path)
    backbone = _backbone(weights, content, path)
    with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
        model = Cliff(backbone)
    _check(weights, model.state_dict(), model.name, path)
    model.load_state_dict({name: _as_stored(value) for name, value in weights.items()}, strict=True, assign=True)
    return model.eval()


def other_network(names: Iterable[str]) -> str | None:
    """Which well-known network these weights belong to, and what to do, if it is not CLIFF's official one.

    Args:
        names: of the weights, together with the keys of the container around them.
    """
    names = {name.removeprefix("module.") for name in names}

    def has(*prefixes: str) -> bool:
        return any(name.startswith(prefixes) for name in names)

    if has("smpl_head."):
        return f"a checkpoint of HMR 2.0 (4D-Humans, TokenHMR), not of CLIFF. {_OFFICIAL}"
    if has("backbone.", "model.backbone.") and has("head.", "model.head."):
        why = "its modules are called backbone and head, its input and bbox_info are others"
        if has("model.", "head.downsample_module.", "smplx.", "pytorch-lightning_version"):
            return f"a checkpoint of BEDLAM's CLIFF, which is another network ({why}). {_OFFICIAL}"
        if has("meta", "body_model"):
            return f"a checkpoint of MMHuman3D's CLIFF, which is another network ({why}). {_OFFICIAL}"
        return f"a checkpoint of BEDLAM's or MMHuman3D's CLIFF, which are other networks ({why}). {_OFFICIAL}"
    if has("regressor.") or (has("decpose.") and has("layer4.")):
        return (
            "a checkpoint of HMR, SPIN or a relative of theirs, which do not know where the crop lies in the photo. "
            f"{_OFFICIAL}"
        )
    if has("layer4.", "stage4.") and not has("dec", "encoder."):
        return f"weights of a backbone alone, without CLIFF's head. {_OFFICIAL}"
    return None


def _weights(content, path: Path) -> dict[str, Tensor]:
    """The state dict in a container or bare, without `module.` prefixes."""
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, not a dictionary of weights. {_OFFICIAL}")
    found = next((content[key] for key in _WEIGHTS_KEYS if isinstance(content.get(key), dict)), content)
    weights = {name: value for name, value in found.items() if isinstance(value, Tensor) and isinstance(name, str)}
    if not weights or (found is not content and len(weights) < len(found)):
        keys = ", ".join(str(key) for key in list(found)[:5]) or "nothing"
        raise CheckpointError(f"{path}: no dictionary of weights, but one that holds {keys}. {_OFFICIAL}")
    if any(name.startswith("module.") for name in weights):
        weights = {name.replace("module.", ""): value for name, value in weights.items()}  # as the official code does
    return weights


def _backbone(weights: dict[str, Tensor], content: dict, path: Path) -> str:
    """ "res50" or "hr48", from the names of the weights."""
    if any(name.startswith("encoder.stage4.") for name in weights):
        return "hr48"
    if any(name.startswith("encoder.layer4.") for name in weights):
        return "res50"
    what = other_network([*weights, *(key for key in content if isinstance(key, str))])
    if what is None and "decpose.weight" in weights:
        what = (
            "an incomplete CLIFF checkpoint: it has the head, but neither encoder.layer4 (ResNet-50) nor "
            "encoder.stage4 (HRNet-W48). Save the whole model's state_dict()"
        )
    what = what or f"weights of an unknown network (the first is {next(iter(weights))}). {_OFFICIAL}"
    raise CheckpointError(f"{path}: {what}")


def _check(weights: dict[str, Tensor], expected: dict[str, Tensor], model: str, path: Path) -> None:
    """Every weight there, in its shape, and a number; nothing left over."""
    for name, value in expected.items():
        if name in weights and weights[name].shape != value.shape:
            raise CheckpointError(
                f"{path}: a checkpoint for another head or backbone: {name} has shape {tuple(weights[name].shape)}, "
                f"{model} has {tuple(value.shape)}. {_OFFICIAL}"
            )
    missing = [name for name in expected if name not in weights]
    if missing:
        raise CheckpointError(
            f"{path}: incomplete checkpoint: {len(missing)} of {model}'s {len(expected)} arrays are missing, the first "
            f"is {missing[0]}. Get the whole file again, or save the whole model's state_dict()"
        )
    surplus = [name for name in weights if name not in expected]
    if surplus:
        raise CheckpointError(
            f"{path}: a checkpoint of an extended network: {model} has no {surplus[0]} ({len(surplus)} such arrays). "
            f"{_OFFICIAL}"
        )
    for name, value in weights.items():
        plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not plain or value.is_floating_point() != expected[name].is_floating_point():
            raise CheckpointError(
                f"{path}: {name} is stored as {value.dtype} {value.layout} on {value.device}, not as plain "
                "floating point numbers. Save the weights unquantised"
            )
    _check_finite(weights, path)


def _check_finite(weights: dict[str, Tensor], path: Path) -> None:
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(
                f"{path}: {name} holds values that are not numbers: the training that wrote this file had diverged. "
                "Use an earlier checkpoint"
            )


def _as_stored(value: Tensor) -> Tensor:
    """Weights of their own in float32 (a file may hold half precision, or two names for one tensor); counters as is."""
    return value.to(torch.float32, copy=True) if value.is_floating_point() else value.clone()
