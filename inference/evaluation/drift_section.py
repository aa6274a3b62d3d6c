"""What a report says and draws of drift."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from inference.evaluation.cohort import Quartiles
from inference.evaluation.drift import SMALLEST, Drift, Reading, Shift, by_month, by_scanner
from inference.evaluation.estimate import Estimate, NotComputable
from inference.evaluation.estimate import Figure as Statistic
from inference.evaluation.figures.drawing import INK, LINE, SOFT, drawn
from inference.evaluation.section import Figure, Section, Table

_WHOSE = (
    "All studies of the period with a result of the model, however their slices were found and whether their truth "
    "is known or not. A shift may come from the patients, the scanner, the protocol, the marks or the software; these "
    "figures do not tell which, and say nothing of how right the model is."
)
_SHIFT = (
    "Shift is the two-sample Kolmogorov-Smirnov distance of the probabilities (0: the same distribution, 1: no "
    "overlap), of a month against the first month and of a scanner against all others together. Its p-value is of "
    f"one comparison and not corrected for their number; fewer than {SMALLEST} scores are not compared, small groups "
    "show only large shifts, and large groups show shifts that do not matter."
)
_DRAWN = "By month of acquisition: median probability and lung volume with their quartiles, shares with 95 % intervals"
_COLUMNS = (
    "studies", "probability, median (quartiles)", "read PIMA (95 % interval)", "no number given (95 % interval)",
    "lung volume in ml, median (quartiles)", "shift, p",
)  # fmt: skip


def drift_section(readings: Sequence[Reading], *, threshold: float) -> Section:
    months, scanners = (way(readings, threshold=threshold) for way in (by_month, by_scanner))
    return Section(
        "Drift",
        paragraphs=(_WHOSE, _SHIFT),
        tables=(
            _table("By month of acquisition", "month", months),
            _table("By scanner", "scanner", scanners),
        ),
        figures=(Figure(_DRAWN, _figure(months)),) if months else (),
    )


def _table(caption: str, first: str, groups: Sequence[Drift]) -> Table:
    return Table(caption, (first, *_COLUMNS), tuple(_row(group) for group in groups))


def _row(group: Drift) -> tuple[str, ...]:
    return (
        group.name,
        str(group.studies),
        _spread(group.probability, 3),
        _share(group.positive),
        _share(group.abstained),
        _spread(group.lung_volume_ml, 0),
        _shift(group.shift),
    )


def _spread(found: Quartiles | NotComputable, digits: int) -> str:
    if isinstance(found, NotComputable):
        return found.reason
    return f"{found.median:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def _share(found: Statistic) -> str:
    if isinstance(found, NotComputable):
        return found.reason
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def _shift(found: Shift | NotComputable) -> str:
    if isinstance(found, NotComputable):
        return found.reason
    return f"{found.distance:.2f}, {'< 0.001' if found.p < 0.001 else f'{found.p:.3f}'}"


def _figure(months: Sequence[Drift]) -> str:
    def paint(figure: Drawing) -> None:
        top, middle, low, bottom = figure.subplots(4, 1, sharex=True)
        _draw_quartiles(top, [month.probability for month in months], "probability", (0.0, 1.0))
        _draw_shares(middle, [month.positive for month in months], "read PIMA")
        _draw_shares(low, [month.abstained for month in months], "no number")
        _draw_quartiles(bottom, [month.lung_volume_ml for month in months], "lungs in ml", None)
        names = [month.name for month in months]
        bottom.set_xticks(range(len(names)), names, rotation=45 if len(names) > 6 else 0)

    return drawn(paint, width=7.2, height=7.0)


def _draw_quartiles(
    axes: Axes, found: Sequence[Quartiles | NotComputable], name: str, limits: tuple[float, float] | None
) -> None:
    known = [(at, q.low, q.median, q.high) for at, q in enumerate(found) if isinstance(q, Quartiles)]
    _draw(axes, known, name, limits)


def _draw_shares(axes: Axes, found: Sequence[Statistic], name: str) -> None:
    known = [(at, e.low, e.value, e.high) for at, e in enumerate(found) if isinstance(e, Estimate)]
    _draw(axes, known, name, (0.0, 1.0))


def _draw(
    axes: Axes,
    known: Sequence[tuple[int, float, float, float]],
    name: str,
    limits: tuple[float, float] | None,
) -> None:
    """A dot with its bar at each place."""
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_ylabel(name)
    for at, low, value, high in known:
        axes.plot([at, at], [low, high], color=SOFT, linewidth=2.4, solid_capstyle="butt")
        axes.plot(at, value, marker="o", color=INK, markersize=4.5)
    if limits is not None:
        axes.set_ylim(limits[0] - 0.03, limits[1] + 0.03)
    else:
        axes.set_ylim(bottom=0)
