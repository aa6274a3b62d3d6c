"""The AUC against scikit-learn, its bootstrap against a plain one and against DeLong."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from inference.evaluation.delong import delong
from inference.evaluation.discrimination import Bootstrap, auc, bootstrap
from inference.evaluation.estimate import Estimate, NotComputable, computed
from inference.evaluation.sample import Scores, Truth
from tests.scores import TABLES, table

NONE = np.zeros(0, dtype=np.bool_)


@pytest.mark.parametrize("drawn", TABLES, ids=str)
def test_the_auc_is_scikit_learns(drawn: tuple[int, int, int]) -> None:
    truth, score = table(*drawn)
    assert auc(truth, score) == pytest.approx(roc_auc_score(truth, score), abs=1e-9)
    assert computed(auc(truth, score)) + computed(auc(truth, -score)) == pytest.approx(1.0, abs=1e-9)


def test_the_bootstrap_is_that_of_drawing_patients_one_by_one() -> None:
    truth, score = table(3, 12, 4)
    found = computed(bootstrap(truth, score, rng=np.random.default_rng(5), resamples=500))
    picks = np.random.default_rng(5).integers(12, size=(500, 12))
    areas = [roc_auc_score(truth[p], score[p]) for p in picks if len(set(truth[p])) == 2]
    assert (found.auc.low, found.auc.high) == pytest.approx(np.percentile(areas, (2.5, 97.5)), abs=1e-9)
    assert found.one_class == 500 - len(areas)


def test_resamples_of_one_class_are_counted() -> None:
    found = computed(bootstrap(np.array([True, False]), np.array([0.9, 0.1]), rng=np.random.default_rng(1)))
    assert found.auc == Estimate(1.0, 1.0, 1.0)
    assert found.resamples == 10_000
    assert found.one_class == pytest.approx(5_000, abs=5 * 50)  # five standard errors


def test_resamples_of_one_class_only_give_no_interval() -> None:
    rng = np.random.default_rng(2)
    found = {
        bootstrap(np.array([True, False]), np.array([0.9, 0.1]), rng=rng, resamples=1) for _ in range(30)
    }
    assert NotComputable("only one class in all of 1 resamples") in found


def test_the_same_seed_gives_the_same_interval_in_parts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, score = table(1, 40, 8)

    def found(seed: int) -> Bootstrap:
        return computed(bootstrap(truth, score, rng=np.random.default_rng(seed), resamples=300))

    whole = found(1)
    assert whole != found(2)
    monkeypatch.setattr("inference.evaluation.discrimination._AT_ONCE", 400)
    assert found(1) == whole


def test_bootstrap_and_delong_agree_on_many_patients() -> None:
    truth, score = table(7, 2_000, 1_000_000)
    boot = computed(bootstrap(truth, score, rng=np.random.default_rng(1), resamples=4_000)).auc
    plain = computed(delong(truth, score))
    assert boot.value == pytest.approx(plain.auc.value, abs=1e-12)
    error = plain.variance**0.5
    # The Monte-Carlo error of a 2.5 % quantile of 4,000 is 0.042 standard errors; skewness adds less than that.
    assert (boot.low, boot.high) == pytest.approx((plain.auc.low, plain.auc.high), abs=0.17 * error)


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (NONE, "no patients"),
        (np.array([True]), "no negative patient among 1"),
        (np.zeros(3, dtype=np.bool_), "no positive patient among 3"),
    ],
)
def test_without_two_classes_there_is_no_auc(truth: Truth, reason: str) -> None:
    score: Scores = np.linspace(0, 1, truth.size)
    assert auc(truth, score) == NotComputable(reason)
    assert bootstrap(truth, score, rng=np.random.default_rng(1)) == NotComputable(reason)


def test_a_score_that_is_the_same_for_all_ranks_nobody() -> None:
    truth = np.array([True, False, True])
    assert auc(truth, np.full(3, 0.7)) == 0.5
    assert computed(bootstrap(truth, np.full(3, 0.7), rng=np.random.default_rng(1))).auc == Estimate(
        0.5, 0.5, 0.5
    )
