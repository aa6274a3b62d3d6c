"""The figures of each group of patients, and how many are in none because it is not known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.evaluation.aspects import OF_SUBGROUPS, Aspect, groups
from inference.evaluation.subject import Subject, probabilities_of, truth_of
from inference.evaluation.summary import Summary, subgroups


@dataclass(frozen=True)
class Subgroup:
    name: str
    summary: Summary


@dataclass(frozen=True)
class Grouping:
    aspect: str
    groups: tuple[Subgroup, ...]
    unknown: int  # patients


def groupings(subjects: Sequence[Subject], *, threshold: float, seed: int) -> tuple[Grouping, ...]:
    """Of patients with a probability."""
    return tuple(_grouping(aspect, subjects, threshold, seed) for aspect in OF_SUBGROUPS)


def _grouping(aspect: Aspect, subjects: Sequence[Subject], threshold: float, seed: int) -> Grouping:
    of_each = [aspect.group(subject) for subject in subjects]
    members = {
        name: np.array([each == name for each in of_each], dtype=np.bool_)
        for name in groups(aspect, subjects)
    }
    summaries = subgroups(
        truth_of(subjects), probabilities_of(subjects), members, threshold=threshold, seed=seed
    )
    found = tuple(Subgroup(name, summary) for name, summary in summaries.items())
    return Grouping(aspect.name, found, of_each.count(""))
