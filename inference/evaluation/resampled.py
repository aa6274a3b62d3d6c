"""Percentile intervals over resamples of patients (Efron 1979), for figures that are no share of patients."""

import numpy as np

from inference.evaluation.calibration import brier
from inference.evaluation.counts import Counts, f1
from inference.evaluation.discrimination import RESAMPLES
from inference.evaluation.estimate import Estimate, Figure, NotComputable
from inference.evaluation.sample import Scores, Truth

_AT_ONCE = 1_000_000  # patients drawn


def f1_interval(counts: Counts, *, rng: np.random.Generator, resamples: int = RESAMPLES) -> Figure:
    """F1; drawing patients is drawing the four cells. Resamples without a patient that is or reads positive drop."""
    value = f1(counts)
    if isinstance(value, NotComputable):
        return value
    cells = np.array(
        [counts.true_positive, counts.false_positive + counts.false_negative, counts.true_negative]
    )
    right, wrong, _ = rng.multinomial(counts.patients, cells / counts.patients, size=resamples).T
    defined = right + wrong > 0
    if not defined.any():
        return NotComputable(f"no patients that are or read positive in all of {resamples} resamples")
    return _percentiles(value, 2 * right[defined] / (2 * right[defined] + wrong[defined]))


def brier_interval(
    truth: Truth, probability: Scores, *, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Figure:
    value = brier(truth, probability)
    if isinstance(value, NotComputable):
        return value
    errors = (probability - truth) ** 2
    most = max(1, _AT_ONCE // errors.size)
    sizes = [min(most, resamples - done) for done in range(0, resamples, most)]
    means = [errors[rng.integers(errors.size, size=(size, errors.size))].mean(axis=1) for size in sizes]
    return _percentiles(value, np.concatenate(means))


def _percentiles(value: float, drawn: Scores) -> Estimate:
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(value, float(low), float(high))
