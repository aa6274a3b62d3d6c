"""Who is in, who is out and why, and that everybody is counted once."""

from datetime import date
from typing import Any

import pytest

from inference.dataset.manifest import Mode
from inference.dataset.rules import Inclusion, excluded, not_asked, screened, selection_flow
from inference.dataset.split import by_seed
from inference.dataset.table import Label, Row
from inference.evaluation.flow import DoesNotAddUp, Excluded, Group
from tests.cohorts import patients

PAPER = Inclusion()
FAR = "PIMA, CT more than 31 days from the histology"
BRIEF = "IPN, followed for less than 6 months"


def row(label: Label = "PIMA", *, key: str = "a", **facts: Any) -> Row:
    return Row(number=2, patient_id=key, label=label, **facts)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"acquired": date(2024, 1, 1), "confirmed_on": date(2024, 2, 1)}, None),
        ({"acquired": date(2024, 1, 1), "confirmed_on": date(2024, 2, 2)}, FAR),
        ({"acquired": date(2024, 2, 2), "confirmed_on": date(2024, 1, 1)}, FAR),
        ({"acquired": date(2020, 1, 1)}, None),
        ({"follow_up_months": 0}, None),
        ({"label": "IPN", "follow_up_months": 5.9}, BRIEF),
        ({"label": "IPN", "follow_up_months": 5.9, "confirmed_by": "microbiology"}, BRIEF),
        ({"label": "IPN", "follow_up_months": 5.9, "confirmed_by": "histology"}, None),
        ({"label": "IPN", "follow_up_months": 6}, None),
        ({"label": "IPN"}, None),
        ({"label": "IPN", "acquired": date(2024, 1, 1), "confirmed_on": date(2024, 2, 2)}, None),
        ({"label": "IPN", "follow_up_months": 1, "exclude": "poor image quality"}, "poor image quality"),
    ],
)
def test_the_rules_of_the_paper(facts: dict[str, Any], reason: str | None) -> None:
    assert excluded(row(**facts), PAPER) == reason


def test_a_site_sets_its_own_numbers() -> None:
    rules = Inclusion(days_to_histology=90, follow_up_months=12)
    assert excluded(row("IPN", follow_up_months=11), rules) == "IPN, followed for less than 12 months"
    assert excluded(row(acquired=date(2024, 1, 1), confirmed_on=date(2024, 3, 1)), rules) is None


def test_reasons_stand_in_the_order_of_the_rules() -> None:
    rows = [
        row("IPN", key="a", follow_up_months=1),
        row(key="b", acquired=date(2024, 1, 1), confirmed_on=date(2024, 5, 1)),
        row("IPN", key="c", exclude="lesion not seen"),
        row("IPN", key="d"),
        row(key="e", exclude="artefacts"),
    ]
    expected = {"e": "artefacts", "c": "lesion not seen", "b": FAR, "a": BRIEF}
    assert list(screened(rows, PAPER).items()) == list(screened(rows[::-1], PAPER).items())
    assert list(screened(rows, PAPER).items()) == list(expected.items())


def test_what_could_not_be_asked_is_counted() -> None:
    rows = [
        row(acquired=date(2024, 1, 1)),
        row(confirmed_on=date(2024, 1, 1)),
        row(exclude="artefacts"),
        row("IPN", confirmed_by="histology"),
        row("IPN", follow_up_months=7),
    ]
    assert not_asked(rows) == ("patients with PIMA whose days between CT and histology are not known: 2",)
    assert not_asked([row("IPN")]) == ("patients with IPN whose follow-up is of unknown length: 1",)


ROWS = [*patients("PIMA", 20), *patients("IPN", 30)]
FOUND = {"PIMA-0": "no images", "IPN-3": "lesion not seen", "IPN-5": "no images", "IPN-7": "lesion not seen"}
LEFT = [r for r in ROWS if r.patient_id not in FOUND]


def test_the_flow_counts_every_patient_once() -> None:
    flow = selection_flow(ROWS, FOUND, by_seed(LEFT, seed=0))
    assert flow.screened == 50
    assert flow.excluded == (Excluded("no images", 2), Excluded("lesion not seen", 2))
    assert flow.included == (Group("train", 12, 18), Group("selection", 3, 4), Group("test", 4, 5))


def test_who_is_left_out_after_the_split_leaves_its_part() -> None:
    flow = selection_flow(ROWS, FOUND, by_seed(ROWS, seed=0))
    assert sum(group.positive for group in flow.included) == 19
    assert sum(group.negative for group in flow.included) == 27


def test_in_paper_mode_the_test_part_is_counted_once() -> None:
    flow = selection_flow(ROWS, FOUND, by_seed(LEFT, seed=0, mode=Mode.PAPER))
    assert flow.included == (Group("train", 15, 22), Group("test, which also selects", 4, 5))


def test_without_a_single_split_the_included_are_one_group() -> None:
    assert selection_flow(ROWS, FOUND).included == (Group("included", 19, 27),)


def test_a_patient_that_is_nowhere_is_missed() -> None:
    with pytest.raises(DoesNotAddUp, match=r"^50 patients screened, 3 excluded and 46 included$"):
        selection_flow(ROWS, {k: v for k, v in FOUND.items() if k != "IPN-7"}, by_seed(LEFT, seed=0))
