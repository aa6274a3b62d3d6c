"""Truth and score of patients drawn at random, with both classes."""

import numpy as np

from inference.evaluation.sample import Scores, Truth

TABLES = [  # seed, patients, levels of the score: few levels give ties
    *((seed, 6, 3) for seed in range(8)),
    *((seed, 40, 8) for seed in range(6)),
    *((seed, 89, 1_000_000) for seed in range(4)),
    (1, 443, 50),
    (2, 443, 1_000_000),
]


def table(seed: int, patients: int, levels: int) -> tuple[Truth, Scores]:
    """At least two patients of each class; the score, strictly within 0..1, knows something of the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.random(patients) < 0.43
    truth[:4] = [True, True, False, False]
    raw = 1 / (1 + np.exp(-rng.normal(truth - 0.5, 1.0)))
    return truth, np.clip(np.round(raw * levels), 0.5, levels - 0.5) / levels
