"""Patient-level figures with their 95 % intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.morphology import Mask

_Z = 1.959963984540054  # of the normal distribution, 97.5 %
Scores = NDArray[np.float64]
Truth = NDArray[np.bool_]


class NotComputable(ValueError):
    """A figure of no patient, or of one class only."""


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


def auc(scores: Scores, positive: Truth) -> float:
    """The share of pairs in which the positive scores higher; ties count half."""
    if not positive.any() or positive.all():
        raise NotComputable(f"{int(positive.sum())} positive of {positive.size} patients")
    difference = scores[positive][:, None] - scores[~positive][None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def auc_interval(scores: Scores, positive: Truth, *, resamples: int, rng: np.random.Generator) -> Interval:
    """Bootstrap over patients; a resample of one class only is drawn again."""
    drawn: list[float] = []
    value = auc(scores, positive)
    while len(drawn) < resamples:
        picked = rng.integers(0, positive.size, positive.size)
        if 0 < positive[picked].sum() < positive.size:
            drawn.append(auc(scores[picked], positive[picked]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Interval(value, float(low), float(high))


def wilson(hits: int, total: int) -> Interval:
    if total == 0:
        raise NotComputable("a proportion of no patient")
    share, z2 = hits / total, _Z**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    low, high = min(share, float(middle - half)), max(share, float(middle + half))  # rounding aside
    return Interval(share, max(0.0, low), min(1.0, high))


def dice(one: Mask, other: Mask) -> float:
    """Of two masks of one shape, at least one of them not empty."""
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))
