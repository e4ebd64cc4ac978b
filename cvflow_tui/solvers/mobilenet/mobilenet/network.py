"""MobileNetV2 (Sandler et al. 2018) with torchvision's names of its parts, so that torchvision's checkpoint fits without torchvision."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

FEATURES = 1280
"""Numbers that the network makes of a picture before it classifies."""
CLASSES = 1000

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""How many times a block widens, its channels, how many blocks, the stride of the first: table 2 of the paper."""


class Block(nn.Module):
    """An inverted residual: widen, filter each channel, narrow; added to what came in where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = inputs * widening
        layers: list[nn.Module] = [_convolution(inputs, wide, kernel=1)] if widening != 1 else []
        layers += [_convolution(wide, wide, stride=stride, groups=wide), nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self._adds = stride == 1 and inputs == outputs

    def forward(self, values: Tensor) -> Tensor:
        """One block."""
        made: Tensor = self.conv(values)
        return values + made if self._adds else made


class MobileNetV2(nn.Module):
    """[n, 3, 224, 224] → features [n, 1280] and, by `classifier`, logits [n, 1000]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, 32, stride=2)]
        inputs = 32
        for widening, outputs, count, first_stride in _STAGES:
            for number in range(count):
                layers.append(Block(inputs, outputs, first_stride if number == 0 else 1, widening))
                inputs = outputs
        layers.append(_convolution(inputs, FEATURES, kernel=1))
        self.features = nn.Sequential(*layers)
        # The first place is dropout's in the checkpoint; it does nothing once training is over.
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(FEATURES, CLASSES))

    def forward(self, tensors: Tensor) -> Tensor:
        """Features [n, 1280]: the last layer, averaged over the picture."""
        maps: Tensor = self.features(tensors)
        return maps.mean((2, 3))


def load_network(weights: Path, threads: int) -> MobileNetV2:
    """The network with its weights. The file is a pickle: `weights_only` reads tensors from it and runs nothing that it says."""
    torch.set_num_threads(threads)
    network = MobileNetV2()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True)
    )
