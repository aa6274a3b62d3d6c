"""Patients of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.evaluation.sample import Truth
from inference.evaluation.subject import Subject

POSITIVE, NEGATIVE = "PIMA", "IPN"


@dataclass(frozen=True)
class ByClass:
    positive: int
    negative: int

    @property
    def both(self) -> int:
        return self.positive + self.negative


def of_truth(truth: Truth) -> ByClass:
    return ByClass(int(truth.sum()), int((~truth).sum()))


def of_subjects(subjects: Sequence[Subject]) -> ByClass:
    positive = sum(subject.positive for subject in subjects)
    return ByClass(positive, len(subjects) - positive)
