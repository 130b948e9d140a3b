"""ResNet-50 as CLIFF uses it: an encoder from a crop to one vector, with torchvision's parameter names."""

from __future__ import annotations

from torch import Tensor, nn

FEATURES = 2048


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around a shortcut; the 3x3 one carries the stride ("v1.5").

    Args:
        channels_in: of the input.
        channels: inside; the output has four times as many.
        stride: of the block.
    """

    expansion = 4

    def __init__(self, channels_in: int, channels: int, stride: int = 1):
        super().__init__()
        channels_out = channels * self.expansion
        self.conv1 = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, 4 channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet50(nn.Module):
    """Crops (B, 3, 256, 192) -> features (B, 2048)."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = bottlenecks(64, 64, blocks=3)
        self.layer2 = bottlenecks(256, 128, blocks=4, stride=2)
        self.layer3 = bottlenecks(512, 256, blocks=6, stride=2)
        self.layer4 = bottlenecks(1024, 512, blocks=3, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, 256, 192) normalised RGB -> (B, 2048)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))


def bottlenecks(channels_in: int, channels: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """A chain of bottlenecks, of which the first changes size and number of channels."""
    rest = [Bottleneck(channels * Bottleneck.expansion, channels) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(channels_in, channels, stride), *rest)
