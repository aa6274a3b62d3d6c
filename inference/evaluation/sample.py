"""What the statistics are made of: for each patient the truth and a score. What is no such thing is refused."""

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.estimate import NotComputable

Truth = NDArray[np.bool_]  # patients; true is the positive class
Scores = NDArray[np.float64]  # patients; a higher score speaks for the positive class

NOBODY = NotComputable("no patients")


def check_scores(truth: Truth, score: Scores) -> None:
    _check_truth(truth)
    _check_as_many(truth, score, "score")
    check_numbers(score, "score")


def check_probabilities(truth: Truth, probability: Scores) -> None:
    _check_truth(truth)
    _check_as_many(truth, probability, "probability")
    check_shares(probability, "probability")


def check_numbers(values: Scores, name: str) -> None:
    """One axis, every value finite."""
    if values.ndim != 1:
        raise ValueError(f"{name} has the shape {values.shape}, one axis is needed")
    _refuse(values, ~np.isfinite(values), f"{name} is not finite")


def check_shares(values: Scores, name: str) -> None:
    """One axis, every value in 0..1."""
    check_numbers(values, name)
    _refuse(values, (values < 0) | (values > 1), f"{name} is outside 0..1")


def missing_class(truth: Truth) -> NotComputable | None:
    """Why nothing that compares the classes can be computed."""
    if truth.size == 0:
        return NOBODY
    if not truth.any():
        return NotComputable(f"no positive patient among {truth.size}")
    if truth.all():
        return NotComputable(f"no negative patient among {truth.size}")
    return None


def _check_truth(truth: Truth) -> None:
    if truth.dtype != np.bool_ or truth.ndim != 1:
        raise ValueError(f"truth is {truth.dtype} of the shape {truth.shape}, not bool on one axis")


def _check_as_many(truth: Truth, values: Scores, name: str) -> None:
    if values.shape != truth.shape:
        raise ValueError(f"{name} has the shape {values.shape}, truth {truth.shape}")


def _refuse(values: Scores, wrong: NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(f"{what} in {int(wrong.sum())} of {values.size}, first at {first}: {values[first]}")
