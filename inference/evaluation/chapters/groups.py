"""The figures of each group of patients (TRIPOD+AI item 23a)."""

from inference.evaluation.chapters.printed import Cell, area, estimate
from inference.evaluation.chapters.tables import table
from inference.evaluation.figures.forest import forest
from inference.evaluation.results import Results
from inference.evaluation.section import Figure, Section
from inference.evaluation.summary import Summary


def subgroups(results: Results) -> Section:
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
    caption = "Subgroups (PIMA / IPN); dashed: all patients"
    figures = (Figure(caption, forest(results.performance, known)),) if known else ()
    shown = table("Value (95 % interval)", columns, rows, notes)
    return Section("Subgroups", tuple(said), (shown,), figures)


def _subgroup(name: str, found: Summary) -> tuple[Cell, ...]:
    counts = found.counts
    shares = (found.sensitivity, found.specificity, found.accuracy)
    values = (estimate(each, 2) for each in shares)
    return (name, str(counts.positive), str(counts.negative), area(found.auc, 2), *values)
