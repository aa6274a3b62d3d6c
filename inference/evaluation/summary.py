"""What a report says of a model, of all patients or of a subgroup."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inference.evaluation.counts import (
    Counts,
    accuracy,
    counted,
    negative_predictive_value,
    positive_predictive_value,
    sensitivity,
    specificity,
)
from inference.evaluation.delong import DeLong, delong
from inference.evaluation.discrimination import RESAMPLES, Bootstrap, bootstrap
from inference.evaluation.estimate import Figure, NotComputable
from inference.evaluation.resampled import brier_interval, f1_interval
from inference.evaluation.sample import Scores, Truth


@dataclass(frozen=True)
class Summary:
    counts: Counts
    auc: Bootstrap | NotComputable
    delong: DeLong | NotComputable
    accuracy: Figure
    sensitivity: Figure
    specificity: Figure
    positive_predictive_value: Figure
    negative_predictive_value: Figure
    f1: Figure
    brier: Figure


def summary(
    truth: Truth, probability: Scores, *, threshold: float, seed: int, resamples: int = RESAMPLES
) -> Summary:
    """Each figure or why there is none: of patients of one class those remain that need no other."""
    counts = counted(truth, probability, threshold)

    def rng() -> np.random.Generator:
        return np.random.default_rng(seed)

    return Summary(
        counts=counts,
        auc=bootstrap(truth, probability, rng=rng(), resamples=resamples),
        delong=delong(truth, probability),
        accuracy=accuracy(counts),
        sensitivity=sensitivity(counts),
        specificity=specificity(counts),
        positive_predictive_value=positive_predictive_value(counts),
        negative_predictive_value=negative_predictive_value(counts),
        f1=f1_interval(counts, rng=rng(), resamples=resamples),
        brier=brier_interval(truth, probability, rng=rng(), resamples=resamples),
    )


def subgroups(
    truth: Truth,
    probability: Scores,
    members: Mapping[str, Truth],
    *,
    threshold: float,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Summary]:
    """By name; a patient may be in several. Every subgroup has the same seed, so that none depends on the others."""
    for name, mask in members.items():
        if mask.shape != truth.shape or mask.dtype != np.bool_:
            raise ValueError(f"{name} is {mask.dtype} of the shape {mask.shape}, truth has {truth.shape}")
    return {
        name: summary(truth[mask], probability[mask], threshold=threshold, seed=seed, resamples=resamples)
        for name, mask in members.items()
    }
