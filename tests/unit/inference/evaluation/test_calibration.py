"""Brier, curve and recalibration against independent forms of them."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss  # type: ignore[import-untyped]
from statsmodels.discrete.discrete_model import Logit  # type: ignore[import-untyped]
from statsmodels.genmod.families import Binomial  # type: ignore[import-untyped]
from statsmodels.genmod.generalized_linear_model import GLM  # type: ignore[import-untyped]

from inference.bundle import CERTAIN
from inference.evaluation.calibration import brier, curve, recalibration
from inference.evaluation.estimate import Estimate, NotComputable, Z, computed
from inference.evaluation.proportions import wilson
from inference.evaluation.sample import Scores, Truth
from tests.scores import TABLES, table

OVERLAPPING = [drawn for drawn in TABLES if drawn[1] > 6]
NONE: Truth = np.zeros(0, dtype=np.bool_)
NO_SCORE: Scores = np.zeros(0)


def maximum(truth: Truth, logits: Scores) -> tuple[Estimate, Estimate]:
    """Intercept and slope where the score equations are 0, with the inverse of the information as variance."""

    def fit(design: Scores, offset: Scores, start: Scores) -> Estimate:
        beta = root(lambda b: design.T @ (truth - expit(offset + design @ b)), start, tol=1e-14).x
        weight = 1 / (2 * np.cosh((offset + design @ beta) / 2)) ** 2
        error = np.linalg.inv(design.T @ np.diag(weight) @ design)[-1, -1] ** 0.5
        return Estimate(float(beta[-1]), float(beta[-1] - Z * error), float(beta[-1] + Z * error))

    one = np.ones(truth.size)
    both = np.column_stack([one, logits])
    return fit(one[:, None], logits, np.zeros(1)), fit(both, 0 * logits, np.array([0.0, 1.0]))


@pytest.mark.parametrize("drawn", OVERLAPPING, ids=str)
def test_intercept_and_slope_are_where_the_likelihood_is_highest(drawn: tuple[int, int, int]) -> None:
    truth, probability = table(*drawn)
    found = computed(recalibration(truth, probability))
    for ours, theirs in zip((found.intercept, found.slope), maximum(truth, logit(probability)), strict=True):
        one = computed(ours)
        assert (one.value, one.low, one.high) == pytest.approx(
            (theirs.value, theirs.low, theirs.high), abs=1e-9
        )
    assert found.certain == 0


@pytest.mark.parametrize("drawn", OVERLAPPING, ids=str)
def test_intercept_and_slope_are_statsmodels(drawn: tuple[int, int, int]) -> None:
    truth, probability = table(*drawn)
    logits = logit(probability)
    outcome, one = truth.astype(np.float64), np.ones(truth.size)
    large = GLM(outcome, one, family=Binomial(), offset=logits).fit(method="newton", tol=1e-14)
    both = Logit(outcome, np.column_stack([one, logits])).fit(disp=False, tol=1e-14)
    found = computed(recalibration(truth, probability))
    slope = computed(found.slope)
    assert found.intercept.value == pytest.approx(large.params[0], abs=1e-9)
    assert found.intercept.high - found.intercept.value == pytest.approx(Z * large.bse[0], abs=1e-9)
    assert slope.value == pytest.approx(both.params[1], abs=1e-9)
    assert slope.high - slope.value == pytest.approx(Z * both.bse[1], abs=1e-9)


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (1.2, 1.0), (-0.7, 0.4), (0.0, 3.0)])
def test_what_was_done_to_the_probability_is_found(shift: float, slope: float) -> None:
    rng = np.random.default_rng(4)
    promised = rng.normal(0, 1.5, 20_000)
    truth = rng.random(promised.size) < expit(shift + slope * promised)
    found = computed(recalibration(truth, expit(promised)))
    assert computed(found.slope).value == pytest.approx(slope, abs=0.1)
    if slope == 1.0:
        assert found.intercept.value == pytest.approx(shift, abs=0.1)


def test_far_from_calibrated_the_intercept_is_still_found() -> None:
    truth = np.arange(60) % 2 == 0
    found = computed(recalibration(truth, np.full(60, 1e-5)))
    assert found.intercept.value == pytest.approx(-logit(1e-5), abs=1e-9)
    assert found.slope == NotComputable("all probabilities are equal")


def test_nearly_separated_classes_have_a_slope() -> None:
    truth = np.repeat([False, True], 200)
    probability = np.concatenate([np.linspace(0.01, 0.52, 200), np.linspace(0.51, 0.99, 200)])
    _, slope = maximum(truth, logit(probability))
    found = computed(computed(recalibration(truth, probability)).slope)
    assert found.value == pytest.approx(slope.value, rel=1e-9)
    assert found.value > 10


@pytest.mark.parametrize(
    "probability",
    [[0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1], [0.1, 0.5, 0.5, 0.9]],
    ids=["right", "wrong", "but for a tie"],
)
def test_separated_classes_have_no_slope(probability: list[float]) -> None:
    found = computed(recalibration(np.array([False, False, True, True]), np.array(probability)))
    assert found.slope == NotComputable(
        "the probability separates the classes: the likelihood has no maximum"
    )
    assert abs(found.intercept.value) < 1.0


def test_certain_probabilities_count_as_a_millionth_from_it_and_are_counted() -> None:
    truth = np.array([True, False, True, False, True, False])
    found = recalibration(truth, np.array([1.0, 0.0, 0.3, 0.6, 0.7, 1.0]))
    near = recalibration(truth, np.array([1 - CERTAIN, CERTAIN, 0.3, 0.6, 0.7, 1 - CERTAIN]))
    assert computed(found).certain == 3
    assert computed(found).slope == computed(near).slope
    assert computed(found).intercept == computed(near).intercept


@pytest.mark.parametrize("drawn", TABLES, ids=str)
def test_brier_is_scikit_learns(drawn: tuple[int, int, int]) -> None:
    truth, probability = table(*drawn)
    assert brier(truth, probability) == pytest.approx(brier_score_loss(truth, probability), abs=1e-9)


@pytest.mark.parametrize("drawn", TABLES, ids=str)
def test_every_patient_is_in_one_bin_and_equal_probabilities_in_the_same(
    drawn: tuple[int, int, int],
) -> None:
    truth, probability = table(*drawn)
    bins = computed(curve(truth, probability))
    assert sum(b.patients for b in bins) == truth.size
    assert all(before.high < after.low for before, after in pairwise(bins))
    for each in bins:
        inside = (probability >= each.low) & (probability <= each.high)
        assert each.patients == inside.sum() > 0
        assert each.predicted == pytest.approx(probability[inside].mean())
        assert each.observed == wilson(int(truth[inside].sum()), each.patients)


@pytest.mark.parametrize("patients", [5, 10, 89, 443])
def test_without_ties_there_are_five_bins_of_equal_size(patients: int) -> None:
    probability = np.random.default_rng(1).permutation(patients) / patients
    bins = computed(curve(probability > 0.5, probability))
    sizes = [b.patients for b in bins]
    assert len(sizes) == 5
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("probability", "sizes"),
    [
        ([0.5] * 7, [7]),
        ([0.0, 0.0, 1.0, 1.0], [2, 2]),
        ([0.1] * 8 + [0.2, 0.3], [8, 2]),
        ([0.7], [1]),
    ],
)
def test_ties_and_few_patients_give_fewer_bins(probability: list[float], sizes: list[int]) -> None:
    truth = np.ones(len(probability), dtype=np.bool_)
    assert [b.patients for b in computed(curve(truth, np.array(probability)))] == sizes


def test_what_patients_of_one_class_do_not_tell_is_said() -> None:
    truth, probability = np.zeros(3, dtype=np.bool_), np.array([0.1, 0.2, 0.3])
    assert recalibration(truth, probability) == NotComputable("no positive patient among 3")
    assert recalibration(~truth, probability) == NotComputable("no negative patient among 3")
    assert brier(truth, probability) == pytest.approx(0.14 / 3)
    assert all(computed(b.observed).value == 0.0 for b in computed(curve(truth, probability)))


def test_of_nobody_nothing_is_known() -> None:
    for statistic in (brier, curve, recalibration):
        assert statistic(NONE, NO_SCORE) == NotComputable("no patients")
