"""The BlazePose-full landmark network as a trainable torch module: the trunk of the open CLIFF.

BlazePose (Bazarevsky et al. 2020, arXiv:2006.10204; MediaPipe's `pose_landmark_full`, Apache-2.0) was trained on a very
large set of people, so its maps know far more about bodies than a network of this size could learn from renders. Only
what the landmarks depend on is here: a MobileNetV2-like encoder down to 16 x 16, then three stages of residual
depthwise blocks at 8, 4 and 2 pixels, on which two linear heads hang. The heat map, the segmentation and the presence
flag of the original network are left out.

Batch normalisation is already folded into the convolutions of the published model, so the module has none: fine-tuning
needs no care about running statistics, and training and evaluation modes are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from cliff_core.errors import CheckpointError
from cliff_core.models.depthwise import Depthwise

FEATURE_SIZE = 3 * 288 * 4 + 195 + 117
EARLY_SHAPE = (88, 16, 16)
"""Of the map between the early layers, which see what every picture is made of, and the late ones, which see people."""

# One row per inverted residual block: channels in, expanded, out, kernel, stride. A block that keeps its shape adds
# its input (MobileNetV2, Sandler et al. 2018).
_ENCODER = (
    (16, 64, 24, 3, 2),  # 128 -> 64 px
    (24, 144, 24, 3, 1),
    (24, 144, 32, 5, 2),  # 64 -> 32 px
    (32, 192, 32, 5, 1),
    (32, 192, 64, 3, 2),  # 32 -> 16 px
    (64, 384, 64, 3, 1),
    (64, 384, 64, 3, 1),
    (64, 384, 88, 5, 1),
    (88, 528, 88, 5, 1),
    (88, 528, 88, 5, 1),
    (88, 528, 144, 5, 2),  # 16 -> 8 px, the first of the late layers
    (144, 864, 144, 5, 1),
    (144, 864, 144, 5, 1),
    (144, 864, 144, 5, 1),
)
_EARLY_BLOCKS = 10
_EXPANDED = 864
_WIDTH = 288
_BLOCKS_AT_4 = 4
_BLOCKS_AT_2 = 5
_LANDMARK_VALUES = 39 * 5
_WORLD_VALUES = 39 * 3


@dataclass(frozen=True, slots=True)
class TrunkOutput:
    """What the trunk sees in a batch of crops.

    Attributes:
        map8, map4, map2: (B, 288, 8, 8), (B, 288, 4, 4), (B, 288, 2, 2) feature maps, 0..6.
        landmarks: (B, 195) raw 39 x (x, y, z, visibility, presence); x, y in pixels of the 256 x 256 crop, z in the
            same unit, visibility and presence before the sigmoid. The first 33 are `skeletons.BLAZEPOSE33`.
        world: (B, 117) raw 39 x (x, y, z) in metres from the middle of the hips, axes of the crop's image.
    """

    map8: Tensor
    map4: Tensor
    map2: Tensor
    landmarks: Tensor
    world: Tensor

    def features(self) -> Tensor:
        """(B, 3768): all maps on a 2 x 2 grid, smallest first, then landmarks and world landmarks.

        The coarse grid keeps where in the crop something was seen; finer grids brought nothing in trials.
        """
        pooled = (functional.adaptive_avg_pool2d(each, 2).flatten(1) for each in (self.map2, self.map4, self.map8))
        return torch.cat([*pooled, self.landmarks, self.world], dim=1)


def _relu6(x: Tensor) -> Tensor:
    """In place: the convolution before it does not need its own output for the gradient, and memory is what is slow."""
    return functional.relu6(x, inplace=True)


class _InvertedResidual(nn.Module):
    """Expand, look around per channel, project; the projection has no activation."""

    def __init__(self, channels_in: int, expanded: int, channels_out: int, kernel: int, stride: int):
        super().__init__()
        self.expand = nn.Conv2d(channels_in, expanded, 1)
        self.depthwise = Depthwise(expanded, kernel, stride)
        self.project = nn.Conv2d(expanded, channels_out, 1)
        self.keeps_shape = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y = _relu6(self.expand(x))
        y = self.project(_relu6(self.depthwise(y)))
        return x + y if self.keeps_shape else y


class _Residual(nn.Module):
    """Depthwise, pointwise, add, activate; optionally halves the map (its shortcut is then a max-pool)."""

    def __init__(self, channels: int, halve: bool = False):
        super().__init__()
        self.halve = halve
        # TensorFlow pads an even map on the right and bottom only when it strides; done by hand in `forward`.
        self.depthwise = Depthwise(channels, 3, 2, padding=0) if halve else Depthwise(channels, 3)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        shortcut, x = (functional.max_pool2d(x, 2), functional.pad(x, (0, 1, 0, 1))) if self.halve else (x, x)
        return _relu6(shortcut + self.pointwise(_relu6(self.depthwise(x))))


class BlazePoseTrunk(nn.Module):
    """Crops to multi-scale features, 2D landmarks and world landmarks.

    The order in which layers are made is the order in which the published graph runs them:
    `state_dict_from_onnx` relies on it.
    """

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, 2, 1)
        self.stem_depthwise = Depthwise(24, 3)
        self.stem_project = nn.Conv2d(24, 16, 1)
        self.encoder = nn.Sequential(*(_InvertedResidual(*row) for row in _ENCODER))
        self.expand8 = nn.Conv2d(_ENCODER[-1][2], _EXPANDED, 1)
        self.depthwise8 = nn.Sequential(
            Depthwise(_EXPANDED, 3), nn.ReLU6(inplace=True), Depthwise(_EXPANDED, 3), nn.ReLU6(inplace=True)
        )
        self.reduce8 = nn.Conv2d(_EXPANDED, _WIDTH, 1)
        self.stage4 = nn.Sequential(_Residual(_WIDTH, halve=True), *(_Residual(_WIDTH) for _ in range(_BLOCKS_AT_4)))
        self.stage2 = nn.Sequential(_Residual(_WIDTH, halve=True), *(_Residual(_WIDTH) for _ in range(_BLOCKS_AT_2)))
        self.world_head = nn.Conv2d(_WIDTH, _WORLD_VALUES, 2)
        self.landmark_head = nn.Conv2d(_WIDTH, _LANDMARK_VALUES, 2)
        self.to(memory_format=torch.channels_last)  # pointwise layers dominate: up to twice as fast on a CPU

    def late_layers(self) -> list[nn.Module]:
        """The layers that `late` goes through."""
        blocks = list(self.encoder[_EARLY_BLOCKS:])
        heads = [self.world_head, self.landmark_head]
        return [*blocks, self.expand8, self.depthwise8, self.reduce8, self.stage4, self.stage2, *heads]

    def forward(self, images: Tensor) -> TrunkOutput:
        """See people.

        Args:
            images: (B, 3, 256, 256) RGB, 0..1.
        """
        return self.late(self.early(images))

    def early(self, images: Tensor) -> Tensor:
        """(B, 3, 256, 256) to maps (B, *EARLY_SHAPE), which training keeps while it tunes the late layers."""
        x = _relu6(self.stem(images.contiguous(memory_format=torch.channels_last)))
        x = self.stem_project(_relu6(self.stem_depthwise(x)))
        return self.encoder[:_EARLY_BLOCKS](x)

    def late(self, maps: Tensor) -> TrunkOutput:
        """From the maps of `early` on."""
        x = self.encoder[_EARLY_BLOCKS:](maps)
        x = self.depthwise8(_relu6(self.expand8(x)))
        map8 = _relu6(self.reduce8(x))
        map4 = self.stage4(map8)
        map2 = self.stage2(map4)
        return TrunkOutput(map8, map4, map2, self.landmark_head(map2).flatten(1), self.world_head(map2).flatten(1))


def state_dict_from_onnx(path: Path) -> dict[str, Tensor]:
    """Weights of the published ONNX landmark network, under the names of `BlazePoseTrunk`.

    The layers are matched by their place in the graph and held to their shapes, because the converter that made the
    file left no usable names. Weights stored in half precision come back as float32.

    Args:
        path: `pose_landmark_full` as ONNX; needs the `onnx` package (extra `train`).

    Raises:
        CheckpointError: the file is not this network.
    """
    try:
        import onnx
    except ImportError:
        raise CheckpointError(f"{path}: needs the package `onnx` to be read; install the extra `train`") from None

    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf, file system and onnx raise classes of their own
        raise CheckpointError(f"{path}: not a readable ONNX file ({error})") from error
    layers = _convolutions_behind(graph, ("Identity", "Identity_4"))
    expected = [(name, layer) for name, layer in BlazePoseTrunk().named_modules() if isinstance(layer, nn.Conv2d)]
    found = [tuple(weight.shape) for weight, _ in layers]
    if found != [tuple(layer.weight.shape) for _, layer in expected]:
        raise CheckpointError(
            f"{path}: holds {len(found)} convolutions that are not BlazePose-full's {len(expected)}; "
            "use MediaPipe's pose_landmark_full converted to ONNX"
        )
    state = {}
    for (name, _), (weight, bias) in zip(expected, layers, strict=True):
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, bias
    return state


def _convolutions_behind(graph, outputs: tuple[str, ...]) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of every convolution that these graph outputs depend on, in the order of the graph."""
    from onnx import numpy_helper

    made_by = {name: node for node in graph.node for name in node.output}
    stored = {each.name: each for each in graph.initializer}

    wanted, queue = set(), list(outputs)
    while queue:
        name = queue.pop()
        if name in made_by and name not in wanted:
            wanted.add(name)
            queue += made_by[name].input

    def constant(name: str) -> Tensor:
        while name not in stored:  # a Cast from half precision stands between a weight and its use
            name = made_by[name].input[0]
        return torch.from_numpy(numpy_helper.to_array(stored[name]).astype("float32"))

    convolutions = (node for node in graph.node if node.op_type == "Conv" and node.output[0] in wanted)
    return [(constant(node.input[1]), constant(node.input[2])) for node in convolutions]
