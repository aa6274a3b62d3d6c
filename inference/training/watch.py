"""What whoever started a training wants to hear of it, and how it is asked to stop."""

from collections.abc import Callable
from dataclasses import dataclass

from inference.training.history import Epoch


@dataclass(frozen=True)
class Batch:
    epoch: int
    number: int  # from 1
    count: int  # of the epoch
    loss: float


@dataclass(frozen=True)
class Watch:
    on_batch: Callable[[Batch], None] = lambda _batch: None
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None
    stop_asked: Callable[[], bool] = lambda: False  # asked at every step
