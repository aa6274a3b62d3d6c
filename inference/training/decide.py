"""What a bundle makes of the mean probability: recalibration and threshold, from the selection patients."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from inference.bundle import CERTAIN, Calibration
from inference.evaluation.sample import Scores, Truth, check_probabilities


def platt(truth: Truth, probability: Scores, data: str) -> Calibration | None:
    """Logistic regression on the logit, with Platt's targets, which stay off 0 and 1 (Platt 1999, section 2.2).

    They let separated classes have a solution. None where the score ranks the wrong way or all alike: a slope that
    is not positive would turn the order.
    """
    check_probabilities(truth, probability)
    positive, negative = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (positive + 1) / (positive + 2), 1 / (negative + 2))
    x = logit(np.clip(probability, CERTAIN, 1 - CERTAIN))
    centre, spread = float(x.mean()), float(x.std())
    if spread == 0:
        return None
    scaled = (x - centre) / spread

    def loss(line: Scores) -> tuple[float, Scores]:
        z = line[0] + line[1] * scaled
        wrong = expit(z) - target
        return float(np.sum(np.logaddexp(0, z) - target * z)), np.array([wrong.sum(), wrong @ scaled])

    found = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    slope = float(found[1] / spread)
    if slope <= 0:
        return None
    return Calibration(
        slope=slope, intercept=float(found[0] - slope * centre), patients=truth.size, data=data
    )


def youden(truth: Truth, probability: Scores) -> float:
    """The threshold with the highest sum of sensitivity and specificity (Youden 1950).

    Half-way between two patients, and of equals the one nearest to 0.5: 0.5 itself where none is better than chance.
    """
    check_probabilities(truth, probability)
    edges = np.unique(probability)
    between = np.concatenate([[edges[0] / 2], (edges[:-1] + edges[1:]) / 2, [(edges[-1] + 1) / 2]])
    called = probability >= between[:, None]
    index = called[:, truth].mean(axis=1) - called[:, ~truth].mean(axis=1)
    if index.max() <= 1e-12:
        return 0.5
    best = between[np.isclose(index, index.max(), rtol=0, atol=1e-12)]
    return float(best[np.abs(best - 0.5).argmin()])
