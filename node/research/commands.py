"""What researchers add to the command `sedas-node`."""

import typer

from node.research import bundle, cohort, dataset
from node.research.ablation import ablation
from node.research.cohort_folder import OtherCohort
from node.research.course import CannotTrain
from node.research.evaluate import CannotEvaluate, evaluate
from node.research.train import train

COMPLAINTS = (bundle.CannotImport, CannotEvaluate, CannotTrain, dataset.DatasetRefused, OtherCohort)
"""What a person can mend."""


def add_to(cli: typer.Typer) -> None:
    cli.add_typer(cohort.commands, name="cohort")
    cli.add_typer(dataset.commands, name="dataset")
    cli.command()(train)
    cli.add_typer(bundle.cli, name="bundle")
    cli.command()(evaluate)
    cli.command()(ablation)
