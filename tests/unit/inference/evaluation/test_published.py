"""Table 2 of the paper follows from its counts."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]

from inference.evaluation.counts import accuracy, counted, f1, sensitivity, specificity
from inference.evaluation.estimate import computed
from inference.evaluation.published import NEGATIVES, POSITIVES, TABLE_2, Published


def patients(row: Published) -> tuple[np.ndarray, np.ndarray]:
    """Truth and a probability on the right or the wrong side of 0.5."""
    counts = row.counts
    return np.repeat([True, False], [POSITIVES, NEGATIVES]), np.repeat(
        [0.9, 0.1, 0.8, 0.2],
        [counts.true_positive, counts.false_negative, counts.false_positive, counts.true_negative],
    )


@pytest.mark.parametrize("row", TABLE_2, ids=lambda row: row.name)
def test_every_published_rate_follows_from_its_counts(row: Published) -> None:
    counts = counted(*patients(row), 0.5)
    assert counts == row.counts
    rates = [computed(share(counts)).value for share in (accuracy, sensitivity, specificity)]
    assert [round(rate, 3) for rate in (*rates, computed(f1(counts)))] == [
        row.accuracy,
        row.sensitivity,
        row.specificity,
        row.f1,
    ]


@pytest.mark.parametrize("row", TABLE_2, ids=lambda row: row.name)
def test_the_intervals_of_its_rates_are_statsmodels(row: Published) -> None:
    counts = row.counts
    for share, hits, total in (
        (accuracy, counts.true_positive + counts.true_negative, counts.patients),
        (sensitivity, counts.true_positive, counts.positive),
        (specificity, counts.true_negative, counts.negative),
    ):
        found = computed(share(counts))
        expected = proportion_confint(hits, total, method="wilson")
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)


def test_it_has_eight_configurations_and_ends_with_the_papers_own() -> None:
    assert len({row.name for row in TABLE_2}) == 8
    assert TABLE_2[-1].name == "SE-DAS ResNet"
    assert all(row.auc.low < row.auc.value < row.auc.high for row in TABLE_2[:-1])
