"""Synthetic patients as the network sees them, made by the same steps as the service's."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from inference.bundle import Preprocessing
from inference.phantom import SHARP_KERNEL, SOFT_KERNEL, LesionKind, Phantom, as_volume, chest
from inference.preprocess import frame, network_input, slabs
from inference.threshold import ThresholdSegmenter
from inference.volume import CtVolume

MOST_SLICES = 5  # per patient, so that large lesions do not fill the cohort
_SOFT_SHARE = 5  # one patient in so many has a soft kernel
_SIZES_MM = {
    LesionKind.PIMA_LIKE: 50.0,
    LesionKind.IPN_LIKE: 21.0,
}  # medians, near the paper's (section Data)
_SIZE_SPREAD = 0.4  # of the logarithm
_SIZE_LIMITS_MM = (10.0, 75.0)


@dataclass(frozen=True)
class Patient:
    seed: int
    kind: LesionKind
    size_mm: float

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
    return tuple(_patient(seed * 100_000 + n, kinds[n % 2]) for n in range(count))


def _patient(seed: int, kind: LesionKind) -> Patient:
    size = np.random.default_rng(seed).lognormal(np.log(_SIZES_MM[kind]), _SIZE_SPREAD)
    return Patient(seed, kind, float(np.clip(size, *_SIZE_LIMITS_MM)))


def split(
    cohort: Sequence[Patient], shares: tuple[float, float]
) -> tuple[list[Patient], list[Patient], list[Patient]]:
    """Train, validation, test: as many of each class in each."""
    pairs = list(zip(cohort[::2], cohort[1::2], strict=True))
    first, second = (round(share * len(pairs)) for share in np.cumsum(shares))
    parts = pairs[:first], pairs[first:second], pairs[second:]
    train, validation, test = ([patient for pair in part for patient in pair] for part in parts)
    return train, validation, test


MakeCase = Callable[[Patient, Preprocessing], Case]


def cases(
    cohort: Sequence[Patient], numbers: Preprocessing, make: MakeCase, processes: int
) -> Iterator[Case]:
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(make, cohort, repeat(numbers))


def drawn_case(patient: Patient, numbers: Preprocessing) -> Case:
    """Quick, to train on: on the network's own grid, in the true lungs."""
    phantom = _phantom(patient, numbers.pixel_mm, numbers.size)
    return _case(patient, phantom, as_volume(phantom), phantom.lungs, numbers)


def scanned_case(patient: Patient, numbers: Preprocessing) -> Case:
    """As the service meets it: on a scanner's grid, in the lungs that the segmenter finds."""
    phantom = _phantom(patient, 0.7, 512)
    volume = as_volume(phantom)
    return _case(patient, phantom, volume, ThresholdSegmenter()(volume), numbers)


def _phantom(patient: Patient, pixel_mm: float, pixels: int) -> Phantom:
    soft = patient.seed // 2 % _SOFT_SHARE == 0
    return chest(
        seed=patient.seed,
        lesion=patient.kind,
        size_mm=patient.size_mm,
        pixel_mm=pixel_mm,
        pixels=pixels,
        kernel=SOFT_KERNEL if soft else SHARP_KERNEL,
    )


def _case(
    patient: Patient, phantom: Phantom, volume: CtVolume, lungs: NDArray[np.bool_], numbers: Preprocessing
) -> Case:
    place = frame(volume, lungs, numbers)
    shown = [s for s in slabs(volume, numbers.slice_thickness_mm) if phantom.lesion[list(s.slices)].any()]
    picked = np.unique(np.linspace(0, len(shown) - 1, MOST_SLICES).round().astype(int))
    images = [network_input(volume.hu, lungs, shown[i], place, numbers) for i in picked]
    return Case(patient, np.stack(images).astype(np.float16))
