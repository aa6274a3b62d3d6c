"""The cohort table: each characteristic by class, what is missing, and the test of the difference."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.evaluation.aspects import CONFIRMED, OF_COHORT, Aspect, groups
from inference.evaluation.by_class import ByClass, of_subjects
from inference.evaluation.cohort import Difference, Quartiles, independence, mann_whitney, quartiles
from inference.evaluation.estimate import NotComputable
from inference.evaluation.sample import Scores
from inference.evaluation.subject import Subject

_REFERENCE = NotComputable("part of the reference standard, not tested")


@dataclass(frozen=True)
class Measured:
    """A characteristic in numbers."""

    name: str
    positive: Quartiles | NotComputable
    negative: Quartiles | NotComputable
    missing: ByClass
    difference: Difference | NotComputable


@dataclass(frozen=True)
class Category:
    name: str
    patients: ByClass


@dataclass(frozen=True)
class Categorical:
    name: str
    categories: tuple[Category, ...]
    missing: ByClass
    difference: Difference | NotComputable


@dataclass(frozen=True)
class Cohort:
    measured: tuple[Measured, ...]
    categorical: tuple[Categorical, ...]


def cohort_of(subjects: Sequence[Subject]) -> Cohort:
    """Of all patients, those without a probability too; a test is of complete cases."""
    measured = (
        _measured("age, years", subjects, lambda subject: subject.age_years),
        _measured("size, mm", subjects, lambda subject: subject.size_mm),
        _measured("scored slices", subjects, lambda subject: subject.slices or None),
        _measured("lung volume, ml", subjects, lambda subject: subject.lung_volume_ml),
    )
    return Cohort(measured, tuple(_categorical(aspect, subjects) for aspect in OF_COHORT))


def _measured(name: str, subjects: Sequence[Subject], value: Callable[[Subject], float | None]) -> Measured:
    positive, negative = (_values(subjects, value, positive=kind) for kind in (True, False))
    everybody = of_subjects(subjects)
    return Measured(
        name=name,
        positive=quartiles(positive),
        negative=quartiles(negative),
        missing=ByClass(everybody.positive - positive.size, everybody.negative - negative.size),
        difference=mann_whitney(positive, negative),
    )


def _values(
    subjects: Sequence[Subject], value: Callable[[Subject], float | None], *, positive: bool
) -> Scores:
    known = (value(subject) for subject in subjects if subject.positive is positive)
    return np.array([each for each in known if each is not None], dtype=np.float64)


def _categorical(aspect: Aspect, subjects: Sequence[Subject]) -> Categorical:
    counts = Counter((subject.positive, aspect.group(subject)) for subject in subjects)
    names = groups(aspect, subjects)
    table = np.array([[counts[kind, name] for name in names] for kind in (True, False)], dtype=np.int64)
    return Categorical(
        name=aspect.name,
        categories=tuple(Category(name, ByClass(counts[True, name], counts[False, name])) for name in names),
        missing=ByClass(counts[True, ""], counts[False, ""]),
        difference=_REFERENCE if aspect is CONFIRMED else independence(table),
    )
