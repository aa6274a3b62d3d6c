"""The attention modules of the paper's ablation (section Network), readable one by one.

Each takes and gives feature maps (images, channels, rows, columns) and keeps their shape.
"""

from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Fusion(StrEnum):
    """How the two branches of SE-DAS meet; the paper leaves it open."""

    SUM = "sum"
    MAX = "max"
    MEAN = "mean"


class SqueezeExcitation(nn.Module):
    """Weighs channels by what the whole map holds (Hu 2018)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, max(channels // reduction, 1))
        self.excite = nn.Linear(max(channels // reduction, 1), channels)

    def weights(self, x: Tensor) -> Tensor:
        """0..1: images, channels, 1, 1."""
        pooled = x.mean(dim=(2, 3))
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)


class DynamicAttention(nn.Module):
    """Weighs places by one point-wise convolution, at full resolution and without pooling (DAS)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(channels, 1, kernel_size=1)

    def weights(self, x: Tensor) -> Tensor:
        """0..1: images, 1, rows, columns. In training as a product of matrices: its gradient takes half the time."""
        if not self.training:
            return torch.sigmoid(self.gate(x))
        places = functional.linear(x.permute(0, 2, 3, 1), self.gate.weight.flatten(1), self.gate.bias)
        return torch.sigmoid(places.permute(0, 3, 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)


class SeDas(nn.Module):
    """Both in parallel on the same input, unlike CBAM, where one follows the other."""

    def __init__(self, channels: int, reduction: int = 16, fusion: Fusion = Fusion.SUM) -> None:
        super().__init__()
        self.se = SqueezeExcitation(channels, reduction)
        self.das = DynamicAttention(channels)
        self.fusion = fusion

    def forward(self, x: Tensor) -> Tensor:
        by_channel = self.se.weights(x)
        by_place = self.das.weights(x)
        match self.fusion:
            case Fusion.SUM if self.training:
                both: Tensor = _Weighed.apply(x, by_channel.to(x.dtype), by_place.to(x.dtype))
                return both
            case Fusion.SUM:
                return x * (by_channel + by_place)  # x SE(x) + x DAS(x) in one pass over x
            case Fusion.MAX:
                return torch.maximum(x * by_channel, x * by_place)
            case Fusion.MEAN:
                return x * ((by_channel + by_place) / 2)


class _Weighed(torch.autograd.Function):
    """x (by_channel + by_place), with a gradient that passes over x as seldom as it can."""

    @staticmethod
    def forward(context: Any, x: Tensor, by_channel: Tensor, by_place: Tensor) -> Tensor:
        context.save_for_backward(x, by_channel, by_place)
        return (x * by_channel).addcmul_(x, by_place)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, by_channel, by_place = context.saved_tensors
        of_weights = gradient * x
        of_channel, of_place = of_weights.sum((2, 3), keepdim=True), of_weights.sum(1, keepdim=True)
        return (gradient * by_channel).addcmul_(gradient, by_place), of_channel, of_place


class Cbam(nn.Module):
    """Weighs channels, then places of what is left (Woo 2018).

    Channels by one perceptron over their mean and their maximum; places by a 7x7 convolution over the
    mean and the maximum of the channels, as in the publication without batch norm.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, max(channels // reduction, 1))
        self.excite = nn.Linear(max(channels // reduction, 1), channels)
        self.gate = nn.Conv2d(2, 1, kernel_size=7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        by_channel = torch.sigmoid(self._shared(x.mean(dim=(2, 3))) + self._shared(x.amax(dim=(2, 3))))
        x = x * by_channel[:, :, None, None]
        summary = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.gate(summary))

    def _shared(self, pooled: Tensor) -> Tensor:
        excited: Tensor = self.excite(torch.relu(self.squeeze(pooled)))
        return excited
