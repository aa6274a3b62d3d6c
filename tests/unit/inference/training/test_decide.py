import numpy as np
import pytest
from scipy.special import logit
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.metrics import roc_curve  # type: ignore[import-untyped]

from inference.evaluation.sample import Scores, Truth
from inference.training.decide import platt, youden
from tests.scores import TABLES, table


@pytest.mark.parametrize(("seed", "patients", "levels"), TABLES)
def test_platts_line_is_that_of_scikit_learn_on_softened_labels(
    seed: int, patients: int, levels: int
) -> None:
    truth, probability = table(seed, patients, levels)
    ours = platt(truth, probability, "a test")
    slope, intercept = softened(truth, probability)
    if slope <= 0:
        assert ours is None
        return
    assert ours is not None
    assert (ours.slope, ours.intercept) == pytest.approx((slope, intercept), rel=1e-5, abs=1e-6)
    assert (ours.patients, ours.data) == (patients, "a test")


def softened(truth: Truth, probability: Scores) -> tuple[float, float]:
    """Each patient twice, as a positive and as a negative, with Platt's target and the rest as weights."""
    target = np.where(truth, (truth.sum() + 1) / (truth.sum() + 2), 1 / ((~truth).sum() + 2))
    x = np.tile(logit(probability), 2)[:, None]
    y = np.repeat([True, False], truth.size)
    fitted = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(
        x, y, sample_weight=np.concatenate([target, 1 - target])
    )
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def test_separated_classes_have_a_finite_line() -> None:
    found = platt(np.array([False, False, True, True]), np.array([0.1, 0.2, 0.7, 0.9]), "a test")
    assert found is not None
    assert found.calibrated(0.1) < 0.4
    assert found.calibrated(0.9) > 0.6


@pytest.mark.parametrize("probability", [[0.9, 0.8, 0.2, 0.1], [0.5, 0.5, 0.5, 0.5]])
def test_a_score_that_ranks_the_wrong_way_or_not_at_all_is_not_calibrated(probability: list[float]) -> None:
    assert platt(np.array([False, False, True, True]), np.array(probability), "a test") is None


@pytest.mark.parametrize(("seed", "patients", "levels"), TABLES)
def test_youdens_threshold_has_the_best_sum_of_scikit_learns_curve(
    seed: int, patients: int, levels: int
) -> None:
    truth, probability = table(seed, patients, levels)
    false_positive, true_positive, _ = roc_curve(truth, probability, drop_intermediate=False)
    threshold, best = youden(truth, probability), (true_positive - false_positive).max()
    called = probability >= threshold
    index = called[truth].mean() - called[~truth].mean()
    assert index == pytest.approx(best) if best > 0 else threshold == 0.5


def test_of_equal_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    truth = np.array([False, True, False, True])
    assert youden(truth, np.array([0.1, 0.5, 0.6, 0.9])) == pytest.approx(0.3)  # 0.75 is as good


def test_a_score_that_ranks_the_wrong_way_is_read_at_a_half() -> None:
    """Not at 0, where everybody reads PIMA and the index is no lower."""
    assert youden(np.array([True, False]), np.array([0.2, 0.8])) == 0.5
