"""The slices of a dataset as a network is given them, and their order in an epoch.

Order and parts of the batches depend on seed and epoch alone, so that a training can be taken up at any epoch.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

from inference.dataset.folder import WHITE, Dataset

OutsideLungs = Literal["zero", "keep"]


def images_of(
    dataset: Dataset, case: str, outside: OutsideLungs, place: slice = slice(None)
) -> NDArray[np.float32]:
    """Slices, rows, columns: 0..1, and zero outside the lungs if the network sees these alone."""
    grey = dataset.images(case)[place].astype(np.float32) / np.float32(WHITE)
    if outside == "keep":
        return grey
    grey *= dataset.lungs(case)[place]
    return grey


class Slices(TorchDataset[tuple[Tensor, Tensor]]):
    """Every slice of these cases, read when asked for."""

    def __init__(self, dataset: Dataset, cases: Sequence[str], outside: OutsideLungs) -> None:
        self._dataset = dataset
        self._outside = outside
        self._places = [(name, k) for name in cases for k in range(len(dataset.cases[name].slice_sha256))]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """The image (1, rows, columns) and its label: the patient's, 1 for PIMA."""
        name, k = self._places[number]
        image = images_of(self._dataset, name, self._outside, slice(k, k + 1))
        return torch.from_numpy(image), torch.tensor(float(self._dataset.cases[name].positive))

    @property
    def positive_weight(self) -> float:
        """Of the loss: negative slices over positive ones, so that both classes weigh the same."""
        positive = sum(self._dataset.cases[name].positive for name, _ in self._places)
        return (len(self) - positive) / positive


class Batches(Sampler[list[int]]):
    """Batches of nearly one size and of two slices at least in each process: of one the batch norm would make nothing."""

    def __init__(self, slices: int, size: int, seed: int, *, rank: int = 0, ranks: int = 1) -> None:
        """Of `ranks` processes each takes its share of every batch."""
        self._slices, self._count = slices, max(1, min(math.ceil(slices / size), slices // (2 * ranks)))
        self._seed, self._rank, self._ranks = seed, rank, ranks
        self.epoch = 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self._slices, generator=chance(self._seed, self.epoch))
        for batch in torch.tensor_split(order, self._count):
            yield batch[self._rank :: self._ranks].tolist()


def chance(*numbers: int) -> torch.Generator:
    """A source of random numbers for just these: seed, epoch, batch."""
    sequence = np.random.SeedSequence(numbers, spawn_key=(len(numbers),))  # else 1, 2 is 1, 2, 0
    state = sequence.generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
