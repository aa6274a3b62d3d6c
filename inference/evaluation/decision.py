"""What acting on a probability is worth: the decision curve (Vickers and Elkin 2006)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.evaluation.estimate import NotComputable
from inference.evaluation.sample import NOBODY, Scores, Truth, check_probabilities

THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))


@dataclass(frozen=True)
class NetBenefit:
    """In true positives per patient, less false positives at the odds of the threshold; to treat none has 0."""

    threshold: float
    model: float
    treat_all: float
    treat_none: float = 0.0


def decision_curve(
    truth: Truth, probability: Scores, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[NetBenefit, ...] | NotComputable:
    """A patient is treated from the threshold up, as it reads positive; a threshold is from 0 to below 1."""
    check_probabilities(truth, probability)
    if without_odds := [threshold for threshold in thresholds if not 0 <= threshold < 1]:
        raise ValueError(f"thresholds are from 0 to below 1, not {without_odds}")
    if truth.size == 0:
        return NOBODY
    everybody = np.ones(truth.size, dtype=np.bool_)
    return tuple(
        NetBenefit(
            threshold=threshold,
            model=_net_benefit(truth, probability >= threshold, threshold),
            treat_all=_net_benefit(truth, everybody, threshold),
        )
        for threshold in thresholds
    )


def _net_benefit(truth: Truth, treated: Truth, threshold: float) -> float:
    odds = threshold / (1 - threshold)
    return float(np.mean(treated & truth) - odds * np.mean(treated & ~truth))
