"""ROC, calibration and decision curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inference.evaluation.calibration import Bin
from inference.evaluation.decision import NetBenefit
from inference.evaluation.estimate import Estimate
from inference.evaluation.figures.drawing import DASHES, INK, LINE, OTHERS, POSITIVE, SOFT, drawn, share_axes
from inference.evaluation.roc import RocPoint

_WIDTH, _HEIGHT = 3.5, 3.45  # inches: two beside each other on A4


def roc_curve(
    model: Sequence[RocPoint], *, operating: RocPoint, others: Mapping[str, Sequence[RocPoint]]
) -> str:
    """The model with its threshold; `others` are drawn thinner, by what the legend calls them."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _roc_axes(axes)
        for (name, curve), colour in zip(others.items(), OTHERS, strict=False):
            _line(axes, curve, color=colour, linewidth=1.1, label=name)
        _line(axes, model, color=POSITIVE, label="model")
        axes.plot(
            operating.false_positive_rate, operating.sensitivity, "o", color=POSITIVE, markersize=6.5,
            markeredgecolor="white", label=f"threshold {operating.threshold:.3g}", zorder=5,
        )  # fmt: skip
        axes.legend(loc="lower right", handlelength=1.4)

    return drawn(paint, width=_WIDTH, height=_HEIGHT)


def roc_comparison(curves: Mapping[str, Sequence[RocPoint]]) -> str:
    """Several models alike, by what the legend beside them calls each."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _roc_axes(axes)
        for index, (name, curve) in enumerate(curves.items()):
            _line(
                axes, curve, color=OTHERS[index % len(OTHERS)], linewidth=1.5, label=name,
                linestyle=DASHES[index // len(OTHERS) % len(DASHES)],
            )  # fmt: skip
        figure.legend(loc="outside right center", handlelength=1.6)

    return drawn(paint, width=7.0, height=4.2)


def calibration_plot(bins: Sequence[Bin]) -> str:
    """Each bin's share of positives with its interval; the larger a dot, the more patients."""
    known = [(each, each.observed) for each in bins if isinstance(each.observed, Estimate)]
    x, y = [each.predicted for each, _ in known], [share.value for _, share in known]
    patients = np.array([each.patients for each, _ in known])

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        share_axes(axes, "mean predicted probability", "observed share of PIMA")
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=DASHES[1], label="ideal")
        axes.plot(x, y, color=POSITIVE, linewidth=1.0)
        axes.vlines(x, [s.low for _, s in known], [s.high for _, s in known], color=POSITIVE, linewidth=1.3)
        axes.scatter(
            x, y, s=40 * patients / patients.max() + 12, color=POSITIVE, edgecolor="white", zorder=4,
            label="bin, 95 % interval",
        )  # fmt: skip
        axes.legend(loc="lower right", handlelength=1.4)

    return drawn(paint, width=_WIDTH, height=_HEIGHT)


def decision_plot(curve: Sequence[NetBenefit]) -> str:
    x = [point.threshold for point in curve]
    highest = max(max(point.model, point.treat_all, 0.05) for point in curve)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(x, [point.treat_all for point in curve], color=SOFT, linewidth=1.2, label="all")
        axes.axhline(0, color=INK, linewidth=1.0, linestyle=DASHES[1], label="none")
        axes.plot(x, [point.model for point in curve], color=POSITIVE, label="by the model")
        axes.set(xlim=(0, 1), ylim=(-0.25 * highest, 1.3 * highest))
        axes.set(xlabel="threshold probability", ylabel="net benefit per patient")
        axes.grid(color=LINE, linewidth=0.6)
        axes.legend(loc="upper center", ncols=3, handlelength=1.4, columnspacing=1.2)

    return drawn(paint, width=_WIDTH, height=_HEIGHT)


def _roc_axes(axes: Axes) -> None:
    share_axes(axes, "1 - specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=DASHES[1])


def _line(axes: Axes, curve: Sequence[RocPoint], **look: Any) -> None:
    x, y = [point.false_positive_rate for point in curve], [point.sensitivity for point in curve]
    axes.plot(x, y, **look)
