"""Net benefit, counted by hand."""

import numpy as np
import pytest

from inference.evaluation.decision import THRESHOLDS, decision_curve
from inference.evaluation.estimate import NotComputable, computed
from tests.scores import TABLES, table

TRUTH = np.array([True, True, False, False, False])
PROBABILITY = np.array([0.9, 0.4, 0.6, 0.2, 0.1])


def test_false_positives_weigh_the_odds_of_the_threshold() -> None:
    low, half, high = computed(decision_curve(TRUTH, PROBABILITY, (0.2, 0.5, 0.8)))
    assert low.model == pytest.approx((2 - 2 / 4) / 5)
    assert half.model == pytest.approx((1 - 1) / 5)
    assert high.model == pytest.approx(1 / 5)
    assert [p.treat_all for p in (low, half, high)] == pytest.approx([1.25 / 5, -1 / 5, -10 / 5])
    assert {p.treat_none for p in (low, half, high)} == {0.0}


@pytest.mark.parametrize("drawn", TABLES, ids=str)
def test_the_curve_is_that_of_the_counts(drawn: tuple[int, int, int]) -> None:
    truth, probability = table(*drawn)
    points = computed(decision_curve(truth, probability))
    assert [p.threshold for p in points] == list(THRESHOLDS)
    for point in points:
        treated = probability >= point.threshold
        hits, false = (treated & truth).sum(), (treated & ~truth).sum()
        odds = point.threshold / (1 - point.threshold)
        assert point.model == pytest.approx((hits - odds * false) / truth.size, abs=1e-9)


def test_where_everybody_is_treated_the_model_is_to_treat_all() -> None:
    (point,) = computed(decision_curve(TRUTH, PROBABILITY, [0.0]))
    assert point.model == point.treat_all == pytest.approx(2 / 5)


@pytest.mark.parametrize("threshold", [-0.1, 1.0, 1.5, np.nan])
def test_a_threshold_without_odds_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=rf"below 1, not \[{threshold}\]"):
        decision_curve(TRUTH, PROBABILITY, [0.5, threshold])


def test_of_nobody_there_is_no_benefit() -> None:
    assert decision_curve(TRUTH[:0], PROBABILITY[:0]) == NotComputable("no patients")
