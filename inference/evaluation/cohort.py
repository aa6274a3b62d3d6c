"""What the cohort table says of two groups of patients: quartiles, and two-sided tests of their difference."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import MonteCarloMethod, chi2_contingency, fisher_exact, mannwhitneyu
from scipy.stats.contingency import expected_freq

from inference.evaluation.estimate import NotComputable
from inference.evaluation.sample import NOBODY, Scores, check_numbers

RANDOM_TABLES = 9_999
_SMALL = 8  # patients: up to here the normal approximation of U is coarse


class Method(StrEnum):
    """Which one gave the p-value."""

    MANN_WHITNEY_EXACT = "Mann-Whitney U, exact"
    MANN_WHITNEY_NORMAL = "Mann-Whitney U, normal approximation with corrections for ties and continuity"
    CHI_SQUARE = "chi-square without continuity correction"
    FISHER = "Fisher's exact"
    FISHER_RANDOM = f"Fisher's exact, by {RANDOM_TABLES} random tables"


@dataclass(frozen=True)
class Difference:
    method: Method
    statistic: float  # U of the first group; chi-square; odds ratio; probability of the table
    p: float


@dataclass(frozen=True)
class Quartiles:
    median: float
    low: float  # a quarter is below, by linear interpolation
    high: float
    patients: int


def quartiles(values: Scores) -> Quartiles | NotComputable:
    check_numbers(values, "values")
    if values.size == 0:
        return NOBODY
    low, median, high = np.percentile(values, (25, 50, 75))
    return Quartiles(float(median), float(low), float(high), values.size)


def mann_whitney(first: Scores, second: Scores) -> Difference | NotComputable:
    """Exact where a group has at most 8 patients and no value occurs twice (Mann and Whitney 1947)."""
    check_numbers(first, "first group")
    check_numbers(second, "second group")
    if min(first.size, second.size) == 0:
        return NotComputable(f"{first.size} patients in one group and {second.size} in the other")
    distinct = np.unique(np.concatenate([first, second])).size
    if distinct == 1:
        return NotComputable("all values are equal")
    exact = min(first.size, second.size) <= _SMALL and distinct == first.size + second.size
    found = mannwhitneyu(first, second, method="exact" if exact else "asymptotic")
    method = Method.MANN_WHITNEY_EXACT if exact else Method.MANN_WHITNEY_NORMAL
    return Difference(method, float(found.statistic), float(found.pvalue))


def independence(table: NDArray[np.int64]) -> Difference | NotComputable:
    """Groups in rows, categories in columns, patients in cells; rows and columns of nobody are left out.

    Chi-square (Pearson 1900), or Fisher's exact test (1922) where fewer than 5 patients are expected in a cell; of a
    table larger than 2 x 2 by random tables of its margins, always the same ones.
    """
    if table.ndim != 2 or not np.issubdtype(table.dtype, np.integer) or np.any(table < 0):
        raise ValueError(
            f"a table of counts is needed, not {table.dtype} of the shape {table.shape}: {table}"
        )
    shown = table[table.any(axis=1)][:, table.any(axis=0)]
    if min(shown.shape) < 2:
        return NotComputable("fewer than two groups or two categories have patients")
    if np.all(expected_freq(shown) >= 5):
        found = chi2_contingency(shown, correction=False)
        return Difference(Method.CHI_SQUARE, float(found.statistic), float(found.pvalue))
    if shown.shape == (2, 2):
        found = fisher_exact(shown)
        return Difference(Method.FISHER, float(found.statistic), float(found.pvalue))
    found = fisher_exact(shown, method=MonteCarloMethod(RANDOM_TABLES, rng=np.random.default_rng(1)))
    # scipy 1.17 gives arrays of one number where every row holds one patient.
    return Difference(
        Method.FISHER_RANDOM, np.asarray(found.statistic).item(), np.asarray(found.pvalue).item()
    )
