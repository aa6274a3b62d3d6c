"""The figures of a bundle's card, from verdicts that are known."""

import numpy as np

from inference.findings import Label
from inference.phantom import SHARP_KERNEL, LesionKind
from inference.training.embedded.cohort import Patient
from inference.training.embedded.held_out import Verdict, area, figures, mean_area


def said(kind: LesionKind, probability: float, *, peak: bool) -> Verdict:
    patient = Patient(1, kind, size_mm=30.0, slice_mm=5.0, noise_hu=20.0, kernel=SHARP_KERNEL)
    label = Label.PIMA if probability >= 0.5 else Label.IPN
    return Verdict(patient, label, probability, slabs=round(10 * probability), peak_in_lesion=peak)


VERDICTS = [
    said(LesionKind.PIMA_LIKE, 0.9, peak=True),
    said(LesionKind.PIMA_LIKE, 0.8, peak=False),
    said(LesionKind.PIMA_LIKE, 0.3, peak=True),
    said(LesionKind.IPN_LIKE, 0.6, peak=True),
    said(LesionKind.IPN_LIKE, 0.2, peak=False),
]


def test_figures_are_of_the_patients_they_name() -> None:
    found = figures(VERDICTS, np.random.default_rng(1))
    assert {m.name: (round(m.value, 3), m.patients) for m in found} == {
        "AUC": (0.833, 5),
        "sensitivity": (0.667, 3),
        "specificity": (0.5, 2),
        "accuracy": (0.6, 5),
        "heat peak in the lesion (true positives)": (0.5, 2),
    }
    assert all(m.low <= m.value <= m.high for m in found)


def test_any_score_of_a_patient_has_an_area() -> None:
    rng = np.random.default_rng(1)
    assert area("slices", VERDICTS, lambda v: v.slabs, rng).value == 5 / 6
    assert area("size", VERDICTS, lambda v: v.patient.size_mm, rng).value == 0.5


def test_several_trainings_have_a_mean_and_a_range() -> None:
    mirrored = [said(v.patient.kind, 1 - v.probability, peak=False) for v in VERDICTS]
    found = mean_area("AUC", [VERDICTS, mirrored])
    assert found.name == "AUC (mean and range of 2 trainings)"
    assert (found.value, found.low, found.high) == (0.5, 1 / 6, 5 / 6)
