"""What a single number ranks without any model: size alone, and the number of slices alone (paper, cohort)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.evaluation.by_class import ByClass, of_truth
from inference.evaluation.delong import Comparison, compared
from inference.evaluation.discrimination import Bootstrap, bootstrap
from inference.evaluation.estimate import NotComputable
from inference.evaluation.roc import RocPoint, roc
from inference.evaluation.subject import Subject, probabilities_of, truth_of


@dataclass(frozen=True)
class Baseline:
    """Higher speaks for the positive class."""

    name: str
    patients: ByClass  # with the number and a probability
    missing: int
    auc: Bootstrap | NotComputable
    roc: tuple[RocPoint, ...] | NotComputable
    model_against: Comparison | NotComputable  # DeLong's paired test, the model first


def baselines(subjects: Sequence[Subject], *, seed: int) -> tuple[Baseline, ...]:
    """Of patients with a probability; each baseline on those that have its number."""
    return (
        _baseline("size alone", subjects, lambda subject: subject.size_mm, seed),
        _baseline("number of slices alone", subjects, lambda subject: subject.slices or None, seed),
    )


def _baseline(
    name: str, subjects: Sequence[Subject], number: Callable[[Subject], float | None], seed: int
) -> Baseline:
    numbered = [(subject, value) for subject in subjects if (value := number(subject)) is not None]
    known = [subject for subject, _ in numbered]
    truth, score = truth_of(known), np.array([value for _, value in numbered], dtype=np.float64)
    return Baseline(
        name=name,
        patients=of_truth(truth),
        missing=len(subjects) - len(known),
        auc=bootstrap(truth, score, rng=np.random.default_rng(seed)),
        roc=roc(truth, score),
        model_against=compared(truth, probabilities_of(known), score),
    )
