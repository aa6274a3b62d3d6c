"""The ROC curve against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve  # type: ignore[import-untyped]

from inference.evaluation.discrimination import auc
from inference.evaluation.estimate import NotComputable, computed
from inference.evaluation.roc import RocPoint, roc
from tests.scores import TABLES, table


@pytest.mark.parametrize("drawn", TABLES, ids=str)
def test_every_point_is_scikit_learns(drawn: tuple[int, int, int]) -> None:
    truth, score = table(*drawn)
    found = computed(roc(truth, score))
    costs, shares, thresholds = roc_curve(truth, score, drop_intermediate=False)
    assert [point.false_positive_rate for point in found] == pytest.approx(costs, abs=1e-12)
    assert [point.sensitivity for point in found] == pytest.approx(shares, abs=1e-12)
    assert [point.threshold for point in found[1:]] == thresholds[1:].tolist()
    assert found[0] == RocPoint(None, 0.0, 0.0)


@pytest.mark.parametrize("drawn", TABLES, ids=str)
def test_the_area_below_it_is_the_auc(drawn: tuple[int, int, int]) -> None:
    truth, score = table(*drawn)
    points = computed(roc(truth, score))
    area = np.trapezoid([p.sensitivity for p in points], [p.false_positive_rate for p in points])
    assert area == pytest.approx(computed(auc(truth, score)), abs=1e-9)


def test_equal_scores_give_one_step_and_one_class_none() -> None:
    truth = np.array([True, False])
    assert roc(truth, np.full(2, 0.3)) == (RocPoint(None, 0.0, 0.0), RocPoint(0.3, 1.0, 1.0))
    assert roc(truth[:1], np.full(1, 0.3)) == NotComputable("no negative patient among 1")
