"""Every way in which a dataset could flatter a model is refused by case and reason."""

from collections.abc import Sequence

import pytest

from inference.dataset.folder import BadDataset
from inference.dataset.leaks import Leak, check, leaks
from inference.dataset.manifest import Case, Mode, Split
from tests.cohorts import case, manifest, sha256, split

PIMA = [case(n, "PIMA") for n in (1, 3, 5)]
IPN = [case(n, "IPN") for n in (2, 4, 6)]
CASES = [*PIMA, *IPN]
TRAIN, SELECTION, TEST = ((PIMA[n], IPN[n]) for n in range(3))


def parted(
    train: Sequence[Case] = TRAIN,
    selection: Sequence[Case] = SELECTION,
    test: Sequence[Case] = TEST,
    mode: Mode = Mode.INNER,
) -> Split:
    return split({"train": train, "selection": selection, "test": test}, mode=mode)


WHOLE = parted()


def test_a_dataset_without_a_leak_passes() -> None:
    check(manifest(CASES, WHOLE))


def test_in_paper_mode_the_test_part_selects() -> None:
    check(manifest(CASES, parted(TRAIN, (*TEST, *SELECTION), (*SELECTION, *TEST), Mode.PAPER)))


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        (parted(train=(*TRAIN, TEST[0])), "split main: case-0005 is in train and in test"),
        (parted(train=(*TRAIN, SELECTION[0])), "split main: case-0003 is in train and in selection"),
        (parted(selection=(*SELECTION, TEST[1])), "split main: case-0006 is in selection and in test"),
        (parted(train=(*TRAIN, case(7, "PIMA"))), "split main, train: case-0007 is no case of this dataset"),
        (parted(train=(*TRAIN, TRAIN[0])), "split main, train: case-0001 is named 2 times"),
    ],
)
def test_a_patient_in_the_wrong_part_is_named(damaged: Split, expected: str) -> None:
    assert leaks(manifest(CASES, damaged)) == (expected,)


def test_in_paper_mode_selection_and_test_are_the_same_and_apart_from_the_training() -> None:
    both = (*SELECTION, *TEST)
    assert leaks(manifest(CASES, parted((*TRAIN, TEST[0]), both, both, Mode.PAPER))) == (
        "split main: case-0005 is in train and in selection",
        "split main: case-0005 is in train and in test",
    )
    (leak,) = leaks(manifest(CASES, parted(TRAIN, both, both[1:], Mode.PAPER)))
    assert leak == "split main: in paper mode the test part selects, but case-0003 is in one of the two only"


def test_a_case_in_no_part_is_named() -> None:
    assert leaks(manifest([*CASES, case(7, "IPN")], WHOLE)) == ("split main: case-0007 is in no part",)


def test_a_part_needs_both_classes() -> None:
    moved = parted(train=(*TRAIN, *SELECTION), selection=())
    assert leaks(manifest(CASES, moved)) == ("split main, selection: is empty",)
    one_class = parted(train=(*TRAIN, TEST[0]), test=TEST[1:])
    assert leaks(manifest(CASES, one_class)) == ("split main, test: all of its cases are IPN",)


def test_the_same_slice_in_two_patients_is_counted_whatever_the_split() -> None:
    first, second = TRAIN
    twin = second.model_copy(update={"slice_sha256": (*first.slice_sha256, sha256("own"))})
    cases = [twin if each is second else each for each in CASES]
    assert leaks(manifest(cases, WHOLE)) == ("case-0001 and case-0002: 2 of their slices are the same",)


def test_a_slice_in_three_patients_is_named_for_each_pair() -> None:
    slices = CASES[0].slice_sha256
    cases = [
        each.model_copy(update={"slice_sha256": slices}) if n < 3 else each for n, each in enumerate(CASES)
    ]
    assert len(leaks(manifest(cases, WHOLE))) == 3


def test_the_same_slice_twice_in_a_patient_is_counted() -> None:
    doubled = CASES[0].model_copy(update={"slice_sha256": (*CASES[0].slice_sha256, CASES[0].slice_sha256[0])})
    assert leaks(manifest([doubled, *CASES[1:]], WHOLE)) == ("case-0001: 1 of its slices are repeated",)


def test_cases_that_were_prepared_by_their_label_are_refused() -> None:
    cases = [each.model_copy(update={"prepared_by": sha256(each.label)}) for each in CASES]
    found = leaks(manifest(cases, WHOLE))
    assert [leak.partition(" was prepared by ")[0] for leak in found] == [each.name for each in IPN]
    assert all(leak.endswith("all must be prepared alike") for leak in found)


def test_a_name_is_given_once() -> None:
    found = leaks(
        manifest([*CASES, CASES[0].model_copy(update={"slice_sha256": (sha256("x"),)})], WHOLE, WHOLE)
    )
    assert found == ("case case-0001 is listed 2 times", "split main is listed 2 times")


def test_every_leak_of_every_split_is_listed_at_once() -> None:
    second = split({"train": (*TRAIN, TEST[0]), "selection": SELECTION, "test": TEST}, name="fold-2")
    damaged = manifest(CASES, parted(test=(*TEST, TRAIN[1])), second)
    with pytest.raises(Leak) as refused:
        check(damaged)
    assert isinstance(refused.value, BadDataset)
    assert str(refused.value).split("\n  ") == [
        "the dataset is refused:",
        "split main: case-0002 is in train and in test",
        "split fold-2: case-0005 is in train and in test",
    ]
