"""How well a score ranks positives over negatives: the area under the ROC curve (AUC).

Any score will do: a probability, or size or number of slices alone as a baseline.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from inference.evaluation.estimate import Estimate, NotComputable, Number
from inference.evaluation.sample import Scores, Truth, check_scores, missing_class

RESAMPLES = 10_000  # paper, section Statistics
_AT_ONCE = 1_000_000  # patients drawn, so that memory does not grow with cohort and resamples


@dataclass(frozen=True)
class Bootstrap:
    auc: Estimate
    resamples: int
    one_class: int  # of the resamples: they have no AUC and do not count in the interval


def auc(truth: Truth, score: Scores) -> Number:
    """The share of pairs in which the positive scores higher, ties half: Mann-Whitney's U over the pairs."""
    check_scores(truth, score)
    if missing := missing_class(truth):
        return missing
    positive, negative = int(truth.sum()), int((~truth).sum())
    wins = rankdata(score)[truth].sum() - positive * (positive + 1) / 2
    return float(wins / (positive * negative))


def bootstrap(
    truth: Truth, score: Scores, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Bootstrap | NotComputable:
    """The AUC with its percentile interval over resamples of patients (Efron 1979).

    Where the score separates the classes, so do all resamples, and the interval is the point 1: it says nothing of
    how few the patients are.
    """
    value = auc(truth, score)
    if isinstance(value, NotComputable):
        return value
    _, level = np.unique(score, return_inverse=True)
    most = max(1, _AT_ONCE // truth.size)
    sizes = [min(most, resamples - done) for done in range(0, resamples, most)]
    drawn = np.concatenate([_resampled(truth, level, size, rng) for size in sizes])
    kept = drawn[~np.isnan(drawn)]
    if kept.size == 0:
        return NotComputable(f"only one class in all of {resamples} resamples")
    low, high = np.percentile(kept, (2.5, 97.5))
    return Bootstrap(Estimate(value, float(low), float(high)), resamples, resamples - kept.size)


def _resampled(truth: Truth, level: NDArray[np.int64], resamples: int, rng: np.random.Generator) -> Scores:
    """AUCs from counts of each class at each level of the score; NaN where one class only was drawn."""
    levels = int(level.max()) + 1
    drawn = rng.integers(truth.size, size=(resamples, truth.size))
    cell = (2 * np.arange(resamples)[:, None] + truth[drawn]) * levels + level[drawn]
    counts = np.bincount(cell.ravel(), minlength=2 * resamples * levels).reshape(resamples, 2, levels)
    negative, positive = counts[:, 0], counts[:, 1]
    below = np.cumsum(negative, axis=1) - negative
    wins = np.sum(positive * (below + negative / 2), axis=1)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    areas: Scores = np.divide(wins, pairs, out=np.full(resamples, np.nan), where=pairs > 0)
    return areas
