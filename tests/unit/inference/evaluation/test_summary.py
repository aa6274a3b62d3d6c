"""All figures of a model, of everybody and of subgroups."""

from dataclasses import astuple

import numpy as np
import pytest

from inference.evaluation.counts import Counts
from inference.evaluation.estimate import NotComputable, computed
from inference.evaluation.sample import Scores, Truth
from inference.evaluation.summary import Summary, subgroups, summary
from tests.scores import table


def of(truth: Truth, probability: Scores) -> Summary:
    return summary(truth, probability, threshold=0.5, seed=1, resamples=200)


def test_a_subgroup_is_summed_up_as_if_nobody_else_were_there() -> None:
    truth, probability = table(1, 89, 1_000_000)
    small = np.arange(89) < 41
    found = subgroups(
        truth, probability, {"< 3 cm": small, ">= 3 cm": ~small}, threshold=0.5, seed=1, resamples=200
    )
    assert list(found) == ["< 3 cm", ">= 3 cm"]
    assert found["< 3 cm"] == of(truth[small], probability[small])
    assert found[">= 3 cm"] == of(truth[~small], probability[~small])
    assert sum(s.counts.patients for s in found.values()) == 89


def test_a_subgroup_of_one_class_says_what_it_lacks_and_keeps_what_it_has() -> None:
    found = of(np.array([True, True, True]), np.array([0.9, 0.8, 0.3]))
    assert found.auc == NotComputable("no negative patient among 3")
    assert found.specificity == NotComputable("no negative patients")
    assert computed(found.sensitivity).value == 2 / 3
    assert found.counts == Counts(true_positive=2, false_positive=0, true_negative=0, false_negative=1)


def test_of_nobody_every_figure_has_its_reason() -> None:
    none = np.zeros(4, dtype=np.bool_)
    truth, probability = table(1, 4, 10)
    found = subgroups(truth, probability, {"nobody": none}, threshold=0.5, seed=1)["nobody"]
    assert found.counts.patients == 0
    figures = [getattr(found, name) for name in found.__dataclass_fields__ if name != "counts"]
    assert all(isinstance(figure, NotComputable) and figure.reason for figure in figures)


def test_no_figure_is_ever_nan() -> None:
    for seed in range(30):
        truth, probability = table(seed, 4, 2)
        keep = np.random.default_rng(seed).random(4) < 0.7
        values = np.array(_numbers(astuple(of(truth[keep], probability[keep]))))
        assert np.isfinite(values).all()


def _numbers(value: object) -> list[float]:
    if isinstance(value, tuple):
        return [number for part in value for number in _numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def test_members_that_are_no_mask_of_the_patients_are_named() -> None:
    truth, probability = table(1, 6, 3)
    with pytest.raises(ValueError, match=r"early is int64 of the shape \(6,\)"):
        subgroups(
            truth,
            probability,
            {"early": np.arange(6)},  # type: ignore[dict-item]
            threshold=0.5,
            seed=1,
        )
