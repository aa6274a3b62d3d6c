"""The published table from its counts, and shares of nobody."""

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

POSITIVES, NEGATIVES = 38, 51
PUBLISHED = [  # TP, TN; accuracy, sensitivity, specificity, F1 (paper, section Published results)
    (35, 43, 0.876, 0.921, 0.843, 0.864),
    (37, 45, 0.921, 0.974, 0.882, 0.914),
    (36, 44, 0.899, 0.947, 0.863, 0.889),
    (38, 44, 0.921, 1.000, 0.863, 0.916),
    (38, 45, 0.933, 1.000, 0.882, 0.927),
    (38, 46, 0.944, 1.000, 0.902, 0.938),
    (37, 46, 0.933, 0.974, 0.902, 0.925),
    (38, 48, 0.966, 1.000, 0.941, 0.962),
]


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row[0]}-{row[1]}")
def test_every_published_rate_follows_from_its_counts(row: tuple[float, ...]) -> None:
    right_positives, right_negatives = int(row[0]), int(row[1])
    truth = np.repeat([True, False], [POSITIVES, NEGATIVES])
    probability = np.repeat(
        [0.9, 0.1, 0.8, 0.2],
        [right_positives, POSITIVES - right_positives, NEGATIVES - right_negatives, right_negatives],
    )
    counts = counted(truth, probability, 0.5)
    rates = [computed(share(counts)).value for share in (accuracy, sensitivity, specificity)]
    assert [round(rate, 3) for rate in (*rates, computed(f1(counts)))] == list(row[2:])


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
