"""The optimiser of a recipe, and its rate by time."""

import math
from typing import Any

import torch

from inference.resnet import ResNet
from inference.training.recipe import Optimiser


def optimiser_for(network: ResNet, numbers: Optimiser) -> torch.optim.Optimizer:
    """Two groups: what ImageNet begins, and head and attention modules, which have further to go."""
    named = list(network.named_parameters())
    groups: list[dict[str, Any]] = [
        {"params": [value for name, value in named if not _own(name)], "lr": numbers.rate},
        {"params": [value for name, value in named if _own(name)], "lr": numbers.head_rate},
    ]
    match numbers.kind:
        case "adamw":
            return torch.optim.AdamW(groups, weight_decay=numbers.weight_decay)
        case "sgd":
            return torch.optim.SGD(groups, weight_decay=numbers.weight_decay, momentum=numbers.momentum)


def share_of_rate(epochs: float, numbers: Optimiser) -> float:
    """Of the full rate after so many epochs: up to it during the warm-up, then as the schedule says."""
    if epochs < numbers.warm_up_epochs:
        return epochs / numbers.warm_up_epochs
    if numbers.schedule == "constant":
        return 1.0
    passed = (epochs - numbers.warm_up_epochs) / max(numbers.epochs - numbers.warm_up_epochs, 1.0)
    return (1.0 + math.cos(math.pi * min(passed, 1.0))) / 2.0


def _own(name: str) -> bool:
    return name.startswith("fc.") or ".attention." in name
