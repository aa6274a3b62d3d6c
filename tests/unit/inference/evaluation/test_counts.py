"""Counts at a threshold, and shares of nobody."""

import numpy as np
import pytest

from inference.evaluation.counts import (
    Counts,
    accuracy,
    counted,
    f1,
    negative_predictive_value,
    positive_predictive_value,
    sensitivity,
    specificity,
)
from inference.evaluation.estimate import NoFigure, NotComputable, computed


def test_a_patient_at_the_threshold_reads_positive() -> None:
    counts = counted(np.array([True, False, True]), np.array([0.5, 0.5, np.nextafter(0.5, 0)]), 0.5)
    assert counts == Counts(true_positive=1, false_positive=1, true_negative=0, false_negative=1)
    assert (counts.positive, counts.negative, counts.patients) == (2, 1, 3)


def test_predictive_values_are_of_those_that_read_so() -> None:
    counts = Counts(true_positive=38, false_positive=3, true_negative=48, false_negative=0)
    assert computed(positive_predictive_value(counts)).value == 38 / 41
    assert computed(negative_predictive_value(counts)).value == 1.0


def test_a_share_of_nobody_has_a_reason() -> None:
    nobody = Counts(0, 0, 0, 0)
    assert accuracy(nobody) == NotComputable("no patients")
    assert sensitivity(nobody) == NotComputable("no positive patients")
    assert specificity(nobody) == NotComputable("no negative patients")
    assert positive_predictive_value(nobody) == NotComputable("no patients that read positive")
    assert negative_predictive_value(nobody) == NotComputable("no patients that read negative")
    assert f1(nobody) == NotComputable("no patients that are or read positive")
    assert f1(Counts(0, 0, 5, 0)) == f1(nobody)
    assert f1(Counts(0, 1, 5, 0)) == 0.0


def test_who_cannot_go_on_without_a_figure_is_told_the_reason() -> None:
    with pytest.raises(NoFigure, match="no positive patients"):
        computed(sensitivity(Counts(0, 0, 0, 0)))
