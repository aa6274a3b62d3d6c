"""All that a training needs to go on after an epoch as if it had never stopped."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.foreign_weights import UNREADABLE
from inference.training.durable import write_whole
from inference.training.history import Epoch

CHECKPOINT = "checkpoint.pt"
State = Mapping[str, Any]  # a state dict, nested


class BadCheckpoint(ValueError):
    """A checkpoint that cannot be read."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """After `history`'s last epoch. Schedule, order and chance of the next follow from its number alone."""

    network: Mapping[str, Tensor]
    optimiser: State
    scaler: State  # of mixed precision; empty without
    best: Mapping[str, Tensor]  # weights of the best epoch
    history: tuple[Epoch, ...]


def save(checkpoint: Checkpoint, folder: Path) -> None:
    content = {
        "network": dict(checkpoint.network),
        "optimiser": dict(checkpoint.optimiser),
        "scaler": dict(checkpoint.scaler),
        "best": dict(checkpoint.best),
        "history": [asdict(epoch) for epoch in checkpoint.history],
    }
    write_whole(folder / CHECKPOINT, lambda partial: torch.save(content, partial))


def load(folder: Path) -> Checkpoint | None:
    """None where no epoch has ended. Nothing in the file is run."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        history = tuple(Epoch(**epoch) for epoch in content.pop("history"))
        return Checkpoint(history=history, **content)
    except UNREADABLE as error:
        raise BadCheckpoint(f"{path}: {type(error).__name__}; remove it to begin anew") from error
