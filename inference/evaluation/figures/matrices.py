"""Confusion matrices: truth in rows, reading in columns."""

from collections.abc import Mapping
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from inference.evaluation.by_class import NEGATIVE as IPN
from inference.evaluation.by_class import POSITIVE as PIMA
from inference.evaluation.counts import Counts
from inference.evaluation.figures.drawing import INK, NEGATIVE, POSITIVE, SOFT, drawn


def confusion_matrices(matrices: Mapping[str, Counts], *, columns: int = 3) -> str:
    """By title, in rows of `columns`; a cell is as dark as its share of the true class."""
    across = min(columns, len(matrices))
    down = ceil(len(matrices) / across)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(down, across, squeeze=False).ravel()
        for axes, (title, counts) in zip(grid, matrices.items(), strict=False):
            _matrix(axes, title, counts)
        for axes in grid[len(matrices) :]:
            axes.set_axis_off()

    return drawn(paint, width=2.33 * across, height=2.4 * down)


def _matrix(axes: Axes, title: str, counts: Counts) -> None:
    rows = (
        (counts.true_positive, counts.false_negative, counts.positive, POSITIVE),
        (counts.false_positive, counts.true_negative, counts.negative, NEGATIVE),
    )
    for row, (*cells, total, colour) in enumerate(rows):
        for column, cell in enumerate(cells):
            share = cell / total if total else 0.0
            _cell(axes, (column, row), cell, f"{100 * share:.1f} %" if total else "", share, colour)
    axes.set(xlim=(0, 2), ylim=(2, 0), aspect="equal")
    axes.set_xticks([0.5, 1.5], [f"reads {PIMA}", f"reads {IPN}"])
    axes.set_yticks([0.5, 1.5], [PIMA, IPN])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)


def _cell(axes: Axes, corner: tuple[int, int], count: int, share: str, depth: float, colour: str) -> None:
    x, y = corner
    dark = depth > 0.6
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, alpha=0.06 + 0.84 * depth, edgecolor="white"))
    axes.text(
        x + 0.5, y + 0.44, str(count), ha="center", va="center", fontsize=15, color="white" if dark else INK
    )
    axes.text(x + 0.5, y + 0.72, share, ha="center", va="center", fontsize=9, color="white" if dark else SOFT)
