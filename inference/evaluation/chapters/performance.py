"""How the model performs (TRIPOD+AI item 23)."""

from inference.evaluation.chapters.groups import subgroups
from inference.evaluation.chapters.printed import Cell, area, estimate, matrix_in_words
from inference.evaluation.chapters.probabilities import calibration, decision
from inference.evaluation.chapters.tables import table
from inference.evaluation.counts import Counts
from inference.evaluation.discrimination import RESAMPLES
from inference.evaluation.estimate import Figure as Statistic
from inference.evaluation.estimate import NotComputable
from inference.evaluation.figures.curves import roc_curve
from inference.evaluation.figures.distribution import score_distribution
from inference.evaluation.figures.matrices import confusion_matrices
from inference.evaluation.results import Results, scored
from inference.evaluation.roc import RocPoint
from inference.evaluation.section import Figure, Section, Table
from inference.evaluation.source import Source
from inference.evaluation.subject import probabilities_of, truth_of
from inference.evaluation.summary import Summary


def performance(source: Source, results: Results) -> tuple[Section, ...]:
    return (
        _discrimination(source, results),
        _matrices(source, results),
        subgroups(results),
        calibration(results),
        decision(results),
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
    right, wrong = counts.true_positive, counts.false_negative  # of the positives
    cleared, alarmed = counts.true_negative, counts.false_positive  # of the negatives
    delong: Cell = found.delong if isinstance(found.delong, NotComputable) else estimate(found.delong.auc)
    resampled = f"bootstrap, {RESAMPLES:,} resamples"
    rows = [
        ("AUC", "", area(found.auc), resampled),
        ("AUC", "", delong, "DeLong"),
        _share("accuracy", right + cleared, counts.patients, found.accuracy),
        _share("sensitivity", right, counts.positive, found.sensitivity),
        _share("specificity", cleared, counts.negative, found.specificity),
        _share("positive predictive value", right, right + alarmed, found.positive_predictive_value),
        _share("negative predictive value", cleared, cleared + wrong, found.negative_predictive_value),
        ("F1", "", estimate(found.f1), resampled),
        ("Brier score", "", estimate(found.brier), resampled),
    ]
    caption = f"Of {counts.patients} patients: {counts.positive} PIMA, {counts.negative} IPN"
    return table(caption, ("", "patients", "value (95 % interval)", "interval"), rows)


def _share(name: str, part: int, whole: int, share: Statistic) -> tuple[Cell, ...]:
    return name, f"{part} of {whole}", estimate(share), "Wilson"


def _matrices(source: Source, results: Results) -> Section:
    patients, slices = results.performance.counts, results.slices.counts
    without = results.slices.patients_without
    said = [f"At the threshold of {source.threshold:.3g}, of patients {matrix_in_words(patients)}."]
    if slices.patients:
        said.append(
            f"Of {slices.patients} slices, each with its patient's label, {matrix_in_words(slices)}. Slices of "
            "one patient depend on each other, so that no intervals are given; each is recalibrated like the mean."
        )
    if without:
        said.append(
            f"Of {without} patients the slices' probabilities are not known on the threshold's scale."
        )
    matrices = {
        f"{each.patients} {name}": each for name, each in (("patients", patients), ("slices", slices))
    }
    shown = {title: each for title, each in matrices.items() if each.patients}
    figures = (
        (Figure("Rows are the truth; shares are of each row", confusion_matrices(shown)),) if shown else ()
    )
    return Section("Confusion matrices", tuple(said), (), figures)
