"""Any table of ten patients and more of each class can be parted, and every part is what it should be."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from inference.dataset.manifest import Mode, Split
from inference.dataset.split import by_seed, folds
from inference.dataset.table import LABELS, Row
from tests.cohorts import patients

QUICK = settings(max_examples=60, deadline=None)
sizes = st.lists(st.none() | st.floats(1, 400), min_size=1, max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    each = [patients(label, draw(st.integers(10, 60)), sizes=draw(sizes)) for label in LABELS]
    return [row for rows in each for row in rows]


def counts(rows: list[Row], keys: tuple[str, ...]) -> Counter[str]:
    return Counter(row.label for row in rows if row.patient_id in keys)


def assert_whole(split: Split, rows: list[Row]) -> None:
    """Complete, and disjoint but for the test part that selects in paper mode."""
    parts = [*split.train, *split.test, *(split.selection if split.mode is Mode.INNER else ())]
    assert sorted(parts) == sorted(row.patient_id for row in rows)
    for part in (split.train, split.selection, split.test):
        assert set(counts(rows, part)) == set(LABELS)


@QUICK
@given(tables(), st.integers(0, 2**32), st.sampled_from(Mode))
def test_every_patient_is_in_one_part_in_proportion(rows: list[Row], seed: int, mode: Mode) -> None:
    split = by_seed(rows, seed=seed, mode=mode)
    assert_whole(split, rows)
    tested, trained = counts(rows, split.test), counts(rows, split.train)
    for label, patients_of in Counter(row.label for row in rows).items():
        assert abs(tested[label] - 0.2 * patients_of) < 1
        if mode is Mode.INNER:
            assert abs(trained[label] - 0.8 * (patients_of - tested[label])) < 1


@QUICK
@given(tables(), st.integers(0, 2**32))
def test_sizes_are_in_proportion_in_each_class(rows: list[Row], seed: int) -> None:
    tested = set(by_seed(rows, seed=seed).test)
    of_all = Counter((row.label, row.size_mm and row.size_mm < 30) for row in rows)
    of_test = Counter(
        (row.label, row.size_mm and row.size_mm < 30) for row in rows if row.patient_id in tested
    )
    labels = (
        Counter(row.label for row in rows),
        Counter(row.label for row in rows if row.patient_id in tested),
    )
    for (label, size), patients_of in of_all.items():
        share = labels[1][label] / labels[0][label]
        assert abs(of_test[label, size] - share * patients_of) < 1


@QUICK
@given(tables(), st.integers(0, 2**32), st.randoms(use_true_random=False), st.sampled_from(Mode))
def test_the_order_of_the_rows_is_nothing(rows: list[Row], seed: int, random: Random, mode: Mode) -> None:
    shuffled = random.sample(rows, len(rows))
    assert by_seed(shuffled, seed=seed, mode=mode) == by_seed(rows, seed=seed, mode=mode)
    assert folds(shuffled, 5, seed=seed, mode=mode) == folds(rows, 5, seed=seed, mode=mode)


@QUICK
@given(tables(), st.integers(0, 2**32))
def test_another_seed_tests_others(rows: list[Row], seed: int) -> None:
    """Five seeds in a row give the same two and two of twenty patients once in millions of times."""
    assert len({by_seed(rows, seed=seed + n).test for n in range(5)}) > 1


@QUICK
@given(tables(), st.integers(2, 10), st.integers(0, 2**32), st.sampled_from(Mode))
def test_every_patient_is_tested_in_one_fold(rows: list[Row], k: int, seed: int, mode: Mode) -> None:
    splits = folds(rows, k, seed=seed, mode=mode)
    assert sorted(key for split in splits for key in split.test) == sorted(row.patient_id for row in rows)
    for split in splits:
        assert_whole(split, rows)
    for label in LABELS:
        tested = [counts(rows, split.test)[label] for split in splits]
        assert max(tested) - min(tested) <= 1
    assert max(len(split.test) for split in splits) - min(len(split.test) for split in splits) <= 1
