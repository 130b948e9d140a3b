"""HRNet-W48 as CLIFF uses it: four resolutions side by side, then one vector (Wang et al., TPAMI 2020).

The parameter names are those of HRNet's image classification network without its classifier.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from cliff_core.models.resnet import Bottleneck, bottlenecks

FEATURES = 2048
_WIDTHS = (48, 96, 192, 384)  # channels of the branches; each has half the resolution of the one before
_HEAD_CHANNELS = (32, 64, 128, 256)  # a bottleneck gives out four times as many
_BLOCKS = 4  # basic blocks per branch of a module


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; size and number of channels stay."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same."""
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + x)


class FusedBranches(nn.Module):
    """One module of a stage: every branch runs on its own, then each receives the sum of all.

    Args:
        widths: channels of the branches, finest first.
    """

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(width) for _ in range(_BLOCKS))) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_resample(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )
        self.relu = nn.ReLU()

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """One (B, width, H, W) per branch -> the same shapes."""
        features = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        fused = []
        for layers in self.fuse_layers:
            parts = [layer(x) for layer, x in zip(layers, features, strict=True)]
            fused.append(self.relu(sum(parts[1:], start=parts[0])))
        return fused


class HrNetW48(nn.Module):
    """Crops (B, 3, 256, 192) -> features (B, 2048)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, 2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = bottlenecks(64, 64, blocks=4)
        self.transition1 = nn.ModuleList(
            [_convolution(256, _WIDTHS[0]), nn.Sequential(_convolution(256, _WIDTHS[1], 2))]
        )
        self.stage2 = nn.Sequential(FusedBranches(_WIDTHS[:2]))
        self.transition2 = _new_branch(2)
        self.stage3 = nn.Sequential(*(FusedBranches(_WIDTHS[:3]) for _ in range(4)))
        self.transition3 = _new_branch(3)
        self.stage4 = nn.Sequential(*(FusedBranches(_WIDTHS) for _ in range(3)))

        outputs = [channels * Bottleneck.expansion for channels in _HEAD_CHANNELS]
        self.incre_modules = nn.ModuleList(
            bottlenecks(width, channels, blocks=1) for width, channels in zip(_WIDTHS, _HEAD_CHANNELS, strict=True)
        )
        self.downsamp_modules = nn.ModuleList(
            _convolution(fine, coarse, 2, bias=True) for fine, coarse in pairwise(outputs)
        )
        self.final_layer = _convolution(outputs[-1], FEATURES, kernel=1, bias=True)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, 256, 192) normalised RGB -> (B, 2048)."""
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.relu(self.bn2(self.conv2(x)))
        branches = [self.layer1(x)]
        branches = self.stage2(_add_branch(self.transition1, branches))
        branches = self.stage3(_add_branch(self.transition2, branches))
        branches = self.stage4(_add_branch(self.transition3, branches))

        grown = [module(x) for module, x in zip(self.incre_modules, branches, strict=True)]
        x = grown[0]
        for downsample, coarser in zip(self.downsamp_modules, grown[1:], strict=True):
            x = coarser + downsample(x)
        return self.final_layer(x).mean(dim=(2, 3))


def _add_branch(transition: nn.ModuleList, branches: list[Tensor]) -> list[Tensor]:
    """Existing branches through their transitions, and a new one at half the resolution of the coarsest."""
    return [layer(x) for layer, x in zip(transition, [*branches, branches[-1]], strict=True)]


def _new_branch(count: int) -> nn.ModuleList:
    """Transition after a stage of `count` branches, which stay as they are."""
    return nn.ModuleList(
        [*(nn.Identity() for _ in range(count)), nn.Sequential(_convolution(_WIDTHS[count - 1], _WIDTHS[count], 2))]
    )


def _resample(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """From the size and channels of one branch to those of another."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(
            nn.Conv2d(widths[source], widths[target], 1, bias=False),
            nn.BatchNorm2d(widths[target]),
            nn.Upsample(scale_factor=2 ** (source - target), mode="nearest"),
        )
    halvings = [_convolution(widths[source], widths[source], 2) for _ in range(target - source - 1)]
    last = nn.Sequential(
        nn.Conv2d(widths[source], widths[target], 3, 2, padding=1, bias=False), nn.BatchNorm2d(widths[target])
    )
    return nn.Sequential(*halvings, last)


def _convolution(channels_in: int, channels_out: int, stride: int = 1, kernel: int = 3, bias: bool = False):
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=bias),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )
