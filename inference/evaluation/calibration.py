"""Whether a probability is met by as many positives as it promises: in bins, and by logistic recalibration."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from inference.bundle import CERTAIN
from inference.evaluation.estimate import Estimate, Figure, NotComputable, Number, symmetric
from inference.evaluation.proportions import wilson
from inference.evaluation.sample import NOBODY, Scores, Truth, check_probabilities, missing_class

BINS = 5  # paper, section Statistics
_UNCERTAIN = 100  # standard errors as large as so many slopes say that there is none
_EXACT = 1e-13  # to which the likelihood's maximum is found


@dataclass(frozen=True)
class Bin:
    """Patients whose probability lies above the bin before and up to `high`."""

    low: float  # lowest and highest probability in the bin
    high: float
    patients: int
    predicted: float  # mean probability
    observed: Figure  # share of positives, by Wilson


@dataclass(frozen=True)
class Recalibration:
    """Of the logit of the probability (Cox 1958); a calibrated one has intercept 0 and slope 1.

    The intercept is calibration in the large: with the logit as offset, its slope held at 1. Intervals are Wald's.
    """

    intercept: Estimate
    slope: Figure
    certain: int  # patients whose probability was within 1e-6 of 0 or 1 and counts as if it were 1e-6 from it


def brier(truth: Truth, probability: Scores) -> Number:
    """The mean squared difference of probability and truth, 0 to 1 (Brier 1950)."""
    check_probabilities(truth, probability)
    if truth.size == 0:
        return NOBODY
    return float(np.mean((probability - truth) ** 2))


def curve(truth: Truth, probability: Scores, bins: int = BINS) -> tuple[Bin, ...] | NotComputable:
    """Quantile bins, from low to high. Equal probabilities are in one bin, the lower one where an edge parts them.

    Ties, or fewer patients than bins, therefore give bins of unequal size, or fewer of them, but no empty one.
    """
    check_probabilities(truth, probability)
    if truth.size == 0:
        return NOBODY
    last = (np.arange(1, bins + 1) * truth.size + bins - 1) // bins - 1  # of each bin, in sorted order
    edges = np.unique(np.sort(probability)[last])
    place = np.searchsorted(edges, probability)
    return tuple(_bin(truth[place == k], probability[place == k]) for k in range(edges.size))


def recalibration(truth: Truth, probability: Scores) -> Recalibration | NotComputable:
    """By maximum likelihood at patient level; what has no maximum (separated classes) is said to have none."""
    check_probabilities(truth, probability)
    if missing := missing_class(truth):
        return missing
    within = np.clip(probability, CERTAIN, 1 - CERTAIN)
    certain = int(np.sum(within != probability))
    return Recalibration(_intercept(truth, logit(within)), _slope(truth, logit(within)), certain)


def _bin(truth: Truth, probability: Scores) -> Bin:
    return Bin(
        low=float(probability.min()),
        high=float(probability.max()),
        patients=truth.size,
        predicted=float(probability.mean()),
        observed=wilson(int(truth.sum()), truth.size),
    )


def _intercept(truth: Truth, logits: Scores) -> Estimate:
    shift = _shift(truth, logits)
    return symmetric(shift, float(_weight(shift + logits).sum() ** -0.5))


def _slope(truth: Truth, logits: Scores) -> Figure:
    positive, negative = logits[truth], logits[~truth]
    if logits.min() == logits.max():
        return NotComputable("all probabilities are equal")
    if negative.max() <= positive.min() or positive.max() <= negative.min():  # Albert and Anderson 1984
        return NotComputable("the probability separates the classes: the likelihood has no maximum")
    centred = logits - logits.mean()

    def score(slope: float) -> float:
        """The derivative of the likelihood at the best intercept for this slope; it falls."""
        return float((truth - expit(_shift(truth, slope * centred) + slope * centred)) @ centred)

    low, high = -1.0, 1.0
    while score(low) < 0:
        low *= 2
    while score(high) > 0:
        high *= 2
    slope = float(brentq(score, low, high, xtol=_EXACT))
    weight = _weight(_shift(truth, slope * centred) + slope * centred)
    spread = weight @ (centred - np.average(centred, weights=weight)) ** 2
    error = float(spread**-0.5)
    if error > _UNCERTAIN * abs(slope):
        return NotComputable("the probability all but separates the classes: the likelihood is flat")
    return symmetric(slope, error)


def _shift(truth: Truth, logits: Scores) -> float:
    """What is to be added to all logits for as many positives to be expected as there are."""
    share = logit(truth.mean())
    return float(
        brentq(
            lambda shift: np.sum(truth - expit(shift + logits)),
            share - logits.max() - 1,  # here too few are expected, and at the other end too many
            share - logits.min() + 1,
            xtol=_EXACT,
        )
    )


def _weight(logits: Scores) -> Scores:
    """Of each patient in the information: the variance of its outcome."""
    weight: Scores = expit(logits) * expit(-logits)
    return weight
