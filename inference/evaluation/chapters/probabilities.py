"""Whether the probabilities are what they promise, and what acting on them is worth (TRIPOD+AI item 23a)."""

from inference.evaluation.calibration import Bin
from inference.evaluation.chapters.printed import Cell, estimate
from inference.evaluation.chapters.tables import table
from inference.evaluation.estimate import NotComputable
from inference.evaluation.figures.curves import calibration_plot, decision_plot
from inference.evaluation.results import Results
from inference.evaluation.section import Figure, Section, Table

_SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the decision curve, in the table


def calibration(results: Results) -> Section:
    if isinstance(results.calibration, NotComputable):
        return Section("Calibration", (f"Not computable: {results.calibration.reason}.",))
    tables = (_recalibration(results), _bins(results.calibration))
    plot = Figure(
        "Calibration in quantile bins; the larger a dot, the more patients",
        calibration_plot(results.calibration),
    )
    return Section("Calibration", (), tables, (plot,))


def _recalibration(results: Results) -> Table:
    found = results.recalibration
    certain = 0 if isinstance(found, NotComputable) else found.certain
    rows: list[tuple[Cell, ...]] = [
        ("slope", found if isinstance(found, NotComputable) else estimate(found.slope), "1"),
        ("intercept", found if isinstance(found, NotComputable) else estimate(found.intercept), "0"),
        ("Brier score", estimate(results.performance.brier), "0"),
    ]
    notes = (f"{certain} probabilities within 1e-6 of 0 or 1 count as 1e-6 from it.",) if certain else ()
    return table("Recalibration", ("", "value (95 % interval)", "ideal"), rows, notes)


def _bins(bins: tuple[Bin, ...]) -> Table:
    rows = (
        (
            f"{each.low:.3f} to {each.high:.3f}",
            str(each.patients),
            f"{each.predicted:.3f}",
            estimate(each.observed),
        )
        for each in bins
    )
    return table(
        "Quantile bins", ("probabilities", "patients", "mean predicted", "observed (95 % interval)"), rows
    )


def decision(results: Results) -> Section:
    curve = results.decision
    if isinstance(curve, NotComputable):
        return Section("Decision curve", (f"Not computable: {curve.reason}.",))
    rows = (
        (f"{point.threshold:.1f}", f"{point.model:.3f}", f"{point.treat_all:.3f}", "0.000")
        for point in curve
        if point.threshold in _SHOWN
    )
    columns = ("threshold", "by the model", "all", "none")
    said = (
        "Net benefit: true positives per patient, less the false positives at the odds of the threshold, "
        "where one acts on the model, on all patients, on none. It holds for the share of PIMA in these data, and for "
        "probabilities that are calibrated."
    )
    plot = Figure("Net benefit of acting on all patients, on none, and by the model", decision_plot(curve))
    return Section("Decision curve", (said,), (table("Net benefit", columns, rows),), (plot,))
