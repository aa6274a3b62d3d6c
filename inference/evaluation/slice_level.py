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
    known = subjects if calibrated else ()
    read = [(s.positive, calibrated(p)) for s in known for p in s.slice_probabilities] if calibrated else []
    truth = np.array([positive for positive, _ in read], dtype=np.bool_)
    counts = counted(truth, np.array([p for _, p in read], dtype=np.float64), threshold)
    return SliceLevel(counts, len(subjects) - sum(subject.slices > 0 for subject in known))
