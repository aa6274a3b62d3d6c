"""Patients are parted once, alike in classes and sizes, or it is said why they cannot be."""

from collections import Counter
from collections.abc import Iterable

import pytest

from inference.dataset.manifest import Mode, Split
from inference.dataset.split import CannotSplit, by_seed, by_table, folds, leave_one_site_out, renamed
from inference.dataset.table import Assignment, Part, Row
from tests.cohorts import patients

PAPER = [*patients("PIMA", 190), *patients("IPN", 253)]
SMALL, LARGE = (12.0,), (58.0,)


def labels(keys: Iterable[str]) -> tuple[int, int]:
    counts = Counter(key.partition("-")[0] for key in keys)
    return counts["PIMA"], counts["IPN"]


def assigned(rows: Iterable[Row], part: Part) -> list[Assignment]:
    return [Assignment(number=row.number, patient_id=row.patient_id, part=part) for row in rows]


@pytest.mark.parametrize("seed", range(5))
def test_the_papers_cohort_is_parted_as_in_the_paper(seed: int) -> None:
    split = by_seed(PAPER, seed=seed, mode=Mode.PAPER)
    assert labels(split.train) == (152, 202)
    assert labels(split.test) == (38, 51)
    assert split.selection == split.test


def test_by_default_a_fifth_of_the_rest_selects() -> None:
    split = by_seed(PAPER, seed=0)
    assert labels(split.test) == (38, 51)
    assert labels(split.selection) == (30, 40)
    assert labels(split.train) == (122, 162)


def test_the_split_of_a_seed_is_always_the_same() -> None:
    """By name, so that another Python, numpy or machine must give it too."""
    rows = [*patients("PIMA", 5), *patients("IPN", 5)]
    split = by_seed(rows, seed=7)
    assert (split.test, split.selection) == (("IPN-4", "PIMA-2"), ("IPN-0", "PIMA-0"))
    assert by_seed(rows[::-1], seed=7) == split


def test_sizes_are_shared_out_where_there_are_enough() -> None:
    rows = [*patients("PIMA", 40, sizes=(20.0, 30.0, 50.0, None)), *patients("IPN", 40, sizes=SMALL)]
    size = {row.patient_id: row.size_mm for row in rows}
    split = by_seed(rows, seed=3)
    tested = [size[key] for key in split.test if key.startswith("PIMA")]
    assert sum(s is None for s in tested) == 2
    assert sum(s is not None and s < 30 for s in tested) == 2
    assert sum(s is not None and s >= 30 for s in tested) == 4


@pytest.mark.parametrize(("positive", "negative", "few"), [(2, 9, "PIMA"), (9, 2, "IPN")])
def test_a_class_needs_a_patient_for_each_part(positive: int, negative: int, few: str) -> None:
    rows = [*patients("PIMA", positive), *patients("IPN", negative)]
    with pytest.raises(CannotSplit, match=rf"^patients with {few}: 2, expected one for each of 3 parts$"):
        by_seed(rows, seed=0)
    assert min(labels(by_seed(rows, seed=0, mode=Mode.PAPER).train)) == 1


def test_three_patients_of_a_class_are_one_in_each_part() -> None:
    split = by_seed([*patients("PIMA", 3), *patients("IPN", 3)], seed=0, test=0.9, selection=0.01)
    assert [labels(part) for part in (split.train, split.selection, split.test)] == [(1, 1)] * 3


@pytest.mark.parametrize("share", [0.0, 1.0, -0.2, float("nan")])
def test_a_share_is_a_part_of_the_whole(share: float) -> None:
    with pytest.raises(CannotSplit, match="a share of"):
        by_seed(PAPER, seed=0, test=share)


@pytest.mark.parametrize("mode", Mode)
def test_each_patient_is_tested_in_one_fold(mode: Mode) -> None:
    rows = [*patients("PIMA", 23, sizes=(*SMALL, *LARGE)), *patients("IPN", 31, sizes=(*SMALL, None))]
    splits = folds(rows, 5, seed=1, mode=mode)
    assert [split.name for split in splits] == [f"fold-{n}" for n in (1, 2, 3, 4, 5)]
    assert sorted(key for split in splits for key in split.test) == sorted(row.patient_id for row in rows)
    for split in splits:
        assert not set(split.test) & set(split.train)
        assert set(split.train) | set(split.selection) | set(split.test) == {row.patient_id for row in rows}
        assert labels(split.test)[0] in (4, 5)
        assert labels(split.test)[1] in (6, 7)
        if mode is Mode.INNER:
            assert not set(split.selection) & {*split.train, *split.test}
            assert labels(split.selection) in [(4, 5), (4, 6), (5, 5)]


