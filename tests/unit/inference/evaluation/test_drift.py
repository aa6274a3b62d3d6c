"""Drift against values counted by hand."""

import math

import numpy as np
import pytest

from inference.evaluation.drift import (
    NOT_STATED,
    Drift,
    Reading,
    Shift,
    by_month,
    by_scanner,
    compared_distributions,
)
from inference.evaluation.drift_section import drift_section
from inference.evaluation.estimate import Estimate, NotComputable, computed


def _readings(month: str, scanner: str, *scores: float | None, lungs: float = 4000.0) -> list[Reading]:
    return [Reading(month, scanner, score, lungs + 100 * i) for i, score in enumerate(scores)]


STUDIES = [
    *_readings("2026-02", "B two", 0.6, 0.7, 0.8, 0.9, 1.0),
    *_readings("2026-01", "A one", 0.1, 0.2, 0.3, 0.4, 0.5, None),
    *_readings("", "A one", 0.5),
]


def _named(groups: tuple[Drift, ...], name: str) -> Drift:
    (group,) = (group for group in groups if group.name == name)
    return group


def test_months_follow_one_another_and_what_has_none_comes_last() -> None:
    assert [group.name for group in by_month(STUDIES, threshold=0.5)] == ["2026-01", "2026-02", NOT_STATED]


def test_a_month_has_the_figures_counted_by_hand() -> None:
    january = _named(by_month(STUDIES, threshold=0.5), "2026-01")
    probability, lungs = computed(january.probability), computed(january.lung_volume_ml)
    assert january.studies == 6
    assert (probability.low, probability.median, probability.high) == pytest.approx((0.2, 0.3, 0.4))
    assert (lungs.low, lungs.median, lungs.high) == (4125.0, 4250.0, 4375.0)
    positive, abstained = computed(january.positive), computed(january.abstained)
    assert (positive.value, abstained.value) == pytest.approx((1 / 5, 1 / 6))
    # Wilson's interval of 1 of 5 in its closed form
    z, n, p = 1.959963984540054, 5, 1 / 5
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert (positive.low, positive.high) == pytest.approx((centre - half, centre + half))


def test_a_month_that_shares_no_score_with_the_first_is_at_a_distance_of_one() -> None:
    february = _named(by_month(STUDIES, threshold=0.5), "2026-02")
    # of all 10!/(5! 5!) = 252 arrangements two separate the groups
    assert isinstance(february.shift, Shift)
    assert (february.shift.distance, february.shift.p) == pytest.approx((1.0, 2 / 252))


def test_the_distance_is_the_largest_between_the_two_distributions() -> None:
    first, second = np.arange(1, 11) / 10, np.arange(4, 14) / 20
    values = np.concatenate([first, second])
    expected = max(abs(np.mean(first <= v) - np.mean(second <= v)) for v in values)
    assert computed(compared_distributions(first, second)).distance == pytest.approx(expected)


def test_the_first_month_and_small_groups_are_compared_with_nothing() -> None:
    groups = by_month(STUDIES, threshold=0.5)
    assert groups[0].shift == NotComputable("the first month")
    assert groups[2].shift == NotComputable("1 scores against 5, 5 of each are needed")


def test_a_scanner_is_compared_with_all_others() -> None:
    groups = by_scanner(STUDIES, threshold=0.5)
    assert [(group.name, group.studies) for group in groups] == [("A one", 7), ("B two", 5)]
    assert all(isinstance(group.shift, Shift) and group.shift.distance == 1.0 for group in groups)


def test_one_scanner_alone_is_compared_with_nothing() -> None:
    (group,) = by_scanner(_readings("2026-01", "A one", 0.1, 0.2), threshold=0.5)
    assert group.shift == NotComputable("there is no other to compare with")


def test_a_month_of_abstentions_has_no_scores_and_says_so() -> None:
    (group,) = by_month(_readings("2026-03", "A", None, None), threshold=0.5)
    assert isinstance(group.positive, NotComputable)
    assert isinstance(group.abstained, Estimate)
    assert group.abstained.value == 1.0


def test_the_section_has_a_row_for_each_group_and_one_figure() -> None:
    section = drift_section(STUDIES, threshold=0.5)
    assert [len(table.rows) for table in section.tables] == [3, 2]
    assert section.figures[0].svg.startswith("<svg")
    assert section.tables[0].rows[1][-1] == "1.00, 0.008"


def test_no_studies_make_empty_tables() -> None:
    section = drift_section([], threshold=0.5)
    assert [table.rows for table in section.tables] == [(), ()]
