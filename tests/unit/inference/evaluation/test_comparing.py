"""The model beside size, number of slices and other models, on the patients that both have scored."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from inference.bundle import Calibration
from inference.evaluation.baselines import baselines
from inference.evaluation.by_class import ByClass
from inference.evaluation.counts import counted
from inference.evaluation.delong import compared
from inference.evaluation.estimate import NotComputable, computed
from inference.evaluation.rivals import PatientTwice, TwoTruths, check_distinct, rival
from inference.evaluation.slice_level import slice_level
from inference.evaluation.subject import probabilities_of, truth_of
from tests.evaluated import abstained, bare, patients

SUBJECTS = patients(1)


def test_size_alone_is_ranked_among_those_whose_size_is_known() -> None:
    some = [replace(each, size_mm=None) if n % 10 == 0 else each for n, each in enumerate(SUBJECTS)]
    known = [each for each in some if each.size_mm is not None]
    truth, sizes = truth_of(known), np.array([each.size_mm for each in known], dtype=np.float64)
    size, slices = baselines(some, seed=1)
    assert (size.name, slices.name) == ("size alone", "number of slices alone")
    assert (size.missing, size.patients) == (9, ByClass(int(truth.sum()), int((~truth).sum())))
    assert computed(size.auc).auc.value == pytest.approx(roc_auc_score(truth, sizes), abs=1e-9)
    assert size.model_against == compared(truth, probabilities_of(known), sizes)
    lengths = [len(each.slice_probabilities) for each in some]
    assert computed(slices.auc).auc.value == pytest.approx(roc_auc_score(truth_of(some), lengths), abs=1e-9)
    assert slices.missing == 0


def test_where_nothing_is_known_a_baseline_says_so() -> None:
    for found in baselines([bare(each) for each in SUBJECTS], seed=1):
        assert (found.missing, found.patients) == (89, ByClass(0, 0))
        assert found.auc == found.roc == found.model_against == NotComputable("no patients")


def test_a_rival_is_compared_on_the_patients_that_both_have_scored() -> None:
    rng = np.random.default_rng(3)
    other = [replace(each, probability=float(rng.random())) for each in SUBJECTS[10:]]
    other[-1] = abstained(other[-1])
    mine = [abstained(each) if n == 40 else each for n, each in enumerate(SUBJECTS)]
    found = rival("another", mine, other, seed=1)
    shared = [n for n in range(10, 88) if n != 40]
    truth = truth_of([SUBJECTS[n] for n in shared])
    second = np.array([other[n - 10].probability for n in shared], dtype=np.float64)
    assert (found.shared.both, found.only_model, found.only_rival) == (77, 11, 1)
    assert computed(found.auc).auc.value == pytest.approx(roc_auc_score(truth, second), abs=1e-9)
    assert found.model_against == compared(truth, probabilities_of([SUBJECTS[n] for n in shared]), second)


def test_a_rival_of_other_patients_shares_none() -> None:
    others = [replace(each, name=f"other-{each.name}") for each in SUBJECTS]
    found = rival("another", SUBJECTS, others, seed=1)
    assert (found.shared, found.only_model, found.only_rival) == (ByClass(0, 0), 89, 89)
    assert found.auc == found.model_against == NotComputable("no patients")


def test_two_truths_of_a_patient_are_refused() -> None:
    other = [replace(SUBJECTS[0], positive=False), *SUBJECTS[1:]]
    with pytest.raises(TwoTruths, match="another: 1 of 89 shared patients have another truth"):
        rival("another", SUBJECTS, other, seed=1)


def test_a_patient_counts_once() -> None:
    with pytest.raises(PatientTwice, match="a model: 90 patients have 89 names"):
        check_distinct([*SUBJECTS, SUBJECTS[0]], "a model")
    with pytest.raises(PatientTwice, match="another: 2 patients have 1 names"):
        rival("another", SUBJECTS, [SUBJECTS[0], SUBJECTS[0]], seed=1)


def test_slices_are_read_each_at_the_threshold() -> None:
    subjects = [
        replace(SUBJECTS[0], positive=True, slice_probabilities=(0.9, 0.7, 0.2)),
        replace(SUBJECTS[1], positive=False, slice_probabilities=(0.7, 0.1)),
        bare(SUBJECTS[2]),
    ]
    found = slice_level(subjects, 0.7, float)
    assert (found.counts.true_positive, found.counts.false_negative) == (2, 1)
    assert (found.counts.false_positive, found.counts.true_negative) == (1, 1)
    assert found.patients_without == 1


def test_slices_are_recalibrated_before_they_meet_a_calibrated_threshold() -> None:
    """So that patients of one slice each give the same counts as their slices."""
    calibration = Calibration(slope=1.0, intercept=-2.0, patients=40, data="others")
    patients = [
        replace(s, probability=calibration.calibrated(p), slice_probabilities=(p,))
        for s in SUBJECTS
        if (p := s.probability) is not None
    ]
    read = counted(truth_of(patients), probabilities_of(patients), 0.5)
    assert slice_level(patients, 0.5, calibration.calibrated).counts == read
    assert slice_level(patients, 0.5, float).counts != read


def test_slices_whose_calibration_is_not_known_are_not_read() -> None:
    found = slice_level(SUBJECTS, 0.5, None)
    assert found.counts.patients == 0
    assert found.patients_without == len(SUBJECTS)
