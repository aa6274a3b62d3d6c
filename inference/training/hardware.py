"""On what a training runs: processes and devices, who reads slices, and how torch sums."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from inference.training.recipe import Hardware
from inference.training.slices import Batches, Slices


def fabric_for(hardware: Hardware) -> Fabric:
    strategy = "ddp" if hardware.devices > 1 else "auto"
    fabric = Fabric(
        accelerator=hardware.device,
        devices=hardware.devices,
        strategy=strategy,
        precision=hardware.precision,
    )
    fabric.launch()
    if hardware.threads:
        torch.set_num_threads(hardware.threads)  # the launcher of several processes has its own mind
    return fabric


def loader_for(slices: Slices, batches: Batches, hardware: Hardware) -> DataLoader[tuple[Tensor, Tensor]]:
    """Its processes are spawned: a fork would copy the threads' locks."""
    workers = hardware.workers
    return DataLoader(
        slices,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_deaf if workers else None,
        pin_memory=hardware.device == "cuda",
    )


def _deaf(_worker: int) -> None:
    """A signal to all of the group is for the training itself, which ends its readers when it has stopped."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextmanager
def repeatable(hardware: Hardware) -> Iterator[None]:
    """Only algorithms that sum in the same order every time; torch's own choice comes back at the end."""
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic  # a module that gives its one attribute no type
    filled = memory.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not repeatable
    torch.use_deterministic_algorithms(True, warn_only=hardware.device == "cuda")  # where not all are there
    memory.fill_uninitialized_memory = False  # nothing reads it; a pass over every new map
    torch.set_num_threads(hardware.threads or threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warned)
        memory.fill_uninitialized_memory = filled
        torch.set_num_threads(threads)
