"""Patients read right and wrong at a threshold, and the shares that follow (paper, section Statistics)."""

from dataclasses import dataclass

import numpy as np

from inference.evaluation.estimate import Figure, NotComputable, Number
from inference.evaluation.proportions import wilson
from inference.evaluation.sample import Scores, Truth, check_probabilities


@dataclass(frozen=True)
class Counts:
    """Patients; true and false say whether the reading agrees with the truth."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @property
    def positive(self) -> int:
        return self.true_positive + self.false_negative

    @property
    def negative(self) -> int:
        return self.true_negative + self.false_positive

    @property
    def patients(self) -> int:
        return self.positive + self.negative


def counted(truth: Truth, probability: Scores, threshold: float) -> Counts:
    """A patient reads positive from `threshold` up (paper, section Network)."""
    check_probabilities(truth, probability)
    called = probability >= threshold
    return Counts(
        true_positive=int(np.sum(called & truth)),
        false_positive=int(np.sum(called & ~truth)),
        true_negative=int(np.sum(~called & ~truth)),
        false_negative=int(np.sum(~called & truth)),
    )


def accuracy(counts: Counts) -> Figure:
    return wilson(counts.true_positive + counts.true_negative, counts.patients)


def sensitivity(counts: Counts) -> Figure:
    return wilson(counts.true_positive, counts.positive, "positive patients")


def specificity(counts: Counts) -> Figure:
    return wilson(counts.true_negative, counts.negative, "negative patients")


def positive_predictive_value(counts: Counts) -> Figure:
    called = counts.true_positive + counts.false_positive
    return wilson(counts.true_positive, called, "patients that read positive")


def negative_predictive_value(counts: Counts) -> Figure:
    called = counts.true_negative + counts.false_negative
    return wilson(counts.true_negative, called, "patients that read negative")


def f1(counts: Counts) -> Number:
    """The harmonic mean of sensitivity and positive predictive value; no share of patients, so no Wilson interval."""
    if counts.positive == 0:  # no sensitivity
        return NotComputable("no positive patients")
    wrong = counts.false_positive + counts.false_negative
    return 2 * counts.true_positive / (2 * counts.true_positive + wrong)
