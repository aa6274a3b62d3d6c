"""What a report says and draws of the agreement of two models."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from inference.evaluation.agreement import Agreement, Differences, McNemar, Pair, agreement
from inference.evaluation.chapters.printed import interval
from inference.evaluation.estimate import Estimate, NotComputable
from inference.evaluation.figures.drawing import INK, LINE, NEGATIVE, POSITIVE, SOFT, drawn, share_axes
from inference.evaluation.section import Figure, Section, Table

_MARKS = {True: ("^", POSITIVE), False: ("o", NEGATIVE), None: ("x", INK)}  # by the truth
_DRAWN = (
    "Probabilities of both models, and their differences with the limits of agreement; triangles are PIMA, circles "
    "IPN, crosses studies whose truth is not known"
)


def agreement_section(
    pairs: Sequence[Pair], names: tuple[str, str], *, first_threshold: float, second_threshold: float
) -> Section:
    """`names`: of the two models, the one that the report is about first."""
    found = agreement(pairs, first_threshold=first_threshold, second_threshold=second_threshold)
    return Section(
        f"Agreement with {names[1]}",
        paragraphs=(_introduction(found.studies, first_threshold, second_threshold),),
        tables=(_readings(found, names), Table("Agreement", ("figure", "value"), tuple(_rows(found, names)))),
        figures=(Figure(_DRAWN, agreement_figure(pairs)),) if pairs else (),
    )


def _introduction(studies: int, first_threshold: float, second_threshold: float) -> str:
    return (
        f"{studies} studies of the period that both models have scored, whether their truth is known or not and whatever "
        "the subgroup of this report. Results of two analyses may be of other slices, where marks came in between; a "
        f"candidate's are of the very same. Each model reads PIMA by its own threshold ({first_threshold:g} and {second_threshold:g}). Agreement says nothing of which of the "
        "two is right. Intervals are of 95 %."
    )


def _readings(found: Agreement, names: tuple[str, str]) -> Table:
    counts = found.readings
    return Table(
        "Readings, studies",
        ("", f"{names[1]}: PIMA", f"{names[1]}: IPN"),
        (
            (f"{names[0]}: PIMA", str(counts.both_positive), str(counts.first_positive)),
            (f"{names[0]}: IPN", str(counts.second_positive), str(counts.both_negative)),
        ),
    )


def _rows(found: Agreement, names: tuple[str, str]) -> Iterator[tuple[str, str]]:
    yield "read alike", _said(found.same)
    yield "Cohen's kappa of the readings", _said(found.kappa)
    yield f"mean difference of the probabilities, {names[0]} minus {names[1]}", _mean(found.differences)
    yield "limits of agreement (Bland and Altman)", _limits(found.differences)
    yield "Pearson's correlation", _said(found.pearson)
    yield "Spearman's rank correlation", _said(found.spearman)
    yield "Lin's concordance correlation", _said(found.concordance)
    yield "McNemar's exact test where the truth is known", _test(found.mcnemar)


def _said(figure: Estimate | float | NotComputable) -> str:
    match figure:
        case NotComputable():
            return f"not computable: {figure.reason}"
        case Estimate():
            return f"{figure.value:.3f} {interval(figure)}"
        case _:
            return f"{figure:.3f}"


def _mean(found: Differences | NotComputable) -> str:
    return _said(found if isinstance(found, NotComputable) else found.mean)


def _limits(found: Differences | NotComputable) -> str:
    return _said(found) if isinstance(found, NotComputable) else f"{found.low:.3f} to {found.high:.3f}"


def _test(found: McNemar | NotComputable) -> str:
    if isinstance(found, NotComputable):
        return _said(found)
    return (
        f"p = {found.p:.3g}: of {found.studies} studies the first alone is right on {found.first_right}, "
        f"the second alone on {found.second_right}"
    )


def agreement_figure(pairs: Sequence[Pair]) -> str:
    """One probability against the other, and their difference against their mean."""
    found = agreement(pairs, first_threshold=0.5, second_threshold=0.5).differences

    def paint(figure: Drawing) -> None:
        left, right = figure.subplots(1, 2)
        share_axes(left, "probability of the first", "probability of the second")
        left.plot([0, 1], [0, 1], color=SOFT, linewidth=0.8)
        _draw_differences(right, found)
        for pair in pairs:
            marker, colour = _MARKS[pair.positive]
            for axes, x, y in (
                (left, pair.first, pair.second),
                (right, (pair.first + pair.second) / 2, pair.first - pair.second),
            ):
                axes.plot(x, y, marker=marker, color=colour, markersize=3.5, alpha=0.8)

    return drawn(paint, width=8.4, height=4.2)


def _draw_differences(axes: Axes, found: Differences | NotComputable) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-1.05, 1.05), xlabel="mean of the two", ylabel="first minus second")
    axes.grid(color=LINE, linewidth=0.6)
    if isinstance(found, Differences):
        axes.axhline(found.mean.value, color=INK, linewidth=1.2)
        for limit in (found.low, found.high):
            axes.axhline(limit, color=SOFT, linewidth=1.0, linestyle=(0, (4, 3)))
