"""ROC, calibration and decision curves."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inference.evaluation.calibration import Bin
from inference.evaluation.decision import NetBenefit
from inference.evaluation.estimate import Estimate
from inference.evaluation.figures.drawing import INK, LINE, OTHERS, POSITIVE, SOFT, drawn, share_axes
from inference.evaluation.roc import RocPoint

_WIDTH, _HEIGHT = 4.7, 4.4


def roc_curves(curves: Mapping[str, Sequence[RocPoint]], *, operating: RocPoint | None = None) -> str:
    """By what the legend calls each; the first is the model, the others are drawn thinner."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        share_axes(axes, "1 − specificity", "sensitivity")
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        for (name, curve), colour, width in zip(
            curves.items(), _colours(len(curves)), _widths(), strict=False
        ):
            x, y = [p.false_positive_rate for p in curve], [p.sensitivity for p in curve]
            axes.plot(x, y, color=colour, linewidth=width, label=name)
        if operating:
            axes.plot(
                operating.false_positive_rate, operating.sensitivity, "o", color=POSITIVE, markersize=6.5,
                markeredgecolor="white", label=f"threshold {operating.threshold:.3g}", zorder=5,
            )  # fmt: skip
        axes.legend(loc="lower right", handlelength=1.6)

    return drawn(paint, width=_WIDTH, height=_HEIGHT)


def roc_comparison(curves: Mapping[str, Sequence[RocPoint]]) -> str:
    """Of several models alike, with the legend beside them."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        share_axes(axes, "1 − specificity", "sensitivity")
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        for index, (name, curve) in enumerate(curves.items()):
            x, y = [p.false_positive_rate for p in curve], [p.sensitivity for p in curve]
            dashes = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))[index // len(OTHERS) % 3]
            axes.plot(x, y, color=OTHERS[index % len(OTHERS)], linestyle=dashes, linewidth=1.6, label=name)
        figure.legend(loc="outside right center", handlelength=1.6)

    return drawn(paint, width=7.6, height=_HEIGHT)


def calibration_plot(bins: Sequence[Bin]) -> str:
    """Each bin's share of positives with its interval; the area of a dot is its number of patients."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        share_axes(axes, "mean predicted probability", "observed share of PIMA")
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), label="ideal")
        known = [(each, each.observed) for each in bins if isinstance(each.observed, Estimate)]
        x = [each.predicted for each, _ in known]
        y = [share.value for _, share in known]
        axes.plot(x, y, color=POSITIVE, linewidth=1.2)
        axes.vlines(x, [s.low for _, s in known], [s.high for _, s in known], color=POSITIVE, linewidth=1.4)
        axes.scatter(
            x, y, s=_areas([each.patients for each, _ in known]), color=POSITIVE, edgecolor="white",
            label="bin, 95 % interval", zorder=4,
        )  # fmt: skip
        axes.legend(loc="upper left", handlelength=1.6)

    return drawn(paint, width=_WIDTH, height=_HEIGHT)


def decision_plot(curve: Sequence[NetBenefit]) -> str:
    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        x = [point.threshold for point in curve]
        axes.plot(x, [point.treat_all for point in curve], color=SOFT, linewidth=1.2, label="act on all")
        axes.axhline(0, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), label="act on none")
        axes.plot(x, [point.model for point in curve], color=POSITIVE, label="act on the model")
        highest = max(max(point.model, point.treat_all, 0.05) for point in curve)
        axes.set(
            xlim=(0, 1), ylim=(-0.25 * highest, 1.12 * highest), xlabel="threshold probability",
            ylabel="net benefit per patient",
        )  # fmt: skip
        axes.grid(color=LINE, linewidth=0.6)
        _legend_above(axes)

    return drawn(paint, width=_WIDTH, height=_HEIGHT)


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handlelength=1.4, columnspacing=1.2)


def _colours(curves: int) -> list[str]:
    return [POSITIVE, *(OTHERS[:curves])]


def _widths() -> list[float]:
    return [2.0, *([1.2] * len(OTHERS))]


def _areas(patients: Sequence[int]) -> list[float]:
    return (40 * np.array(patients) / max(patients, default=1) + 14).tolist()
