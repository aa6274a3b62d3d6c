"""How the model performs (TRIPOD+AI item 23)."""

from inference.evaluation.calibration import Bin
from inference.evaluation.chapters.printed import Cell, area, estimate, matrix_in_words
from inference.evaluation.chapters.tables import table
from inference.evaluation.counts import Counts
from inference.evaluation.discrimination import RESAMPLES
from inference.evaluation.estimate import NotComputable
from inference.evaluation.figures.curves import calibration_plot, decision_plot, roc_curve
from inference.evaluation.figures.distribution import score_distribution
from inference.evaluation.figures.forest import forest
from inference.evaluation.figures.matrices import confusion_matrices
from inference.evaluation.results import Results, scored
from inference.evaluation.roc import RocPoint
from inference.evaluation.section import Figure, Section, Table
from inference.evaluation.source import Source
from inference.evaluation.subject import probabilities_of, truth_of
from inference.evaluation.summary import Summary

_SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the decision curve, in the table


def performance(source: Source, results: Results) -> tuple[Section, ...]:
    return (
        _discrimination(source, results),
        _matrices(source, results),
        _subgroups(results),
        _calibration(results),
        _decision(results),
    )


def _discrimination(source: Source, results: Results) -> Section:
    subjects = scored(source.subjects)
    figures = []
    if not isinstance(results.roc, NotComputable):
        operating = _operating(results.performance.counts, source.threshold)
        others = {
            each.name: each.roc for each in results.baselines if not isinstance(each.roc, NotComputable)
        }
        curve = roc_curve(results.roc, operating=operating, others=others)
        figures.append(Figure("ROC curve of the patients' probabilities", curve))
    if subjects:
        histogram = score_distribution(truth_of(subjects), probabilities_of(subjects), source.threshold)
        figures.append(Figure("Probabilities by class; dashed: the threshold", histogram))
    return Section("Performance", (), (_figures(results.performance),), tuple(figures))


def _operating(counts: Counts, threshold: float) -> RocPoint:
    return RocPoint(
        threshold, counts.false_positive / counts.negative, counts.true_positive / counts.positive
    )


def _figures(found: Summary) -> Table:
    counts = found.counts
    called, cleared = (
        counts.true_positive + counts.false_positive,
        counts.true_negative + counts.false_negative,
    )
    right = counts.true_positive + counts.true_negative
    delong: Cell = found.delong if isinstance(found.delong, NotComputable) else estimate(found.delong.auc)
    resampled = f"bootstrap, {RESAMPLES:,} resamples"
    rows: list[tuple[Cell, ...]] = [
        ("AUC", "", area(found.auc), resampled),
        ("AUC", "", delong, "DeLong"),
        ("accuracy", f"{right} of {counts.patients}", estimate(found.accuracy), "Wilson"),
        (
            "sensitivity",
            f"{counts.true_positive} of {counts.positive}",
            estimate(found.sensitivity),
            "Wilson",
        ),
        (
            "specificity",
            f"{counts.true_negative} of {counts.negative}",
            estimate(found.specificity),
            "Wilson",
        ),
        (
            "positive predictive value",
            f"{counts.true_positive} of {called}",
            estimate(found.positive_predictive_value),
            "Wilson",
        ),
        (
            "negative predictive value",
            f"{counts.true_negative} of {cleared}",
            estimate(found.negative_predictive_value),
            "Wilson",
        ),
        ("F1", "", estimate(found.f1), resampled),
        ("Brier score", "", estimate(found.brier), resampled),
    ]
    return table(
        f"Of {counts.patients} patients: {counts.positive} PIMA, {counts.negative} IPN",
        ("", "patients", "value (95 % interval)", "interval"),
        rows,
    )


def _matrices(source: Source, results: Results) -> Section:
    patients, slices = results.performance.counts, results.slices.counts
    without = results.slices.patients_without
    said = [f"At the threshold of {source.threshold:.3g}, of patients {matrix_in_words(patients)}."]
    if slices.patients:
        said.append(
            f"Of {slices.patients} slices, each with its patient's label, {matrix_in_words(slices)}. Slices of "
            "one patient depend on each other, so that no intervals are given."
        )
    if without:
        said.append(f"Of {without} patients the slices' probabilities are not known.")
    matrices = {
        f"{each.patients} {name}": each for name, each in (("patients", patients), ("slices", slices))
    }
    shown = {title: each for title, each in matrices.items() if each.patients}
    figures = (
        (Figure("Rows are the truth; shares are of each row", confusion_matrices(shown)),) if shown else ()
    )
    return Section("Confusion matrices", tuple(said), (), figures)


def _subgroups(results: Results) -> Section:
    known = [grouping for grouping in results.subgroups if grouping.groups]
    unknown = [grouping.aspect for grouping in results.subgroups if not grouping.groups]
    rows = [_subgroup("all patients", results.performance)]
    notes = []
    for grouping in known:
        rows.append((grouping.aspect, *[""] * 6))
        rows += [_subgroup(f"\u2003{each.name}", each.summary) for each in grouping.groups]
        if grouping.unknown:
            notes.append(f"{grouping.aspect}: of {grouping.unknown} patients not known.")
    said = [f"Not known of any patient: {', '.join(unknown)}."] if unknown else []
    columns = ("", "PIMA", "IPN", "AUC", "sensitivity", "specificity", "accuracy")
    figures = (
        (Figure("Subgroups (PIMA / IPN); dashed: all patients", forest(results.performance, known)),)
        if known
        else ()
    )
    subgroups = table("Value (95 % interval)", columns, rows, notes)
    return Section("Subgroups", tuple(said), (subgroups,), figures)


def _subgroup(name: str, found: Summary) -> tuple[Cell, ...]:
    counts = found.counts
    shares = (found.sensitivity, found.specificity, found.accuracy)
    values = (estimate(each, 2) for each in shares)
    auc: Cell = found.auc if isinstance(found.auc, NotComputable) else estimate(found.auc.auc, 2)
    return (name, str(counts.positive), str(counts.negative), auc, *values)


def _calibration(results: Results) -> Section:
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


def _decision(results: Results) -> Section:
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
        "where one acts on the model, on all patients, on none."
    )
    plot = Figure("Net benefit by threshold probability", decision_plot(curve))
    return Section("Decision curve", (said,), (table("Net benefit", columns, rows),), (plot,))
