"""`sedas-node train`: from a dataset and a recipe to a bundle."""

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from inference.training.history import Epoch
    from inference.training.watch import Batch


class CannotTrain(ValueError):
    """A training that cannot begin, or cannot go on, in words."""


class _Ask:
    """Hears the first signal that asks to stop."""

    number: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number


def train(
    recipe: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file: docs/training.md.")],
) -> None:
    """Train a classifier on a dataset; the same command goes on after a stop or a kill."""
    from inference.dataset.folder import BadDataset
    from inference.foreign_weights import BadWeights
    from inference.training.checkpoint import BadCheckpoint
    from inference.training.fit import Diverged, Stopped
    from inference.training.recipe import BadRecipe, read_recipe
    from inference.training.run import OtherTraining
    from inference.training.slices import OneClassOnly
    from inference.training.train import NotEnoughMemory
    from inference.training.train import train as run
    from inference.training.watch import Watch

    console, ask = Console(highlight=False, soft_wrap=True), _Ask()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    try:
        chosen = read_recipe(recipe)
        with _progress(console) as progress:
            shown = _Shown(progress, chosen.optimiser.epochs)
            outcome = run(chosen, Watch(shown.batch, shown.epoch, lambda: ask.number is not None))
    except Stopped as error:
        console.print(f"{error}. The last whole epoch is kept: sedas-node train {recipe} goes on from there.")
        raise typer.Exit(128 + (ask.number or signal.SIGTERM)) from None
    except (
        BadCheckpoint, BadDataset, BadRecipe, BadWeights, Diverged, NotEnoughMemory, OneClassOnly, OtherTraining,
    ) as error:  # fmt: skip
        raise CannotTrain(str(error)) from error
    if outcome:
        state = "finished" if outcome.anew else "was finished before"
        console.print(f"{state}: sedas-node bundle show {outcome.bundle}")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


class _Shown:
    """An epoch's batches as a bar, and a line for each epoch that has ended."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        self._progress, self._epochs = progress, epochs
        self._task = progress.add_task("reading the dataset", total=None)

    def batch(self, batch: "Batch") -> None:
        self._progress.update(
            self._task,
            description=f"epoch {batch.epoch} of {self._epochs}, loss {batch.loss:.4f}",
            completed=batch.number,
            total=batch.count,
        )

    def epoch(self, epoch: "Epoch") -> None:
        self._progress.console.print(
            f"epoch {epoch.number}: loss {epoch.loss:.4f}, selection loss {epoch.selection_loss:.4f},"
            f" AUC {epoch.selection_auc:.4f}, {epoch.slices_per_s:.1f} slices/s"
        )
