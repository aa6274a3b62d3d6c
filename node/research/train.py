"""`sedas-node train`: from a dataset and a recipe to a bundle."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from node.research.course import Course


def train(
    recipe: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file: docs/training.md.")],
) -> None:
    """Train a classifier on a dataset; the same command goes on after a stop or a kill."""
    from inference.training.recipe import read_recipe
    from inference.training.train import train as run

    console = Console(highlight=False, soft_wrap=True)
    course = Course(console)
    with course.shown(again=f"sedas-node train {recipe}"):
        chosen = read_recipe(recipe)
        outcome = run(chosen, course.watch(chosen.optimiser.epochs))
    if outcome:
        state = "finished" if outcome.anew else "was finished before"
        console.print(f"{state}: sedas-node bundle show {outcome.bundle}")
