"""Where the probabilities of each class lie."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from inference.evaluation.by_class import NEGATIVE as IPN
from inference.evaluation.by_class import POSITIVE as PIMA
from inference.evaluation.figures.drawing import INK, LINE, NEGATIVE, POSITIVE, drawn
from inference.evaluation.sample import Scores, Truth

_BINS = np.linspace(0, 1, 21)


def score_distribution(truth: Truth, probability: Scores, threshold: float) -> str:
    """Patients per twentieth: positives upwards, negatives downwards."""
    positive, negative = (np.histogram(probability[mask], _BINS)[0] for mask in (truth, ~truth))
    highest = max(int(positive.max()), int(negative.max()), 1)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for counts, sign, colour in ((positive, 1, POSITIVE), (negative, -1, NEGATIVE)):
            axes.bar(_BINS[:-1], sign * counts, width=0.046, align="edge", color=colour)
        top = 1.05 * highest
        axes.text(0.02, top, f"{PIMA}, n = {positive.sum()}", color=POSITIVE, va="center")
        axes.text(0.98, -top, f"{IPN}, n = {negative.sum()}", color=NEGATIVE, va="center", ha="right")
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.axvline(threshold, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
        axes.set(xlim=(0, 1), ylim=(-1.15 * highest, 1.15 * highest), xlabel="probability of PIMA")
        axes.set_ylabel("patients")
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        axes.grid(axis="y", color=LINE, linewidth=0.6)

    return drawn(paint, width=3.5, height=3.45)
