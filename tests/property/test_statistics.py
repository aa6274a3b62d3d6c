"""Of any patients: each statistic is the independent one, or says why there is none."""

from math import isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import Table  # type: ignore[import-untyped]
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]

from inference.evaluation.calibration import curve, recalibration
from inference.evaluation.cohort import Difference, Method, independence, mann_whitney
from inference.evaluation.counts import Counts, accuracy, f1
from inference.evaluation.decision import decision_curve
from inference.evaluation.delong import compared, delong
from inference.evaluation.discrimination import auc
from inference.evaluation.estimate import NotComputable, computed
from inference.evaluation.plain import plain
from inference.evaluation.proportions import wilson
from inference.evaluation.roc import roc
from inference.evaluation.sample import Scores, Truth
from inference.evaluation.summary import summary

shares = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
samples = st.lists(st.tuples(st.booleans(), shares, shares), max_size=12)
cells = st.integers(0, 200)


def arrays(sample: list[tuple[bool, float, float]]) -> tuple[Truth, Scores, Scores]:
    truth = np.array([row[0] for row in sample], dtype=np.bool_)
    first, second = (np.array([row[k] for row in sample], dtype=np.float64) for k in (1, 2))
    return truth, first, second


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_statsmodels(counts: tuple[int, int]) -> None:
    hits, total = counts
    found = computed(wilson(hits, total))
    low, high = proportion_confint(hits, total, method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


@given(cells, cells, cells, cells)
def test_accuracy_and_f1_are_their_definitions(a: int, b: int, c: int, d: int) -> None:
    counts = Counts(a, b, c, d)
    value = accuracy(counts)
    assert (
        isinstance(value, NotComputable)
        if counts.patients == 0
        else computed(value).value == (a + c) / counts.patients
    )
    if a == 0:
        assert f1(counts) == (0.0 if b + d else NotComputable("no patients that are or read positive"))
        return
    precision, recall = a / (a + b), a / (a + d)
    assert computed(f1(counts)) == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-12)


@given(st.lists(st.lists(st.integers(5, 60), min_size=3, max_size=3), min_size=2, max_size=4))
def test_chi_square_is_statsmodels(rows: list[list[int]]) -> None:
    found = computed(independence(np.array(rows)))
    if found.method is Method.CHI_SQUARE:
        other = Table(np.array(rows), shift_zeros=False).test_nominal_association()
        assert (found.statistic, found.p) == pytest.approx((other.statistic, other.pvalue), abs=1e-9)


@given(samples)
def test_the_auc_is_every_pair_and_mann_whitneys_u(sample: list[tuple[bool, float, float]]) -> None:
    truth, score, _ = arrays(sample)
    area, tested = auc(truth, score), mann_whitney(score[truth], score[~truth])
    if not truth.any() or truth.all():
        assert isinstance(area, NotComputable)
        assert isinstance(tested, NotComputable)
        return
    ahead = score[truth][:, None] - score[~truth][None, :]
    assert computed(area) == pytest.approx(np.mean((ahead > 0) + 0.5 * (ahead == 0)), abs=1e-12)
    if isinstance(tested, Difference):
        assert tested.statistic == pytest.approx(computed(area) * ahead.size, abs=1e-9)


@settings(deadline=None)  # a busy machine
@given(samples)
def test_no_statistic_is_ever_nan_infinite_or_silent(sample: list[tuple[bool, float, float]]) -> None:
    truth, first, second = arrays(sample)
    found = (
        summary(truth, first, threshold=0.5, seed=1, resamples=50),
        delong(truth, first),
        compared(truth, first, second),
        curve(truth, first),
        recalibration(truth, first),
        decision_curve(truth, first),
        roc(truth, first),
    )
    for value in leaves(plain(found)):
        assert value if isinstance(value, str) else value is None or isfinite(value)


def leaves(value: object) -> list[str | float | None]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    assert value is None or isinstance(value, str | int | float)
    return [value]
