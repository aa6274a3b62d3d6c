"""The tests of the cohort table, worked out by hand or by trying every table."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy.stats import chi2, norm

from inference.evaluation.cohort import Method, Quartiles, independence, mann_whitney, quartiles
from inference.evaluation.estimate import NotComputable, computed
from inference.evaluation.sample import Scores

NO_VALUES: Scores = np.zeros(0)


def u_of(first: Scores, second: Scores) -> float:
    ahead = first[:, None] - second[None, :]
    return float(np.sum((ahead > 0) + 0.5 * (ahead == 0)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("sizes", "levels"), [((9, 12), 5), ((38, 51), 30), ((190, 253), 1_000_000)])
def test_u_and_its_normal_approximation_corrected_for_ties(
    seed: int, sizes: tuple[int, int], levels: int
) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(shift, levels, n) / 1.0 for shift, n in zip((1, 0), sizes, strict=True))
    m, n = sizes
    ties = np.unique(np.concatenate([first, second]), return_counts=True)[1]
    variance = m * n / 12 * (m + n + 1 - np.sum(ties**3 - ties) / ((m + n) * (m + n - 1)))
    z = (abs(u_of(first, second) - m * n / 2) - 0.5) / variance**0.5
    found = computed(mann_whitney(first, second))
    assert found.method is Method.MANN_WHITNEY_NORMAL
    assert found.statistic == pytest.approx(u_of(first, second), abs=1e-9)
    assert found.p == pytest.approx(min(1.0, 2 * norm.sf(z)), abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_small_groups_without_ties_are_tested_by_every_way_to_part_them(seed: int) -> None:
    values = np.random.default_rng(seed).permutation(9) / 1.0
    found = computed(mann_whitney(values[:4], values[4:]))
    distances = [
        abs(u_of(values[list(picked)], np.delete(values, picked)) - 10)
        for picked in combinations(range(9), 4)
    ]
    assert found.method is Method.MANN_WHITNEY_EXACT
    assert found.p == pytest.approx(np.mean(np.array(distances) >= abs(found.statistic - 10)), abs=1e-9)


def test_a_tie_or_a_ninth_patient_makes_the_test_approximate() -> None:
    values = np.arange(18.0)
    assert computed(mann_whitney(values[:8], values[8:])).method is Method.MANN_WHITNEY_EXACT
    assert computed(mann_whitney(values[:9], values[9:])).method is Method.MANN_WHITNEY_NORMAL
    tied = np.minimum(values, 16.0)
    assert computed(mann_whitney(tied[:8], tied[8:])).method is Method.MANN_WHITNEY_NORMAL


def test_groups_that_cannot_be_ranked_are_said() -> None:
    assert mann_whitney(NO_VALUES, np.ones(3)) == NotComputable("0 patients in one group and 3 in the other")
    assert mann_whitney(np.ones(2), np.ones(3)) == NotComputable("all values are equal")
    with pytest.raises(ValueError, match="second group is not finite in 1 of 2"):
        mann_whitney(np.ones(2), np.array([1.0, np.nan]))


@pytest.mark.parametrize(
    "table",
    [
        [[83, 107], [115, 138]],  # sex in the paper's cohort
        [[42, 48, 34, 13, 53], [53, 54, 63, 25, 58]],  # lobes
        [[10, 20, 30], [16, 9, 17], [17, 18, 9]],
    ],
    ids=["sex", "lobes", "three groups"],
)
def test_chi_square_is_by_hand(table: list[list[int]]) -> None:
    counts = np.array(table)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    statistic = np.sum((counts - expected) ** 2 / expected)
    found = computed(independence(counts))
    assert found.method is Method.CHI_SQUARE
    assert found.statistic == pytest.approx(statistic, abs=1e-9)
    freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    assert found.p == pytest.approx(chi2.sf(statistic, freedom), abs=1e-9)


@pytest.mark.parametrize("table", [[[6, 0], [33, 2]], [[3, 1], [1, 3]], [[0, 5], [5, 0]]], ids=str)
def test_where_few_are_expected_fishers_test_counts_every_table(table: list[list[int]]) -> None:
    (a, b), (c, d) = table
    row, column, total = a + b, a + c, a + b + c + d
    ways = {
        k: comb(column, k) * comb(total - column, row - k)
        for k in range(max(0, row + column - total), min(row, column) + 1)
    }
    unlikely = sum(w for w in ways.values() if w <= ways[a])
    found = computed(independence(np.array(table)))
    assert found.method is Method.FISHER
    assert found.p == pytest.approx(unlikely / sum(ways.values()), abs=1e-9)


def test_a_larger_table_of_few_is_tested_by_random_tables_and_always_alike() -> None:
    table = np.array([[4, 1, 0], [1, 3, 2]])
    found = computed(independence(table))
    assert found.method is Method.FISHER_RANDOM
    assert found == independence(table)
    ways: dict[tuple[int, int], int] = {
        (i, j): comb(5, i) * comb(4, j) * comb(2, 5 - i - j)
        for i in range(6)
        for j in range(5)
        if 0 <= 5 - i - j <= 2
    }
    exact = sum(w for w in ways.values() if w <= ways[4, 1]) / sum(ways.values())
    assert found.p == pytest.approx(exact, abs=0.02)  # four standard errors of 9,999 tables


def test_a_category_of_nobody_says_nothing() -> None:
    with_nobody = np.array([[10, 0, 20], [20, 0, 10]])
    assert independence(with_nobody) == independence(with_nobody[:, [0, 2]])
    nothing = NotComputable("fewer than two groups or two categories have patients")
    assert independence(np.array([[3, 4], [0, 0]])) == nothing
    assert independence(np.zeros((2, 2), dtype=np.int64)) == nothing


@pytest.mark.parametrize("table", [np.array([1, 2]), np.array([[0.5, 1.0]]), np.array([[1, -1], [2, 3]])])
def test_what_is_no_table_of_counts_is_refused(table: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a table of counts is needed"):
        independence(table)


def test_quartiles_are_interpolated() -> None:
    assert quartiles(np.array([4.0, 1.0, 3.0, 2.0])) == Quartiles(2.5, 1.75, 3.25, 4)
    assert quartiles(np.array([7.0])) == Quartiles(7.0, 7.0, 7.0, 1)
    assert quartiles(NO_VALUES) == NotComputable("no patients")
    with pytest.raises(ValueError, match="values is not finite"):
        quartiles(np.array([np.nan]))


def test_categories_of_one_patient_each_say_nothing() -> None:
    """All tables of these margins are equally likely: one in 3 choose 1."""
    found = computed(independence(np.array([[1, 0], [0, 1], [0, 1]])))
    assert found.method is Method.FISHER_RANDOM
    assert found.statistic == pytest.approx(1 / 3)
    assert found.p == 1.0
