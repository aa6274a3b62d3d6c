"""The cohort of the paper in figures (section Data and table 1), and what a drawn one adds where it is silent."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.subject import Sex
from inference.findings import Label
from inference.synthetic.lobes import Lobe

PATIENTS = 443
MARKED_SLICES = 1409

_AT = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Quantiles:
    """Least, quartiles and greatest; between them the quantile function is a straight line."""

    values: tuple[float, float, float, float, float]

    def spread(self, count: int) -> NDArray[np.float64]:
        """`count` values at (i + 1/2) / count of the distribution, in rising order."""
        return np.interp((np.arange(count) + 0.5) / count, _AT, self.values)


@dataclass(frozen=True)
class Class:
    """The patients of one label. The ends of ages and sizes are ours: the paper has quartiles."""

    label: Label
    patients: int
    sizes_mm: Quantiles
    ages: Quantiles
    lobes: Mapping[Lobe, int]
    sexes: Mapping[Sex, int]


PIMA = Class(
    label=Label.PIMA,
    patients=190,
    sizes_mm=Quantiles((12.0, 35.0, 58.0, 82.0, 115.0)),
    ages=Quantiles((34.0, 55.0, 63.0, 72.0, 88.0)),
    lobes={Lobe.LUL: 42, Lobe.LLL: 48, Lobe.RUL: 34, Lobe.RML: 13, Lobe.RLL: 53},
    sexes={Sex.FEMALE: 83, Sex.MALE: 107},
)
IPN = Class(
    label=Label.IPN,
    patients=253,
    sizes_mm=Quantiles((6.0, 10.0, 21.0, 35.0, 60.0)),
    ages=Quantiles((21.0, 45.0, 51.0, 61.0, 84.0)),
    lobes={Lobe.LUL: 53, Lobe.LLL: 54, Lobe.RUL: 63, Lobe.RML: 25, Lobe.RLL: 58},
    sexes={Sex.FEMALE: 115, Sex.MALE: 138},
)

MEETING_MM = 35.0  # PIMA's lower and IPN's upper quartile


def is_hard(label: Label, size_mm: float) -> bool:
    """The smaller PIMA and the larger IPN, whose size says the wrong class: a quarter of each."""
    return size_mm < MEETING_MM if label is Label.PIMA else size_mm > MEETING_MM
