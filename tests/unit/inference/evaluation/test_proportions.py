"""Wilson's interval holds the shares that the normal test does not reject."""

import numpy as np
import pytest

from inference.evaluation.estimate import NotComputable, Z, computed
from inference.evaluation.proportions import wilson


@pytest.mark.parametrize("total", [1, 2, 35, 38, 51, 89, 443])
def test_at_both_bounds_the_share_is_just_not_rejected(total: int) -> None:
    for hits in range(total + 1):
        interval = computed(wilson(hits, total))
        quadratic = [1 + Z**2 / total, -2 * hits / total - Z**2 / total, (hits / total) ** 2]
        assert (interval.low, interval.high) == pytest.approx(sorted(np.roots(quadratic).real), abs=1e-9)
        assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_it_gives_the_published_interval() -> None:
    interval = computed(wilson(38, 38))  # the paper's sensitivity
    assert (interval.value, interval.low, interval.high) == pytest.approx((1.0, 0.908, 1.0), abs=5e-4)


def test_a_share_of_nobody_is_named() -> None:
    assert wilson(0, 0, "patients below 3 cm") == NotComputable("no patients below 3 cm")


@pytest.mark.parametrize(("hits", "total"), [(2, 1), (-1, 3)])
def test_impossible_counts_are_refused(hits: int, total: int) -> None:
    with pytest.raises(ValueError, match="k"):
        wilson(hits, total)
