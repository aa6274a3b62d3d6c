"""Variance, interval and comparison of AUCs without resampling (DeLong, DeLong and Clarke-Pearson 1988).

Each patient's placement is the share of the other class that its score is on the right side of, counted by midranks
in O(n log n) (Sun and Xu 2014).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from inference.evaluation.estimate import Estimate, NotComputable, symmetric
from inference.evaluation.sample import Scores, Truth, check_scores, missing_class


@dataclass(frozen=True)
class DeLong:
    auc: Estimate
    variance: float


@dataclass(frozen=True)
class Comparison:
    """Two scores of the same patients."""

    first: float  # AUC
    second: float
    difference: Estimate  # first minus second
    z: float
    p: float  # two-sided


@dataclass(frozen=True)
class _Wins:
    """Over the other class, a tie half; whole and half numbers, so that equal ones are exactly equal."""

    of_positives: Scores
    of_negatives: Scores

    @property
    def mean(self) -> float:
        return float(self.of_positives.mean() / self.of_negatives.size)

    @property
    def variance(self) -> float:
        """Of the mean."""
        positive, negative = self.of_positives.size, self.of_negatives.size
        return float(
            np.var(self.of_positives, ddof=1) / positive / negative**2
            + np.var(self.of_negatives, ddof=1) / negative / positive**2
        )

    def __sub__(self, other: "_Wins") -> "_Wins":
        return _Wins(self.of_positives - other.of_positives, self.of_negatives - other.of_negatives)


def delong(truth: Truth, score: Scores) -> DeLong | NotComputable:
    """The interval is value and standard error on the scale of the AUC, cut to 0..1."""
    check_scores(truth, score)
    if reason := _too_few(truth):
        return reason
    wins = _wins(truth, score)
    if wins.variance == 0:
        return NotComputable(f"the variance is 0 at an AUC of {wins.mean:.3g}: the score {_why_flat(wins)}")
    plain = symmetric(wins.mean, wins.variance**0.5)
    return DeLong(Estimate(plain.value, max(plain.low, 0.0), min(plain.high, 1.0)), wins.variance)


def compared(truth: Truth, first: Scores, second: Scores) -> Comparison | NotComputable:
    """The paired test of two scores; what they have in common is in the variance of their difference."""
    check_scores(truth, first)
    check_scores(truth, second)
    if reason := _too_few(truth):
        return reason
    one, other = _wins(truth, first), _wins(truth, second)
    difference = one - other
    if difference.variance == 0:
        return NotComputable(_why_untested(difference))
    error = difference.variance**0.5
    z = difference.mean / error
    return Comparison(one.mean, other.mean, symmetric(difference.mean, error), z, float(2 * norm.sf(abs(z))))


def _too_few(truth: Truth) -> NotComputable | None:
    positive, negative = int(truth.sum()), int((~truth).sum())
    if min(positive, negative) == 1:
        return NotComputable(
            f"a variance needs two patients of each class; positive: {positive}, negative: {negative}"
        )
    return missing_class(truth)


def _wins(truth: Truth, score: Scores) -> _Wins:
    ranks = rankdata(score)
    lost = ranks[~truth] - rankdata(score[~truth])
    return _Wins(ranks[truth] - rankdata(score[truth]), truth.sum() - lost)


def _why_flat(wins: _Wins) -> str:
    return "separates the classes" if wins.mean in {0.0, 1.0} else "is the same for all patients"


def _why_untested(difference: _Wins) -> str:
    if difference.mean == 0:
        return "the two scores place every patient alike: there is no difference to test"
    return (
        f"the two scores place every patient {difference.mean:.3g} apart: the difference has a variance of 0"
    )
