"""The figures of every subgroup under one another, against those of all patients."""

from collections.abc import Callable, Sequence
from itertools import chain

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inference.evaluation.estimate import Estimate, NotComputable
from inference.evaluation.estimate import Figure as Statistic
from inference.evaluation.figures.drawing import INK, LINE, POSITIVE, SOFT, drawn
from inference.evaluation.subgroups import Grouping
from inference.evaluation.summary import Summary

_ROW = 0.27  # inches
_LONGEST = 30  # characters of a group's name


def forest(overall: Summary, groupings: Sequence[Grouping]) -> str:
    """AUC, sensitivity and specificity with intervals; a dash where one cannot be computed."""
    known = [each for each in groupings if each.groups]
    lines: list[tuple[str, Summary | None]] = [("all patients", overall)]
    lines += chain.from_iterable(_lines(each) for each in known)

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, 3, sharey=True)
        for axes, (name, statistic) in zip(panels, _STATISTICS, strict=True):
            _panel(axes, name, statistic, [summary for _, summary in lines], statistic(overall))
        panels[0].set_yticks(range(len(lines)), [name for name, _ in lines])
        for label, (_, summary) in zip(panels[0].get_yticklabels(), lines, strict=True):
            label.set_fontweight("normal" if summary else "bold")
        panels[0].set_ylim(len(lines) - 0.4, -0.6)

    return drawn(paint, width=7.0, height=_ROW * len(lines) + 0.8)


def _lines(grouping: Grouping) -> list[tuple[str, Summary | None]]:
    named = [(f"{_short(each.name)}  ({_sizes(each.summary)})", each.summary) for each in grouping.groups]
    return [(grouping.aspect, None), *named]


def _short(name: str) -> str:
    """What fits beside the panels, and into XML."""
    shown = "".join(letter for letter in name if letter.isprintable())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _sizes(summary: Summary) -> str:
    return f"{summary.counts.positive} / {summary.counts.negative}"


def _panel(
    axes: Axes, name: str, statistic: Callable[[Summary], Statistic], rows: Sequence[Summary | None],
    overall: Statistic,
) -> None:  # fmt: skip
    axes.set_title(name)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 0.5, 1.0], ["0", "0.5", "1"])
    axes.grid(axis="x", color=LINE, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if isinstance(overall, Estimate):
        axes.axvline(overall.value, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
    for place, summary in enumerate(rows):
        if summary:
            _mark(axes, place, statistic(summary), first=place == 0)


def _mark(axes: Axes, place: int, value: Statistic, *, first: bool) -> None:
    if isinstance(value, NotComputable):
        axes.text(0.0, place, "not computable", color=SOFT, fontsize=9, va="center")
        return
    colour = INK if first else POSITIVE
    axes.plot([value.low, value.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot(value.value, place, "D" if first else "o", color=colour, markersize=6, markeredgecolor="white")


def _auc(summary: Summary) -> Statistic:
    return summary.auc if isinstance(summary.auc, NotComputable) else summary.auc.auc


_STATISTICS: tuple[tuple[str, Callable[[Summary], Statistic]], ...] = (
    ("AUC", _auc),
    ("sensitivity", lambda summary: summary.sensitivity),
    ("specificity", lambda summary: summary.specificity),
)
