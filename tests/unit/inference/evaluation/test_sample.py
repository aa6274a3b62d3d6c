"""What is no truth and no score of patients is refused by every statistic, and named."""

from collections.abc import Callable

import numpy as np
import pytest

from inference.evaluation.calibration import brier, curve, recalibration
from inference.evaluation.counts import counted
from inference.evaluation.decision import decision_curve
from inference.evaluation.delong import compared, delong
from inference.evaluation.discrimination import auc, bootstrap
from inference.evaluation.sample import Scores, Truth

TRUTH = np.array([True, False, True])

OF_SCORES: list[Callable[[Truth, Scores], object]] = [
    auc,
    delong,
    lambda truth, score: bootstrap(truth, score, rng=np.random.default_rng(1)),
    lambda truth, score: compared(truth, np.zeros(len(truth)), score),
]
OF_PROBABILITIES: list[Callable[[Truth, Scores], object]] = [
    brier,
    curve,
    recalibration,
    decision_curve,
    lambda truth, probability: counted(truth, probability, 0.5),
]


@pytest.mark.parametrize("statistic", [*OF_SCORES, *OF_PROBABILITIES])
def test_what_is_not_finite_or_not_as_many_is_named(statistic: Callable[[Truth, Scores], object]) -> None:
    with pytest.raises(ValueError, match="is not finite in 1 of 3, first at 1: nan"):
        statistic(TRUTH, np.array([0.1, np.nan, 0.3]))
    with pytest.raises(ValueError, match="is not finite in 2 of 3, first at 0: inf"):
        statistic(TRUTH, np.array([np.inf, 0.1, -np.inf]))
    with pytest.raises(ValueError, match=r"has the shape \(2,\), truth \(3,\)"):
        statistic(TRUTH, np.array([0.1, 0.2]))


@pytest.mark.parametrize("statistic", OF_PROBABILITIES)
def test_a_probability_outside_0_to_1_is_named(statistic: Callable[[Truth, Scores], object]) -> None:
    with pytest.raises(ValueError, match=r"probability is outside 0\.\.1 in 1 of 3, first at 2: 1\.5"):
        statistic(TRUTH, np.array([0.0, 1.0, 1.5]))


@pytest.mark.parametrize("statistic", OF_SCORES)
def test_any_finite_number_is_a_score(statistic: Callable[[Truth, Scores], object]) -> None:
    statistic(TRUTH, np.array([-3.0, 58.0, 21.0]))


@pytest.mark.parametrize("statistic", [*OF_SCORES, *OF_PROBABILITIES])
def test_a_truth_that_is_not_boolean_is_refused(statistic: Callable[[Truth, Scores], object]) -> None:
    numbers: Truth = np.array([1, 0, 1])
    with pytest.raises(ValueError, match="truth is int64"):
        statistic(numbers, np.array([0.1, 0.2, 0.3]))
    with pytest.raises(ValueError, match=r"of the shape \(1, 3\)"):
        statistic(TRUTH[np.newaxis], np.array([[0.1, 0.2, 0.3]]))
