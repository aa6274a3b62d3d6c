"""The table, curves and matrices of an ablation (paper, Table 2), each model beside the row published of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from inference.evaluation.chapters.printed import Cell, area, estimate, interval, p_value
from inference.evaluation.chapters.tables import table
from inference.evaluation.contenders import THRESHOLD, Contender, contenders
from inference.evaluation.estimate import Estimate, NotComputable
from inference.evaluation.figures.curves import roc_comparison
from inference.evaluation.figures.matrices import confusion_matrices
from inference.evaluation.files import write_files
from inference.evaluation.page import Head, Part, html
from inference.evaluation.pictures import pictures
from inference.evaluation.plain import to_bytes
from inference.evaluation.published import NEGATIVES, POSITIVES, Published
from inference.evaluation.section import Figure, Section, Table
from inference.evaluation.subject import Subject

PAGE, NUMBERS = "comparison.html", "comparison.json"
_RATES = ("accuracy", "sensitivity", "specificity", "F1")


def comparison_table(
    models: Mapping[str, tuple[Subject, ...]],
    published: Mapping[str, Published] | None = None,
    *,
    reference: str,
    thresholds: Mapping[str, float] | None = None,
    seed: int = 0,
) -> tuple[Section, ...]:
    """`published` and `thresholds` (0.5 where there is none) by the models' names; p is of `reference` against each."""
    found = contenders(
        models, reference=reference, thresholds=thresholds or {}, published=published or {}, seed=seed
    )
    return comparison_sections(found, reference)


def comparison_sections(found: tuple[Contender, ...], reference: str) -> tuple[Section, ...]:
    curves = {
        f"{each.name}  {_value(each)}": each.roc for each in found if not isinstance(each.roc, NotComputable)
    }
    matrices = {each.name: each.summary.counts for each in found if each.summary.counts.patients}
    return (
        Section("Models compared", (), (_ours(found, reference), _rates(found))),
        *_beside(found),
        Section(
            "ROC curves of all models",
            figures=(Figure("Patients' probabilities; AUC", roc_comparison(curves)),) if curves else (),
        ),
        Section(
            "Confusion matrices of all models",
            figures=(Figure("Patients; rows are the truth", confusion_matrices(matrices)),)
            if matrices
            else (),
        ),
    )


def write_comparison(
    head: Head, found: tuple[Contender, ...], reference: str, folder: Path, further: tuple[Section, ...] = ()
) -> None:
    """`comparison.json`, `figures/*.svg` and a page that needs nothing else."""
    parts = (Part("Comparison of models", (*comparison_sections(found, reference), *further)),)
    contents = {
        **pictures(parts),
        NUMBERS: to_bytes({"title": head.title, "reference": reference, "models": found}),
        PAGE: html(head, parts).encode(),
    }
    write_files(contents, folder)


def _ours(found: tuple[Contender, ...], reference: str) -> Table:
    columns = ("", "PIMA", "IPN", "AUC (95 % interval)", "TP", "TN", *_RATES, "p")
    abstained = ", ".join(f"{each.name} {each.abstained}" for each in found if each.abstained)
    notes = [f"p by DeLong's paired test against {reference}, on the patients that both have scored."]
    thresholds = ", ".join(f"{each.name} {each.threshold:.3g}" for each in found)
    notes.append(f"Read at each model's own threshold: {thresholds}. The paper reads at {THRESHOLD:g}.")
    if abstained:
        notes.append(f"Patients without a probability: {abstained}.")
    return table("On these patients", columns, [_row(each) for each in found], notes)


def _row(found: Contender) -> tuple[Cell, ...]:
    counts = found.summary.counts
    sizes = (counts.positive, counts.negative)
    right = (counts.true_positive, counts.true_negative)
    return (
        found.name,
        *map(str, sizes),
        area(found.summary.auc),
        *map(str, right),
        *(each if isinstance(each, NotComputable) else f"{each.value:.3f}" for each in _figures(found)),
        _p(found),
    )


def _rates(found: tuple[Contender, ...]) -> Table:
    rows = ((each.name, *(estimate(rate) for rate in _figures(each))) for each in found)
    return table("Rates with 95 % intervals: Wilson's, of F1 by bootstrap", ("", *_RATES), rows)


def _beside(found: tuple[Contender, ...]) -> Iterator[Section]:
    if any(each.published for each in found):
        columns = ("", "AUC (95 % interval)", "TP", "TN", *_RATES)
        rows = [row for each in found if each.published for row in _pair(each, each.published)]
        said = (
            f"The paper's rows are of its own validation set ({POSITIVES} PIMA, {NEGATIVES} IPN), ours of other "
            "patients: they may be compared in their order, not in their digits."
        )
        yield Section("Beside the published table", (said,), (table("Paper, Table 2", columns, rows),))


def _pair(found: Contender, published: Published) -> Iterator[tuple[Cell, ...]]:
    name, _, _, auc, *rest, _ = _row(found)
    rates = (published.accuracy, published.sensitivity, published.specificity, published.f1)
    yield name, auc, *rest
    yield (
        f"\u2003published: {published.name}",
        f"{published.auc.value:.3f} {interval(published.auc)}",
        str(published.true_positive),
        str(published.true_negative),
        *(f"{rate:.3f}" for rate in rates),
    )


def _figures(found: Contender) -> tuple[Estimate | NotComputable, ...]:
    summary = found.summary
    return (summary.accuracy, summary.sensitivity, summary.specificity, summary.f1)


def _p(found: Contender) -> Cell:
    if found.against_reference is None:
        return ""
    test = found.against_reference.model_against
    return test if isinstance(test, NotComputable) else p_value(test.p)


def _value(found: Contender) -> str:
    auc = found.summary.auc
    return "" if isinstance(auc, NotComputable) else f"{auc.auc.value:.3f}"
