"""Synthetic patients as the network sees them, made by the same steps as the service's."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from inference.bundle import Preprocessing
from inference.phantom import SHARP_KERNEL, SOFT_KERNEL, LesionKind, as_volume, chest
from inference.preprocess import frame, network_input, slabs
from inference.threshold import ThresholdSegmenter

MOST_SLICES = 6  # per patient, so that large lesions do not fill the cohort
_SOFT_SHARE = 5  # one patient in so many has a soft kernel


@dataclass(frozen=True)
class Patient:
    seed: int
    kind: LesionKind

    @property
    def is_pima(self) -> bool:
        return self.kind is LesionKind.PIMA_LIKE


@dataclass(frozen=True, eq=False)
class Case:
    """A patient's slices that show the lesion."""

    patient: Patient
    images: NDArray[np.float16]  # slices, rows, columns; 0..1


def patients(count: int, seed: int) -> tuple[Patient, ...]:
    """As many of each class, in turn; each is another person."""
    kinds = (LesionKind.PIMA_LIKE, LesionKind.IPN_LIKE)
    return tuple(Patient(seed * 100_000 + n, kinds[n % 2]) for n in range(count))


def cases(cohort: Sequence[Patient], numbers: Preprocessing, processes: int) -> Iterator[Case]:
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(partial(case, numbers=numbers), cohort)


def case(patient: Patient, numbers: Preprocessing) -> Case:
    kernel = SOFT_KERNEL if patient.seed // 2 % _SOFT_SHARE == 0 else SHARP_KERNEL
    phantom = chest(seed=patient.seed, lesion=patient.kind, kernel=kernel)
    volume = as_volume(phantom)
    lungs = ThresholdSegmenter()(volume)
    place = frame(volume, lungs, numbers)
    shown = [s for s in slabs(volume, numbers.slice_thickness_mm) if phantom.lesion[list(s.slices)].any()]
    picked = np.unique(np.linspace(0, len(shown) - 1, MOST_SLICES).round().astype(int))
    images = [network_input(volume.hu, lungs, shown[i], place, numbers) for i in picked]
    return Case(patient, np.stack(images).astype(np.float16))


def split(cohort: Sequence[Case], shares: tuple[float, float]) -> tuple[list[Case], list[Case], list[Case]]:
    """Train, validation, test: whole patients, as many of each class in each."""
    pairs = list(zip(cohort[::2], cohort[1::2], strict=True))
    first, second = (round(share * len(pairs)) for share in np.cumsum(shares))
    parts = pairs[:first], pairs[first:second], pairs[second:]
    train, validation, test = ([case for pair in part for case in pair] for part in parts)
    return train, validation, test
