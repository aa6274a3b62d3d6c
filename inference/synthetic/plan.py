"""Who a synthetic cohort is, before anything is drawn: patients in the paper's proportions, dealt out by a seed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

import numpy as np

from inference.evaluation.subject import Sex
from inference.findings import Label
from inference.synthetic.lobes import Lobe
from inference.synthetic.published import IPN, MARKED_SLICES, PATIENTS, PIMA, Class
from inference.synthetic.shares import largest_remainder

_FIRST_DAY, _DAYS = date(2022, 1, 3), 3 * 365  # the paper's cases are of three years
_MONTH_DAYS = 30.4375
_LEFT_OUT_FOR = {
    Label.PIMA: ("poor image quality", "lesion not seen"),
    Label.IPN: ("poor image quality", "lesion not seen", "follow-up too short"),
}
_T = TypeVar("_T")


@dataclass(frozen=True)
class Scanner:
    """A scanner and how its site uses it; the names are made up, the kernels are vendors' sharp ones."""

    site: str
    model_name: str
    kernel: str
    kvp: int
    tube_current_ma: int


_SCANNERS = {
    Scanner("North", "Synthetic A", "B70f", 120, 150): 0.5,
    Scanner("North", "Synthetic B", "LUNG", 120, 220): 0.3,
    Scanner("South", "Synthetic C", "FC51", 100, 180): 0.2,
}
"""With their shares of either class, so that a scanner says nothing of the label."""


@dataclass(frozen=True)
class Person:
    patient_id: str
    label: Label
    sex: Sex
    age: int  # years, when the CT was taken
    birth_date: date
    acquired: date


@dataclass(frozen=True)
class Patient(Person):
    """One whose CT is drawn."""

    seed: int  # of the phantom
    size_mm: float  # longest axial diameter, wanted
    lobe: Lobe
    scanner: Scanner
    confirmed_on: date  # histology, or the end of the follow-up
    follow_up_months: int | None  # of IPN


@dataclass(frozen=True)
class LeftOut(Person):
    """One who was screened and left out: there is no CT."""

    reason: str


@dataclass(frozen=True)
class Plan:
    patients: tuple[Patient, ...]
    left_out: tuple[LeftOut, ...]
    marked_slices: int


def plan(patients: int, *, seed: int, screened: int | None = None) -> Plan:
    """The same cohort for the same numbers; `screened` are the patients and those that were left out."""
    name, rng = f"SYNTH-{patients}-{seed}", np.random.default_rng([seed, patients])
    sizes = largest_remainder(patients, (PIMA.patients, IPN.patients))
    facts = [
        fact
        for kind, count in zip((PIMA, IPN), sizes, strict=True)
        for fact in _class_facts(kind, count, rng)
    ]
    included = tuple(
        _patient(f"{name}-{number:04d}", np.random.SeedSequence([seed, patients, number]), fact, rng)
        for number, fact in enumerate(_shuffled(facts, rng), start=1)
    )
    left_out = tuple(_left_out(name, patients, (screened or patients) - patients, rng))
    return Plan(included, left_out, round(MARKED_SLICES * patients / PATIENTS))


@dataclass(frozen=True)
class _Facts:
    label: Label
    size_mm: float
    age: int
    lobe: Lobe
    sex: Sex
    scanner: Scanner


def _class_facts(kind: Class, count: int, rng: np.random.Generator) -> Iterator[_Facts]:
    """Every fact has its own proportions in the class, and is dealt out independently of the others."""
    drawn = zip(
        _shuffled(kind.sizes_mm.spread(count).round(1).tolist(), rng),
        _shuffled(kind.ages.spread(count).round().astype(int).tolist(), rng),
        _shuffled(_dealt(kind.lobes, count), rng),
        _shuffled(_dealt(kind.sexes, count), rng),
        _shuffled(_dealt(_SCANNERS, count), rng),
        strict=True,
    )
    for size_mm, age, lobe, sex, scanner in drawn:
        yield _Facts(kind.label, size_mm, age, lobe, sex, scanner)


def _dealt(shares: Mapping[_T, float], count: int) -> list[_T]:
    numbers = largest_remainder(count, tuple(shares.values()))
    return [item for item, number in zip(shares, numbers, strict=True) for _ in range(number)]


def _shuffled(items: Sequence[_T], rng: np.random.Generator) -> list[_T]:
    return [items[k] for k in rng.permutation(len(items))]


def _patient(
    patient_id: str, seed: np.random.SeedSequence, facts: _Facts, rng: np.random.Generator
) -> Patient:
    acquired, birth_date = _dates(facts.age, rng)
    months = None if facts.label is Label.PIMA else int(rng.integers(6, 25))
    days = int(rng.integers(1, 31)) if months is None else int(np.ceil(months * _MONTH_DAYS))
    return Patient(
        patient_id=patient_id,
        label=facts.label,
        sex=facts.sex,
        age=facts.age,
        birth_date=birth_date,
        acquired=acquired,
        seed=int(seed.generate_state(1)[0]),
        size_mm=facts.size_mm,
        lobe=facts.lobe,
        scanner=facts.scanner,
        confirmed_on=acquired + timedelta(days=days),
        follow_up_months=months,
    )


def _left_out(name: str, after: int, count: int, rng: np.random.Generator) -> Iterator[LeftOut]:
    sizes = largest_remainder(count, (PIMA.patients, IPN.patients))
    reasons = [
        (kind, reason)
        for kind, size in zip((PIMA, IPN), sizes, strict=True)
        for reason in _dealt(dict.fromkeys(_LEFT_OUT_FOR[kind.label], 1), size)
    ]
    for number, (kind, reason) in enumerate(_shuffled(reasons, rng), start=after + 1):
        age = round(float(rng.choice(kind.ages.spread(100))))
        acquired, birth_date = _dates(age, rng)
        sex = Sex(rng.choice(tuple(kind.sexes)))
        yield LeftOut(f"{name}-{number:04d}", kind.label, sex, age, birth_date, acquired, reason)


def _dates(age: int, rng: np.random.Generator) -> tuple[date, date]:
    """Of the CT, and of a birth that makes the patient `age` years old then."""
    acquired = _FIRST_DAY + timedelta(days=int(rng.integers(_DAYS)))
    birthday = (acquired - timedelta(days=int(rng.integers(1, 330)))).replace(day=1)
    return acquired, birthday.replace(year=birthday.year - age)
