"""Who is in which group, and what the cohort table says of each class."""

from dataclasses import replace

import numpy as np
import pytest

from inference.evaluation.aspects import AGE, OF_SUBGROUPS, SITE, SIZE, THICKNESS, groups
from inference.evaluation.by_class import ByClass
from inference.evaluation.characteristics import Category, cohort_of
from inference.evaluation.cohort import Method, independence, mann_whitney, quartiles
from inference.evaluation.estimate import NotComputable, computed
from inference.evaluation.subgroups import groupings
from inference.evaluation.subject import Subject, probabilities_of, truth_of
from inference.evaluation.summary import summary
from tests.evaluated import abstained, bare, patients

SUBJECTS = patients(2)


@pytest.mark.parametrize(
    ("size", "age", "expected"),
    [(29.9, 64, ("< 30 mm", "< 65 years")), (30.0, 65, ("≥ 30 mm", "≥ 65 years")), (None, None, ("", ""))],
)
def test_a_patient_at_the_border_is_in_the_upper_group(
    size: float | None, age: int | None, expected: tuple[str, str]
) -> None:
    subject = Subject(name="a", positive=True, probability=0.5, size_mm=size, age_years=age)
    assert (SIZE.group(subject), AGE.group(subject)) == expected


def test_groups_are_in_the_order_of_their_numbers() -> None:
    thick = [replace(SUBJECTS[0], slice_thickness_mm=mm, site=f"{mm}") for mm in (10.0, 5.0, 1.25, 0.625)]
    assert groups(THICKNESS, [*thick, bare(SUBJECTS[0])]) == ("0.625 mm", "1.25 mm", "5 mm", "10 mm")
    assert groups(SITE, [replace(SUBJECTS[0], site=" "), bare(SUBJECTS[1])]) == (" ",)


def test_every_subgroup_is_summed_up_by_itself_and_who_is_unknown_is_counted() -> None:
    subjects = [replace(each, size_mm=None) if n < 4 else each for n, each in enumerate(SUBJECTS)]
    found = groupings(subjects, threshold=0.4, seed=3)
    assert [grouping.aspect for grouping in found] == [aspect.name for aspect in OF_SUBGROUPS]
    size = found[0]
    small = [each for each in subjects if each.size_mm is not None and each.size_mm < 30]
    assert size.unknown == 4
    assert size.groups[0].name == "< 30 mm"
    assert size.groups[0].summary == summary(truth_of(small), probabilities_of(small), threshold=0.4, seed=3)
    for grouping in found:
        inside = sum(each.summary.counts.patients for each in grouping.groups)
        assert inside + grouping.unknown == len(subjects)


def test_of_bare_patients_no_group_is_known() -> None:
    for grouping in groupings([bare(each) for each in SUBJECTS], threshold=0.5, seed=1):
        assert (grouping.groups, grouping.unknown) == ((), 89)


def test_the_cohort_table_is_of_complete_cases_of_all_patients() -> None:
    subjects = [
        abstained(replace(each, age_years=None)) if n in {0, 50} else each for n, each in enumerate(SUBJECTS)
    ]
    cohort = cohort_of(subjects)
    age = cohort.measured[0]
    ages = {
        kind: [s.age_years for s in subjects if s.positive is kind and s.age_years] for kind in (True, False)
    }
    first, second = (np.array(ages[kind], dtype=np.float64) for kind in (True, False))
    assert (age.name, age.missing) == ("age, years", ByClass(1, 1))
    assert (age.positive, age.negative) == (quartiles(first), quartiles(second))
    assert age.difference == mann_whitney(first, second)
    sex = cohort.categorical[0]
    table = [
        [sum(s.positive is kind and s.sex == which for s in subjects) for which in "FM"]
        for kind in (True, False)
    ]
    assert sex.categories == (
        Category("female", ByClass(table[0][0], table[1][0])),
        Category("male", ByClass(table[0][1], table[1][1])),
    )
    assert sex.difference == independence(np.array(table))
    assert computed(sex.difference).method is Method.CHI_SQUARE


def test_what_confirmed_the_label_is_shown_and_not_tested() -> None:
    confirmed = cohort_of(SUBJECTS).categorical[-1]
    assert [category.name for category in confirmed.categories] == ["follow up", "histology"]
    assert confirmed.difference == NotComputable("part of the reference standard, not tested")


def test_of_nobody_the_cohort_table_has_reasons() -> None:
    cohort = cohort_of([])
    assert all(isinstance(row.difference, NotComputable) for row in cohort.measured)
    assert all(isinstance(row.difference, NotComputable) for row in cohort.categorical)
