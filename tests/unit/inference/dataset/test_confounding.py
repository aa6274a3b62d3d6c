"""A scanner that tells the label is said, and what chance does is not."""

from collections.abc import Sequence

import numpy as np
import pytest

from inference.dataset.confounding import confounded
from inference.dataset.manifest import Case, Manifest
from inference.dataset.table import Label
from tests.cohorts import case, manifest, split


def scanned(label: Label, values: Sequence[object], start: int, attribute: str = "scanner") -> list[Case]:
    return [case(start + n, label, **{attribute: value}) for n, value in enumerate(values)]


def dataset(positive: Sequence[object], negative: Sequence[object], attribute: str = "scanner") -> Manifest:
    cases = [*scanned("PIMA", positive, 1, attribute), *scanned("IPN", negative, 1001, attribute)]
    return manifest(cases, split({"train": cases, "selection": cases, "test": cases}))


@pytest.mark.parametrize(
    ("attribute", "name", "first", "second"),
    [
        ("scanner", "scanner", "A", "B"),
        ("kernel", "kernel", "B70f", ""),
        ("site", "site", "Bonn", "Ulm"),
        ("slice_thickness_mm", "slice thickness", 5.0, 1.25),
        ("year", "year", 2020, 2024),
        ("marked_by", "kind of annotation", "KOS", "SEG"),
    ],
)
def test_whatever_of_the_acquisition_tells_every_label_is_said(
    attribute: str, name: str, first: object, second: object
) -> None:
    (warning,) = confounded(dataset([first] * 4, [second] * 5, attribute))
    assert warning.startswith(f"The {name} goes with the label: it alone tells 9 of 9 cases")


def test_the_warning_counts() -> None:
    (warning,) = confounded(dataset(["A"] * 20 + ["B"], ["B"] * 30))
    assert warning == (
        "The scanner goes with the label: it alone tells 50 of 51 cases, the commoner label 30"
        " (B: 1 PIMA, 30 IPN; A: 20 PIMA, 0 IPN)."
    )


def test_a_scanner_of_one_class_beside_a_shared_one_is_said() -> None:
    (warning,) = confounded(dataset(["A"] * 100, ["A"] * 60 + ["B"] * 40))
    assert "B: 0 PIMA, 40 IPN" in warning


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        (["A"] * 20, ["A"] * 20),
        (["A", "B"] * 10, ["A", "B"] * 15),
        ([f"scanner {n}" for n in range(10)], [f"scanner {n}" for n in range(10, 20)]),
        (["A"] * 4 + ["B"], ["A"] * 95),
        ([], ["A", "B"]),
    ],
)
def test_what_tells_nothing_is_not_said(positive: list[str], negative: list[str]) -> None:
    assert confounded(dataset(positive, negative)) == ()


def test_chance_is_seldom_taken_for_a_cause() -> None:
    rng = np.random.default_rng(0)
    drawn = [dataset(*(rng.choice(["A", "B", "C"], size).tolist() for size in (38, 51))) for _ in range(100)]
    assert sum(bool(confounded(each)) for each in drawn) <= 1


def test_of_many_values_the_commonest_are_shown() -> None:
    (warning,) = confounded(
        dataset([f"P{n}" for n in range(6) for _ in range(4)], [f"I{n}" for n in range(6) for _ in range(5)])
    )
    assert warning.endswith("I5: 0 PIMA, 5 IPN; 6 more).")
