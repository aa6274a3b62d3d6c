"""DeLong by midranks against the textbook, in which each positive meets each negative."""

import numpy as np
import pytest
from scipy.stats import norm

from inference.evaluation.delong import Comparison, DeLong, compared, delong
from inference.evaluation.discrimination import auc
from inference.evaluation.estimate import NotComputable, computed
from inference.evaluation.sample import Scores, Truth
from tests.scores import TABLES, table

FOUR = np.array([True, True, False, False])


def covariance(truth: Truth, *scores: Scores) -> tuple[Scores, Scores]:
    """Areas and their covariance matrix, by the placements of DeLong, DeLong and Clarke-Pearson."""
    of_positives, of_negatives = [], []
    for score in scores:
        positive, negative = score[truth][:, None], score[~truth][None, :]
        wins = (positive > negative) + 0.5 * (positive == negative)
        of_positives.append(wins.mean(axis=1))
        of_negatives.append(wins.mean(axis=0))
    s10, s01 = np.atleast_2d(np.cov(of_positives)), np.atleast_2d(np.cov(of_negatives))
    return np.mean(of_positives, axis=1), s10 / truth.sum() + s01 / (~truth).sum()


@pytest.mark.parametrize("drawn", TABLES, ids=str)
def test_variance_and_interval_are_the_textbooks(drawn: tuple[int, int, int]) -> None:
    truth, score = table(*drawn)
    areas, textbook = covariance(truth, score)
    found = delong(truth, score)
    if textbook[0, 0] < 1e-15:
        assert isinstance(found, NotComputable)
        return
    assert isinstance(found, DeLong)
    assert found.variance == pytest.approx(textbook[0, 0], abs=1e-9)
    assert found.auc.value == pytest.approx(areas[0], abs=1e-9)
    bounds = areas[0] + norm.ppf([0.025, 0.975]) * textbook[0, 0] ** 0.5
    assert (found.auc.low, found.auc.high) == pytest.approx(np.clip(bounds, 0, 1), abs=1e-9)


@pytest.mark.parametrize("drawn", TABLES, ids=str)
def test_the_paired_test_is_the_textbooks(drawn: tuple[int, int, int]) -> None:
    seed, patients, levels = drawn
    truth, first = table(*drawn)
    noise = np.random.default_rng(seed).normal(0, 0.2, patients)
    second = np.round((first + noise) * levels) / levels
    areas, textbook = covariance(truth, first, second)
    variance = textbook[0, 0] + textbook[1, 1] - 2 * textbook[0, 1]
    found = compared(truth, first, second)
    if variance < 1e-15:
        assert isinstance(found, NotComputable)
        return
    assert isinstance(found, Comparison)
    z = (areas[0] - areas[1]) / variance**0.5
    assert (found.first, found.second) == pytest.approx(areas, abs=1e-9)
    assert (found.z, found.p) == pytest.approx((z, 2 * norm.cdf(-abs(z))), abs=1e-9)
    assert found.difference.high - found.difference.low == pytest.approx(
        2 * norm.ppf(0.975) * variance**0.5, abs=1e-9
    )


def test_the_other_way_round_the_difference_has_the_other_sign() -> None:
    truth, first = table(2, 40, 8)
    second = first[::-1].copy()
    one, other = (computed(compared(truth, *pair)) for pair in ((first, second), (second, first)))
    assert one.difference.value == -other.difference.value
    assert one.p == other.p


@pytest.mark.parametrize(
    ("score", "why"),
    [
        ([0.9, 0.8, 0.2, 0.1], "at an AUC of 1: the score separates the classes"),
        ([0.1, 0.2, 0.8, 0.9], "at an AUC of 0: the score separates the classes"),
        ([0.1, 0.1, 0.1, 0.1], "at an AUC of 0.5: the score is the same for all patients"),
    ],
)
def test_no_variance_is_said(score: list[float], why: str) -> None:
    assert delong(FOUR, np.array(score)) == NotComputable(f"the variance is 0 {why}")


def test_scores_that_do_not_differ_are_not_tested() -> None:
    truth, score = table(1, 40, 8)
    same = NotComputable("the two scores place every patient alike: there is no difference to test")
    assert compared(truth, score, score) == same
    assert compared(truth, score, score**3) == same
    apart = compared(FOUR, np.array([0.9, 0.8, 0.2, 0.1]), np.full(4, 0.5))
    assert apart == NotComputable(
        "the two scores place every patient 0.5 apart: the difference has a variance of 0"
    )


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ([], "no patients"),
        ([True], "no negative patient among 1"),
        ([False, False, False], "no positive patient among 3"),
        ([True, False, False], "a variance needs two patients of each class; positive: 1, negative: 2"),
    ],
)
def test_too_few_patients_are_said(truth: list[bool], reason: str) -> None:
    patients, score = np.array(truth, dtype=np.bool_), np.linspace(0, 1, len(truth))
    assert delong(patients, score) == NotComputable(reason)
    assert compared(patients, score, score) == NotComputable(reason)


def test_an_interval_ends_at_one() -> None:
    truth = np.repeat([True, False], 5)
    score = np.array([9, 8, 7, 6, 4, 5, 3, 2, 1, 0], dtype=np.float64)
    found = computed(delong(truth, score))
    assert found.auc.high == 1.0
    assert found.auc.value == computed(auc(truth, score)) == 0.96
