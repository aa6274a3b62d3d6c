"""The proportions of the paper's table 1 and section Data, at full size and scaled."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest

from inference.evaluation.subject import Sex
from inference.findings import Label
from inference.synthetic.lobes import Lobe
from inference.synthetic.plan import Patient, plan
from inference.synthetic.published import is_hard

FULL = plan(443, seed=0, screened=470)
LOBES = {
    Label.PIMA: {Lobe.LUL: 42, Lobe.LLL: 48, Lobe.RUL: 34, Lobe.RML: 13, Lobe.RLL: 53},
    Label.IPN: {Lobe.LUL: 53, Lobe.LLL: 54, Lobe.RUL: 63, Lobe.RML: 25, Lobe.RLL: 58},
}
SEXES = {
    Label.PIMA: {Sex.FEMALE: 83, Sex.MALE: 107},
    Label.IPN: {Sex.FEMALE: 115, Sex.MALE: 138},
}


def of(label: Label) -> list[Patient]:
    return [patient for patient in FULL.patients if patient.label is label]


def test_the_numbers_of_patients_and_marked_slices_are_the_papers() -> None:
    assert {label: len(of(label)) for label in Label} == {Label.PIMA: 190, Label.IPN: 253}
    assert FULL.marked_slices == 1409


@pytest.mark.parametrize("label", Label)
def test_lobes_and_sexes_are_counted_exactly(label: Label) -> None:
    assert Counter(patient.lobe for patient in of(label)) == LOBES[label]
    assert Counter(patient.sex for patient in of(label)) == SEXES[label]


@pytest.mark.parametrize(
    ("label", "fact", "quartiles"),
    [
        (Label.PIMA, "size_mm", (35, 58, 82)),
        (Label.IPN, "size_mm", (10, 21, 35)),
        (Label.PIMA, "age", (55, 63, 72)),
        (Label.IPN, "age", (45, 51, 61)),
    ],
)
def test_quartiles_are_the_papers(label: Label, fact: str, quartiles: tuple[int, int, int]) -> None:
    values = [getattr(patient, fact) for patient in of(label)]
    assert np.percentile(values, (25, 50, 75)) == pytest.approx(quartiles, rel=0.03)


def test_neither_scanner_nor_period_says_anything_of_the_label() -> None:
    for site in ("North", "South"):
        pima, ipn = (np.mean([p.scanner.site == site for p in of(label)]) for label in Label)
        assert pima == pytest.approx(ipn, abs=0.01)
    middle = sorted(p.acquired for p in FULL.patients)[221]
    pima, ipn = (np.mean([p.acquired < middle for p in of(label)]) for label in Label)
    assert pima == pytest.approx(ipn, abs=0.15)


def test_ages_are_those_of_the_births() -> None:
    for patient in FULL.patients:
        had = (patient.acquired.month, patient.acquired.day) >= (patient.birth_date.month, 1)
        assert patient.acquired.year - patient.birth_date.year - (not had) == patient.age


def test_everybody_meets_the_papers_criteria() -> None:
    for patient in FULL.patients:
        after = patient.confirmed_on - patient.acquired
        if patient.label is Label.PIMA:
            assert timedelta(0) < after <= timedelta(days=31)
            assert patient.follow_up_months is None
        else:
            assert patient.follow_up_months is not None
            assert patient.follow_up_months >= 6
            assert after >= timedelta(days=182)


def test_a_quarter_is_hard() -> None:
    for label in Label:
        assert np.mean([is_hard(label, p.size_mm) for p in of(label)]) == pytest.approx(0.25, abs=0.01)


def test_those_left_out_have_a_reason_that_fits_and_a_number_of_their_own() -> None:
    assert len(FULL.left_out) == 27
    assert {p.reason for p in FULL.left_out} == {
        "poor image quality",
        "lesion not seen",
        "follow-up too short",
    }
    assert not any(p.reason == "follow-up too short" for p in FULL.left_out if p.label is Label.PIMA)
    numbers = [p.patient_id for p in (*FULL.patients, *FULL.left_out)]
    assert len(set(numbers)) == 470


@pytest.mark.parametrize(("patients", "pima", "slices"), [(2, 1, 6), (40, 17, 127), (100, 43, 318)])
def test_a_smaller_cohort_is_in_proportion(patients: int, pima: int, slices: int) -> None:
    small = plan(patients, seed=3)
    labels = Counter(patient.label for patient in small.patients)
    assert labels == {Label.PIMA: pima, Label.IPN: patients - pima}
    assert small.marked_slices == slices
    assert small.left_out == ()


def test_the_seed_decides_everything_and_the_order_nothing() -> None:
    assert plan(40, seed=1) == plan(40, seed=1)
    one, other = plan(40, seed=1), plan(40, seed=2)
    assert {p.patient_id for p in one.patients}.isdisjoint(p.patient_id for p in other.patients)
    assert {p.seed for p in one.patients}.isdisjoint(p.seed for p in other.patients)
    assert [p.label for p in one.patients] != sorted(p.label for p in one.patients)
