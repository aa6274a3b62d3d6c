"""`sedas-node evaluate`: the report of a bundle on the patients of a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

from inference.bundle import Bundle, Preprocessing, load_bundle
from inference.dataset.table import Part

if TYPE_CHECKING:
    from inference.dataset.folder import Dataset
    from inference.evaluation.subject import Subject


class CannotEvaluate(ValueError):
    """A bundle and a dataset of which no report can be made, in words."""


def evaluate(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The folder of a model.")],
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A folder that dataset build made.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.json and figures/.")],
    split: Annotated[str | None, typer.Option(help="Its name, where the dataset has several.")] = None,
    part: Annotated[Part, typer.Option(help="Of the split.")] = Part.TEST,
    against: Annotated[
        list[Path] | None,
        typer.Option(metavar="BUNDLE", help="Another model to compare with; may be repeated."),
    ] = None,
) -> None:
    """Score the patients of a dataset with a bundle and write the report: JSON, figures and one HTML page."""
    from inference.dataset.folder import BadDataset, open_dataset
    from inference.dataset.leaks import check
    from inference.evaluation.report import write_report
    from inference.training.report_source import cases_of, source_of

    console = Console(highlight=False, soft_wrap=True)
    models = [load_bundle(folder) for folder in (bundle, *(against or ()))]
    try:
        patients = open_dataset(dataset)
        check(patients.manifest)
        chosen = patients.split(split)
        for model in models:
            _check_prepared_for(model, patients.manifest.preprocessing)
        cases = cases_of(chosen, part)
        patients.verify(cases)
        scores = [_scored(model, patients, cases, console) for model in models]
    except BadDataset as error:
        raise CannotEvaluate(str(error)) from error
    rivals = {_name(model): (model, theirs) for model, theirs in zip(models[1:], scores[1:], strict=True)}
    source = source_of(
        models[0], patients, chosen, part, scores[0], title=f"Evaluation of {_name(models[0])}", rivals=rivals
    )
    write_report(source, out)
    console.print(f"{len(cases)} patients: {out / 'report.html'}")


def _check_prepared_for(model: Bundle, prepared: Preprocessing) -> None:
    """What lies outside the lungs is the model's own choice: a dataset keeps it."""
    if model.preprocessing != prepared.model_copy(
        update={"outside_lungs": model.preprocessing.outside_lungs}
    ):
        raise CannotEvaluate(
            f"{_name(model)} takes: {model.preprocessing.statement} The dataset holds: {prepared.statement}"
        )


def _scored(
    model: Bundle, dataset: "Dataset", cases: tuple[str, ...], console: Console
) -> tuple["Subject", ...]:
    from inference.classifier import Classifier
    from inference.training.scoring import scores

    each = scores(dataset, cases, Classifier(model))
    return tuple(track(each, _name(model), total=len(cases), console=console, transient=True))


def _name(model: Bundle) -> str:
    return f"{model.card.name} {model.card.version} ({model.digest[:12]})"
