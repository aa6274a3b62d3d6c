"""Synthetic patients as the network sees them, made by the same steps as the service's."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.analyse import Segmenter
from inference.bundle import Preprocessing
from inference.morphology import Mask
from inference.phantom import SHARP_KERNEL, SOFT_KERNEL, LesionKind, Phantom, as_volume, chest
from inference.preprocess import Frame, frame, network_input, slabs
from inference.volume import CtVolume

MOST_SLICES = 5  # per patient in training, so that large lesions do not fill the cohort
Range = tuple[float, float]


@dataclass(frozen=True)
class Variety:
    """What differs between patients, apart from the person and the lesion's place and shape.

    Sizes are longest axial diameters, log-normal; thickness and noise are uniform in their ranges.
    """

    pima_mm: float  # median
    ipn_mm: float
    size_spread: float = 0.4  # of the logarithm
    size_mm: Range = (12.0, 72.0)
    slice_mm: Range = (1.0, 8.0)
    noise_hu: Range = (5.0, 50.0)  # in a slice of 5 mm, before the kernel; thinner ones have more
    soft_share: float = 0.3  # of the patients; the others have a sharp kernel


LIKE_THE_PAPER = Variety(pima_mm=50.0, ipn_mm=21.0)  # near its medians, 58 and 21 (section Data)
SIZES_MATCHED = Variety(pima_mm=32.0, ipn_mm=32.0)


@dataclass(frozen=True)
class Patient:
    seed: int  # of the person and of the lesion's place and shape
    kind: LesionKind
    size_mm: float
    slice_mm: float
    noise_hu: float
    kernel: str

    @property
    def is_pima(self) -> bool:
        return self.kind is LesionKind.PIMA_LIKE


@dataclass(frozen=True, eq=False)
class Case:
    """A patient's slabs that show the lesion, from feet to head."""

    patient: Patient
    positive: bool  # what training is told
    images: NDArray[np.float16]  # slabs, rows, columns of the network; 0..1
    lesion: Mask  # slabs, rows, columns of the source: true extent in any slice of the slab
    place: Frame


def patients(count: int, seed: int, variety: Variety) -> tuple[Patient, ...]:
    """As many of each class, in turn; each is another person."""
    kinds = (LesionKind.PIMA_LIKE, LesionKind.IPN_LIKE)
    return tuple(_patient(seed * 100_000 + n, kinds[n % 2], variety) for n in range(count))


def _patient(seed: int, kind: LesionKind, variety: Variety) -> Patient:
    rng = np.random.default_rng(seed)
    median = variety.pima_mm if kind is LesionKind.PIMA_LIKE else variety.ipn_mm
    size_mm = float(np.clip(rng.lognormal(math.log(median), variety.size_spread), *variety.size_mm))
    slice_mm = rng.uniform(*variety.slice_mm)
    noise_hu = rng.uniform(*variety.noise_hu) * math.sqrt(5.0 / slice_mm)
    kernel = SOFT_KERNEL if rng.random() < variety.soft_share else SHARP_KERNEL
    return Patient(seed, kind, size_mm, slice_mm, noise_hu, kernel)


def split(
    cohort: Sequence[Patient], shares: tuple[float, float]
) -> tuple[list[Patient], list[Patient], list[Patient]]:
    """Train, validation, test: as many of each class in each."""
    pairs = list(zip(cohort[::2], cohort[1::2], strict=True))
    first, second = (round(share * len(pairs)) for share in np.cumsum(shares))
    parts = pairs[:first], pairs[first:second], pairs[second:]
    train, validation, test = ([patient for pair in part for patient in pair] for part in parts)
    return train, validation, test


def shuffled(cases: Sequence[Case], rng: np.random.Generator) -> list[Case]:
    """Labels dealt anew to whole patients: each class gets as many of either label, so they say nothing."""
    told = np.array([case.positive for case in cases])
    dealt = told.copy()
    for label in (True, False):
        members = np.flatnonzero(told == label)
        dealt[rng.permutation(members)[: len(members) // 2]] = not label
    return [replace(case, positive=bool(label)) for case, label in zip(cases, dealt, strict=True)]


MakeCase = Callable[[Patient], Case]


def cases(cohort: Sequence[Patient], make: MakeCase, processes: int) -> Iterator[Case]:
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(make, cohort)


def drawn_case(patient: Patient, numbers: Preprocessing) -> Case:
    """Quick, to train on: on the network's own grid, in the true lungs, at most `MOST_SLICES` slabs."""
    phantom = _phantom(patient, numbers.pixel_mm, numbers.size)
    return _case(patient, phantom, as_volume(phantom), phantom.lungs, numbers, most=MOST_SLICES)


def scanned_case(patient: Patient, numbers: Preprocessing, segment: Segmenter) -> Case:
    """As the service meets it: on a scanner's grid, in the lungs that are found, every slab of the lesion."""
    phantom = _phantom(patient, 0.7, 512)
    volume = as_volume(phantom)
    return _case(patient, phantom, volume, segment(volume), numbers, most=len(volume.hu))


def _phantom(patient: Patient, pixel_mm: float, pixels: int) -> Phantom:
    return chest(
        seed=patient.seed,
        lesion=patient.kind,
        size_mm=patient.size_mm,
        slice_mm=patient.slice_mm,
        pixel_mm=pixel_mm,
        pixels=pixels,
        kernel=patient.kernel,
        noise_hu=patient.noise_hu,
    )


def _case(
    patient: Patient, phantom: Phantom, volume: CtVolume, lungs: Mask, numbers: Preprocessing, *, most: int
) -> Case:
    place = frame(volume, lungs, numbers)
    cut = slabs(volume, numbers.slice_thickness_mm)
    shown = [slab for slab in cut if phantom.lesion[list(slab.slices)].any()]
    picked = [shown[i] for i in np.unique(np.linspace(0, len(shown) - 1, most).round().astype(int))]
    images = [network_input(volume.hu, lungs, slab, place, numbers) for slab in picked]
    return Case(
        patient=patient,
        positive=patient.is_pima,
        images=np.stack(images).astype(np.float16),
        lesion=np.stack([phantom.lesion[list(slab.slices)].any(axis=0) for slab in picked]),
        place=place,
    )
