"""Whole numbers in given proportions."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


def largest_remainder(total: int, weights: Sequence[float]) -> tuple[int, ...]:
    """`total` shared in proportion to `weights`; the largest remainders are rounded up, of equal ones the first."""
    exact = total * np.asarray(weights, dtype=np.float64) / sum(weights)
    whole = np.floor(exact + 1e-9).astype(int)
    whole[np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]] += 1
    return tuple(int(n) for n in whole)


def marked_counts(total: int, shown: Sequence[int]) -> tuple[int, ...]:
    """How many slices each patient has marked: at least one, at most those that show the lesion, in proportion to them.

    By the largest quotient (Sainte-Laguë), which needs no repair for the least and the most. All that are shown,
    where these are fewer than `total`; one each, where the patients are more.
    """
    most = np.asarray(shown)
    counts = np.ones(most.size, dtype=int)
    for _ in range(min(total, int(most.sum())) - most.size):
        counts[np.argmax(np.where(counts < most, most / (2 * counts + 1), 0.0))] += 1
    return tuple(int(n) for n in counts)


def central(items: Sequence[_T], count: int) -> Sequence[_T]:
    """The `count` in the middle."""
    first = (len(items) - count) // 2
    return items[first : first + count]
