"""`sedas-node ablation`: the eight configurations of the paper's Table 2, and their report."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from node.research.course import Course


def ablation(
    recipe: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A recipe as for train; it says nothing of attention.")
    ],
) -> None:
    """Train the eight configurations of the paper's Table 2 and compare them; the same command goes on after a stop."""
    from inference.training.ablation import ablate
    from inference.training.ablation_report import write_ablation
    from inference.training.recipe import read_recipe

    console = Console(highlight=False, soft_wrap=True)
    course = Course(console)
    with course.shown(again=f"sedas-node ablation {recipe}"):
        chosen = read_recipe(recipe)
        models = ablate(chosen, lambda each: course.watch(chosen.optimiser.epochs, f"{each.name}: "))
        report = write_ablation(models, chosen)
    console.print(f"the table, its figures and a report: {report}")
