from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inference.synthetic.shares import central, largest_remainder, marked_counts


@given(st.integers(0, 1000), st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_a_share_is_the_exact_one_rounded_up_or_down_and_the_total_is_kept(
    total: int, weights: list[int]
) -> None:
    shares = largest_remainder(total, weights)
    assert sum(shares) == total
    assert all(abs(n - total * w / sum(weights)) < 1 + 1e-9 for n, w in zip(shares, weights, strict=True))


def test_the_published_numbers_are_their_own_shares() -> None:
    assert largest_remainder(190, (42, 48, 34, 13, 53)) == (42, 48, 34, 13, 53)
    assert largest_remainder(3, (1, 1)) == (2, 1)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.floats(0.0, 1.5))
def test_marked_slices_are_at_least_one_at_most_all_and_in_total_as_asked(
    shown: list[int], share: float
) -> None:
    total = round(share * sum(shown))
    counts = marked_counts(total, shown)
    assert sum(counts) == min(max(total, len(shown)), sum(shown))
    assert all(1 <= n <= most for n, most in zip(counts, shown, strict=True))
    longer_first = sorted(zip(shown, counts, strict=True), reverse=True)
    assert all(n >= m for (_, n), (_, m) in pairwise(longer_first))


def test_the_central_ones_are_in_the_middle() -> None:
    assert central("abcdefg", 3) == "cde"
    assert central("abcd", 1) == "b"
    assert central("abcd", 4) == "abcd"
