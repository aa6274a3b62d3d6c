"""How far two models agree on the same studies: their readings, and their probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, pearsonr, spearmanr, t

from inference.evaluation.estimate import LEVEL, Estimate, Figure, NotComputable, Number, symmetric
from inference.evaluation.proportions import wilson
from inference.evaluation.sample import NOBODY, Scores, check_shares

FEWEST = 3  # studies: of two every line is straight
_LIMIT = 1.96  # standard deviations (Bland and Altman 1986)


@dataclass(frozen=True)
class Pair:
    """One study, scored by both."""

    first: float  # probability
    second: float
    positive: bool | None  # the truth, where it is known


@dataclass(frozen=True)
class Readings:
    """Studies, by what each of the two reads."""

    both_positive: int
    first_positive: int  # and the second negative
    second_positive: int  # and the first negative
    both_negative: int

    @property
    def table(self) -> NDArray[np.int64]:
        """Rows: the first positive, negative; columns: the second."""
        return np.array(
            [[self.both_positive, self.first_positive], [self.second_positive, self.both_negative]]
        )


@dataclass(frozen=True)
class Differences:
    """First minus second, of the probabilities (Bland and Altman 1986)."""

    mean: Estimate
    low: float  # of the limits of agreement, within which 95 % of normal differences lie
    high: float


@dataclass(frozen=True)
class McNemar:
    """The exact test of which model is right more often, on studies whose truth is known (McNemar 1947)."""

    first_right: int  # and the second wrong
    second_right: int  # and the first wrong
    studies: int
    p: float  # two-sided


@dataclass(frozen=True)
class Agreement:
    studies: int
    readings: Readings
    same: Figure  # share that both read alike
    kappa: Figure
    differences: Differences | NotComputable
    pearson: Figure
    spearman: Number
    concordance: Number
    mcnemar: McNemar | NotComputable


def agreement(pairs: Sequence[Pair], *, first_threshold: float, second_threshold: float) -> Agreement:
    """Each model reads by its own threshold."""
    first, second = (np.array([getattr(p, which) for p in pairs], dtype=np.float64) for which in _WHICH)
    check_shares(first, "first probability")
    check_shares(second, "second probability")
    called = (first >= first_threshold, second >= second_threshold)
    found = _readings(*called)
    return Agreement(
        studies=len(pairs),
        readings=found,
        same=wilson(found.both_positive + found.both_negative, len(pairs), "studies"),
        kappa=kappa(found.table),
        differences=differences(first, second),
        pearson=pearson(first, second),
        spearman=spearman(first, second),
        concordance=concordance(first, second),
        mcnemar=_mcnemar(pairs, *called),
    )


_WHICH = ("first", "second")
Called = NDArray[np.bool_]  # studies; true reads positive


def _readings(first: Called, second: Called) -> Readings:
    return Readings(
        int(np.sum(first & second)),
        int(np.sum(first & ~second)),
        int(np.sum(~first & second)),
        int(np.sum(~first & ~second)),
    )


def kappa(table: NDArray[np.int64]) -> Figure:
    """Cohen's, unweighted (1960), with the large-sample interval of Fleiss, Cohen and Everitt (1969), cut to -1..1."""
    total = int(table.sum())
    if total == 0:
        return NOBODY
    share = table / total
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    by_chance = float(rows @ columns)
    if by_chance == 1.0:
        return NotComputable("both read all studies alike in one class")
    value = (float(np.trace(share)) - by_chance) / (1 - by_chance)
    same = np.diag(share) @ (1 - (rows + columns) * (1 - value)) ** 2
    other = np.sum((share - np.diag(np.diag(share))) * (columns[:, None] + rows[None, :]) ** 2)
    variance = same + (1 - value) ** 2 * other - (value - by_chance * (1 - value)) ** 2
    plain = symmetric(value, float(max(variance, 0.0) / total) ** 0.5 / (1 - by_chance))
    return Estimate(value, max(plain.low, -1.0), min(plain.high, 1.0))


def differences(first: Scores, second: Scores) -> Differences | NotComputable:
    """The mean with Student's interval."""
    if first.size < FEWEST:
        return _too_few(first)
    difference = first - second
    mean, deviation = float(difference.mean()), float(difference.std(ddof=1))
    half = float(t.ppf((1 + LEVEL) / 2, first.size - 1)) * deviation / first.size**0.5
    return Differences(
        Estimate(mean, mean - half, mean + half), mean - _LIMIT * deviation, mean + _LIMIT * deviation
    )


def pearson(first: Scores, second: Scores) -> Figure:
    """With the interval of Fisher's z."""
    if reason := _why_uncorrelated(first, second):
        return reason
    found = pearsonr(first, second)
    interval = found.confidence_interval(LEVEL)
    if not np.isfinite([interval.low, interval.high]).all():
        return Estimate(float(found.statistic), -1.0, 1.0)  # of three studies Fisher's z has no error
    return Estimate(float(found.statistic), float(interval.low), float(interval.high))


def spearman(first: Scores, second: Scores) -> Number:
    return _why_uncorrelated(first, second) or float(spearmanr(first, second).statistic)


def concordance(first: Scores, second: Scores) -> Number:
    """Lin's coefficient (1989): correlation that a shift or another scale lessens."""
    if reason := _why_uncorrelated(first, second):
        return reason
    covariance = float(np.mean((first - first.mean()) * (second - second.mean())))
    apart = float(first.mean() - second.mean()) ** 2
    return 2 * covariance / (float(first.var()) + float(second.var()) + apart)


def _why_uncorrelated(first: Scores, second: Scores) -> NotComputable | None:
    if first.size < FEWEST:
        return _too_few(first)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return NotComputable("one of the two scores all studies the same")
    return None


def _too_few(scores: Scores) -> NotComputable:
    return NotComputable(f"{scores.size} studies, {FEWEST} are needed")


def _mcnemar(pairs: Sequence[Pair], first: Called, second: Called) -> McNemar | NotComputable:
    known = np.array([pair.positive is not None for pair in pairs], dtype=np.bool_)
    if not known.any():
        return NotComputable("no study whose truth is known")
    truth = np.array([bool(pair.positive) for pair in pairs], dtype=np.bool_)
    right, other = first == truth, second == truth
    one, two = int(np.sum(known & right & ~other)), int(np.sum(known & ~right & other))
    if one + two == 0:
        return NotComputable(f"both are right and wrong on the same of {int(known.sum())} studies")
    return McNemar(one, two, int(known.sum()), float(binomtest(one, one + two).pvalue))
