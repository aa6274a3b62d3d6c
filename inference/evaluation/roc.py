"""The receiver operating characteristic: what each threshold finds, and what it costs."""

from dataclasses import dataclass

import numpy as np

from inference.evaluation.estimate import NotComputable
from inference.evaluation.sample import Scores, Truth, check_scores, missing_class


@dataclass(frozen=True)
class RocPoint:
    threshold: float | None  # a patient reads positive from here up; None: nobody does
    false_positive_rate: float
    sensitivity: float


def roc(truth: Truth, score: Scores) -> tuple[RocPoint, ...] | NotComputable:
    """From nobody to everybody: a point for each score that occurs, from the highest down (Fawcett 2006)."""
    check_scores(truth, score)
    if missing := missing_class(truth):
        return missing
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), score.size - 1)  # of each score's patients
    found = np.cumsum(truth[order])[last] / truth.sum()
    cost = np.cumsum(~truth[order])[last] / (~truth).sum()
    levels = zip(score[order][last].tolist(), cost.tolist(), found.tolist(), strict=True)
    return (RocPoint(None, 0.0, 0.0), *(RocPoint(*level) for level in levels))
