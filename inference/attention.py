"""The two attention modules of the paper (section Network), which look at the same features side by side."""

from enum import StrEnum

import torch
from torch import Tensor, nn


class Fusion(StrEnum):
    """How the two branches meet; the paper leaves it open."""

    SUM = "sum"
    MAX = "max"
    MEAN = "mean"


class SqueezeExcitation(nn.Module):
    """Weighs channels by what the whole map holds (Hu 2018)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, max(channels // reduction, 1))
        self.excite = nn.Linear(max(channels // reduction, 1), channels)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean(dim=(2, 3))
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))
        return x * weights[:, :, None, None]


class DynamicAttention(nn.Module):
    """Weighs places by one point-wise convolution, at full resolution and without pooling (DAS)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(channels, 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.gate(x))


class SeDas(nn.Module):
    """Both in parallel, unlike CBAM, where one follows the other."""

    def __init__(self, channels: int, reduction: int = 16, fusion: Fusion = Fusion.SUM) -> None:
        super().__init__()
        self.se = SqueezeExcitation(channels, reduction)
        self.das = DynamicAttention(channels)
        self.fusion = fusion

    def forward(self, x: Tensor) -> Tensor:
        by_channel: Tensor = self.se(x)
        by_place: Tensor = self.das(x)
        match self.fusion:
            case Fusion.SUM:
                return by_channel + by_place
            case Fusion.MAX:
                return torch.maximum(by_channel, by_place)
            case Fusion.MEAN:
                return (by_channel + by_place) / 2
