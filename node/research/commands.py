"""What researchers add to the command `sedas-node`."""

import typer

from node.research import bundle, cohort, dataset, truth
from node.research.ablation import ablation
from node.research.cohort_folder import CannotDraw, OtherCohort
from node.research.course import CannotTrain
from node.research.evaluate import CannotEvaluate, evaluate
from node.research.selection import CannotValidate
from node.research.subgroup import BadSubgroup
from node.research.train import train
from node.research.truth import BadTruthTable
from node.research.validate import validate

COMPLAINTS = (
    BadSubgroup, BadTruthTable, bundle.CannotImport, CannotDraw, CannotEvaluate, CannotTrain, CannotValidate,
    dataset.DatasetRefused, OtherCohort,
)  # fmt: skip
"""What a person can mend."""


def add_to(cli: typer.Typer) -> None:
    cli.add_typer(cohort.commands, name="cohort")
    cli.add_typer(dataset.commands, name="dataset")
    cli.command()(train)
    cli.add_typer(bundle.cli, name="bundle")
    cli.command()(evaluate)
    cli.command()(ablation)
    cli.add_typer(truth.cli, name="truth")
    cli.command()(validate)
