"""The report of an evaluation: `report.json` with every number, `figures/*.svg`, and one page that needs nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from inference.evaluation.chapters.checklist import checklist
from inference.evaluation.chapters.comparisons import comparisons
from inference.evaluation.chapters.discussion import discussion, other_information, software
from inference.evaluation.chapters.introduction import abstract, introduction
from inference.evaluation.chapters.methods import methods
from inference.evaluation.chapters.participants import participants
from inference.evaluation.chapters.performance import performance
from inference.evaluation.chapters.printed import NO_INTERVAL_IN_WORDS, interval
from inference.evaluation.estimate import Figure, NotComputable
from inference.evaluation.files import write_files
from inference.evaluation.flow import Flow
from inference.evaluation.page import Head, KeyFigure, Part, html
from inference.evaluation.pictures import pictures
from inference.evaluation.plain import to_bytes
from inference.evaluation.results import Results, results_of
from inference.evaluation.section import Section
from inference.evaluation.source import Model, Source
from inference.evaluation.subject import Subject

PAGE, NUMBERS = "report.html", "report.json"


@dataclass(frozen=True)
class Report:
    folder: Path
    results: Results


def write_report(source: Source, folder: Path) -> Report:
    """Computes all before it writes anything; the page comes last. The same source gives the same bytes."""
    results = results_of(source)
    parts = _parts(source, results)
    contents = {
        **pictures(parts),
        NUMBERS: to_bytes(_record(source, results)),
        PAGE: html(_head(source, results), parts).encode(),
    }
    write_files(contents, folder)
    return Report(folder, results)


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What `report.json` holds."""

    title: str
    data: str
    model: Model
    threshold: float
    seed: int
    optimistic: str
    software: Mapping[str, str]
    flow: Flow | None
    results: Results
    further: tuple[Section, ...]  # without pictures
    subjects: tuple[Subject, ...]


def _record(source: Source, results: Results) -> _Record:
    return _Record(
        title=source.title,
        data=source.data,
        model=source.model,
        threshold=source.threshold,
        seed=source.seed,
        optimistic=source.optimistic,
        software=software(),
        flow=source.flow,
        results=results,
        further=tuple(replace(section, figures=()) for section in source.further),
        subjects=source.subjects,
    )


def _head(source: Source, results: Results) -> Head:
    found = results.performance
    auc = found.auc if isinstance(found.auc, NotComputable) else found.auc.auc
    shown = (("AUC", auc), ("sensitivity", found.sensitivity), ("specificity", found.specificity))
    counts, silent = found.counts, results.abstained.both
    classes = f"{counts.positive} PIMA, {counts.negative} IPN"
    without = f"; {silent} without a probability" if silent else ""
    patients = KeyFigure("patients scored", str(counts.patients), f"{classes}{without}")
    return Head(
        title=source.title,
        about=f"{source.model.name} {source.model.version}. {source.data}",
        cautions=tuple(filter(None, (source.optimistic, *source.model.statements))),
        key_figures=(patients, *(_key(name, figure) for name, figure in shown)),
    )


def _key(name: str, figure: Figure) -> KeyFigure:
    if isinstance(figure, NotComputable):
        return KeyFigure(name, "n/c", f"not computable: {figure.reason}")
    said = NO_INTERVAL_IN_WORDS if figure.low == figure.high else interval(figure)
    return KeyFigure(name, f"{figure.value:.3f}", said)


def _parts(source: Source, results: Results) -> tuple[Part, ...]:
    return (
        Part("Abstract", (abstract(source, results),)),
        Part("Introduction", introduction(source)),
        Part("Methods", methods(source)),
        Part(
            "Results",
            (
                *participants(source, results),
                *performance(source, results),
                comparisons(results),
                *source.further,
            ),
        ),
        Part("Discussion", discussion(source, results)),
        Part("Other information", (other_information(source), checklist(source))),
    )
