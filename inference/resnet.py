"""ResNet with an attention module in every residual block (He 2016; the paper, section Network).

Parameters are named as torchvision names them, so that its weights load as they are. The head is global
average pooling and one linear layer to one logit, on which the closed form of Grad-CAM in `gradcam.py` rests.
"""

import copy
import math
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

Attention = Callable[[int], nn.Module]  # from the number of channels

RESNET50 = (3, 4, 6, 3)
EXPANSION = 4


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int, attention: Attention) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.attention = attention(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = _relu(self.bn1(self.conv1(x)), self)
        out = _relu(self.bn2(self.conv2(out)), self)
        out = self.attention(self.bn3(self.conv3(out)))
        return _relu(out + self.downsample(x), self)


class ResNet(nn.Module):
    def __init__(
        self,
        attention: Attention,
        *,
        layers: tuple[int, int, int, int] = RESNET50,
        strides: tuple[int, int, int, int] = (1, 2, 2, 2),
        width: int = 64,
        channels: int = 3,
    ) -> None:
        """`channels` is 3 for a stem with ImageNet weights, which sees the grey image three times, or 1."""
        super().__init__()
        self.channels = channels
        self.stride = 4 * math.prod(strides)  # pixels of the input from place to place of the last map
        self.conv1 = nn.Conv2d(channels, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        widths = [width, 2 * width, 4 * width, 8 * width]
        inputs = [width, *(w * EXPANSION for w in widths[:-1])]
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(i, w, blocks, stride, attention)
            for i, w, blocks, stride in zip(inputs, widths, layers, strides, strict=True)
        )
        self.fc = nn.Linear(widths[-1] * EXPANSION, 1)

    def features(self, x: Tensor) -> Tensor:
        """Of grey images (n, 1, rows, columns), the last block's maps."""
        x = x.expand(-1, self.channels, -1, -1)
        x = self.maxpool(_relu(self.bn1(self.conv1(x)), self))
        maps: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return maps

    def head(self, features: Tensor) -> Tensor:
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits[:, 0]

    def forward(self, x: Tensor) -> Tensor:
        """One logit per image: of PIMA."""
        return self.head(self.features(x))


def grey(network: ResNet) -> ResNet:
    """The same network with a stem for one channel: three equal channels meet the sum of their kernels."""
    single = copy.deepcopy(network)
    single.conv1.in_channels = single.channels = 1
    single.conv1.weight = nn.Parameter(network.conv1.weight.detach().sum(dim=1, keepdim=True))
    return single


def _relu(x: Tensor, within: nn.Module) -> Tensor:
    """In place in training, where the pass over memory counts; the service's maps are looked at, so not there."""
    return functional.relu(x, inplace=within.training)


def _stage(inputs: int, width: int, blocks: int, stride: int, attention: Attention) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride, attention)
    rest = (Bottleneck(width * EXPANSION, width, 1, attention) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    projection = nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False)
    return nn.Sequential(projection, nn.BatchNorm2d(outputs))