def test_folds_are_alike_in_size() -> None:
    rows = [*patients("PIMA", 20, sizes=(*SMALL, *LARGE)), *patients("IPN", 20, sizes=LARGE)]
    size = {row.patient_id: row.size_mm for row in rows}
    for split in folds(rows, 5, seed=2):
        assert sorted(size[key] or 0 for key in split.test if key.startswith("PIMA")) == [12, 12, 58, 58]


def test_more_folds_than_patients_of_a_class_are_refused() -> None:
    with pytest.raises(CannotSplit, match=r"^patients with IPN: 4, expected one for each of 5 folds$"):
        folds([*patients("PIMA", 9), *patients("IPN", 4)], 5, seed=0)
    with pytest.raises(CannotSplit, match=r"^patients with PIMA: 1, expected one for each of 2 parts$"):
        folds([*patients("PIMA", 2), *patients("IPN", 9)], 2, seed=0)
    with pytest.raises(CannotSplit, match=r"^folds: 1, expected 2 or more$"):
        folds(PAPER, 1, seed=0)


def test_each_site_is_tested_by_the_others() -> None:
    sites = ("Bonn", "Ulm", "Jena")
    rows = [*patients("PIMA", 12, sites=sites), *patients("IPN", 15, sites=sites)]
    home = {row.patient_id: row.site for row in rows}
    splits = leave_one_site_out(rows, seed=0)
    assert [split.name for split in splits] == ["without-Bonn", "without-Jena", "without-Ulm"]
    for split in splits:
        site = split.name.removeprefix("without-")
        assert {home[key] for key in split.test} == {site}
        assert site not in {home[key] for key in (*split.train, *split.selection)}
        assert labels(split.selection) == (2, 2)


@pytest.mark.parametrize(
    ("sites", "why"),
    [
        ((("Bonn",), ("Bonn",)), "^sites: 1, expected 2 or more$"),
        ((("Bonn", ""), ("Bonn", "Ulm")), "^patients without a site: 3 of 12$"),
        ((("Bonn",), ("Bonn", "Ulm")), "both classes, but Ulm has no PIMA$"),
    ],
)
def test_sites_that_cannot_be_left_out_are_said(sites: tuple[tuple[str, ...], ...], why: str) -> None:
    with pytest.raises(CannotSplit, match=why):
        leave_one_site_out(
            [*patients("PIMA", 6, sites=sites[0]), *patients("IPN", 6, sites=sites[1])], seed=0
        )


def by_thirds(rows: list[Row]) -> list[Assignment]:
    return [each for n, part in enumerate(Part) for each in assigned(rows[n::3], part)]


def test_a_table_decides_for_every_patient() -> None:
    rows = [*patients("PIMA", 6), *patients("IPN", 6)]
    elsewhere = assigned(patients("IPN", 9)[6:], Part.TEST)
    split = by_table(rows, [*by_thirds(rows), *elsewhere])
    assert split.train == ("IPN-0", "IPN-3", "PIMA-0", "PIMA-3")
    assert split.test == ("IPN-2", "IPN-5", "PIMA-2", "PIMA-5")
    assert (split.name, split.mode) == ("main", Mode.INNER)


def test_a_patient_without_a_part_is_named_by_its_row() -> None:
    rows = [*patients("PIMA", 6), *patients("IPN", 6)]
    with pytest.raises(
        CannotSplit, match=r"^no part is given for 2 patients: rows 4, 6 of the patient table$"
    ):
        by_table(rows, [each for each in by_thirds(rows) if each.patient_id not in ("PIMA-2", "IPN-4")])


def test_in_paper_mode_a_table_knows_no_selection() -> None:
    rows = [*patients("PIMA", 6), *patients("IPN", 6)]
    with pytest.raises(CannotSplit, match=r"^patients in selection: 4, but in paper mode"):
        by_table(rows, by_thirds(rows), mode=Mode.PAPER)
    two = [*assigned(rows[::2], Part.TRAIN), *assigned(rows[1::2], Part.TEST)]
    split = by_table(rows, two, mode=Mode.PAPER)
    assert split.selection == split.test == ("IPN-1", "IPN-3", "IPN-5", "PIMA-1", "PIMA-3", "PIMA-5")
    with pytest.raises(CannotSplit, match=r"selection has no PIMA, selection has no IPN$"):
        by_table(rows, two)


def test_cases_that_were_left_out_leave_their_part() -> None:
    split = Split(name="main", mode=Mode.INNER, train=("a", "b"), selection=("c",), test=("d", "e"))
    named = renamed(split, {"b": "case-0002", "a": "case-0004", "c": "case-0001", "e": "case-0003"})
    assert named.train == ("case-0002", "case-0004")
    assert named.selection == ("case-0001",)
    assert named.test == ("case-0003",)
