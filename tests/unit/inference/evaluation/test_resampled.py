"""F1 and Brier with their intervals, against resamples that are drawn patient by patient or all counted."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, f1_score  # type: ignore[import-untyped]

from inference.evaluation.counts import Counts, counted
from inference.evaluation.estimate import Estimate, NotComputable, computed
from inference.evaluation.resampled import brier_interval, f1_interval
from tests.scores import table


def test_the_interval_of_f1_is_that_of_drawing_patients() -> None:
    truth, probability = table(1, 89, 1_000_000)
    found = computed(f1_interval(counted(truth, probability, 0.5), rng=np.random.default_rng(1)))
    picks = np.random.default_rng(2).integers(89, size=(4_000, 89))
    called = probability >= 0.5
    right = np.sum((called & truth)[picks], axis=1)
    drawn = 2 * right / (2 * right + np.sum((called != truth)[picks], axis=1))
    assert found.value == pytest.approx(f1_score(truth, called), abs=1e-12)
    # Three Monte-Carlo errors of a 2.5 % quantile of 4,000 and of 10,000 resamples.
    assert (found.low, found.high) == pytest.approx(np.percentile(drawn, (2.5, 97.5)), abs=0.15 * drawn.std())


def test_of_few_patients_it_is_that_of_every_resample() -> None:
    truth, called = np.array([True, True, True, False, False]), np.array([True, True, False, True, False])
    picks = np.array(list(product(range(5), repeat=5)))
    right, wrong = (np.sum(hit[picks], axis=1) for hit in (truth & called, truth != called))
    known = right + wrong > 0
    shares = 2 * right[known] / (2 * right[known] + wrong[known])
    found = f1_interval(Counts(2, 1, 1, 1), rng=np.random.default_rng(3))
    low, high = np.percentile(shares, (2.5, 97.5))
    assert found == Estimate(2 / 3, float(low), float(high))


def test_the_interval_of_brier_is_that_of_drawing_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, probability = table(2, 40, 8)
    found = computed(brier_interval(truth, probability, rng=np.random.default_rng(5), resamples=300))
    picks = np.random.default_rng(5).integers(40, size=(300, 40))
    scores = [np.mean((truth[p] - probability[p]) ** 2) for p in picks]
    assert found.value == pytest.approx(brier_score_loss(truth, probability), abs=1e-12)
    assert (found.low, found.high) == pytest.approx(np.percentile(scores, (2.5, 97.5)), abs=1e-12)
    monkeypatch.setattr("inference.evaluation.resampled._AT_ONCE", 400)
    assert brier_interval(truth, probability, rng=np.random.default_rng(5), resamples=300) == found


def test_what_has_no_value_has_no_interval() -> None:
    rng = np.random.default_rng(1)
    none = np.zeros(0, dtype=np.bool_)
    assert f1_interval(Counts(0, 0, 5, 0), rng=rng) == NotComputable("no patients that are or read positive")
    assert brier_interval(none, np.zeros(0), rng=rng) == NotComputable("no patients")


def test_resamples_that_know_nothing_give_no_interval() -> None:
    found = {f1_interval(Counts(1, 0, 9, 0), rng=np.random.default_rng(n), resamples=1) for n in range(9)}
    nothing = NotComputable("no patients that are or read positive in all of 1 resamples")
    assert found == {Estimate(1.0, 1.0, 1.0), nothing}
