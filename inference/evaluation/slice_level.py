"""The same counts for slices, each with its patient's truth; they are no independent observations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.evaluation.counts import Counts, counted
from inference.evaluation.subject import Subject


@dataclass(frozen=True)
class SliceLevel:
    counts: Counts  # slices
    patients_without: int  # whose slice probabilities are not known


def slice_level(
    subjects: Sequence[Subject], threshold: float, calibrated: Callable[[float], float] | None
) -> SliceLevel:
    """The threshold is one of calibrated probabilities, and slices have plain ones; None: how is not known."""
    if calibrated is None:
        return SliceLevel(Counts(0, 0, 0, 0), len(subjects))
    truth = [subject.positive for subject in subjects for _ in subject.slice_probabilities]
    probability = [calibrated(value) for subject in subjects for value in subject.slice_probabilities]
    counts = counted(np.array(truth, dtype=np.bool_), np.array(probability, dtype=np.float64), threshold)
    return SliceLevel(counts, sum(subject.slices == 0 for subject in subjects))
